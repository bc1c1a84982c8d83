//! The history of alerts: a row for each transition.

use rusqlite::{Row, Transaction, params};

use super::codes;
use crate::domain::alert::{RuleName, Transition};
use crate::domain::time::Time;
use crate::history::Result;
use crate::history::alerts::{AlertChange, ChangeQuery, Notice, Standing};
use crate::history::sqlite::codes::{channel_name, limit_code, reason_code, some_window};
use crate::history::sqlite::names::channel_number;

/// What [`change`] reads, of `alert_changes a` and `channels c`.
pub(super) const COLUMNS: &str = "a.id, a.rule, a.severity, c.name, a.alert, a.at, a.change, a.why, a.ended_from, \
    a.ended_to, a.since_from, a.since_to, a.condition, a.occupancy, a.gap, a.muted";

const NOTE: &str = "INSERT INTO alert_changes (rule, severity, channel_id, alert, at, change, why, ended_from, ended_to, \
    since_from, since_to, condition, occupancy, gap, muted) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";

/// Writes a transition and gives its number.
pub(super) fn note(
    tx: &Transaction<'_>,
    channel_id: i64,
    standing: &Standing,
    notice: &Notice,
) -> Result<i64> {
    let Transition { alert, at, change, since, condition, occupancy, gap } = &notice.transition;
    let end = codes::end(*change);
    let ended = end.and_then(|end| end.ended);
    Ok(tx.prepare_cached(NOTE)?.insert(params![
        standing.rule.as_str(),
        codes::severity_code(standing.severity),
        channel_id,
        alert.to_string(),
        at,
        codes::change_code(*change),
        end.map(|end| codes::why_code(end.why)),
        ended.and_then(|ended| ended.not_before),
        ended.map(|ended| ended.not_after),
        since.not_before,
        since.not_after,
        codes::condition_code(condition),
        occupancy,
        gap.map(reason_code),
        notice.muted,
    ])?)
}

/// `?1` is the number to go on after, `?2` to `?3` the span, `?4` the limit, `?5` the alert, `?6` the rule, `?7` the
/// channel.
fn sql(query: &ChangeQuery) -> String {
    let alert = if query.alert.is_some() { "a.alert = ?5" } else { "?5 IS NULL" };
    let rule = if query.rule.is_some() { "a.rule = ?6" } else { "?6 IS NULL" };
    let channel = if query.channel.is_some() { "a.channel_id = ?7" } else { "?7 IS NULL" };
    let all = query.alert.is_none() && query.rule.is_none() && query.channel.is_none();
    let span = if all && (query.from.is_some() || query.to.is_some()) { SPAN } else { "" };
    format!(
        "SELECT {COLUMNS} FROM alert_changes a JOIN channels c ON c.id = a.channel_id \
         WHERE {alert} AND {rule} AND {channel} AND a.id > ?1 AND +a.at >= ?2 AND +a.at < ?3 {span} \
         ORDER BY a.id LIMIT ?4"
    )
}

/// Numbers follow times closely, so those of a span are close together.
const SPAN: &str = "AND a.id BETWEEN (SELECT min(id) FROM alert_changes INDEXED BY alert_changes_by_time \
                                      WHERE at >= ?2 AND at < ?3) \
                    AND (SELECT max(id) FROM alert_changes INDEXED BY alert_changes_by_time \
                         WHERE at >= ?2 AND at < ?3)";

/// See [`crate::history::alerts::AlertHistory::alert_changes`].
pub(in crate::history::sqlite) fn alert_changes(
    tx: &Transaction<'_>,
    query: &ChangeQuery,
) -> Result<Vec<AlertChange>> {
    let channel_id = match &query.channel {
        None => None,
        Some(channel) => match channel_number(tx, channel)? {
            None => return Ok(Vec::new()),
            found => found,
        },
    };
    let mut list = tx.prepare_cached(&sql(query))?;
    let mut rows = list.query(params![
        query.after,
        query.from.map_or(i64::MIN, Time::as_micros),
        query.to.map_or(i64::MAX, Time::as_micros),
        limit_code(query.limit),
        query.alert.map(|alert| alert.to_string()),
        query.rule.as_ref().map(RuleName::as_str),
        channel_id,
    ])?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        changes.push(change(row)?);
    }
    Ok(changes)
}

/// A transition from its [`COLUMNS`].
pub(super) fn change(row: &Row<'_>) -> Result<AlertChange> {
    Ok(AlertChange {
        id: row.get(0)?,
        rule: codes::rule(row, 1)?,
        severity: codes::severity(row, 2)?,
        channel: channel_name(row, 3)?,
        transition: Transition {
            alert: codes::alert_id(row, 4)?,
            at: row.get(5)?,
            change: codes::change(row, 6)?,
            since: some_window(row, 10)?,
            condition: codes::condition(row, 12)?,
            occupancy: row.get(13)?,
            gap: codes::some_reason(row, 14)?,
        },
        muted: row.get(15)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::AlertId;
    use crate::domain::names::ChannelName;
    use crate::history::sqlite::open::tests::plan;

    #[test]
    fn no_list_of_transitions_is_sorted_or_searched_from_end_to_end() {
        let alert = || Some(AlertId::new(uuid::Uuid::nil()));
        let rule = || Some(RuleName::new("crowded").unwrap());
        let channel = || Some(ChannelName::new("lobby").unwrap());
        for (alert, rule, channel) in [
            (None, None, None),
            (alert(), None, None),
            (None, rule(), None),
            (None, None, channel()),
            (alert(), rule(), channel()),
        ] {
            for from in [None, Some(Time::from_micros(1))] {
                let (alert, rule, channel) = (alert, rule.clone(), channel.clone());
                let query = ChangeQuery { alert, rule, channel, from, ..ChangeQuery::default() };
                let steps = plan(&sql(&query));
                let subquery = |step: &String| step.starts_with("SCALAR SUBQUERY");
                assert!(
                    steps.iter().all(|step| step.starts_with("SEARCH") || subquery(step)),
                    "{query:?}: {steps:#?}"
                );
            }
        }
    }
}
