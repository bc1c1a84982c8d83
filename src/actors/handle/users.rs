//! Where a user is, and was.

use std::time::Duration;

use hashbrown::HashMap;

use super::facts::{Facts, Published};
use super::moment::Then;
use super::occupants::{VISITS, each_visit, visit_of, visits_touching};
use super::presence::as_of_last;
use super::visits::Lengths;
use super::{Adsum, AskError, ChannelAt, Staying, UserNow};
use crate::actors::live::Registry;
use crate::domain::answer::{Answer, Present};
use crate::domain::channel::Channel;
use crate::domain::names::{ChannelName, UserId};
use crate::domain::time::Time;
use crate::domain::visit::{Length, Visit};
use crate::history::{History, HistoryError, VisitQuery};
use crate::states::KnownState;

/// A user's known states are listed for at most so many channels.
pub const MAX_STATES: usize = 10_000;

impl Adsum {
    /// A user in short.
    ///
    /// # Errors
    /// [`AskError::UnknownUser`], [`AskError::History`].
    pub async fn user(&self, user: &UserId) -> Result<UserNow, AskError> {
        let (published, now, user) = (self.published_all(), self.now(), user.clone());
        let registry = self.registry.clone();
        self.ask(move |history| {
            if !history.knows_user(&user)? {
                return Err(AskError::UnknownUser(user));
            }
            let query = VisitQuery { user: Some(user.clone()), limit: VISITS, ..VisitQuery::default() };
            let mut lengths = Lengths::new(history, published, now);
            let mut found = UserNow {
                user: user.clone(),
                here: Vec::new(),
                last_seen: None,
                visits: 0,
                total: Length { min: Duration::ZERO, max: Some(Duration::ZERO) },
            };
            each_visit(history, query, |visit| {
                let visit = lengths.up_to_date(visit)?;
                found.last_seen = found.last_seen.max(Some(visit.proven_until()));
                found.add(lengths.item(visit)?.length);
                Ok(())
            })?;
            found.here = here(history, &registry, &user, now)?;
            let seen = found.here.iter().map(|here| here.visit.proven_until()).max();
            found.last_seen = found.last_seen.max(seen);
            Ok(found)
        })
        .await
    }

    /// Where a user was at `at`, or is as of each channel's last good observation; in order of channel name. Gives the
    /// moment too.
    ///
    /// # Errors
    /// [`AskError::UnknownUser`], [`AskError::Future`], [`AskError::History`].
    pub async fn user_channels(
        &self,
        user: &UserId,
        at: Option<Time>,
    ) -> Result<(Time, Vec<ChannelAt>), AskError> {
        let at = at.map(|at| self.not_future(at)).transpose()?;
        let (published, now, user) = (self.published_all(), self.now(), user.clone());
        let registry = self.registry.clone();
        self.ask(move |history| {
            if !history.knows_user(&user)? {
                return Err(AskError::UnknownUser(user));
            }
            let mut found = match at {
                Some(at) => channels_at(history, &published, &user, at)?,
                None => {
                    here(history, &registry, &user, now)?.into_iter().map(Staying::into_channel).collect()
                }
            };
            found.sort_unstable_by(|one: &ChannelAt, other| one.channel.cmp(&other.channel));
            Ok((at.unwrap_or(now), found))
        })
        .await
    }

    /// The last known states of a user, in order of channel name, at most [`MAX_STATES`]. `present` only where the channel is
    /// observed now and its last observation lists the user.
    ///
    /// # Errors
    /// [`AskError::UnknownUser`], [`AskError::History`].
    pub async fn user_state(&self, user: &UserId) -> Result<Vec<KnownState>, AskError> {
        let (states, user) = (std::sync::Arc::clone(&self.states), user.clone());
        let (registry, now) = (self.registry.clone(), self.now());
        self.ask(move |history| {
            if !history.knows_user(&user)? {
                return Err(AskError::UnknownUser(user));
            }
            let known = states.states_of(&user, None, MAX_STATES);
            let mut known = known.map_err(|error| HistoryError::Unavailable(error.to_string()))?;
            for known in &mut known {
                known.present &= is_here(&registry, &known.channel, &user, now);
            }
            Ok(known)
        })
        .await
    }
}

impl UserNow {
    fn add(&mut self, length: Length) {
        self.visits += 1;
        self.total.min += length.min;
        self.total.max = self.total.max.zip(length.max).map(|(total, max)| total + max);
    }
}

/// The channels in which a user was, or may have been, at a moment, as [`Adsum::presence`] answers.
fn channels_at(
    history: &dyn History,
    published: &HashMap<ChannelName, Published>,
    user: &UserId,
    at: Time,
) -> Result<Vec<ChannelAt>, AskError> {
    let mut of_channel: HashMap<ChannelName, Vec<Visit>> = HashMap::new();
    for visit in visits_touching(history, None, Some(user), at)? {
        of_channel.entry(visit.channel.clone()).or_default().push(visit);
    }
    let mut found = Vec::new();
    for (channel, visits) in of_channel {
        let facts = Facts::read(history, &channel, published.get(&channel).copied().unwrap_or_default())?;
        let answer = Then::read(history, &channel, facts.as_ref(), at)?.answer(&visits);
        let Some(since) = visits.last().map(|visit| visit.joined) else { continue };
        if answer.present != Present::No {
            let because = (answer.present == Present::Unknown).then_some(answer.because);
            found.push(ChannelAt { channel, at, present: answer.present, since, because });
        }
    }
    Ok(found)
}

/// Whether the channel is observed now, and its last observation lists the user.
fn is_here(registry: &Registry, channel: &ChannelName, user: &UserId, now: Time) -> bool {
    registry.get(channel).is_some_and(|live| {
        let channel = live.channel.read();
        let blind = channel.open_gap(now).is_some_and(|gap| !gap.users_only);
        !blind && as_of_last(Some(&channel), user, now).answer.present == Present::Yes
    })
}

/// The visits of a user that last, in order of channel name: of watched channels as published, of others as recorded.
fn here(
    history: &dyn History,
    registry: &Registry,
    user: &UserId,
    now: Time,
) -> Result<Vec<Staying>, AskError> {
    let in_channel = |channel: &Channel| {
        let visit = visit_of(channel, user)?;
        let found = as_of_last(Some(channel), user, now);
        Some(Staying { visit, at: found.at, answer: found.answer })
    };
    let query =
        VisitQuery { user: Some(user.clone()), open: Some(true), limit: VISITS, ..VisitQuery::default() };
    let mut left = Vec::new();
    let live = registry.all();
    let mut found: Vec<Staying> = live.iter().filter_map(|live| in_channel(&live.channel.read())).collect();
    each_visit(history, query, |visit| {
        if registry.get(&visit.channel).is_none() {
            left.push(visit.channel);
        }
        Ok(())
    })?;
    for channel in left {
        let Some(kept) = history.checkpoint(&channel)? else { continue };
        found.extend(in_channel(&Channel::resume(channel, Duration::MAX, kept, Time::default())));
    }
    found.sort_unstable_by(|one, other| one.visit.channel.cmp(&other.visit.channel));
    found.dedup_by(|one, other| one.visit.channel == other.visit.channel);
    Ok(found)
}

impl Staying {
    fn into_channel(self) -> ChannelAt {
        let Answer { present, because, .. } = self.answer;
        let because = (present == Present::Unknown).then_some(because);
        let (channel, since) = (self.visit.channel, self.visit.joined);
        ChannelAt { channel, at: self.at, present, since, because }
    }
}
