//! `/faults`: which faults are in force, told and changed while the origin runs.
//!
//! It is for this machine only: anybody else could take the origin down, and so could any page that a browser here
//! shows. So whoever asks must be on this machine and name it in `Host` (a page that re-binds its own name to
//! 127.0.0.1 sends that name); a change must be JSON (which a page of another site cannot send unasked) and of no
//! foreign `Origin`.

use actix_web::http::{Method, StatusCode, header};
use actix_web::web::{Bytes, Payload};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use serde::Serialize;

use super::super::faults::{FaultFinding, Faults};
use super::Service;
use crate::loopback::is_loopback;

/// Where it is.
pub(super) const PATH: &str = "/faults";
/// The longest body that is read, in bytes.
pub(super) const LONGEST_BODY: usize = 256 * 1024;

/// An error's body (RFC 9457).
#[derive(Debug, Serialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<FaultFinding>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        let kind = format!("urn:adsum:problem:{code}");
        Self { kind, title, status: status.as_u16(), detail: detail.into(), code, findings: Vec::new() }
    }

    fn bad_body(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_body", "Wrong request body", detail)
    }

    fn bad_faults(findings: Vec<FaultFinding>) -> Self {
        let detail = findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Self { findings, ..Self::new(StatusCode::BAD_REQUEST, "bad_faults", "Wrong faults", detail) }
    }
}

/// Answers a request for `/faults`. Faults are replaced as a whole or not at all.
pub(super) async fn answer(service: &Service, request: &HttpRequest, payload: Payload) -> HttpResponse {
    match told(service, request, payload).await {
        Ok(told) => json(StatusCode::OK, "application/json", &told),
        Err(problem) => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST);
            let mut response = json(status, "application/problem+json", &problem);
            if status == StatusCode::METHOD_NOT_ALLOWED {
                let allow = header::HeaderValue::from_static("GET, PUT, DELETE");
                response.headers_mut().insert(header::ALLOW, allow);
            }
            response
        }
    }
}

async fn told(
    service: &Service,
    request: &HttpRequest,
    payload: Payload,
) -> Result<impl Serialize + use<>, Problem> {
    check(request)?;
    let faults = match *request.method() {
        Method::PUT => read(payload).await?,
        Method::DELETE => Faults::default(),
        _ => return Ok(service.faults.tell()),
    };
    Ok(service.faults.replace(faults, service.now()))
}

async fn read(payload: Payload) -> Result<Faults, Problem> {
    let body: Bytes = match payload.to_bytes_limited(LONGEST_BODY).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) => return Err(Problem::bad_body(format!("the body cannot be read: {error}"))),
        Err(_) => {
            let detail = format!("at most {LONGEST_BODY} bytes are read");
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "payload_too_large",
                "Body too large",
                detail,
            ));
        }
    };
    let value =
        serde_json::from_slice(&body).map_err(|error| Problem::bad_body(format!("no JSON: {error}")))?;
    Faults::read(&value).map_err(Problem::bad_faults)
}

fn check(request: &HttpRequest) -> Result<(), Problem> {
    let forbidden = |code, title, detail: &str| Err(Problem::new(StatusCode::FORBIDDEN, code, title, detail));
    if !request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback()) {
        return forbidden("forbidden_host", "Host not served", "only this machine itself may ask for faults");
    }
    let hosts: Vec<&str> = request
        .headers()
        .get_all(header::HOST)
        .map(|host| host.to_str().unwrap_or_default())
        .chain(request.uri().authority().map(actix_web::http::uri::Authority::as_str))
        .collect();
    if hosts.is_empty() || !hosts.iter().all(|host| is_loopback(host)) {
        let detail = "only localhost, 127.0.0.0/8 and [::1] are served";
        return forbidden("forbidden_host", "Host not served", detail);
    }
    let method = request.method();
    if *method == Method::GET {
        return Ok(());
    }
    if *method != Method::PUT && *method != Method::DELETE {
        let detail = "faults are told with GET, replaced with PUT and ended with DELETE";
        return Err(Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "Method not allowed",
            detail,
        ));
    }
    let foreign = request.headers().get_all(header::ORIGIN).any(|origin| {
        let authority = origin.to_str().ok().and_then(|text| text.strip_prefix("http://"));
        !authority.is_some_and(|authority| hosts.contains(&authority))
    });
    if foreign {
        let detail = "pages of other origins may change nothing";
        return forbidden("forbidden_origin", "Foreign origin", detail);
    }
    if *method == Method::PUT && request.content_type() != "application/json" {
        let detail = "Content-Type: application/json is required";
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "JSON is required",
            detail,
        ));
    }
    Ok(())
}

fn json(status: StatusCode, media_type: &'static str, body: &impl Serialize) -> HttpResponse {
    let body = serde_json::to_vec(body).unwrap_or_default();
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, media_type))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(body)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn whoever_is_not_on_this_machine_is_refused_whatever_host_it_names() {
        let from = |peer: &str| {
            let request = TestRequest::get().uri(PATH).insert_header((header::HOST, "localhost"));
            check(&request.peer_addr(peer.parse().unwrap()).to_http_request()).map_err(|problem| problem.code)
        };
        for peer in ["127.0.0.1:5", "127.1.2.3:5", "[::1]:5", "[::ffff:127.0.0.1]:5"] {
            assert_eq!(from(peer), Ok(()), "{peer}");
        }
        for peer in ["10.0.0.1:5", "[::ffff:10.0.0.1]:5", "[fe80::1]:5"] {
            assert_eq!(from(peer), Err("forbidden_host"), "{peer}");
        }
    }
}
