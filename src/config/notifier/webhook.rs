//! Webhooks: where to, what they are signed with, and what is sent besides.

use std::ops::RangeInclusive;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::{Value, ValueKind};
use reqwest::header::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use crate::config::secret::{self, Secret, SecretError, Tokens};
use crate::config::section::Section;
use crate::config::watch::once_each;
use crate::domain::event::EventKind;

/// Longest address of a webhook, in bytes.
const MAX_URL: usize = 2_048;

/// Most secrets that sign at once, while the receiver changes over to a new one.
const MAX_SECRETS: usize = 8;

/// How long a secret may be, in bytes (Standard Webhooks, "Signature scheme").
const SECRET_BYTES: RangeInclusive<usize> = 24..=64;

/// Most headers of one's own.
const MAX_HEADERS: usize = 20;

/// Longest value of a header, in bytes.
const MAX_HEADER: usize = 4_096;

const WEBHOOK_SECRET: &str = "\"whsec_\" and 24 to 64 bytes in base64";
const URL: &str =
    "an address that begins with \"https://\" or \"http://\", without user name, password and fragment";
/// A receiver of webhooks.
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    /// Where to.
    pub http: Http,
    /// What it is signed with, the newest first; at least one.
    pub secrets: Tokens,
    /// Headers besides adsum's own. Their values may be secret.
    pub headers: Headers,
    /// The presence events that are sent as well, besides alerts.
    pub events: Vec<EventKind>,
}

/// An address that messages are posted to.
#[derive(Debug, Clone, PartialEq)]
pub struct Http {
    /// The address. Whoever knows it may be able to write there, so it is kept as a secret.
    pub url: Secret,
    /// Whether it may lead to an address that is not of the public internet.
    pub allow_private: bool,
}

/// Headers of one's own.
#[derive(Debug, Clone, Default)]
pub struct Headers(pub Vec<(HeaderName, SecretString)>);

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        let plain = |headers: &Self| -> Vec<(HeaderName, String)> {
            headers.0.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect()
        };
        plain(self) == plain(other)
    }
}

impl Webhook {
    pub(super) fn read_again(&self) -> Result<Self, SecretError> {
        let (http, secrets) = (self.http.read_again()?, checked(self.secrets.read_again()?)?);
        Ok(Self { http, secrets, ..self.clone() })
    }
}

impl Http {
    /// Scheme, host and port, which are no secret.
    pub fn server(&self) -> String {
        let url = reqwest::Url::parse(self.url.value().expose_secret());
        url.map(|url| url.origin().ascii_serialization()).unwrap_or_default()
    }

    pub(super) fn read_again(&self) -> Result<Self, SecretError> {
        let url = self.url.read_again()?;
        match url.file() {
            Some(file) if !is_url(url.value()) => Err(unusable(file, "an address")),
            _ => Ok(Self { url, ..self.clone() }),
        }
    }
}

fn unusable(file: &Path, wanted: &'static str) -> SecretError {
    SecretError::Unusable { file: file.to_owned(), wanted }
}

/// The secrets of a file, if all of them sign webhooks.
fn checked(secrets: Tokens) -> Result<Tokens, SecretError> {
    match secrets.file() {
        Some(file) if !all_sign(&secrets) => {
            Err(unusable(file, "1 to 8 secrets, each a line: \"whsec_\" and 24 to 64 bytes in base64"))
        }
        _ => Ok(secrets),
    }
}

pub(super) fn read(section: &mut Section<'_>) -> Option<Webhook> {
    let http = read_http(section);
    let given = if section.has("secret_file") { "secret_file" } else { "secret" };
    let secrets = secret::several(section, "secret", "secret_file");
    match &secrets {
        Some(secrets) if secrets.is_empty() => {
            section.refuse("secret", format!("secret or secret_file must be set: {WEBHOOK_SECRET}"));
        }
        Some(secrets) if !all_sign(secrets) => {
            section.refuse(
                given,
                format!("must be {WEBHOOK_SECRET}; in a file a line for each of up to {MAX_SECRETS}"),
            );
        }
        _ => {}
    }
    let headers = read_headers(section);
    let kinds = [EventKind::Join, EventKind::Leave, EventKind::State];
    let event = |text: &str| kinds.into_iter().find(|kind| kind.as_str() == text);
    let allowed = "\"join\", \"leave\" or \"state\"";
    let events = section.list("events", allowed, |text| event(text).ok_or_else(|| format!("must be {allowed}")));
    let events = if section.has("events") { events } else { Some(Vec::new()) };
    Some(Webhook { http: http?, secrets: secrets?, headers: headers?, events: once_each(events?) })
}

pub(super) fn read_http(section: &mut Section<'_>) -> Option<Http> {
    let given = if section.has("url_file") { "url_file" } else { "url" };
    if !section.has("url") && !section.has("url_file") {
        section.refuse("url", format!("url or url_file must be set: {URL}"));
    }
    let url = secret::one(section, "url", "url_file");
    if url.as_ref().is_some_and(|url| !is_url(url.value())) {
        section.refuse(given, format!("must be {URL}; at most {MAX_URL} bytes"));
    }
    let allow_private = section.boolean("allow_private");
    Some(Http { url: url?, allow_private: allow_private.unwrap_or(false) })
}

fn is_url(text: &SecretString) -> bool {
    let text = text.expose_secret();
    let good = |url: reqwest::Url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
    };
    text.len() <= MAX_URL && reqwest::Url::parse(text).is_ok_and(good)
}

fn all_sign(secrets: &Tokens) -> bool {
    let signs = |secret: &SecretString| {
        let encoded = secret.expose_secret().strip_prefix("whsec_");
        let bytes = encoded.and_then(|encoded| STANDARD.decode(encoded).ok());
        bytes.is_some_and(|bytes| SECRET_BYTES.contains(&bytes.len()))
    };
    (1..=MAX_SECRETS).contains(&secrets.values().len()) && secrets.values().iter().all(signs)
}

/// A table of names and values. The values are in no finding.
fn read_headers(section: &mut Section<'_>) -> Option<Headers> {
    let Some(value) = section.whatever("headers") else { return Some(Headers::default()) };
    let ValueKind::Table(table) = value.kind else {
        section.refuse_inside("headers", "", None, "must be a table of names and values".to_owned());
        return None;
    };
    if table.len() > MAX_HEADERS {
        section.refuse_inside("headers", "", None, format!("must not be more than {MAX_HEADERS}"));
    }
    let mut table: Vec<(String, Value)> = table.into_iter().collect();
    table.sort_by(|(one, _), (other, _)| one.cmp(other));
    let count = table.len();
    let mut headers = Vec::with_capacity(count);
    for (name, value) in table {
        match header(&name, &value) {
            Ok(header) => headers.push(header),
            Err(why) => section.refuse_inside("headers", &name, None, why),
        }
    }
    (headers.len() == count).then_some(Headers(headers))
}

fn header(name: &str, value: &Value) -> Result<(HeaderName, SecretString), String> {
    const OURS: [&str; 8] = [
        "host",
        "connection",
        "content-length",
        "content-type",
        "content-encoding",
        "transfer-encoding",
        "te",
        "upgrade",
    ];
    let header = HeaderName::try_from(name).map_err(|_| "is no name of a header".to_owned())?;
    let own = header.as_str();
    if OURS.contains(&own) || own.starts_with("webhook-") || own.starts_with("adsum-") {
        return Err("adsum itself says what this header is".to_owned());
    }
    match &value.kind {
        ValueKind::String(text) if text.len() <= MAX_HEADER && HeaderValue::from_str(text).is_ok() => {
            Ok((header, SecretString::from(text.as_str())))
        }
        _ => Err(format!("must be a text of at most {MAX_HEADER} bytes without control characters")),
    }
}
