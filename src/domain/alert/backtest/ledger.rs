//! Writes down when the alert fires.

use std::time::Duration;

use super::outcome::{Count, Doubt, Edge, Ended, Lasting, MAX_SPELLS, Outcome, Spell};
use super::worlds::{Heard, Worlds};
use super::{PROMPT, Question};
use crate::domain::alert::rule::Rule;
use crate::domain::alert::{Change, Why};
use crate::domain::time::{Time, Window};

/// The firings as they come.
pub(super) struct Ledger<'a> {
    rule: &'a Rule,
    span: (Time, Time),
    open: Option<Open>,
    outcome: Outcome,
}

/// A stretch of time in which the alert fires in some world.
struct Open {
    since: Option<Window>,
    began: (Time, Edge),
    /// When it fired in all of them, first.
    certain: Option<Time>,
    /// Since when it does.
    all_since: Option<Time>,
    /// When it ceased to, last.
    all_until: Option<Time>,
    sure: Duration,
    why: Vec<Why>,
    edge: Option<Edge>,
    doubts: Vec<Doubt>,
    /// The pauses in which it was not told again, and how long each was.
    down: Vec<Duration>,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(question: &Question<'a>) -> Self {
        let span = (question.from, question.to);
        Self { rule: question.rule, span, open: None, outcome: Outcome::default() }
    }

    /// Adsum was down, or may have been, for so long.
    pub(super) fn down(&mut self, span: Duration) {
        if let Some(open) = &mut self.open {
            open.down.push(span);
        }
    }

    /// Something happened. `gap_end`: when the last full gap ended.
    pub(super) fn heard(&mut self, worlds: &Worlds<'_>, heard: &[Heard], gap_end: Option<Time>) {
        let Some(earliest) = heard.iter().map(|heard| heard.transition.at).min() else { return };
        let latest = heard.iter().map(|heard| heard.at_most_later).max().unwrap_or(earliest);
        let (all, any) = worlds.fires();
        if any && self.open.is_none() {
            self.open = Some(Open::begin(earliest, heard, gap_end));
        }
        let Some(open) = &mut self.open else { return };
        open.take(heard, worlds.doubts(), gap_end);
        match (all, open.all_since) {
            (true, None) => {
                open.certain = open.certain.or(Some(latest));
                open.all_since = Some(latest);
            }
            (false, Some(since)) => {
                let (from, to) = clip((since, earliest), self.span);
                open.sure += to.since(from);
                (open.all_since, open.all_until) = (None, Some(earliest));
                // It may have ended and begun anew: what is told again is counted anew.
                open.down.push(Duration::ZERO);
            }
            _ => {}
        }
        if !any && let Some(open) = self.open.take() {
            self.close(open, Some(latest), latest);
        }
    }

    /// The record goes no further than `until`.
    pub(super) fn end(mut self, worlds: &Worlds<'_>, until: Option<Time>) -> Outcome {
        let end = until.unwrap_or(self.span.0);
        if let Some(open) = self.open.take() {
            self.close(open, None, end);
        }
        let tally = worlds.tally();
        let Outcome { repeated, .. } = self.outcome;
        let told = if self.rule.send_resolved { tally.resolved } else { Count::NONE };
        let receivers = u64::try_from(self.rule.notify.len()).unwrap_or(u64::MAX);
        Outcome {
            pending: tally.pending,
            fired: tally.fired,
            resolved: tally.resolved,
            notifications: tally.fired.plus(repeated).plus(told).times(receivers),
            known_until: until,
            ..self.outcome
        }
    }

    fn close(&mut self, open: Open, ended_by: Option<Time>, end: Time) {
        let (from, to) = self.span;
        let began = open.began.0;
        if began >= to || ended_by.is_some_and(|ended| ended < from) {
            return;
        }
        let (first, last) = clip((began, end), self.span);
        let all_to = if ended_by.is_some() { end } else { end.max(began) };
        let sure = open.all_since.map_or(open.sure, |since| {
            let (since, all_to) = clip((since, all_to), self.span);
            open.sure + all_to.since(since)
        });
        let lasted = Lasting { min: sure, max: last.since(first) };
        let certain = open.certain.is_some();
        let fired = Window { not_before: Some(began), not_after: open.certain.unwrap_or(end).max(began) };
        let edge = open.edge.unwrap_or(Edge::Observed);
        let ended = ended_by.map(|by| Ended {
            at: Window { not_before: open.all_until.filter(|_| certain).or(Some(began)), not_after: by },
            why: open.why.clone(),
            edge,
        });
        let is_gap = |edge| edge != Edge::Observed;
        let outcome = &mut self.outcome;
        outcome.repeated = outcome.repeated.plus(repeats(self.rule.repeat_every, lasted, &open.down));
        if is_gap(open.began.1) {
            outcome.began_in_gap.add(certain);
        }
        if ended.as_ref().is_some_and(|ended| is_gap(ended.edge)) {
            outcome.ended_in_gap.add(certain);
        }
        outcome.firing = outcome.firing.plus(lasted);
        outcome.longest = outcome.longest.longer(lasted);
        if outcome.spells.len() >= MAX_SPELLS {
            outcome.more += 1;
            return;
        }
        let since = open.since.unwrap_or(fired);
        let (began, doubts) = (open.began.1, open.doubts);
        outcome.spells.push(Spell { since, fired, began, ended, certain, doubts, lasted });
    }
}

impl Open {
    fn begin(at: Time, heard: &[Heard], gap_end: Option<Time>) -> Self {
        let firing = heard.iter().find(|heard| heard.transition.change == Change::Firing);
        let edge = match firing.map(|heard| &heard.transition) {
            Some(transition) if transition.gap.is_some() => Edge::Gap,
            Some(transition) if Some(transition.since.not_after) == gap_end => Edge::AfterGap,
            _ => Edge::Observed,
        };
        Self {
            since: firing.map(|heard| heard.transition.since),
            began: (at, edge),
            certain: None,
            all_since: None,
            all_until: None,
            sure: Duration::ZERO,
            why: Vec::new(),
            edge: None,
            doubts: Vec::new(),
            down: Vec::new(),
        }
    }

    fn take(&mut self, heard: &[Heard], doubts: &[Doubt], gap_end: Option<Time>) {
        for doubt in doubts {
            if !self.doubts.contains(doubt) {
                self.doubts.push(*doubt);
            }
        }
        for heard in heard {
            let Change::Resolved(end) = heard.transition.change else { continue };
            if !self.why.contains(&end.why) {
                self.why.push(end.why);
            }
            self.edge = Some(match (end.why, end.ended) {
                (Why::Gap | Why::Unwatched, _) => Edge::Gap,
                (_, Some(ended)) if Some(ended.not_after) == gap_end => Edge::AfterGap,
                _ => Edge::Observed,
            });
        }
    }
}

/// As much of `one` as is in `span`.
fn clip(one: (Time, Time), span: (Time, Time)) -> (Time, Time) {
    let from = one.0.max(span.0);
    (from, one.1.min(span.1).max(from))
}

/// How often a firing of such a length is told again. While adsum was down it was not.
fn repeats(every: Option<Duration>, lasted: Lasting, down: &[Duration]) -> Count {
    let Some(every) = every.filter(|every| !every.is_zero()) else { return Count::NONE };
    let times = |span: Duration, every: Duration| {
        u64::try_from(span.as_micros() / every.as_micros().max(1)).unwrap_or(u64::MAX)
    };
    let up = lasted.min.saturating_sub(down.iter().sum());
    let pauses = u64::try_from(down.len()).unwrap_or(u64::MAX);
    Count {
        min: times(up, every.saturating_add(PROMPT)).saturating_sub(pauses),
        max: Some(times(lasted.max, every)),
    }
}
