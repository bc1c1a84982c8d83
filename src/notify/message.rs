//! What a notification says, as facts. They are put together from what the history keeps when it is delivered, and texts are
//! made of them only then.

use serde_json::Value;

use crate::domain::event::EventKind;
use crate::domain::time::{Time, Window};

/// One notification. Names and states in it are as they came from outside: opaque and never trusted.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The same on every try: `webhook-id`, the `id` of the `CloudEvent`, part of the `Message-ID` of a mail. Letters,
    /// digits, `-` and `_`.
    pub delivery: String,
    /// When it was written to the outbox.
    pub at: Time,
    /// What it is about.
    pub body: Body,
}

/// What a notification is about.
#[derive(Debug, Clone, PartialEq)]
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
#[derive(Debug, Clone, PartialEq)]
pub struct Alerts {
    /// The rule's name.
    pub rule: String,
    /// The rule's severity.
    pub severity: String,
    /// All of them, in order.
    pub alerts: Vec<Alert>,
}

/// One alert.
#[derive(Debug, Clone, PartialEq)]
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
    pub since: Window,
    /// When it ended, if it did.
    pub ended: Option<Window>,
    /// Where the channel cannot be observed now: then the alert says what was last seen, or what `on_gap` decided.
    pub gap: Option<Blind>,
    /// Why it was resolved though nothing was seen to change: `the rule was removed`.
    pub because: Option<String>,
    /// Where the answer can be read.
    pub link: Option<String>,
}

/// A gap that is open while the message is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blind {
    /// Its reason, as answers write it.
    pub reason: String,
    /// Its beginning, where that is known: it is what the alert stands for.
    pub since: Option<Time>,
}

/// A presence event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The history's number of it.
    pub id: i64,
    /// What changed.
    pub kind: EventKind,
    /// Where.
    pub channel: String,
    /// Whom it is about.
    pub user: String,
    /// When.
    pub window: Window,
    /// How many were there when the change was seen.
    pub occupancy: u32,
    /// The user's state afterwards.
    pub state: Option<Value>,
    /// Where the answer can be read.
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
    /// How many it is about.
    pub fn count(&self) -> u64 {
        self.alerts.len() as u64
    }

    /// The alert, if it is about exactly one.
    pub fn only(&self) -> Option<&Alert> {
        match self.alerts.as_slice() {
            [alert] => Some(alert),
            _ => None,
        }
    }
}
