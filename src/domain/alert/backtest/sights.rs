//! What the observations of a run say to a rule, as far as the record shows it.

use std::collections::VecDeque;
use std::time::Duration;

use super::Question;
use crate::domain::alert::{Listing, Sighting};
use crate::domain::gap::Gap;
use crate::domain::observation::Grade;
use crate::domain::occupancy::Run;
use crate::domain::time::{Moment, Time};
use crate::domain::visit::Visit;

/// Consecutive observations that say the same to a rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stretch {
    /// The first of them.
    pub(super) first: Moment,
    /// The first had arrived by then.
    pub(super) first_by: Time,
    /// The last of them: true at `earliest` for certain, arrived by `latest`.
    pub(super) last: Moment,
    /// Whether that is the last of its run: then it arrived at `latest` for certain.
    pub(super) to_the_end: bool,
    /// The widest step between two of them.
    pub(super) widest: Duration,
    /// How many were there.
    pub(super) occupancy: u32,
    /// What each says.
    pub(super) says: Says,
    /// What was known before the first.
    pub(super) before: Option<Sighting>,
}

/// What an observation says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Says {
    /// This.
    Plain(Listing),
    /// Nothing of the user.
    Untold(Option<Opens>),
    /// That the user is there, or nothing: the record does not say which.
    Cut(Option<Opens>),
}

/// When the users' partial gap opens, if it does within the run: with an observation that arrived in `from` to `by`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Opens {
    pub(super) from: Time,
    pub(super) by: Time,
    /// Whether it is open at each observation that arrived after `from`.
    pub(super) at_once: bool,
    pub(super) gap: Gap,
}

/// What is known of users, as the record is read on.
#[derive(Default)]
pub(super) struct Users {
    /// The user's visits that are not over, or not long.
    visits: VecDeque<Visit>,
    /// The partial gaps that are not over, and whether each is known to be open.
    partial: VecDeque<(Gap, bool)>,
    /// The last complete observation.
    complete: Option<Moment>,
}

impl Stretch {
    /// The first of its observations but the first that is true at `due` or later, as early as it may have been.
    pub(super) fn meets(&self, due: Time) -> Moment {
        Moment { earliest: due, latest: due.max(self.first.latest) }
    }

    /// What its observations say at a moment, with this of the user.
    pub(super) fn sighting(&self, moment: Moment, user: Listing) -> Sighting {
        Sighting { moment, occupancy: self.occupancy, user }
    }
}

/// A run, for a rule that is not about a user.
pub(super) fn whole(run: &Run, before: Option<&Run>) -> Stretch {
    let seen = |run: &Run| Sighting { moment: run.last, occupancy: run.occupancy, user: Listing::Unknown };
    Stretch { before: before.map(seen), ..stretch(run, Says::Plain(Listing::Unknown)) }
}

fn stretch(run: &Run, says: Says) -> Stretch {
    let Run { first, last, widest, occupancy, .. } = *run;
    Stretch { first, first_by: first.latest, last, to_the_end: true, widest, occupancy, says, before: None }
}

impl Users {
    /// One more visit of the user, in order.
    pub(super) fn visit(&mut self, visit: Visit) {
        self.visits.push_back(visit);
    }

    /// One more partial gap, in order.
    pub(super) fn partial(&mut self, gap: Gap) {
        self.partial.push_back((gap, false));
    }

    /// What the observations of a run say of the user, in order. `after_gap`: a full gap lies between it and what was seen
    /// before.
    pub(super) fn stretches(&mut self, question: &Question<'_>, run: &Run, after_gap: bool) -> Vec<Stretch> {
        self.visits.retain(|visit| visit.left.is_none_or(|left| left.not_after >= run.first.latest));
        let opens = self.opens(question, run, after_gap);
        let mut starts: Vec<Time> = self.visits.iter().flat_map(changes).collect();
        starts.retain(|time| *time > run.first.latest && *time <= run.last.latest);
        starts.push(run.first.latest);
        starts.sort_unstable();
        starts.dedup();
        let ends = starts.iter().skip(1).map(|next| Some(*next)).chain([None]);
        let parts = starts.iter().zip(ends).flat_map(|(start, end)| self.part(run, *start, end, opens));
        let parts = parts.collect();
        if run.grade == Grade::Complete {
            self.complete = Some(run.last);
        }
        parts
    }

    /// The observations of a run from the one that arrived at `start` to the last before the user came or left at `end`.
    fn part(&self, run: &Run, start: Time, end: Option<Time>, opens: Option<Opens>) -> Vec<Stretch> {
        let joined = self.visits.iter().find(|visit| visit.joined.not_after == start);
        let left = self.visits.iter().find(|visit| visit.left.is_some_and(|left| left.not_after == start));
        let there = self.visits.iter().any(|visit| {
            visit.joined.not_after <= start && visit.left.is_none_or(|left| left.not_after > start)
        });
        let known = |earliest: Option<Time>, user| {
            let moment = earliest.map(|earliest| Moment { earliest, latest: earliest });
            moment.map(|moment| Sighting { moment, occupancy: 0, user })
        };
        let before = match (joined, left.and_then(|visit| visit.left)) {
            (Some(visit), _) => known(visit.joined.not_before, Listing::NotListed),
            (None, Some(left)) => known(left.not_before, Listing::Listed),
            (None, None) => None,
        };
        let instant = Moment { earliest: start, latest: start };
        let within = Moment { earliest: start.minus(run.widest), latest: start };
        let first = if start == run.first.latest { run.first } else { within };
        let last = end.map_or(run.last, |end| Moment {
            earliest: self.proven(end).unwrap_or(first.earliest).max(first.earliest),
            latest: end,
        });
        let to_the_end = end.is_none();
        let part = |says| Stretch { first, first_by: start, last, to_the_end, before, ..stretch(run, says) };
        match run.grade {
            Grade::Complete if there => vec![part(Says::Plain(Listing::Listed))],
            Grade::Complete => vec![part(Says::Plain(Listing::NotListed))],
            Grade::Truncated if there && joined.is_some() => {
                let new = Stretch { last: first, ..part(Says::Plain(Listing::Listed)) };
                let rest = (last.latest > start).then(|| Stretch {
                    first: instant,
                    first_by: start.plus(run.widest).min(last.latest),
                    ..part(Says::Cut(opens))
                });
                [Some(new), rest].into_iter().flatten().collect()
            }
            Grade::Truncated if there => vec![part(Says::Cut(opens))],
            Grade::Truncated | Grade::Count => vec![part(Says::Untold(opens))],
        }
    }

    /// When the observation was true, at the earliest, that was the last before the user came or left at `at`.
    fn proven(&self, at: Time) -> Option<Time> {
        let windows = self.visits.iter().flat_map(|visit| [Some(visit.joined), visit.left]).flatten();
        windows.into_iter().find(|window| window.not_after == at).and_then(|window| window.not_before)
    }

    /// When the partial gap opens, as far as the run goes.
    fn opens(&mut self, question: &Question<'_>, run: &Run, after_gap: bool) -> Option<Opens> {
        let (first, last) = (run.first.latest, run.last.latest);
        self.partial.retain(|(gap, _)| gap.to.is_none_or(|to| to > first));
        let (gap, open) = self.partial.front_mut()?;
        if run.grade == Grade::Complete || gap.from > last {
            return None;
        }
        let complete = self.complete.filter(|complete| complete.earliest == gap.from);
        let due = complete.map_or(gap.from, |complete| complete.latest).plus(question.opens_after);
        let (from, by) = match complete {
            _ if *open || after_gap || due < first => (first, first),
            _ if due >= last => return None,
            Some(_) => (due, due.plus(run.widest).min(last)),
            // It counts from something else: a discovery, the beginning of the watch.
            None => (due, last),
        };
        *open = true;
        Some(Opens { from, by, at_once: complete.is_some(), gap: Gap { to: None, ..*gap } })
    }
}

/// When the user came and left: the observations that show it had arrived then.
fn changes(visit: &Visit) -> impl Iterator<Item = Time> + use<> {
    [Some(visit.joined.not_after), visit.left.map(|left| left.not_after)].into_iter().flatten()
}
