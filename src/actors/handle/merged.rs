//! Visits with short absences between them as one: pages of whole merged visits, none cut, lost or repeated.
//!
//! A merged visit is told where its first visit stands in the list. So a page holds the visits that continue none before
//! them, each with all that continue it, however far they lie behind the page; and the next page passes over those.

use std::time::Duration;

use hashbrown::HashMap;

use super::occupants::{VISITS, cursor};
use super::visits::Lengths;
use super::{AskError, VisitItem};
use crate::domain::event::Seq;
use crate::domain::names::{ChannelName, UserId};
use crate::domain::visit::Visit;
use crate::history::{HistoryError, MAX_JOINED, VisitCursor, VisitQuery};

/// A page ends before its limit once so many visits were looked at, save that one merged visit is always told as a whole
/// (of at most [`MAX_JOINED`]; of more there is no answer, for where it would be cut no later page could know).
pub const MAX_LOOKED_AT: usize = 20_000;

/// Visits that may continue one are read in pages of so many at first, for most often there is none, or a few.
const FEW_FOLLOWING: usize = 16;

/// Each such page is twice as long as the one before, up to so many.
const MANY_FOLLOWING: usize = 1000;

/// A page of merged visits that is being read.
pub(super) struct Merging<'a> {
    lengths: Lengths<'a>,
    query: VisitQuery,
    at_most: Duration,
    looked_at: usize,
    items: Vec<VisitItem>,
    /// The last visit of each user and channel that is in an item of this page.
    told: HashMap<(ChannelName, UserId), Seq>,
}

impl<'a> Merging<'a> {
    /// Of the visits of `query`, those that lie no further apart than `at_most` as one.
    pub(super) fn new(lengths: Lengths<'a>, query: VisitQuery, at_most: Duration) -> Self {
        Self { lengths, query, at_most, looked_at: 0, items: Vec::new(), told: HashMap::new() }
    }

    /// One page.
    pub(super) fn page(mut self) -> Result<(Vec<VisitItem>, Option<VisitCursor>), AskError> {
        let mut passed = self.query.after.clone();
        loop {
            let query = VisitQuery { after: passed.clone(), limit: VISITS, ..self.query.clone() };
            let visits = self.lengths.history.visits(&query)?;
            let more = visits.len() == VISITS;
            for visit in visits {
                let here = cursor(&visit);
                if self.continues(&visit)? {
                    self.looked_at += 1;
                } else if self.items.len() < self.query.limit && self.looked_at < MAX_LOOKED_AT {
                    self.tell(visit)?;
                } else {
                    return Ok((self.items, passed));
                }
                passed = Some(here);
            }
            if !more {
                return Ok((self.items, None));
            }
            if self.looked_at >= MAX_LOOKED_AT {
                return Ok((self.items, passed));
            }
        }
    }

    /// Whether the visit goes on from one before it, which is told in its place.
    fn continues(&self, visit: &Visit) -> Result<bool, AskError> {
        let key = (visit.channel.clone(), visit.user.clone());
        if self.told.get(&key).is_some_and(|last| visit.opened <= *last) {
            return Ok(true);
        }
        let before = self.lengths.history.visit_before(visit)?;
        Ok(before.is_some_and(|before| self.asked_for(&before) && self.joins(&before, visit)))
    }

    /// Whether a visit that is over is in the list at all.
    fn asked_for(&self, visit: &Visit) -> bool {
        let from = self.query.from.is_none_or(|from| visit.left.is_none_or(|left| left.not_after >= from));
        let to = self.query.to.is_none_or(|to| visit.joined.not_before.is_none_or(|joined| joined < to));
        from && to && self.query.open != Some(true)
    }

    fn joins(&self, visit: &Visit, next: &Visit) -> bool {
        visit.longest_absence(next).is_some_and(|absence| absence <= self.at_most)
    }

    /// Takes a visit and all that continue it. What was proven of each is proven of the whole; the absences are not.
    fn tell(&mut self, first: Visit) -> Result<(), AskError> {
        let (mut whole, mut last) = (first.clone(), first);
        let (mut proven, mut following) = (Vec::new(), Vec::new().into_iter());
        let mut page = FEW_FOLLOWING;
        loop {
            self.looked_at += 1;
            if following.as_slice().is_empty() {
                following = self.following(&last, page)?.into_iter();
                page = (2 * page).min(MANY_FOLLOWING);
            }
            let Some(next) = following.next().filter(|next| self.joins(&last, next)) else { break };
            proven.push(last.proven());
            if proven.len() >= MAX_JOINED {
                let Visit { channel, user, .. } = last;
                return Err(HistoryError::TooManyJoined { channel, user }.into());
            }
            whole = whole.joined_with(next.clone());
            last = next;
        }
        self.told.insert((last.channel.clone(), last.user.clone()), last.opened);
        let (whole, last) = (self.lengths.up_to_date(whole)?, self.lengths.up_to_date(last)?);
        proven.push(last.proven());
        self.items.push(self.lengths.item_of(whole, &proven)?);
        Ok(())
    }

    /// Some of the user's next visits to the channel.
    fn following(&self, visit: &Visit, limit: usize) -> Result<Vec<Visit>, AskError> {
        if visit.left.is_none() {
            return Ok(Vec::new());
        }
        let query = VisitQuery {
            channel: Some(visit.channel.clone()),
            user: Some(visit.user.clone()),
            after: Some(cursor(visit)),
            limit,
            ..self.query.clone()
        };
        Ok(self.lengths.history.visits(&query)?)
    }
}
