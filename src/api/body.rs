//! Bodies of requests: size-limited, JSON, and nothing in them that nobody reads.

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use actix_web::{Error, FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;

use super::problem::{Code, Problem};

/// The largest body read unless an address takes larger ones, in bytes. None is needed.
pub(crate) const MAX_BODY_BYTES: usize = 4096;

/// No body, or `{}`: any other would be ignored, and whoever sent one means something by it.
pub(crate) struct NoBody;

impl FromRequest for NoBody {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = Bytes::from_request(request, payload);
        Box::pin(async move {
            match body.await.map_err(|error| unread(&error))?.trim_ascii() {
                b"" | b"{}" => Ok(Self),
                _ => Err(Problem::new(Code::BadBody, "the body must be empty or {}")),
            }
        })
    }
}

/// A JSON object.
pub(crate) struct Object<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest for Object<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = Bytes::from_request(request, payload);
        Box::pin(async move { object(&body.await.map_err(|error| unread(&error))?).map(Self) })
    }
}

fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // A list would be taken for the members in their order.
    if body.trim_ascii().first() != Some(&b'{') {
        return Err(Problem::new(Code::BadBody, "the body must be a JSON object"));
    }
    serde_json::from_slice(body).map_err(|error| Problem::new(Code::BadBody, format!("the body: {error}")))
}

fn unread(error: &Error) -> Problem {
    let code = match error.as_response_error().status_code() {
        StatusCode::PAYLOAD_TOO_LARGE => Code::PayloadTooLarge,
        _ => Code::BadBody,
    };
    Problem::new(code, format!("the body was not read: {error}"))
}
