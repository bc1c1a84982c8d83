//! Questions about events. A channel's events are in order of time and of id at once, so its lists begin where a
//! binary search says; lists over all channels skip the blocks that do not touch the span.

use rusqlite::{Row, Transaction, params};

use super::names::{channel_number, user_number};
use super::{codes, write};
use crate::domain::event::{EventId, EventKind, Recorded};
use crate::domain::time::{Time, Window};
use crate::domain::visit::Visit;
use crate::history::{EventQuery, Result, StateAt};

const COLUMNS: &str = "e.id, c.name, e.seq, u.name, e.kind, e.not_before, e.not_after, e.occupancy, e.state";

/// `?1` is the id to go on after, `?2` a bit for each kind, `?3` to `?4` the span, `?5` the limit.
const FILTER: &str = "e.id > ?1 AND ((?2 >> e.kind) & 1) AND e.not_after >= ?3 \
    AND coalesce(e.not_before, e.not_after) < ?4";

/// In which order the rows are found, so that none of the lists has to be sorted.
#[derive(Clone, Copy)]
enum Path {
    /// The events of channel `?6` from number `?7` on.
    Channel,
    /// The events of user `?6`; of channel `?7` only, unless that is 0.
    User,
    /// All, by blocks.
    All,
}

impl Path {
    fn sql(self) -> String {
        let names = "JOIN channels c ON c.id = e.channel_id JOIN users u ON u.id = e.user_id";
        match self {
            Self::Channel => format!(
                "SELECT {COLUMNS} FROM events e {names} WHERE e.channel_id = ?6 AND e.seq >= ?7 AND {FILTER} \
                 ORDER BY e.seq LIMIT ?5"
            ),
            Self::User => format!(
                "SELECT {COLUMNS} FROM events e {names} WHERE e.user_id = ?6 AND (?7 = 0 OR e.channel_id = ?7) \
                 AND {FILTER} ORDER BY e.id LIMIT ?5"
            ),
            Self::All => format!(
                "SELECT {COLUMNS} FROM event_blocks b CROSS JOIN events e {names} \
                 WHERE b.block >= ?6 AND b.latest >= ?3 AND b.earliest < ?4 \
                 AND e.id >= b.block * ?7 AND e.id < (b.block + 1) * ?7 AND {FILTER} \
                 ORDER BY b.block, e.id LIMIT ?5"
            ),
        }
    }
}

/// See [`crate::history::History::events`].
pub(super) fn events(tx: &Transaction<'_>, query: &EventQuery) -> Result<Vec<Recorded>> {
    let channel_id = match &query.channel {
        Some(channel) => channel_number(tx, channel)?,
        None => Some(0),
    };
    let user_id = match &query.user {
        Some(user) => user_number(tx, user)?,
        None => Some(0),
    };
    // What is not in the record has no events.
    let (Some(channel_id), Some(user_id)) = (channel_id, user_id) else { return Ok(Vec::new()) };
    let from = query.from.map_or(i64::MIN, Time::as_micros);
    let to = query.to.map_or(i64::MAX, Time::as_micros);
    let (path, one, two) = if query.user.is_some() {
        (Path::User, user_id, channel_id)
    } else if query.channel.is_some() {
        (Path::Channel, channel_id, first_seq(tx, channel_id, query.after, from)?)
    } else {
        (Path::All, query.after / write::BLOCK, write::BLOCK)
    };
    let mut list = tx.prepare_cached(&path.sql())?;
    let limit = codes::limit_code(query.limit);
    let mut rows = list.query(params![query.after, kinds(&query.kinds), from, to, limit, one, two])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        events.push(recorded(row)?);
    }
    Ok(events)
}

/// The event with this id, if it has not expired.
pub(super) fn event(tx: &Transaction<'_>, id: EventId) -> Result<Option<Recorded>> {
    let mut find = tx.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM events e JOIN channels c ON c.id = e.channel_id JOIN users u ON u.id = e.user_id \
         WHERE e.id = ?1"
    ))?;
    let mut rows = find.query([id])?;
    rows.next()?.map(recorded).transpose()
}

/// A bit for each kind; all of them if none is asked for.
fn kinds(kinds: &[EventKind]) -> i64 {
    let bits = kinds.iter().fold(0, |bits, &kind| bits | (1 << codes::kind_code(kind)));
    if bits == 0 { -1 } else { bits }
}

fn recorded(row: &Row<'_>) -> Result<Recorded> {
    Ok(Recorded {
        id: row.get(0)?,
        channel: codes::channel_name(row, 1)?,
        seq: codes::seq(row, 2)?,
        user: codes::user_id(row, 3)?,
        kind: codes::kind(row, 4)?,
        window: codes::some_window(row, 5)?,
        occupancy: row.get(7)?,
        state: codes::shown(row, 8)?,
    })
}

/// The number of the channel's first event with a greater id than `after` that is not over before `from`, or a lower
/// one. Numbers have no holes between the first that is kept and the last.
fn first_seq(tx: &Transaction<'_>, channel_id: i64, after: EventId, from: i64) -> Result<i64> {
    let mut ends = tx.prepare_cached("SELECT min(seq), max(seq) FROM events WHERE channel_id = ?1")?;
    let found: (Option<i64>, Option<i64>) =
        ends.query_row([channel_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(mut low), Some(mut high)) = found else { return Ok(0) };
    let mut before = tx
        .prepare_cached("SELECT id <= ?3 OR not_after < ?4 FROM events WHERE channel_id = ?1 AND seq = ?2")?;
    while low < high {
        let middle = low + (high - low) / 2;
        if before.query_row(params![channel_id, middle, after, from], |row| row.get(0))? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// See [`crate::history::History::state_at`].
pub(super) fn state_at(tx: &Transaction<'_>, visit: &Visit, at: Time) -> Result<StateAt> {
    let now = StateAt { state: visit.state.clone(), since: visit.state_since };
    if now.since.is_none_or(|since| since.not_after <= at) {
        return Ok(now);
    }
    let numbers = channel_number(tx, &visit.channel)?.zip(user_number(tx, &visit.user)?);
    let Some((channel_id, user_id)) = numbers else { return Ok(StateAt::default()) };
    let mut list = tx.prepare_cached(
        "SELECT kind, not_before, not_after, state FROM events e WHERE user_id = ?2 AND channel_id = ?1 AND seq >= ?3 \
         AND id >= coalesce((SELECT id FROM events WHERE channel_id = ?1 AND seq = ?3), 0) ORDER BY id",
    )?;
    let mut rows = list.query(params![channel_id, user_id, codes::seq_code(visit.opened)])?;
    let mut found = StateAt::default();
    while let Some(row) = rows.next()? {
        let since: Window = codes::some_window(row, 1)?;
        if codes::kind(row, 0)? == EventKind::Leave || since.not_after > at {
            break;
        }
        let state = codes::shown(row, 3)?;
        if state.is_known() {
            found = StateAt { state, since: Some(since) };
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::sqlite::open::tests::plan;

    #[test]
    fn no_list_of_events_is_sorted_or_searched_from_end_to_end() {
        for path in [Path::Channel, Path::User, Path::All] {
            let steps = plan(&path.sql());
            assert!(steps.iter().all(|step| step.starts_with("SEARCH")), "{steps:#?}");
        }
    }
}
