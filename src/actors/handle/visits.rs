//! Lists of visits.

use std::time::Duration;

use hashbrown::HashMap;

use super::events::{covering, known};
use super::facts::{Facts, Published, gaps_of};
use super::merged::Merging;
use super::occupants::cursor;
use super::{Adsum, AskError, Page, VisitItem};
use crate::domain::names::ChannelName;
use crate::domain::time::Time;
use crate::domain::visit::{Length, Visit, proven_time};
use crate::history::{History, VisitCursor, VisitQuery};

impl Adsum {
    /// Visits in order of their beginning; with `merged`, a user's visits to a channel that lie no further apart are one.
    ///
    /// # Errors
    /// [`AskError::UnknownChannel`], [`AskError::UnknownUser`], [`AskError::History`].
    pub async fn visits(
        &self,
        query: VisitQuery,
        merged: Option<Duration>,
    ) -> Result<Page<VisitItem, VisitCursor>, AskError> {
        let published = self.published_all();
        let now = self.now();
        self.ask(move |history| {
            let of_channel = query.channel.as_ref().and_then(|channel| published.get(channel)).copied();
            let facts = known(history, query.channel.as_ref(), of_channel.unwrap_or_default())?;
            if let Some(user) = &query.user
                && !history.knows_user(user)?
            {
                return Err(AskError::UnknownUser(user.clone()));
            }
            let coverage =
                facts.map(|facts| covering(history, &facts, query.from, query.to, now)).transpose()?;
            let limit = query.limit;
            // Nothing is known of the future, not even of whoever is there now.
            let to = query.to.map_or(now, |to| to.min(now));
            if query.from.is_some_and(|from| from > to) {
                return Ok(Page { items: Vec::new(), next: None, coverage });
            }
            let mut lengths = Lengths::new(history, published, now);
            if let Some(at_most) = merged {
                let (items, next) = Merging::new(lengths, query, at_most).page()?;
                return Ok(Page { items, next, coverage });
            }
            let mut visits = history.visits(&VisitQuery { limit: limit.saturating_add(1), ..query })?;
            let more = visits.len() > limit;
            visits.truncate(limit);
            let next = visits.last().filter(|_| more).map(cursor);
            let items = visits.into_iter().map(|visit| {
                let visit = lengths.up_to_date(visit)?;
                lengths.item(visit)
            });
            Ok(Page { items: items.collect::<Result<_, _>>()?, next, coverage })
        })
        .await
    }

    /// What is published of every watched channel.
    pub(super) fn published_all(&self) -> HashMap<ChannelName, Published> {
        self.registry.all().iter().map(|live| (live.name.clone(), Published::of(live))).collect()
    }
}

/// Works out how long visits were, reading each channel's facts once.
pub(super) struct Lengths<'a> {
    pub(super) history: &'a dyn History,
    pub(super) published: HashMap<ChannelName, Published>,
    pub(super) now: Time,
    pub(super) facts: HashMap<ChannelName, Option<Facts>>,
}

impl<'a> Lengths<'a> {
    pub(super) fn new(
        history: &'a dyn History,
        published: HashMap<ChannelName, Published>,
        now: Time,
    ) -> Self {
        Self { history, published, now, facts: HashMap::new() }
    }

    /// The visit, up to where it is proven if it lasts.
    pub(super) fn up_to_date(&mut self, visit: Visit) -> Result<Visit, AskError> {
        if !self.facts.contains_key(&visit.channel) {
            let published = self.published.get(&visit.channel).copied().unwrap_or_default();
            let facts = Facts::read(self.history, &visit.channel, published)?;
            self.facts.insert(visit.channel.clone(), facts);
        }
        let facts = self.facts.get(&visit.channel).and_then(Option::as_ref);
        Ok(match facts {
            Some(facts) => facts.up_to_date(visit),
            None => visit,
        })
    }

    /// The visit with its length and the gaps inside it.
    pub(super) fn item(&self, visit: Visit) -> Result<VisitItem, AskError> {
        let proven = visit.proven();
        self.item_of(visit, &[proven])
    }

    /// The same of a visit of which these spans are proven, gaps aside.
    pub(super) fn item_of(&self, visit: Visit, proven: &[(Time, Time)]) -> Result<VisitItem, AskError> {
        let from = visit.joined.not_before.unwrap_or(visit.joined.not_after);
        let to = visit.left.map_or(self.now, |left| left.not_after);
        let gaps = gaps_of(self.history, &visit.channel, from, to)?;
        let longest = visit.length(&gaps.list, self.now, gaps.kept_since);
        let length = Length { min: proven_time(proven, &gaps.list, gaps.kept_since), ..longest };
        Ok(VisitItem { length, visit, gaps: gaps.list })
    }
}
