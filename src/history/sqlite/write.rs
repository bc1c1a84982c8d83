//! Committing what the domain worked out.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Transaction, params};

use super::names::Users;
use super::{alerts, codes, discoveries};
use crate::domain::channel::Changes;
use crate::domain::event::{Event, EventId, EventKind, Recorded, Seq};
use crate::domain::gap::{Gap, GapReason};
use crate::domain::names::ChannelName;
use crate::domain::occupancy::Run;
use crate::domain::time::{Moment, Time};
use crate::history::{Entry, HistoryError, Result};

/// Events of so many consecutive ids make a block (see `event_blocks` in the schema).
pub(super) const BLOCK: EventId = 1024;

/// `?1` is the name, `?2` when, `?3` and `?4` the discovery that did not list it, `?5` the reason of what is unwatched.
const BEGIN: &str = "INSERT INTO channels (name, began, complete_earliest, complete_latest, absent_until) \
    VALUES (?1, ?2, ?3, ?4, ?3) ON CONFLICT (name) DO UPDATE SET resumed = excluded.began \
    WHERE EXISTS (SELECT 1 FROM gaps WHERE channel_id = channels.id AND ended IS NULL AND users_only = 0 AND reason = ?5)";

/// See [`crate::history::History::begin`].
pub(super) fn begin(tx: &Transaction<'_>, channels: &[ChannelName], began: Time) -> Result<()> {
    let last = discoveries::last(tx)?;
    let unwatched = codes::reason_code(GapReason::Unwatched);
    let mut insert = tx.prepare_cached(BEGIN)?;
    for channel in channels {
        let matching = last.iter().filter(|(pattern, _)| pattern.matches(channel));
        let unlisted = matching.map(|(_, moment)| *moment).max_by_key(|moment| moment.latest);
        let (earliest, latest) = codes::moment_codes(unlisted);
        insert.execute(params![channel.as_str(), began, earliest, latest, unwatched])?;
    }
    Ok(())
}

/// See [`crate::history::History::commit`].
pub(super) fn commit(tx: &Transaction<'_>, users: &mut Users, entries: &[Entry]) -> Result<Vec<Recorded>> {
    let mut recorded = Vec::with_capacity(entries.iter().map(|entry| entry.changes.events.len()).sum());
    let mut ids = Ids::next(tx)?;
    let mut statements = Statements::new(tx)?;
    for entry in entries {
        let Some((channel_id, last_seq)) = standing(tx, &entry.channel)? else {
            return Err(HistoryError::Conflict { channel: entry.channel.clone() });
        };
        let (mut seq, first) = (last_seq, recorded.len());
        for event in &entry.changes.events {
            seq += 1;
            if event.seq != seq {
                return Err(HistoryError::Conflict { channel: entry.channel.clone() });
            }
            let id = ids.take(tx, event)?;
            let row = EventRow { channel_id, id, user_id: users.number(tx, &event.user)? };
            if statements.visit(&row, event, &entry.changes)? != 1 {
                return Err(HistoryError::Conflict { channel: entry.channel.clone() });
            }
            statements.event(&row, event)?;
            recorded.push(numbered(id, &entry.channel, event));
        }
        statements.channel(channel_id, seq, &entry.changes)?;
        alerts::write(tx, channel_id, entry, recorded.get(first..).unwrap_or_default())?;
    }
    ids.finish(tx)?;
    Ok(recorded)
}

/// A channel's number, and that of its last event.
fn standing(connection: &Connection, channel: &ChannelName) -> Result<Option<(i64, Seq)>> {
    let mut find = connection.prepare_cached("SELECT id, last_seq FROM channels WHERE name = ?1")?;
    let found =
        find.query_row([channel.as_str()], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?))).optional()?;
    Ok(found.map(|(id, seq)| (id, Seq::try_from(seq).unwrap_or(0))))
}

fn numbered(id: EventId, channel: &ChannelName, event: &Event) -> Recorded {
    let Event { seq, user, kind, window, occupancy, state } = event.clone();
    Recorded { id, channel: channel.clone(), seq, user, kind, window, occupancy, state }
}

/// Event ids in order, and the blocks they fill.
struct Ids {
    last: EventId,
    begun: Option<Block>,
}

struct Block {
    number: i64,
    earliest: Time,
    latest: Time,
}

impl Ids {
    fn next(tx: &Transaction<'_>) -> Result<Self> {
        let last = tx.prepare_cached("SELECT last_event FROM meta")?.query_row([], |row| row.get(0))?;
        Ok(Self { last, begun: None })
    }

    fn take(&mut self, tx: &Transaction<'_>, event: &Event) -> Result<EventId> {
        self.last += 1;
        let number = self.last / BLOCK;
        let latest = event.window.not_after;
        let earliest = event.window.not_before.unwrap_or(latest);
        match &mut self.begun {
            Some(block) if block.number == number => {
                block.earliest = block.earliest.min(earliest);
                block.latest = block.latest.max(latest);
            }
            begun => {
                let full = begun.replace(Block { number, earliest, latest });
                store(tx, full.as_ref())?;
            }
        }
        Ok(self.last)
    }

    fn finish(self, tx: &Transaction<'_>) -> Result<()> {
        store(tx, self.begun.as_ref())?;
        if self.begun.is_some() {
            tx.prepare_cached("UPDATE meta SET last_event = ?1")?.execute([self.last])?;
        }
        Ok(())
    }
}

fn store(tx: &Transaction<'_>, block: Option<&Block>) -> Result<()> {
    let Some(block) = block else { return Ok(()) };
    let sql = "INSERT INTO event_blocks (block, earliest, latest) VALUES (?1, ?2, ?3) ON CONFLICT (block) DO UPDATE \
               SET earliest = min(earliest, excluded.earliest), latest = max(latest, excluded.latest)";
    tx.prepare_cached(sql)?.execute(params![block.number, block.earliest, block.latest])?;
    Ok(())
}

/// What an event's row holds besides the event.
struct EventRow {
    channel_id: i64,
    id: EventId,
    user_id: i64,
}

/// The statements of a commit, each looked up once.
struct Statements<'tx> {
    event: CachedStatement<'tx>,
    open: CachedStatement<'tx>,
    close: CachedStatement<'tx>,
    state: CachedStatement<'tx>,
    run: CachedStatement<'tx>,
    gap: CachedStatement<'tx>,
    channel: CachedStatement<'tx>,
}

const EVENT: &str = "INSERT INTO events (channel_id, seq, id, user_id, kind, not_before, not_after, occupancy, state) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

const OPEN: &str = "INSERT INTO visits (channel_id, opened, user_id, joined_from, joined_to, state, since_from, \
    since_to, listed_earliest, listed_latest, shown_earliest, shown_latest) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
    ON CONFLICT (channel_id, user_id) WHERE left_to IS NULL DO NOTHING";

const CLOSE: &str = "UPDATE visits SET left_from = ?3, left_to = ?4, listed_earliest = NULL, listed_latest = NULL, \
    shown_earliest = NULL, shown_latest = NULL WHERE channel_id = ?1 AND user_id = ?2 AND left_to IS NULL";

const STATE: &str = "UPDATE visits SET state = ?3, since_from = ?4, since_to = ?5, \
    listed_earliest = coalesce(?6, listed_earliest), listed_latest = coalesce(?7, listed_latest), \
    shown_earliest = ?8, shown_latest = ?9 WHERE channel_id = ?1 AND user_id = ?2 AND left_to IS NULL";

const RUN: &str = "INSERT INTO runs (channel_id, first_latest, first_earliest, last_earliest, last_latest, widest, \
    occupancy, grade) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (channel_id, first_latest) DO UPDATE \
    SET last_earliest = excluded.last_earliest, last_latest = excluded.last_latest, widest = excluded.widest";

const GAP: &str = "INSERT INTO gaps (channel_id, began, users_only, ended, reason) VALUES (?1, ?2, ?3, ?4, ?5) \
    ON CONFLICT (channel_id, began, users_only) DO UPDATE SET ended = excluded.ended, reason = excluded.reason";

const CHANNEL: &str = "UPDATE channels SET last_seq = ?2, complete_earliest = ?3, complete_latest = ?4, \
    shown_earliest = ?5, shown_latest = ?6, observed_since = coalesce(observed_since, ?7), \
    complete_since = coalesce(complete_since, ?8) WHERE id = ?1";

impl<'tx> Statements<'tx> {
    fn new(tx: &'tx Transaction<'_>) -> Result<Self> {
        Ok(Self {
            event: tx.prepare_cached(EVENT)?,
            open: tx.prepare_cached(OPEN)?,
            close: tx.prepare_cached(CLOSE)?,
            state: tx.prepare_cached(STATE)?,
            run: tx.prepare_cached(RUN)?,
            gap: tx.prepare_cached(GAP)?,
            channel: tx.prepare_cached(CHANNEL)?,
        })
    }

    fn event(&mut self, row: &EventRow, event: &Event) -> Result<()> {
        self.event.execute(params![
            row.channel_id,
            codes::seq_code(event.seq),
            row.id,
            row.user_id,
            codes::kind_code(event.kind),
            event.window.not_before,
            event.window.not_after,
            event.occupancy,
            codes::shown_code(&event.state),
        ])?;
        Ok(())
    }

    /// Opens, closes or updates the visit that the event is about. Gives how many visits that were: none if somebody
    /// who is there arrives, or somebody who is not leaves or changes.
    fn visit(&mut self, row: &EventRow, event: &Event, changes: &Changes) -> Result<usize> {
        let (not_before, not_after) = (event.window.not_before, event.window.not_after);
        if event.kind == EventKind::Leave {
            return Ok(self.close.execute(params![row.channel_id, row.user_id, not_before, not_after])?);
        }
        let state = codes::shown_code(&event.state);
        let (listed, shown) = proofs(event, changes);
        let (listed_earliest, listed_latest) = codes::moment_codes(listed);
        let (shown_earliest, shown_latest) = codes::moment_codes(shown);
        if matches!(event.kind, EventKind::State | EventKind::Settled) {
            return Ok(self.state.execute(params![
                row.channel_id,
                row.user_id,
                state,
                not_before,
                not_after,
                listed_earliest,
                listed_latest,
                shown_earliest,
                shown_latest,
            ])?);
        }
        let (since_from, since_to) =
            if event.state.is_known() { (not_before, Some(not_after)) } else { (None, None) };
        Ok(self.open.execute(params![
            row.channel_id,
            codes::seq_code(event.seq),
            row.user_id,
            not_before,
            not_after,
            state,
            since_from,
            since_to,
            listed_earliest,
            listed_latest,
            shown_earliest,
            shown_latest,
        ])?)
    }

    /// The channel's own rows: its runs, its gaps and where it stands.
    fn channel(&mut self, channel_id: i64, seq: Seq, changes: &Changes) -> Result<()> {
        for run in changes.last_run.iter().chain(&changes.run) {
            self.run(channel_id, run)?;
        }
        for gap in &changes.gaps {
            self.gap(channel_id, gap)?;
        }
        let (complete_earliest, complete_latest) = codes::moment_codes(changes.complete);
        let (shown_earliest, shown_latest) = codes::moment_codes(changes.shown);
        let first = changes.run.map(|run| run.first.latest);
        let first_complete = first.filter(|_| changes.run.is_some_and(|run| is_complete(&run)));
        self.channel.execute(params![
            channel_id,
            codes::seq_code(seq),
            complete_earliest,
            complete_latest,
            shown_earliest,
            shown_latest,
            first,
            first_complete,
        ])?;
        Ok(())
    }

    fn run(&mut self, channel_id: i64, run: &Run) -> Result<()> {
        self.run.execute(params![
            channel_id,
            run.first.latest,
            run.first.earliest,
            run.last.earliest,
            run.last.latest,
            codes::span_code(run.widest),
            run.occupancy,
            codes::grade_code(run.grade),
        ])?;
        Ok(())
    }

    fn gap(&mut self, channel_id: i64, gap: &Gap) -> Result<()> {
        let reason = codes::reason_code(gap.reason);
        self.gap.execute(params![channel_id, gap.from, gap.users_only, gap.to, reason])?;
        Ok(())
    }
}

fn is_complete(run: &Run) -> bool {
    run.grade == crate::domain::observation::Grade::Complete
}

/// Which observation listed the event's user and which showed their state, where the channel's own row does not say
/// so already. Events are seen in the observation that their run ends with.
fn proofs(event: &Event, changes: &Changes) -> (Option<Moment>, Option<Moment>) {
    let moment = changes.run.or(changes.last_run).map(|run| run.last);
    let listed = moment.filter(|_| moment != changes.complete);
    let shown = moment.filter(|_| event.state.is_known() && moment != changes.shown);
    (listed, shown)
}
