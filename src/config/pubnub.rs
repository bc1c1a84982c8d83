//! `[pubnub]`: whom to ask, with which keys, how often.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::secret::{self, Secret};
use super::section::Section;
use crate::domain::names::UserId;

const REQUEST_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(5);
const MAX_REQUESTS_PER_SECOND: RangeInclusive<u32> = 1..=10_000;
const CHANNELS_PER_REQUEST: RangeInclusive<u32> = 1..=1_000;
const MAX_ANSWER: RangeInclusive<u64> = 64 * 1024..=1024 * 1024 * 1024;
const CACHE_TTL: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_hours(1);

/// How to reach the Presence API.
#[derive(Debug, Clone, PartialEq)]
pub struct PubNub {
    /// The keyset to watch. Commands that ask `PubNub` need it.
    pub subscribe_key: Option<String>,
    /// Part of every signature.
    pub publish_key: Option<String>,
    /// Requests are signed with it.
    pub secret_key: Option<Secret>,
    /// An Access Manager token or auth key.
    pub auth_token: Option<Secret>,
    /// The user id adsum gives as its own.
    pub user_id: UserId,
    /// Scheme, host and perhaps port, without a slash at the end.
    pub origin: String,
    /// How long one request may take in all.
    pub request_timeout: Duration,
    /// The most requests in one second, whatever happens.
    pub max_requests_per_second: u32,
    /// The most channels in one request.
    pub channels_per_request: u32,
    /// The longest answer that is read, in bytes.
    pub max_answer: u64,
    /// How old an answer may be (SPEC.md section 2, "Order").
    pub cache_ttl: Duration,
}

/// What `[watch]` must keep to; each is `None` where its value is wrong.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) max_requests_per_second: Option<u32>,
    pub(super) channels_per_request: Option<u32>,
    pub(super) cache_ttl: Option<Duration>,
}

pub(super) fn read(mut section: Section<'_>) -> (Option<PubNub>, Limits) {
    let key = "letters, digits and `-`, `_`, `.`";
    let limits = Limits {
        max_requests_per_second: section.number("max_requests_per_second", &MAX_REQUESTS_PER_SECOND),
        channels_per_request: section.number("channels_per_request", &CHANNELS_PER_REQUEST),
        cache_ttl: section.duration("cache_ttl", &CACHE_TTL),
    };
    let subscribe_key = section.text("subscribe_key", key, keyset_key);
    let publish_key = section.text("publish_key", key, keyset_key);
    let secret_key = secret::one(&mut section, "secret_key", "secret_key_file");
    let auth_token = secret::one(&mut section, "auth_token", "auth_token_file");
    let user_id = section.text("user_id", "a text of 1 to 1024 bytes", |text| UserId::new(text).ok());
    let origin =
        section.text("origin", "\"http://\" or \"https://\", a host, perhaps a port; no path", origin);
    let request_timeout = section.duration("request_timeout", &REQUEST_TIMEOUT);
    let max_answer = section.size("max_answer", &MAX_ANSWER);
    // PROTOCOL.md 5.1: the publish key is part of what is signed.
    if secret_key.is_some() && !section.has("publish_key") {
        let given = if section.has("secret_key") { "secret_key" } else { "secret_key_file" };
        section.refuse(given, "signing needs publish_key as well".to_owned());
    }
    section.finish();
    let read = || {
        Some(PubNub {
            subscribe_key,
            publish_key,
            secret_key,
            auth_token,
            user_id: user_id?,
            origin: origin?,
            request_timeout: request_timeout?,
            max_requests_per_second: limits.max_requests_per_second?,
            channels_per_request: limits.channels_per_request?,
            max_answer: max_answer?,
            cache_ttl: limits.cache_ttl?,
        })
    };
    (read(), limits)
}

fn keyset_key(text: &str) -> Option<String> {
    let good =
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    good.then(|| text.to_owned())
}

fn origin(text: &str) -> Option<String> {
    let url = reqwest::Url::parse(text).ok()?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.path() == "/"
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    plain.then(|| url.as_str().trim_end_matches('/').to_owned())
}
