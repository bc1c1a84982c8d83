//! Discoveries: what they observed of channels that have no row.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::{codes, write};
use crate::domain::names::{ChannelName, Pattern};
use crate::domain::observation::Grade;
use crate::domain::occupancy::Run;
use crate::domain::time::{Moment, Time};
use crate::history::{Discovery, HistoryError, Result, Unlisted};

/// A series that is over is shortened so much sooner than one that goes on. A channel that it listed may be forgotten by
/// then, and is unwatched since a little earlier than its watch ended: nothing may be answered for it.
const SOONER: std::time::Duration = std::time::Duration::from_secs(3600);

/// The last discovery for each pattern.
pub(super) fn last(tx: &Transaction<'_>) -> Result<Vec<(Pattern, Moment)>> {
    let mut list = tx.prepare_cached(
        "SELECT pattern, last_earliest, last_latest FROM discoveries d \
         WHERE first_latest = (SELECT max(first_latest) FROM discoveries WHERE pattern = d.pattern)",
    )?;
    let mut rows = list.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((pattern(row)?, Moment { earliest: row.get(1)?, latest: row.get(2)? }));
    }
    Ok(found)
}

fn pattern(row: &Row<'_>) -> Result<Pattern> {
    let text: String = row.get(0)?;
    Pattern::new(&text).map_err(|_| HistoryError::Damaged(format!("{text:?} is no pattern")))
}

/// See [`crate::history::History::discovered`]. What is listed begins with what the discovery before says of it.
pub(super) fn discovered(tx: &Transaction<'_>, discovery: &Discovery) -> Result<()> {
    let moment = discovery.moment;
    write::begin(tx, &discovery.listed, moment.latest)?;
    let newest = "SELECT max(last_latest) FROM discoveries WHERE over = 0";
    let newest: Option<Time> = tx.prepare_cached(newest)?.query_row([], |row| row.get(0))?;
    if newest.is_some_and(|newest| newest > moment.earliest) {
        return Ok(());
    }
    // Series that nobody goes on with are over: of a pattern that is gone, or after a pause.
    let paused = "UPDATE discoveries SET over = 1 WHERE over = 0 AND last_latest < ?1";
    tx.prepare_cached(paused)?.execute([moment.latest.minus(discovery.patience)])?;
    let mut extend = tx.prepare_cached(
        "UPDATE discoveries SET widest = max(widest, ?2 - last_earliest), last_earliest = ?1, last_latest = ?2 \
         WHERE pattern = ?3 AND over = 0",
    )?;
    let mut start = tx
        .prepare_cached("INSERT INTO discoveries VALUES (?3, ?1, ?2, ?1, ?2, 0, 0) ON CONFLICT DO NOTHING")?;
    for pattern in &discovery.patterns {
        let row = params![moment.earliest, moment.latest, pattern.as_str()];
        if extend.execute(row)? == 0 {
            start.execute(row)?;
        }
    }
    let gone = "UPDATE discoveries SET over = 1 WHERE over = 0 AND last_latest < ?1";
    tx.prepare_cached(gone)?.execute([moment.latest])?;
    Ok(())
}

/// See [`crate::history::History::unlisted`].
pub(super) fn unlisted(tx: &Transaction<'_>, channel: &ChannelName, at: Time) -> Result<Option<Unlisted>> {
    let absent = "SELECT absent_until FROM channels WHERE name = ?1";
    let absent: Option<Option<Time>> =
        tx.prepare_cached(absent)?.query_row([channel.as_str()], |row| row.get(0)).optional()?;
    // What was listed once has a row, and from then on the discoveries say nothing more here.
    let until = match absent {
        Some(None) => return Ok(None),
        Some(until) => until,
        None => None,
    };
    let mut list = tx.prepare_cached(
        "SELECT pattern, first_earliest, first_latest, last_earliest, last_latest, widest, over FROM discoveries d \
         WHERE first_latest <= ?1 AND first_latest = \
             (SELECT max(first_latest) FROM discoveries WHERE pattern = d.pattern AND first_latest <= ?1)",
    )?;
    let mut rows = list.query([at])?;
    let mut found: Option<Unlisted> = None;
    while let Some(row) = rows.next()? {
        let series = series(row, until)?;
        let further = found.is_none_or(|found: Unlisted| series.run.last.earliest > found.run.last.earliest);
        if further && series.run.first.latest <= at && pattern(row)?.matches(channel) {
            found = Some(series);
        }
    }
    Ok(found)
}

/// A series, as far as it goes for a channel that is listed after `until`.
fn series(row: &Row<'_>, until: Option<Time>) -> Result<Unlisted> {
    let first = Moment { earliest: row.get(1)?, latest: row.get(2)? };
    let mut last = Moment { earliest: row.get(3)?, latest: row.get(4)? };
    let over: bool = row.get(6)?;
    let cut = until.filter(|until| *until < last.earliest);
    if let Some(until) = cut {
        last = Moment { earliest: until, latest: until };
    }
    let run = Run { first, last, widest: codes::span(row, 5)?, occupancy: 0, grade: Grade::Complete };
    Ok(Unlisted { run, goes_on: !over && until.is_none() })
}

/// Forgets what is older than is kept: of a series only what is, however long ago it began.
pub(super) fn expire(tx: &Transaction<'_>, before: Time) -> Result<()> {
    let sooner = before.plus(SOONER);
    let gone = "DELETE FROM discoveries WHERE over = 1 AND last_earliest < ?1";
    tx.prepare_cached(gone)?.execute([sooner])?;
    // Where two would begin together, which only a clock that was set back can bring about, one is enough.
    let shorten = "UPDATE OR REPLACE discoveries SET first_earliest = min(?1, last_latest), first_latest = min(?1, last_latest) \
                   WHERE over = ?2 AND first_latest < ?1";
    let mut shorten = tx.prepare_cached(shorten)?;
    shorten.execute(params![sooner, true])?;
    shorten.execute(params![before, false])?;
    Ok(())
}
