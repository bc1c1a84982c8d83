//! What the tests begin with.

use std::time::Duration;

use adsum::domain::channel::Changes;
use adsum::domain::event::{Event, EventKind};
use adsum::domain::names::{ChannelName, UserId};
use adsum::domain::observation::Grade;
use adsum::domain::occupancy::Run;
use adsum::domain::state::Shown;
use adsum::domain::time::{Moment, Time, Window};
use adsum::history::sqlite::Sqlite;
use adsum::history::{Entry, History};
use tempfile::TempDir;

use crate::world::{channel_name, user_id};

/// An empty history, and the folder that goes when it does. Another adapter runs the suite from here.
pub(crate) fn fresh() -> (TempDir, Box<dyn History>) {
    let folder = tempfile::tempdir().unwrap();
    let history = open(&folder);
    (folder, history)
}

/// The history in this folder.
pub(crate) fn open(folder: &TempDir) -> Box<dyn History> {
    Box::new(Sqlite::open(&folder.path().join("history.db")).unwrap())
}

pub(crate) fn time(micros: i64) -> Time {
    Time::from_micros(micros)
}

pub(crate) fn moment(earliest: i64, latest: i64) -> Moment {
    Moment { earliest: time(earliest), latest: time(latest) }
}

pub(crate) fn earliest(moment: Moment) -> Time {
    moment.earliest
}

/// A user who is first seen at `seq` seconds.
pub(crate) fn arrival(channel: &ChannelName, user: &UserId, seq: u64) -> Entry {
    let at = i64::try_from(seq).unwrap() * 1_000_000;
    let seen = moment(at, at + 1000);
    let event = Event {
        seq,
        user: user.clone(),
        kind: EventKind::Present,
        window: Window { not_before: None, not_after: seen.latest },
        occupancy: 1,
        state: Shown::Unknown,
    };
    let run = Run { first: seen, last: seen, widest: Duration::ZERO, occupancy: 1, grade: Grade::Complete };
    let changes = Changes { events: vec![event], run: Some(run), complete: Some(seen), ..Changes::default() };
    Entry::new(channel.clone(), changes)
}

/// The same user's leave.
pub(crate) fn departure(channel: &ChannelName, user: &UserId, seq: u64) -> Entry {
    let mut entry = arrival(channel, user, seq);
    entry.changes.events[0].kind = EventKind::Leave;
    entry
}

/// The same user's state, seen to be none.
pub(crate) fn settled(channel: &ChannelName, user: &UserId, seq: u64) -> Entry {
    let mut entry = arrival(channel, user, seq);
    entry.changes.events[0].kind = EventKind::Settled;
    entry.changes.events[0].state = Shown::Empty;
    entry
}

/// No events, only where a run is now.
pub(crate) fn extended(channel: &ChannelName, seen: Moment) -> Entry {
    let run = Run {
        first: moment(1_000_000, 1_001_000),
        last: seen,
        widest: Duration::ZERO,
        occupancy: 1,
        grade: Grade::Complete,
    };
    Entry::new(channel.clone(), Changes { last_run: Some(run), ..Changes::default() })
}

pub(crate) fn lobby() -> ChannelName {
    channel_name(0)
}

pub(crate) fn ada() -> UserId {
    user_id(0)
}
