//! Whether notifiers can be reached: a connection is made and closed again. Nothing is sent, so this says only that
//! somebody is there; a receiver that is down just then is no reason not to start.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use secrecy::ExposeSecret as _;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tracing::warn;

use crate::config::{Http, Notifier, NotifierKind};
use crate::domain::alert::NotifierName;
use crate::notify::is_public;

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections that are tried at once.
const AT_ONCE: usize = 10;

/// Tries all of them, in any order. Why one cannot be reached is said in a few words, without a secret.
pub fn reach(notifiers: &[Notifier]) -> impl Stream<Item = (&NotifierName, Result<(), String>)> {
    let tries = notifiers.iter().map(async |notifier| (&notifier.name, one(notifier).await));
    stream::iter(tries).buffer_unordered(AT_ONCE)
}

/// Logs which of them cannot be reached.
pub(super) async fn warn_of_unreachable(notifiers: Vec<Notifier>) {
    let mut tried = pin!(reach(&notifiers));
    while let Some((notifier, reached)) = tried.next().await {
        if let Err(why) = reached {
            let notifier = notifier.as_str();
            warn!(notifier, why, "the notifier cannot be reached now; what it is told waits until it can");
        }
    }
}

async fn one(notifier: &Notifier) -> Result<(), String> {
    let (host, port, allow_private) = match &notifier.kind {
        NotifierKind::Webhook(webhook) => of_url(&webhook.http)?,
        NotifierKind::Slack(http) | NotifierKind::Discord(http) => of_url(http)?,
        NotifierKind::Email(email) => (email.host.clone(), email.port, true),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let why = match timeout(PATIENCE, connect(host, port, allow_private)).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(why)) => why,
        Err(_) => format!("no connection within {PATIENCE:?}"),
    };
    Err(format!("{host}:{port}: {why}"))
}

fn of_url(http: &Http) -> Result<(String, u16, bool), String> {
    let url = reqwest::Url::parse(http.url.value().expose_secret()).ok();
    let at = url.and_then(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?)));
    let (host, port) = at.ok_or("the url is none")?;
    Ok((host, port, http.allow_private))
}

async fn connect(host: &str, port: u16, allow_private: bool) -> Result<(), String> {
    let found: Vec<SocketAddr> =
        lookup_host((host, port)).await.map_err(|error| error.to_string())?.collect();
    let mut allowed = found.into_iter().filter(|address| allow_private || is_public(address.ip())).peekable();
    if allowed.peek().is_none() {
        return Err("no public address; allow_private = true allows others".to_owned());
    }
    let addresses: Vec<SocketAddr> = allowed.collect();
    TcpStream::connect(addresses.as_slice()).await.map(drop).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn somebody_who_listens_is_reached_and_nobody_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(connect("127.0.0.1", port, true).await, Ok(()));
        drop(listener);
        assert!(connect("127.0.0.1", port, true).await.unwrap_err().contains("refused"));
        assert!(connect("nowhere.invalid", port, true).await.is_err());
    }

    #[tokio::test]
    async fn a_private_address_is_not_connected_to_unless_it_is_allowed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let why = connect("localhost", port, false).await.unwrap_err();
        assert!(why.contains("allow_private"), "{why}");
    }
}
