//! States set for users who are not in the channel (PROTOCOL.md 2.2): kept until they come, up to a limit.

use std::collections::{BTreeMap, HashMap};

use super::super::name::Name;
use super::super::state::State;

type Place = (Name, Name);

/// States by channel and user. When there are too many, the one set longest ago is forgotten.
#[derive(Debug)]
pub(super) struct Unseated {
    limit: usize,
    states: HashMap<Place, (u64, State)>,
    oldest: BTreeMap<u64, Place>,
    last: u64,
}

impl Unseated {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, states: HashMap::new(), oldest: BTreeMap::new(), last: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    pub(super) fn get(&self, channel: &str, user: &str) -> Option<&State> {
        self.states.get(&place(channel, user)).map(|(_, state)| state)
    }

    pub(super) fn keep(&mut self, channel: &str, user: &str, state: State) {
        let place = place(channel, user);
        self.last += 1;
        self.oldest.insert(self.last, place.clone());
        if let Some((before, _)) = self.states.insert(place, (self.last, state)) {
            self.oldest.remove(&before);
        }
        if self.states.len() > self.limit
            && let Some((_, place)) = self.oldest.pop_first()
        {
            self.states.remove(&place);
        }
    }

    pub(super) fn take(&mut self, channel: &str, user: &str) -> Option<State> {
        // Most worlds keep none: then a join need not build the key.
        if self.states.is_empty() {
            return None;
        }
        let (number, state) = self.states.remove(&place(channel, user))?;
        self.oldest.remove(&number);
        Some(state)
    }

    pub(super) fn forget(&mut self, channel: &str, user: &str) {
        self.take(channel, user);
    }
}

fn place(channel: &str, user: &str) -> Place {
    (channel.into(), user.into())
}
