//! The description of all this, made from the code that serves it.

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use super::problem::{Code, PROBLEM_JSON, ProblemBody};
use super::routes;

/// The API as OpenAPI 3.1.
#[derive(OpenApi)]
#[openapi(
    info(title = "adsum", description = "A trustworthy record of presence on PubNub channels."),
    paths(
        routes::channels::list,
        routes::channels::one,
        routes::occupants::list,
        routes::occupancy::series,
        routes::events::list,
        routes::visits::list,
        routes::gaps::list,
        routes::presence::answer,
        routes::users::one,
        routes::users::channels,
        routes::users::state,
        routes::stream::stream,
        routes::watches::list,
        routes::watches::add,
        routes::watches::remove,
        routes::alerts::list,
        routes::alerts::history,
        routes::deliveries::list,
        routes::deliveries::one,
        routes::deliveries::retry,
        routes::silences::list,
        routes::silences::add,
        routes::silences::end,
        routes::health::live,
        routes::health::ready,
        routes::metrics::metrics,
        routes::schema::openapi,
    ),
    components(schemas(ProblemBody)),
    security((), ("token" = [])),
    tags(
        (name = "channels", description = "Channels: now, and at any moment."),
        (name = "record", description = "The record: events, visits, gaps, presence."),
        (name = "users", description = "Users: where, and in which state."),
        (name = "watches", description = "What is watched."),
        (name = "alerts", description = "Alerts, who is told of them, and silences."),
        (name = "operation", description = "How adsum itself is."),
    ),
    modifiers(&Problems, &Token)
)]
pub(crate) struct Description;

/// Every operation may end in a problem.
struct Problems;

impl Modify for Problems {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let row =
            |code: &Code| format!("| `{}` | {} | {} |", code.as_str(), code.status().as_u16(), code.title());
        let rows: Vec<String> = Code::ALL.iter().map(row).collect();
        let description = openapi.info.description.get_or_insert_default();
        description.push_str("\n\nEvery error is a problem (RFC 9457) with one of these codes:\n\n");
        description.push_str("| code | status | meaning |\n| --- | --- | --- |\n");
        description.push_str(&rows.join("\n"));
        for item in openapi.paths.paths.values_mut() {
            let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
            for operation in operations.into_iter().flatten() {
                operation.responses.responses.insert("default".to_owned(), RefOr::T(problem()));
            }
        }
    }
}

fn problem() -> Response {
    let schema = Ref::from_schema_name("Problem");
    ResponseBuilder::new()
        .description("What went wrong.")
        .content(PROBLEM_JSON, ContentBuilder::new().schema(Some(schema)).build())
        .build()
}

/// A token, where the server has any.
struct Token;

impl Modify for Token {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("One of server.tokens; needed only if there are any."))
            .build();
        openapi.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn exactly_what_is_served_is_described() {
        let served: BTreeSet<(String, String)> = routes::addresses()
            .iter()
            .flat_map(|address| {
                address.methods.iter().map(|method| (address.path.to_owned(), method.to_string()))
            })
            .collect();
        let description = serde_json::to_value(Description::openapi()).unwrap();
        let described: BTreeSet<(String, String)> = description["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| {
                item.as_object().unwrap().keys().map(|method| (path.clone(), method.to_uppercase()))
            })
            .collect();
        assert_eq!(served, described);
        assert!(served.len() >= 27, "{served:?}");
    }

    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let description = serde_json::to_value(Description::openapi()).unwrap();
        let paths = description["paths"].as_object().unwrap();
        let operations: Vec<&serde_json::Value> =
            paths.values().flat_map(|item| item.as_object().unwrap().values()).collect();
        let names: BTreeSet<&str> = operations.iter().map(|op| op["operationId"].as_str().unwrap()).collect();
        assert_eq!(names.len(), operations.len(), "{names:?}");
    }

    #[test]
    fn every_reference_of_the_description_leads_somewhere() {
        let description = serde_json::to_value(Description::openapi()).unwrap();
        assert_eq!(description["openapi"], "3.1.0");
        let text = description.to_string();
        let schemas = description["components"]["schemas"].as_object().unwrap();
        let names: BTreeSet<&str> =
            text.split("#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        for name in &names {
            assert!(schemas.contains_key(*name), "{name}");
        }
        assert!(names.contains("Problem") && names.contains("Window"), "{names:?}");
    }
}
