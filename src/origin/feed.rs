//! The announced events of a subscribe key in order, and who waits for them.
//!
//! Every event has a timetoken of its own, strictly increasing. The newest are kept in a ring, so that a poll with an
//! older timetoken gets what it missed. A poll that finds nothing waits under its topics; an event wakes only those
//! who wait for its channel, a changed group only those who follow the group.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use tokio::sync::Notify;

use super::clock::Moment;
use super::events::Event;
use super::name::Name;

/// Events kept for those who poll late.
const RING: usize = 10_000;
/// Bytes of names and states those events may hold together; the oldest give way.
const RING_BYTES: usize = 32 << 20;
/// Levels a wildcard may have: `a.*`, `a.b.*`.
const WILDCARD_DEPTH: usize = 2;
/// Events in one answer; the rest comes with the next poll.
const MOST_IN_ANSWER: usize = 100;

/// A point in the feed: 17 digits, 100 ns since the Unix epoch (PROTOCOL.md 2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timetoken(pub(crate) u64);

/// An event with its place in the feed.
#[derive(Debug)]
pub(crate) struct Message {
    /// The place.
    pub(crate) timetoken: Timetoken,
    /// The event.
    pub(crate) event: Event,
}

/// What a poll waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Topic {
    /// A channel's presence events. A name that ends in `.*` stands for every channel that begins like it.
    Presence(Name),
    /// Changes of a channel group.
    Group(Name),
}

/// A poll that waits.
#[derive(Debug)]
pub(crate) struct Waiter {
    number: u64,
    topics: Vec<Topic>,
}

/// The presence events a poll subscribed to: a channel, or a wildcard, and what it was subscribed as.
#[derive(Debug, Default)]
pub(crate) struct Subscription {
    topics: HashMap<Name, Vec<Name>>,
}

/// One message for one subscription.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    /// The message.
    pub(crate) message: Arc<Message>,
    /// The channel's name, or the wildcard it was matched by.
    pub(crate) topic: Name,
    /// The channel, wildcard or group that was subscribed to, without `-pnpres`.
    pub(crate) matched: Name,
}

impl Subscription {
    /// Adds a channel or wildcard, subscribed to by itself or through a group.
    pub(crate) fn add(&mut self, topic: Name, matched: Name) {
        let all = self.topics.entry(topic).or_default();
        if !all.contains(&matched) {
            all.push(matched);
        }
    }

    /// The topics to wait under.
    pub(crate) fn topics(&self) -> impl Iterator<Item = Topic> {
        self.topics.keys().cloned().map(Topic::Presence)
    }

    fn deliveries<'a>(&'a self, message: &'a Arc<Message>) -> impl Iterator<Item = Delivery> + 'a {
        topics_of(message.event.channel()).filter_map(|topic| self.topics.get_key_value(&*topic)).flat_map(
            move |(topic, all)| {
                all.iter().map(move |matched| Delivery {
                    message: message.clone(),
                    topic: topic.clone(),
                    matched: matched.clone(),
                })
            },
        )
    }
}

/// A channel's own name, and the wildcards that match it: `a.b.c` is matched by `a.b.*` and `a.*`.
fn topics_of(channel: &Name) -> impl Iterator<Item = Name> {
    let dots = channel.match_indices('.').take(WILDCARD_DEPTH).filter_map(|(at, _)| channel.get(..=at));
    let wildcards = dots.map(|prefix| Name::from(format!("{prefix}*"))).filter(move |w| w != channel);
    std::iter::once(channel.clone()).chain(wildcards)
}

/// The feed of one subscribe key.
#[derive(Debug)]
pub(crate) struct Feed {
    last: Timetoken,
    ring: VecDeque<Arc<Message>>,
    ring_bytes: usize,
    waiting: HashMap<Topic, HashMap<u64, Arc<Notify>>>,
    last_waiter: u64,
}

impl Feed {
    pub(crate) fn new() -> Self {
        Self {
            last: Timetoken(0),
            ring: VecDeque::new(),
            ring_bytes: 0,
            waiting: HashMap::new(),
            last_waiter: 0,
        }
    }

    /// A new timetoken, after everything that was announced.
    pub(crate) fn tick(&mut self, now: Moment) -> Timetoken {
        self.last = Timetoken((self.last.0 + 1).max(now.micros().saturating_mul(10)));
        self.last
    }

    /// Whether nobody waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds an event and wakes those who wait for it.
    pub(crate) fn publish(&mut self, event: Event) {
        let timetoken = self.tick(event.at());
        for topic in topics_of(event.channel()) {
            self.wake(&Topic::Presence(topic));
        }
        self.ring_bytes += event.bytes();
        self.ring.push_back(Arc::new(Message { timetoken, event }));
        while self.ring.len() > RING || self.ring_bytes > RING_BYTES {
            let Some(oldest) = self.ring.pop_front() else { break };
            self.ring_bytes -= oldest.event.bytes();
        }
    }

    /// Where a poll goes on from: its timetoken, which may come from another life of the server and lie in the future.
    pub(crate) fn resume(&mut self, from: Timetoken, now: Moment) -> Timetoken {
        from.min(self.tick(now))
    }

    /// What a poll missed since its timetoken, and the timetoken to go on from.
    pub(crate) fn since(&self, from: Timetoken, subscription: &Subscription) -> (Timetoken, Vec<Delivery>) {
        let start = self.ring.partition_point(|message| message.timetoken <= from);
        let mut deliveries = Vec::new();
        let mut messages = 0;
        for message in self.ring.range(start..) {
            let before = deliveries.len();
            deliveries.extend(subscription.deliveries(message));
            messages += usize::from(deliveries.len() > before);
            if messages == MOST_IN_ANSWER {
                return (message.timetoken, deliveries);
            }
        }
        (self.last, deliveries)
    }

    /// The point just before the user's first join since an instant, where one was announced.
    pub(crate) fn before_join(&self, user: &str, since: Moment) -> Option<Timetoken> {
        let recent = self.ring.iter().rev().take_while(|message| message.event.at() >= since);
        let joins = recent.filter(|message| message.event.is_join_of(user));
        joins.last().map(|message| Timetoken(message.timetoken.0 - 1))
    }

    /// Makes a poll wait under topics: the `Notify` is notified when one of them has news.
    pub(crate) fn wait(&mut self, topics: HashSet<Topic>, wake: &Arc<Notify>) -> Waiter {
        self.last_waiter += 1;
        let waiter = Waiter { number: self.last_waiter, topics: topics.into_iter().collect() };
        for topic in &waiter.topics {
            self.waiting.entry(topic.clone()).or_default().insert(waiter.number, wake.clone());
        }
        waiter
    }

    /// Ends a wait.
    pub(crate) fn forget(&mut self, waiter: &Waiter) {
        for topic in &waiter.topics {
            if let Some(waiting) = self.waiting.get_mut(topic) {
                waiting.remove(&waiter.number);
                if waiting.is_empty() {
                    self.waiting.remove(topic);
                }
            }
        }
    }

    /// Wakes those who wait under a topic.
    pub(crate) fn wake(&self, topic: &Topic) {
        for wake in self.waiting.get(topic).into_iter().flat_map(HashMap::values) {
            wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
