//! What holds of alerts in every world, whatever could be recorded of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use adsum::domain::alert::{AlertState, Change, Condition, End, NotifierName, Rule, Why};
use adsum::domain::time::Window;
use adsum::history::alerts::{AlertChange, DeliveryKind, DeliveryStatus};

use crate::lives::Past;
use crate::truth::Truth;

/// The changes of each alert's rule and channel.
type ByAlert<'a> = BTreeMap<(&'a str, &'a str), Vec<&'a AlertChange>>;

pub(super) fn by_alert(past: &Past) -> ByAlert<'_> {
    let mut all = ByAlert::new();
    for change in &past.record.changes {
        all.entry((change.rule.as_str(), change.channel.as_str())).or_default().push(change);
    }
    all
}

fn rule<'a>(past: &'a Past, name: &str) -> &'a Arc<Rule> {
    past.world.plan.rules.iter().find(|rule| rule.name.as_str() == name).unwrap()
}

/// Pending, then inactive or firing, then repeated as often as may be, then resolved: with one id, which no other has, and
/// with the same beginning; and at times that never go back.
pub(super) fn alerts_go_their_way(past: &Past) -> Vec<String> {
    let (mut broken, mut ids) = (Vec::new(), BTreeSet::new());
    for ((name, channel), changes) in by_alert(past) {
        let waits = !rule(past, name).hold_for.is_zero();
        let mut before: Option<&AlertChange> = None;
        for change in changes {
            let last = before.map(|before| before.transition.change);
            let begins = matches!(last, None | Some(Change::Inactive(_) | Change::Resolved(_)));
            let fits = match change.transition.change {
                Change::Pending => begins && waits,
                Change::Firing => {
                    if waits {
                        last == Some(Change::Pending)
                    } else {
                        begins
                    }
                }
                Change::Inactive(_) => last == Some(Change::Pending),
                Change::Repeated | Change::Resolved(_) => {
                    matches!(last, Some(Change::Firing | Change::Repeated))
                }
            };
            let new = begins && !ids.insert(change.transition.alert.to_string());
            let other = !begins
                && before.is_some_and(|before| {
                    let (before, now) = (&before.transition, &change.transition);
                    // What a gap made pending may go on pending for what was seen after it.
                    let moves = before.change == Change::Pending && is_of_gap(before.since);
                    before.alert != now.alert || (before.since != now.since && !moves)
                });
            let back = before.is_some_and(|before| before.transition.at > change.transition.at);
            if !fits || new || other || back {
                broken.push(format!("{name} of {channel}: {change:?} after {before:?}"));
            }
            before = Some(change);
        }
    }
    broken
}

/// Whether this is when a gap began.
fn is_of_gap(since: Window) -> bool {
    since.not_before == Some(since.not_after)
}

/// How alerts stand is what their changes lead to.
pub(super) fn alerts_stand_as_their_changes_say(past: &Past) -> Vec<String> {
    let mut broken = Vec::new();
    let mut expected: BTreeMap<(&str, &str), (bool, String)> = BTreeMap::new();
    for (key, changes) in by_alert(past) {
        let last = &changes[changes.len() - 1].transition;
        match last.change {
            Change::Inactive(_) | Change::Resolved(_) => {}
            change => {
                expected.insert(key, (change != Change::Pending, last.alert.to_string()));
            }
        }
    }
    for alert in &past.record.standing {
        let (name, channel) = (alert.standing.rule.as_str(), alert.channel.as_str());
        let firing = matches!(alert.standing.state, AlertState::Firing(_));
        let found = alert.standing.state.id().map(|id| (firing, id.to_string()));
        let said = expected.remove(&(name, channel));
        if found != said {
            broken.push(format!("{name} of {channel} stands {alert:?}, its changes say {said:?}"));
        }
    }
    broken.extend(
        expected.into_iter().map(|(key, said)| format!("{key:?} stands nowhere, its changes say {said:?}")),
    );
    broken
}

/// Every change that somebody is to be told of is in one delivery to each of them, and nothing else is in any; all were
/// taken by the end, in order.
pub(super) fn who_is_to_be_told_is_told_once(past: &Past) -> Vec<String> {
    let mut broken = Vec::new();
    let mut expected: BTreeSet<(NotifierName, i64)> = BTreeSet::new();
    for change in &past.record.changes {
        let rule = rule(past, change.rule.as_str());
        let told = match change.transition.change {
            Change::Firing | Change::Repeated => true,
            Change::Resolved(_) => rule.send_resolved,
            Change::Pending | Change::Inactive(_) => false,
        };
        if told {
            expected.extend(rule.notify.iter().map(|name| (name.clone(), change.id)));
        }
    }
    let mut latest: BTreeMap<(NotifierName, String, String), usize> = BTreeMap::new();
    for (delivery, changes) in &past.record.deliveries {
        for change in changes {
            let kind = match change.transition.change {
                Change::Firing => Some(DeliveryKind::Firing),
                Change::Repeated => Some(DeliveryKind::Repeated),
                Change::Resolved(_) => Some(DeliveryKind::Resolved),
                Change::Pending | Change::Inactive(_) => None,
            };
            if !expected.remove(&(delivery.notifier.clone(), change.id)) || kind != Some(delivery.kind) {
                broken.push(format!("{change:?} is in {delivery:?}"));
            }
        }
        let taken = past.taken.iter().position(|id| *id == delivery.id);
        let age = past.scale.shown(past.record.read_at).since(delivery.created).as_secs();
        match (delivery.status, taken) {
            (DeliveryStatus::Delivered, None) => broken.push(format!("{delivery:?} was not taken")),
            (DeliveryStatus::Failed, _) => broken.push(format!("{delivery:?} failed")),
            // A try that was not taken in the end may wait for the next for minutes.
            (DeliveryStatus::Pending, _) if age > 320 => broken.push(format!("{delivery:?} waits")),
            _ => {}
        }
        let Some(taken) = taken else { continue };
        for change in changes {
            let key = (delivery.notifier.clone(), change.rule.to_string(), change.channel.to_string());
            let before = latest.insert(key, taken);
            if before.is_some_and(|before| before > taken) {
                broken.push(format!("{delivery:?} was taken before one that it follows"));
            }
        }
    }
    broken.extend(expected.iter().map(|missing| format!("{missing:?} is in no delivery")));
    broken
}

/// What began to hold did so in the window that says when, and so did what ceased to.
pub(super) fn windows_of_alerts_hold_the_truth(past: &Past) -> Vec<String> {
    let mut broken = Vec::new();
    for ((name, channel), changes) in by_alert(past) {
        let rule = rule(past, name);
        let Some(rises) = rises(past, channel, &rule.condition) else { continue };
        let mut checked = None;
        for change in &changes {
            let transition = &change.transition;
            if is_of_gap(transition.since) || checked == Some(transition.alert) {
                continue;
            }
            checked = Some(transition.alert);
            if transition.since.not_before.is_some() && !holds_one(past, transition.since, &rises.0) {
                broken.push(format!("{name} of {channel} did not begin to hold then: {change:?}"));
            }
        }
        for change in &changes {
            let since = change.transition.since;
            let (Change::Inactive(End { why: Why::Cleared, ended: Some(ended) })
            | Change::Resolved(End { ended: Some(ended), .. })) = change.transition.change
            else {
                continue;
            };
            // A pending one ends also within the band.
            let pending = matches!(change.transition.change, Change::Inactive(_));
            let falls = if pending { &rises.2 } else { &rises.1 };
            if !is_of_gap(since) && ended.not_before.is_some() && !holds_one(past, ended, falls) {
                broken.push(format!("{name} of {channel} did not cease to hold then: {change:?}"));
            }
        }
    }
    broken
}

fn holds_one(past: &Past, window: Window, times: &[i64]) -> bool {
    times.iter().any(|at| window.contains(past.scale.shown(*at)))
}

/// When the condition began to hold, when it began to be clear, and when it ceased to hold. `None`: it is about what adsum
/// sees.
fn rises(past: &Past, channel: &str, condition: &Condition) -> Option<(Vec<i64>, Vec<i64>, Vec<i64>)> {
    let truth = &past.world.truth;
    let mut times: Vec<i64> = truth
        .of_channel(channel)
        .flat_map(|(_, stays)| stays)
        .flat_map(|stay| [stay.from, stay.to])
        .collect();
    times.sort_unstable();
    times.dedup();
    let at = |at: i64| verdict(truth, channel, condition, at);
    let mut before = at(i64::MIN)?;
    let (mut holds, mut clear, mut ceases) = (Vec::new(), Vec::new(), Vec::new());
    for time in times {
        let now = at(time)?;
        if now.0 && !before.0 {
            holds.push(time);
        }
        if now.1 && !before.1 {
            clear.push(time);
        }
        if !now.0 && before.0 {
            ceases.push(time);
        }
        before = now;
    }
    Some((holds, clear, ceases))
}

/// Whether a condition truly holds, and whether it is clear.
fn verdict(truth: &Truth, channel: &str, condition: &Condition, at: i64) -> Option<(bool, bool)> {
    let here = truth.here(channel, at);
    let count = u32::try_from(here.len()).unwrap();
    let there = |user: &str| here.iter().any(|here| here.user == user);
    Some(match condition {
        Condition::OccupancyAbove { bound, clear_below } => (count > *bound, count < *clear_below),
        Condition::OccupancyBelow { bound, clear_above } => (count < *bound, count > *clear_above),
        Condition::UserPresent { user } => (there(user.as_str()), !there(user.as_str())),
        Condition::UserAbsent { user } => (!there(user.as_str()), there(user.as_str())),
        Condition::Unobserved => return None,
    })
}
