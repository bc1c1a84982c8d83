//! A daemon's life over made-up days: the real channels, the real history, live evaluation as the daemon's.

use std::time::Duration;

use adsum::domain::alert::{Rule, Transition};
use adsum::domain::channel::{Changes, Channel};
use adsum::domain::gap::GapReason;
use adsum::domain::names::ChannelName;
use adsum::domain::observation::Observation;
use adsum::domain::time::{Moment, Time};
use adsum::history::sqlite::Sqlite;
use adsum::history::{Entry, History, Mark};

use crate::days::{Happening, Poll, ms, observation};
use crate::judge::Judge;

const CACHE_TTL: Duration = Duration::from_secs(3);
pub(crate) const GAP_AFTER: Duration = Duration::from_secs(15);

/// What is due by the clock is looked at so often.
const TICK: i64 = 1_000_000;

pub(crate) struct Daemon {
    pub(crate) history: Sqlite,
    watched: Vec<Watched>,
    pub(crate) now: Time,
    /// Commits in the order they were made, not yet written.
    entries: Vec<Entry>,
}

struct Watched {
    channel: Channel,
    alerts: Vec<Judge>,
    /// When to look for a gap.
    look: Time,
}

/// Begins in so many microseconds of the epoch.
pub(crate) const BEGINNING: Time = Time::from_micros(1_000_000_000_000);

impl Daemon {
    /// Watches channels of these names, with these rules for each.
    pub(crate) fn start(history: Sqlite, names: &[ChannelName], rules: &[Rule]) -> Self {
        history.begin(names, BEGINNING).unwrap();
        let watch = |name: &ChannelName| Watched {
            channel: Channel::begin(name.clone(), GAP_AFTER, BEGINNING),
            alerts: rules.iter().map(Judge::of).collect(),
            look: BEGINNING.plus(GAP_AFTER + ms(1_u8)),
        };
        let watched = names.iter().map(watch).collect();
        Self { history, watched, now: BEGINNING, entries: Vec::new() }
    }

    pub(crate) fn live(&mut self, days: &[Happening]) {
        for happening in days {
            match happening {
                Happening::Polls { after, takes, polls } => self.polls(ms(*after), ms(*takes), polls),
                Happening::Restart { crashed, down } => self.restart(*crashed, ms(*down)),
                Happening::Mark => self.mark(),
            }
        }
        self.write();
    }

    /// What became of a rule's alert in a channel.
    pub(crate) fn transitions(&self, channel: usize, rule: usize) -> &[Transition] {
        &self.watched[channel].alerts[rule].transitions
    }

    pub(crate) fn polls(&mut self, after: Duration, takes: Duration, polls: &[Poll]) {
        let sent = self.now.plus(after);
        let received = sent.plus(takes);
        self.pass(received);
        let moment = Moment::of_request(sent, received, CACHE_TTL);
        for (watched, poll) in self.watched.iter_mut().zip(polls) {
            match observation(moment, *poll) {
                Some(seen) => self.entries.extend(watched.observed(&seen, received)),
                None => watched.channel.failed(GapReason::Timeout),
            }
        }
    }

    /// Time passes: gaps open, and what is due by the clock is judged.
    fn pass(&mut self, until: Time) {
        for watched in &mut self.watched {
            let mut now = self.now;
            loop {
                let look = watched.look.max(now);
                let tick = watched.next_tick(now).unwrap_or(until);
                let next = look.min(tick);
                if next >= until {
                    break;
                }
                now = next;
                let entry = if look <= tick { watched.look_for_gap(now) } else { watched.tick(now) };
                self.entries.extend(entry);
            }
        }
        self.now = until;
    }

    fn restart(&mut self, crashed: bool, down: Duration) {
        let stopped = self.now;
        if !crashed {
            for watched in &mut self.watched {
                let changes = watched.channel.stop(stopped, GapReason::Stopped);
                self.entries.push(watched.commit(None, changes, stopped));
            }
        }
        self.write();
        if !crashed {
            self.history.alive(stopped).unwrap();
        }
        // When it was last certainly running.
        let down_since = self.history.newest().unwrap().unwrap_or(stopped);
        self.now = stopped.plus(down);
        self.history.recover().unwrap();
        for watched in &mut self.watched {
            let name = watched.channel.name.clone();
            let kept = self.history.checkpoint(&name).unwrap().unwrap();
            watched.channel = Channel::resume(name, GAP_AFTER, kept, self.now);
            watched.alerts.iter_mut().for_each(|alert| alert.loaded(down_since, self.now));
            watched.look = self.now.plus(GAP_AFTER + ms(1_u8));
        }
    }

    /// Names every channel, so that the floor proves nothing.
    fn mark(&mut self) {
        self.write();
        let last = |watched: &Watched| watched.channel.last().filter(|_| !watched.channel.in_gap());
        let others = self.watched.iter().map(|watched| (watched.channel.name.clone(), last(watched)));
        let widest =
            self.watched.iter().filter_map(|watched| watched.channel.run()).map(|run| run.widest).max();
        let mark =
            Mark { floor: Moment::default(), others: others.collect(), widest: widest.unwrap_or_default() };
        self.history.mark(&mark).unwrap();
        self.history.alive(self.now).unwrap();
    }

    fn write(&mut self) {
        self.history.commit(&std::mem::take(&mut self.entries)).unwrap();
    }
}

impl Watched {
    /// When something due by the clock is looked at next, if anything is.
    fn next_tick(&self, now: Time) -> Option<Time> {
        let due = |alert: &Judge| match alert.down {
            Some(_) => Some(now),
            None => alert.state.due(&alert.rule).clock,
        };
        let due = self.alerts.iter().filter_map(due).min()?.max(now.plus(Duration::from_micros(1)));
        Some(Time::from_micros((due.as_micros() + TICK - 1).div_euclid(TICK) * TICK))
    }

    fn tick(&mut self, now: Time) -> Option<Entry> {
        let changes = self.channel.unchanged();
        self.judge(None, &changes, now).then(|| Entry::new(self.channel.name.clone(), changes))
    }

    fn look_for_gap(&mut self, now: Time) -> Option<Entry> {
        let last = self.channel.last().map_or(self.channel.began, |last| last.latest);
        let left = GAP_AFTER.saturating_sub(now.since(last));
        let overdue = self.channel.overdue(now);
        self.look = now.plus(if left.is_zero() { GAP_AFTER } else { left + ms(1_u8) });
        overdue.map(|changes| self.commit(None, changes, now))
    }

    fn observed(&mut self, seen: &Observation, now: Time) -> Option<Entry> {
        let skips = |alert: &Judge| alert.down.is_none() && alert.state.may_skip(&alert.rule, seen);
        match self.channel.repeats(seen) {
            Err(_stale) => None,
            Ok(true) if self.alerts.iter().all(skips) => {
                self.channel.confirm(seen);
                None
            }
            Ok(true) => {
                let changes = self.channel.changes(seen).unwrap();
                let judged = self.judge(Some(seen), &changes, now);
                self.channel.apply(seen, &changes);
                judged.then(|| Entry::new(self.channel.name.clone(), changes))
            }
            Ok(false) => {
                let changes = self.channel.changes(seen).unwrap();
                Some(self.commit(Some(seen), changes, now))
            }
        }
    }

    fn commit(&mut self, seen: Option<&Observation>, changes: Changes, now: Time) -> Entry {
        self.judge(seen, &changes, now);
        match seen {
            Some(seen) => self.channel.apply(seen, &changes),
            None => self.channel.take_gaps(&changes.gaps),
        }
        Entry::new(self.channel.name.clone(), changes)
    }

    fn judge(&mut self, seen: Option<&Observation>, changes: &Changes, now: Time) -> bool {
        let channel = &self.channel;
        let judged = self.alerts.iter_mut().map(|alert| alert.judge(channel, seen, changes, now));
        // Each is judged.
        judged.filter(|changed| *changed).count() > 0
    }
}
