//! Every address that is served, each with its methods: this table is all of it. One file for each question.

pub(crate) mod alerts;
pub(crate) mod channels;
pub(crate) mod deliveries;
pub(crate) mod events;
pub(crate) mod gaps;
pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod occupancy;
pub(crate) mod occupants;
pub(crate) mod presence;
pub(crate) mod schema;
pub(crate) mod silences;
pub(crate) mod stream;
pub(crate) mod users;
pub(crate) mod visits;
pub(crate) mod watches;

use actix_web::dev::Handler;
use actix_web::http::Method;
use actix_web::{FromRequest, HttpRequest, Resource, Responder, guard, web};
use serde::Deserialize;
use utoipa::IntoParams;

use super::problem::{Code, Problem};

/// Which part of a list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// How many items, 1 to 1000; 100 unless given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub(crate) limit: Option<String>,
    /// Goes on after the last answer: its `next`.
    pub(crate) after: Option<String>,
}

/// No parameters.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParams {}

/// An address and what it answers to. Every other method gets a problem that names those.
pub(crate) struct Address {
    /// Its path, names in braces.
    pub(crate) path: &'static str,
    /// The methods it has.
    pub(crate) methods: Vec<Method>,
    resource: Resource,
}

impl Address {
    fn at(path: &'static str) -> Self {
        Self { path, methods: Vec::new(), resource: web::resource(path) }
    }

    fn on<F, Args>(mut self, method: Method, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let route = match method {
            // Whoever answers GET answers HEAD (RFC 9110 section 9.1); the body is left out on the way.
            Method::GET => web::route().guard(guard::Any(guard::Get()).or(guard::Head())),
            _ => web::method(method.clone()),
        };
        self.methods.push(method);
        self.resource = self.resource.route(route.to(handler));
        self
    }

    fn get<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::GET, handler)
    }

    /// Takes bodies of so many bytes.
    fn with_bodies(mut self, max: usize) -> Self {
        self.resource = self.resource.app_data(web::PayloadConfig::new(max));
        self
    }

    fn into_resource(self) -> Resource {
        let mut allowed: Vec<&str> = self.methods.iter().map(Method::as_str).collect();
        if allowed.contains(&"GET") {
            allowed.push("HEAD");
        }
        let (allow, path) = (allowed.join(", "), self.path);
        self.resource.default_service(web::to(move |request: HttpRequest| {
            let detail = format!("{} is not one of {allow} at {path}", request.method());
            let problem = Problem::new(Code::MethodNotAllowed, detail);
            std::future::ready(Err::<&str, _>(Problem { allow: Some(allow.clone()), ..problem }))
        }))
    }
}

/// Every address.
pub(crate) fn addresses() -> Vec<Address> {
    vec![
        Address::at("/v1/channels").get(channels::list),
        Address::at("/v1/channels/{channel}").get(channels::one),
        Address::at("/v1/channels/{channel}/occupants").get(occupants::list),
        Address::at("/v1/channels/{channel}/occupancy").get(occupancy::series),
        Address::at("/v1/events").get(events::list),
        Address::at("/v1/visits").get(visits::list),
        Address::at("/v1/gaps").get(gaps::list),
        Address::at("/v1/presence").get(presence::answer),
        Address::at("/v1/users/{user}").get(users::one),
        Address::at("/v1/users/{user}/channels").get(users::channels),
        Address::at("/v1/users/{user}/state").get(users::state),
        Address::at("/v1/stream").get(stream::stream),
        Address::at("/v1/watches").get(watches::list),
        Address::at("/v1/watches/{channel}")
            .on(Method::PUT, watches::add)
            .on(Method::DELETE, watches::remove),
        Address::at("/v1/alerts").get(alerts::list),
        Address::at("/v1/alerts/history").get(alerts::history),
        Address::at("/v1/deliveries").get(deliveries::list),
        Address::at("/v1/deliveries/{id}").get(deliveries::one),
        Address::at("/v1/deliveries/{id}/retry").on(Method::POST, deliveries::retry),
        Address::at("/v1/silences")
            .get(silences::list)
            .on(Method::POST, silences::add)
            .with_bodies(silences::MAX_BODY_BYTES),
        Address::at("/v1/silences/{id}").on(Method::DELETE, silences::end),
        Address::at("/healthz").get(health::live),
        Address::at("/readyz").get(health::ready),
        Address::at("/metrics").get(metrics::metrics),
        Address::at("/openapi.json").get(schema::openapi),
    ]
}

/// Serves them all; anything else is a problem `not_found`.
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    for address in addresses() {
        config.service(address.into_resource());
    }
    config.default_service(web::to(|request: HttpRequest| {
        let detail = format!("nothing is served at {:?}; see /openapi.json", request.path());
        std::future::ready(Err::<&str, _>(Problem::new(Code::NotFound, detail)))
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::access;

    #[test]
    fn every_method_that_changes_something_is_guarded() {
        for address in addresses() {
            for method in &address.methods {
                assert!(
                    *method == Method::GET || access::CHANGING.contains(method),
                    "{method} {}",
                    address.path
                );
            }
        }
    }
}
