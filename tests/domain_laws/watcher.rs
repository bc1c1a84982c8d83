//! A small adsum around the real [`Channel`]: it asks the simulated service, commits what follows to a record in
//! memory, and is stopped and killed now and then.

use std::collections::BTreeMap;
use std::time::Duration;

use adsum::domain::answer::Observed;
use adsum::domain::channel::{Changes, Channel, Checkpoint, Stale};
use adsum::domain::event::{Event, EventKind};
use adsum::domain::gap::{Gap, GapReason};
use adsum::domain::names::ChannelName;
use adsum::domain::observation::{Grade, Observation, Occupant};
use adsum::domain::occupancy::Run;
use adsum::domain::roster::Roster;
use adsum::domain::state::Shown;
use adsum::domain::time::{Moment, Time};
use adsum::domain::visit::Visit;

use crate::plan::{Ask, Do, Form, Plan};
use crate::world::{START, World, index, t, user};

/// An observation that was taken, and the instant at which it was true.
#[derive(Clone, Debug)]
pub(crate) struct Good {
    pub(crate) seen: Observation,
    pub(crate) view: i64,
}

/// One commit, and the observation that led to it.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    pub(crate) changes: Changes,
    pub(crate) seen: Option<Observation>,
}

/// What a history would hold of the channel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) commits: Vec<Commit>,
    pub(crate) events: Vec<Event>,
    pub(crate) runs: Vec<Run>,
    pub(crate) gaps: BTreeMap<(Time, bool), Gap>,
    pub(crate) since: Option<Time>,
    pub(crate) complete_since: Option<Time>,
}

impl Record {
    fn take_gap(&mut self, gap: Gap) {
        self.gaps.insert((gap.from, gap.users_only), gap);
    }

    fn take(&mut self, changes: &Changes, seen: Option<&Observation>) {
        self.events.extend(changes.events.iter().cloned());
        if let Some(last) = changes.last_run {
            let kept = self.runs.last_mut().expect("a run that goes on had begun");
            assert_eq!(kept.first, last.first, "the run that goes on is the last one recorded");
            *kept = last;
        }
        self.runs.extend(changes.run);
        changes.gaps.iter().for_each(|&gap| self.take_gap(gap));
        if let Some(seen) = seen {
            self.since.get_or_insert(seen.moment.latest);
            if seen.grade() == Grade::Complete {
                self.complete_since.get_or_insert(seen.moment.latest);
            }
        }
        self.commits.push(Commit { changes: changes.clone(), seen: seen.cloned() });
    }

    pub(crate) fn gaps(&self) -> Vec<Gap> {
        self.gaps.values().copied().collect()
    }

    pub(crate) fn gaps_of(&self, users_only: bool) -> Vec<Gap> {
        self.gaps.values().copied().filter(|gap| gap.users_only == users_only).collect()
    }
}

/// What survives a death.
#[derive(Clone, Debug)]
struct Kept {
    roster: Roster,
    run: Option<Run>,
    /// How many good observations it knows of.
    good: usize,
}

pub(crate) struct Sim<'a> {
    pub(crate) world: &'a World,
    pub(crate) plan: &'a Plan,
    pub(crate) now: i64,
    pub(crate) channel: Channel,
    pub(crate) record: Record,
    /// What was observed and, at a crash, not forgotten.
    pub(crate) good: Vec<Good>,
    /// What was dropped.
    pub(crate) stale: usize,
    /// What was taken though it should have been dropped.
    pub(crate) outdated: usize,
    /// Full gaps as they opened, with the failure that came last before.
    pub(crate) opened: Vec<(Gap, Option<GapReason>)>,
    pub(crate) restarts: usize,
    /// Commits after which the roster does not agree with what they said was complete and shown.
    pub(crate) differing: Vec<(Changes, Roster)>,
    /// When a discovery last saw the channel empty.
    absent: Option<Moment>,
    trouble: Option<GapReason>,
    last_view: i64,
    committed: Kept,
    /// What a mark after each good observation since the last commit would keep.
    marks: Vec<Kept>,
}

pub(crate) fn name() -> ChannelName {
    ChannelName::new("room").unwrap()
}

impl<'a> Sim<'a> {
    pub(crate) fn new(world: &'a World, plan: &'a Plan) -> Self {
        let gap_after = Duration::from_micros(plan.gap_after.unsigned_abs());
        let channel = Channel::begin(name(), gap_after, t(START));
        let committed = Kept { roster: channel.roster().clone(), run: None, good: 0 };
        Self {
            world,
            plan,
            now: START,
            channel,
            record: Record::default(),
            good: Vec::new(),
            stale: 0,
            outdated: 0,
            opened: Vec::new(),
            restarts: 0,
            differing: Vec::new(),
            absent: None,
            trouble: None,
            last_view: i64::MIN,
            committed,
            marks: Vec::new(),
        }
    }

    /// Goes through the plan; `look` is called after every step.
    pub(crate) fn run(world: &'a World, plan: &'a Plan, mut look: impl FnMut(&Self)) -> Self {
        let mut sim = Self::new(world, plan);
        for &(wait, what) in &plan.steps {
            sim.now += wait;
            sim.step(what);
            look(&sim);
        }
        sim
    }

    fn step(&mut self, what: Do) {
        match what {
            Do::Ask(ask) => self.ask(ask),
            Do::Fail(reason) => self.fail(reason),
            Do::Discover { latency, view } => self.discover(latency, view),
            Do::Tick => {
                if let Some(changes) = self.channel.overdue(t(self.now)) {
                    self.commit_gaps(&changes);
                }
            }
            Do::Stop { unwatch, down } => {
                let reason = if unwatch { GapReason::Unwatched } else { GapReason::Stopped };
                let changes = self.channel.stop(t(self.now), reason);
                self.commit_gaps(&changes);
                self.resume(down);
            }
            Do::Crash { unmarked, down } => {
                let marked = self.marks.len().checked_sub(unmarked + 1).map(|at| self.marks[at].clone());
                self.committed = marked.unwrap_or_else(|| self.committed.clone());
                self.good.truncate(self.committed.good);
                if self.record.gaps_of(false).iter().all(|gap| gap.to.is_some()) {
                    let from = self.committed.run.map_or(self.channel.began, |run| run.last.earliest);
                    self.record.take_gap(Gap::open(from, GapReason::Crashed));
                }
                if let (Some(run), Some(last)) = (self.committed.run, self.record.runs.last_mut()) {
                    *last = run;
                }
                self.resume(down);
            }
        }
    }

    fn resume(&mut self, down: i64) {
        self.now += down;
        self.trouble = None;
        self.restarts += 1;
        let kept = Checkpoint {
            began: self.channel.began,
            roster: self.committed.roster.clone(),
            run: self.committed.run,
            open_gaps: self.record.gaps.values().copied().filter(|gap| gap.to.is_none()).collect(),
        };
        self.marks.clear();
        self.absent = self.absent.filter(|absent| self.committed.roster.complete() == Some(*absent));
        // Never long enough for the gap to be told apart from the pause.
        self.channel = Channel::resume(name(), self.channel.gap_after, kept, t(i64::MAX));
    }

    fn discover(&mut self, latency: i64, view: i64) {
        let ask = Ask { latency, view, form: Form::Complete, states: false, turn: 0 };
        if let Some((seen, _)) = self.answer(ask).filter(|(seen, _)| seen.occupancy() == 0) {
            self.channel.absent(seen.moment);
            if self.channel.roster().complete() == Some(seen.moment) {
                self.absent = Some(seen.moment);
            }
        }
    }

    fn fail(&mut self, reason: GapReason) {
        self.channel.failed(reason);
        self.trouble = Some(reason);
    }

    /// The answer to a request sent now, if it is one, and the instant of its truth.
    pub(crate) fn answer(&mut self, ask: Ask) -> Option<(Observation, i64)> {
        let (sent, received) = (self.now, self.now + ask.latency);
        self.now = received;
        let earliest = sent - self.plan.cache_ttl;
        let mut view = earliest + (received - earliest) * ask.view / 1000;
        if self.plan.monotone {
            view = view.max(self.last_view);
            self.last_view = view;
        }
        let mut list = self.world.view(view, ask.states);
        let occupancy = list.len() as u64;
        if !list.is_empty() {
            let turn = ask.turn % list.len();
            list.rotate_left(turn);
        }
        let list = match ask.form {
            Form::Complete => Some(list),
            Form::Cut(keep) => {
                list.truncate(keep);
                Some(list)
            }
            Form::Doubled => {
                if list.len() > 1 {
                    list.pop();
                    list.push(list[0].clone());
                }
                Some(list)
            }
            Form::Overfull => {
                list.push(Occupant { user: user(0), state: Shown::default() });
                Some(list)
            }
            Form::Count => None,
        };
        let moment = Moment::of_request(
            t(sent),
            t(received),
            Duration::from_micros(self.plan.cache_ttl.unsigned_abs()),
        );
        Observation::new(moment, occupancy, list).ok().map(|seen| (seen, view))
    }

    fn ask(&mut self, ask: Ask) {
        let Some((seen, view)) = self.answer(ask) else {
            assert!(matches!(ask.form, Form::Overfull), "only a list that is too long contradicts itself");
            return self.fail(GapReason::BadAnswer);
        };
        let mut last = self.good.last().map(|last| last.seen.moment).into_iter().chain(self.absent);
        let outdated = last.any(|last| !seen.moment.certainly_after(last));
        let repeats = self.channel.repeats(&seen);
        match self.channel.observe(&seen) {
            Err(Stale) => {
                assert!(outdated, "only an answer that may be older is dropped");
                assert_eq!(repeats, Err(Stale));
                self.stale += 1;
                return;
            }
            Ok(None) => {
                self.outdated += usize::from(outdated);
                assert_eq!(repeats, Ok(true), "an unchanged observation repeats the last one");
                self.channel.confirm(&seen);
                self.good.push(Good { seen: seen.clone(), view });
                self.mark(&seen);
            }
            Ok(Some(changes)) => {
                self.outdated += usize::from(outdated);
                assert_eq!(repeats, Ok(false), "a changed observation does not repeat the last one");
                self.good.push(Good { seen: seen.clone(), view });
                self.note_opened(&changes);
                self.channel.apply(&seen, &changes);
                self.commit(&changes, Some(&seen));
            }
        }
        self.trouble = None;
    }

    fn note_opened(&mut self, changes: &Changes) {
        for gap in changes.gaps.iter().filter(|gap| !gap.users_only) {
            if !self.record.gaps.contains_key(&(gap.from, false)) {
                self.opened.push((*gap, self.trouble));
            }
        }
    }

    fn commit_gaps(&mut self, changes: &Changes) {
        assert!(changes.events.is_empty() && changes.run.is_none(), "only gaps come without an observation");
        self.note_opened(changes);
        self.channel.take_gaps(&changes.gaps);
        self.commit(changes, None);
    }

    fn commit(&mut self, changes: &Changes, seen: Option<&Observation>) {
        self.record.take(changes, seen);
        let roster = self.channel.roster();
        assert_eq!(self.record.runs.last(), self.channel.run(), "the record's last run is the channel's");
        if (changes.complete, changes.shown) != (roster.complete(), roster.shown()) {
            self.differing.push((changes.clone(), roster.clone()));
        }
        let roster = if seen.is_some() {
            roster.clone()
        } else {
            let kept = &self.committed.roster;
            Roster::restore(kept.members().clone(), changes.complete, changes.shown, kept.seq())
        };
        self.committed = Kept { roster, run: self.channel.run().copied(), good: self.good.len() };
        self.marks.clear();
    }

    fn mark(&mut self, seen: &Observation) {
        let mut kept = self.marks.last().unwrap_or(&self.committed).clone();
        kept.good = self.good.len();
        kept.run = self.channel.run().copied();
        if seen.grade() == Grade::Complete {
            kept.roster.confirm(seen);
        }
        self.marks.push(kept);
    }

    /// The visits that the events tell of.
    pub(crate) fn visits(&self) -> Vec<Visit> {
        let mut visits: Vec<Visit> = Vec::new();
        for event in &self.record.events {
            let open = visits.iter_mut().find(|visit| visit.user == event.user && visit.left.is_none());
            match (event.kind, open) {
                (EventKind::Join | EventKind::Present, None) => visits.push(Visit {
                    channel: name(),
                    opened: event.seq,
                    user: event.user.clone(),
                    joined: event.window,
                    left: None,
                    listed_until: event.window.not_after,
                    state: event.state.clone(),
                    state_since: event.state.is_known().then_some(event.window),
                }),
                (EventKind::Leave, Some(visit)) => visit.left = Some(event.window),
                (EventKind::State | EventKind::Settled, Some(visit)) => {
                    visit.state = event.state.clone();
                    visit.state_since = Some(event.window);
                }
                (kind, open) => panic!("{kind:?} of {:?} while {open:?}", event.user),
            }
        }
        let roster = self.channel.roster();
        for visit in visits.iter_mut().filter(|visit| visit.left.is_none()) {
            let member = &roster.members()[&visit.user];
            assert_eq!((member.opened, member.joined), (visit.opened, visit.joined));
            visit.listed_until = roster.listed(member).map_or(visit.listed_until, |moment| moment.earliest);
        }
        visits
    }

    pub(crate) fn observed(&self) -> Observed {
        Observed {
            began: self.channel.began,
            since: self.record.since,
            complete_since: self.record.complete_since,
            last: self.channel.last(),
            last_complete: self.channel.last_complete(),
        }
    }

    /// The indices of the good observations that are complete.
    pub(crate) fn complete(&self) -> Vec<&Good> {
        self.good.iter().filter(|good| good.seen.grade() == Grade::Complete).collect()
    }
}

impl Good {
    pub(crate) fn lists(&self, who: usize) -> bool {
        self.seen.listed().iter().any(|occupant| index(&occupant.user) == who)
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.seen.grade() == Grade::Complete
    }

    pub(crate) fn earliest(&self) -> i64 {
        self.seen.moment.earliest.as_micros()
    }

    pub(crate) fn latest(&self) -> i64 {
        self.seen.moment.latest.as_micros()
    }
}
