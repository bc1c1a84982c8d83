//! Asks a running daemon (`/v1`, SPEC.md section 3).

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::failure::Failure;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest silence while an answer is read. The stream has a comment every 15 s.
const READ_TIMEOUT: Duration = Duration::from_secs(45);

/// The longest answer that is read, in bytes. A list has at most 1000 items.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// Which daemon to ask.
#[derive(Debug, Clone, Args)]
pub(super) struct Daemon {
    /// The daemon to ask
    #[arg(long, value_name = "URL", env = "ADSUM_SERVER", default_value = "http://127.0.0.1:8080")]
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

impl Daemon {
    /// Asks for `/v1` and the segments of `path`.
    ///
    /// # Errors
    ///
    /// A problem the daemon states, or whatever keeps it from answering.
    pub(super) async fn get(&self, path: &[&str], query: &Query<'_>) -> Result<Answer, Failure> {
        let response = self.send(path, query, &[(ACCEPT.as_str(), "application/json")]).await?;
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
        let mut request = client()?.get(self.url(path, query)?);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, bearer(token)?);
        }
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let may_pass = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        Err(NoAnswer { failure: problem(response).await, may_pass })
    }

    fn url(&self, path: &[&str], query: &Query<'_>) -> Result<Url, Failure> {
        // The URL standard resolves these two, however they are encoded.
        if path.iter().any(|segment| matches!(*segment, "." | ".." | "")) {
            return Err(Failure::usage("no channel or user is named \"\", \".\" or \"..\" in a question"));
        }
        let mut url = self.server.clone();
        url.path_segments_mut()
            .map_err(|()| {
                Failure::usage(format!("--server must be an http:// or https:// URL, not {}", self.server))
            })?
            .pop_if_empty()
            .push("v1")
            .extend(path);
        let given = query.iter().filter_map(|(name, value)| Some((name, (*value)?)));
        for (name, value) in given {
            url.query_pairs_mut().append_pair(name, value);
        }
        Ok(url)
    }

    fn unreachable(&self, error: reqwest::Error) -> Failure {
        let error = anyhow::Error::from(error.without_url());
        Failure::Failed(
            error.context(format!("no answer from {}; is `adsum run` running there?", self.server)),
        )
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

/// RFC 9457: `error: <title>: <detail> (<code>)`; the HTTP status where an answer is no problem document.
async fn problem(response: Response) -> Failure {
    let status = response.status();
    let text = read(response).await.unwrap_or_default();
    let problem: Value = serde_json::from_str(&text).unwrap_or_default();
    let member = |name| problem.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let mut message = member("title").map_or_else(|| format!("the daemon answered {status}"), str::to_owned);
    if let Some(detail) = member("detail") {
        message.push_str(": ");
        message.push_str(detail);
    }
    if let Some(code) = member("code") {
        message.push_str(" (");
        message.push_str(code);
        message.push(')');
    }
    Failure::failed(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daemon(server: &str) -> Daemon {
        Daemon { server: server.parse().expect("a URL"), token: None }
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
    fn names_a_url_would_swallow_are_refused() {
        for name in [".", "..", ""] {
            assert!(
                matches!(daemon("http://[::1]").url(&["users", name], &[]), Err(Failure::Usage(_))),
                "{name:?}"
            );
        }
        assert!(matches!(daemon("mailto:x").url(&["channels"], &[]), Err(Failure::Usage(_))));
    }
}
