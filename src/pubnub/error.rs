//! What can go wrong with one call.

use std::time::Duration;

use super::shown::shown;

/// Why a call gave no result. No variant holds a secret key, an auth token or a signature, and texts from outside are
/// bounded and escaped, so any of them may be logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The service answered with an error: an HTTP status other than 2xx, or a `status` of 400 and more inside an
    /// HTTP 200 (PROTOCOL.md 4).
    #[error("{}", describe(*status, message, service.as_deref(), channels, channel_groups))]
    Service {
        /// The HTTP status.
        http_status: u16,
        /// The status the service means: the body's own where it is one of an error, otherwise the HTTP status.
        status: u16,
        /// The service's message; where the body is no JSON, a short excerpt of it.
        message: String,
        /// Which service answered, such as `Presence` or `Access Manager`.
        service: Option<String>,
        /// The channels a 403 names.
        channels: Vec<String>,
        /// The channel groups a 403 names, without the `:` the service puts before them.
        channel_groups: Vec<String>,
        /// How long the service asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The answer cannot be what the Presence API means: broken, cut off, or at odds with itself or the request.
    #[error("bad answer: {what}")]
    BadAnswer {
        /// What was wrong, with a short excerpt.
        what: String,
    },
    /// The answer, unpacked, is longer than [`ClientConfig::max_answer`](super::ClientConfig::max_answer).
    #[error("the answer is longer than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// No answer had begun within [`ClientConfig::request_timeout`](super::ClientConfig::request_timeout).
    #[error("no answer within {after:?}")]
    Timeout {
        /// The limit.
        after: Duration,
    },
    /// An answer had begun and was not complete within the same limit.
    #[error("the answer did not end within {after:?}: {received} bytes of it had arrived")]
    Unfinished {
        /// The limit.
        after: Duration,
        /// What had arrived, in bytes after unpacking.
        received: usize,
    },
    /// The origin could not be reached, or the connection broke before an answer began, or what it sent is no HTTP.
    #[error("origin unreachable: {what}")]
    Unreachable {
        /// The origin and what failed, without the URI: it carries the token and the signature.
        what: String,
    },
    /// The request cannot be sent as it is; nothing was sent.
    #[error("invalid request: {what}")]
    InvalidRequest {
        /// What is wrong with it.
        what: String,
    },
}

/// Messages of a 400 that speak of the key, the clock or the token, not of what was asked for (PROTOCOL.md 4).
const KEY_MESSAGES: [&str; 5] =
    ["invalid subscribe key", "invalid key", "invalid timestamp", "invalid token", "token is"];

impl Error {
    /// The status the service answered with, if it answered with an error.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Service { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// How long the service asks to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Service { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the same request may succeed later: network failures, 429 and 5xx, as in PubNub's SDKs (PROTOCOL.md 6.2).
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Service { status, .. } => *status == 429 || *status >= 500,
            Self::Timeout { .. } | Self::Unfinished { .. } | Self::Unreachable { .. } => true,
            Self::BadAnswer { .. } | Self::TooLarge { .. } | Self::InvalidRequest { .. } => false,
        }
    }

    /// Whether the error concerns everything asked with this key, so that asking for less would not help: 401, 402, 429, a
    /// 403 that names nothing, an invalid key, token or timestamp.
    pub fn concerns_key(&self) -> bool {
        let Self::Service { status, message, channels, channel_groups, .. } = self else { return false };
        match status {
            401 | 402 | 429 => true,
            403 => channels.is_empty() && channel_groups.is_empty(),
            400 => {
                let message = message.to_ascii_lowercase();
                KEY_MESSAGES.iter().any(|known| message.starts_with(known))
            }
            _ => false,
        }
    }
}

/// `Forbidden (status 403, Access Manager; channels: a, b)`.
fn describe(
    status: u16,
    message: &str,
    service: Option<&str>,
    channels: &[String],
    channel_groups: &[String],
) -> String {
    let mut text = format!("{message} (status {status}");
    if let Some(service) = service {
        text.push_str(", ");
        text.push_str(service);
    }
    for (what, names) in [("channels", channels), ("channel groups", channel_groups)] {
        if !names.is_empty() {
            text.push_str("; ");
            text.push_str(what);
            text.push_str(": ");
            text.push_str(&some_of(names));
        }
    }
    text.push(')');
    text
}

/// The first few names, fit for a terminal.
fn some_of(names: &[String]) -> String {
    const MOST: usize = 5;
    const MAX_SHOWN: usize = 80;
    let mut text = names.iter().take(MOST).map(|name| shown(name, MAX_SHOWN)).collect::<Vec<_>>().join(", ");
    if names.len() > MOST {
        text.push_str(", …");
    }
    text
}
