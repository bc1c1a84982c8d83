//! Errors as answers: RFC 9457 `application/problem+json`, each with a code that never changes its meaning.

use std::fmt;
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::actors::handle::AskError;
use crate::history::HistoryError;

/// The media type of RFC 9457.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// After how long it is worth asking again when adsum itself cannot answer.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Every code there is, each once: name, status, text, title.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident: $status:ident, $text:tt, $title:tt;)*) => {
        /// What went wrong, for programs. A code never changes its meaning.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
        pub(crate) enum Code {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl Code {
            /// Every code.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];

            /// As written in answers.
            pub(crate) fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What it means, in a few words.
            pub(crate) fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// The HTTP status that it comes with.
            pub(crate) fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }
        }
    };
}

codes! {
    /// A time is neither RFC 3339 nor relative.
    BadTime: BAD_REQUEST, "bad_time", "Not a time";
    /// A span ends before it begins, or asks for too much.
    BadRange: BAD_REQUEST, "bad_range", "Not a usable span of time";
    /// A limit is out of bounds.
    BadLimit: BAD_REQUEST, "bad_limit", "Limit out of bounds";
    /// A cursor was not given by this list.
    BadCursor: BAD_REQUEST, "bad_cursor", "Not a cursor of this list";
    /// A parameter is unknown, repeated, missing or wrong.
    BadParameter: BAD_REQUEST, "bad_parameter", "Wrong parameter";
    /// A channel name, user id or pattern breaks a rule of names.
    BadName: BAD_REQUEST, "bad_name", "Not a valid name";
    /// A body where none belongs.
    BadBody: BAD_REQUEST, "bad_body", "Wrong request body";
    /// A question about the future.
    Future: BAD_REQUEST, "future", "In the future";
    /// No token, or a wrong one.
    Unauthorized: UNAUTHORIZED, "unauthorized", "A token is required";
    /// The `Host` is not a loopback name, and there are no tokens.
    ForbiddenHost: FORBIDDEN, "forbidden_host", "Host not served";
    /// A page of another site wants to change something.
    ForbiddenOrigin: FORBIDDEN, "forbidden_origin", "Foreign origin";
    /// Nothing is served at this address.
    NotFound: NOT_FOUND, "not_found", "Nothing here";
    /// The channel is in no record and not watched.
    UnknownChannel: NOT_FOUND, "unknown_channel", "Unknown channel";
    /// The user is in no record.
    UnknownUser: NOT_FOUND, "unknown_user", "Unknown user";
    /// Nothing of this name is watched.
    UnknownWatch: NOT_FOUND, "unknown_watch", "Not watched";
    /// The rule is neither in the configuration nor in the record.
    UnknownRule: NOT_FOUND, "unknown_rule", "Unknown alert rule";
    /// The notifier is neither in the configuration nor in the record.
    UnknownNotifier: NOT_FOUND, "unknown_notifier", "Unknown notifier";
    /// There is no delivery of this id.
    UnknownDelivery: NOT_FOUND, "unknown_delivery", "Unknown delivery";
    /// There is no silence of this number, or it is over.
    UnknownSilence: NOT_FOUND, "unknown_silence", "Unknown silence";
    /// The address is served, but not with this method.
    MethodNotAllowed: METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed";
    /// Only the configuration names it, so only the configuration can end it.
    ConfiguredWatch: CONFLICT, "configured_watch", "Watched by configuration";
    /// As many silences are kept as are allowed.
    TooManySilences: CONFLICT, "too_many_silences", "Too many silences";
    /// The cursor is older than what is kept.
    CursorExpired: GONE, "cursor_expired", "Cursor too old";
    /// The body is too large.
    PayloadTooLarge: PAYLOAD_TOO_LARGE, "payload_too_large", "Body too large";
    /// A changing request without `Content-Type: application/json`.
    UnsupportedMediaType: UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "JSON is required";
    /// The history holds what it should not.
    HistoryDamaged: INTERNAL_SERVER_ERROR, "history_damaged", "History damaged";
    /// The history cannot be read or written now.
    HistoryUnavailable: SERVICE_UNAVAILABLE, "history_unavailable", "History unavailable";
    /// As many streams are open as are allowed.
    TooManyStreams: SERVICE_UNAVAILABLE, "too_many_streams", "Too many streams";
    /// adsum is not ready.
    NotReady: SERVICE_UNAVAILABLE, "not_ready", "Not ready";
    /// adsum is stopping.
    Stopping: SERVICE_UNAVAILABLE, "stopping", "Stopping";
}

/// An error as it is answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Problem {
    /// What went wrong.
    pub(crate) code: Code,
    /// The same for people, with the names of this case.
    pub(crate) detail: String,
    /// The methods that are allowed, with [`Code::MethodNotAllowed`].
    pub(crate) allow: Option<String>,
}

/// An error's body (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// `urn:adsum:problem:` and the code.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// What the code means.
    pub(crate) title: &'static str,
    /// The HTTP status.
    pub(crate) status: u16,
    /// This case, in one sentence.
    pub(crate) detail: String,
    /// What went wrong, for programs.
    pub(crate) code: Code,
}

impl Problem {
    /// With a sentence about this case.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), allow: None }
    }

    fn headers(&self, response: &mut HttpResponseBuilder) {
        if self.code == Code::Unauthorized {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if let Some(allow) = &self.allow {
            response.insert_header((header::ALLOW, allow.as_str()));
        }
        if self.code.status() == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((header::RETRY_AFTER, RETRY_AFTER.as_secs()));
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.code.status());
        self.headers(&mut response);
        response.insert_header((header::CONTENT_TYPE, PROBLEM_JSON)).json(ProblemBody {
            kind: format!("urn:adsum:problem:{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: self.detail.clone(),
            code: self.code,
        })
    }
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        let code = match &error {
            AskError::UnknownChannel(_) => Code::UnknownChannel,
            AskError::UnknownUser(_) => Code::UnknownUser,
            AskError::UnknownRule { .. } => Code::UnknownRule,
            AskError::UnknownNotifier { .. } => Code::UnknownNotifier,
            AskError::UnknownDelivery(_) => Code::UnknownDelivery,
            AskError::UnknownSilence(_) => Code::UnknownSilence,
            AskError::TooManySilences => Code::TooManySilences,
            AskError::Future { .. } => Code::Future,
            AskError::CursorExpired => Code::CursorExpired,
            AskError::Stopping => Code::Stopping,
            AskError::History(HistoryError::TooMuch | HistoryError::TooManyJoined { .. }) => Code::BadRange,
            AskError::History(HistoryError::Unavailable(_)) => Code::HistoryUnavailable,
            AskError::History(_) => Code::HistoryDamaged,
        };
        if let AskError::History(error) = &error
            && code != Code::BadRange
        {
            tracing::error!(%error, "a question was not answered");
        }
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;

    use super::*;

    #[actix_web::test]
    async fn an_error_is_answered_as_a_problem_with_its_code_and_status() {
        let response = Problem::from(AskError::CursorExpired).error_response();
        assert_eq!(response.status(), StatusCode::GONE);
        assert_eq!(response.headers().get(header::CONTENT_TYPE).unwrap(), PROBLEM_JSON);
        let body = to_bytes(response.into_body()).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "type": "urn:adsum:problem:cursor_expired",
                "title": "Cursor too old",
                "status": 410,
                "detail": "the cursor is older than what is kept",
                "code": "cursor_expired",
            })
        );
    }

    #[test]
    fn an_unavailable_history_says_when_to_ask_again_and_a_missing_token_how_to_give_one() {
        let unavailable = Problem::from(AskError::History(HistoryError::Unavailable("disk full".to_owned())))
            .error_response();
        assert_eq!(unavailable.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(unavailable.headers().get(header::RETRY_AFTER).unwrap(), "5");
        let unauthorized = Problem::new(Code::Unauthorized, "no").error_response();
        assert_eq!(unauthorized.headers().get(header::WWW_AUTHENTICATE).unwrap(), "Bearer");
    }
}
