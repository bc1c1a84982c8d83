//! Asks a running daemon (`/v1`, SPEC.md section 3).

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::failure::Failure;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest silence while an answer is read. The stream has a comment every 15 s.
const READ_TIMEOUT: Duration = Duration::from_secs(45);

/// The longest answer that is read, in bytes. A list has at most 1000 items.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// What is encoded in a name in a path: all but RFC 3986's unreserved characters. A URL parser would drop a tab.
const IN_A_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Which daemon to ask.
#[derive(Debug, Clone, Args)]
pub(super) struct Daemon {
    /// The daemon to ask
    #[arg(
        long,
        value_name = "URL",
        env = "ADSUM_SERVER",
        default_value = "http://127.0.0.1:8080",
        value_parser = server_url
    )]
    server: Url,
    /// The token that lets you in, where the daemon wants one (better as ADSUM_TOKEN: other users can see flags)
    #[arg(long, value_name = "TOKEN", env = "ADSUM_TOKEN", hide_env_values = true)]
    token: Option<SecretString>,
}

/// An answer: its text as it came, and what it says.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// Valid JSON.
    pub(super) text: String,
    /// The same, read.
    pub(super) value: Value,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct NoAnswer {
    /// What to tell the user.
    pub(super) failure: Failure,
    /// Whether the same question may be answered later: nobody is there now, or a server is in trouble.
    pub(super) may_pass: bool,
}

/// A query: names and values. Names without a value are left out.
pub(super) type Query<'a> = [(&'a str, Option<&'a str>)];

fn server_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or("it must be http://HOST:PORT or an https:// URL")
}

impl Daemon {
    /// Asks for `/v1` and the segments of `path`.
    ///
    /// # Errors
    ///
    /// A problem the daemon states, or whatever keeps it from answering.
    pub(super) async fn get(&self, path: &[&str], query: &Query<'_>) -> Result<Answer, Failure> {
        self.answer(self.send(path, query, &[(ACCEPT.as_str(), "application/json")]).await?).await
    }

    /// Asks for a change of `/v1` and the segments of `path`, with a body of JSON.
    ///
    /// # Errors
    ///
    /// As [`Daemon::get`].
    pub(super) async fn post(&self, path: &[&str], body: &Value) -> Result<Answer, Failure> {
        let request = self.request(Method::POST, path, &[])?.header(ACCEPT, "application/json");
        let request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        self.answer(self.sent(request).await?).await
    }

    /// Asks for the end of what is at `/v1` and the segments of `path`.
    ///
    /// # Errors
    ///
    /// As [`Daemon::get`].
    pub(super) async fn delete(&self, path: &[&str]) -> Result<(), Failure> {
        self.sent(self.request(Method::DELETE, path, &[])?).await?;
        Ok(())
    }

    async fn answer(&self, response: Response) -> Result<Answer, Failure> {
        let text = read(response).await?;
        let value = serde_json::from_str(&text)
            .with_context(|| format!("{} did not answer with JSON; is it adsum?", self.server))?;
        Ok(Answer { text, value })
    }

    /// Asks, and gives the answer before its body is read.
    ///
    /// # Errors
    ///
    /// As [`Daemon::get`], and whether it is worth asking again.
    pub(super) async fn send(
        &self,
        path: &[&str],
        query: &Query<'_>,
        headers: &[(&str, &str)],
    ) -> Result<Response, NoAnswer> {
        let mut request = self.request(Method::GET, path, query)?;
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.sent(request).await
    }

    /// A request by somebody who is let in.
    fn request(&self, method: Method, path: &[&str], query: &Query<'_>) -> Result<RequestBuilder, Failure> {
        let request = client()?.request(method, self.url(path, query)?);
        match &self.token {
            Some(token) => Ok(request.header(AUTHORIZATION, bearer(token)?)),
            None => Ok(request),
        }
    }

    async fn sent(&self, request: RequestBuilder) -> Result<Response, NoAnswer> {
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let may_pass = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        Err(NoAnswer { failure: self.problem(response).await, may_pass })
    }

    fn url(&self, path: &[&str], query: &Query<'_>) -> Result<Url, Failure> {
        let mut url = self.server.clone();
        let base = url.path().trim_end_matches('/');
        // The addresses that `adsum run` prints end with it.
        let mut whole = format!("{}/v1", base.strip_suffix("/v1").unwrap_or(base));
        for segment in path {
            match *segment {
                "" => return Err(Failure::usage("what is asked for has a name: it cannot be empty")),
                // The URL standard resolves these two, however they are encoded.
                "." | ".." => {
                    let why = format!(
                        "{segment:?} cannot be part of an address: ask with events, visits or was instead"
                    );
                    return Err(Failure::usage(why));
                }
                _ => whole.extend(["/"].into_iter().chain(utf8_percent_encode(segment, IN_A_PATH))),
            }
        }
        url.set_path(&whole);
        let given = query.iter().filter_map(|(name, value)| Some((name, (*value)?)));
        for (name, value) in given {
            url.query_pairs_mut().append_pair(name, value);
        }
        Ok(url)
    }

    /// A daemon that restarts refuses connections for a while.
    fn unreachable(&self, error: reqwest::Error) -> NoAnswer {
        let error = anyhow::Error::from(error.without_url());
        let what = format!("no answer from {}; is `adsum run` running there?", self.server);
        NoAnswer { failure: Failure::Failed(error.context(what)), may_pass: true }
    }

    /// RFC 9457: `<detail> (<code>)`. What is wrong with the question (400) is wrong usage.
    async fn problem(&self, response: Response) -> Failure {
        let status = response.status();
        let text = read(response).await.unwrap_or_default();
        let problem: Value = serde_json::from_str(&text).unwrap_or_default();
        let member = |name| problem.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let Some(code) = member("code") else {
            return Failure::failed(format!("{} answered {status}; is it adsum?", self.server));
        };
        let message = match status {
            StatusCode::UNAUTHORIZED if self.token.is_none() => {
                "the daemon wants a token: ADSUM_TOKEN or --token"
            }
            StatusCode::UNAUTHORIZED => "the daemon does not know the token (ADSUM_TOKEN or --token)",
            _ => member("detail").or(member("title")).unwrap_or("the daemon refused"),
        };
        let message = format!("{message} ({code})");
        if status == StatusCode::BAD_REQUEST { Failure::usage(message) } else { Failure::failed(message) }
    }
}

impl From<Failure> for NoAnswer {
    fn from(failure: Failure) -> Self {
        Self { failure, may_pass: false }
    }
}

impl From<NoAnswer> for Failure {
    fn from(no_answer: NoAnswer) -> Self {
        no_answer.failure
    }
}

fn client() -> Result<Client, Failure> {
    let client = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        // The token goes to the server named and to nobody else.
        .redirect(redirect::Policy::none())
        .no_proxy()
        .build();
    Ok(client.context("cannot set up HTTP")?)
}

fn bearer(token: &SecretString) -> Result<HeaderValue, Failure> {
    let value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
    let mut value = value.map_err(|_| Failure::usage("the token must be visible ASCII characters"))?;
    value.set_sensitive(true);
    Ok(value)
}

async fn read(mut response: Response) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.context("the answer broke off")? {
        // Counted before it is kept.
        if bytes.len() + chunk.len() > MAX_ANSWER {
            return Err(Failure::failed(format!("the answer is longer than {MAX_ANSWER} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8(bytes).context("the answer is not UTF-8")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daemon(server: &str) -> Daemon {
        Daemon { server: server_url(server).expect("a URL"), token: None }
    }

    #[test]
    fn names_survive_the_url() {
        let url = daemon("http://127.0.0.1:8080").url(
            &["channels", "a/b %?#\u{202e}🦀", "occupants"],
            &[("at", Some("-2h")), ("after", None), ("user", Some("x&y=z+1"))],
        );
        assert_eq!(
            url.expect("a URL").as_str(),
            "http://127.0.0.1:8080/v1/channels/a%2Fb%20%25%3F%23%E2%80%AE%F0%9F%A6%80/occupants?at=-2h&user=x%26y%3Dz%2B1"
        );
    }

    #[test]
    fn a_server_may_live_under_a_path() {
        let url = daemon("https://example.com/adsum/").url(&["channels"], &[]);
        assert_eq!(url.expect("a URL").as_str(), "https://example.com/adsum/v1/channels");
    }

    #[test]
    fn the_addresses_that_adsum_prints_are_servers_too() {
        for server in ["http://[::1]:9", "http://[::1]:9/", "http://[::1]:9/v1", "http://[::1]:9/v1/"] {
            let url = daemon(server).url(&["channels"], &[]);
            assert_eq!(url.expect("a URL").as_str(), "http://[::1]:9/v1/channels", "{server}");
        }
    }

    #[test]
    fn whitespace_in_a_name_is_part_of_it() {
        let url = daemon("http://[::1]").url(&["users", " tab\t\r\nx "], &[]);
        assert_eq!(url.expect("a URL").path(), "/v1/users/%20tab%09%0D%0Ax%20");
    }

    #[test]
    fn names_a_url_would_swallow_are_refused() {
        for name in [".", "..", ""] {
            assert!(
                matches!(daemon("http://[::1]").url(&["users", name], &[]), Err(Failure::Usage(_))),
                "{name:?}"
            );
        }
    }

    #[test]
    fn a_server_is_an_http_url() {
        for text in ["127.0.0.1:9186", "localhost:9186", "ftp://x", "mailto:x", "http://", ""] {
            assert!(server_url(text).is_err_and(|why| why.contains("http://HOST:PORT")), "{text:?}");
        }
    }
}
