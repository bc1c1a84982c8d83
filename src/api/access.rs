//! Who may ask. With tokens: whoever has one. Without: only this machine, and no page that a browser on it shows.
//!
//! adsum without tokens listens on loopback only, but a browser there can be made to send requests by any page. So the
//! `Host` must be a loopback name (a page that re-binds its own name to 127.0.0.1 sends that name), and a changing
//! request must be JSON (which a page of another site cannot send unasked) and of no foreign `Origin`.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, ResponseError, web};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::problem::{Code, Problem};
use crate::loopback::is_loopback;

/// The one address that everybody may ask: it says no more than that adsum runs.
pub(crate) const OPEN_TO_ALL: &str = "/healthz";

/// The methods that change something.
pub(super) const CHANGING: [Method; 3] = [Method::PUT, Method::POST, Method::DELETE];

/// What a token is compared by: equal for equal tokens, of one length, compared in constant time.
type Print = hmac::digest::CtOutput<Hmac<Sha256>>;

fn print(token: &[u8]) -> Option<Print> {
    let mac = Hmac::<Sha256>::new_from_slice(token).ok()?;
    Some(mac.finalize())
}

/// Who may ask.
pub(crate) struct Access {
    /// Of every token; none means that only this machine may ask.
    tokens: Vec<Print>,
}

impl Access {
    /// Lets in whoever has one of the tokens; without any, whoever is on this machine.
    pub(crate) fn new(tokens: &[SecretString]) -> Self {
        Self { tokens: tokens.iter().filter_map(|token| print(token.expose_secret().as_bytes())).collect() }
    }

    fn check(&self, request: &ServiceRequest) -> Result<(), Problem> {
        if request.path() == OPEN_TO_ALL {
            return Ok(());
        }
        if self.tokens.is_empty() { check_local(request) } else { self.check_token(request) }
    }

    fn check_token(&self, request: &ServiceRequest) -> Result<(), Problem> {
        let given = request.headers().get(header::AUTHORIZATION).map(header::HeaderValue::as_bytes);
        let Some(token) = given.and_then(bearer) else {
            let detail = "a token is required: Authorization: Bearer TOKEN";
            return Err(Problem::new(Code::Unauthorized, detail));
        };
        let given = print(token);
        // Every token is looked at, so that the time taken does not say which one was nearly right.
        let matching = self.tokens.iter().filter(|token| given.as_ref() == Some(*token)).count();
        if matching > 0 { Ok(()) } else { Err(Problem::new(Code::Unauthorized, "the token is not known")) }
    }
}

/// The token of an `Authorization` header (RFC 6750 section 2.1; the scheme's case is free).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii()).filter(|token| !token.is_empty())
}

fn check_local(request: &ServiceRequest) -> Result<(), Problem> {
    let hosts: Vec<&str> = request
        .headers()
        .get_all(header::HOST)
        .map(|host| host.to_str().unwrap_or_default())
        .chain(request.uri().authority().map(actix_web::http::uri::Authority::as_str))
        .collect();
    if hosts.is_empty() || !hosts.iter().all(|host| is_loopback(host)) {
        let detail = "without server.tokens only localhost, 127.0.0.0/8 and [::1] are served";
        return Err(Problem::new(Code::ForbiddenHost, detail));
    }
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    check_change(request, &hosts)
}

fn check_change(request: &ServiceRequest, hosts: &[&str]) -> Result<(), Problem> {
    let foreign = request.headers().get_all(header::ORIGIN).any(|origin| {
        let authority = origin.to_str().ok().and_then(|text| text.strip_prefix("http://"));
        !authority.is_some_and(|authority| hosts.contains(&authority))
    });
    if foreign {
        return Err(Problem::new(Code::ForbiddenOrigin, "pages of other origins may change nothing"));
    }
    // Whatever has no method of those is refused for that, with those it has.
    if !CHANGING.contains(request.method()) {
        return Ok(());
    }
    let has_body = request.headers().contains_key(header::TRANSFER_ENCODING)
        || request.headers().get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
    if (has_body || *request.method() != Method::DELETE) && request.content_type() != "application/json" {
        return Err(Problem::new(Code::UnsupportedMediaType, "Content-Type: application/json is required"));
    }
    Ok(())
}

/// The middleware: answers with a problem, or passes the request on.
///
/// # Errors
/// Those of the service inside.
pub(crate) async fn check(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let refused = request
        .app_data::<web::Data<Access>>()
        .map_or_else(|| Err(Problem::new(Code::Unauthorized, "no access")), |access| access.check(&request));
    match refused {
        Ok(()) => next.call(request).await.map(ServiceResponse::map_into_left_body),
        Err(problem) => Ok(request.into_response(problem.error_response()).map_into_right_body()),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn code(access: &Access, request: TestRequest) -> Option<Code> {
        access.check(&request.to_srv_request()).err().map(|problem| problem.code)
    }

    #[test]
    fn without_tokens_only_loopback_hosts_are_served() {
        let access = Access::new(&[]);
        let get = |host: &str| TestRequest::get().uri("/v1/channels").insert_header((header::HOST, host));
        assert_eq!(code(&access, get("localhost:8080")), None);
        assert_eq!(code(&access, get("evil.example")), Some(Code::ForbiddenHost));
        assert_eq!(code(&access, TestRequest::get().uri("/v1/channels")), Some(Code::ForbiddenHost));
        let two = get("localhost").append_header((header::HOST, "evil.example"));
        assert_eq!(code(&access, two), Some(Code::ForbiddenHost));
        let absolute =
            TestRequest::get().uri("http://evil.example/").insert_header((header::HOST, "localhost"));
        assert_eq!(code(&access, absolute), Some(Code::ForbiddenHost));
        assert_eq!(code(&access, get("evil.example").uri(OPEN_TO_ALL)), None);
    }

    #[test]
    fn without_tokens_a_change_must_be_json_and_of_no_foreign_origin() {
        let access = Access::new(&[]);
        let put = || TestRequest::put().uri("/v1/watches/x").insert_header((header::HOST, "localhost:8080"));
        let json = || put().insert_header((header::CONTENT_TYPE, "application/json; charset=utf-8"));
        let from = |origin: &str| json().insert_header((header::ORIGIN, origin));
        assert_eq!(code(&access, json()), None);
        assert_eq!(code(&access, put()), Some(Code::UnsupportedMediaType));
        let text = put().insert_header((header::CONTENT_TYPE, "text/plain"));
        assert_eq!(code(&access, text), Some(Code::UnsupportedMediaType));
        assert_eq!(code(&access, from("http://localhost:8080")), None);
        for origin in ["http://localhost:3000", "http://evil.example", "null", "https://localhost:8080"] {
            assert_eq!(code(&access, from(origin)), Some(Code::ForbiddenOrigin), "{origin}");
        }
        let delete = || TestRequest::delete().uri("/v1/watches/x").insert_header((header::HOST, "localhost"));
        assert_eq!(
            code(&access, delete()),
            None,
            "a page of another site cannot send it without asking first"
        );
        let body = delete().insert_header((header::CONTENT_LENGTH, "2"));
        assert_eq!(code(&access, body), Some(Code::UnsupportedMediaType));
    }

    #[test]
    fn with_tokens_everything_but_the_health_check_needs_one() {
        let access = Access::new(&["first".to_owned().into(), "second".to_owned().into()]);
        let get = |value: &str| TestRequest::get().insert_header((header::AUTHORIZATION, value));
        for right in ["Bearer first", "bearer second", "BEARER  first "] {
            assert_eq!(code(&access, get(right)), None, "{right}");
        }
        for wrong in [
            "Bearer third",
            "Bearer firs",
            "Bearer first2",
            "Bearer ",
            "Basic first",
            "first",
            "Bearer\tfirst",
        ] {
            assert_eq!(code(&access, get(wrong)), Some(Code::Unauthorized), "{wrong}");
        }
        assert_eq!(code(&access, TestRequest::get()), Some(Code::Unauthorized));
        assert_eq!(code(&access, TestRequest::get().uri(OPEN_TO_ALL)), None);
        assert_eq!(code(&access, TestRequest::get().uri("/healthz/x")), Some(Code::Unauthorized));
    }
}
