//! What alerts are judged by and who is told: the rules, the receivers and the silences of the day.

use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::domain::alert::{NotifierName, Rule};
use crate::domain::event::EventKind;
use crate::domain::names::ChannelName;
use crate::domain::time::Time;
use crate::history::alerts::{KeptSilence, SilenceId, Subscriber, Subscribers};
use crate::notify::Notifier;

/// The rules and who is told, as the configuration has them.
#[derive(Clone, Debug, Default)]
pub struct Alerting {
    /// In the order of the configuration; no two have the same name.
    pub rules: Vec<Arc<Rule>>,
    /// No two have the same name.
    pub receivers: Vec<Receiver>,
    /// Where the API is reached, such as `https://adsum.example`: the links in messages begin so. `None`: no links.
    pub base: Option<Arc<str>>,
}

/// Somebody who is told.
#[derive(Clone)]
pub struct Receiver {
    /// The name by which rules mean it.
    pub name: NotifierName,
    /// How it is told.
    pub notifier: Arc<dyn Notifier>,
    /// How many deliveries are under way at once.
    pub at_once: usize,
    /// The presence events that it wants to hear of.
    pub events: Vec<EventKind>,
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, at_once, events, .. } = self;
        f.debug_struct("Receiver")
            .field("name", name)
            .field("at_once", at_once)
            .field("events", events)
            .finish_non_exhaustive()
    }
}

/// What a configuration says about alerts. Each that is read is another edition.
#[derive(Debug, Default)]
pub struct Edition {
    /// 1, 2, 3 … since adsum started.
    pub number: u64,
    /// The rules and who is told.
    pub alerting: Alerting,
    /// Who wants to hear of presence events.
    pub subscribers: Subscribers,
}

/// The edition of the day, shared by all who judge and tell.
#[derive(Clone, Debug)]
pub struct Editions(Arc<RwLock<Arc<Edition>>>);

impl Editions {
    /// The first.
    pub fn new(alerting: Alerting) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(edition(1, alerting)))))
    }

    /// The one of the day.
    pub fn current(&self) -> Arc<Edition> {
        Arc::clone(&self.0.read())
    }

    /// The next.
    pub fn publish(&self, alerting: Alerting) {
        let mut current = self.0.write();
        *current = Arc::new(edition(current.number + 1, alerting));
    }
}

fn edition(number: u64, alerting: Alerting) -> Edition {
    let wants = alerting.receivers.iter().filter(|receiver| !receiver.events.is_empty());
    let subscribers = wants
        .map(|receiver| Subscriber { notifier: receiver.name.clone(), kinds: receiver.events.clone() })
        .collect();
    Edition { number, alerting, subscribers }
}

/// The silences that are not over, as the history has them.
#[derive(Clone, Debug, Default)]
pub struct Silences(Arc<RwLock<Vec<KeptSilence>>>);

impl Silences {
    /// Those of the history take the place of what was known.
    pub fn set(&self, silences: Vec<KeptSilence>) {
        *self.0.write() = silences;
    }

    /// The first that mutes the alert of a rule and a channel at a time.
    pub fn mute(&self, rule: &Rule, channel: &ChannelName, at: Time) -> Option<SilenceId> {
        let silences = self.0.read();
        silences.iter().find(|kept| kept.silence.mutes(rule, channel, at)).map(|kept| kept.id)
    }
}
