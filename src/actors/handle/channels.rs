//! Which channels are watched, and how they stand.

use super::{Adsum, AskError, ChannelNow};
use crate::actors::live::Live;
use crate::domain::channel::{Channel, Status};
use crate::domain::names::ChannelName;
use crate::domain::observation::Grade;
use crate::domain::time::Time;

impl Adsum {
    /// Every watched channel, in order of name.
    pub fn channels(&self) -> Vec<ChannelNow> {
        let now = self.now();
        let mut channels: Vec<ChannelNow> =
            self.registry.all().iter().map(|live| of_live(live, now)).collect();
        channels.sort_unstable_by(|one, other| one.channel.cmp(&other.channel));
        channels
    }

    /// A channel that is watched, or in the record.
    ///
    /// # Errors
    /// [`AskError::UnknownChannel`], [`AskError::History`].
    pub async fn channel(&self, channel: &ChannelName) -> Result<ChannelNow, AskError> {
        if let Some(live) = self.registry.get(channel) {
            return Ok(of_live(&live, self.now()));
        }
        let name = channel.clone();
        self.ask(move |history| {
            let kept = history.checkpoint(&name)?.ok_or_else(|| AskError::UnknownChannel(name.clone()))?;
            // No gap opens by itself in what is not watched, whatever the policy would be.
            let channel = Channel::resume(name, std::time::Duration::MAX, kept, Time::default());
            Ok(ChannelNow { status: Status::Unwatched, ..of_channel(&channel, Time::default()) })
        })
        .await
    }
}

fn of_live(live: &Live, now: Time) -> ChannelNow {
    let channel = live.channel.read();
    ChannelNow {
        policy: Some(*live.policy.read()),
        polls: live.polls.read(),
        last_failure: live.last_failure.read().clone(),
        ..of_channel(&channel, now)
    }
}

fn of_channel(channel: &Channel, now: Time) -> ChannelNow {
    ChannelNow {
        channel: channel.name.clone(),
        status: channel.status(now),
        occupancy: channel.run().map(|run| run.occupancy),
        last_observed: channel.last(),
        policy: None,
        complete: channel.run().is_some_and(|run| run.grade == Grade::Complete),
        gap: channel.open_gap(now),
        began: channel.began,
        polls: Vec::new(),
        last_failure: None,
    }
}
