//! What a notification says, as facts. The outbox keeps them; texts are made of them only when they are delivered.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::event::EventKind;
use crate::domain::time::{Time, Window};

/// One notification. Names and states in it are as they came from outside: opaque and never trusted. They are plain
/// text, not checked names, so that a stored message can be read whatever rules names have later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The same on every try: `webhook-id`, the `id` of the `CloudEvent`, part of the `Message-ID` of a mail. Letters,
    /// digits, `-` and `_`.
    pub delivery: String,
    /// When it was written to the outbox.
    #[serde(with = "micros")]
    pub at: Time,
    /// What it is about.
    #[serde(flatten)]
    pub body: Body,
}

/// What a notification is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Body {
    /// Alerts that began to fire.
    Firing(Alerts),
    /// Alerts that fire still (`repeat_every`).
    Repeated(Alerts),
    /// Alerts that were resolved.
    Resolved(Alerts),
    /// A presence event itself.
    Event(Event),
}

/// Alerts of one rule that share a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alerts {
    /// The rule's name.
    pub rule: String,
    /// The rule's severity.
    pub severity: String,
    /// At most [`crate::domain::alert::LISTED`] of them.
    pub alerts: Vec<Alert>,
    /// How many more than are listed.
    #[serde(default)]
    pub more: u32,
}

/// One alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// The same from firing to resolved. Letters, digits, `-` and `_`.
    pub alert_id: String,
    /// Where.
    pub channel: String,
    /// The rule's condition in words: `occupancy above 200`.
    pub condition: String,
    /// The occupancy last seen; none where the condition is not about one.
    pub value: Option<u32>,
    /// The bound it was held against.
    pub bound: Option<u32>,
    /// The user a condition is about.
    pub user: Option<String>,
    /// When the condition began to hold.
    #[serde(with = "window")]
    pub since: Window,
    /// When it ended, if it did.
    #[serde(with = "optional_window", default)]
    pub ended: Option<Window>,
    /// Where the channel cannot be observed now: then the alert says what was last seen, or what `on_gap` decided.
    #[serde(default)]
    pub gap: Option<Blind>,
    /// Why it was resolved though nothing was seen to change: `the rule was removed`.
    #[serde(default)]
    pub because: Option<String>,
    /// Where the answer can be read.
    #[serde(default)]
    pub link: Option<String>,
}

/// A gap that is open while the message is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blind {
    /// Its reason, as answers write it.
    pub reason: String,
    /// Its beginning, where that is known: it is what the alert stands for.
    #[serde(with = "optional_micros", default)]
    pub since: Option<Time>,
}

/// A presence event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The history's number of it.
    pub id: i64,
    /// What changed. In the message's JSON this is `event`, beside the message's own `kind`.
    #[serde(rename = "event", with = "event_kind")]
    pub kind: EventKind,
    /// Where.
    pub channel: String,
    /// Whom it is about.
    pub user: String,
    /// When.
    #[serde(with = "window")]
    pub window: Window,
    /// How many were there when the change was seen.
    pub occupancy: u32,
    /// The user's state afterwards.
    #[serde(default)]
    pub state: Option<Value>,
    /// Where the answer can be read.
    #[serde(default)]
    pub link: Option<String>,
}

impl Body {
    /// The alerts, unless it is an event.
    pub fn alerts(&self) -> Option<&Alerts> {
        match self {
            Self::Firing(alerts) | Self::Repeated(alerts) | Self::Resolved(alerts) => Some(alerts),
            Self::Event(_) => None,
        }
    }
}

/// Whether `id` is made of letters, digits, `-` and `_` alone: safe in a header, in a signature and between dots.
pub(super) fn is_plain_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

impl Alerts {
    /// How many it is about, those not listed included.
    pub fn count(&self) -> u64 {
        self.alerts.len() as u64 + u64::from(self.more)
    }

    /// The alert, if it is about exactly one.
    pub fn only(&self) -> Option<&Alert> {
        match self.alerts.as_slice() {
            [alert] if self.more == 0 => Some(alert),
            _ => None,
        }
    }
}

/// Times as whole microseconds since the Unix epoch, exact.
mod micros {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::Time;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    pub(super) fn serialize<S: Serializer>(time: &Time, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(time.as_micros())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
        i64::deserialize(from).map(Time::from_micros)
    }
}

mod optional_micros {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::Time;

    #[expect(clippy::ref_option, reason = "serde asks for it")]
    pub(super) fn serialize<S: Serializer>(time: &Option<Time>, to: S) -> Result<S::Ok, S::Error> {
        time.map(Time::as_micros).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Time>, D::Error> {
        Ok(Option::<i64>::deserialize(from)?.map(Time::from_micros))
    }
}

/// A window as stored.
#[derive(Serialize, Deserialize)]
struct StoredWindow {
    not_before: Option<i64>,
    not_after: i64,
}

impl From<Window> for StoredWindow {
    fn from(window: Window) -> Self {
        Self { not_before: window.not_before.map(Time::as_micros), not_after: window.not_after.as_micros() }
    }
}

impl From<StoredWindow> for Window {
    fn from(stored: StoredWindow) -> Self {
        Self {
            not_before: stored.not_before.map(Time::from_micros),
            not_after: Time::from_micros(stored.not_after),
        }
    }
}

mod window {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::{StoredWindow, Window};

    pub(super) fn serialize<S: Serializer>(window: &Window, to: S) -> Result<S::Ok, S::Error> {
        StoredWindow::from(*window).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Window, D::Error> {
        StoredWindow::deserialize(from).map(Window::from)
    }
}

mod optional_window {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::{StoredWindow, Window};

    #[expect(clippy::ref_option, reason = "serde asks for it")]
    pub(super) fn serialize<S: Serializer>(window: &Option<Window>, to: S) -> Result<S::Ok, S::Error> {
        window.map(StoredWindow::from).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Window>, D::Error> {
        Ok(Option::<StoredWindow>::deserialize(from)?.map(Window::from))
    }
}

mod event_kind {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::EventKind;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    pub(super) fn serialize<S: Serializer>(kind: &EventKind, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(kind.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<EventKind, D::Error> {
        let text = String::deserialize(from)?;
        let known = EventKind::PUBLIC.into_iter().find(|kind| kind.as_str() == text);
        known.ok_or_else(|| D::Error::custom(format!("no kind of event: {text:?}")))
    }
}
