//! The step of an alert from one state to the next. The rules are in the words of the [module](super).

use std::time::Duration;

use super::input::{Input, Listing, Sighting};
use super::names::AlertId;
use super::rule::{Condition, OnGap, Rule, Verdict};
use super::state::{AlertState, Clear, Firing, Ground, Pending};
use super::transition::{Change, End, Transition, Why};
use crate::domain::gap::{Gap, GapReason};
use crate::domain::time::{Time, Window};

/// How the alert of `rule` and a channel stands after `input`, and what is to be recorded and told of it, in order.
///
/// `fresh` is the id of the alert that may begin with this step: another one for each step.
pub fn step(rule: &Rule, state: AlertState, input: &Input, fresh: AlertId) -> (AlertState, Vec<Transition>) {
    let mut step = Step { rule, state, fresh, transitions: Vec::new() };
    match *input {
        Input::Observed { seen, before, partial } => step.observed(seen, before, partial, seen.moment.latest),
        Input::New { seen, partial, at } => step.observed(seen, None, partial, at),
        Input::Gap { gap, at } => step.gap(gap, at),
        Input::Time(now) => step.time(now),
        Input::Unmuted(now) => step.repeat(now),
        Input::Resumed { down_since, at } => step.resumed(down_since, at),
        Input::Ended { at, why } => step.end(at, End { why, ended: None }, None, None),
    }
    (step.state, step.transitions)
}

struct Step<'a> {
    rule: &'a Rule,
    state: AlertState,
    fresh: AlertId,
    transitions: Vec<Transition>,
}

impl Step<'_> {
    fn observed(&mut self, seen: Sighting, before: Option<Sighting>, partial: Option<Gap>, at: Time) {
        if let AlertState::Firing(firing) = &mut self.state {
            firing.occupancy = self.rule.condition.counts(&seen);
        }
        let untold = self.rule.condition.user().is_some() && seen.user == Listing::Unknown;
        if let Some(gap) = partial.filter(|_| untold) {
            // It may have begun long before the user was last told of, and before adsum was down: it counts from here.
            return self.gap(Gap { from: seen.moment.latest, ..gap }, at);
        }
        let verdict = self.rule.condition.judge(&seen);
        let over = End {
            why: if untold { Why::Unproven } else { Why::Cleared },
            ended: (!untold).then(|| self.ended(seen, before)),
        };
        match self.state {
            AlertState::Inactive => self.begin_observed(self.fresh, verdict, seen, before, at),
            AlertState::Pending(Pending { ground: Ground::Observed { first }, .. })
                if verdict == Verdict::Holds =>
            {
                if seen.moment.earliest >= first.latest.plus(self.rule.hold_for) {
                    self.fire(at, self.rule.condition.counts(&seen));
                }
            }
            // What was not seen is seen now, and it is what the rule looks for: that counts from here.
            AlertState::Pending(Pending { id, ground: Ground::Gap { .. }, .. })
                if verdict == Verdict::Holds =>
            {
                self.begin_observed(id, verdict, seen, before, at);
            }
            AlertState::Pending(_) => {
                self.end(at, over, self.rule.condition.counts(&seen), None);
                self.begin_observed(self.fresh, verdict, seen, before, at);
            }
            AlertState::Firing(firing) => self.observed_firing(firing, verdict, seen, over, at),
        }
    }

    fn begin_observed(
        &mut self,
        id: AlertId,
        verdict: Verdict,
        seen: Sighting,
        before: Option<Sighting>,
        at: Time,
    ) {
        if verdict != Verdict::Holds {
            return;
        }
        // Where the last one showed it too, a gap lies between, or the rule is new: it may have held for long.
        let before = before.filter(|before| self.rule.condition.judge(before) != Verdict::Holds);
        let since = Window::between(before.map(|before| before.moment), seen.moment);
        let (ground, was) = (Ground::Observed { first: seen.moment }, self.state.id());
        self.state = AlertState::Pending(Pending { id, since, ground });
        if self.rule.hold_for.is_zero() {
            self.fire(at, self.rule.condition.counts(&seen));
        } else if was != Some(id) {
            self.note(at, Change::Pending, self.rule.condition.counts(&seen), None);
        }
    }

    fn observed_firing(&mut self, firing: Firing, verdict: Verdict, seen: Sighting, over: End, at: Time) {
        let clear = match (verdict, over.ended) {
            (Verdict::Clears, Some(ended)) => firing.clear.or(Some(Clear { first: seen.moment, ended })),
            _ => None,
        };
        let firing = Firing { gap: None, clear, ..firing };
        self.state = AlertState::Firing(firing);
        let Some(clear) = clear else { return };
        let keep = self.rule.keep_firing_for;
        if keep.is_zero() || seen.moment.earliest >= clear.first.latest.plus(keep) {
            let end = End { why: Why::Cleared, ended: Some(clear.ended) };
            self.end(at, end, None, None);
        }
    }

    /// When that which the alert stands for was over, as `seen` shows it.
    fn ended(&self, seen: Sighting, before: Option<Sighting>) -> Window {
        let since = match self.state {
            AlertState::Inactive => None,
            AlertState::Pending(Pending { since, .. }) | AlertState::Firing(Firing { since, .. }) => {
                since.not_before
            }
        };
        let blind = matches!(self.state, AlertState::Pending(Pending { ground: Ground::Gap { .. }, .. }));
        let not_before = if blind || self.rule.condition == Condition::Unobserved {
            // The channel was observed again at the instant of the answer.
            Some(seen.moment.earliest)
        } else {
            before
                .filter(|before| self.rule.condition.judge(before) != Verdict::Clears)
                .map(|before| before.moment.earliest)
                .max(since)
        };
        Window { not_before, not_after: seen.moment.latest }
    }

    fn gap(&mut self, gap: Gap, at: Time) {
        if gap.reason == GapReason::Unwatched {
            return self.end(at, End { why: Why::Unwatched, ended: None }, None, Some(gap.reason));
        }
        let blind = End { why: Why::Gap, ended: None };
        let on_gap = self.on_gap(gap.reason);
        match &mut self.state {
            AlertState::Pending(Pending { ground: Ground::Observed { .. }, .. }) => {
                self.end(at, blind, None, Some(gap.reason));
            }
            AlertState::Pending(Pending { ground: Ground::Gap { reason, .. }, .. }) => *reason = gap.reason,
            AlertState::Firing(firing) => {
                (firing.gap, firing.clear) = (Some(gap.reason), None);
                if on_gap == OnGap::Resolve {
                    self.end(at, blind, None, Some(gap.reason));
                }
            }
            AlertState::Inactive => {}
        }
        if on_gap == OnGap::Fire {
            self.begin_gap(gap, at);
            self.gap_lasts(gap.to.unwrap_or(at), at);
        }
    }

    /// A gap in which adsum was down says nothing of the channel. That it is not seen is what `unobserved` looks for.
    fn on_gap(&self, reason: GapReason) -> OnGap {
        match (reason, &self.rule.condition) {
            (GapReason::Stopped | GapReason::Crashed, _) => OnGap::Keep,
            (_, Condition::Unobserved) => OnGap::Fire,
            _ => self.rule.on_gap,
        }
    }

    fn begin_gap(&mut self, gap: Gap, at: Time) {
        if self.state != AlertState::Inactive {
            return;
        }
        let since = Window { not_before: Some(gap.from), not_after: gap.from };
        let ground = Ground::Gap { from: gap.from, down: Duration::ZERO, resumed: None, reason: gap.reason };
        self.state = AlertState::Pending(Pending { id: self.fresh, since, ground });
        if !self.rule.hold_for.is_zero() {
            self.note(at, Change::Pending, None, Some(gap.reason));
        }
    }

    /// The gap that an alert is pending for has lasted until `until`; that is known at `at`.
    fn gap_lasts(&mut self, until: Time, at: Time) {
        let AlertState::Pending(Pending { ground: Ground::Gap { from, down, .. }, .. }) = self.state else {
            return;
        };
        if until >= from.plus(down).plus(self.rule.hold_for) {
            self.fire(at, None);
        }
    }

    fn time(&mut self, now: Time) {
        self.gap_lasts(now, now);
        let every = self.rule.repeat_every;
        if let (Some(every), AlertState::Firing(firing)) = (every, self.state)
            && now >= firing.told.plus(every)
        {
            self.repeat(now);
        }
    }

    fn repeat(&mut self, now: Time) {
        if let AlertState::Firing(firing) = &mut self.state {
            firing.told = now;
            let Firing { occupancy, gap, .. } = *firing;
            self.note(now, Change::Repeated, occupancy, gap);
        }
    }

    fn resumed(&mut self, down_since: Time, at: Time) {
        if let AlertState::Pending(Pending { ground: Ground::Gap { from, down, resumed, .. }, .. }) =
            &mut self.state
            && resumed.is_none_or(|resumed| resumed < at)
        {
            *down += at.since(down_since.max(*from));
            *resumed = Some(at);
        }
    }

    fn fire(&mut self, at: Time, occupancy: Option<u32>) {
        let AlertState::Pending(Pending { id, since, ground }) = self.state else { return };
        let gap = match ground {
            Ground::Observed { .. } => None,
            Ground::Gap { reason, .. } => Some(reason),
        };
        self.state =
            AlertState::Firing(Firing { id, since, fired: at, told: at, occupancy, gap, clear: None });
        self.note(at, Change::Firing, occupancy, gap);
    }

    fn end(&mut self, at: Time, end: End, seen: Option<u32>, gap: Option<GapReason>) {
        match self.state {
            AlertState::Inactive => {}
            AlertState::Pending(_) => self.note(at, Change::Inactive(end), seen, gap),
            AlertState::Firing(firing) => {
                self.note(at, Change::Resolved(end), seen.or(firing.occupancy), gap);
            }
        }
        self.state = AlertState::Inactive;
    }

    /// Writes down what changed of the alert that the state is about.
    fn note(&mut self, at: Time, change: Change, occupancy: Option<u32>, gap: Option<GapReason>) {
        let (alert, since) = match self.state {
            AlertState::Inactive => return,
            AlertState::Pending(Pending { id, since, .. }) | AlertState::Firing(Firing { id, since, .. }) => {
                (id, since)
            }
        };
        let condition = self.rule.condition.clone();
        self.transitions.push(Transition { alert, at, change, since, condition, occupancy, gap });
    }
}
