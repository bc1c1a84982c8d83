//! Channels driven by made-up observations against a history, with everything kept in memory as well.

use std::time::Duration;

use adsum::domain::channel::{Changes, Channel};
use adsum::domain::event::{EventKind, Recorded};
use adsum::domain::gap::{Gap, GapReason};
use adsum::domain::names::{ChannelName, UserId};
use adsum::domain::observation::{Observation, Occupant, Seen};
use adsum::domain::occupancy::Run;
use adsum::domain::state::{Shown, State};
use adsum::domain::time::{Moment, Time, Window};
use adsum::domain::visit::Visit;
use adsum::history::{Entry, EventQuery, History, Mark, VisitQuery};
use proptest::prelude::*;

/// How many channels and users there are.
pub(crate) const CHANNELS: usize = 3;
const USERS: u8 = 5;

/// A gap opens after this.
pub(crate) const GAP_AFTER: Duration = Duration::from_micros(100);

/// What an observation sees of a channel.
#[derive(Clone, Debug)]
pub(crate) enum Sight {
    /// These users (with their states) and nobody else.
    Complete(Vec<(u8, u8)>),
    /// These and some more.
    Truncated(Vec<(u8, u8)>),
    /// So many.
    Count(u8),
}

/// One thing that happens to one channel.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A poll succeeds.
    Observe(Sight),
    /// A poll fails, and the time is looked at.
    Fail,
    /// The watch stops, and starts again from what the history kept.
    Restart(GapReason),
    /// The channel's actor dies and its successor loads what the history kept.
    Reload,
    /// A mark is committed for all channels.
    Mark,
}

/// A step, of which channel, and how long after the one before.
pub(crate) type Happening = (usize, u8, Step);

fn sight() -> impl Strategy<Value = Sight> {
    // States are asked for in all of a list or in nothing of it.
    let users = || {
        let users = proptest::collection::btree_map(0..USERS, 1u8..4, 0..=usize::from(USERS));
        (users, proptest::bool::weighted(0.8)).prop_map(|(users, states)| {
            users.into_iter().map(|(user, state)| (user, if states { state } else { 0 })).collect::<Vec<_>>()
        })
    };
    prop_oneof![
        6 => users().prop_map(Sight::Complete),
        2 => users().prop_map(Sight::Truncated),
        1 => (0u8..4).prop_map(Sight::Count),
    ]
}

/// Random histories.
pub(crate) fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let step = prop_oneof![
        12 => sight().prop_map(Step::Observe),
        2 => Just(Step::Fail),
        1 => Just(Step::Restart(GapReason::Stopped)),
        1 => Just(Step::Restart(GapReason::Unwatched)),
        1 => Just(Step::Reload),
        2 => Just(Step::Mark),
    ];
    proptest::collection::vec((0..CHANNELS, 1u8..60, step), 1..60)
}

/// The names are hostile on purpose.
pub(crate) fn channel_name(index: usize) -> ChannelName {
    ChannelName::new(["lobby", "room \0'\"%", "\u{202e}чат😀\u{1b}[31m"][index]).unwrap()
}

/// The names are hostile on purpose.
pub(crate) fn user_id(index: u8) -> UserId {
    UserId::new(
        ["ada", "a\0b", "'; DROP TABLE events; --", "😀,*-pnpres", "\u{202e}\u{feff}"][usize::from(index)],
    )
    .unwrap()
}

fn shown(state: u8) -> Shown {
    match state {
        0 => Shown::Unknown,
        1 => Shown::Empty,
        n => Shown::Value(State::new(serde_json::json!({ "n": n, "text": "\u{0}\"😀" }))),
    }
}

/// The channels and what was recorded of them.
pub(crate) struct World<'h> {
    pub(crate) history: &'h dyn History,
    pub(crate) channels: Vec<Channel>,
    pub(crate) recorded: Vec<Recorded>,
    /// All gaps, as last committed.
    pub(crate) gaps: Vec<(ChannelName, Gap)>,
    /// All runs, as last seen.
    pub(crate) runs: Vec<Vec<Run>>,
    pub(crate) now: Time,
}

impl<'h> World<'h> {
    /// New channels in an empty history.
    pub(crate) fn begin(history: &'h dyn History) -> Self {
        let now = Time::from_micros(1_000_000);
        let channels = (0..CHANNELS).map(|index| {
            history.begin(&[channel_name(index)], now).unwrap();
            Channel::begin(channel_name(index), GAP_AFTER, now)
        });
        let channels = channels.collect();
        Self {
            history,
            channels,
            recorded: Vec::new(),
            gaps: Vec::new(),
            runs: vec![Vec::new(); CHANNELS],
            now,
        }
    }

    /// A record of what happened, stopped.
    pub(crate) fn after(history: &'h dyn History, happenings: &[Happening]) -> Self {
        let mut world = Self::begin(history);
        world.live(happenings);
        world.stop();
        world
    }

    /// Everything that happens, in order.
    pub(crate) fn live(&mut self, happenings: &[Happening]) {
        for (index, later, step) in happenings {
            self.now = self.now.plus(Duration::from_micros(u64::from(*later)));
            self.step(*index, step);
        }
    }

    fn step(&mut self, index: usize, step: &Step) {
        match step {
            Step::Observe(sight) => self.observe(index, sight),
            Step::Fail => {
                self.channels[index].failed(GapReason::Timeout);
                if let Some(changes) = self.channels[index].overdue(self.now) {
                    self.commit(index, changes.clone());
                    self.channels[index].take_gaps(&changes.gaps);
                }
            }
            Step::Restart(reason) => {
                let changes = self.channels[index].stop(self.now, *reason);
                self.commit(index, changes);
                self.reload(index);
            }
            Step::Reload => self.reload(index),
            Step::Mark => self.mark(),
        }
    }

    fn observe(&mut self, index: usize, sight: &Sight) {
        let moment = Moment { earliest: self.now, latest: self.now.plus(Duration::from_micros(3)) };
        self.now = moment.latest;
        let listed = |users: &[(u8, u8)]| {
            users.iter().map(|&(user, state)| Occupant { user: user_id(user), state: shown(state) }).collect()
        };
        let seen = match sight {
            Sight::Complete(users) => Observation::new(moment, users.len() as u64, Some(listed(users))),
            Sight::Truncated(users) => Observation::new(moment, users.len() as u64 + 2, Some(listed(users))),
            Sight::Count(count) => Observation::new(moment, u64::from(*count), None),
        };
        let seen = seen.unwrap();
        assert!(!matches!(&seen.seen, Seen::Truncated { occupancy, .. } if *occupancy == 0));
        // A run that a mark stretched may end later than the observation it stands for, never than now.
        let changes = self.channels[index].observe(&seen).unwrap();
        match changes {
            None => self.channels[index].confirm(&seen),
            Some(changes) => {
                self.commit(index, changes.clone());
                self.channels[index].apply(&seen, &changes);
            }
        }
        let run = *self.channels[index].run().unwrap();
        match self.runs[index].last_mut() {
            Some(last) if last.first == run.first => *last = run,
            _ => self.runs[index].push(run),
        }
    }

    fn commit(&mut self, index: usize, changes: Changes) {
        for gap in &changes.gaps {
            self.note_gap(index, *gap);
        }
        let events = changes.events.clone();
        let recorded = self.history.commit(&[Entry::new(channel_name(index), changes)]).unwrap();
        assert_eq!(recorded.len(), events.len());
        self.recorded.extend(recorded);
    }

    /// Takes a gap, in place of the same one as it was before.
    pub(crate) fn note_gap(&mut self, index: usize, gap: Gap) {
        let channel = channel_name(index);
        let same = |(name, old): &&mut (ChannelName, Gap)| {
            *name == channel && old.from == gap.from && old.users_only == gap.users_only
        };
        match self.gaps.iter_mut().find(same) {
            Some((_, old)) => *old = gap,
            None => self.gaps.push((channel, gap)),
        }
    }

    /// The channel's actor is replaced by one that knows what the history knows.
    pub(crate) fn reload(&mut self, index: usize) {
        let kept = self.history.checkpoint(&channel_name(index)).unwrap().unwrap();
        self.channels[index] =
            Channel::resume(channel_name(index), GAP_AFTER, kept, crate::given::time(i64::MAX));
        if let (Some(run), Some(last)) = (self.channels[index].run(), self.runs[index].last_mut()) {
            *last = *run;
        }
    }

    /// What a mark may say: the floor is the middle one of the channels' last observations; named is what is below, and
    /// what is not observed.
    fn mark(&mut self) {
        let last = |channel: &Channel| {
            let watched = !channel.in_gap();
            channel.run().copied().filter(|_| watched)
        };
        let mut floors: Vec<Time> =
            self.channels.iter().filter_map(last).map(|run| run.last.earliest).collect();
        floors.sort();
        let Some(&floor) = floors.get(floors.len() / 2) else { return };
        let named = |channel: &Channel| last(channel).is_none_or(|run| run.last.earliest < floor);
        let others = self.channels.iter().filter(|channel| named(channel));
        let others =
            others.map(|channel| (channel.name.clone(), last(channel).map(|run| run.last))).collect();
        let widest = self.channels.iter().filter_map(last).map(|run| run.widest).max().unwrap_or_default();
        let unnamed = self.channels.iter().filter(|channel| !named(channel)).filter_map(last);
        let latest = unnamed.map(|run| run.last.latest).max().unwrap();
        let floor = Moment { earliest: floor, latest };
        self.history.mark(&Mark { floor, others, widest }).unwrap();
    }

    /// Stops every watch.
    pub(crate) fn stop(&mut self) {
        for index in 0..CHANNELS {
            let changes = self.channels[index].stop(self.now, GapReason::Stopped);
            self.commit(index, changes.clone());
            self.channels[index].take_gaps(&changes.gaps);
        }
    }

    /// The visits that the recorded events tell of, in order of channel and number; those that last with
    /// `listed_until` as their channel has it.
    pub(crate) fn visits(&self) -> Vec<Visit> {
        let mut visits: Vec<Visit> = Vec::new();
        for event in &self.recorded {
            let since = event.state.is_known().then_some(event.window);
            let open = visits.iter_mut().find(|visit| {
                visit.channel == event.channel && visit.user == event.user && visit.left.is_none()
            });
            match (event.kind, open) {
                (EventKind::Join | EventKind::Present, None) => visits.push(Visit {
                    channel: event.channel.clone(),
                    opened: event.seq,
                    user: event.user.clone(),
                    joined: event.window,
                    left: None,
                    listed_until: self
                        .listed_until(&event.channel, &event.user)
                        .unwrap_or(event.window.not_after),
                    state: event.state.clone(),
                    state_since: since,
                }),
                (EventKind::Leave, Some(visit)) => {
                    visit.left = Some(event.window);
                    visit.listed_until = event.window.not_before.unwrap();
                }
                (EventKind::State | EventKind::Settled, Some(visit)) => {
                    visit.state = event.state.clone();
                    visit.state_since = since;
                }
                (kind, open) => panic!("a {kind:?} with {open:?}"),
            }
        }
        visits
    }

    fn listed_until(&self, channel: &ChannelName, user: &UserId) -> Option<Time> {
        let channel = self.channels.iter().find(|known| known.name == *channel)?;
        let member = channel.roster().members().get(user)?;
        channel.roster().listed(member).map(|moment| moment.earliest)
    }
}

/// All events of a question, a few at a time.
pub(crate) fn all_events(history: &dyn History, query: &EventQuery, page: usize) -> Vec<Recorded> {
    let mut query = EventQuery { limit: page, ..query.clone() };
    let mut all = Vec::new();
    loop {
        let events = history.events(&query).unwrap();
        assert!(events.len() <= page);
        let Some(last) = events.last() else { return all };
        query.after = last.id;
        all.extend(events);
    }
}

/// All visits of a question, a few at a time.
pub(crate) fn all_visits(history: &dyn History, query: &VisitQuery, page: usize) -> Vec<Visit> {
    let mut query = VisitQuery { limit: page, ..query.clone() };
    let mut all: Vec<Visit> = Vec::new();
    loop {
        let visits = history.visits(&query).unwrap();
        assert!(visits.len() <= page);
        let Some(last) = visits.last() else { return all };
        query.after = Some(adsum::history::VisitCursor {
            joined: last.joined.not_after,
            channel: last.channel.clone(),
            opened: last.opened,
        });
        all.extend(visits);
    }
}

/// All gaps that touch a span, a few at a time.
pub(crate) fn all_gaps(
    history: &dyn History,
    channel: Option<&ChannelName>,
    span: (Option<Time>, Option<Time>),
    page: usize,
) -> Vec<(ChannelName, Gap)> {
    let mut all: Vec<(ChannelName, Gap)> = Vec::new();
    loop {
        let after = all.last().map(|(channel, gap)| (gap.from, channel.clone()));
        let gaps = history.gaps(channel, span, after.as_ref(), page).unwrap();
        if gaps.is_empty() {
            return all;
        }
        all.extend(gaps);
    }
}

/// Whether an event is in a span.
pub(crate) fn in_span(window: Window, (from, to): (Option<Time>, Option<Time>)) -> bool {
    from.is_none_or(|from| window.not_after >= from)
        && to.is_none_or(|to| window.not_before.unwrap_or(window.not_after) < to)
}

/// Visits by channel and number, so that those of two lists can be compared.
pub(crate) fn in_order(visits: &[Visit]) -> Vec<Visit> {
    let mut visits = visits.to_vec();
    visits.sort_by(|one, other| (&one.channel, one.opened).cmp(&(&other.channel, other.opened)));
    visits
}

/// Gaps by channel and beginning, for the same reason.
pub(crate) fn sorted(mut gaps: Vec<(ChannelName, Gap)>) -> Vec<(ChannelName, Gap)> {
    gaps.sort_by(|(one, a), (other, b)| (one, a.from, a.users_only).cmp(&(other, b.from, b.users_only)));
    gaps
}
