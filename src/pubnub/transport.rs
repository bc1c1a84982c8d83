//! How requests travel: a port, and HTTP behind it: one GET, its answer read in bounded pieces.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, Url};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::error::Error;

/// The longest body of an error answer that is read, in bytes; the rest of a longer one is dropped.
pub(super) const MAX_ERROR_BODY: usize = 256 * 1024;

/// An answer of more bytes than this is a long one.
const LONG_ANSWER: usize = 1024 * 1024;

/// So many long answers are read at once; others wait, within their time. However many requests are under way, what is
/// read takes no more memory than these and one short answer each.
const MAX_LONG_ANSWERS: usize = 4;

/// One answer, not yet understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub http_status: u16,
    /// What the `Retry-After` header asks for.
    pub retry_after: Option<Duration>,
    /// The body, unpacked.
    pub body: Vec<u8>,
}

/// Sends requests to one origin. [`Client::new`](super::Client::new) uses HTTP;
/// [`Client::with_transport`](super::Client::with_transport) takes another.
pub trait Transport: Send + Sync {
    /// Sends one GET. `uri` is the path and the query, exactly as signed; `now` is Unix seconds, for a `Retry-After` that
    /// names a date.
    ///
    /// An implementation bounds how long it takes and how much it reads: [`Error::Timeout`], [`Error::TooLarge`]. No
    /// answer is [`Error::Unreachable`], one that breaks off [`Error::BadAnswer`].
    fn get<'a>(&'a self, uri: &'a str, now: u64) -> BoxFuture<'a, Result<Answer, Error>>;
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.http_status)
    }
}

/// HTTP to one origin.
pub(super) struct Http {
    client: reqwest::Client,
    /// Scheme, host and port, without a trailing slash.
    origin: String,
    timeout: Duration,
    max_answer: usize,
    long_answers: Semaphore,
}

impl Transport for Http {
    fn get<'a>(&'a self, uri: &'a str, now: u64) -> BoxFuture<'a, Result<Answer, Error>> {
        self.get(uri, now).boxed()
    }
}

impl Http {
    /// The error says why HTTP or TLS cannot be set up.
    pub(super) fn new(origin: String, timeout: Duration, max_answer: usize) -> Result<Self, String> {
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("adsum/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(timeout);
        if origin.starts_with("http://") {
            // Otherwise a system without certificates, such as a bare container, could not even talk to itself.
            http = http.tls_certs_only([]);
        }
        let client = http.build().map_err(causes)?;
        Ok(Self { client, origin, timeout, max_answer, long_answers: Semaphore::new(MAX_LONG_ANSWERS) })
    }

    async fn get(&self, uri: &str, now: u64) -> Result<Answer, Error> {
        let url = self.url(uri)?;
        let until = Instant::now() + self.timeout;
        let mut response = self.client.get(url).send().await.map_err(|error| self.no_answer(error))?;
        let http_status = response.status().as_u16();
        let retry_after = retry_after(response.headers(), now);
        let body = if response.status().is_success() {
            self.whole_body(&mut response, until).await?
        } else {
            beginning_of_body(&mut response).await
        };
        Ok(Answer { http_status, retry_after, body })
    }

    /// The URL whose path and query are exactly `uri`; URL parsers tidy up, and a tidied path is not the one signed.
    fn url(&self, uri: &str) -> Result<Url, Error> {
        let url = Url::parse(&format!("{}{uri}", self.origin));
        let same = url.as_ref().is_ok_and(|url| {
            uri.split_once('?').is_some_and(|(path, query)| url.path() == path && url.query() == Some(query))
        });
        match url {
            Ok(url) if same => Ok(url),
            _ => Err(Error::InvalidRequest { what: "the URI would not be sent as it is".to_owned() }),
        }
    }

    async fn whole_body(&self, response: &mut Response, until: Instant) -> Result<Vec<u8>, Error> {
        // Before anything of it is read; a length that is a lie is found out below.
        if response.content_length().is_some_and(|length| length > self.max_answer as u64) {
            return Err(Error::TooLarge { limit: self.max_answer });
        }
        let mut body = Vec::new();
        let mut long = None;
        let unfinished = |body: &Vec<u8>| Error::Unfinished { after: self.timeout, received: body.len() };
        loop {
            if body.len() > LONG_ANSWER && long.is_none() {
                let turn = timeout_at(until, self.long_answers.acquire()).await;
                long = Some(turn.map_err(|_| unfinished(&body))?);
            }
            match response.chunk().await {
                Ok(Some(chunk)) if chunk.len() > self.max_answer - body.len() => {
                    return Err(Error::TooLarge { limit: self.max_answer });
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(body),
                Err(error) if error.is_timeout() => return Err(unfinished(&body)),
                Err(error) => {
                    let what = format!("cut off after {} bytes: {}", body.len(), causes(error));
                    return Err(Error::BadAnswer { what });
                }
            }
        }
    }

    fn no_answer(&self, error: reqwest::Error) -> Error {
        if error.is_timeout() {
            return Error::Timeout { after: self.timeout };
        }
        Error::Unreachable { what: format!("{}: {}", self.origin, causes(error)) }
    }
}

/// As much of an error's body as fits; the status says more than what is missing here.
async fn beginning_of_body(response: &mut Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = MAX_ERROR_BODY - body.len();
        body.extend(chunk.iter().take(room));
        if chunk.len() >= room {
            break;
        }
    }
    body
}

/// An error and its causes in one line, without the URL: it carries the token and the signature.
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

/// Seconds or a date (RFC 9110, 10.2.3); anything else is as if it were not there.
fn retry_after(headers: &HeaderMap, now: u64) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = jiff::fmt::rfc2822::parse(value).ok()?.timestamp().as_second();
    Some(Duration::from_secs(u64::try_from(until).ok()?.saturating_sub(now)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("7", Some(7))]
    #[case(" 0 ", Some(0))]
    #[case("Tue, 24 Nov 2026 06:00:30 GMT", Some(30))]
    #[case("Tue, 24 Nov 2026 05:00:00 GMT", Some(0))]
    #[case("-1", None)]
    #[case("1.5", None)]
    #[case("99999999999999999999999", None)]
    #[case("1000000000000000000", Some(1_000_000_000_000_000_000))]
    #[case("Fri, 01 Jan 9999 00:00:00 GMT", Some(251_575_264_800))]
    #[case("Fri, 31 Dec 99999 23:59:59 GMT", None)]
    #[case("soon", None)]
    fn retry_after_is_read_as_seconds_or_a_date(#[case] value: &'static str, #[case] seconds: Option<u64>) {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        let now =
            u64::try_from("2026-11-24T06:00:00Z".parse::<jiff::Timestamp>().unwrap().as_second()).unwrap();
        assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs));
    }

    proptest! {
        #[test]
        fn any_retry_after_is_a_time_or_nothing(value in "[0-9]{1,30}|[ -~]{0,40}|(Mon|Fri), [0-9]{1,2} Dec [0-9]{1,6} [0-9:]{1,9} (GMT|UTC|[-+]9999)", now in any::<u64>()) {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            let _ = retry_after(&headers, now);
        }

        #[test]
        fn a_uri_with_any_name_is_sent_as_it_is(name in ".{1,20}", in_query in any::<bool>()) {
            let transport = Http::new("http://127.0.0.1:1".into(), Duration::from_secs(1), 1).unwrap();
            let name = crate::pubnub::names::encode(&name);
            let uri = if in_query { format!("/a?b={name}") } else { format!("/a/x{name}/c?") };
            prop_assert!(transport.url(&uri).is_ok(), "{}", uri);
        }
    }

    #[test]
    fn a_uri_that_a_parser_would_tidy_up_is_refused() {
        let transport = Http::new("http://127.0.0.1:1".into(), Duration::from_secs(1), 1).unwrap();
        for uri in ["/a/../b?q", "/a/%2e%2E?q", "/a/.?q", "/a\\b?q", "/a b?q", "/a?q#f", "/a"] {
            assert!(matches!(transport.url(uri), Err(Error::InvalidRequest { .. })), "{uri}");
        }
    }
}
