//! What is kept of alerts comes back as it was, found by any filter, each once.

use std::time::Duration;

use adsum::domain::alert::{
    AlertState, Change, Clear, Condition, End, Firing, Ground, NotifierName, Pending, RuleName, Severity,
    Transition, Why,
};
use adsum::domain::gap::GapReason;
use adsum::domain::names::ChannelName;
use adsum::domain::time::{Moment, Time, Window};
use adsum::history::alerts::{
    AlertChange, AlertEntry, AlertQuery, ChangeQuery, DeliveryQuery, DeliveryStatus, Notice, Standing,
    StandingAlert,
};
use adsum::history::{Entry, History, HistoryError};
use proptest::prelude::*;
use rusqlite::Connection;

use crate::alerting::{
    alert_id, attempt, changes, channel, deliveries, due, hook, notifier, resolved, rule, told, watched,
};
use crate::given::{ada, arrival, fresh, lobby, open, time};
use crate::world::{channel_name, user_id};

const RULES: [&str; 3] = ["crowded", "Quiet.1", "a-b_c"];

fn any_time() -> impl Strategy<Value = Time> {
    prop_oneof![9 => 0i64..50, 1 => any::<i64>()].prop_map(time)
}

fn any_window() -> impl Strategy<Value = Window> {
    let times = (proptest::option::of(any_time()), any_time());
    times.prop_map(|(not_before, not_after)| Window { not_before, not_after })
}

fn any_moment() -> impl Strategy<Value = Moment> {
    (any_time(), any_time()).prop_map(|(earliest, latest)| Moment { earliest, latest })
}

fn any_reason() -> impl Strategy<Value = GapReason> {
    proptest::sample::select(GapReason::ALL.to_vec())
}

fn any_state() -> impl Strategy<Value = AlertState> {
    let id = || (0u128..4).prop_map(alert_id);
    let ground = prop_oneof![
        any_moment().prop_map(|first| Ground::Observed { first }),
        (any_time(), any::<u32>(), any_reason()).prop_map(|(from, down, reason)| {
            Ground::Gap { from, down: Duration::from_micros(down.into()), resumed: Some(from), reason }
        }),
    ];
    let pending = (id(), any_window(), ground)
        .prop_map(|(id, since, ground)| AlertState::Pending(Pending { id, since, ground }));
    let clear = (any_moment(), any_window()).prop_map(|(first, ended)| Clear { first, ended });
    let rest = (any::<Option<u32>>(), proptest::option::of(any_reason()), proptest::option::of(clear));
    let firing = (id(), any_window(), any_time(), any_time(), rest).prop_map(
        |(id, since, fired, told, (occupancy, gap, clear))| {
            AlertState::Firing(Firing { id, since, fired, told, occupancy, gap, clear })
        },
    );
    prop_oneof![1 => Just(AlertState::Inactive), 2 => pending, 2 => firing]
}

fn any_condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        any::<(u32, u32)>().prop_map(|(bound, clear_below)| Condition::OccupancyAbove { bound, clear_below }),
        any::<(u32, u32)>().prop_map(|(bound, clear_above)| Condition::OccupancyBelow { bound, clear_above }),
        (0u8..5).prop_map(|user| Condition::UserPresent { user: user_id(user) }),
        (0u8..5).prop_map(|user| Condition::UserAbsent { user: user_id(user) }),
        Just(Condition::Unobserved),
    ]
}

fn any_change() -> impl Strategy<Value = Change> {
    let why = proptest::sample::select(vec![
        Why::Cleared,
        Why::Unproven,
        Why::Gap,
        Why::Unwatched,
        Why::RuleChanged,
        Why::RuleRemoved,
    ]);
    let end =
        || (why.clone(), proptest::option::of(any_window())).prop_map(|(why, ended)| End { why, ended });
    prop_oneof![
        Just(Change::Pending),
        end().prop_map(Change::Inactive),
        Just(Change::Firing),
        Just(Change::Repeated),
        end().prop_map(Change::Resolved),
    ]
}

fn any_notifiers() -> impl Strategy<Value = Vec<NotifierName>> {
    proptest::sample::subsequence(vec!["hook", "mail", "Slack.ops-2"], 0..=3)
        .prop_map(|names| names.into_iter().map(notifier).collect())
}

fn any_notice() -> impl Strategy<Value = Notice> {
    let transition =
        (0u128..4, any_time(), any_change(), any_window(), any_condition(), any::<Option<u32>>());
    let transition = (transition, proptest::option::of(any_reason()));
    let transition = transition.prop_map(|((id, at, change, since, condition, occupancy), gap)| Transition {
        alert: alert_id(id),
        at,
        change,
        since,
        condition,
        occupancy,
        gap,
    });
    (transition, any_notifiers(), proptest::option::of(1i64..9))
        .prop_map(|(transition, notify, muted)| Notice { transition, notify, muted })
}

/// Alerts that change, each in one of the channels, in random commits.
fn commits() -> impl Strategy<Value = Vec<Vec<(usize, AlertEntry)>>> {
    let severity = proptest::sample::select(Severity::ALL.to_vec());
    let rule = proptest::sample::select(RULES.to_vec()).prop_map(rule);
    let standing = (rule, "\\PC{0,9}", severity, any_state(), proptest::option::of(1i64..9), any_notifiers());
    let standing = standing.prop_map(|(rule, terms, severity, state, muted, tell_end)| Standing {
        rule,
        terms,
        severity,
        state,
        muted,
        tell_end,
    });
    let entry = (standing, proptest::collection::vec(any_notice(), 0..3))
        .prop_map(|(standing, notices)| AlertEntry { standing, notices });
    proptest::collection::vec(proptest::collection::vec((0usize..3, entry), 1..4), 1..12)
}

/// What those commits leave.
fn commit(
    history: &dyn History,
    commits: &[Vec<(usize, AlertEntry)>],
) -> (Vec<StandingAlert>, Vec<AlertChange>) {
    let (mut standing, mut changes) = (Vec::<StandingAlert>::new(), Vec::new());
    for alerts in commits {
        let entries: Vec<Entry> = alerts
            .iter()
            .map(|(index, alert)| Entry {
                alerts: vec![alert.clone()],
                ..Entry::new(channel_name(*index), adsum::domain::channel::Changes::default())
            })
            .collect();
        history.commit(&entries).unwrap();
        for (index, alert) in alerts {
            let (channel, now) = (channel_name(*index), alert.standing.clone());
            standing.retain(|old| old.channel != channel || old.standing.rule != now.rule);
            changes.extend(alert.notices.iter().map(|notice| AlertChange {
                id: 0,
                rule: now.rule.clone(),
                severity: now.severity,
                channel: channel.clone(),
                transition: notice.transition.clone(),
                muted: notice.muted,
            }));
            if now.state != AlertState::Inactive {
                standing.push(StandingAlert { channel, standing: now });
            }
        }
    }
    for (id, change) in (1..).zip(&mut changes) {
        change.id = id;
    }
    standing.sort_by_key(|alert| (alert.standing.rule.clone(), alert.channel.clone()));
    (standing, changes)
}

fn all_alerts(history: &dyn History, query: &AlertQuery, page: usize) -> Vec<StandingAlert> {
    let mut query = AlertQuery { limit: page, ..query.clone() };
    let mut all: Vec<StandingAlert> = Vec::new();
    loop {
        let alerts = history.alerts(&query).unwrap();
        assert!(alerts.len() <= page);
        let Some(last) = alerts.last() else { return all };
        query.after = Some((last.standing.rule.clone(), last.channel.clone()));
        all.extend(alerts);
    }
}

fn all_changes(history: &dyn History, query: &ChangeQuery, page: usize) -> Vec<AlertChange> {
    let mut query = ChangeQuery { limit: page, ..query.clone() };
    let mut all: Vec<AlertChange> = Vec::new();
    loop {
        let changes = history.alert_changes(&query).unwrap();
        assert!(changes.len() <= page);
        let Some(last) = changes.last() else { return all };
        query.after = last.id;
        all.extend(changes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn how_alerts_stand_and_what_became_of_them_comes_back_exactly(
        commits in commits(),
        page in 1usize..5,
        spans in proptest::collection::vec((proptest::option::of(0i64..50), proptest::option::of(0i64..50)), 4),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let history = open(&folder);
        history.begin(&(0..3).map(channel_name).collect::<Vec<_>>(), time(0)).unwrap();
        let (standing, changes) = commit(history.as_ref(), &commits);
        drop(history);
        let history = open(&folder);
        let channels = || std::iter::once(None).chain((0..3).map(|index| Some(channel_name(index))));
        let rules = || std::iter::once(None).chain(RULES.map(|name| Some(rule(name))));
        for channel in channels() {
            for rule in rules() {
                let here = |other_rule: &RuleName, other: &ChannelName| {
                    rule.as_ref().is_none_or(|rule| rule == other_rule)
                        && channel.as_ref().is_none_or(|channel| channel == other)
                };
                let query = AlertQuery { rule: rule.clone(), channel: channel.clone(), ..AlertQuery::default() };
                let mut expected = standing.clone();
                expected.retain(|alert| here(&alert.standing.rule, &alert.channel));
                prop_assert_eq!(all_alerts(history.as_ref(), &query, page), expected);
                for (from, to) in &spans {
                    for alert in [None, Some(alert_id(1))] {
                        let mut expected = changes.clone();
                        expected.retain(|change| {
                            here(&change.rule, &change.channel)
                                && from.is_none_or(|from| change.transition.at >= time(from))
                                && to.is_none_or(|to| change.transition.at < time(to))
                                && alert.is_none_or(|alert| change.transition.alert == alert)
                        });
                        let (from, to) = (from.map(time), to.map(time));
                        let (rule, channel) = (rule.clone(), channel.clone());
                        let query = ChangeQuery { alert, rule, channel, from, to, ..ChangeQuery::default() };
                        prop_assert_eq!(all_changes(history.as_ref(), &query, page), expected);
                    }
                }
            }
            let Some(channel) = channel else { continue };
            let here = standing.iter().filter(|alert| alert.channel == channel);
            let here: Vec<_> = here.map(|alert| alert.standing.clone()).collect();
            prop_assert_eq!(history.standings(&channel).unwrap(), here);
        }
    }
}

#[test]
fn of_a_channel_or_a_notifier_that_is_not_in_the_record_there_is_nothing() {
    let (_folder, history) = watched(1);
    history.commit(&[told(&channel(0), "crowded", Change::Firing, 9, &[hook()])]).unwrap();
    assert_eq!(history.standings(&lobby()).unwrap(), []);
    let query = AlertQuery { channel: Some(lobby()), limit: 9, ..AlertQuery::default() };
    assert_eq!(history.alerts(&query).unwrap(), []);
    let query = ChangeQuery { channel: Some(lobby()), limit: 9, ..ChangeQuery::default() };
    assert_eq!(history.alert_changes(&query).unwrap(), []);
    let query = DeliveryQuery { notifier: Some(notifier("mail")), limit: 9, ..DeliveryQuery::default() };
    assert_eq!(history.deliveries(&query).unwrap(), []);
    assert_eq!(history.due(&notifier("mail"), time(i64::MAX), 9).unwrap(), []);
    assert_eq!(history.give_up(&notifier("mail"), time(9), "gone").unwrap(), 0);
    assert_eq!(history.delivery("x").unwrap(), None);
    assert_eq!(history.retry("x", time(9)).unwrap(), None);
    history.attempted(99, &attempt(1, 9, true), adsum::history::alerts::Outcome::Delivered).unwrap();
}

#[test]
fn a_commit_that_fails_leaves_nothing_of_alerts_or_deliveries() {
    let (_folder, history) = watched(2);
    history.begin(&[lobby()], time(0)).unwrap();
    history.commit(&[told(&channel(0), "crowded", Change::Firing, 9, &[hook()])]).unwrap();
    let everything = || {
        let alerts = history.alerts(&AlertQuery { limit: 9, ..AlertQuery::default() }).unwrap();
        (alerts, changes(history.as_ref()), deliveries(history.as_ref()), history.waiting().unwrap())
    };
    let before = everything();
    let begun = told(&channel(1), "crowded", Change::Firing, 9, &[hook(), notifier("mail")]);
    let over = told(&channel(0), "crowded", resolved(), 9, &[hook()]);
    let mut wrong = arrival(&lobby(), &ada(), 2);
    wrong.alerts = told(&lobby(), "crowded", Change::Firing, 9, &[hook()]).alerts;
    let refused = history.commit(&[begun.clone(), over.clone(), wrong]);
    assert!(matches!(refused, Err(HistoryError::Conflict { channel }) if channel == lobby()));
    let unknown = told(&channel(7), "crowded", Change::Firing, 9, &[hook()]);
    let refused = history.commit(&[begun.clone(), over.clone(), unknown]);
    assert!(matches!(refused, Err(HistoryError::Conflict { channel: name }) if name == channel(7)));
    assert_eq!(everything(), before);
    history.commit(&[begun, over]).unwrap();
    assert_eq!(changes(history.as_ref()).last().unwrap().id, 3, "no number was burnt");
}

#[test]
fn what_adsum_did_not_write_of_alerts_is_damage() {
    for damage in [
        "UPDATE alerts SET state = '{'",
        "UPDATE alerts SET severity = 9",
        "UPDATE alerts SET rule = '-'",
        "UPDATE alerts SET tell_end = 'a b'",
        "UPDATE alert_changes SET rule = ''",
        "UPDATE alert_changes SET severity = -1",
        "UPDATE alert_changes SET alert = 'x'",
        "UPDATE alert_changes SET change = 5",
        "UPDATE alert_changes SET change = 4",
        "UPDATE alert_changes SET change = 4, why = 6",
        "UPDATE alert_changes SET condition = '{}'",
        "UPDATE alert_changes SET condition = '{\"kind\":\"user_absent\",\"user\":\"\"}'",
        "UPDATE alert_changes SET condition = '{\"kind\":\"occupancy_above\",\"bound\":-1,\"clear_below\":0}'",
        "UPDATE alert_changes SET occupancy = -1",
        "UPDATE alert_changes SET gap = 99",
        "UPDATE notifiers SET name = ''",
        "UPDATE deliveries SET rule = ' '",
        "UPDATE deliveries SET rule = CAST(x'FF' AS TEXT)",
        "UPDATE deliveries SET kind = 4",
        "UPDATE deliveries SET kind = 3",
        "UPDATE deliveries SET count = -1",
        "UPDATE deliveries SET attempts = -1",
        "UPDATE attempts SET number = -1",
        "UPDATE attempts SET took = -1",
        "UPDATE deliveries SET status = 3",
        "UPDATE silences SET rule = ''",
        "UPDATE silences SET channel = 'a,b'",
        "UPDATE silences SET severity = 3",
        "UPDATE silences SET author = ''",
        "UPDATE silences SET ends = begins",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let history = open(&folder);
        history.begin(&[channel(0)], time(0)).unwrap();
        history.commit(&[told(&channel(0), "crowded", Change::Firing, 9, &[hook()])]).unwrap();
        let again = adsum::history::alerts::Outcome::Again(time(9));
        history.attempted(1, &attempt(1, 9, false), again).unwrap();
        history.add_silence(&crate::silences::silence(1, 2), time(1)).unwrap().unwrap();
        let id = deliveries(history.as_ref())[0].id.clone();
        drop(history);
        Connection::open(folder.path().join("history.db")).unwrap().execute_batch(damage).unwrap();
        let history = open(&folder);
        let read = history
            .standings(&channel(0))
            .and_then(|_| history.alerts(&AlertQuery { limit: 9, ..AlertQuery::default() }))
            .and_then(|_| history.alert_changes(&ChangeQuery { limit: 9, ..ChangeQuery::default() }))
            .and_then(|_| history.waiting())
            .and_then(|_| history.due(&hook(), time(i64::MAX), 9))
            .and_then(|_| history.deliveries(&DeliveryQuery { limit: 9, ..DeliveryQuery::default() }))
            .and_then(|_| history.delivery(&id))
            .and_then(|_| history.silences(None));
        assert!(matches!(read, Err(HistoryError::Damaged(_))), "{damage}: {read:?}");
    }
}

#[test]
fn deliveries_are_found_by_any_filter() {
    let (_folder, history) = watched(2);
    for (index, name) in [(1, "hook"), (2, "mail"), (3, "hook"), (4, "mail")] {
        let rule = format!("rule-{index}");
        history.commit(&[told(&channel(0), &rule, Change::Firing, index * 10, &[notifier(name)])]).unwrap();
    }
    for (number, outcome) in [(1, true), (2, false)] {
        let outcome_of = if outcome {
            adsum::history::alerts::Outcome::Delivered
        } else {
            adsum::history::alerts::Outcome::Failed
        };
        history.attempted(number, &attempt(1, 100, outcome), outcome_of).unwrap();
    }
    let found = |query: DeliveryQuery| -> Vec<i64> {
        history.deliveries(&query).unwrap().iter().map(|delivery| delivery.number).collect()
    };
    let all = DeliveryQuery { limit: 9, ..DeliveryQuery::default() };
    assert_eq!(found(all.clone()), [1, 2, 3, 4]);
    assert_eq!(found(DeliveryQuery { limit: 2, after: 1, ..all.clone() }), [2, 3]);
    assert_eq!(found(DeliveryQuery { notifier: Some(hook()), ..all.clone() }), [1, 3]);
    let status = |status| DeliveryQuery { status: Some(status), ..all.clone() };
    assert_eq!(found(status(DeliveryStatus::Pending)), [3, 4]);
    assert_eq!(found(status(DeliveryStatus::Delivered)), [1]);
    assert_eq!(found(DeliveryQuery { notifier: Some(hook()), ..status(DeliveryStatus::Failed) }), [0; 0]);
    assert_eq!(found(DeliveryQuery { from: Some(time(20)), to: Some(time(40)), ..all.clone() }), [2, 3]);
    assert_eq!(found(DeliveryQuery { from: Some(time(41)), ..all.clone() }), [0; 0]);
    assert_eq!(found(DeliveryQuery { to: Some(time(11)), ..all }), [1]);
    assert_eq!(due(history.as_ref(), &hook(), i64::MAX), [3]);
}

#[test]
fn nobody_is_told_of_what_is_muted_or_pending_but_it_is_recorded() {
    let (_folder, history) = fresh();
    history.begin(&[channel(0)], time(0)).unwrap();
    let mut muted = told(&channel(0), "crowded", Change::Firing, 9, &[]);
    muted.alerts[0].standing.muted = Some(4);
    muted.alerts[0].notices[0].muted = Some(4);
    let pending = told(&channel(0), "quiet", Change::Pending, 9, &[hook()]);
    history.commit(&[muted, pending]).unwrap();
    assert_eq!(
        changes(history.as_ref()).iter().map(|change| change.muted).collect::<Vec<_>>(),
        [Some(4), None]
    );
    assert_eq!(history.standings(&channel(0)).unwrap()[0].muted, Some(4));
    assert_eq!(deliveries(history.as_ref()), []);
    assert_eq!(history.waiting().unwrap(), []);
}
