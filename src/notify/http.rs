//! One POST: to an address that was checked, without redirects, within a time, and with little of the answer read.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue,
    RETRY_AFTER, TE, TRANSFER_ENCODING, UPGRADE,
};
use reqwest::{Certificate, Client, Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};

use super::SettingsError;
use super::address::{Resolver, is_public};
use super::outcome::{Receipt, Remedy, Undelivered};
use crate::domain::time::Time;

/// The most bytes of an answer's body that are read, unpacked.
const MAX_BODY: usize = 4096;

/// Where and how a webhook is sent.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// `http` or `https`. Secret, because the addresses of Slack and Discord are all it takes to write there.
    pub url: SecretString,
    /// Whether it may lead to an address that is not of the public internet.
    pub allow_private: bool,
    /// How long one delivery may take, from looking up the name to the end of the answer. Standard Webhooks recommends
    /// 15 to 30 s.
    pub timeout: Duration,
    /// The only certificates to trust, in PEM; those of the system where there are none.
    pub ca: Option<Vec<u8>>,
    /// Headers besides ours. Their values may be secret. None may be one that adsum itself or HTTP sets.
    pub headers: Vec<(HeaderName, SecretString)>,
}

/// Sends to one address.
pub(super) struct Poster {
    client: Client,
    url: Url,
    timeout: Duration,
    headers: HeaderMap,
    judge: Judge,
}

/// What a service means by an answer, where it is not what HTTP says.
pub(super) type Judge = fn(StatusCode, &str) -> Option<Remedy>;

/// One request.
pub(super) struct Post {
    pub(super) content_type: &'static str,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Post {
    pub(super) fn json(body: &serde_json::Value) -> Self {
        let body = body.to_string().into_bytes();
        Self { content_type: "application/json", headers: HeaderMap::new(), body }
    }
}

impl Poster {
    pub(super) fn new(settings: &HttpSettings, judge: Judge) -> Result<Self, SettingsError> {
        let url = url(settings)?;
        let mut http = Client::builder()
            .user_agent(concat!("adsum/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            // Each delivery looks the name up anew, and a connection that broke meanwhile fails none.
            .pool_max_idle_per_host(0)
            .dns_resolver(Resolver { allow_private: settings.allow_private })
            .timeout(settings.timeout);
        if let Some(pem) = &settings.ca {
            http = http.tls_certs_only(certificates(pem)?);
        } else if url.scheme() == "http" {
            // A system without certificates, such as a bare container, must do.
            http = http.tls_certs_only([]);
        }
        let client = http.build().map_err(|error| SettingsError::Tls { what: causes(error) })?;
        let headers = headers(&settings.headers)?;
        Ok(Self { client, url, timeout: settings.timeout, headers, judge })
    }

    /// With a parameter in the address.
    pub(super) fn with(mut self, key: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(key, value);
        self
    }

    pub(super) async fn post(&self, post: Post, now: Time) -> Result<Receipt, Undelivered> {
        let mut headers = self.headers.clone();
        headers.extend(post.headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(post.content_type));
        let request = self.client.post(self.url.clone()).headers(headers).body(post.body);
        let response = request.send().await.map_err(|error| self.no_answer(error))?;
        let status = response.status();
        let after = retry_after(response.headers(), now);
        if status.is_success() {
            // It has the message; whatever else it says, or fails to say, changes nothing.
            return Ok(Receipt::new(&status.to_string()));
        }
        let body = beginning_of_body(response).await;
        let remedy = (self.judge)(status, &body).unwrap_or_else(|| remedy(status, after));
        let redirect = if status.is_redirection() { " (redirects are not followed)" } else { "" };
        let said = if body.trim().is_empty() { String::new() } else { format!(": {}", body.trim()) };
        Err(Undelivered::new(remedy, &format!("{status}{redirect}{said}")))
    }

    fn no_answer(&self, error: reqwest::Error) -> Undelivered {
        let host = self.url.host_str().unwrap_or_default();
        if error.is_timeout() {
            return Undelivered::retry(&format!("{host} did not answer within {:?}", self.timeout));
        }
        Undelivered::retry(&format!("{host}: {}", causes(error)))
    }
}

/// What an answer means (Standard Webhooks: whatever is no 2xx is tried again, and 410 ends it). A redirect may be a
/// maintenance page, so it is tried again, at the same address. Most of 4xx is about more than this one message: a secret
/// that is being changed (400, 401, 403), a receiver that is being replaced (404, 405). Only what is too large stays so.
fn remedy(status: StatusCode, after: Option<Duration>) -> Remedy {
    match status {
        StatusCode::GONE => Remedy::Disable,
        StatusCode::PAYLOAD_TOO_LARGE => Remedy::Fail,
        _ => Remedy::Retry { after },
    }
}

fn url(settings: &HttpSettings) -> Result<Url, SettingsError> {
    let url = Url::parse(settings.url.expose_secret()).map_err(|_| SettingsError::BadUrl)?;
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let host = match url.host_str() {
        Some(host) if plain && matches!(url.scheme(), "http" | "https") => host,
        _ => return Err(SettingsError::BadUrl),
    };
    // An address is not looked up, so it is checked here. The parser has brought all ways to write it into one.
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if !settings.allow_private && address.is_ok_and(|address| !is_public(address)) {
        return Err(SettingsError::PrivateAddress { host: host.to_owned() });
    }
    Ok(url)
}

/// What HTTP itself and adsum say of a request; besides all that begins with `webhook-` and `adsum-`.
const OURS: [HeaderName; 8] =
    [HOST, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, CONTENT_ENCODING, TRANSFER_ENCODING, TE, UPGRADE];

fn headers(given: &[(HeaderName, SecretString)]) -> Result<HeaderMap, SettingsError> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let text = name.as_str();
        let ours = OURS.contains(name) || text.starts_with("webhook-") || text.starts_with("adsum-");
        let value = HeaderValue::from_str(value.expose_secret()).ok().filter(|_| !ours);
        let mut value = value.ok_or_else(|| SettingsError::BadHeader { name: text.to_owned() })?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, SettingsError> {
    let wrong = |what: &str| SettingsError::Tls { what: what.to_owned() };
    let found = Certificate::from_pem_bundle(pem).map_err(|_| wrong("the certificates are not in PEM"))?;
    if found.is_empty() { Err(wrong("there is no certificate in PEM")) } else { Ok(found) }
}

/// As much of an answer's body as a person needs to see what is wrong.
async fn beginning_of_body(mut response: Response) -> String {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = MAX_BODY - body.len();
        body.extend(chunk.iter().take(room));
        if chunk.len() >= room {
            break;
        }
    }
    String::from_utf8_lossy(&body).into_owned()
}

/// Seconds or a date (RFC 9110, 10.2.3); anything else is as if it were not there.
fn retry_after(headers: &HeaderMap, now: Time) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = jiff::fmt::rfc2822::parse(value).ok()?.timestamp().as_microsecond();
    Some(Time::from_micros(until).since(now))
}

/// An error and its causes in one line, without the URL: it may be a secret.
fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
