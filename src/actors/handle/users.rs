//! Where a user is, and was.

use std::time::Duration;

use super::facts::{INSTANT, gaps_of};
use super::occupants::{VISITS, each_visit, visits_touching};
use super::visits::Lengths;
use super::{Adsum, AskError, ChannelAt, UserNow};
use crate::domain::answer::{Answer, Present, presence, presence_now};
use crate::domain::names::UserId;
use crate::domain::time::{Time, Window};
use crate::domain::visit::{Length, Visit};
use crate::history::VisitQuery;
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
        self.ask(move |history| {
            if !history.knows_user(&user)? {
                return Err(AskError::UnknownUser(user));
            }
            let query = VisitQuery { user: Some(user.clone()), limit: VISITS, ..VisitQuery::default() };
            let mut lengths = Lengths::new(history, published, now)?;
            let mut found = UserNow {
                user,
                here: Vec::new(),
                last_seen: None,
                visits: 0,
                total: Length { min: Duration::ZERO, max: Some(Duration::ZERO) },
            };
            each_visit(history, query, |visit| {
                let visit = lengths.up_to_date(visit)?;
                let as_of = lengths.last_observed(&visit.channel).unwrap_or(visit.listed_until);
                found.add(lengths.item(visit.clone())?.length, visit, as_of);
                Ok(())
            })?;
            found.here.sort_unstable_by(|(one, _), (other, _)| one.channel.cmp(&other.channel));
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
        self.ask(move |history| {
            if !history.knows_user(&user)? {
                return Err(AskError::UnknownUser(user));
            }
            let mut lengths = Lengths::new(history, published, now)?;
            let mut found = Vec::new();
            for visit in visits_touching(history, None, Some(&user), at.unwrap_or(now))? {
                let visit = lengths.up_to_date(visit)?;
                let Some(Some(facts)) = lengths.facts.get(&visit.channel) else { continue };
                let answer = match at {
                    Some(at) => {
                        let gaps = gaps_of(history, &visit.channel, at, at.plus(INSTANT))?;
                        presence(Some(&facts.observed), std::slice::from_ref(&visit), &gaps, at)
                    }
                    None if visit.left.is_some() => continue,
                    None => presence_now(Some(&facts.observed), Some(&visit)),
                };
                let as_of = at.or(facts.observed.last.map(|last| last.latest)).unwrap_or(now);
                found.extend(channel_at(visit, answer, as_of));
            }
            found.sort_unstable_by(|one: &ChannelAt, other| one.channel.cmp(&other.channel));
            found.dedup_by(|one, other| one.channel == other.channel);
            Ok((at.unwrap_or(now), found))
        })
        .await
    }

    /// The last known states of a user, in order of channel name, at most [`MAX_STATES`].
    ///
    /// # Errors
    /// [`AskError::UnknownUser`], [`AskError::History`].
    pub async fn user_state(&self, user: &UserId) -> Result<Vec<KnownState>, AskError> {
        let (states, user) = (std::sync::Arc::clone(&self.states), user.clone());
        self.ask(move |history| {
            if !history.knows_user(&user)? {
                return Err(AskError::UnknownUser(user));
            }
            let known = states.states_of(&user, None, MAX_STATES);
            known.map_err(|error| crate::history::HistoryError::Unavailable(error.to_string()).into())
        })
        .await
    }
}

impl UserNow {
    fn add(&mut self, length: Length, visit: Visit, as_of: Time) {
        self.visits += 1;
        self.last_seen = self.last_seen.max(Some(visit.proven_until()));
        self.total.min += length.min;
        self.total.max = self.total.max.zip(length.max).map(|(total, max)| total + max);
        if visit.left.is_none() {
            self.here.push((visit, as_of));
        }
    }
}

fn channel_at(visit: Visit, answer: Answer, at: Time) -> Option<ChannelAt> {
    let because = (answer.present == Present::Unknown).then_some(answer.because);
    let since: Window = visit.joined;
    let found = ChannelAt { channel: visit.channel, at, present: answer.present, since, because };
    (found.present != Present::No).then_some(found)
}
