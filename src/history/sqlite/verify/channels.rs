//! Channel by channel: its row, then its events with its visits and runs, then its gaps.

use hashbrown::HashMap;
use rusqlite::{Row, Transaction, params};

use super::audit::{About, Audit, Span, is_ordered};
use super::law::Law;
use super::{events, gaps};
use crate::domain::gap::GapReason;
use crate::history::Result;
use crate::history::sqlite::codes;

/// A channel's row.
pub(super) struct Channel {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) last_seq: i64,
    /// Its watch ended before what is kept, so it is being forgotten, a few rows at a time: nothing of it need be there.
    pub(super) is_going: bool,
    observed_since: Option<i64>,
    complete_since: Option<i64>,
    complete: Span,
    shown: Span,
}

impl Channel {
    /// A finding about it.
    pub(super) fn about(&self) -> About<'_> {
        About::channel(&self.name)
    }
}

/// Which times the events of a block touch.
pub(super) type Blocks = HashMap<i64, (i64, i64)>;

/// `?1` is the reason of what is unwatched, `?2` up to when things expired.
const CHANNELS: &str = "SELECT id, name, last_seq, observed_since, complete_since, complete_earliest, complete_latest, \
    shown_earliest, shown_latest, coalesce(resumed, ?2 - 1) < ?2 AND EXISTS (SELECT 1 FROM gaps WHERE channel_id = c.id \
        AND ended IS NULL AND users_only = 0 AND reason = ?1 AND began < ?2) FROM channels c ORDER BY id";

pub(super) fn check(audit: &mut Audit<'_>) -> Result<()> {
    audit.begin("channels");
    let tx = audit.tx;
    let blocks = blocks(tx)?;
    let mut list = tx.prepare(CHANNELS)?;
    let unwatched = codes::reason_code(GapReason::Unwatched);
    let kept_since = audit.meta.kept_since.unwrap_or(i64::MIN + 1);
    let mut rows = list.query(params![unwatched, kept_since])?;
    while let Some(row) = rows.next()? {
        let channel = channel(row)?;
        audit.row("channels");
        audit.counts.channels += 1;
        itself(audit, &channel);
        events::check(audit, &channel, &blocks)?;
        gaps::check(audit, &channel)?;
    }
    Ok(())
}

fn blocks(tx: &Transaction<'_>) -> Result<Blocks> {
    let mut list = tx.prepare("SELECT block, earliest, latest FROM event_blocks")?;
    let blocks = list.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
    Ok(blocks.collect::<rusqlite::Result<_>>()?)
}

fn channel(row: &Row<'_>) -> Result<Channel> {
    // What is no UTF-8 was found with the names.
    let name = String::from_utf8_lossy(row.get_ref(1)?.as_bytes()?).into_owned();
    Ok(Channel {
        id: row.get(0)?,
        name,
        last_seq: row.get(2)?,
        is_going: row.get(9)?,
        observed_since: row.get(3)?,
        complete_since: row.get(4)?,
        complete: (row.get(5)?, row.get(6)?),
        shown: (row.get(7)?, row.get(8)?),
    })
}

fn itself(audit: &mut Audit<'_>, channel: &Channel) {
    let Channel { observed_since, complete_since, complete, shown, .. } = channel;
    let whole = |(from, to): Span| from.is_some() == to.is_some() && is_ordered((from, to));
    let what = if !whole(*complete) || !whole(*shown) {
        "its last complete observation, or the last that showed states, ends before it begins"
    } else if shown.1.is_some() && shown.1 > complete.1 {
        "its last complete observation that showed states is later than its last complete one"
    } else if complete_since.is_some_and(|complete| observed_since.is_none_or(|since| since > complete)) {
        "it was observed completely before it was observed"
    } else {
        return;
    };
    audit.broken(Law::Times, channel.about(), || what.to_owned());
}
