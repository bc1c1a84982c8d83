//! What is published of every watched channel: hot reads need no message.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hashbrown::{HashMap, HashSet};
use parking_lot::RwLock;

use super::alarms::Alarms;
use super::judge::Proposal;
use crate::domain::channel::Channel;
use crate::domain::gap::GapReason;
use crate::domain::names::{ChannelName, Pattern};
use crate::domain::observation::Grade;
use crate::domain::time::{Moment, Time};
use crate::domain::watch::Policy;

/// What came of one poll of one channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// A good observation.
    Good(Grade),
    /// An answer that may be older than the one before it, and was dropped.
    Stale,
    /// None.
    Failed(GapReason),
}

/// How many outcomes there are.
const OUTCOMES: usize = 4 + GapReason::ALL.len();

impl Outcome {
    /// As written in answers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good(Grade::Complete) => "complete",
            Self::Good(Grade::Truncated) => "truncated",
            Self::Good(Grade::Count) => "count",
            Self::Stale => "stale",
            Self::Failed(reason) => reason.as_str(),
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        let good = [Grade::Complete, Grade::Truncated, Grade::Count].map(Self::Good);
        good.into_iter().chain([Self::Stale]).chain(GapReason::ALL.map(Self::Failed))
    }
}

/// Counts of outcomes.
#[derive(Debug)]
pub struct Counters([AtomicU64; OUTCOMES]);

impl Default for Counters {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Counters {
    /// One more.
    pub fn count(&self, outcome: Outcome) {
        if let Some((_, counter)) = Outcome::all().zip(&self.0).find(|(known, _)| *known == outcome) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Those that are not zero.
    pub fn read(&self) -> Vec<(&'static str, u64)> {
        let read =
            |(outcome, counter): (Outcome, &AtomicU64)| (outcome.as_str(), counter.load(Ordering::Relaxed));
        Outcome::all().zip(&self.0).map(read).filter(|(_, count)| *count > 0).collect()
    }
}

/// The most bytes of [`Failed::because`].
pub const MAX_BECAUSE: usize = 500;

/// How a poll failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failed {
    /// When that was known.
    pub at: Time,
    /// What a gap is labelled with.
    pub reason: GapReason,
    /// What happened, in one sentence of at most [`MAX_BECAUSE`] bytes.
    pub because: String,
}

impl Failed {
    /// Cuts what is longer.
    pub fn new(at: Time, reason: GapReason, what: &str) -> Self {
        const CUT: &str = "…";
        let because = match what.get(..what.floor_char_boundary(MAX_BECAUSE - CUT.len())) {
            Some(cut) if what.len() > MAX_BECAUSE => format!("{cut}{CUT}"),
            _ => what.to_owned(),
        };
        Self { at, reason, because }
    }
}

/// Until when the service wants to be left alone, and how it said so.
pub type Rest = (Time, Arc<Failed>);

/// A watched channel. Its actor decides what changes and when; the poller confirms what does not.
#[derive(Debug)]
pub struct Live {
    /// Its name.
    pub name: ChannelName,
    /// How it is watched; a configuration that is read again may change it.
    pub policy: RwLock<Policy>,
    /// As of its last committed observation.
    pub channel: RwLock<Channel>,
    /// How its alerts stand, as of what is committed.
    pub alarms: RwLock<Alarms>,
    /// Whether something of it is being committed.
    pub committing: AtomicBool,
    /// What came of its polls.
    pub polls: Counters,
    /// How its last poll that failed did. Channels that were asked for together share it.
    pub last_failure: RwLock<Option<Arc<Failed>>>,
}

impl Live {
    /// A channel that was not polled yet.
    pub fn new(channel: Channel, policy: Policy) -> Self {
        Self {
            name: channel.name.clone(),
            policy: policy.into(),
            channel: channel.into(),
            alarms: RwLock::default(),
            committing: false.into(),
            polls: Counters::default(),
            last_failure: RwLock::default(),
        }
    }

    /// Takes what the history has now.
    pub fn committed(&self, proposal: &Proposal) {
        self.alarms.write().clone_from(&proposal.alarms);
        let changes = &proposal.entry.changes;
        let mut channel = self.channel.write();
        match &proposal.seen {
            Some(seen) => channel.apply(seen, changes),
            None => channel.take_gaps(&changes.gaps),
        }
    }

    /// Notes that what was to be committed is not.
    pub fn uncommitted(&self, proposal: &Proposal) {
        let mut channel = self.channel.write();
        match &proposal.seen {
            Some(seen) => channel.unrecorded(seen.moment.latest),
            None if proposal.entry.changes.gaps.is_empty() => {}
            None => channel.failed(GapReason::HistoryUnavailable),
        }
    }

    /// Notes why it was not observed.
    pub fn failed(&self, failed: &Arc<Failed>) {
        self.channel.write().failed(failed.reason);
        *self.last_failure.write() = Some(Arc::clone(failed));
    }
}

/// The last good discovery: what matches a pattern and is not listed had nobody in it.
#[derive(Debug)]
pub struct Discovery {
    /// When that was true.
    pub moment: Moment,
    /// The channels that had somebody.
    pub channels: HashSet<ChannelName>,
    /// The patterns that it was made for.
    pub patterns: Vec<Pattern>,
}

impl Discovery {
    /// Whether it observed the channel as empty.
    pub fn found_nobody_in(&self, name: &ChannelName) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(name)) && !self.channels.contains(name)
    }
}

/// Every watched channel.
#[derive(Clone, Default, Debug)]
pub struct Registry(Arc<RwLock<HashMap<ChannelName, Arc<Live>>>>);

impl Registry {
    /// Publishes a channel, in place of one of the same name.
    pub fn publish(&self, live: Arc<Live>) {
        self.0.write().insert(live.name.clone(), live);
    }

    /// Publishes it no longer.
    pub fn withdraw(&self, name: &ChannelName) {
        self.0.write().remove(name);
    }

    /// The channel, if it is watched.
    pub fn get(&self, name: &ChannelName) -> Option<Arc<Live>> {
        self.0.read().get(name).cloned()
    }

    /// Every channel, in no order.
    pub fn all(&self) -> Vec<Arc<Live>> {
        self.0.read().values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_counted_apart() {
        let counters = Counters::default();
        counters.count(Outcome::Good(Grade::Complete));
        counters.count(Outcome::Failed(GapReason::Timeout));
        counters.count(Outcome::Failed(GapReason::Timeout));
        assert_eq!(counters.read(), [("complete", 1), ("timeout", 2)]);
    }

    #[test]
    fn why_a_poll_failed_is_cut_where_it_is_too_long() {
        for (what, length) in
            [("é".repeat(250), 500), ("é".repeat(251), 499), (format!("a{}", "é".repeat(900)), 500)]
        {
            let failed = Failed::new(Time::default(), GapReason::BadAnswer, &what);
            assert_eq!(failed.because.len(), length, "{}", what.len());
            assert_eq!(failed.because == what, what.len() <= MAX_BECAUSE);
        }
    }
}
