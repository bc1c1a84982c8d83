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
    /// Since when it is watched without a pause.
    resumed: Time,
    roster: Roster,
    run: Option<Run>,
    /// Up to when observations were complete, as far as gaps are concerned.
    complete: Option<Moment>,
    gap: Option<Gap>,
    partial: Option<Gap>,
    /// Why the last poll failed, if one did since the last good observation.
    trouble: Option<GapReason>,
    /// How long the next observation may take, where that is not `gap_after`.
    patience: Option<Duration>,
    /// When a good observation had arrived that was not recorded, unless a later one was.
    unrecorded: Option<Time>,
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

impl Changes {
    /// Whether nothing but the end of a run changes.
    pub fn is_repeat(&self) -> bool {
        self.events.is_empty() && self.gaps.is_empty() && self.run.is_none()
    }
}

impl Channel {
    /// A channel whose watch begins now.
    pub fn begin(name: ChannelName, gap_after: Duration, began: Time) -> Self {
        Self {
            name,
            gap_after,
            began,
            resumed: began,
            roster: Roster::default(),
            run: None,
            complete: None,
            gap: None,
            partial: None,
            trouble: None,
            patience: None,
            unrecorded: None,
        }
    }

    /// A channel that goes on, at `resumed`, from what the history kept.
    pub fn resume(name: ChannelName, gap_after: Duration, kept: Checkpoint, resumed: Time) -> Self {
        let open = |users_only| kept.open_gaps.iter().find(|gap| gap.users_only == users_only).copied();
        Self {
            name,
            gap_after,
            began: kept.began,
            resumed,
            complete: kept.roster.complete(),
            run: kept.run,
            gap: open(false),
            partial: open(true),
            roster: kept.roster,
            trouble: None,
            patience: None,
            unrecorded: None,
        }
    }

    /// Takes it that a good discovery did not list the channel: then nobody was there. It bounds the next joins.
    pub fn absent(&mut self, moment: Moment) {
        let later = self.last_known().is_none_or(|last| moment.certainly_after(last));
        if later && self.roster.members().is_empty() {
            self.roster.confirm(&Observation::of_nobody(moment));
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

    /// The gap that lasts, if one does; a full one before a partial one. Also one that has opened by `now` and is not
    /// committed yet.
    pub fn open_gap(&self, now: Time) -> Option<Gap> {
        self.gap.map(|gap| self.labelled(gap)).or_else(|| self.unobserved(now)).or(self.partial)
    }

    /// The partial gap that lasts, if one does.
    pub fn users_gap(&self) -> Option<Gap> {
        self.partial
    }

    /// Whether it is in a full gap that is committed.
    pub fn in_gap(&self) -> bool {
        self.gap.is_some()
    }

    /// Whether nobody was there when it was last observed, if it was.
    pub fn is_vacant(&self) -> bool {
        self.roster.members().is_empty() && self.run.is_none_or(|run| run.occupancy == 0)
    }

    /// How it stands.
    pub fn status(&self, now: Time) -> Status {
        match self.open_gap(now) {
            // It is watched again.
            Some(gap) if gap.reason == GapReason::Unwatched => Status::Starting,
            Some(gap) if gap.users_only => Status::Partial,
            Some(_) => Status::Gap,
            None if self.run.is_none() => Status::Starting,
            None => Status::Ok,
        }
    }

    /// Notes why a poll failed. The reason labels the gap that may follow, unless that is already due to the clock.
    pub fn failed(&mut self, reason: GapReason) {
        if self.trouble != Some(GapReason::Clock) {
            self.trouble = Some(reason);
        }
    }

    /// Notes that the clock was set ahead to `now`: where that alone makes a gap, it is a gap of the clock.
    pub fn clock_stepped(&mut self, now: Time) {
        if self.gap.is_none() && self.unobserved(now).is_some() {
            self.trouble = Some(GapReason::Clock);
        }
    }

    /// Notes that a good observation, which had arrived at `at`, could not be recorded, and is forgotten. What it saw is in
    /// no answer, so from the last one before it that was recorded to the next after it there is a gap, however short.
    pub fn unrecorded(&mut self, at: Time) {
        self.unrecorded = self.unrecorded.max(Some(at));
        self.failed(GapReason::HistoryUnavailable);
    }

    /// Whether the observation repeats the last one, so that nothing is to be written: [`Channel::observe`] would give
    /// `None`. Cheaper than that, and asked far more often.
    ///
    /// # Errors
    /// [`Stale`] as there.
    pub fn repeats(&self, seen: &Observation) -> Result<bool, Stale> {
        self.certainly_later(seen)?;
        let (gaps, blind) = self.gap_changes(seen);
        Ok(gaps.is_empty() && self.run_goes_on(seen, blind) && self.roster.repeats(seen))
    }

    /// What the observation changes; `None` if it repeats the last one and nothing is to be written.
    ///
    /// # Errors
    /// [`Stale`] if it is not certainly later than the last good observation.
    pub fn observe(&self, seen: &Observation) -> Result<Option<Changes>, Stale> {
        let changes = self.changes(seen)?;
        Ok((!changes.is_repeat()).then_some(changes))
    }

    /// What is to be committed with the observation, also if it repeats the last one and only shows how far the run goes.
    ///
    /// # Errors
    /// [`Stale`] if it is not certainly later than the last good observation.
    pub fn changes(&self, seen: &Observation) -> Result<Changes, Stale> {
        self.certainly_later(seen)?;
        let (gaps, blind) = self.gap_changes(seen);
        let events = self.roster.diff(seen);
        let goes_on = self.run_goes_on(seen, blind);
        let before = self.last().filter(|_| !blind);
        Ok(Changes {
            events,
            gaps,
            last_run: if goes_on { self.run.map(|run| run.extended(seen.moment)) } else { self.run },
            run: (!goes_on).then(|| Run::start(seen.moment, before, seen.occupancy(), seen.grade())),
            complete: self.roster.complete_with(seen),
            shown: self.roster.shown_with(seen),
        })
    }

    /// What is to be committed of the channel where nothing new was seen: how far its run goes.
    pub fn unchanged(&self) -> Changes {
        self.with_gaps(Vec::new())
    }

    fn certainly_later(&self, seen: &Observation) -> Result<(), Stale> {
        match self.last_known() {
            Some(last) if !seen.moment.certainly_after(last) => Err(Stale),
            _ => Ok(()),
        }
    }

    /// The last observation that the next is compared with, a discovery included.
    pub fn last_known(&self) -> Option<Moment> {
        match (self.last(), self.roster.complete()) {
            (Some(last), Some(complete)) => Some(last.later(complete)),
            (last, complete) => last.or(complete),
        }
    }

    /// The run ends where the occupancy or the grade differs, and at a gap.
    fn run_goes_on(&self, seen: &Observation, blind: bool) -> bool {
        let same = |run: Run| run.occupancy == seen.occupancy() && run.grade == seen.grade();
        !blind && self.run.is_some_and(same)
    }

    /// The gaps that the observation closes or opens, and whether nothing was observed before it.
    fn gap_changes(&self, seen: &Observation) -> (Vec<Gap>, bool) {
        let full = self.gap.or_else(|| self.unobserved(seen.moment.latest));
        let blind = full.is_some();
        let full = full.map(|gap| self.labelled(gap).closed(seen.moment.latest));
        (full.into_iter().chain(self.partial_gap(seen, blind)).collect(), blind)
    }

    /// The gap that opens if `gap_after` has passed by `now` without a good observation.
    fn unobserved(&self, now: Time) -> Option<Gap> {
        let (since, from) = self.last().map_or((self.began, self.began), |last| (last.latest, last.earliest));
        let reason = self.trouble.unwrap_or(GapReason::Overrun);
        (now.since(since) > self.patience()).then(|| Gap::open(from, reason))
    }

    /// A gap that opened while a request still hung is labelled once it is known what came of that.
    fn labelled(&self, gap: Gap) -> Gap {
        match self.trouble {
            Some(reason) if gap.reason == GapReason::Overrun => Gap { reason, ..gap },
            _ => gap,
        }
    }

    /// The same for complete observations: an observation that is not complete opens a partial gap, a complete one
    /// closes it. After a full gap the users are unknown until the next complete one, however soon that is; before a
    /// full gap they are unknown since the last complete one.
    fn partial_gap(&self, seen: &Observation, blind: bool) -> Option<Gap> {
        let (since, from) =
            self.complete.map_or((self.began, self.began), |last| (last.latest, last.earliest));
        let late = blind || seen.moment.latest.since(since) > self.patience();
        let before = self.run.and_then(|run| GapReason::of_partial(run.grade));
        match GapReason::of_partial(seen.grade()) {
            Some(_) if self.partial.is_some() => None,
            Some(reason) if blind && before.is_none() => {
                Some(Gap::open_partial(seen.moment.earliest, reason))
            }
            Some(reason) => late.then(|| Gap::open_partial(from, reason)),
            None => {
                let passed = before.filter(|_| late).map(|reason| Gap::open_partial(from, reason));
                self.partial.or(passed).map(|gap| gap.closed(seen.moment.latest))
            }
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
        // It may be that what was not recorded is later.
        self.unrecorded = self.unrecorded.filter(|at| seen.moment.latest <= *at);
        self.trouble = self.unrecorded.map(|_| GapReason::HistoryUnavailable);
        self.patience = None;
    }

    fn patience(&self) -> Duration {
        if self.unrecorded.is_some() { Duration::ZERO } else { self.patience.unwrap_or(self.gap_after) }
    }

    /// The next observation may take so long before a gap opens: it is left to something that looks more rarely.
    pub fn be_patient(&mut self, patience: Duration) {
        self.patience = Some(patience.max(self.gap_after));
    }

    /// The changes if a gap opens because nothing good was seen up to `now`, or if the one that lasts turns out to have
    /// another reason.
    pub fn overdue(&self, now: Time) -> Option<Changes> {
        let Some(gap) = self.gap else {
            return self.unobserved(now).map(|gap| self.with_gaps(vec![gap]));
        };
        let paused = matches!(gap.reason, GapReason::Stopped | GapReason::Crashed | GapReason::Unwatched);
        if paused && now.since(self.resumed) > self.gap_after {
            // It is watched again, and still not observed: that is another reason.
            let reason = self.trouble.unwrap_or(GapReason::Overrun);
            return Some(self.with_gaps(gap.followed_by(self.resumed, reason).into()));
        }
        let labelled = self.labelled(gap);
        (labelled != gap).then(|| self.with_gaps(vec![labelled]))
    }

    /// The changes if adsum stops looking at `now`: the gap that runs from the last good observation.
    pub fn stop(&self, now: Time, reason: GapReason) -> Changes {
        match self.gap {
            None => {
                let from = self.last().map_or(self.began, |last| last.earliest);
                self.with_gaps(vec![Gap::open(from, reason)])
            }
            // An end of the watch is worth its own gap; a stop goes on in the one that lasts.
            Some(gap) if reason == GapReason::Unwatched => {
                self.with_gaps(self.labelled(gap).followed_by(now, reason).into())
            }
            Some(gap) => self.with_gaps(vec![self.labelled(gap)]),
        }
    }

    fn with_gaps(&self, gaps: Vec<Gap>) -> Changes {
        let (complete, shown) = (self.roster.complete(), self.roster.shown());
        Changes { last_run: self.run, gaps, complete, shown, ..Changes::default() }
    }

    /// Takes the gaps of [`Channel::overdue`] or [`Channel::stop`], once the history has them.
    pub fn take_gaps(&mut self, gaps: &[Gap]) {
        for gap in gaps {
            let place = if gap.users_only { &mut self.partial } else { &mut self.gap };
            *place = gap.to.is_none().then_some(*gap);
        }
    }
}
