//! The transitions of alerts, rule by rule, and how their alerts stand.

use std::time::Duration;

use hashbrown::HashMap;

use super::audit::{About, Audit, is_ordered};
use super::law::Law;
use crate::domain::alert::{AlertId, AlertState, Change, Condition, RuleName};
use crate::domain::names::ChannelName;
use crate::domain::time::{Time, Window};
use crate::history::alerts::{AlertChange, AlertQuery, ChangeQuery, StandingAlert};
use crate::history::sqlite::alerts::{alert_changes, alerts};
use crate::history::{HistoryError, Result};

/// Rows are read in pages of so many.
const PAGE: usize = 1000;

/// A transition that follows another may be known so much earlier: by the time of an answer that was still under way.
const CROSSED: Duration = Duration::from_secs(60);

/// An alert's last transition.
struct Last {
    id: i64,
    alert: AlertId,
    change: Change,
    at: Time,
    since: Window,
    condition: Condition,
}

impl Last {
    fn is_over(&self) -> bool {
        matches!(self.change, Change::Inactive(_) | Change::Resolved(_))
    }
}

pub(super) fn check(audit: &mut Audit<'_>) -> Result<()> {
    audit.begin("alerts");
    for rule in rules(audit)? {
        match of_rule(audit, &rule) {
            // What another adsum may have written is told, and the rest is looked at.
            Err(HistoryError::Damaged(what)) => audit.broken(Law::Values, About::default(), || {
                format!("the alerts of rule {rule:?} cannot be read: {what}")
            }),
            checked => checked?,
        }
    }
    one_place_each(audit)
}

fn rules(audit: &Audit<'_>) -> Result<Vec<String>> {
    let mut list = audit.tx.prepare("SELECT rule FROM alert_changes UNION SELECT rule FROM alerts")?;
    let rules = list.query_map([], |row| row.get(0))?;
    Ok(rules.collect::<rusqlite::Result<_>>()?)
}

fn of_rule(audit: &mut Audit<'_>, rule: &str) -> Result<()> {
    let name =
        RuleName::new(rule).map_err(|_| HistoryError::Damaged("it is no name of a rule".to_owned()))?;
    let mut lasts: HashMap<ChannelName, Last> = HashMap::new();
    let mut query = ChangeQuery { rule: Some(name.clone()), limit: PAGE, ..ChangeQuery::default() };
    loop {
        let changes = alert_changes(audit.tx, &query)?;
        let Some(last) = changes.last() else { break };
        query.after = last.id;
        for change in changes {
            audit.row("alerts");
            audit.counts.transitions += 1;
            itself(audit, &change);
            goes_on(audit, &change, lasts.get(&change.channel));
            let AlertChange { id, channel, transition, .. } = change;
            let (alert, change) = (transition.alert, transition.change);
            let (at, since, condition) = (transition.at, transition.since, transition.condition);
            lasts.insert(channel, Last { id, alert, change, at, since, condition });
        }
    }
    stand(audit, &name, lasts)
}

fn itself(audit: &mut Audit<'_>, change: &AlertChange) {
    let windows = match change.transition.change {
        Change::Inactive(end) | Change::Resolved(end) => [Some(change.transition.since), end.ended],
        Change::Pending | Change::Firing | Change::Repeated => [Some(change.transition.since), None],
    };
    let ordered = |window: &Window| {
        is_ordered((window.not_before.map(Time::as_micros), Some(window.not_after.as_micros())))
    };
    if !windows.iter().flatten().all(ordered) {
        audit.broken(Law::Times, About::channel(change.channel.as_str()), || {
            format!("a window of transition {} ends before it begins", change.id)
        });
    }
}

/// What may come after a transition of the same alert.
fn may_follow(before: Change, change: Change) -> bool {
    match before {
        Change::Pending => matches!(change, Change::Firing | Change::Inactive(_)),
        Change::Firing | Change::Repeated => matches!(change, Change::Repeated | Change::Resolved(_)),
        Change::Inactive(_) | Change::Resolved(_) => false,
    }
}

/// The automaton, in a channel: `before` is the transition before this one. Some between the two may have expired.
fn goes_on(audit: &mut Audit<'_>, change: &AlertChange, before: Option<&Last>) {
    let (alert, now) = (change.transition.alert, change.transition.change);
    let cut = before.map_or(audit.meta.kept_since.is_some(), |before| may_be_missing(audit, before.at));
    let begins = matches!(now, Change::Pending | Change::Firing) || cut;
    let what = match before {
        Some(before) if before.alert == alert => {
            let fired_unseen = cut
                && before.change == Change::Pending
                && matches!(now, Change::Repeated | Change::Resolved(_));
            if before.condition != change.transition.condition {
                "of the same alert, of another condition"
            } else if may_follow(before.change, now) || fired_unseen {
                return;
            } else {
                "of the same alert, out of order"
            }
        }
        Some(before) if !before.is_over() && !cut => "of another alert, which was not over",
        _ if begins => return,
        Some(_) => "with which no alert begins",
        None => "the first, with which no alert begins",
    };
    audit.broken(Law::Alerts, About::channel(change.channel.as_str()), || {
        let after = before.map_or_else(String::new, |before| {
            format!(" after transition {} ({})", before.id, before.change.as_str())
        });
        format!("transition {} ({}) of rule {}{after} is {what}", change.id, now.as_str(), change.rule)
    });
}

fn may_be_missing(audit: &Audit<'_>, after: Time) -> bool {
    audit.meta.may_miss(after.minus(CROSSED).as_micros())
}

/// What stands is what the last transitions left.
fn stand(audit: &mut Audit<'_>, rule: &RuleName, mut lasts: HashMap<ChannelName, Last>) -> Result<()> {
    let mut query = AlertQuery { rule: Some(rule.clone()), limit: PAGE, ..AlertQuery::default() };
    loop {
        let standing = alerts(audit.tx, &query)?;
        let Some(last) = standing.last() else { break };
        query.after = Some((rule.clone(), last.channel.clone()));
        for alert in standing {
            audit.row("alerts");
            let last = lasts.remove(&alert.channel);
            let cut =
                last.as_ref().map_or(audit.meta.kept_since.is_some(), |last| may_be_missing(audit, last.at));
            if !cut && !last.as_ref().is_some_and(|last| stands(&alert, last)) {
                audit.broken(Law::Standings, About::channel(alert.channel.as_str()), || {
                    let last = last.map_or_else(
                        || "there is none".to_owned(),
                        |last| format!("it is transition {} ({})", last.id, last.change.as_str()),
                    );
                    format!("the alert of rule {rule} does not stand as its last transition says; {last}")
                });
            }
        }
    }
    for (channel, last) in lasts {
        if !last.is_over() && !may_be_missing(audit, last.at) {
            audit.broken(Law::Standings, About::channel(channel.as_str()), || {
                format!(
                    "transition {} ({}) of rule {rule} has no end, and no alert stands",
                    last.id,
                    last.change.as_str()
                )
            });
        }
    }
    Ok(())
}

fn stands(alert: &StandingAlert, last: &Last) -> bool {
    match (alert.standing.state, last.change) {
        (AlertState::Pending(pending), Change::Pending) => pending.id == last.alert,
        (AlertState::Firing(firing), Change::Firing | Change::Repeated) => {
            let (fired, told) = (firing.fired, firing.told);
            let fired_then = last.change == Change::Repeated || fired == last.at;
            firing.id == last.alert && firing.since == last.since && told == last.at && fired_then
        }
        _ => false,
    }
}

/// An alert is of one rule and one channel.
fn one_place_each(audit: &mut Audit<'_>) -> Result<()> {
    let sql = "SELECT alert, min(id), max(id) FROM alert_changes GROUP BY alert \
               HAVING min(rule) <> max(rule) OR min(channel_id) <> max(channel_id)";
    let mut find = audit.tx.prepare(sql)?;
    let mut rows = find.query([])?;
    while let Some(row) = rows.next()? {
        let (alert, first, last): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        audit.broken(Law::Alerts, About::default(), || {
            format!("alert {alert} is of several rules or channels, from transition {first} to {last}")
        });
    }
    Ok(())
}
