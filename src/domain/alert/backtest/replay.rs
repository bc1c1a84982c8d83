//! Goes through a channel's record in order of time.

use std::collections::VecDeque;

use super::ledger::Ledger;
use super::outcome::{Doubt, Outcome};
use super::seen::Seen;
use super::sights::Users;
use super::worlds::{Course, Heard, Worlds};
use super::{PROMPT, Question};
use crate::domain::answer::Observed;
use crate::domain::gap::Gap;
use crate::domain::occupancy::Run;
use crate::domain::time::{Moment, Time};
use crate::domain::visit::Visit;

/// After all that is recorded.
const END: Time = Time::from_micros(i64::MAX);

/// What the history keeps of a channel, from [`Question::begins`] to the end of the span.
pub struct Facts<R, G, V> {
    /// Up to when and since when it is observed.
    pub observed: Observed,
    /// What ended before is forgotten.
    pub kept_since: Option<Time>,
    /// Its runs, in order of time.
    pub runs: R,
    /// Its gaps, partial ones too, in order of `from`.
    pub gaps: G,
    /// The visits of the rule's user, in order of time; none for a rule that is not about one.
    pub visits: V,
}

/// What the rule would have done in a channel. `hear` hears of every transition as the record shows it, also of those before
/// the span; the outcome is about the span.
///
/// # Errors
/// The first of the facts.
pub fn backtest<R, G, V, E>(
    question: &Question<'_>,
    facts: Facts<R, G, V>,
    hear: &mut dyn FnMut(&Heard),
) -> Result<Outcome, E>
where
    R: Iterator<Item = Result<Run, E>>,
    G: Iterator<Item = Result<Gap, E>>,
    V: Iterator<Item = Result<Visit, E>>,
{
    let Facts { observed, kept_since, runs, gaps, visits } = facts;
    let mut replay = Replay::begin(question, &observed, kept_since, hear);
    let mut spans = Spans { gaps: gaps.fuse(), visits: visits.fuse(), next_gap: None, next_visit: None };
    for run in runs {
        let Some(run) = kept(run?, kept_since) else { continue };
        if run.first.latest >= question.to {
            break;
        }
        spans.read(run.last.latest, &mut replay)?;
        replay.gaps_until(run.first.latest);
        replay.run(&run);
    }
    spans.read(question.to, &mut replay)?;
    replay.gaps_until(END);
    Ok(replay.end())
}

/// Without what is older than is kept.
fn kept(run: Run, kept_since: Option<Time>) -> Option<Run> {
    let Some(kept) = kept_since else { return Some(run) };
    let first = Moment { earliest: run.first.earliest.max(kept), latest: run.first.latest.max(kept) };
    (run.last.latest >= kept).then_some(Run { first, ..run })
}

/// Gaps and visits, read on as far as runs need them.
struct Spans<G, V> {
    gaps: G,
    visits: V,
    next_gap: Option<Gap>,
    next_visit: Option<Visit>,
}

impl<G, V, E> Spans<G, V>
where
    G: Iterator<Item = Result<Gap, E>>,
    V: Iterator<Item = Result<Visit, E>>,
{
    /// Gives what begins by `until`.
    fn read(&mut self, until: Time, replay: &mut Replay<'_>) -> Result<(), E> {
        loop {
            let next = self.next_gap.take().map(Ok).or_else(|| self.gaps.next()).transpose()?;
            match next {
                Some(gap) if gap.from <= until => replay.take_gap(gap),
                later => break self.next_gap = later,
            }
        }
        loop {
            let next = self.next_visit.take().map(Ok).or_else(|| self.visits.next()).transpose()?;
            match next {
                Some(visit) if visit.joined.not_after <= until => replay.users.visit(visit),
                later => break self.next_visit = later,
            }
        }
        Ok(())
    }
}

/// What becomes at a time of what was due just before and may not have been looked at yet.
#[derive(Clone, Copy)]
pub(super) enum Then {
    /// It is looked at later.
    GoesOn,
    /// What is seen then may end it.
    MayEnd,
    /// It happens then.
    Fires,
    /// Adsum was down, or may have been, and looks again.
    IsUpAgain,
}

/// How far a channel's record is gone through.
pub(super) struct Replay<'a> {
    pub(super) question: Question<'a>,
    pub(super) worlds: Worlds<'a>,
    pub(super) ledger: Ledger<'a>,
    pub(super) users: Users,
    /// Full gaps that are not gone through yet.
    pub(super) waiting: VecDeque<Gap>,
    /// When the channel's watch began.
    pub(super) began: Time,
    /// When the gap at hand was noticed at the latest.
    pub(super) noticed_by: Option<Time>,
    /// The last run.
    pub(super) last: Option<Run>,
    /// The last full gap.
    pub(super) last_gap: Option<Gap>,
    seen: Seen,
}

impl<'a> Replay<'a> {
    fn begin(
        question: &Question<'a>,
        observed: &Observed,
        kept_since: Option<Time>,
        hear: &'a mut dyn FnMut(&Heard),
    ) -> Self {
        Self {
            question: *question,
            worlds: Worlds::begin(question.rule, (question.from, question.to), hear),
            ledger: Ledger::new(question),
            users: Users::default(),
            waiting: VecDeque::new(),
            began: observed.began,
            noticed_by: None,
            last: None,
            last_gap: None,
            seen: Seen::begin(question, observed, kept_since),
        }
    }

    fn take_gap(&mut self, gap: Gap) {
        let about_users = self.question.rule.condition.user().is_some();
        if about_users || !gap.users_only {
            self.seen.gap(&gap);
        }
        if gap.users_only {
            self.users.partial(gap);
        } else {
            self.waiting.push_back(gap);
        }
    }

    /// Goes through the full gaps that ended by `time`, or all of them.
    fn gaps_until(&mut self, time: Time) {
        while let Some(gap) = self.waiting.pop_front_if(|gap| gap.to.unwrap_or(END) <= time) {
            self.gap(gap);
            self.noticed_by = None;
            self.last_gap = Some(gap);
        }
    }

    /// Something happened, in one of these ways, by `by`.
    pub(super) fn take(&mut self, courses: &[Course], by: Time, doubt: Doubt) {
        let heard = self.worlds.take(courses, by, doubt);
        self.note(&heard);
    }

    fn note(&mut self, heard: &[Heard]) {
        let gap_end = self.last_gap.and_then(|gap| gap.to);
        self.ledger.heard(&self.worlds, heard, gap_end);
    }

    /// It is `until`: what was due by the clock has happened, each at its time.
    pub(super) fn advance(&mut self, until: Time, then: Then) {
        let mut after = None;
        while let Some(due) = self.worlds.next_clock(after).filter(|due| *due <= until) {
            // What a gap makes pending is looked at once that is noticed.
            let looked = due.plus(PROMPT).max(self.noticed_by.unwrap_or(due));
            let (by, sure) = match then {
                Then::GoesOn if looked > until => break,
                Then::GoesOn => (looked, true),
                Then::MayEnd => (looked.min(until), looked <= until),
                Then::Fires => (looked.min(until), true),
                Then::IsUpAgain => (until.plus(PROMPT), true),
            };
            let heard = self.worlds.tick(due, by, sure);
            self.note(&heard);
            after = Some(due).filter(|_| !sure);
        }
    }

    fn end(mut self) -> Outcome {
        let last = self.last.map(|run| run.last.latest);
        let gap = self.last_gap.map(|gap| gap.to.unwrap_or(self.question.to));
        let until = last.max(gap).map(|until| until.min(self.question.to));
        if let Some(until) = until {
            // What was just due when the record ends may have been looked at, or not.
            self.advance(until, Then::MayEnd);
        }
        let mut outcome = self.ledger.end(&self.worlds, until);
        outcome.coverage = self.seen.coverage();
        outcome
    }
}
