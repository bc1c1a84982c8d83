//! Error bodies (PROTOCOL.md 4): the Presence service, Access Manager, the balancer and the channel registry each
//! write them their own way.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::answer::{self, Flaw};
use super::error::Error;
use super::shown::{MAX_EXCERPT, shown};
use super::transport::{Answer, MAX_ERROR_BODY};
use super::wire::Object;

/// The longest message of the service that is kept, in characters.
const MAX_MESSAGE: usize = 1000;

/// The error that an answer with this HTTP status, or a body that [is one](is_refusal), stands for.
pub(super) fn refusal(answer: &Answer) -> Error {
    let body = answer.body.get(..MAX_ERROR_BODY).unwrap_or(&answer.body);
    let text = String::from_utf8_lossy(body);
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    let status = json.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
    Error::Service {
        http_status: answer.http_status,
        status: status.filter(|status| (400..1000).contains(status)).unwrap_or(answer.http_status),
        message: message(&json)
            .map_or_else(|| instead_of_message(&text), |message| shown(message, MAX_MESSAGE)),
        service: json.get("service").and_then(Value::as_str).map(|service| shown(service, MAX_EXCERPT)),
        channels: names(&json, "channels", ""),
        channel_groups: names(&json, "channel-groups", ":"),
        retry_after: answer.retry_after,
    }
}

/// Whether the body of an HTTP 200 is an error: its `status` is 400 or more, or its `error` is set.
pub(super) fn is_refusal(text: &str) -> Result<bool, Flaw> {
    #[derive(Deserialize)]
    struct Head<'a> {
        status: Option<u64>,
        #[serde(borrow)]
        error: Option<&'a RawValue>,
    }
    if !text.trim_start().starts_with('{') {
        return Ok(false); // `[timetoken]`, or for the parser to refuse
    }
    let Object(head) = answer::json::<Object<Head<'_>>>(text)?;
    let refused = head.status.is_some_and(|status| status >= 400);
    Ok(refused || head.error.is_some_and(|error| !matches!(error.get(), "false" | "0" | "null")))
}

/// `message`, or that of an `error` object, or the text of `[0, "Invalid Key", …]`.
fn message(json: &Value) -> Option<&str> {
    [json.get("message"), json.pointer("/error/message"), json.get("error"), json.get(1)]
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .find(|message| !message.trim().is_empty())
}

/// What is said where the body has no message: its beginning, if there is one.
fn instead_of_message(text: &str) -> String {
    match text.trim() {
        "" => "no message".to_owned(),
        text => shown(text, MAX_EXCERPT),
    }
}

/// The names `payload` lists under `key`, without `prefix`.
fn names(json: &Value, key: &str, prefix: &str) -> Vec<String> {
    let listed = json.get("payload").and_then(|payload| payload.get(key)).and_then(Value::as_array);
    let names = listed.into_iter().flatten().filter_map(Value::as_str);
    names.map(|name| name.strip_prefix(prefix).unwrap_or(name).to_owned()).collect()
}
