//! Which channels are asked for together, when, and what a failure means for the others (SPEC section 2: who asks, one
//! bad channel never blinds the others).
//!
//! The plan knows no service and no clock: it is told what time it is and what came of an [`Ask`].

use std::collections::BTreeSet;
use std::time::Duration;

use hashbrown::HashMap;

use super::names::ChannelName;
use super::schedule::{Beat, back_off};
use super::time::Time;
use super::watch::Policy;

/// The service may ask to be left alone for at most so long.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// A channel that spoiled an answer is asked for alone until so many of its answers were good.
pub const ALONE_FOR: u32 = 100;

/// Channels that were asked for together in vain so often are asked for in halves, in case it is the fault of one.
const TOGETHER: u32 = 3;

/// What bounds one request.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Channels in one request.
    pub channels: usize,
    /// Bytes that the channel names may take in the request's address.
    pub address: usize,
    /// Users expected in one answer.
    pub users: usize,
    /// For how long the service may answer from a cache.
    pub cache_ttl: Duration,
}

/// What requests must share to be one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Class {
    interval: Duration,
    include_state: bool,
    include_uuids: bool,
}

/// A request to make now. Its channels are asked for by nobody else until the plan hears what came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a parameter of its own")]
pub struct Ask {
    /// For these.
    pub channels: Vec<ChannelName>,
    /// With states.
    pub include_state: bool,
    /// With user ids.
    pub include_uuids: bool,
    /// In pages: the service cuts this channel's list.
    pub paged: bool,
    /// It finds out whether the key works again.
    pub probe: bool,
}

/// What went wrong with a request, as far as the plan is concerned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The service did not answer, or answered that it cannot now. It may have said when to come back.
    Service {
        /// Not before so long.
        retry_after: Option<Duration>,
    },
    /// Something in the answer is bad; it may be one channel's fault.
    Answer,
    /// The service refuses these channels.
    Channels(Vec<ChannelName>),
    /// It concerns the whole key. The service may have said when to come back.
    Key {
        /// Not before so long.
        retry_after: Option<Duration>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// To be asked for at this time.
    Waiting(Time),
    /// In a request under way.
    Asked,
    /// Its changes are being committed.
    Held,
}

/// In whose company a channel is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Company {
    /// Of at most so many, itself included.
    Most(usize),
    /// Alone for so many good answers more.
    Alone(u32),
    /// Alone and in pages.
    Paged {
        /// While it has more users than this.
        above: usize,
    },
}

#[derive(Clone, Debug)]
struct Entry {
    class: Class,
    slot: usize,
    beat: Beat,
    phase: Phase,
    company: Company,
    failures: u32,
    /// Since when it was asked for in vain.
    failing: Option<Time>,
    users: usize,
    address: usize,
}

/// All watched channels and when each is asked for.
#[derive(Debug)]
pub struct Plan {
    limits: Limits,
    /// Where the beats' grid begins.
    start: Time,
    entries: HashMap<ChannelName, Entry>,
    due: BTreeSet<(Time, ChannelName)>,
    /// How many channels share each slot of a class.
    slots: HashMap<Class, Vec<usize>>,
    /// While the key is in trouble: when one request may try again, and after how many failures.
    key: Option<(Time, u32)>,
    /// Whether that one is under way.
    probing: bool,
    /// When the last good answer for any channel had arrived.
    last_good: Option<Time>,
}

impl Plan {
    /// Nothing is watched yet. The beats are laid out from `start`.
    pub fn new(limits: Limits, start: Time) -> Self {
        Self {
            limits,
            start,
            entries: HashMap::new(),
            due: BTreeSet::new(),
            slots: HashMap::new(),
            key: None,
            probing: false,
            last_good: None,
        }
    }

    /// Watches a channel from now on, not before `not_before`. Watching it again changes its policy, and nothing about
    /// what is under way for it.
    pub fn watch(&mut self, name: &ChannelName, policy: Policy, now: Time, not_before: Time) {
        let class = Class {
            interval: policy.interval,
            include_state: policy.include_state,
            include_uuids: policy.include_uuids,
        };
        let slot = self.take_slot(class);
        let beat = Beat::slot(self.start, class.interval, u32::try_from(slot).unwrap_or(u32::MAX));
        // The first request is made at once: a user who starts adsum wants to see something.
        let first = if slot == 0 { now } else { beat.after(now) }.max(not_before);
        if let Some(entry) = self.entries.get_mut(name) {
            let (class_before, slot_before) = (entry.class, entry.slot);
            (entry.class, entry.slot, entry.beat) = (class, slot, beat);
            let waiting = matches!(entry.phase, Phase::Waiting(_));
            self.give_slot(class_before, slot_before);
            if waiting {
                self.wait(name, first);
            }
            return;
        }
        let entry = Entry {
            class,
            slot,
            beat,
            phase: Phase::Held,
            company: Company::Most(usize::MAX),
            failures: 0,
            failing: None,
            users: 0,
            address: address_len(name),
        };
        self.entries.insert(name.clone(), entry);
        self.wait(name, first);
    }

    /// The first slot with room, so that channels asked for together fill requests.
    fn take_slot(&mut self, class: Class) -> usize {
        let slots = self.slots.entry(class).or_default();
        let free = slots.iter().position(|taken| *taken < self.limits.channels);
        let slot = free.unwrap_or(slots.len());
        match slots.get_mut(slot) {
            Some(taken) => *taken += 1,
            None => slots.push(1),
        }
        slot
    }

    /// No longer watches a channel. What came of a request under way is not for it any more.
    pub fn unwatch(&mut self, name: &ChannelName) {
        let Some(entry) = self.entries.remove(name) else { return };
        if let Phase::Waiting(due) = entry.phase {
            self.due.remove(&(due, name.clone()));
        }
        self.give_slot(entry.class, entry.slot);
    }

    fn give_slot(&mut self, class: Class, slot: usize) {
        if let Some(taken) = self.slots.get_mut(&class).and_then(|slots| slots.get_mut(slot)) {
            *taken = taken.saturating_sub(1);
        }
    }

    /// The request was answered, whatever that says of the channels. The answer to a probe shows that the key works again;
    /// what was under way before the trouble shows nothing.
    pub fn key_works(&mut self, ask: &Ask) {
        if ask.probe {
            self.key = None;
            self.probing = false;
        }
    }

    /// The key is in trouble already: nothing is asked for before `until`.
    pub fn key_rests(&mut self, until: Time) {
        self.key = Some((until, 1));
    }

    /// Until when nothing may be asked for, because the key is in trouble.
    pub fn key_rests_until(&self) -> Option<Time> {
        self.key.map(|(until, _)| until)
    }

    /// Whether the channel is watched.
    pub fn watches(&self, name: &ChannelName) -> bool {
        self.entries.contains_key(name)
    }

    /// When there is something to ask for next.
    pub fn next_due(&self) -> Option<Time> {
        let first = self.due.first().map(|(due, _)| *due)?;
        match self.key {
            Some(_) if self.probing => None,
            Some((until, _)) => Some(first.max(until)),
            None => Some(first),
        }
    }

    /// The requests to make now.
    pub fn due(&mut self, now: Time) -> Vec<Ask> {
        match self.key {
            Some((until, _)) if self.probing || now < until => return Vec::new(),
            _ => {}
        }
        let mut asks = self.batches(now);
        if self.key.is_some() {
            // One request finds out whether the key works again; the others wait for it.
            self.probing = !asks.is_empty();
            asks.truncate(1);
            for ask in &mut asks {
                ask.probe = true;
            }
        }
        for name in asks.iter().flat_map(|ask| &ask.channels) {
            if let Some(entry) = self.entries.get_mut(name) {
                if let Phase::Waiting(due) = entry.phase {
                    self.due.remove(&(due, name.clone()));
                }
                entry.phase = Phase::Asked;
            }
        }
        asks
    }

    fn batches(&self, now: Time) -> Vec<Ask> {
        let mut classes: HashMap<Class, Vec<(&ChannelName, &Entry)>> = HashMap::new();
        for (due, name) in &self.due {
            if *due > now {
                break;
            }
            if let Some(entry) = self.entries.get(name) {
                classes.entry(entry.class).or_default().push((name, entry));
            }
        }
        let mut classes: Vec<_> = classes.into_iter().collect();
        classes.sort_unstable_by_key(|(class, _)| *class);
        classes.iter().flat_map(|(class, due)| self.batches_of(*class, due)).collect()
    }

    fn batches_of(&self, class: Class, due: &[(&ChannelName, &Entry)]) -> Vec<Ask> {
        let ask = |channels, paged| Ask {
            channels,
            include_state: class.include_state,
            include_uuids: class.include_uuids,
            paged,
            probe: false,
        };
        let mut asks = Vec::new();
        let mut batch = Batch::default();
        for (name, entry) in due {
            let most = match entry.company {
                Company::Most(1) | Company::Alone(_) => {
                    asks.push(ask(vec![(*name).clone()], false));
                    continue;
                }
                Company::Paged { .. } => {
                    asks.push(ask(vec![(*name).clone()], true));
                    continue;
                }
                Company::Most(most) => most,
            };
            if !batch.has_room(entry, most, &self.limits) {
                asks.push(ask(std::mem::take(&mut batch).channels, false));
            }
            batch.add(name, entry, most);
        }
        if !batch.channels.is_empty() {
            asks.push(ask(batch.channels, false));
        }
        asks
    }

    fn wait(&mut self, name: &ChannelName, due: Time) {
        if let Some(entry) = self.entries.get_mut(name) {
            if let Phase::Waiting(before) = entry.phase {
                self.due.remove(&(before, name.clone()));
            }
            entry.phase = Phase::Waiting(due);
            self.due.insert((due, name.clone()));
        }
    }

    /// A good answer for a channel, with so many users: it waits for its next beat, or, if its changes are to be
    /// committed (`held`), for [`Plan::release`].
    pub fn answered(&mut self, name: &ChannelName, sent: Time, received: Time, users: usize, held: bool) {
        let cache_ttl = self.limits.cache_ttl;
        self.last_good = self.last_good.max(Some(received));
        let Some(entry) = self.entries.get_mut(name) else { return };
        (entry.failures, entry.failing) = (0, None);
        entry.users = users;
        entry.company = match entry.company {
            Company::Alone(more) if more > 1 => Company::Alone(more - 1),
            paged @ Company::Paged { .. } => paged,
            Company::Alone(_) | Company::Most(_) => Company::Most(usize::MAX),
        };
        let next = entry.beat.next(sent, received, cache_ttl);
        if held {
            entry.phase = Phase::Held;
        } else {
            self.wait(name, next);
        }
    }

    /// The channel may be asked for again: at its next beat, and not before `not_before`.
    pub fn release(&mut self, name: &ChannelName, now: Time, not_before: Time) {
        if let Some(entry) = self.entries.get(name)
            && entry.phase == Phase::Held
        {
            let next = entry.beat.after(now).max(not_before);
            self.wait(name, next);
        }
    }

    /// Asks for the channel again, alone, at `due`: an answer without it does not prove that it is empty.
    pub fn ask_alone(&mut self, name: &ChannelName, due: Time) {
        if let Some(entry) = self.entries.get_mut(name) {
            if let Company::Most(_) = entry.company {
                entry.company = Company::Alone(1);
            }
            self.wait(name, due);
        }
    }

    /// So many of a channel's users were listed. A list that the service cuts is asked for in pages, for as long as it is
    /// longer than where it was cut.
    pub fn listed(&mut self, name: &ChannelName, listed: usize, occupancy: usize) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.company = match entry.company {
                Company::Paged { above } if occupancy > above => Company::Paged { above },
                Company::Paged { .. } => Company::Most(usize::MAX),
                _ if listed < occupancy => Company::Paged { above: listed },
                company => company,
            };
        }
    }

    /// A request failed. `chance` (0 to 1) stretches the back-off.
    pub fn failed(&mut self, ask: &Ask, failure: &Failure, now: Time, chance: f64) {
        if ask.probe {
            self.probing = false;
        }
        for name in &ask.channels {
            if let Some(entry) = self.entries.get_mut(name) {
                entry.failing.get_or_insert(now);
            }
        }
        match failure {
            Failure::Key { retry_after } => self.key_failed(ask, *retry_after, now, chance),
            // The probe found out nothing.
            Failure::Service { retry_after } if ask.probe => self.key_failed(ask, *retry_after, now, chance),
            Failure::Service { retry_after } => self.service_failed(ask, *retry_after, now, chance),
            Failure::Answer if ask.channels.len() > 1 => self.halve(ask, now),
            Failure::Answer => self.set_apart(&ask.channels, now, chance),
            Failure::Channels(named) => {
                let (refused, others): (Vec<_>, Vec<_>) =
                    ask.channels.iter().cloned().partition(|name| named.contains(name));
                if refused.is_empty() {
                    return self.key_failed(ask, None, now, chance);
                }
                self.set_apart(&refused, now, chance);
                for name in &others {
                    self.wait(name, now);
                }
            }
        }
    }

    /// The service fails. While it answers for other channels, or once it has failed for these often enough to find out,
    /// it may be the fault of one channel, and the halves are asked for apart. In an outage nothing is answered, and they
    /// are halved no further.
    fn service_failed(&mut self, ask: &Ask, retry_after: Option<Duration>, now: Time, chance: f64) {
        let many = ask.channels.len() > 1;
        let entries = || ask.channels.iter().filter_map(|name| self.entries.get(name));
        let others_work = entries().any(|entry| self.answers_since(entry));
        let together = entries()
            .all(|entry| entry.company == Company::Most(usize::MAX) && entry.failures + 1 >= TOGETHER);
        if many && (others_work || together) {
            self.halve(ask, now);
        }
        if !others_work || retry_after.is_some() || !many {
            self.back_off_all(&ask.channels, retry_after, now, chance);
        }
    }

    /// Whether others got a good answer since this one fails.
    fn answers_since(&self, entry: &Entry) -> bool {
        self.last_good.zip(entry.failing).is_some_and(|(good, failing)| good >= failing)
    }

    /// The two halves are asked for at once, each on its own.
    fn halve(&mut self, ask: &Ask, now: Time) {
        let half = Company::Most(ask.channels.len().div_ceil(2));
        for name in &ask.channels {
            if let Some(entry) = self.entries.get_mut(name) {
                entry.company = half;
            }
            self.wait(name, now);
        }
    }

    /// What is bad stands alone: for long if others got good answers meanwhile, otherwise (the service may answer rubbish to
    /// everything) until its first good one.
    fn set_apart(&mut self, names: &[ChannelName], now: Time, chance: f64) {
        for name in names {
            let Some(entry) = self.entries.get(name) else { continue };
            let company = match entry.company {
                paged @ Company::Paged { .. } => paged,
                _ if self.answers_since(entry) => Company::Alone(ALONE_FOR),
                Company::Alone(more) => Company::Alone(more),
                Company::Most(_) => Company::Most(1),
            };
            if let Some(entry) = self.entries.get_mut(name) {
                entry.company = company;
            }
        }
        self.back_off_all(names, None, now, chance);
    }

    fn back_off_all(&mut self, names: &[ChannelName], retry_after: Option<Duration>, now: Time, chance: f64) {
        let least = retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
        for name in names {
            if let Some(entry) = self.entries.get_mut(name) {
                entry.failures = entry.failures.saturating_add(1);
                let wait = back_off(entry.class.interval, entry.failures, chance);
                self.wait(name, now.plus(wait.max(least)));
            }
        }
    }

    fn key_failed(&mut self, ask: &Ask, retry_after: Option<Duration>, now: Time, chance: f64) {
        let interval =
            ask.channels.iter().find_map(|name| self.entries.get(name)).map(|entry| entry.class.interval);
        let (until, failures) = match self.key {
            // Requests that were under way together fail together: that is one failure.
            Some((until, failures)) if now < until => (until, failures),
            key => {
                let failures = key.map_or(0, |(_, failures)| failures).saturating_add(1);
                (now.plus(back_off(interval.unwrap_or(Duration::from_secs(1)), failures, chance)), failures)
            }
        };
        let asked = now.plus(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER));
        self.key = Some((until.max(asked), failures));
        for name in &ask.channels {
            self.wait(name, now);
        }
    }
}

/// A request that is being filled.
#[derive(Default)]
struct Batch {
    channels: Vec<ChannelName>,
    address: usize,
    users: usize,
    most: Option<usize>,
}

impl Batch {
    fn has_room(&self, entry: &Entry, most: usize, limits: &Limits) -> bool {
        let most = self.most.unwrap_or(usize::MAX).min(most).min(limits.channels);
        self.channels.is_empty()
            || (self.channels.len() < most
                && self.address + entry.address <= limits.address
                && self.users + entry.users <= limits.users)
    }

    fn add(&mut self, name: &ChannelName, entry: &Entry, most: usize) {
        self.channels.push(name.clone());
        self.address += entry.address;
        self.users += entry.users;
        self.most = Some(self.most.unwrap_or(usize::MAX).min(most));
    }
}

/// The bytes a name takes in an address: itself percent-encoded, and the comma before it.
fn address_len(name: &ChannelName) -> usize {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    1 + name.as_str().as_bytes().iter().map(|byte| if plain(byte) { 1 } else { 3 }).sum::<usize>()
}

#[cfg(test)]
mod tests;
