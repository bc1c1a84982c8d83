//! Messages and settings to begin with.

use std::time::Duration;

use adsum::domain::event::EventKind;
use adsum::domain::time::{Time, Window};
use adsum::notify::{
    Alert, Alerts, Attempt, Blind, Body, Event, HttpSettings, Message, Receipt, Texts, Undelivered, Webhook,
};
use adsum::notify::{Discord, Notifier, Slack};
use serde_json::json;

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub(crate) fn time(text: &str) -> Time {
    Time::parse(text).unwrap()
}

/// The real time: what is signed must be recent.
#[expect(clippy::disallowed_methods, reason = "the reference library has no other clock")]
pub(crate) fn now() -> Time {
    Time::from_micros(jiff::Timestamp::now().as_microsecond())
}

pub(crate) fn attempt() -> Attempt {
    Attempt { number: 1, now: now() }
}

pub(crate) fn alert(channel: &str) -> Alert {
    Alert {
        alert_id: "5bd0a1c2-0000-4000-8000-000000000001".to_owned(),
        channel: channel.to_owned(),
        condition: "occupancy above 200".to_owned(),
        value: Some(240),
        bound: Some(200),
        user: None,
        since: Window {
            not_before: Some(time("2026-11-24T14:03:02.5Z")),
            not_after: time("2026-11-24T14:03:07.25Z"),
        },
        ended: None,
        gap: None,
        because: None,
        link: Some(format!("https://adsum.example/v1/channels/{channel}?a=1&b=2")),
    }
}

pub(crate) fn alerts(alerts: Vec<Alert>) -> Alerts {
    Alerts { rule: "crowded".to_owned(), severity: "warning".to_owned(), alerts }
}

pub(crate) fn message(body: Body) -> Message {
    Message { delivery: "0b9e-delivery_1".to_owned(), at: time("2026-11-24T14:03:08Z"), body }
}

pub(crate) fn firing() -> Message {
    message(Body::Firing(alerts(vec![alert("lobby")])))
}

pub(crate) fn resolved() -> Message {
    let ended =
        Window { not_before: Some(time("2026-11-24T23:59:58Z")), not_after: time("2026-11-25T00:00:01Z") };
    message(Body::Resolved(alerts(vec![Alert { ended: Some(ended), value: Some(180), ..alert("lobby") }])))
}

pub(crate) fn blind() -> Message {
    let gap = Blind { reason: "timeout".to_owned(), since: Some(time("2026-11-24T14:05:00Z")) };
    message(Body::Firing(alerts(vec![Alert { gap: Some(gap), ..alert("lobby") }])))
}

pub(crate) fn joined(channel: &str, user: &str) -> Message {
    message(Body::Event(Event {
        id: 41,
        kind: EventKind::Join,
        channel: channel.to_owned(),
        user: user.to_owned(),
        window: Window { not_before: None, not_after: time("2026-11-24T14:03:07.25Z") },
        occupancy: 7,
        state: Some(json!({"mood": "ok"})),
        link: Some("https://adsum.example/v1/presence".to_owned()),
    }))
}

pub(crate) fn http(url: &str) -> HttpSettings {
    HttpSettings {
        url: url.into(),
        allow_private: true,
        timeout: Duration::from_secs(10),
        ca: None,
        headers: Vec::new(),
    }
}

pub(crate) fn webhook(settings: &HttpSettings) -> Webhook {
    Webhook::new(settings, &[SECRET.into()], "urn:adsum:test", &Texts::default()).unwrap()
}

pub(crate) fn slack(url: &str) -> Slack {
    Slack::new(&http(url), &Texts::default()).unwrap()
}

pub(crate) fn discord(url: &str) -> Discord {
    Discord::new(&http(url), &Texts::default()).unwrap()
}

pub(crate) async fn deliver(notifier: &dyn Notifier, message: &Message) -> Result<Receipt, Undelivered> {
    notifier.deliver(message, attempt()).await
}
