//! Where a channel stands: its row, its last run, its roster.

use hashbrown::HashMap;
use rusqlite::{OptionalExtension, Transaction, params};

use super::names::channel_number;
use super::{codes, mark, spans};
use crate::domain::channel::Checkpoint;
use crate::domain::event::Seq;
use crate::domain::names::{ChannelName, UserId};
use crate::domain::observation::Grade;
use crate::domain::occupancy::Run;
use crate::domain::roster::{Member, Roster};
use crate::domain::time::{Moment, Time};
use crate::history::{ChannelRecord, Result};

/// A channel's row and what the last mark adds to it.
pub(super) struct Standing {
    began: Time,
    observed_since: Option<Time>,
    complete_since: Option<Time>,
    last_seq: Seq,
    /// The last run, up to where it is proven.
    pub(super) run: Option<Run>,
    /// The last complete observation.
    pub(super) complete: Option<Moment>,
    shown: Option<Moment>,
}

impl Standing {
    /// Of the channel with this number.
    pub(super) fn of(tx: &Transaction<'_>, channel_id: i64) -> Result<Option<Self>> {
        let mut find = tx.prepare_cached(
            "SELECT began, observed_since, complete_since, last_seq, complete_earliest, complete_latest, \
             shown_earliest, shown_latest FROM channels WHERE id = ?1",
        )?;
        let mut rows = find.query([channel_id])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let run = last_run(tx, channel_id)?;
        Ok(Some(Self {
            began: row.get(0)?,
            observed_since: row.get(1)?,
            complete_since: row.get(2)?,
            last_seq: codes::seq(row, 3)?,
            complete: complete(codes::moment(row, 4)?, run),
            shown: codes::moment(row, 6)?,
            run,
        }))
    }
}

/// The later of the last complete observation that was committed and the end of the last run, if that saw everybody.
fn complete(committed: Option<Moment>, run: Option<Run>) -> Option<Moment> {
    let proven = run.filter(|run| run.grade == Grade::Complete).map(|run| run.last);
    committed.into_iter().chain(proven).max_by_key(|moment| (moment.latest, moment.earliest))
}

fn last_run(tx: &Transaction<'_>, channel_id: i64) -> Result<Option<Run>> {
    let mut find = tx.prepare_cached(spans::LAST_RUN)?;
    let mut rows = find.query([channel_id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    mark::proven(tx, channel_id, spans::run(row)?).map(Some)
}

/// See [`crate::history::History::checkpoint`].
pub(super) fn checkpoint(tx: &Transaction<'_>, channel: &ChannelName) -> Result<Option<Checkpoint>> {
    let Some(channel_id) = channel_number(tx, channel)? else { return Ok(None) };
    let Some(standing) = Standing::of(tx, channel_id)? else { return Ok(None) };
    let members = members(tx, channel_id)?;
    Ok(Some(Checkpoint {
        began: standing.began,
        roster: Roster::restore(members, standing.complete, standing.shown, standing.last_seq),
        run: standing.run,
        open_gaps: spans::open_gaps(tx, channel_id)?,
    }))
}

fn members(tx: &Transaction<'_>, channel_id: i64) -> Result<HashMap<UserId, Member>> {
    let mut find = tx.prepare_cached(
        "SELECT u.name, v.opened, v.joined_from, v.joined_to, v.state, v.since_from, v.since_to, v.listed_earliest, \
         v.listed_latest, v.shown_earliest, v.shown_latest \
         FROM visits v JOIN users u ON u.id = v.user_id WHERE v.channel_id = ?1 AND v.left_to IS NULL",
    )?;
    let mut rows = find.query([channel_id])?;
    let mut members = HashMap::new();
    while let Some(row) = rows.next()? {
        let member = Member {
            opened: codes::seq(row, 1)?,
            joined: codes::some_window(row, 2)?,
            state: codes::shown(row, 4)?,
            state_since: codes::window(row, 5)?,
            listed: codes::moment(row, 7)?,
            shown: codes::moment(row, 9)?,
        };
        members.insert(codes::user_id(row, 0)?, member);
    }
    Ok(members)
}

/// See [`crate::history::History::channel`].
pub(super) fn channel(tx: &Transaction<'_>, channel: &ChannelName) -> Result<Option<ChannelRecord>> {
    let Some(channel_id) = channel_number(tx, channel)? else { return Ok(None) };
    Ok(Standing::of(tx, channel_id)?.map(|standing| ChannelRecord {
        channel: channel.clone(),
        began: standing.began,
        observed_since: standing.observed_since,
        complete_since: standing.complete_since,
        run: standing.run,
        complete: standing.complete,
    }))
}

/// See [`crate::history::History::channels`].
pub(super) fn channels(
    tx: &Transaction<'_>,
    after: Option<&ChannelName>,
    limit: usize,
) -> Result<Vec<ChannelName>> {
    let mut list = tx.prepare_cached("SELECT name FROM channels WHERE name > ?1 ORDER BY name LIMIT ?2")?;
    // No name is empty.
    let after = after.map_or("", ChannelName::as_str);
    let mut rows = list.query(params![after, codes::limit_code(limit)])?;
    let mut names = Vec::new();
    while let Some(row) = rows.next()? {
        names.push(codes::channel_name(row, 0)?);
    }
    Ok(names)
}

/// See [`crate::history::History::watches`].
pub(super) fn watches(tx: &Transaction<'_>) -> Result<Vec<String>> {
    let mut list = tx.prepare_cached("SELECT target FROM watches ORDER BY target")?;
    let targets = list.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(targets)
}

/// The newest event's id and the one up to which events have expired.
pub(super) fn event_ids(tx: &Transaction<'_>) -> Result<(i64, i64)> {
    let mut find = tx.prepare_cached("SELECT last_event, expired_up_to FROM meta")?;
    Ok(find.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// See [`crate::history::History::kept_since`].
pub(super) fn kept_since(tx: &Transaction<'_>) -> Result<Option<Time>> {
    let mut find = tx.prepare_cached("SELECT kept_since FROM meta")?;
    Ok(find.query_row([], |row| row.get(0)).optional()?.flatten())
}
