//! What a delivery says: from what the history keeps of it to what notifiers write.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::domain::alert::{Change, Condition, Transition, Why};
use crate::domain::event::Recorded;
use crate::domain::state::State;
use crate::history::alerts::{AlertChange, DeliveryKind, Outgoing, Told};
use crate::notify::{Alert, Alerts, Blind, Body, Event, Message};

/// All but what stands in an address as it is (RFC 3986, 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The message of a delivery; `None` if what it tells of has expired. Links begin with `base`.
pub fn message(outgoing: &Outgoing, base: Option<&str>) -> Option<Message> {
    let delivery = &outgoing.delivery;
    let body = match &outgoing.told {
        Told::Event(event) => Body::Event(event_of(event.as_ref()?, base)),
        Told::Alerts(changes) => {
            let alerts = alerts(changes, delivery.count, base)?;
            match delivery.kind {
                DeliveryKind::Resolved => Body::Resolved(alerts),
                DeliveryKind::Repeated => Body::Repeated(alerts),
                DeliveryKind::Firing | DeliveryKind::Event => Body::Firing(alerts),
            }
        }
    };
    Some(Message { delivery: delivery.id.clone(), at: delivery.created, body })
}

/// The severity is that of the newest: a rule may have been edited between.
fn alerts(changes: &[AlertChange], count: u64, base: Option<&str>) -> Option<Alerts> {
    let newest = changes.last()?;
    let listed = u64::try_from(changes.len()).unwrap_or(u64::MAX);
    Some(Alerts {
        rule: newest.rule.to_string(),
        severity: newest.severity.as_str().to_owned(),
        alerts: changes.iter().map(|change| alert(change, base)).collect(),
        more: u32::try_from(count.saturating_sub(listed)).unwrap_or(u32::MAX),
    })
}

fn alert(change: &AlertChange, base: Option<&str>) -> Alert {
    let transition = &change.transition;
    let end = match transition.change {
        Change::Resolved(end) | Change::Inactive(end) => Some(end),
        Change::Pending | Change::Firing | Change::Repeated => None,
    };
    let alert_id = transition.alert.to_string();
    Alert {
        link: base.map(|base| format!("{base}/v1/alerts/history?alert_id={alert_id}")),
        alert_id,
        channel: change.channel.as_str().to_owned(),
        condition: in_words(&transition.condition),
        value: transition.occupancy,
        bound: bound(&transition.condition),
        user: transition.condition.user().map(|user| user.as_str().to_owned()),
        since: transition.since,
        ended: end.and_then(|end| end.ended),
        gap: blind(transition),
        because: end.and_then(|end| because(end.why)).map(str::to_owned),
    }
}

/// As the configuration names it: `occupancy above 200`.
fn in_words(condition: &Condition) -> String {
    let words = condition.kind().replace('_', " ");
    bound(condition).map_or(words.clone(), |bound| format!("{words} {bound}"))
}

fn bound(condition: &Condition) -> Option<u32> {
    match condition {
        Condition::OccupancyAbove { bound, .. } | Condition::OccupancyBelow { bound, .. } => Some(*bound),
        Condition::UserPresent { .. } | Condition::UserAbsent { .. } | Condition::Unobserved => None,
    }
}

/// The channel is not observed. When that began is known where the alert stands for that gap: it is why it fired, or what
/// its rule looks for.
fn blind(transition: &Transition) -> Option<Blind> {
    let reason = transition.gap?;
    let began = transition.change == Change::Firing || transition.condition == Condition::Unobserved;
    let since = transition.since.not_before.filter(|_| began);
    Some(Blind { reason: reason.as_str().to_owned(), since })
}

/// Why an alert ended, where no observation shows that its condition did.
fn because(why: Why) -> Option<&'static str> {
    match why {
        Why::Cleared => None,
        Why::Unproven => Some("the list was cut and does not show whether it still holds"),
        Why::Gap => Some("the channel is not observed"),
        Why::Unwatched => Some("the channel is no longer watched"),
        Why::RuleChanged => Some("the rule was edited"),
        Why::RuleRemoved => Some("the rule was removed, or no longer names the channel"),
    }
}

/// Its link asks whether the user was there when the change was seen.
fn event_of(event: &Recorded, base: Option<&str>) -> Event {
    let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let link = |base: &str| {
        let (channel, user) = (encoded(event.channel.as_str()), encoded(event.user.as_str()));
        let at = encoded(&event.window.not_after.ceil_ms().to_string());
        format!("{base}/v1/presence?channel={channel}&user={user}&at={at}")
    };
    Event {
        id: event.id,
        kind: event.kind,
        channel: event.channel.as_str().to_owned(),
        user: event.user.as_str().to_owned(),
        window: event.window,
        occupancy: event.occupancy,
        state: event.state.state().map(State::to_value),
        link: base.map(link),
    }
}
