//! The Presence API as its clients use it, in plain HTTP, and wall time around every request.

use std::collections::BTreeMap;

use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// The subscribe key of every test.
pub(crate) const KEY: &str = "sub-c-record";

/// Between two instants of wall time, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

impl Span {
    pub(crate) fn meets(self, other: Self) -> bool {
        self.from <= other.to && other.from <= self.to
    }
}

pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Who is in a channel, with their states.
pub(crate) type Here = BTreeMap<String, Value>;

#[derive(Clone)]
pub(crate) struct Wire {
    http: reqwest::Client,
    origin: String,
}

impl Wire {
    pub(crate) fn new(origin: &str) -> Self {
        Self { http: reqwest::Client::new(), origin: origin.to_owned() }
    }

    /// Makes a request that must succeed; the span it took.
    async fn ask(&self, path: &str) -> (Span, Value) {
        let from = Timestamp::now();
        let answer = self.http.get(format!("http://{}{path}", self.origin)).send().await.unwrap();
        let status = answer.status();
        let body = answer.text().await.unwrap();
        let to = Timestamp::now();
        assert!(status.is_success(), "{path}: {status} {body}");
        (Span { from, to }, serde_json::from_str(&body).unwrap())
    }

    /// A sign of life; `seconds` is the presence timeout.
    pub(crate) async fn heartbeat(&self, channel: &str, user: &str, seconds: u32) -> Span {
        let (channel, user) = (encoded(channel), encoded(user));
        let path =
            format!("/v2/presence/sub-key/{KEY}/channel/{channel}/heartbeat?heartbeat={seconds}&uuid={user}");
        self.ask(&path).await.0
    }

    pub(crate) async fn leave(&self, channel: &str, user: &str) -> Span {
        let (channel, user) = (encoded(channel), encoded(user));
        self.ask(&format!("/v2/presence/sub-key/{KEY}/channel/{channel}/leave?uuid={user}")).await.0
    }

    pub(crate) async fn set_state(&self, channel: &str, user: &str, state: &Value) -> Span {
        let (channel, user, state) = (encoded(channel), encoded(user), encoded(&state.to_string()));
        let path = format!(
            "/v2/presence/sub-key/{KEY}/channel/{channel}/uuid/{user}/data?state={state}&uuid={user}"
        );
        self.ask(&path).await.0
    }

    /// Everybody, everywhere; a user without state has `null`.
    pub(crate) async fn here(&self) -> BTreeMap<String, Here> {
        let (_, answer) = self.ask(&format!("/v2/presence/sub-key/{KEY}?state=1")).await;
        let channels = answer.pointer("/payload/channels").and_then(Value::as_object).unwrap().clone();
        let listed = |channel: &Value| {
            let users = channel["uuids"].as_array().unwrap().iter();
            users.map(|user| (user["uuid"].as_str().unwrap().to_owned(), user["state"].clone())).collect()
        };
        channels.iter().map(|(name, channel)| (name.clone(), listed(channel))).collect()
    }

    /// Follows the presence events of channels; `saw` is called with each, and when it came.
    pub(crate) async fn observe(&self, channels: &[String], mut saw: impl FnMut(&Value, Timestamp)) {
        let names: Vec<_> = channels.iter().map(|name| encoded(&format!("{name}-pnpres"))).collect();
        let mut since = "0".to_owned();
        loop {
            let path = format!("/v2/subscribe/{KEY}/{}/0?tt={since}&uuid=observer", names.join(","));
            let (_, answer) = self.ask(&path).await;
            answer["m"].as_array().unwrap().iter().for_each(|message| saw(message, Timestamp::now()));
            answer["t"]["t"].as_str().unwrap().clone_into(&mut since);
        }
    }
}
