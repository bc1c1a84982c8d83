//! The routes of the Presence API (PROTOCOL.md 0).
//!
//! One way for every request: [`answer`] reads the address ([`address`]) and its parameters ([`query`]), hands them to
//! the handler of the route, and sends what comes back: a body, or a [`Refusal`] in the service's own shape. Faults hook
//! in here ([`suffer`]): between the reading and the handler, and on what comes back.

mod address;
mod bodies;
mod cache;
mod envelope;
mod faults;
mod groups;
mod here_now;
mod presence;
mod query;
mod refusal;
mod subscribe;
mod suffer;

use std::sync::Mutex;
use std::time::Duration;

use actix_web::http::{Method, StatusCode, header};
use actix_web::web::{Bytes, Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use tokio::net::TcpSocket;

use super::clock::{Clock, Moment};
use super::faults::InForce;
use super::keyset::{Keysets, lock};
use super::settings::OriginSettings;
use address::{Address, Call};
use cache::AnswerCache;
use query::Query;
use refusal::Refusal;
use suffer::Fate;

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
    /// What is done wrong on purpose.
    pub(crate) faults: InForce,
}

impl Service {
    /// Nobody is anywhere yet.
    pub(crate) fn new(settings: OriginSettings) -> Self {
        let clock = Clock::start();
        Self {
            faults: InForce::new(settings.faults.clone(), clock.now()),
            clock,
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
pub(crate) async fn answer(service: Data<Service>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let uri = request.uri();
    if uri.path() == faults::PATH {
        return faults::answer(&service, &request, payload).await;
    }
    let asked = match *request.method() {
        Method::GET => Asked::read(uri.path(), uri.query().unwrap_or_default()),
        // A browser asks first when a page adds headers of its own.
        Method::OPTIONS => return respond(StatusCode::OK, Bytes::new()),
        _ => Err(Refusal::method_not_allowed()),
    };
    let response = match asked {
        Ok(asked) => fulfil(&service, &asked, request.conn_data()).await,
        Err(refusal) => {
            let (status, body) = refusal.into_parts();
            respond(status, body)
        }
    };
    tracing::debug!(path = uri.path(), status = response.status().as_u16(), "answered");
    response
}

/// A request, read.
struct Asked<'a> {
    path: &'a str,
    query: &'a str,
    address: Address,
    parameters: Query,
}

impl<'a> Asked<'a> {
    fn read(path: &'a str, query: &'a str) -> Result<Self, Refusal> {
        if path.len() + query.len() > LONGEST_URI {
            return Err(Refusal::uri_too_long());
        }
        Ok(Self { path, query, address: Address::parse(path)?, parameters: Query::parse(query)? })
    }
}

/// Carries a request out and sends its answer, as far as the faults in force let it.
async fn fulfil(service: &Service, asked: &Asked<'_>, connection: Option<&TcpSocket>) -> HttpResponse {
    let request = suffer::request(&asked.address.call, &asked.parameters);
    let mut fate = Fate::new(service.faults.hit(request, service.now()));
    let (delay, resets) = (fate.delay, fate.resets());
    let response = if let Some(instead) = fate.instead(request.channels) {
        instead
    } else {
        let (status, body) = match dispatch(service, asked, &mut fate).await {
            Ok(body) => (StatusCode::OK, fate.change(body, request.channels)),
            Err(refusal) => refusal.into_parts(),
        };
        fate.send(status, body)
    };
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    if resets {
        suffer::reset(connection);
    }
    response
}

async fn dispatch(service: &Service, asked: &Asked<'_>, fate: &mut Fate) -> Result<Bytes, Refusal> {
    let Asked { address: Address { key, call }, parameters: asked, path, query } = asked;
    match call {
        Call::Time => bodies::time(service.now()),
        Call::HereNow { .. } | Call::GlobalHereNow => {
            let now = service.now();
            if let Some(blow) = fate.moved.take() {
                // Not what others are to be told.
                return here_now::here_now(service, key, call, asked, now, Some(blow));
            }
            let url = cache::url(path, query);
            if let Some(body) = lock(&service.answers).get(&url, now) {
                return Ok(body);
            }
            let body = here_now::here_now(service, key, call, asked, now, None)?;
            lock(&service.answers).put(url, body.clone(), now);
            Ok(body)
        }
        Call::WhereNow { user } => presence::where_now(service, key, user),
        Call::GetState { channels, user } => presence::get_state(service, key, channels, user, asked),
        Call::SetState { channels, user } => presence::set_state(service, key, channels, user, asked),
        Call::Heartbeat { channels } => presence::heartbeat(service, key, channels, asked),
        Call::Leave { channels } => presence::leave(service, key, channels, asked),
        Call::Subscribe { channels } => subscribe::subscribe(service, key, channels, asked).await,
        Call::ListGroups => groups::list_groups(service, key),
        Call::Group { group } => groups::group(service, key, group, asked),
        Call::DeleteGroup { group } => groups::delete(service, key, group),
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
