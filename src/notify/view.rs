//! What templates see: the facts of a message, with times in words.

use minijinja::value::{Serde, Value};
use serde::Serialize;

use super::escape::Medium;
use super::message::{Alert, Alerts, Blind, Body, Event, Message};
use crate::domain::event::EventKind;
use crate::domain::time::{Time, Window};

/// What a template about alerts sees.
#[derive(Serialize)]
struct AlertsView<'a> {
    /// `firing`, `repeated` or `resolved`.
    kind: &'static str,
    rule: &'a str,
    severity: &'a str,
    alerts: Vec<AlertView<'a>>,
    /// How many there are, listed or not.
    count: u64,
    at: String,
    delivery: &'a str,
}

#[derive(Serialize)]
struct AlertView<'a> {
    id: &'a str,
    channel: &'a str,
    condition: &'a str,
    value: Option<u32>,
    bound: Option<u32>,
    user: Option<&'a str>,
    since: WindowView,
    ended: Option<WindowView>,
    gap: Option<BlindView<'a>>,
    /// How sure it is, in words.
    certainty: String,
    because: Option<&'a str>,
    link: Option<Value>,
}

#[derive(Serialize)]
struct BlindView<'a> {
    reason: &'a str,
    since: Option<String>,
}

/// What a template about a presence event sees.
#[derive(Serialize)]
struct EventView<'a> {
    /// `join`, `leave`, `state` or `present`.
    kind: &'static str,
    /// The same in words: `joined`.
    what: &'static str,
    channel: &'a str,
    user: &'a str,
    when: WindowView,
    occupancy: u32,
    /// As JSON text; none where it is not known or empty.
    state: Option<String>,
    link: Option<Value>,
    at: String,
    delivery: &'a str,
}

#[derive(Serialize)]
struct WindowView {
    not_before: Option<String>,
    not_after: String,
    /// `between 2026-11-24 14:03:02 and 14:03:07 UTC`.
    text: String,
}

/// The facts of `message`, its links ready for `medium`.
pub(super) fn view(message: &Message, medium: Medium) -> Value {
    match &message.body {
        Body::Firing(alerts) => alerts_view(message, "firing", alerts, medium),
        Body::Repeated(alerts) => alerts_view(message, "repeated", alerts, medium),
        Body::Resolved(alerts) => alerts_view(message, "resolved", alerts, medium),
        Body::Event(event) => event_view(message, event, medium),
    }
}

fn alerts_view(message: &Message, kind: &'static str, alerts: &Alerts, medium: Medium) -> Value {
    Value::from(Serde(AlertsView {
        kind,
        rule: &alerts.rule,
        severity: &alerts.severity,
        alerts: alerts.alerts.iter().map(|alert| alert_view(alert, medium)).collect(),
        count: alerts.count(),
        at: in_words(message.at),
        delivery: &message.delivery,
    }))
}

fn alert_view(alert: &Alert, medium: Medium) -> AlertView<'_> {
    AlertView {
        id: &alert.alert_id,
        channel: &alert.channel,
        condition: &alert.condition,
        value: alert.value,
        bound: alert.bound,
        user: alert.user.as_deref(),
        since: window_view(alert.since),
        ended: alert.ended.map(window_view),
        gap: alert.gap.as_ref().map(|gap| BlindView { reason: &gap.reason, since: gap.since.map(in_words) }),
        certainty: match &alert.gap {
            None => "observed".to_owned(),
            Some(Blind { reason, since: None }) => format!("not observed now ({reason})"),
            Some(Blind { reason, since: Some(since) }) => {
                format!("not observed since {} ({reason})", in_words(*since))
            }
        },
        because: alert.because.as_deref(),
        link: link(alert.link.as_deref(), medium),
    }
}

fn event_view(message: &Message, event: &Event, medium: Medium) -> Value {
    Value::from(Serde(EventView {
        kind: event.kind.as_str(),
        what: match event.kind {
            EventKind::Join => "joined",
            EventKind::Leave => "left",
            EventKind::State | EventKind::Settled => "changed state in",
            EventKind::Present => "is in",
        },
        channel: &event.channel,
        user: &event.user,
        when: window_view(event.window),
        occupancy: event.occupancy,
        state: event.state.as_ref().map(ToString::to_string),
        link: link(event.link.as_deref(), medium),
        at: in_words(message.at),
        delivery: &message.delivery,
    }))
}

/// A link holds nothing that needs escaping, and escaped it would lead nowhere.
fn link(link: Option<&str>, medium: Medium) -> Option<Value> {
    medium.address(link?).map(Value::from_safe_string)
}

fn window_view(window: Window) -> WindowView {
    let to = window.not_after.plus(LESS_THAN_A_SECOND);
    let text = match window.not_before {
        None => format!("not later than {}", in_words(to)),
        Some(from) => {
            let (day, from) = day_and_time(from);
            match day_and_time(to) {
                (same, to) if same == day => format!("between {day} {from} and {to} UTC"),
                (next, to) => format!("between {day} {from} and {next} {to} UTC"),
            }
        }
    };
    WindowView {
        not_before: window.not_before.map(|time| time.floor_ms().to_string()),
        not_after: window.not_after.ceil_ms().to_string(),
        text,
    }
}

/// Added to a time, it makes cutting off rounding up.
const LESS_THAN_A_SECOND: std::time::Duration = std::time::Duration::from_micros(999_999);

/// `2026-11-24 14:03:02 UTC`, rounded down.
fn in_words(time: Time) -> String {
    let (day, time) = day_and_time(time);
    format!("{day} {time} UTC")
}

fn day_and_time(time: Time) -> (String, String) {
    let text = time.to_string();
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    (day.to_owned(), time.split('.').next().unwrap_or_default().to_owned())
}
