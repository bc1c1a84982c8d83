//! What is known of a channel at one moment, whoever is asked about: every route answers from this.

use std::time::Duration;

use super::AskError;
use super::facts::{Facts, Gaps, INSTANT, gaps_of};
use crate::domain::answer::{Answer, Observed, Present, presence};
use crate::domain::names::ChannelName;
use crate::domain::occupancy::{self, Bounds, Run};
use crate::domain::time::Time;
use crate::domain::visit::Visit;
use crate::history::{History, Unlisted};

/// A channel at a moment.
pub(super) struct Then<'a> {
    at: Time,
    /// `None` if the channel is in no record.
    facts: Option<&'a Facts>,
    /// The gaps that touch the moment.
    gaps: Gaps,
    /// The discoveries that did not list the channel around the moment, if it had no record then.
    unlisted: Option<(Run, Observed)>,
}

impl<'a> Then<'a> {
    /// Reads it. Visits must be read before this: a gap that was found since covers what they do not know, and so does what
    /// was forgotten since.
    pub(super) fn read(
        history: &dyn History,
        channel: &ChannelName,
        facts: Option<&'a Facts>,
        at: Time,
    ) -> Result<Self, AskError> {
        let unlisted = if facts.is_none_or(|facts| at < facts.record.began) {
            unlisted(history, channel, at)?
        } else {
            None
        };
        Ok(Self { at, facts, gaps: gaps_of(history, channel, at, at.plus(INSTANT))?, unlisted })
    }

    /// What the record says of a user whose visits to the channel that touch the moment are these.
    pub(super) fn answer(&self, visits: &[Visit]) -> Answer {
        let kept = self.gaps.kept_since;
        match (&self.unlisted, self.facts) {
            (Some((_, observed)), _) => presence(Some(observed), &[], &[], kept, self.at),
            (None, Some(facts)) => {
                let visits: Vec<_> = visits.iter().map(|visit| facts.up_to_date(visit.clone())).collect();
                presence(Some(&facts.observed), &visits, &self.gaps.list, kept, self.at)
            }
            (None, None) => presence(None, &[], &[], kept, self.at),
        }
    }

    /// Whether the users were observed: whoever has no visit was not there.
    pub(super) fn is_observed(&self) -> bool {
        self.answer(&[]).present == Present::No
    }

    /// How many there were.
    pub(super) fn occupancy(&self, history: &dyn History) -> Result<Option<Bounds>, AskError> {
        let (runs, gaps) = match (&self.unlisted, self.facts) {
            (Some((run, _)), _) => (vec![*run], [].as_slice()),
            (None, Some(facts)) => (facts.runs(history, self.at, self.at)?, self.gaps.list.as_slice()),
            (None, None) => return Ok(None),
        };
        Ok(occupancy::at(&self.gaps.kept(runs), gaps, self.at))
    }

    /// A stay or absence shorter than this may have gone unseen; `None` where no step between observations is known.
    pub(super) fn resolution(&self, history: &dyn History) -> Result<Option<Duration>, AskError> {
        match (&self.unlisted, self.facts) {
            (Some((run, _)), _) => Ok(coarse(run.widest)),
            (None, Some(facts)) => facts.resolution(history, self.at),
            (None, None) => Ok(None),
        }
    }
}

/// What discoveries say of a moment at which the channel had no record: nobody was there, or that is not settled yet.
fn unlisted(
    history: &dyn History,
    channel: &ChannelName,
    at: Time,
) -> Result<Option<(Run, Observed)>, AskError> {
    let found = history.unlisted(channel, at)?;
    Ok(found.filter(|found| found.goes_on || at <= found.run.last.earliest).map(
        |Unlisted { run, .. }| {
            let (first, last) = (run.first, Some(run.last));
            let observed = Observed {
                began: first.earliest,
                since: Some(first.latest),
                complete_since: Some(first.latest),
                last,
                last_complete: last,
            };
            (run, observed)
        },
    ))
}

/// A step between observations; there is none after a single one.
pub(super) fn coarse(widest: Duration) -> Option<Duration> {
    (!widest.is_zero()).then_some(widest)
}
