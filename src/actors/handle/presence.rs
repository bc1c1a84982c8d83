//! Whether a user was in a channel.

use std::time::Duration;

use super::facts::Facts;
use super::moment::{Then, coarse};
use super::occupants::{visit_of, visits_touching};
use super::{Adsum, AskError, PresenceAnswer};
use crate::domain::answer::{Answer, Observed, presence_now};
use crate::domain::channel::Channel;
use crate::domain::names::{ChannelName, UserId};
use crate::domain::time::Time;

impl Adsum {
    /// Whether a user was in a channel at `at`, or is as of its last good observation. Never refused for an unknown
    /// channel or user: a user never listed was not there wherever the channel was completely observed.
    ///
    /// # Errors
    /// [`AskError::Future`], [`AskError::History`].
    pub async fn presence(
        &self,
        channel: &ChannelName,
        user: &UserId,
        at: Option<Time>,
    ) -> Result<PresenceAnswer, AskError> {
        match at {
            Some(at) => self.presence_at(channel, user, self.not_future(at)?).await,
            None => self.presence_now(channel, user).await,
        }
    }

    async fn presence_at(
        &self,
        channel: &ChannelName,
        user: &UserId,
        at: Time,
    ) -> Result<PresenceAnswer, AskError> {
        let published = self.published(channel);
        let (channel, user, now) = (channel.clone(), user.clone(), self.now());
        self.ask(move |history| {
            let facts = Facts::read(history, &channel, published)?;
            let visits = visits_touching(history, Some(&channel), Some(&user), at)?;
            let then = Then::read(history, &channel, facts.as_ref(), at)?;
            let (answer, resolution) = (then.answer(&visits), then.resolution(history)?);
            Ok(PresenceAnswer { answer, at, age: now.since(at), resolution })
        })
        .await
    }

    async fn presence_now(&self, channel: &ChannelName, user: &UserId) -> Result<PresenceAnswer, AskError> {
        let now = self.now();
        if let Some(live) = self.registry.get(channel) {
            return Ok(as_of_last(Some(&live.channel.read()), user, now));
        }
        let (channel, user) = (channel.clone(), user.clone());
        self.ask(move |history| {
            // A channel that has a record by now is answered up to where it had none.
            let kept = history.checkpoint(&channel)?;
            if kept.is_none()
                && let Some(unlisted) = history.unlisted(&channel, now)?
            {
                let at = unlisted.run.last.latest;
                let answer = Answer::no("the last discovery found nobody in the channel".to_owned());
                let resolution = coarse(unlisted.run.widest);
                return Ok(PresenceAnswer { answer, at, age: now.since(at), resolution });
            }
            let channel = kept.map(|kept| Channel::resume(channel, Duration::MAX, kept, Time::default()));
            Ok(as_of_last(channel.as_ref(), &user, now))
        })
        .await
    }
}

/// The answer as of the last good observation.
pub(super) fn as_of_last(channel: Option<&Channel>, user: &UserId, now: Time) -> PresenceAnswer {
    let run = channel.and_then(Channel::run);
    let observed = channel.map(|channel| Observed {
        began: channel.began,
        since: run.map(|run| run.first.latest),
        complete_since: None,
        last: channel.last(),
        last_complete: channel.roster().complete(),
    });
    let visit = channel.and_then(|channel| visit_of(channel, user));
    let at = run.map_or(now, |run| run.last.latest);
    PresenceAnswer {
        answer: presence_now(observed.as_ref(), visit.as_ref()),
        at,
        age: now.since(at),
        resolution: run.and_then(|run| coarse(run.widest)),
    }
}
