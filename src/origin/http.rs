//! The routes of the Presence API (PROTOCOL.md 0).
//!
//! One way for every request: [`answer`] reads the address ([`address`]) and its parameters ([`query`]), hands them to
//! the handler of the route, and sends what comes back: a body, or a [`Refusal`] in the service's own shape.

mod address;
mod bodies;
mod cache;
mod envelope;
mod groups;
mod here_now;
mod presence;
mod query;
mod refusal;
mod subscribe;

use std::sync::Mutex;
use std::time::Duration;

use actix_web::http::{Method, StatusCode, header};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};

use super::clock::{Clock, Moment};
use super::keyset::{Keysets, lock};
use super::settings::OriginSettings;
use address::{Address, Call};
use cache::AnswerCache;
use query::Query;
use refusal::Refusal;

/// The longest path and query that is read (PROTOCOL.md 1.6: 414 above some 32 KiB).
const LONGEST_URI: usize = 32 * 1024;
/// Bodies up to this size are sent as they are, larger ones gzipped where the client takes it (PROTOCOL.md 1.5).
const SMALL_BODY: usize = 173;

/// What the handlers share.
#[derive(Debug)]
pub(crate) struct Service {
    /// The settings.
    pub(crate) settings: OriginSettings,
    clock: Clock,
    keysets: Keysets,
    answers: Mutex<AnswerCache>,
}

impl Service {
    /// Nobody is anywhere yet.
    pub(crate) fn new(settings: OriginSettings) -> Self {
        Self {
            clock: Clock::start(),
            keysets: Keysets::new(settings.clone()),
            answers: Mutex::new(AnswerCache::new(settings.here_now_cache)),
            settings,
        }
    }

    /// Does what is due now, and says how long until something may be due again.
    pub(crate) fn advance(&self) -> Option<Duration> {
        let now = self.clock.now();
        self.keysets.advance(now).map(|due| now.until(due))
    }

    fn now(&self) -> Moment {
        self.clock.now()
    }
}

/// Answers one request.
pub(crate) async fn answer(service: Data<Service>, request: HttpRequest) -> HttpResponse {
    let uri = request.uri();
    let answer = match *request.method() {
        Method::GET => dispatch(&service, uri.path(), uri.query().unwrap_or_default()).await,
        // A browser asks first when a page adds headers of its own.
        Method::OPTIONS => Ok(Bytes::new()),
        _ => Err(Refusal::method_not_allowed()),
    };
    let (status, body) = answer.map_or_else(Refusal::into_parts, |body| (StatusCode::OK, body));
    tracing::debug!(path = uri.path(), status = status.as_u16(), bytes = body.len(), "answered");
    respond(status, body)
}

async fn dispatch(service: &Service, path: &str, query: &str) -> Result<Bytes, Refusal> {
    if path.len() + query.len() > LONGEST_URI {
        return Err(Refusal::uri_too_long());
    }
    let Address { key, call } = Address::parse(path)?;
    let asked = Query::parse(query)?;
    match call {
        Call::Time => bodies::time(service.now()),
        Call::HereNow { .. } | Call::GlobalHereNow => {
            let url = cache::url(path, query);
            let now = service.now();
            if let Some(body) = lock(&service.answers).get(&url, now) {
                return Ok(body);
            }
            let body = here_now::here_now(service, &key, &call, &asked, now)?;
            lock(&service.answers).put(url, body.clone(), now);
            Ok(body)
        }
        Call::WhereNow { user } => presence::where_now(service, &key, &user),
        Call::GetState { channels, user } => presence::get_state(service, &key, &channels, &user, &asked),
        Call::SetState { channels, user } => presence::set_state(service, &key, &channels, &user, &asked),
        Call::Heartbeat { channels } => presence::heartbeat(service, &key, &channels, &asked),
        Call::Leave { channels } => presence::leave(service, &key, &channels, &asked),
        Call::Subscribe { channels } => subscribe::subscribe(service, &key, &channels, &asked).await,
        Call::ListGroups => groups::list_groups(service, &key),
        Call::Group { group } => groups::group(service, &key, &group, &asked),
        Call::DeleteGroup { group } => groups::delete(service, &key, &group),
    }
}

fn respond(status: StatusCode, body: Bytes) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    response
        .insert_header((header::CONTENT_TYPE, "text/javascript; charset=\"UTF-8\""))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "OPTIONS, GET"))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, "*"));
    if body.len() <= SMALL_BODY {
        response.insert_header(header::ContentEncoding::Identity);
    }
    response.body(body)
}
