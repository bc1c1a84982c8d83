//! The body of a webhook: a `CloudEvent` 1.0 in the structured JSON format.
//!
//! A message about many alerts is one event, not a batch: it has one `webhook-id` and one outcome, and a receiver that
//! goes by `type` needs no second way to read. Its `data.alerts` lists them; a message about exactly one alert carries
//! `alert_id` in `data` itself too. A repeated notification is `adsum.alert.firing` with `repeated`, so that whoever
//! goes by types knows two of them.

use serde_json::{Map, Value, json};

use super::escape::visible;
use super::message::{Alert, Alerts, Body, Event, Message};
use super::template::Rendered;

/// As registered for CloudEvents (JSON format 1.0.2, section 3).
pub(super) const CONTENT_TYPE: &str = "application/cloudevents+json";

/// The most characters of `source`.
const MAX_SOURCE: usize = 1000;

/// The event that says what `message` says. `source` is a URI reference that tells this adsum from others.
pub(super) fn cloud_event(message: &Message, source: &str, texts: &Rendered) -> Value {
    let (kind, subject, mut data) = match &message.body {
        Body::Firing(alerts) => ("adsum.alert.firing".to_owned(), None, alerts_data(alerts, false)),
        Body::Repeated(alerts) => ("adsum.alert.firing".to_owned(), None, alerts_data(alerts, true)),
        Body::Resolved(alerts) => ("adsum.alert.resolved".to_owned(), None, alerts_data(alerts, false)),
        Body::Event(event) => {
            let kind = format!("adsum.presence.{}", event.kind.as_str());
            (kind, Some(event.channel.as_str()), event_data(event))
        }
    };
    data.insert("title".to_owned(), json!(texts.title));
    data.insert("text".to_owned(), json!(texts.text));
    let mut event = json!({
        "specversion": "1.0",
        "id": message.delivery,
        "source": visible(source, MAX_SOURCE),
        "type": kind,
        "time": message.at,
        "datacontenttype": "application/json",
        "data": data,
    });
    let subject = subject.or_else(|| message.body.alerts()?.only().map(|alert| alert.channel.as_str()));
    if let (Some(subject), Some(event)) = (subject, event.as_object_mut()) {
        // An attribute may hold no control characters (CloudEvents 1.0.2, type system); `data` has the name itself.
        event.insert("subject".to_owned(), json!(visible(subject, usize::MAX)));
    }
    event
}

fn alerts_data(alerts: &Alerts, repeated: bool) -> Map<String, Value> {
    let mut data = Map::new();
    if let Some(alert) = alerts.only() {
        data.insert("alert_id".to_owned(), json!(alert.alert_id));
    }
    data.insert("rule".to_owned(), json!(alerts.rule));
    data.insert("severity".to_owned(), json!(alerts.severity));
    data.insert("repeated".to_owned(), json!(repeated));
    data.insert("alerts".to_owned(), alerts.alerts.iter().map(alert_data).collect());
    data
}

fn alert_data(alert: &Alert) -> Value {
    json!({
        "alert_id": alert.alert_id,
        "channel": alert.channel,
        "condition": alert.condition,
        "value": alert.value,
        "bound": alert.bound,
        "user": alert.user,
        "since": alert.since,
        "ended": alert.ended,
        "observed": alert.gap.is_none(),
        "gap": alert.gap.as_ref().map(|gap| json!({"reason": gap.reason, "since": gap.since})),
        "because": alert.because,
        "link": alert.link,
    })
}

/// The event as `/v1/events` answers it, with its link.
fn event_data(event: &Event) -> Map<String, Value> {
    let pairs = [
        ("id", json!(event.id)),
        ("channel", json!(event.channel)),
        ("user", json!(event.user)),
        ("kind", json!(event.kind)),
        ("not_before", json!(event.window.not_before.map(crate::domain::time::Time::floor_ms))),
        ("not_after", json!(event.window.not_after.ceil_ms())),
        ("occupancy", json!(event.occupancy)),
        ("state", json!(event.state)),
        ("link", json!(event.link)),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
