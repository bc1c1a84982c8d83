//! How an answer suffers from the faults that hit its request: what comes instead of it, and how it is sent.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::SizedStream;
use actix_web::http::{StatusCode, header};
use actix_web::web::Bytes;
use futures_util::stream;
use serde_json::json;
use tokio::net::TcpSocket;

use super::super::faults::{Blow, Fault, LONGEST_DELAY, Request, RequestKind, change_lists, spoil};
use super::super::name::Name;
use super::address::Call;
use super::query::Query;
use super::refusal::name;
use super::respond;

/// What hits one request.
#[derive(Debug, Default)]
pub(super) struct Fate {
    /// How late its answer comes.
    pub(super) delay: Duration,
    /// Who moves before the list is read.
    pub(super) moved: Option<Blow>,
    /// What is done to its lists.
    lists: Vec<Blow>,
    /// What comes instead of the answer, or becomes of it.
    end: Option<Blow>,
}

impl Fate {
    /// Delays add up; of what ends a request the first counts.
    pub(super) fn new(blows: Vec<Blow>) -> Self {
        let mut fate = Self::default();
        for mut blow in blows {
            match blow.fault {
                Fault::Latency { delay, jitter } => {
                    fate.delay = (fate.delay + delay + jitter.mul_f64(blow.chance.f64())).min(LONGEST_DELAY);
                }
                Fault::Moved => fate.moved = fate.moved.or(Some(blow)),
                fault if fault.changes_lists() => fate.lists.push(blow),
                _ => fate.end = fate.end.or(Some(blow)),
            }
        }
        if fate.end.as_ref().is_some_and(|blow| blow.fault == Fault::Silence) {
            fate.delay = LONGEST_DELAY;
        }
        fate
    }

    /// The answer that comes instead of carrying out the request.
    pub(super) fn instead(&self, channels: &[Name]) -> Option<HttpResponse> {
        let blow = self.end.as_ref()?;
        Some(match blow.fault {
            Fault::Error { status } => error(status),
            Fault::Throttle { retry_after } => {
                let mut response = failed(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests", name::PRESENCE);
                response.headers_mut().insert(header::RETRY_AFTER, retry_after.as_secs().into());
                response
            }
            Fault::Forbid => {
                let named: Vec<&Name> =
                    channels.iter().filter(|channel| blow.channels.contain(channel)).collect();
                forbidden(&named)
            }
            Fault::Html { status } => page(status),
            // Without anything flushed, the connection is closed before the answer begins. The size is not 0: that would
            // be a whole answer.
            Fault::Silence | Fault::Drop | Fault::Outage | Fault::Reset => {
                stepwise(StatusCode::OK, [], 1, End::BreakOff)
            }
            _ => return None,
        })
    }

    /// Whether the connection is reset rather than closed.
    pub(super) fn resets(&self) -> bool {
        self.end.as_ref().is_some_and(|blow| blow.fault == Fault::Reset)
    }

    /// The same answer with its lists changed. A flat one is about the first of the channels.
    pub(super) fn change(&mut self, body: Bytes, channels: &[Name]) -> Bytes {
        if self.lists.is_empty() {
            return body;
        }
        let Ok(mut answer) = serde_json::from_slice(&body) else { return body };
        change_lists(&mut answer, channels.first().map_or("", |channel| channel), &mut self.lists);
        serde_json::to_vec(&answer).map_or(body, Bytes::from)
    }

    /// Sends an answer as it is to be sent.
    pub(super) fn send(self, status: StatusCode, body: Bytes) -> HttpResponse {
        let Some(Blow { fault, mut chance, .. }) = self.end else { return respond(status, body) };
        match fault {
            Fault::CutTransfer => {
                let size = body.len().max(1);
                let sent = body.slice(..chance.usize(..size));
                stepwise(status, [Step::Send(sent), Step::Flush], size, End::BreakOff)
            }
            Fault::Drip { piece, pause } => drip(status, body, piece, pause),
            fault => respond(status, spoil(fault, body.to_vec(), &mut chance).into()),
        }
    }
}

/// Makes the connection close with a reset (RST) instead of a farewell (FIN). One that was opened before there was a
/// rule that resets has no second handle, and is closed as usual.
pub(super) fn reset(connection: Option<&TcpSocket>) {
    match connection.map(TcpSocket::set_zero_linger) {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::warn!(%error, "a connection cannot be reset; it is closed"),
        None => tracing::debug!("a connection opened before the rule to reset is closed"),
    }
}

/// A request, as far as rules look at it.
pub(super) fn request<'a>(call: &'a Call, asked: &Query) -> Request<'a> {
    let with_groups = asked.filled("channel-group").is_some();
    let (kind, channels, about_others): (_, &[Name], _) = match call {
        Call::Time => (RequestKind::Time, &[], false),
        Call::HereNow { channels } => (RequestKind::HereNow, channels, with_groups),
        Call::GlobalHereNow => (RequestKind::GlobalHereNow, &[], true),
        Call::WhereNow { .. } => (RequestKind::WhereNow, &[], false),
        Call::GetState { channels, .. } => (RequestKind::GetState, channels, false),
        Call::SetState { channels, .. } => (RequestKind::SetState, channels, false),
        Call::Heartbeat { channels } => (RequestKind::Heartbeat, channels, false),
        Call::Leave { channels } => (RequestKind::Leave, channels, false),
        Call::Subscribe { channels } => (RequestKind::Subscribe, channels, false),
        Call::Group { .. } if asked.filled("add").or(asked.filled("remove")).is_some() => {
            (RequestKind::ChangeGroup, &[], false)
        }
        Call::ListGroups | Call::Group { .. } => (RequestKind::Groups, &[], false),
        Call::DeleteGroup { .. } => (RequestKind::ChangeGroup, &[], false),
    };
    Request { kind, channels, about_others }
}

/// What is done with a connection, one after the other.
enum Step {
    Send(Bytes),
    Wait(Duration),
    /// Lets what was sent go out.
    Flush,
}

/// What follows the last step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    BreakOff,
}

/// Why a connection ends before its answer does. The HTTP server logs it by its name.
#[derive(Debug, thiserror::Error)]
#[error("a fault closes the connection")]
struct ClosedByFault;

/// Sends pieces with pauses; what is not sent when the longest delay is over never is.
fn drip(status: StatusCode, body: Bytes, piece: usize, pause: Duration) -> HttpResponse {
    let size = body.len();
    let starts = (0..size).step_by(piece.max(1));
    let in_time = LONGEST_DELAY.as_millis().checked_div(pause.as_millis()).unwrap_or(u128::MAX);
    let most = usize::try_from(in_time).unwrap_or(usize::MAX);
    let end = if starts.len() <= most { End::Whole } else { End::BreakOff };
    let steps = starts.take(most).flat_map(move |start| {
        let piece = body.slice(start..size.min(start.saturating_add(piece)));
        [Step::Wait(pause), Step::Send(piece)]
    });
    stepwise(status, steps, size, end)
}

/// A response of a certain size that is sent step by step.
fn stepwise(
    status: StatusCode,
    steps: impl IntoIterator<Item = Step, IntoIter: 'static>,
    size: usize,
    end: End,
) -> HttpResponse {
    let pieces = stream::unfold(steps.into_iter(), move |mut steps| async move {
        loop {
            match steps.next() {
                Some(Step::Send(piece)) => return Some((Ok(piece), steps)),
                Some(Step::Wait(span)) => tokio::time::sleep(span).await,
                Some(Step::Flush) => tokio::task::yield_now().await,
                None if end == End::Whole => return None,
                None => return Some((Err(ClosedByFault), steps)),
            }
        }
    });
    let size = u64::try_from(size).unwrap_or(u64::MAX);
    respond(status, Bytes::new()).set_body(SizedStream::new(size, Box::pin(pieces))).map_into_boxed_body()
}

fn failed(status: StatusCode, message: &str, service: &str) -> HttpResponse {
    json_answer(
        status,
        &json!({
            "error": true, "message": message, "service": service, "status": status.as_u16(),
        }),
    )
}

fn error(status: u16) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    failed(status, status.canonical_reason().unwrap_or("Server Error"), name::PRESENCE)
}

/// As Access Manager says it (PROTOCOL.md 4).
fn forbidden(channels: &[&Name]) -> HttpResponse {
    let mut body = json!({
        "error": true, "message": "Forbidden", "service": name::ACCESS, "status": 403,
    });
    if let Some(body) = body.as_object_mut().filter(|_| !channels.is_empty()) {
        body.insert(
            "payload".to_owned(),
            json!({ "channels": channels.iter().map(|name| &***name).collect::<Vec<_>>() }),
        );
    }
    json_answer(StatusCode::FORBIDDEN, &body)
}

fn json_answer(status: StatusCode, body: &serde_json::Value) -> HttpResponse {
    respond(status, body.to_string().into())
}

/// A page as a proxy or a portal puts in the way.
fn page(status: u16) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let reason = status.canonical_reason().unwrap_or("Error");
    let page = format!(
        "<!DOCTYPE html>\n<html><head><title>{status}</title></head>\n<body><h1>{reason}</h1></body></html>\n"
    );
    let mut response = respond(status, page.into());
    let html = header::HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, html);
    response
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;
    use tokio::time::Instant;

    use super::super::super::faults::{Faults, InForce};
    use super::*;
    use crate::origin::clock::Moment;

    fn fate(rules: &serde_json::Value) -> Fate {
        let now = Moment::from_micros(0);
        let in_force = InForce::new(Faults::read(rules).unwrap(), now);
        let request = Request { kind: RequestKind::HereNow, channels: &[], about_others: false };
        Fate::new(in_force.hit(request, now))
    }

    #[tokio::test(start_paused = true)]
    async fn a_drip_that_lasts_too_long_is_broken_off() {
        let rules = json!({"rule": [{"fault": "drip", "piece": 1, "pause": "1m"}]});
        for (length, whole) in [(10, true), (11, false)] {
            let started = Instant::now();
            let response = fate(&rules).send(StatusCode::OK, vec![b'x'; length].into());
            assert_eq!(to_bytes(response.into_body()).await.is_ok(), whole, "{length}");
            assert_eq!(started.elapsed(), LONGEST_DELAY, "{length}");
        }
    }

    #[test]
    fn nobody_waits_longer_than_the_longest_delay() {
        let latency = json!({"fault": "latency", "delay": "6m", "jitter": "10m"});
        assert_eq!(fate(&json!({"rule": [latency, latency]})).delay, LONGEST_DELAY);
        assert_eq!(fate(&json!({"rule": [latency, {"fault": "silence"}, latency]})).delay, LONGEST_DELAY);
    }
}
