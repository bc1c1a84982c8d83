//! Which presence events are announced (PROTOCOL.md 3).
//!
//! Up to `announce_max` occupants every join, leave and timeout is announced. A channel that goes above it becomes a
//! crowd: from then on an `interval` event every `announce_interval` says how many are there and who came and went
//! since the last one, until an interval finds it at or below the limit again. Changes of state are always announced.
//! What came and went within one interval cancels out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::clock::Moment;
use super::name::Name;
use super::world::{Change, ChangeKind};

/// Above this many bytes of user ids an interval event names nobody and asks for a here-now (PROTOCOL.md 3.2: ~30 KB).
const MOST_DELTA_BYTES: usize = 30_000;

/// A presence event of a channel.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// About one user.
    One(Change),
    /// About a crowd.
    Interval(Interval),
}

impl Event {
    /// The channel it is about.
    pub(crate) fn channel(&self) -> &Name {
        match self {
            Self::One(change) => &change.channel,
            Self::Interval(interval) => &interval.channel,
        }
    }

    /// When it happened.
    pub(crate) fn at(&self) -> Moment {
        match self {
            Self::One(change) => change.at,
            Self::Interval(interval) => interval.at,
        }
    }

    /// Whether it announces that this user joined.
    pub(crate) fn is_join_of(&self, user: &str) -> bool {
        matches!(self, Self::One(Change { user: joined, kind: ChangeKind::Join, .. }) if **joined == *user)
    }

    /// The bytes of names and states it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.channel().len()
            + match self {
                Self::One(Change { user, kind: ChangeKind::StateChange(state), .. }) => {
                    user.len() + state.json().len()
                }
                Self::One(change) => change.user.len(),
                Self::Interval(interval) => interval.deltas.as_ref().map_or(0, Deltas::bytes),
            }
    }
}

/// What became of a crowd since its last interval event.
#[derive(Debug, Clone)]
pub(crate) struct Interval {
    /// The channel.
    pub(crate) channel: Name,
    /// How many users are in it.
    pub(crate) occupancy: usize,
    /// When this was true.
    pub(crate) at: Moment,
    /// Who came and went; `None` where that is too much to say.
    pub(crate) deltas: Option<Deltas>,
}

/// Who came and went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Deltas {
    /// Who joined and is there.
    pub(crate) join: Vec<Name>,
    /// Who was there and left.
    pub(crate) leave: Vec<Name>,
    /// Who was there and timed out.
    pub(crate) timeout: Vec<Name>,
}

impl Deltas {
    fn bytes(&self) -> usize {
        [&self.join, &self.leave, &self.timeout].into_iter().flatten().map(|user| user.len()).sum()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delta {
    Join,
    Leave,
    Timeout,
}

#[derive(Debug)]
struct Crowd {
    due: Moment,
    deltas: BTreeMap<Name, Delta>,
}

/// Turns changes of presence into events.
#[derive(Debug)]
pub(crate) struct Announcer {
    max: usize,
    interval: Duration,
    crowds: HashMap<Name, Crowd>,
    due: BTreeSet<(Moment, Name)>,
}

impl Announcer {
    /// Announces one by one up to `max` occupants, and every `interval` above.
    pub(crate) fn new(max: usize, interval: Duration) -> Self {
        Self { max, interval, crowds: HashMap::new(), due: BTreeSet::new() }
    }

    /// The event to announce at once, if any; a crowd's changes are kept for its next interval.
    pub(crate) fn take(&mut self, change: Change) -> Option<Event> {
        let delta = match change.kind {
            ChangeKind::Join => Delta::Join,
            ChangeKind::Leave => Delta::Leave,
            ChangeKind::Timeout => Delta::Timeout,
            ChangeKind::StateChange(_) => return Some(Event::One(change)),
        };
        if let Some(crowd) = self.crowds.get_mut(&change.channel) {
            crowd.note(change.user, delta);
        } else if change.occupancy > self.max {
            let due = change.at.after(self.interval);
            let deltas = BTreeMap::from([(change.user, delta)]);
            self.due.insert((due, change.channel.clone()));
            self.crowds.insert(change.channel, Crowd { due, deltas });
        } else {
            return Some(Event::One(change));
        }
        None
    }

    /// When the next interval event is due.
    pub(crate) fn next_due(&self) -> Option<Moment> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The interval events that are due, given how many are in a channel now.
    pub(crate) fn intervals(&mut self, now: Moment, occupancy: impl Fn(&str) -> usize) -> Vec<Event> {
        let mut events = Vec::new();
        while self.next_due().is_some_and(|due| due <= now) {
            let Some((_, channel)) = self.due.pop_first() else { break };
            let Some(crowd) = self.crowds.get_mut(&channel) else { continue };
            let occupancy = occupancy(&channel);
            let deltas = deltas(std::mem::take(&mut crowd.deltas));
            if occupancy > self.max {
                // From the last one, not from now, to keep the beat; what nobody came round to is not made up for.
                let next = crowd.due.after(self.interval);
                crowd.due = if next > now { next } else { now.after(self.interval) };
                self.due.insert((crowd.due, channel.clone()));
            } else {
                self.crowds.remove(&channel);
            }
            events.push(Event::Interval(Interval { channel, occupancy, at: now, deltas }));
        }
        events
    }
}

impl Crowd {
    fn note(&mut self, user: Name, delta: Delta) {
        match (self.deltas.remove(&user), delta) {
            // Came and went, or went and came: as it was before.
            (Some(Delta::Join), Delta::Leave | Delta::Timeout)
            | (Some(Delta::Leave | Delta::Timeout), Delta::Join) => {}
            _ => drop(self.deltas.insert(user, delta)),
        }
    }
}

fn deltas(users: BTreeMap<Name, Delta>) -> Option<Deltas> {
    if users.keys().map(|user| user.len()).sum::<usize>() > MOST_DELTA_BYTES {
        return None;
    }
    let mut deltas = Deltas::default();
    for (user, delta) in users {
        match delta {
            Delta::Join => deltas.join.push(user),
            Delta::Leave => deltas.leave.push(user),
            Delta::Timeout => deltas.timeout.push(user),
        }
    }
    Some(deltas)
}

#[cfg(test)]
mod tests;
