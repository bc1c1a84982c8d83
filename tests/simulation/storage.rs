//! What goes wrong with the history: it cannot be written, a commit panics, adsum is killed before or after one.

use adsum::domain::gap::Gap;
use adsum::domain::names::ChannelName;
use adsum::domain::time::Time;
use adsum::history::{Entry, HistoryError, Result};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::flaky::Trouble;
use crate::timeline::Timeline;

/// adsum is killed at its next commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crash {
    /// The commit is done; nobody hears of it.
    pub(crate) after: bool,
    /// For how long adsum is away.
    pub(crate) away: i64,
}

/// Gaps of a channel that were committed at once.
#[derive(Clone, Debug)]
pub(crate) struct Noted {
    /// By the record's clock.
    pub(crate) at: Time,
    pub(crate) channel: ChannelName,
    pub(crate) gaps: Vec<Gap>,
}

pub(crate) struct Storage {
    timeline: Timeline,
    state: Mutex<State>,
    crashed: Notify,
}

#[derive(Default)]
struct State {
    unavailable_until: i64,
    /// Before (false) or after the next commit is done.
    panic: Option<bool>,
    crash: Option<Crash>,
    /// Whoever writes now is dead already.
    dead: Option<Crash>,
    noted: Vec<Noted>,
    /// When commits panicked.
    panics: Vec<i64>,
}

impl Storage {
    pub(crate) fn new(timeline: Timeline) -> Self {
        Self { timeline, state: Mutex::default(), crashed: Notify::new() }
    }

    pub(crate) fn crash_at_commit(&self, crash: Crash) {
        self.state.lock().crash = Some(crash);
    }

    pub(crate) fn panic_at_commit(&self, after: bool) {
        self.state.lock().panic = Some(after);
    }

    pub(crate) fn unavailable_until(&self, at: i64) {
        self.state.lock().unavailable_until = at;
    }

    /// Every gap as it was committed, and when commits panicked, in true time.
    pub(crate) fn noted(&self) -> (Vec<Noted>, Vec<i64>) {
        let state = self.state.lock();
        (state.noted.clone(), state.panics.clone())
    }

    /// Waits for the crash; for how long adsum is away then.
    pub(crate) async fn crashed(&self) -> i64 {
        self.crashed.notified().await;
        self.state.lock().dead.take().unwrap().away
    }

    fn at_commit(&self, after: bool) -> Result<()> {
        let mut state = self.state.lock();
        if state.panic == Some(after) {
            state.panic = None;
            state.panics.push(self.timeline.now());
            drop(state);
            panic!("a commit panics, as the plan has it");
        }
        if state.crash.is_some_and(|crash| crash.after == after) {
            state.dead = state.crash.take();
            self.crashed.notify_one();
            return Err(unavailable());
        }
        Ok(())
    }
}

fn unavailable() -> HistoryError {
    HistoryError::Unavailable("as the plan has it".to_owned())
}

impl Trouble for Storage {
    fn before_write(&self) -> Result<()> {
        let state = self.state.lock();
        if state.dead.is_some() || self.timeline.now() < state.unavailable_until {
            return Err(unavailable());
        }
        Ok(())
    }

    fn before_commit(&self) -> Result<()> {
        self.at_commit(false)
    }

    fn committed(&self, entries: &[Entry]) {
        let with_gaps = entries.iter().filter(|entry| !entry.changes.gaps.is_empty());
        let noted = with_gaps.map(|Entry { at, channel, changes, .. }| Noted {
            at: *at,
            channel: channel.clone(),
            gaps: changes.gaps.clone(),
        });
        self.state.lock().noted.extend(noted);
    }

    fn after_commit(&self) -> Result<()> {
        self.at_commit(true)
    }
}
