//! Marks: what is proven of channels in which nothing changes; and what a crash leaves of them.

use rusqlite::{Transaction, params};

use super::codes;
use crate::domain::gap::GapReason;
use crate::domain::occupancy::Run;
use crate::domain::time::{Moment, Time};
use crate::history::{Mark, Result};

/// Where a named channel is proven to of which nothing is: before every observation, so that nothing is lifted to it.
const NOWHERE: Moment = Moment { earliest: Time::from_micros(i64::MIN), latest: Time::from_micros(i64::MIN) };

/// See [`crate::history::History::mark`].
pub(super) fn mark(tx: &Transaction<'_>, mark: &Mark) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO mark (only_row, floor, latest, widest) VALUES (1, ?1, ?2, ?3)";
    let (floor, widest) = (mark.floor, codes::span_code(mark.widest));
    tx.prepare_cached(sql)?.execute(params![floor.earliest, floor.latest, widest])?;
    tx.prepare_cached("DELETE FROM mark_others")?.execute([])?;
    let mut other = tx.prepare_cached(
        "INSERT OR REPLACE INTO mark_others (channel_id, earliest, latest) \
         SELECT id, ?2, ?3 FROM channels WHERE name = ?1",
    )?;
    for (channel, last) in &mark.others {
        let last = last.unwrap_or(NOWHERE);
        other.execute(params![channel.as_str(), last.earliest, last.latest])?;
    }
    Ok(())
}

/// See [`crate::history::History::alive`].
pub(super) fn alive(tx: &Transaction<'_>, at: Time) -> Result<()> {
    tx.prepare_cached("UPDATE meta SET alive = ?1 WHERE coalesce(alive, ?1) <= ?1")?.execute([at])?;
    Ok(())
}

/// What the last mark adds: the last runs that it lifts, and where to. It does so only if the mark's moment is certainly
/// after the last observation that was committed: a run with a later one was committed after the mark was taken, and
/// only its own observations prove it. In a full gap a mark says nothing of a channel.
const LIFTED: &str = "SELECT r.channel_id, r.first_latest, coalesce(o.earliest, m.floor) AS earliest, \
    coalesce(o.latest, max(m.floor, m.latest)) AS latest, max(r.widest, m.widest) AS widest \
    FROM mark m CROSS JOIN channels c \
    JOIN runs r ON r.channel_id = c.id \
        AND r.first_latest = (SELECT max(first_latest) FROM runs WHERE channel_id = c.id) \
    LEFT JOIN mark_others o ON o.channel_id = c.id \
    WHERE coalesce(o.earliest, m.floor) >= r.last_latest AND NOT EXISTS ( \
        SELECT 1 FROM gaps WHERE channel_id = c.id AND ended IS NULL AND users_only = 0)";

/// The channel's last run, up to where the last mark proves it.
pub(super) fn proven(tx: &Transaction<'_>, channel_id: i64, run: Run) -> Result<Run> {
    let mut find = tx.prepare_cached(&format!("{LIFTED} AND c.id = ?1"))?;
    let mut rows = find.query([channel_id])?;
    let Some(row) = rows.next()? else { return Ok(run) };
    let last = Moment { earliest: row.get(2)?, latest: row.get(3)? };
    Ok(Run { last, widest: codes::span(row, 4)?, ..run })
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
    tx.execute(
        &format!(
            "WITH lifted AS MATERIALIZED ({LIFTED}) \
             UPDATE runs SET last_earliest = l.earliest, last_latest = l.latest, widest = l.widest FROM lifted l \
             WHERE runs.channel_id = l.channel_id AND runs.first_latest = l.first_latest"
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
    tx.execute("UPDATE discoveries SET over = 1", [])?;
    // A mark speaks of the time before this start only.
    tx.execute("DELETE FROM mark", [])?;
    tx.execute("DELETE FROM mark_others", [])?;
    Ok(usize::try_from(watched).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::sqlite::open::tests::plan;

    #[test]
    fn what_a_mark_adds_to_one_channel_is_found_without_looking_at_others() {
        let steps = plan(&format!("{LIFTED} AND c.id = ?1"));
        let searched = |step: &String| !step.starts_with("SCAN") || step == "SCAN m";
        assert!(steps.len() > 3 && steps.iter().all(searched), "{steps:#?}");
    }
}
