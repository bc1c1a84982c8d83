//! The ways in which things may have gone, where the record leaves that open: how the alert stands in each.

use super::outcome::{Count, Doubt};
use crate::domain::alert::names::AlertId;
use crate::domain::alert::rule::Rule;
use crate::domain::alert::state::{AlertState, Firing, Ground, Pending};
use crate::domain::alert::{Change, Input, Transition, step};
use crate::domain::time::{Time, Window};

/// One way in which something may have happened: what the alert would hear of it, in order.
pub(super) type Course = Vec<Input>;

/// A transition, as far as the record shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Heard {
    /// The transition; its `at` is the earliest time at which it may have been.
    pub transition: Transition,
    /// The latest.
    pub at_most_later: Time,
    /// Whether it was for certain.
    pub certain: bool,
}

/// How often what happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Tally {
    pub(super) pending: Count,
    pub(super) fired: Count,
    pub(super) resolved: Count,
}

/// All the ways that are open, each as one state of the alert: at least one.
pub(super) struct Worlds<'a> {
    /// Without `repeat_every`, which changes nothing but what is told: it is counted apart.
    rule: Rule,
    /// Which transitions are counted.
    span: (Time, Time),
    all: Vec<World>,
    ids: u128,
    doubts: Vec<Doubt>,
    hear: &'a mut dyn FnMut(&Heard),
}

#[derive(Clone)]
struct World {
    state: AlertState,
    tally: Tally,
}

impl<'a> Worlds<'a> {
    /// An alert that is inactive for certain. `hear` hears of every transition.
    pub(super) fn begin(rule: &Rule, span: (Time, Time), hear: &'a mut dyn FnMut(&Heard)) -> Self {
        let rule = Rule { repeat_every: None, ..rule.clone() };
        let world = World { state: AlertState::Inactive, tally: Tally::default() };
        Self { rule, span, all: vec![world], ids: 0, doubts: Vec::new(), hear }
    }

    /// Whether it fires in all of them, and whether in any.
    pub(super) fn fires(&self) -> (bool, bool) {
        let mut firing = self.all.iter().map(|world| matches!(world.state, AlertState::Firing(_)));
        let any = firing.clone().any(|firing| firing);
        (any && firing.all(|firing| firing), any)
    }

    /// What the record leaves open just now.
    pub(super) fn doubts(&self) -> &[Doubt] {
        &self.doubts
    }

    /// When something is next due by the clock, after `after`, in any of them.
    pub(super) fn next_clock(&self, after: Option<Time>) -> Option<Time> {
        let due = self.all.iter().filter_map(|world| world.state.due(&self.rule).clock);
        due.filter(|due| after.is_none_or(|after| *due > after)).min()
    }

    /// When an observation is next due, after `after`, in any of them.
    pub(super) fn next_observation(&self, after: Time) -> Option<Time> {
        let due = self.all.iter().filter_map(|world| world.state.due(&self.rule).observation);
        due.filter(|due| *due > after).min()
    }

    /// How often what happened, in any of them.
    pub(super) fn tally(&self) -> Tally {
        let all = self.all.iter().map(|world| world.tally);
        all.reduce(Tally::either).unwrap_or_default()
    }

    /// What happened so often that nobody can tell how often.
    pub(super) fn lose_count(&mut self) {
        for world in &mut self.all {
            let Tally { pending, fired, resolved } = &mut world.tally;
            for count in [pending, fired, resolved] {
                count.max = None;
            }
        }
    }

    /// One of these courses was taken, in every world; it was over by `by`. Gives the transitions.
    pub(super) fn take(&mut self, courses: &[Course], by: Time, doubt: Doubt) -> Vec<Heard> {
        self.take_where(|_| true, courses, by, doubt)
    }

    /// What is due by the clock at `due` happens then, or later, until `by`; if not `sure`, perhaps.
    pub(super) fn tick(&mut self, due: Time, by: Time, sure: bool) -> Vec<Heard> {
        let rule = self.rule.clone();
        let is_due = |state: &AlertState| state.due(&rule).clock == Some(due);
        let courses: &[Course] = &[vec![Input::Time(due)], Vec::new()];
        let courses = if sure { courses.get(..1).unwrap_or_default() } else { courses };
        self.take_where(is_due, courses, by, Doubt::Order)
    }

    fn take_where(
        &mut self,
        concerned: impl Fn(&AlertState) -> bool,
        courses: &[Course],
        by: Time,
        doubt: Doubt,
    ) -> Vec<Heard> {
        let mut next = Vec::with_capacity(self.all.len() * courses.len());
        let mut told: Vec<Vec<Transition>> = Vec::new();
        for world in std::mem::take(&mut self.all) {
            if !concerned(&world.state) {
                told.push(Vec::new());
                next.push(world);
                continue;
            }
            for course in courses {
                let (world, transitions) = self.play(world.clone(), course, by);
                next.push(world);
                told.push(transitions);
            }
        }
        self.all = distinct(next);
        if self.all.len() == 1 {
            self.doubts.clear();
        } else if courses.len() > 1 && !self.doubts.contains(&doubt) {
            self.doubts.push(doubt);
        }
        let heard = agree(told, by);
        for heard in &heard {
            (self.hear)(heard);
        }
        heard
    }

    fn play(&mut self, mut world: World, course: &[Input], by: Time) -> (World, Vec<Transition>) {
        let mut told = Vec::new();
        for input in course {
            self.ids += 1;
            let fresh = AlertId::new(uuid::Uuid::from_u128(self.ids));
            let (state, transitions) = step(&self.rule, world.state, input, fresh);
            world.state = state;
            told.extend(transitions);
        }
        for transition in &told {
            world.tally.count(transition, by, self.span);
        }
        (world, told)
    }
}

impl Tally {
    fn count(&mut self, transition: &Transition, by: Time, (from, to): (Time, Time)) {
        let by = by.max(transition.at);
        if transition.at >= to || by < from {
            return;
        }
        let within = transition.at >= from && by < to;
        match transition.change {
            Change::Pending => self.pending.add(within),
            Change::Firing => self.fired.add(within),
            Change::Resolved(_) => self.resolved.add(within),
            Change::Inactive(_) | Change::Repeated => {}
        }
    }

    fn either(self, other: Self) -> Self {
        Self {
            pending: self.pending.either(other.pending),
            fired: self.fired.either(other.fired),
            resolved: self.resolved.either(other.resolved),
        }
    }
}

/// What was told in all the worlds: for certain where they agree, perhaps where they do not.
fn agree(told: Vec<Vec<Transition>>, by: Time) -> Vec<Heard> {
    let changes = |told: &[Transition]| told.iter().map(|one| one.change.as_str()).collect::<Vec<_>>();
    let Some(first) = told.first().map(|first| changes(first)) else { return Vec::new() };
    let certain = told.iter().all(|other| changes(other) == first);
    let latest = |one: &Transition| by.max(one.at);
    if !certain {
        let all = told.into_iter().flatten();
        return all.map(|one| Heard { at_most_later: latest(&one), transition: one, certain }).collect();
    }
    let mut heard: Vec<Heard> = Vec::new();
    for told in told {
        for (place, one) in told.into_iter().enumerate() {
            match heard.get_mut(place) {
                Some(heard) => {
                    heard.at_most_later = heard.at_most_later.max(latest(&one));
                    heard.transition.at = heard.transition.at.min(one.at);
                    heard.transition.since = hull(heard.transition.since, one.since);
                }
                None => heard.push(Heard { at_most_later: latest(&one), transition: one, certain }),
            }
        }
    }
    heard
}

/// States that go on in the same way are one. Of those that differ in nothing but since when something counts, the earliest
/// and the latest stand for all: what is due is due between them.
fn distinct(mut worlds: Vec<World>) -> Vec<World> {
    worlds.sort_by_key(|world| key(&world.state));
    let mut left: Vec<World> = Vec::new();
    for group in worlds.chunk_by(|one, other| key(&one.state).0 == key(&other.state).0) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let tally = group.iter().map(|world| world.tally).reduce(Tally::either).unwrap_or_default();
        let since = group.iter().filter_map(|world| since(&world.state)).reduce(hull);
        let merged = |world: &World| World { state: with_since(world.state, since), tally };
        left.push(merged(first));
        if key(&first.state) != key(&last.state) {
            left.push(merged(last));
        }
    }
    left
}

/// What kind of state it is, and since when it counts: nothing else decides what comes next.
fn key(state: &AlertState) -> (u8, Option<Time>) {
    match state {
        AlertState::Inactive => (0, None),
        AlertState::Pending(Pending { ground: Ground::Observed { first }, .. }) => (1, Some(first.latest)),
        AlertState::Pending(Pending { ground: Ground::Gap { from, down, .. }, .. }) => {
            (2, Some(from.plus(*down)))
        }
        AlertState::Firing(Firing { clear, .. }) => match clear {
            None => (3, None),
            Some(clear) => (4, Some(clear.first.latest)),
        },
    }
}

fn since(state: &AlertState) -> Option<Window> {
    match state {
        AlertState::Inactive => None,
        AlertState::Pending(Pending { since, .. }) | AlertState::Firing(Firing { since, .. }) => Some(*since),
    }
}

fn with_since(state: AlertState, merged: Option<Window>) -> AlertState {
    match (state, merged) {
        (AlertState::Pending(pending), Some(since)) => AlertState::Pending(Pending { since, ..pending }),
        (AlertState::Firing(firing), Some(since)) => AlertState::Firing(Firing { since, ..firing }),
        (state, _) => state,
    }
}

/// The window that holds both.
fn hull(one: Window, other: Window) -> Window {
    let not_before = one.not_before.zip(other.not_before).map(|(one, other)| one.min(other));
    Window { not_before, not_after: one.not_after.max(other.not_after) }
}
