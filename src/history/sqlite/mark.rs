//! Marks: what is proven of channels in which nothing changes; and what a crash leaves of them.

use rusqlite::{OptionalExtension, Transaction, params};

use super::codes;
use crate::domain::gap::GapReason;
use crate::domain::occupancy::Run;
use crate::domain::time::Moment;
use crate::history::{Mark, Result};

/// See [`crate::history::History::mark`].
pub(super) fn mark(tx: &Transaction<'_>, mark: &Mark) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO mark (only_row, floor, widest) VALUES (1, ?1, ?2)";
    tx.prepare_cached(sql)?.execute(params![mark.floor, codes::span_code(mark.widest)])?;
    tx.prepare_cached("DELETE FROM mark_others")?.execute([])?;
    let mut other = tx.prepare_cached(
        "INSERT OR REPLACE INTO mark_others (channel_id, earliest, latest) \
         SELECT id, ?2, ?3 FROM channels WHERE name = ?1",
    )?;
    for (channel, last) in &mark.others {
        other.execute(params![channel.as_str(), last.earliest, last.latest])?;
    }
    Ok(())
}

/// The channel's last run, up to where the last mark proves it. In a full gap a mark says nothing of a channel.
pub(super) fn proven(tx: &Transaction<'_>, channel_id: i64, run: Run) -> Result<Run> {
    let mut find = tx.prepare_cached(
        "SELECT coalesce(o.earliest, m.floor), coalesce(o.latest, m.floor), m.widest \
         FROM mark m LEFT JOIN mark_others o ON o.channel_id = ?1 \
         WHERE NOT EXISTS (SELECT 1 FROM gaps WHERE channel_id = ?1 AND ended IS NULL AND users_only = 0)",
    )?;
    let found = find.query_row([channel_id], |row| {
        Ok((Moment { earliest: row.get(0)?, latest: row.get(1)? }, row.get::<_, i64>(2)?))
    });
    let Some((moment, widest)) = found.optional()? else { return Ok(run) };
    if moment.earliest <= run.last.earliest {
        return Ok(run);
    }
    let latest = run.last.latest.max(moment.latest);
    let widest = std::time::Duration::from_micros(u64::try_from(widest).unwrap_or(0));
    Ok(Run { last: Moment { latest, ..moment }, widest: run.widest.max(widest), ..run })
}

/// Channels that were not observed when adsum ended, for whichever reason.
const IN_GAP: &str = "SELECT channel_id FROM gaps WHERE ended IS NULL AND users_only = 0";

/// See [`crate::history::History::recover`].
pub(super) fn recover(tx: &Transaction<'_>) -> Result<usize> {
    let watched: i64 = tx.query_row(
        &format!("SELECT count(*) FROM channels WHERE id NOT IN ({IN_GAP} AND reason IN (?1, ?2))"),
        params![codes::reason_code(GapReason::Stopped), codes::reason_code(GapReason::Unwatched)],
        |row| row.get(0),
    )?;
    // The same as `proven`, for all channels at once.
    tx.execute(
        &format!(
            "WITH proven AS MATERIALIZED ( \
                 SELECT c.id, coalesce(o.earliest, m.floor) AS earliest, coalesce(o.latest, m.floor) AS latest, \
                 m.widest, (SELECT max(first_latest) FROM runs WHERE channel_id = c.id) AS first_latest \
                 FROM mark m CROSS JOIN channels c LEFT JOIN mark_others o ON o.channel_id = c.id \
                 WHERE c.id NOT IN ({IN_GAP})) \
             UPDATE runs SET last_earliest = p.earliest, last_latest = max(last_latest, p.latest), \
             widest = max(runs.widest, p.widest) FROM proven p \
             WHERE runs.channel_id = p.id AND runs.first_latest = p.first_latest \
             AND p.earliest > runs.last_earliest"
        ),
        [],
    )?;
    tx.execute(
        &format!(
            "INSERT INTO gaps (channel_id, began, users_only, ended, reason) \
             SELECT c.id, coalesce((SELECT last_earliest FROM runs WHERE channel_id = c.id \
                                    ORDER BY first_latest DESC LIMIT 1), c.began), 0, NULL, ?1 \
             FROM channels c WHERE c.id NOT IN ({IN_GAP}) \
             ON CONFLICT (channel_id, began, users_only) DO UPDATE SET ended = NULL, reason = excluded.reason"
        ),
        [codes::reason_code(GapReason::Crashed)],
    )?;
    // A mark speaks of the time before this start only.
    tx.execute("DELETE FROM mark", [])?;
    tx.execute("DELETE FROM mark_others", [])?;
    Ok(usize::try_from(watched).unwrap_or(0))
}
