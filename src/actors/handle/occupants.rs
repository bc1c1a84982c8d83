//! Who was in a channel at a moment.

use std::time::Duration;

use hashbrown::HashMap;

use super::facts::{Facts, INSTANT};
use super::moment::Then;
use super::{Adsum, AskError, OccupantAt, Occupants};
use crate::actors::live::Live;
use crate::domain::answer::Present;
use crate::domain::channel::Channel;
use crate::domain::names::{ChannelName, UserId};
use crate::domain::observation::Grade;
use crate::domain::occupancy::Bounds;
use crate::domain::roster::Member;
use crate::domain::time::{Moment, Time};
use crate::domain::visit::Visit;
use crate::history::{History, StateAt, VisitCursor, VisitQuery};

/// Visits are read in pages of so many.
pub(super) const VISITS: usize = 1000;

impl Adsum {
    /// Who was in a channel at `at`, or as of its last good observation; in order of user id, after `after`.
    ///
    /// # Errors
    /// [`AskError::UnknownChannel`], [`AskError::Future`], [`AskError::History`].
    pub async fn occupants(
        &self,
        channel: &ChannelName,
        at: Option<Time>,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Occupants, AskError> {
        let after = after.cloned();
        let now = self.now();
        let (channel, published) = (channel.clone(), self.published(channel));
        if let Some(at) = at {
            let at = self.not_future(at)?;
            let found = move |history: &dyn History| {
                let facts = Facts::read(history, &channel, published)?;
                occupants_at(history, &facts.ok_or_else(|| AskError::UnknownChannel(channel.clone()))?, at)
            };
            return Ok(page(self.ask(found).await?, now, after.as_ref(), limit));
        }
        if let Some(found) = self.registry.get(&channel).and_then(|live| occupants_now(&live)) {
            return Ok(page(found, now, after.as_ref(), limit));
        }
        let found = self.ask(move |history| {
            let kept =
                history.checkpoint(&channel)?.ok_or_else(|| AskError::UnknownChannel(channel.clone()))?;
            let channel = Channel::resume(channel, Duration::MAX, kept, Time::default());
            Ok(of_channel(&channel).unwrap_or_else(|| nothing(now)))
        });
        Ok(page(found.await?, now, after.as_ref(), limit))
    }
}

/// Everybody, as yet in no order.
struct Found {
    at: Time,
    occupancy: Option<Bounds>,
    observed: bool,
    items: Vec<OccupantAt>,
}

fn nothing(at: Time) -> Found {
    Found { at, occupancy: None, observed: false, items: Vec::new() }
}

fn page(found: Found, now: Time, after: Option<&UserId>, limit: usize) -> Occupants {
    let mut items = found.items;
    items.retain(|item| after.is_none_or(|after| item.user > *after));
    items.sort_unstable_by(|one, other| one.user.cmp(&other.user));
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| last.user.clone());
    let (at, occupancy, observed) = (found.at, found.occupancy, found.observed);
    Occupants { at, age: now.since(at), occupancy, observed, items, next }
}

/// As of the last good observation; `None` if there was none.
fn occupants_now(live: &Live) -> Option<Found> {
    of_channel(&live.channel.read())
}

fn of_channel(channel: &Channel) -> Option<Found> {
    let run = channel.run()?;
    let roster = channel.roster();
    let items = roster.members().iter().map(|(user, member)| {
        let listed = roster.listed(member).is_some_and(|listed| listed.earliest >= run.last.earliest);
        occupant_now(user, member, listed)
    });
    Some(Found {
        at: run.last.latest,
        occupancy: Some(Bounds { min: run.occupancy, max: run.occupancy }),
        observed: run.grade == Grade::Complete,
        items: items.collect(),
    })
}

fn occupant_now(user: &UserId, member: &Member, listed: bool) -> OccupantAt {
    OccupantAt {
        user: user.clone(),
        present: if listed { Present::Yes } else { Present::Unknown },
        since: member.joined,
        state: member.state.clone(),
        state_since: member.state_since,
    }
}

fn occupants_at(history: &dyn History, facts: &Facts, at: Time) -> Result<Found, AskError> {
    let channel = &facts.record.channel;
    let mut of_user: HashMap<UserId, Vec<Visit>> = HashMap::new();
    for visit in visits_touching(history, Some(channel), None, at)? {
        of_user.entry(visit.user.clone()).or_default().push(visit);
    }
    let then = Then::read(history, channel, Some(facts), at)?;
    let mut items: Vec<OccupantAt> = Vec::new();
    for (user, visits) in of_user {
        // Of somebody who left in one window and came back in the next, the later visit is told.
        let (Some(visit), answer) = (visits.last(), then.answer(&visits)) else { continue };
        if answer.present != Present::No {
            let StateAt { state, since } = history.state_at(visit, at)?;
            items.push(OccupantAt {
                user,
                present: answer.present,
                since: visit.joined,
                state,
                state_since: since,
            });
        }
    }
    Ok(Found { at, occupancy: then.occupancy(history)?, observed: then.is_observed(), items })
}

/// Visits whose user may have been there at `at`.
pub(super) fn visits_touching(
    history: &dyn History,
    channel: Option<&ChannelName>,
    user: Option<&UserId>,
    at: Time,
) -> Result<Vec<Visit>, AskError> {
    let query = VisitQuery {
        channel: channel.cloned(),
        user: user.cloned(),
        from: Some(at),
        to: Some(at.plus(INSTANT)),
        limit: VISITS,
        ..VisitQuery::default()
    };
    let mut visits = Vec::new();
    each_visit(history, query, |visit| {
        visits.push(visit);
        Ok(())
    })?;
    Ok(visits)
}

/// Takes a list of visits page by page, so that it is never in memory as a whole.
pub(super) fn each_visit(
    history: &dyn History,
    mut query: VisitQuery,
    mut take: impl FnMut(Visit) -> Result<(), AskError>,
) -> Result<(), AskError> {
    loop {
        let page = history.visits(&query)?;
        let more = page.len() == query.limit;
        query.after = page.last().map(cursor);
        page.into_iter().try_for_each(&mut take)?;
        if !more {
            return Ok(());
        }
    }
}

/// Where a list goes on after a visit.
pub(super) fn cursor(visit: &Visit) -> VisitCursor {
    VisitCursor { joined: visit.joined.not_after, channel: visit.channel.clone(), opened: visit.opened }
}

/// The visit of a member who is there.
pub(super) fn visit_of(channel: &Channel, user: &UserId) -> Option<Visit> {
    let member = channel.roster().members().get(user)?;
    let listed = channel.roster().listed(member);
    Some(Visit {
        channel: channel.name.clone(),
        opened: member.opened,
        user: user.clone(),
        joined: member.joined,
        left: None,
        listed_until: listed.map_or(member.joined.not_after, |listed: Moment| listed.earliest),
        state: member.state.clone(),
        state_since: member.state_since,
    })
}
