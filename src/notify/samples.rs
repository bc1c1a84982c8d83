//! Messages of every kind, with which templates are tried before they are needed.

use std::time::Duration;

use serde_json::json;

use super::message::{Alert, Alerts, Blind, Body, Event, Message};
use crate::domain::event::EventKind;
use crate::domain::time::{Time, Window};

const AT: Time = Time::from_micros(1_800_000_000_000_000);

/// Between them they have everything that may be missing, and lack it.
pub(super) fn messages() -> Vec<Message> {
    let blind = Blind { reason: "timeout".to_owned(), since: None };
    let full = alerts(vec![full(), bare(), Alert { gap: Some(blind), ..bare() }]);
    let ended = Alert { ended: Some(window()), because: None, gap: None, ..self::full() };
    let bodies = [
        Body::Firing(full.clone()),
        Body::Firing(alerts(vec![bare()])),
        Body::Repeated(full.clone()),
        Body::Resolved(alerts(vec![ended])),
        Body::Resolved(full),
    ];
    let events = EventKind::PUBLIC.into_iter().flat_map(|kind| [event(kind, true), event(kind, false)]);
    let message = |body| Message { delivery: "sample".to_owned(), at: AT, body };
    bodies.into_iter().chain(events.map(Body::Event)).map(message).collect()
}

fn alerts(alerts: Vec<Alert>) -> Alerts {
    Alerts { rule: "crowded".to_owned(), severity: "warning".to_owned(), alerts }
}

fn full() -> Alert {
    Alert {
        value: Some(240),
        bound: Some(200),
        user: Some("ada".to_owned()),
        ended: Some(window()),
        gap: Some(Blind { reason: "timeout".to_owned(), since: Some(AT) }),
        because: Some("the rule was removed".to_owned()),
        link: Some("http://127.0.0.1:8080/v1/channels/lobby".to_owned()),
        ..bare()
    }
}

fn bare() -> Alert {
    Alert {
        alert_id: "sample".to_owned(),
        channel: "lobby".to_owned(),
        condition: "occupancy above 200".to_owned(),
        value: None,
        bound: None,
        user: None,
        since: Window { not_before: None, not_after: AT },
        ended: None,
        gap: None,
        because: None,
        link: None,
    }
}

fn window() -> Window {
    Window { not_before: Some(AT.minus(Duration::from_secs(5))), not_after: AT }
}

fn event(kind: EventKind, whole: bool) -> Event {
    Event {
        id: 1,
        kind,
        channel: "lobby".to_owned(),
        user: "ada".to_owned(),
        window: window(),
        occupancy: 3,
        state: whole.then(|| json!({"mood": "ok"})),
        link: whole.then(|| "http://127.0.0.1:8080/v1/channels/lobby".to_owned()),
    }
}
