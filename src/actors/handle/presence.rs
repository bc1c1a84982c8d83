//! Whether a user was in a channel.

use std::time::Duration;

use super::facts::{Facts, INSTANT, gaps_of};
use super::occupants::{visit_of, visits_touching};
use super::{Adsum, AskError, PresenceAnswer};
use crate::domain::answer::{Answer, Observed, presence, presence_now};
use crate::domain::channel::Channel;
use crate::domain::names::{ChannelName, UserId};
use crate::domain::occupancy::Run;
use crate::domain::time::Time;
use crate::history::{History, Unlisted};

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
            let age = now.since(at);
            if facts.as_ref().is_none_or(|facts| at < facts.record.began)
                && let Some((answer, run)) = unlisted(history, &channel, at)?
            {
                return Ok(PresenceAnswer { answer, at, age, resolution: coarse(run.widest) });
            }
            let Some(facts) = facts else {
                return Ok(PresenceAnswer {
                    answer: presence(None, &[], &[], at),
                    at,
                    age,
                    resolution: None,
                });
            };
            // Gaps last: one that was found since covers what a visit read before it does not know.
            let visits = visits_touching(history, Some(&channel), Some(&user), at)?;
            let gaps = gaps_of(history, &channel, at, at.plus(INSTANT))?;
            let visits: Vec<_> = visits.into_iter().map(|visit| facts.up_to_date(visit)).collect();
            let answer = presence(Some(&facts.observed), &visits, &gaps, at);
            let resolution = facts.resolution(history, at)?;
            Ok(PresenceAnswer { answer, at, age, resolution })
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

/// What the discoveries say of a moment at which the channel had no record: nobody was there, or that is not settled yet.
/// `None` if they did not observe it then.
pub(super) fn unlisted(
    history: &dyn History,
    channel: &ChannelName,
    at: Time,
) -> Result<Option<(Answer, Run)>, AskError> {
    let Some(Unlisted { run, goes_on }) = history.unlisted(channel, at)? else { return Ok(None) };
    if at > run.last.earliest && !goes_on {
        return Ok(None);
    }
    let observed = Observed {
        began: run.first.earliest,
        since: Some(run.first.latest),
        complete_since: Some(run.first.latest),
        last: Some(run.last),
        last_complete: Some(run.last),
        kept_since: history.kept_since()?,
    };
    Ok(Some((presence(Some(&observed), &[], &[], at), run)))
}

/// What may have gone unseen; nothing is known after a single observation.
fn coarse(widest: Duration) -> Option<Duration> {
    (!widest.is_zero()).then_some(widest)
}

/// The answer as of the last good observation.
fn as_of_last(channel: Option<&Channel>, user: &UserId, now: Time) -> PresenceAnswer {
    let run = channel.and_then(Channel::run);
    let observed = channel.map(|channel| Observed {
        began: channel.began,
        since: run.map(|run| run.first.latest),
        complete_since: None,
        last: channel.last(),
        last_complete: channel.roster().complete(),
        kept_since: None,
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
