//! The record as the daemon's API tells it.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::process::PATIENCE;
use crate::wire::{Span, encoded};

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Event {
    pub(crate) id: u64,
    pub(crate) channel: String,
    pub(crate) user: String,
    pub(crate) kind: String,
    #[serde(flatten)]
    pub(crate) window: Window,
    pub(crate) occupancy: Option<u64>,
    pub(crate) state: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Window {
    #[serde(deserialize_with = "maybe")]
    pub(crate) not_before: Option<Timestamp>,
    #[serde(deserialize_with = "rfc3339")]
    pub(crate) not_after: Timestamp,
}

impl Window {
    /// Whether something may have happened in this window. Without a beginning it has happened before its end.
    pub(crate) fn admits(self, truth: Span) -> bool {
        truth.from <= self.not_after && self.not_before.is_none_or(|from| from <= truth.to)
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Visit {
    pub(crate) channel: String,
    pub(crate) user: String,
    pub(crate) joined: Window,
    pub(crate) left: Option<Window>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Gap {
    pub(crate) channel: String,
    #[serde(deserialize_with = "rfc3339")]
    pub(crate) from: Timestamp,
    #[serde(deserialize_with = "maybe")]
    pub(crate) to: Option<Timestamp>,
    pub(crate) reason: String,
    pub(crate) users_only: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct WatchedChannel {
    pub(crate) channel: String,
    pub(crate) occupancy: Option<u64>,
    pub(crate) status: String,
    #[serde(deserialize_with = "maybe")]
    pub(crate) last_observed_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct List<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<String>,
}

pub(crate) fn rfc3339<'de, D: Deserializer<'de>>(text: D) -> Result<Timestamp, D::Error> {
    String::deserialize(text)?.parse().map_err(serde::de::Error::custom)
}

fn maybe<'de, D: Deserializer<'de>>(text: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(text)?;
    text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
}

/// Asks a daemon.
#[derive(Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
    address: String,
}

impl Api {
    pub(crate) fn new(address: &str) -> Self {
        let http = reqwest::Client::builder().read_timeout(PATIENCE).build().unwrap();
        Self { http, address: address.to_owned() }
    }

    /// An open answer, whatever its status.
    pub(crate) async fn open(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> reqwest::Result<reqwest::Response> {
        let request = self.http.get(format!("http://{}{path}", self.address));
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send().await
    }

    /// An answer that may be lost because the daemon is gone.
    pub(crate) async fn try_get<T: DeserializeOwned>(&self, path: &str) -> Option<T> {
        let answer = self.open(path, &[]).await.ok()?;
        let status = answer.status();
        let body = answer.text().await.ok()?;
        // It may die, or stop, between two requests; anything else is not expected of any question here.
        if status.as_u16() == 503 {
            return None;
        }
        assert!(status.is_success(), "{path}: {status} {body}");
        Some(serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}")))
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        self.try_get(path).await.unwrap_or_else(|| panic!("no answer to {path}"))
    }

    /// Every item of a list, page by page.
    pub(crate) async fn all<T: DeserializeOwned>(&self, path: &str) -> Vec<T> {
        let mut items = Vec::new();
        let mut after = String::new();
        loop {
            let mark = if path.contains('?') { '&' } else { '?' };
            let page: List<T> = self.get(&format!("{path}{mark}limit=137{after}")).await;
            items.extend(page.items);
            let Some(next) = page.next else { return items };
            after = format!("&after={}", encoded(&next));
        }
    }

    pub(crate) async fn events(&self) -> Vec<Event> {
        let raw: Vec<Box<RawValue>> = self.all("/v1/events").await;
        raw.iter().map(|event| serde_json::from_str(event.get()).unwrap()).collect()
    }

    /// What is said of a user in a channel: the whole answer.
    pub(crate) async fn presence(&self, channel: &str, user: &str, at: Option<Timestamp>) -> Value {
        self.get(&presence_path(channel, user, at)).await
    }

    /// Waits until it serves.
    pub(crate) async fn ready(&self) {
        until("the daemon is ready", async || {
            self.open("/readyz", &[]).await.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
    }

    /// Waits until every watched channel was asked for, and answered, after now (and `cache` more).
    pub(crate) async fn settled(&self, cache: SignedDuration) {
        // The first answer after now may be to a question from before; the second is not.
        for cache in [SignedDuration::ZERO, cache] {
            let now = Timestamp::now();
            until("every channel is observed again", async || {
                let channels: Vec<WatchedChannel> = self.all("/v1/channels").await;
                channels.iter().all(|channel| channel.last_observed_at.is_some_and(|last| now < last - cache))
            })
            .await;
        }
    }
}

pub(crate) fn presence_path(channel: &str, user: &str, at: Option<Timestamp>) -> String {
    let at = at.map(|at| format!("&at={}", encoded(&at.to_string()))).unwrap_or_default();
    format!("/v1/presence?channel={}&user={}{at}", encoded(channel), encoded(user))
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
