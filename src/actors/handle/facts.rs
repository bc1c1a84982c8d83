//! What is known of a channel: what is published in memory, read first, and the history's record of it.

use std::time::Duration;

use super::{Adsum, AskError, Coverage};
use crate::actors::live::Live;
use crate::domain::answer::Observed;
use crate::domain::gap::Gap;
use crate::domain::names::ChannelName;
use crate::domain::observation::Grade;
use crate::domain::occupancy::{Run, resolution};
use crate::domain::time::{Moment, Time};
use crate::domain::visit::{Visit, covered};
use crate::history::{ChannelRecord, History};

/// Gaps are read in pages of so many.
const GAPS: usize = 1000;

/// The shortest span, to ask for what touches a moment.
pub(super) const INSTANT: Duration = Duration::from_micros(1);

/// How far complete observations are looked for around a moment.
const REACHES: [Duration; 4] =
    [Duration::ZERO, Duration::from_secs(60), Duration::from_secs(3600), Duration::from_secs(86_400)];

/// What memory has of a channel at one instant. Whatever the history is asked afterwards is as new or newer, so an
/// answer that is settled by this is settled in the history.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Published {
    run: Option<Run>,
    complete: Option<Moment>,
}

impl Published {
    pub(super) fn of(live: &Live) -> Self {
        let channel = live.channel.read();
        Self { run: channel.run().copied(), complete: channel.last_complete() }
    }
}

/// A channel's record, up to what was published.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) record: ChannelRecord,
    pub(super) observed: Observed,
    run: Option<Run>,
}

impl Adsum {
    /// Reads what is published. Ask the history only after this.
    pub(super) fn published(&self, channel: &ChannelName) -> Published {
        self.registry.get(channel).map_or_else(Published::default, |live| Published::of(&live))
    }

    /// Refuses what lies in the future.
    pub(super) fn not_future(&self, at: Time) -> Result<Time, AskError> {
        let now = self.now();
        if at > now { Err(AskError::Future { at, now }) } else { Ok(at) }
    }
}

impl Facts {
    /// The record of a channel; `None` if it was never watched.
    pub(super) fn read(
        history: &dyn History,
        channel: &ChannelName,
        published: Published,
    ) -> Result<Option<Self>, AskError> {
        let Some(record) = history.channel(channel)? else { return Ok(None) };
        let run = published.run.or(record.run);
        let observed = Observed {
            began: record.began,
            since: record.observed_since,
            complete_since: record.complete_since,
            last: run.map(|run| run.last),
            last_complete: published.complete.or(record.complete),
        };
        Ok(Some(Self { record, observed, run }))
    }

    /// Up to when occupancy is settled.
    pub(super) fn settled_until(&self) -> Option<Time> {
        self.observed.last.map(|last| last.earliest)
    }

    /// Up to when users are settled.
    fn users_settled_until(&self) -> Option<Time> {
        self.observed.last_complete.map(|last| last.earliest)
    }

    /// A visit that lasts goes on up to where the published observations prove it.
    pub(super) fn up_to_date(&self, visit: Visit) -> Visit {
        let settled = self.users_settled_until().unwrap_or(visit.listed_until);
        let listed_until = visit.listed_until.max(settled);
        if visit.left.is_none() { Visit { listed_until, ..visit } } else { visit }
    }

    /// The runs that touch a span, the last one up to date.
    pub(super) fn runs(&self, history: &dyn History, from: Time, to: Time) -> Result<Vec<Run>, AskError> {
        let mut runs = history.runs(&self.record.channel, from, to)?;
        if let (Some(last), Some(current)) = (runs.last_mut(), self.run)
            && last.first == current.first
        {
            *last = current;
        }
        Ok(runs)
    }

    /// How short an absence or a stay may have gone unseen at `at`. Complete observations may be some way off, so the
    /// look goes further until there is one on both sides.
    pub(super) fn resolution(&self, history: &dyn History, at: Time) -> Result<Option<Duration>, AskError> {
        let complete = |run: &Run| run.grade == Grade::Complete;
        let mut runs = Vec::new();
        for reach in REACHES {
            runs = self.runs(history, at.minus(reach), at.plus(reach))?;
            let before = runs.iter().any(|run| complete(run) && run.first.latest <= at);
            let after = runs.iter().any(|run| complete(run) && run.last.earliest >= at);
            if before && after {
                break;
            }
        }
        Ok(resolution(&runs, at))
    }

    /// How much of a span was observed.
    pub(super) fn coverage(&self, gaps: &Gaps, from: Time, to: Time) -> Coverage {
        let share = |since: Option<Time>, until: Option<Time>, unseen: &[Gap]| {
            let (Some(since), Some(until)) = (since, until) else { return 0.0 };
            // Gaps before that are forgotten, so nothing before it is known to be observed.
            let since = gaps.kept_since.map_or(since, |kept| since.max(kept));
            let (start, end) = (since.max(from), until.min(to));
            let observed = end.since(start).saturating_sub(covered(unseen, start, end.max(start)));
            let whole = to.since(from);
            if whole.is_zero() { 0.0 } else { observed.as_secs_f64() / whole.as_secs_f64() }
        };
        let full: Vec<Gap> = gaps.list.iter().filter(|gap| !gap.users_only).copied().collect();
        Coverage {
            occupancy: share(self.observed.since, self.settled_until(), &full),
            users: share(self.observed.complete_since, self.users_settled_until(), &gaps.list),
        }
    }
}

/// A channel's gaps in a span, and since when the record is whole: read after them, so that it covers what was forgotten
/// meanwhile. Visits must be read before.
#[derive(Clone, Debug)]
pub(super) struct Gaps {
    pub(super) list: Vec<Gap>,
    pub(super) kept_since: Option<Time>,
}

impl Gaps {
    /// The runs without what is older than is kept: gaps of that time may be forgotten, so it does not count as observed.
    pub(super) fn kept(&self, mut runs: Vec<Run>) -> Vec<Run> {
        if let Some(kept) = self.kept_since {
            runs.retain(|run| run.last.latest >= kept);
            for run in &mut runs {
                let first =
                    Moment { earliest: run.first.earliest.max(kept), latest: run.first.latest.max(kept) };
                *run = Run { first, ..*run };
            }
        }
        runs
    }
}

/// A channel's gaps that touch a span.
pub(super) fn gaps_of(
    history: &dyn History,
    channel: &ChannelName,
    from: Time,
    to: Time,
) -> Result<Gaps, AskError> {
    let mut gaps: Vec<(ChannelName, Gap)> = Vec::new();
    loop {
        let after = gaps.last().map(|(channel, gap)| (gap.from, channel.clone()));
        let page = history.gaps(Some(channel), (Some(from), Some(to)), after.as_ref(), GAPS)?;
        let more = page.len() >= GAPS;
        gaps.extend(page);
        if !more {
            let list = gaps.into_iter().map(|(_, gap)| gap).collect();
            return Ok(Gaps { list, kept_since: history.kept_since()? });
        }
    }
}
