//! What a backtest reads of the record, a piece at a time.

use std::collections::VecDeque;
use std::time::Duration;

use super::sqlite::View;
use super::{ChannelRecord, HistoryError, Result, VisitCursor, VisitQuery};
use crate::domain::alert::backtest::{Downtime, Facts, Heard, Outcome, Question, backtest};
use crate::domain::answer::Observed;
use crate::domain::gap::Gap;
use crate::domain::names::{ChannelName, UserId};
use crate::domain::occupancy::Run;
use crate::domain::time::Time;
use crate::domain::visit::Visit;

/// Gaps, visits and names are read in pages of so many.
const PAGE: usize = 1000;

/// Runs are read of a span that is made longer as long as it has fewer than this.
const FEW_RUNS: usize = 1000;

/// And shorter if it has more.
const MANY_RUNS: usize = 20_000;

/// The span that runs are read of first, and the shortest.
const RUNS_OF: (Duration, Duration) = (Duration::from_hours(1), Duration::from_millis(1));

/// What the rule would have done in a channel; `None` if the channel is in no record. `hear` hears of every transition.
///
/// # Errors
/// See [`HistoryError`].
pub fn of_channel(
    view: &View<'_>,
    question: &Question<'_>,
    channel: &ChannelName,
    hear: &mut dyn FnMut(&Heard),
) -> Result<Option<Outcome>> {
    let Some(record) = view.channel(channel)? else { return Ok(None) };
    let kept_since = view.kept_since()?;
    let mut runs = Runs::new(view, channel, question);
    // What lasts with the first run is wanted too, however long ago that began.
    let begins = runs.first()?.map_or(question.begins(), |run| run.first.earliest.min(question.begins()));
    let visits =
        question.rule.condition.user().map(|user| Visits::new(view, channel, user, begins, question.to));
    let facts = Facts {
        observed: observed(&record),
        kept_since,
        runs,
        gaps: Gaps::new(view, channel, begins, question.to),
        visits: visits.into_iter().flatten(),
    };
    backtest(question, facts, hear).map(Some)
}

fn observed(record: &ChannelRecord) -> Observed {
    Observed {
        began: record.began,
        since: record.observed_since,
        complete_since: record.complete_since,
        last: record.run.map(|run| run.last),
        last_complete: record.complete,
    }
}

/// When adsum may have been down from `from` to `to`: whenever no channel was observed.
///
/// # Errors
/// See [`HistoryError`].
pub fn downtime(view: &View<'_>, from: Time, to: Time) -> Result<Downtime> {
    let mut downtime = Downtime::unknown(from, to);
    for_each_channel(view, |name| {
        if let Some(record) = view.channel(&name)? {
            downtime.narrow(unobserved(view, &record, from, to))?;
        }
        // Nothing is left to be proven once it is known to have run all the time.
        Ok(!downtime.is_none())
    })?;
    Ok(downtime)
}

/// When a channel was not observed, in order of time.
fn unobserved(
    view: &View<'_>,
    record: &ChannelRecord,
    from: Time,
    to: Time,
) -> impl Iterator<Item = Result<(Time, Time)>> {
    let since = record.observed_since.unwrap_or(to);
    let until = record.run.map_or(since, |run| run.last.earliest).max(since);
    let gaps = Gaps::new(view, &record.channel, from, to)
        .filter(|gap| !gap.as_ref().is_ok_and(|gap| gap.users_only));
    let gaps = gaps.map(move |gap| gap.map(|gap| (gap.from, gap.to.unwrap_or(to))));
    let within = move |span: &Result<(Time, Time)>| {
        span.as_ref().map_or(true, |span| span.1 > since && span.0 < until)
    };
    [Ok((from, since))].into_iter().chain(gaps.filter(within)).chain([Ok((until, to))])
}

/// Calls `each` with every channel in the record, in order of name, as long as it says so.
///
/// # Errors
/// See [`HistoryError`].
pub fn for_each_channel(view: &View<'_>, mut each: impl FnMut(ChannelName) -> Result<bool>) -> Result<()> {
    let mut after = None;
    loop {
        let names = view.channels(after.as_ref(), PAGE)?;
        let more = names.len() >= PAGE;
        after = names.last().cloned();
        for name in names {
            if !each(name)? {
                return Ok(());
            }
        }
        if !more {
            return Ok(());
        }
    }
}

/// The runs of a channel in order of time.
struct Runs<'a> {
    view: &'a View<'a>,
    channel: &'a ChannelName,
    from: Time,
    to: Time,
    span: Duration,
    page: VecDeque<Run>,
    given: Option<Time>,
}

impl<'a> Runs<'a> {
    fn new(view: &'a View<'a>, channel: &'a ChannelName, question: &Question<'_>) -> Self {
        let (from, to) = (question.begins(), question.to);
        Self { view, channel, from, to, span: RUNS_OF.0, page: VecDeque::new(), given: None }
    }

    fn first(&mut self) -> Result<Option<Run>> {
        self.fill()?;
        Ok(self.page.front().copied())
    }

    fn fill(&mut self) -> Result<()> {
        while self.page.is_empty() && self.from < self.to {
            let to = self.from.plus(self.span).min(self.to);
            let runs = match self.view.runs(self.channel, self.from, to) {
                Err(HistoryError::TooMuch) if self.span > RUNS_OF.1 => {
                    self.span = (self.span / 8).max(RUNS_OF.1);
                    continue;
                }
                runs => runs?,
            };
            self.span = match runs.len() {
                ..FEW_RUNS => self.span.saturating_mul(2),
                FEW_RUNS..MANY_RUNS => self.span,
                _ => (self.span / 2).max(RUNS_OF.1),
            };
            self.from = to;
            let new = |run: &Run| self.given.is_none_or(|given| run.first.latest > given);
            self.page = runs.into_iter().filter(new).collect();
        }
        Ok(())
    }
}

impl Iterator for Runs<'_> {
    type Item = Result<Run>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Err(error) = self.fill() {
            self.from = self.to;
            return Some(Err(error));
        }
        let run = self.page.pop_front()?;
        self.given = Some(run.first.latest);
        Some(Ok(run))
    }
}

/// The gaps of a channel in order of their beginnings.
struct Gaps<'a> {
    view: &'a View<'a>,
    channel: ChannelName,
    span: (Time, Time),
    after: Option<(Time, ChannelName)>,
    page: VecDeque<Gap>,
    more: bool,
}

impl<'a> Gaps<'a> {
    fn new(view: &'a View<'a>, channel: &ChannelName, from: Time, to: Time) -> Self {
        let channel = channel.clone();
        Self { view, channel, span: (from, to), after: None, page: VecDeque::new(), more: true }
    }
}

impl Iterator for Gaps<'_> {
    type Item = Result<Gap>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty() && self.more {
            let (from, to) = self.span;
            let page = self.view.gaps(&self.channel, (Some(from), Some(to)), self.after.as_ref(), PAGE);
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    self.more = false;
                    return Some(Err(error));
                }
            };
            self.more = page.len() >= PAGE;
            self.after = page.last().map(|(channel, gap)| (gap.from, channel.clone()));
            self.page = page.into_iter().map(|(_, gap)| gap).collect();
        }
        self.page.pop_front().map(Ok)
    }
}

/// One user's visits to a channel in order of time.
struct Visits<'a> {
    view: &'a View<'a>,
    query: VisitQuery,
    page: VecDeque<Visit>,
    more: bool,
}

impl<'a> Visits<'a> {
    fn new(view: &'a View<'a>, channel: &ChannelName, user: &UserId, from: Time, to: Time) -> Self {
        let query = VisitQuery {
            channel: Some(channel.clone()),
            user: Some(user.clone()),
            from: Some(from),
            to: Some(to),
            limit: PAGE,
            ..VisitQuery::default()
        };
        Self { view, query, page: VecDeque::new(), more: true }
    }
}

impl Iterator for Visits<'_> {
    type Item = Result<Visit>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty() && self.more {
            let page = match self.view.visits(&self.query) {
                Ok(page) => page,
                Err(error) => {
                    self.more = false;
                    return Some(Err(error));
                }
            };
            self.more = page.len() >= PAGE;
            self.query.after = page.last().map(|visit| VisitCursor {
                joined: visit.joined.not_after,
                channel: visit.channel.clone(),
                opened: visit.opened,
            });
            self.page = page.into();
        }
        self.page.pop_front().map(Ok)
    }
}
