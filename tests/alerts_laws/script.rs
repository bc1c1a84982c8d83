//! A channel's days: polls that see it whole, cut, counted or not at all, and restarts. Made into what is committed, with
//! the real [`Channel`], so that gaps, repeats and what was known before are the real ones.

use std::time::Duration;

use adsum::domain::alert::{Condition, Input};
use adsum::domain::channel::{Changes, Channel, Checkpoint};
use adsum::domain::gap::{Gap, GapReason};
use adsum::domain::names::{ChannelName, UserId};
use adsum::domain::observation::{Observation, Occupant};
use adsum::domain::state::Shown;
use adsum::domain::time::{Moment, Time};
use proptest::prelude::*;

const CACHE_TTL: Duration = Duration::from_secs(3);
const GAP_AFTER: Duration = Duration::from_secs(15);

/// Whom the rules about a user are about.
pub(crate) const ADA: &str = "ada";

/// What a poll sees.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Poll {
    Whole { others: u8, ada: bool },
    Cut { others: u8, ada: bool },
    Count(u8),
    Nothing,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Happening {
    /// Some milliseconds after the last thing; the answer takes a while.
    Poll { after: u16, takes: u16, poll: Poll },
    /// adsum is down for some milliseconds.
    Restart { crashed: bool, down: u32 },
}

/// What is committed, or is looked at and changes nothing.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) at: Time,
    pub(crate) inputs: Vec<Input>,
    /// The observation, if it repeats the last one: then it need not be looked at.
    pub(crate) repeated: Option<Observation>,
}

impl Entry {
    /// Up to when the clock was looked at before this.
    pub(crate) fn clock_until(&self) -> Time {
        match self.inputs.first() {
            Some(Input::Resumed { down_since, .. }) => *down_since,
            _ => self.at,
        }
    }
}

fn poll() -> impl Strategy<Value = Poll> {
    let whole = || (0..8_u8, any::<bool>()).prop_map(|(others, ada)| Poll::Whole { others, ada });
    prop_oneof![
        8 => whole(),
        2 => (0..8_u8, any::<bool>()).prop_map(|(others, ada)| Poll::Cut { others, ada }),
        1 => (0..8_u8).prop_map(Poll::Count),
        4 => Just(Poll::Nothing),
    ]
}

/// The same poll several times, so that something lasts.
fn stretch() -> impl Strategy<Value = Vec<Happening>> {
    let polls = (poll(), proptest::collection::vec((4_000..6_500_u16, 0..900_u16), 1..9)).prop_map(
        |(poll, times)| {
            times.into_iter().map(|(after, takes)| Happening::Poll { after, takes, poll }).collect()
        },
    );
    let restart =
        (any::<bool>(), 0..90_000_u32).prop_map(|(crashed, down)| vec![Happening::Restart { crashed, down }]);
    prop_oneof![9 => polls, 1 => restart]
}

pub(crate) fn days() -> impl Strategy<Value = Vec<Happening>> {
    proptest::collection::vec(stretch(), 1..14).prop_map(|stretches| stretches.concat())
}

/// What is committed of these days, as a rule with this condition hears of it.
pub(crate) fn script(condition: &Condition, days: &[Happening]) -> Vec<Entry> {
    let now = Time::from_micros(1_000_000_000_000);
    let name = ChannelName::new("lobby").unwrap();
    let channel = Channel::begin(name, GAP_AFTER, now);
    let mut writer = Writer { condition, channel, now, entries: Vec::new() };
    for happening in days {
        match *happening {
            Happening::Poll { after, takes, poll } => writer.poll(ms(after), ms(takes), poll),
            Happening::Restart { crashed, down } => writer.restart(crashed, ms(down)),
        }
    }
    writer.entries
}

fn ms(milliseconds: impl Into<u64>) -> Duration {
    Duration::from_millis(milliseconds.into())
}

struct Writer<'a> {
    condition: &'a Condition,
    channel: Channel,
    now: Time,
    entries: Vec<Entry>,
}

impl Writer<'_> {
    fn poll(&mut self, after: Duration, takes: Duration, poll: Poll) {
        let sent = self.now.plus(after);
        let received = sent.plus(takes);
        // The channel's actor looks for a gap just after it opens.
        let last = self.channel.last().map_or(self.channel.began, |last| last.latest);
        for look in [last.plus(GAP_AFTER + ms(1_u64)), sent] {
            if (self.now..=received).contains(&look) {
                self.look(look);
            }
        }
        self.now = received;
        let moment = Moment::of_request(sent, received, CACHE_TTL);
        let Some(seen) = observation(moment, poll) else {
            self.channel.failed(GapReason::Timeout);
            return;
        };
        let Ok(changes) = self.channel.observe(&seen) else { return };
        let committed = changes.clone().unwrap_or_default();
        self.note(Some(&seen), &committed, changes.is_none());
        match changes {
            Some(changes) => self.channel.apply(&seen, &changes),
            None => self.channel.confirm(&seen),
        }
    }

    fn look(&mut self, at: Time) {
        self.now = at;
        if let Some(changes) = self.channel.overdue(at) {
            self.note(None, &changes, false);
            self.channel.take_gaps(&changes.gaps);
        }
    }

    fn restart(&mut self, crashed: bool, down: Duration) {
        let down_since = self.now;
        if !crashed {
            let changes = self.channel.stop(self.now, GapReason::Stopped);
            self.note(None, &changes, false);
            self.channel.take_gaps(&changes.gaps);
        }
        self.now = self.now.plus(down);
        let resumed = Input::Resumed { down_since, at: self.now };
        self.entries.push(Entry { at: self.now, inputs: vec![resumed], repeated: None });
        if crashed && !self.channel.in_gap() {
            let from = self.channel.last().map_or(self.channel.began, |last| last.earliest);
            let gaps = vec![Gap::open(from, GapReason::Crashed)];
            self.note(None, &Changes { gaps: gaps.clone(), ..Changes::default() }, false);
            self.channel.take_gaps(&gaps);
        }
        let kept = Checkpoint {
            began: self.channel.began,
            roster: self.channel.roster().clone(),
            run: self.channel.run().copied(),
            open_gaps: [self.channel.open_gap(Time::from_micros(0)), self.channel.users_gap()]
                .into_iter()
                .flatten()
                .collect(),
        };
        self.channel = Channel::resume(self.channel.name.clone(), GAP_AFTER, kept, self.now);
    }

    fn note(&mut self, seen: Option<&Observation>, changes: &Changes, repeats: bool) {
        let inputs = Input::of_commit(self.condition, &self.channel, seen, changes, self.now);
        let repeated = seen.filter(|_| repeats).cloned();
        self.entries.push(Entry { at: self.now, inputs, repeated });
    }
}

fn observation(moment: Moment, poll: Poll) -> Option<Observation> {
    let list = |others: u8, ada: bool| -> Vec<Occupant> {
        let names = (0..others).map(|n| format!("user-{n}")).chain(ada.then(|| ADA.to_owned()));
        names.map(|name| Occupant { user: UserId::new(&name).unwrap(), state: Shown::Unknown }).collect()
    };
    let seen = match poll {
        Poll::Whole { others, ada } => {
            let listed = list(others, ada);
            Observation::new(moment, listed.len() as u64, Some(listed))
        }
        Poll::Cut { others, ada } => {
            let listed = list(others, ada);
            // The same occupancy whoever is listed: so cut lists may repeat and yet list others.
            Observation::new(moment, 12, Some(listed))
        }
        Poll::Count(count) => Observation::new(moment, u64::from(count), None),
        Poll::Nothing => return None,
    };
    Some(seen.unwrap())
}
