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
            let alerts = alerts(changes, base)?;
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
fn alerts(changes: &[AlertChange], base: Option<&str>) -> Option<Alerts> {
    let newest = changes.last()?;
    Some(Alerts {
        rule: newest.rule.to_string(),
        severity: newest.severity.as_str().to_owned(),
        alerts: changes.iter().map(|change| alert(change, base)).collect(),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;
    use crate::domain::alert::{AlertId, End, NotifierName, RuleName, Severity};
    use crate::domain::event::EventKind;
    use crate::domain::gap::GapReason;
    use crate::domain::names::{ChannelName, UserId};
    use crate::domain::state::Shown;
    use crate::domain::time::{Time, Window};
    use crate::history::alerts::{Delivery, DeliveryStatus};

    const AT: Time = Time::from_micros(1_800_000_000_000_000);
    const BASE: Option<&str> = Some("https://adsum.example");

    fn ada() -> UserId {
        UserId::new("ada & co").unwrap()
    }

    fn window() -> Window {
        Window { not_before: Some(AT.minus(Duration::from_secs(5))), not_after: AT }
    }

    fn outgoing(kind: DeliveryKind, count: u64, told: Told) -> Outgoing {
        let delivery = Delivery {
            number: 3,
            id: "d-3".to_owned(),
            notifier: NotifierName::new("ops").unwrap(),
            rule: RuleName::new("crowded").ok(),
            kind,
            count,
            created: AT,
            status: DeliveryStatus::Pending,
            attempts: 0,
            tried: None,
            due: Some(AT),
            answer: None,
            attempts_before: 0,
        };
        Outgoing { delivery, told }
    }

    fn change(change: Change, condition: Condition, gap: Option<GapReason>) -> AlertChange {
        let alert = AlertId::new(uuid::Uuid::from_u128(7));
        let transition =
            Transition { alert, at: AT, change, since: window(), condition, occupancy: Some(240), gap };
        AlertChange {
            id: 1,
            rule: RuleName::new("crowded").unwrap(),
            severity: Severity::Critical,
            channel: ChannelName::new("lobby").unwrap(),
            transition,
            muted: None,
        }
    }

    fn crowded() -> Condition {
        Condition::OccupancyAbove { bound: 200, clear_below: 180 }
    }

    fn only(change: AlertChange) -> Alert {
        let told = Told::Alerts(vec![change]);
        let message = message(&outgoing(DeliveryKind::Firing, 1, told), BASE).unwrap();
        message.body.alerts().unwrap().only().unwrap().clone()
    }

    #[test]
    fn a_delivery_of_alerts_says_all_that_is_known() {
        let changes = vec![change(Change::Firing, crowded(), None); 2];
        let message = message(&outgoing(DeliveryKind::Firing, 2, Told::Alerts(changes)), BASE).unwrap();
        assert_eq!((message.delivery.as_str(), message.at), ("d-3", AT));
        let Body::Firing(alerts) = &message.body else { panic!("{message:?}") };
        assert_eq!((alerts.rule.as_str(), alerts.severity.as_str()), ("crowded", "critical"));
        assert_eq!(alerts.alerts.len(), 2);
        let expected = Alert {
            alert_id: "00000000-0000-0000-0000-000000000007".to_owned(),
            channel: "lobby".to_owned(),
            condition: "occupancy above 200".to_owned(),
            value: Some(240),
            bound: Some(200),
            user: None,
            since: window(),
            ended: None,
            gap: None,
            because: None,
            link: Some(
                "https://adsum.example/v1/alerts/history?alert_id=00000000-0000-0000-0000-000000000007"
                    .to_owned(),
            ),
        };
        assert_eq!(alerts.alerts[0], expected);
    }

    #[test]
    fn each_kind_of_delivery_is_a_kind_of_message() {
        let told = || Told::Alerts(vec![change(Change::Repeated, crowded(), None)]);
        let body = |kind| message(&outgoing(kind, 1, told()), None).unwrap().body;
        assert!(matches!(body(DeliveryKind::Firing), Body::Firing(_)));
        assert!(matches!(body(DeliveryKind::Repeated), Body::Repeated(_)));
        assert!(matches!(body(DeliveryKind::Resolved), Body::Resolved(_)));
        assert_eq!(body(DeliveryKind::Firing).alerts().unwrap().alerts[0].link, None);
    }

    #[rstest]
    #[case(crowded(), "occupancy above 200", Some(200), None)]
    #[case(Condition::OccupancyBelow { bound: 3, clear_above: 3 }, "occupancy below 3", Some(3), None)]
    #[case(Condition::UserPresent { user: ada() }, "user present", None, Some("ada & co"))]
    #[case(Condition::UserAbsent { user: ada() }, "user absent", None, Some("ada & co"))]
    #[case(Condition::Unobserved, "unobserved", None, None)]
    fn a_condition_is_in_words(
        #[case] condition: Condition,
        #[case] words: &str,
        #[case] bound: Option<u32>,
        #[case] user: Option<&str>,
    ) {
        let alert = only(change(Change::Firing, condition, None));
        assert_eq!((alert.condition.as_str(), alert.bound, alert.user.as_deref()), (words, bound, user));
    }

    #[test]
    fn since_when_a_channel_is_not_observed_is_said_only_where_the_alert_stands_for_that() {
        let blind = |change, condition| {
            let gap = only(self::change(change, condition, Some(GapReason::Timeout))).gap.unwrap();
            assert_eq!(gap.reason, "timeout");
            gap.since
        };
        assert_eq!(blind(Change::Firing, crowded()), window().not_before);
        assert_eq!(blind(Change::Repeated, Condition::Unobserved), window().not_before);
        assert_eq!(blind(Change::Repeated, crowded()), None);
    }

    #[rstest]
    #[case(Why::Cleared, None)]
    #[case(Why::Unproven, Some("the list was cut and does not show whether it still holds"))]
    #[case(Why::Gap, Some("the channel is not observed"))]
    #[case(Why::Unwatched, Some("the channel is no longer watched"))]
    #[case(Why::RuleChanged, Some("the rule was edited"))]
    #[case(Why::RuleRemoved, Some("the rule was removed, or no longer names the channel"))]
    fn an_end_says_when_it_was_seen_or_why_it_is_none(#[case] why: Why, #[case] because: Option<&str>) {
        let ended = because.is_none().then(window);
        let alert = only(change(Change::Resolved(End { why, ended }), crowded(), None));
        assert_eq!((alert.ended, alert.because.as_deref()), (ended, because));
    }

    #[test]
    fn an_event_links_to_the_question_whether_the_user_was_there() {
        let event = Recorded {
            id: 9,
            channel: ChannelName::new("room #1").unwrap(),
            seq: 1,
            user: ada(),
            kind: EventKind::Join,
            window: window(),
            occupancy: 3,
            state: Shown::Unknown,
        };
        let told = Told::Event(Some(event));
        let message = message(&outgoing(DeliveryKind::Event, 1, told), BASE).unwrap();
        let Body::Event(event) = message.body else { panic!("{message:?}") };
        assert_eq!((event.id, event.channel.as_str(), event.user.as_str()), (9, "room #1", "ada & co"));
        assert_eq!(
            (event.kind, event.window, event.occupancy, event.state),
            (EventKind::Join, window(), 3, None)
        );
        let link = "https://adsum.example/v1/presence?channel=room%20%231&user=ada%20%26%20co&at=2027-01-15T08%3A00%3A00.000Z";
        assert_eq!(event.link.as_deref(), Some(link));
    }

    #[test]
    fn what_has_expired_says_nothing() {
        assert_eq!(message(&outgoing(DeliveryKind::Event, 1, Told::Event(None)), BASE), None);
        assert_eq!(message(&outgoing(DeliveryKind::Firing, 1, Told::Alerts(Vec::new())), BASE), None);
    }
}
