//! Error answers (PROTOCOL.md 4). They say `"error": true` with status, message and service, which every SDK reads
//! (PROTOCOL.md 10 rule 7).

use actix_web::http::StatusCode;
use actix_web::web::Bytes;

use super::super::keyset::TooManyKeys;
use super::super::world::{Full, GroupRefusal};
use super::bodies::{self, Failed};

/// The parts of the service, as they name themselves in answers.
pub(super) mod name {
    pub(crate) const PRESENCE: &str = "Presence";
    pub(crate) const GROUPS: &str = "channel-registry";
    pub(crate) const ACCESS: &str = "Access Manager";
    pub(super) const BALANCER: &str = "Balancer";
}

/// A request that is not carried out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
    service: &'static str,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>, service: &'static str) -> Self {
        Self { status, message: message.into(), service }
    }

    /// A request the Presence service cannot make sense of.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message, name::PRESENCE)
    }

    /// A presence call without `uuid`.
    pub(super) fn no_uuid() -> Self {
        Self::bad_request("No UUID specified")
    }

    /// A name that is not text, or too long; a subscribe without channels; a timetoken that is none.
    pub(super) fn unparsable() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Could Not Parse Request", name::ACCESS)
    }

    /// No subscribe key where one belongs.
    pub(super) fn invalid_key() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Invalid Subscribe Key", name::ACCESS)
    }

    /// A group's name with a character that has a meaning of its own.
    pub(super) fn reserved_character() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Reserved character in input parameters.", name::GROUPS)
    }

    /// No such route.
    pub(super) fn not_found(path: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("Not found: '{path}'"), name::PRESENCE)
    }

    /// Only GET is answered: everything is in the address.
    pub(super) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed", name::BALANCER)
    }

    /// A path and query above 32 KiB.
    pub(super) fn uri_too_long() -> Self {
        Self::new(StatusCode::URI_TOO_LONG, "Request URI Too Long", name::BALANCER)
    }

    /// An answer that could not be written as JSON.
    pub(super) fn unwritable(error: &serde_json::Error) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("Internal Server Error: {error}"),
            name::PRESENCE,
        )
    }

    /// The HTTP status and the body.
    pub(super) fn into_parts(self) -> (StatusCode, Bytes) {
        let Self { status, message, service } = self;
        let failed = Failed { error: true, message: &message, service, status: status.as_u16() };
        (status, bodies::write(&failed).unwrap_or_default())
    }
}

impl From<Full> for Refusal {
    fn from(full: Full) -> Self {
        let status = match full {
            Full::Occupants | Full::State => StatusCode::SERVICE_UNAVAILABLE,
            Full::Channels => StatusCode::BAD_REQUEST,
        };
        Self::new(status, full.to_string(), name::PRESENCE)
    }
}

impl From<TooManyKeys> for Refusal {
    fn from(error: TooManyKeys) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string(), name::PRESENCE)
    }
}

impl From<GroupRefusal> for Refusal {
    fn from(refusal: GroupRefusal) -> Self {
        Self::new(StatusCode::BAD_REQUEST, refusal.to_string(), name::GROUPS)
    }
}
