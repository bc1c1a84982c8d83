//! Lists of events and of gaps.

use super::facts::{Facts, gaps_of};
use super::{Adsum, AskError, Coverage, Page};
use crate::domain::event::{EventId, EventKind, Recorded};
use crate::domain::gap::Gap;
use crate::domain::names::ChannelName;
use crate::domain::time::Time;
use crate::history::{EventQuery, History};

/// Where a list of gaps goes on.
pub type GapCursor = (Time, ChannelName);

impl Adsum {
    /// The newest event's id; 0 if there is none.
    ///
    /// # Errors
    /// [`AskError::History`].
    pub async fn newest_event(&self) -> Result<EventId, AskError> {
        self.ask(|history| Ok(history.event_ids()?.0)).await
    }

    /// Events in order of id. Without kinds: joins, leaves, states and presents.
    ///
    /// # Errors
    /// [`AskError::UnknownChannel`], [`AskError::UnknownUser`], [`AskError::CursorExpired`], [`AskError::History`].
    pub async fn events(&self, query: EventQuery) -> Result<Page<Recorded, EventId>, AskError> {
        let published = query.channel.as_ref().map(|channel| self.published(channel));
        let now = self.now();
        self.ask(move |history| {
            let facts = known(history, query.channel.as_ref(), published.unwrap_or_default())?;
            if let Some(user) = &query.user
                && !history.knows_user(user)?
            {
                return Err(AskError::UnknownUser(user.clone()));
            }
            let (_, expired) = history.event_ids()?;
            if query.after > 0 && query.after < expired {
                return Err(AskError::CursorExpired);
            }
            let coverage =
                facts.map(|facts| covering(history, &facts, query.from, query.to, now)).transpose()?;
            let limit = query.limit;
            let kinds = if query.kinds.is_empty() { EventKind::PUBLIC.to_vec() } else { query.kinds.clone() };
            // One more than asked for tells whether the list goes on.
            let mut items = history.events(&EventQuery { kinds, limit: limit.saturating_add(1), ..query })?;
            let more = items.len() > limit;
            items.truncate(limit);
            let next = items.last().filter(|_| more).map(|last| last.id);
            Ok(Page { items, next, coverage })
        })
        .await
    }

    /// Gaps in order of their beginning.
    ///
    /// # Errors
    /// [`AskError::UnknownChannel`], [`AskError::History`].
    pub async fn gaps(
        &self,
        channel: Option<&ChannelName>,
        from: Option<Time>,
        to: Option<Time>,
        after: Option<GapCursor>,
        limit: usize,
    ) -> Result<Page<(ChannelName, Gap), GapCursor>, AskError> {
        let published = channel.map(|channel| self.published(channel));
        let channel = channel.cloned();
        let now = self.now();
        self.ask(move |history| {
            let facts = known(history, channel.as_ref(), published.unwrap_or_default())?;
            let coverage = facts.map(|facts| covering(history, &facts, from, to, now)).transpose()?;
            let mut items =
                history.gaps(channel.as_ref(), (from, to), after.as_ref(), limit.saturating_add(1))?;
            let more = items.len() > limit;
            items.truncate(limit);
            let next = items.last().filter(|_| more).map(|(channel, gap)| (gap.from, channel.clone()));
            Ok(Page { items, next, coverage })
        })
        .await
    }
}

/// The facts of a channel that a question names; it must be in the record.
pub(super) fn known(
    history: &dyn History,
    channel: Option<&ChannelName>,
    published: super::facts::Published,
) -> Result<Option<Facts>, AskError> {
    channel
        .map(|channel| {
            Facts::read(history, channel, published)?.ok_or_else(|| AskError::UnknownChannel(channel.clone()))
        })
        .transpose()
}

/// How much of a span was observed; an open span runs from the watch's beginning, or to now.
pub(super) fn covering(
    history: &dyn History,
    facts: &Facts,
    from: Option<Time>,
    to: Option<Time>,
    now: Time,
) -> Result<Coverage, AskError> {
    let (from, to) = (from.unwrap_or(facts.record.began), to.unwrap_or(now));
    Ok(facts.coverage(&gaps_of(history, &facts.record.channel, from, to)?, from, to))
}
