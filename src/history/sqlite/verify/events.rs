//! The events of a channel, in order: their numbers, ids and windows, beside the runs that they were seen in.

use rusqlite::{Row, params};
use serde::de::IgnoredAny;

use super::audit::{Audit, is_ordered, time};
use super::channels::{Blocks, Channel};
use super::law::Law;
use super::replay::{Replay, VISITS};
use super::runs::{RUNS, Runs};
use crate::domain::event::EventKind;
use crate::history::Result;
use crate::history::sqlite::{codes, write};

/// Of channel `?1`.
const EVENTS: &str = "SELECT seq, id, user_id, kind, not_before, not_after, occupancy, state FROM events \
    WHERE channel_id = ?1 ORDER BY seq";

/// An event's row. Its state is as kept: see [`codes::shown_code`].
pub(super) struct Event<'r> {
    pub(super) seq: i64,
    id: i64,
    pub(super) user: i64,
    kind: i64,
    pub(super) not_before: Option<i64>,
    pub(super) not_after: i64,
    occupancy: i64,
    pub(super) state: Option<&'r str>,
}

impl<'r> Event<'r> {
    fn of(row: &'r Row<'_>) -> Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            id: row.get(1)?,
            user: row.get(2)?,
            kind: row.get(3)?,
            not_before: row.get(4)?,
            not_after: row.get(5)?,
            occupancy: row.get(6)?,
            state: row.get_ref(7)?.as_str_or_null()?,
        })
    }
}

/// The last event that was read.
#[derive(Clone, Copy)]
struct Last {
    seq: i64,
    id: i64,
    /// When what is read now was seen.
    at: i64,
}

pub(super) fn check(audit: &mut Audit<'_>, channel: &Channel, blocks: &Blocks) -> Result<()> {
    let tx = audit.tx;
    let (mut visits, mut runs) = (tx.prepare_cached(VISITS)?, tx.prepare_cached(RUNS)?);
    let mut runs = Runs::new(runs.query([channel.id])?)?;
    let mut find = tx.prepare_cached(EVENTS)?;
    let mut rows = find.query([channel.id])?;
    let mut replay = Replay::new(visits.query([channel.id])?)?;
    let mut last: Option<Last> = None;
    while let Some(row) = rows.next()? {
        audit.row("channels");
        audit.counts.events += 1;
        let event = Event::of(row)?;
        let at = match last {
            None => {
                replay.carry(audit, channel, Some((event.seq, event.not_after)))?;
                runs.advance(audit, channel, event.not_after, replay.there())?;
                event.not_after
            }
            Some(last) if event.not_after > last.at => {
                runs.agrees(audit, channel, last.at, replay.settled());
                runs.advance(audit, channel, event.not_after, replay.there())?;
                event.not_after
            }
            Some(last) => last.at,
        };
        numbers(audit, channel, &event, last);
        block(audit, channel, &event, blocks);
        runs.saw(audit, channel, event.seq, event.not_after, event.occupancy);
        if let Some(kind) = itself(audit, channel, &event) {
            replay.hear(audit, channel, kind, &event)?;
        }
        last = Some(Last { seq: event.seq, id: event.id, at });
    }
    match last {
        Some(last) => runs.agrees(audit, channel, last.at, replay.settled()),
        None => replay.carry(audit, channel, None)?,
    }
    runs.advance(audit, channel, i64::MAX, replay.there())?;
    replay.finish(audit, channel)?;
    newest(audit, channel, last);
    Ok(())
}

/// Numbers without a hole, ids that grow.
fn numbers(audit: &mut Audit<'_>, channel: &Channel, event: &Event<'_>, last: Option<Last>) {
    let Event { seq, id, .. } = *event;
    match last {
        Some(last) if seq != last.seq + 1 => audit
            .broken(Law::Numbers, channel.about(), || format!("event {seq} comes after event {}", last.seq)),
        None if seq < 1 || seq > 1 && audit.meta.expired_up_to == 0 && !channel.is_going => {
            audit.broken(Law::Numbers, channel.about(), || {
                format!("event {seq} is the first, and none has expired")
            });
        }
        _ => {}
    }
    if let Some(last) = last.filter(|last| id <= last.id) {
        audit.broken(Law::Ids, channel.about(), || {
            format!("event {seq} has id {id}, not above {} of event {}", last.id, last.seq)
        });
    }
    let (expired, newest) = (audit.meta.expired_up_to, audit.meta.last_event);
    if id <= expired || id > newest {
        audit.broken(Law::Ids, channel.about(), || {
            format!("event {seq} has id {id}; ids up to {expired} have expired, and {newest} is the last")
        });
    }
    if let Some(last) = last.filter(|last| event.not_after < last.at) {
        audit.broken(Law::Times, channel.about(), || {
            format!("event {seq} was seen at {}, before event {}", time(event.not_after), last.seq)
        });
    }
}

fn block(audit: &mut Audit<'_>, channel: &Channel, event: &Event<'_>, blocks: &Blocks) {
    let earliest = event.not_before.unwrap_or(event.not_after);
    let number = event.id.div_euclid(write::BLOCK);
    let held = blocks.get(&number).is_some_and(|&(from, to)| from <= earliest && event.not_after <= to);
    if !held {
        audit.broken(Law::Blocks, channel.about(), || {
            format!("event {} of id {} is not in the times of block {number}", event.seq, event.id)
        });
    }
}

/// What one event says; its kind, if it has one.
fn itself(audit: &mut Audit<'_>, channel: &Channel, event: &Event<'_>) -> Option<EventKind> {
    let Event { seq, user, not_before, not_after, occupancy, state, .. } = *event;
    let about = channel.about().user(user);
    if u32::try_from(occupancy).is_err() {
        audit.broken(Law::Values, about, || format!("event {seq} has occupancy {occupancy}"));
    }
    // An empty text is no state.
    if state.is_some_and(|state| !state.is_empty() && serde_json::from_str::<IgnoredAny>(state).is_err()) {
        audit.broken(Law::Values, about, || format!("event {seq} has a state that is no JSON"));
    }
    if !is_ordered((not_before, Some(not_after))) {
        audit.broken(Law::Times, about, || format!("the window of event {seq} ends before it begins"));
    }
    let Ok(kind) = codes::kind_of(event.kind) else {
        audit.broken(Law::Values, about, || format!("event {seq} is of no kind, but {}", event.kind));
        return None;
    };
    let bounded = match kind {
        EventKind::Join | EventKind::Leave => Some(true),
        EventKind::Present => Some(false),
        EventKind::State | EventKind::Settled => None,
    };
    if bounded.is_some_and(|bounded| bounded != not_before.is_some()) {
        let has = if not_before.is_some() { "a" } else { "no" };
        audit.broken(Law::Times, about, || format!("event {seq}, a {}, has {has} beginning", kind.as_str()));
    }
    Some(kind)
}

/// The channel's own number is that of its newest event.
fn newest(audit: &mut Audit<'_>, channel: &Channel, last: Option<Last>) {
    let expired = audit.meta.expired_up_to > 0 || channel.is_going;
    let agrees = match last {
        Some(last) => last.seq == channel.last_seq,
        None => channel.last_seq == 0 || channel.last_seq > 0 && expired,
    };
    if !agrees {
        audit.broken(Law::Numbers, channel.about(), || {
            let newest =
                last.map_or_else(|| "there is none".to_owned(), |last| format!("it is {}", last.seq));
            format!("its last event should be {}; {newest}", channel.last_seq)
        });
    }
}

/// Whether an event of the channel with this number is kept.
pub(super) fn exists(audit: &Audit<'_>, channel: &Channel, seq: i64) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM events WHERE channel_id = ?1 AND seq = ?2)";
    Ok(audit.tx.prepare_cached(sql)?.query_row(params![channel.id, seq], |row| row.get(0))?)
}
