//! A watched channel: its roster, its run of equal observations and its gaps, and the changes that follow from one
//! more observation or from none.

use std::time::Duration;

use serde::Serialize;

use super::event::Event;
use super::gap::{Gap, GapReason};
use super::names::ChannelName;
use super::observation::{Grade, Observation};
use super::occupancy::Run;
use super::roster::Roster;
use super::time::{Moment, Time};

/// How a channel stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Watched, not yet observed.
    Starting,
    /// Observed completely.
    Ok,
    /// Observed, but its users are not.
    Partial,
    /// Not observed.
    Gap,
    /// No longer watched.
    Unwatched,
}

/// A watched channel as of its last committed observation.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Its name.
    pub name: ChannelName,
    /// A gap opens when this has passed since the last good observation.
    pub gap_after: Duration,
    /// When the watch began.
    pub began: Time,
    roster: Roster,
    run: Option<Run>,
    /// Up to when observations were complete, as far as gaps are concerned.
    complete: Option<Moment>,
    gap: Option<Gap>,
    partial: Option<Gap>,
    /// Why the last poll failed, if one did since the last good observation.
    trouble: Option<GapReason>,
}

/// What the history keeps of a channel, to go on from.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// When the watch began.
    pub began: Time,
    /// Who was there.
    pub roster: Roster,
    /// The last run of equal observations.
    pub run: Option<Run>,
    /// The gaps that last.
    pub open_gaps: Vec<Gap>,
}

/// An observation that is not certainly later than the last one: it may be an older, cached answer, and it is dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stale;

/// What is to be committed of one channel, at once.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Changes {
    /// What happened, in order.
    pub events: Vec<Event>,
    /// The run that goes on, with the observation, or that the observation ended (see [`Changes::run`]).
    pub last_run: Option<Run>,
    /// The run that began.
    pub run: Option<Run>,
    /// Gaps that opened or closed.
    pub gaps: Vec<Gap>,
    /// The last complete observation, and the last that showed states.
    pub complete: Option<Moment>,
    /// See [`Changes::complete`].
    pub shown: Option<Moment>,
}

impl Channel {
    /// A channel whose watch begins now. `absent`: when a good discovery last saw it empty.
    pub fn begin(name: ChannelName, gap_after: Duration, began: Time, absent: Option<Moment>) -> Self {
        Self {
            name,
            gap_after,
            began,
            roster: Roster::empty(absent),
            run: None,
            complete: None,
            gap: None,
            partial: None,
            trouble: None,
        }
    }

    /// A channel that goes on from what the history kept.
    pub fn resume(name: ChannelName, gap_after: Duration, kept: Checkpoint) -> Self {
        let open = |users_only| kept.open_gaps.iter().find(|gap| gap.users_only == users_only).copied();
        Self {
            name,
            gap_after,
            began: kept.began,
            complete: kept.roster.complete(),
            run: kept.run,
            gap: open(false),
            partial: open(true),
            roster: kept.roster,
            trouble: None,
        }
    }

    /// Who is there.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The run of equal observations that goes on, or was interrupted.
    pub fn run(&self) -> Option<&Run> {
        self.run.as_ref()
    }

    /// The last good observation.
    pub fn last(&self) -> Option<Moment> {
        self.run.map(|run| run.last)
    }

    /// The last complete observation.
    pub fn last_complete(&self) -> Option<Moment> {
        self.complete
    }

    /// The gap that lasts, if one does; a full one before a partial one.
    pub fn open_gap(&self) -> Option<&Gap> {
        self.gap.as_ref().or(self.partial.as_ref())
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        match (&self.gap, &self.partial, &self.run) {
            (Some(gap), _, _) if gap.reason == GapReason::Unwatched => Status::Unwatched,
            (Some(_), _, _) => Status::Gap,
            (None, Some(_), _) => Status::Partial,
            (None, None, None) => Status::Starting,
            (None, None, Some(_)) => Status::Ok,
        }
    }

    /// Notes why a poll failed. The reason labels the gap that may follow.
    pub fn failed(&mut self, reason: GapReason) {
        self.trouble = Some(reason);
    }

    /// What the observation changes; `None` if it repeats the last one and nothing is to be written.
    ///
    /// # Errors
    /// [`Stale`] if it is not certainly later than the last good observation.
    pub fn observe(&self, seen: &Observation) -> Result<Option<Changes>, Stale> {
        if self.last().is_some_and(|last| !seen.moment.certainly_after(last)) {
            return Err(Stale);
        }
        let events = self.roster.diff(seen);
        let mut changes = Changes { events, ..Changes::default() };
        let blind = self.full_gap(seen.moment, &mut changes.gaps);
        self.partial_gap(seen, blind, &mut changes.gaps);
        self.run_change(seen, blind, &mut changes);
        if changes == Changes::default() {
            return Ok(None);
        }
        if changes.run.is_none() {
            changes.last_run = self.run.map(|run| run.extended(seen.moment));
        }
        let complete = seen.grade() == Grade::Complete;
        changes.complete = if complete { Some(seen.moment) } else { self.roster.complete() };
        changes.shown = self.roster.shown();
        Ok(Some(changes))
    }

    /// Closes the gap that lasts, or records the one that has passed. Says whether there was one.
    fn full_gap(&self, now: Moment, gaps: &mut Vec<Gap>) -> bool {
        let gap = self.gap.or_else(|| self.unobserved(now.latest));
        gaps.extend(gap.map(|gap| gap.closed(now.latest)));
        gap.is_some()
    }

    /// The gap that opens if `gap_after` has passed by `now` without a good observation.
    fn unobserved(&self, now: Time) -> Option<Gap> {
        let (since, from) = self.last().map_or((self.began, self.began), |last| (last.latest, last.earliest));
        let reason = self.trouble.unwrap_or(GapReason::Overrun);
        (now.since(since) > self.gap_after).then(|| Gap::open(from, reason))
    }

    /// The same for complete observations: an observation that is not complete opens a partial gap, a complete one
    /// closes it. After a full gap the users are unknown until the next complete one, however soon that is.
    fn partial_gap(&self, seen: &Observation, blind: bool, gaps: &mut Vec<Gap>) {
        let late =
            || seen.moment.latest.since(self.complete.map_or(self.began, |m| m.latest)) > self.gap_after;
        let from = self.complete.map_or(self.began, |m| m.earliest);
        match GapReason::of_partial(seen.grade()) {
            Some(reason) if self.partial.is_none() && blind => {
                gaps.push(Gap::open_partial(seen.moment.earliest, reason));
            }
            Some(reason) if self.partial.is_none() && late() => gaps.push(Gap::open_partial(from, reason)),
            Some(_) => {}
            None => {
                let grade = self.run.map_or(Grade::Complete, |run| run.grade);
                let passed = GapReason::of_partial(grade).filter(|_| !blind && late());
                let gap = self.partial.or_else(|| passed.map(|reason| Gap::open_partial(from, reason)));
                gaps.extend(gap.map(|gap| gap.closed(seen.moment.latest)));
            }
        }
    }

    /// Begins a new run where the occupancy or the grade differs, or after a gap.
    fn run_change(&self, seen: &Observation, blind: bool, changes: &mut Changes) {
        let (occupancy, grade) = (seen.occupancy(), seen.grade());
        let same = self.run.filter(|run| !blind && run.occupancy == occupancy && run.grade == grade);
        if same.is_none() {
            changes.last_run = self.run;
            changes.run = Some(Run::start(seen.moment, self.last().filter(|_| !blind), occupancy, grade));
        }
    }

    /// Takes an observation and the changes that [`Channel::observe`] found, once the history has them.
    pub fn apply(&mut self, seen: &Observation, changes: &Changes) {
        self.roster.apply(seen, &changes.events);
        match changes.run {
            Some(run) => self.run = Some(run),
            None => self.extend_run(seen.moment),
        }
        self.take_gaps(&changes.gaps);
        self.after(seen);
    }

    /// Takes an observation that changed nothing.
    pub fn confirm(&mut self, seen: &Observation) {
        self.roster.confirm(seen);
        self.extend_run(seen.moment);
        self.after(seen);
    }

    fn extend_run(&mut self, moment: Moment) {
        self.run = self.run.map(|run| run.extended(moment));
    }

    fn after(&mut self, seen: &Observation) {
        if seen.grade() == Grade::Complete {
            self.complete = Some(seen.moment);
        }
        self.trouble = None;
    }

    /// The changes if a gap opens because nothing good was seen up to `now`.
    pub fn overdue(&self, now: Time) -> Option<Changes> {
        let gap = if self.gap.is_some() { None } else { self.unobserved(now) }?;
        Some(self.with_gap(gap))
    }

    /// The changes if adsum stops looking at `now`: the gap that runs from the last good observation.
    pub fn stop(&self, now: Time, reason: GapReason) -> Changes {
        match self.gap {
            None => self.with_gap(Gap::open(self.last().map_or(self.began, |last| last.earliest), reason)),
            // An end of the watch is worth its own gap; a stop goes on in the one that lasts.
            Some(gap) if reason == GapReason::Unwatched => {
                Changes { gaps: vec![gap.closed(now), Gap::open(now, reason)], ..self.with_gap(gap) }
            }
            Some(gap) => self.with_gap(gap),
        }
    }

    fn with_gap(&self, gap: Gap) -> Changes {
        let (complete, shown) = (self.roster.complete(), self.roster.shown());
        Changes { last_run: self.run, gaps: vec![gap], complete, shown, ..Changes::default() }
    }

    /// Takes the gaps of [`Channel::overdue`] or [`Channel::stop`], once the history has them.
    pub fn take_gaps(&mut self, gaps: &[Gap]) {
        for gap in gaps {
            let place = if gap.users_only { &mut self.partial } else { &mut self.gap };
            *place = gap.to.is_none().then_some(*gap);
        }
    }
}
