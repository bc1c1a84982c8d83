//! How alerts stand: a row for each that is not inactive.

use rusqlite::{Row, Transaction, params};

use super::codes;
use crate::domain::alert::{AlertState, RuleName};
use crate::domain::names::ChannelName;
use crate::history::Result;
use crate::history::alerts::{AlertQuery, Standing, StandingAlert};
use crate::history::sqlite::codes::{channel_name, limit_code};

const COLUMNS: &str = "rule, terms, severity, state, muted, tell_end, channel";

const STAND: &str = "INSERT INTO alerts (rule, channel, terms, severity, state, muted, tell_end) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (rule, channel) DO UPDATE SET terms = excluded.terms, \
    severity = excluded.severity, state = excluded.state, muted = excluded.muted, tell_end = excluded.tell_end";

/// How the alert of a rule and a channel stands from now on.
pub(super) fn stand(tx: &Transaction<'_>, channel: &ChannelName, standing: &Standing) -> Result<()> {
    let Standing { rule, terms, severity, state, muted, tell_end } = standing;
    if *state == AlertState::Inactive {
        let mut forget = tx.prepare_cached("DELETE FROM alerts WHERE rule = ?1 AND channel = ?2")?;
        forget.execute([rule.as_str(), channel.as_str()])?;
        return Ok(());
    }
    tx.prepare_cached(STAND)?.execute(params![
        rule.as_str(),
        channel.as_str(),
        terms,
        codes::severity_code(*severity),
        state.to_json(),
        muted,
        codes::names_code(tell_end),
    ])?;
    Ok(())
}

/// See [`crate::history::alerts::AlertHistory::standings`].
pub(super) fn standings(tx: &Transaction<'_>, channel: &ChannelName) -> Result<Vec<Standing>> {
    let mut list =
        tx.prepare_cached(&format!("SELECT {COLUMNS} FROM alerts WHERE channel = ?1 ORDER BY rule"))?;
    let mut rows = list.query([channel.as_str()])?;
    let mut standings = Vec::new();
    while let Some(row) = rows.next()? {
        standings.push(standing(row)?);
    }
    Ok(standings)
}

/// `(?1, ?2)` is what the list goes on after, `?3` the limit, `?4` the rule, `?5` the channel.
fn sql(query: &AlertQuery) -> String {
    let rule = if query.rule.is_some() { "rule = ?4" } else { "?4 IS NULL" };
    let channel = if query.channel.is_some() { "channel = ?5" } else { "?5 IS NULL" };
    format!(
        "SELECT {COLUMNS} FROM alerts WHERE {rule} AND {channel} AND (rule, channel) > (?1, ?2) \
         ORDER BY rule, channel LIMIT ?3"
    )
}

/// See [`crate::history::alerts::AlertHistory::alerts`].
pub(in crate::history::sqlite) fn alerts(
    tx: &Transaction<'_>,
    query: &AlertQuery,
) -> Result<Vec<StandingAlert>> {
    // No name is empty.
    let (rule, channel) =
        query.after.as_ref().map_or(("", ""), |(rule, channel)| (rule.as_str(), channel.as_str()));
    let mut list = tx.prepare_cached(&sql(query))?;
    let mut rows = list.query(params![
        rule,
        channel,
        limit_code(query.limit),
        query.rule.as_ref().map(RuleName::as_str),
        query.channel.as_ref().map(ChannelName::as_str),
    ])?;
    let mut alerts = Vec::new();
    while let Some(row) = rows.next()? {
        alerts.push(StandingAlert { channel: channel_name(row, 6)?, standing: standing(row)? });
    }
    Ok(alerts)
}

fn standing(row: &Row<'_>) -> Result<Standing> {
    Ok(Standing {
        rule: codes::rule(row, 0)?,
        terms: row.get(1)?,
        severity: codes::severity(row, 2)?,
        state: codes::state(row, 3)?,
        muted: row.get(4)?,
        tell_end: codes::notifiers(row, 5)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::sqlite::open::tests::plan;

    #[test]
    fn no_list_of_alerts_is_sorted_or_searched_from_end_to_end() {
        let rule = || Some(RuleName::new("crowded").unwrap());
        let channel = || Some(ChannelName::new("lobby").unwrap());
        for (rule, channel) in [(None, None), (rule(), None), (None, channel()), (rule(), channel())] {
            let steps = plan(&sql(&AlertQuery { rule, channel, ..AlertQuery::default() }));
            assert!(steps.iter().all(|step| step.starts_with("SEARCH")), "{steps:#?}");
        }
    }
}
