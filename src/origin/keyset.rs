//! One subscribe key's world, its announcer and its feed, behind one lock; and all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clock::Moment;
use super::events::Announcer;
use super::feed::Feed;
use super::name::Name;
use super::settings::OriginSettings;
use super::world::{Change, Limits, World};

/// Subscribe keys in use at a time; those nobody uses any more give way.
const MOST_KEYS: usize = 100;

/// Everything of one subscribe key.
#[derive(Debug)]
pub(crate) struct Keyset {
    /// The subscribe key.
    pub(crate) key: Name,
    /// Who is where.
    pub(crate) world: World,
    /// What was announced.
    pub(crate) feed: Feed,
    announcer: Announcer,
}

impl Keyset {
    fn new(key: Name, settings: &OriginSettings) -> Self {
        Self {
            key,
            world: World::new(settings.presence_timeout, Limits::default()),
            feed: Feed::new(),
            announcer: Announcer::new(settings.announce_max, settings.announce_interval),
        }
    }

    /// Does what is due: timeouts and interval events. To be called before anything is asked or changed.
    pub(crate) fn advance(&mut self, now: Moment) {
        let changes = self.world.expire(now);
        self.announce(changes);
        let Self { world, announcer, feed, .. } = self;
        for event in announcer.intervals(now, |channel| world.occupancy(channel)) {
            feed.publish(event);
        }
    }

    /// Announces changes of presence.
    pub(crate) fn announce(&mut self, changes: Vec<Change>) {
        for event in changes.into_iter().filter_map(|change| self.announcer.take(change)) {
            self.feed.publish(event);
        }
    }

    fn next_due(&self) -> Option<Moment> {
        self.world.next_alarm().into_iter().chain(self.announcer.next_due()).min()
    }

    fn is_idle(&self) -> bool {
        self.world.is_empty() && self.feed.is_idle() && self.announcer.next_due().is_none()
    }
}

/// A keyset that is shared by the requests for its key.
#[derive(Debug, Clone)]
pub(crate) struct SharedKeyset(Arc<Mutex<Keyset>>);

impl SharedKeyset {
    fn new(key: Name, settings: &OriginSettings) -> Self {
        Self(Arc::new(Mutex::new(Keyset::new(key, settings))))
    }

    /// The keyset as of an instant: what was due is done.
    pub(crate) fn at(&self, now: Moment) -> MutexGuard<'_, Keyset> {
        let mut keyset = lock(&self.0);
        keyset.advance(now);
        keyset
    }

    fn is_unused(&self) -> bool {
        Arc::strong_count(&self.0) == 1 && lock(&self.0).is_idle()
    }
}

/// Too many subscribe keys are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many subscribe keys are in use")]
pub(crate) struct TooManyKeys;

/// The keysets of all subscribe keys, each a world of its own.
#[derive(Debug)]
pub(crate) struct Keysets {
    settings: OriginSettings,
    keysets: Mutex<HashMap<Name, SharedKeyset>>,
}

impl Keysets {
    pub(crate) fn new(settings: OriginSettings) -> Self {
        Self { settings, keysets: Mutex::default() }
    }

    /// The keyset of a key, to look at: an empty one where nobody uses the key.
    pub(crate) fn look_at(&self, key: &Name) -> SharedKeyset {
        let known = lock(&self.keysets).get(key).cloned();
        known.unwrap_or_else(|| SharedKeyset::new(key.clone(), &self.settings))
    }

    /// The keyset of a key, to change it.
    pub(crate) fn open(&self, key: &Name) -> Result<SharedKeyset, TooManyKeys> {
        let mut keysets = lock(&self.keysets);
        if let Some(known) = keysets.get(key) {
            return Ok(known.clone());
        }
        if keysets.len() >= MOST_KEYS {
            keysets.retain(|_, keyset| !keyset.is_unused());
        }
        if keysets.len() >= MOST_KEYS {
            return Err(TooManyKeys);
        }
        let keyset = SharedKeyset::new(key.clone(), &self.settings);
        keysets.insert(key.clone(), keyset.clone());
        Ok(keyset)
    }

    /// Does what is due everywhere, and says when something may be due next.
    pub(crate) fn advance(&self, now: Moment) -> Option<Moment> {
        let all: Vec<SharedKeyset> = lock(&self.keysets).values().cloned().collect();
        all.iter().filter_map(|keyset| keyset.at(now).next_due()).min()
    }
}

/// A lock that a panic elsewhere does not close: the state machines change in small whole steps.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::origin::world::Arrival;

    const NOW: Moment = Moment::from_micros(1_000_000);

    #[test]
    fn a_key_nobody_uses_gives_way_and_one_in_use_does_not() {
        let keysets = Keysets::new(OriginSettings::default());
        let in_use = keysets.open(&"used".into()).unwrap();
        let arrival = Arrival { user: "u", channels: &["c".into()], timeout: None, states: &HashMap::new() };
        in_use.at(NOW).world.arrive(NOW, arrival).unwrap();
        drop(in_use);
        for n in 0..3 * MOST_KEYS {
            keysets.open(&format!("key {n}").into()).unwrap();
        }
        assert_eq!(keysets.look_at(&"used".into()).at(NOW).world.occupancy("c"), 1);
    }

    #[test]
    fn more_keys_than_allowed_in_use_are_refused() {
        let keysets = Keysets::new(OriginSettings::default());
        let held: Vec<_> =
            (0..MOST_KEYS).map(|n| keysets.open(&format!("key {n}").into()).unwrap()).collect();
        assert_eq!(keysets.open(&"one more".into()).unwrap_err(), TooManyKeys);
        drop(held);
        assert!(keysets.open(&"one more".into()).is_ok());
    }

    #[test]
    fn looking_at_a_key_does_not_make_it() {
        let keysets = Keysets::new(OriginSettings::default());
        keysets.look_at(&"k".into());
        assert!(lock(&keysets.keysets).is_empty());
    }

    #[test]
    fn advancing_says_when_the_next_timeout_is_due() {
        let keysets = Keysets::new(OriginSettings::default());
        assert_eq!(keysets.advance(NOW), None);
        let arrival = Arrival {
            user: "u",
            channels: &["c".into()],
            timeout: Some(Duration::from_secs(20)),
            states: &HashMap::new(),
        };
        keysets.open(&"k".into()).unwrap().at(NOW).world.arrive(NOW, arrival).unwrap();
        assert_eq!(keysets.advance(NOW), Some(NOW.after(Duration::from_secs(20))));
        assert_eq!(keysets.advance(NOW.after(Duration::from_secs(20))), None);
    }
}
