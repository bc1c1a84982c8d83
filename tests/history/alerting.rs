//! Alerts and deliveries that tests commit.

use adsum::domain::alert::{
    AlertId, AlertState, Change, Condition, End, Firing, NotifierName, RuleName, Severity, Transition, Why,
};
use adsum::domain::channel::Changes;
use adsum::domain::names::ChannelName;
use adsum::domain::time::{Time, Window};
use adsum::history::alerts::{
    AlertChange, AlertEntry, ChangeQuery, Delivery, DeliveryAttempt, DeliveryQuery, Notice, Outgoing,
    Standing, Told,
};
use adsum::history::{Entry, History};
use std::time::Duration;

use crate::given::time;

pub(crate) fn rule(name: &str) -> RuleName {
    RuleName::new(name).unwrap()
}

pub(crate) fn notifier(name: &str) -> NotifierName {
    NotifierName::new(name).unwrap()
}

pub(crate) fn hook() -> NotifierName {
    notifier("hook")
}

pub(crate) fn channel(number: usize) -> ChannelName {
    ChannelName::new(&format!("room.{number}")).unwrap()
}

pub(crate) fn alert_id(number: u128) -> AlertId {
    AlertId::new(uuid::Uuid::from_u128(number))
}

pub(crate) fn resolved() -> Change {
    let ended = Some(Window { not_before: Some(time(7)), not_after: time(9) });
    Change::Resolved(End { why: Why::Cleared, ended })
}

/// A change of the alert of a rule, as known at `at`.
pub(crate) fn transition(change: Change, at: Time) -> Transition {
    Transition {
        alert: alert_id(1),
        at,
        change,
        since: Window { not_before: None, not_after: time(5) },
        condition: Condition::OccupancyAbove { bound: 2, clear_below: 3 },
        occupancy: Some(3),
        gap: None,
    }
}

/// A firing alert of a rule.
pub(crate) fn firing(rule: &RuleName) -> Standing {
    Standing {
        rule: rule.clone(),
        terms: "more than 2".to_owned(),
        severity: Severity::Critical,
        state: AlertState::Firing(Firing {
            id: alert_id(1),
            since: Window { not_before: None, not_after: time(5) },
            fired: time(6),
            told: time(6),
            occupancy: Some(3),
            gap: None,
            clear: None,
        }),
        muted: None,
        tell_end: vec![hook()],
    }
}

/// A commit at `at` micros in which the alert of a rule and a channel changes, and these are told.
pub(crate) fn told(
    channel: &ChannelName,
    rule: &str,
    change: Change,
    at: i64,
    notify: &[NotifierName],
) -> Entry {
    let mut standing = firing(&self::rule(rule));
    if matches!(change, Change::Resolved(_) | Change::Inactive(_)) {
        standing.state = AlertState::Inactive;
    }
    let notice = Notice { transition: transition(change, time(at)), notify: notify.to_vec(), muted: None };
    Entry {
        alerts: vec![AlertEntry { standing, notices: vec![notice] }],
        at: time(at),
        ..Entry::new(channel.clone(), Changes::default())
    }
}

/// A history in which so many channels are watched.
pub(crate) fn watched(channels: usize) -> (tempfile::TempDir, Box<dyn History>) {
    let (folder, history) = crate::given::fresh();
    let names: Vec<_> = (0..channels).map(channel).collect();
    history.begin(&names, time(0)).unwrap();
    (folder, history)
}

/// All deliveries.
pub(crate) fn deliveries(history: &dyn History) -> Vec<Delivery> {
    history.deliveries(&DeliveryQuery { limit: usize::MAX, ..DeliveryQuery::default() }).unwrap()
}

/// All transitions.
pub(crate) fn changes(history: &dyn History) -> Vec<AlertChange> {
    history.alert_changes(&ChangeQuery { limit: usize::MAX, ..ChangeQuery::default() }).unwrap()
}

/// The numbers of what may be tried.
pub(crate) fn due(history: &dyn History, notifier: &NotifierName, now: i64) -> Vec<i64> {
    let due = history.due(notifier, time(now), 1_000_000).unwrap();
    due.iter().map(|outgoing| outgoing.delivery.number).collect()
}

/// In which channels the alerts are that a delivery tells of.
pub(crate) fn rooms(outgoing: &Outgoing) -> Vec<String> {
    let Told::Alerts(changes) = &outgoing.told else { panic!("{outgoing:?}") };
    changes.iter().map(|change| change.channel.as_str().to_owned()).collect()
}

/// A try at `at` micros.
pub(crate) fn attempt(number: u32, at: i64, delivered: bool) -> DeliveryAttempt {
    let answer = if delivered { "200 OK" } else { "503 Service Unavailable" };
    let took = Duration::from_micros(1234);
    DeliveryAttempt { number, at: time(at), took, delivered, answer: answer.to_owned() }
}
