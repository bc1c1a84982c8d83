//! Gaps and runs.

use rusqlite::{Row, Transaction, params};

use super::names::channel_number;
use super::{codes, mark};
use crate::domain::gap::Gap;
use crate::domain::names::ChannelName;
use crate::domain::occupancy::Run;
use crate::domain::time::{Moment, Time};
use crate::history::{HistoryError, MAX_RUNS, Result};

/// The last run of channel `?1`, for [`run`].
pub(super) const LAST_RUN: &str = "SELECT first_earliest, first_latest, last_earliest, last_latest, widest, occupancy, \
    grade FROM runs WHERE channel_id = ?1 ORDER BY first_latest DESC LIMIT 1";

/// Runs of channel `?1` from the two that began last before `?2` on, in order of time.
const RUNS: &str = "SELECT first_earliest, first_latest, last_earliest, last_latest, widest, occupancy, grade \
    FROM runs WHERE channel_id = ?1 AND first_latest >= coalesce( \
        (SELECT first_latest FROM runs WHERE channel_id = ?1 AND first_latest <= ?2 \
         ORDER BY first_latest DESC LIMIT 1 OFFSET 1), ?3) \
    ORDER BY first_latest";

/// A run from its columns.
pub(super) fn run(row: &Row<'_>) -> Result<Run> {
    Ok(Run {
        first: Moment { earliest: row.get(0)?, latest: row.get(1)? },
        last: Moment { earliest: row.get(2)?, latest: row.get(3)? },
        widest: codes::span(row, 4)?,
        occupancy: row.get(5)?,
        grade: codes::grade(row, 6)?,
    })
}

/// See [`crate::history::History::runs`].
pub(super) fn runs(tx: &Transaction<'_>, channel: &ChannelName, from: Time, to: Time) -> Result<Vec<Run>> {
    let Some(channel_id) = channel_number(tx, channel)? else { return Ok(Vec::new()) };
    let mut list = tx.prepare_cached(RUNS)?;
    let mut rows = list.query(params![channel_id, from, i64::MIN])?;
    let mut runs: Vec<Run> = Vec::new();
    let mut last_of_all = true;
    while let Some(row) = rows.next()? {
        let run = run(row)?;
        if run.last.latest < from {
            // Only the last of those that end before it is wanted.
            runs.clear();
        }
        if runs.len() >= MAX_RUNS {
            return Err(HistoryError::TooMuch);
        }
        runs.push(run);
        if run.first.earliest > to {
            last_of_all = false;
            break;
        }
    }
    if last_of_all && let Some(last) = runs.last_mut() {
        *last = mark::proven(tx, channel_id, *last)?;
    }
    Ok(runs)
}

fn gap(row: &Row<'_>, at: usize) -> Result<Gap> {
    Ok(Gap {
        from: row.get(at)?,
        to: row.get(at + 1)?,
        reason: codes::reason(row, at + 2)?,
        users_only: row.get(at + 3)?,
    })
}

/// The gaps of a channel that last.
pub(super) fn open_gaps(tx: &Transaction<'_>, channel_id: i64) -> Result<Vec<Gap>> {
    let mut list = tx.prepare_cached(
        "SELECT began, ended, reason, users_only FROM gaps WHERE channel_id = ?1 AND ended IS NULL \
         ORDER BY began, users_only",
    )?;
    let mut rows = list.query([channel_id])?;
    let mut gaps = Vec::new();
    while let Some(row) = rows.next()? {
        gaps.push(gap(row, 0)?);
    }
    Ok(gaps)
}

/// `?1` to `?2` is the span, `(?3, ?4)` what the list goes on after.
const TOUCHING: &str = "SELECT c.name, g.began, g.ended, g.reason, g.users_only \
    FROM gaps g JOIN channels c ON c.id = g.channel_id \
    WHERE g.began < ?2 AND (g.ended IS NULL OR g.ended >= ?1) AND (g.began, g.channel_id) > (?3, ?4)";

/// See [`crate::history::History::gaps`].
pub(super) fn gaps(
    tx: &Transaction<'_>,
    channel: Option<&ChannelName>,
    (from, to): (Option<Time>, Option<Time>),
    after: Option<&(Time, ChannelName)>,
    limit: usize,
) -> Result<Vec<(ChannelName, Gap)>> {
    let channel_id = match channel {
        Some(channel) => match channel_number(tx, channel)? {
            Some(number) => number,
            None => return Ok(Vec::new()),
        },
        None => 0,
    };
    let filter = if channel.is_some() { "AND g.channel_id = ?5" } else { "AND ?5 = 0" };
    let mut list = tx.prepare_cached(&format!(
        "{TOUCHING} {filter} ORDER BY g.began, g.channel_id, g.users_only LIMIT ?6"
    ))?;
    let (after_began, after_channel) = match after {
        Some((began, channel)) => (began.as_micros(), channel_number(tx, channel)?.unwrap_or(0)),
        None => (i64::MIN, 0),
    };
    let mut rows = list.query(params![
        from.map_or(i64::MIN, Time::as_micros),
        to.map_or(i64::MAX, Time::as_micros),
        after_began,
        after_channel,
        channel_id,
        codes::limit_code(limit.saturating_add(1)),
    ])?;
    let mut gaps: Vec<(ChannelName, Gap)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (name, gap) = (codes::channel_name(row, 0)?, gap(row, 1)?);
        let begins_with_last =
            gaps.last().is_some_and(|(other, last)| *other == name && last.from == gap.from);
        if gaps.len() < limit || begins_with_last {
            gaps.push((name, gap));
        }
    }
    Ok(gaps)
}

/// See [`crate::history::History::newest`]. A channel's last run is found by its key, so this looks at one row a channel.
pub(super) fn newest(tx: &Transaction<'_>) -> Result<Option<Time>> {
    let sql = "SELECT max(at) FROM ( \
                   SELECT max((SELECT last_latest FROM runs WHERE channel_id = c.id \
                               ORDER BY first_latest DESC LIMIT 1)) AS at FROM channels c \
                   UNION ALL SELECT max(complete_latest) FROM channels \
                   UNION ALL SELECT max(began) FROM gaps \
                   UNION ALL SELECT max(last_latest) FROM discoveries \
                   UNION ALL SELECT max(max(floor, latest)) FROM mark \
                   UNION ALL SELECT max(latest) FROM mark_others \
                   UNION ALL SELECT alive FROM meta)";
    Ok(tx.query_row(sql, [], |row| row.get(0))?)
}
