//! Occupancy over a span.

use std::time::Duration;

use super::facts::gaps_of;
use super::{Adsum, AskError, OccupancySeries};
use crate::domain::names::ChannelName;
use crate::domain::occupancy::buckets;
use crate::domain::time::Time;

impl Adsum {
    /// The occupancy of a channel over `[from, to)` in buckets of `step`.
    ///
    /// # Errors
    /// [`AskError::UnknownChannel`], [`AskError::History`].
    pub async fn occupancy(
        &self,
        channel: &ChannelName,
        from: Time,
        to: Time,
        step: Duration,
    ) -> Result<OccupancySeries, AskError> {
        let published = self.published(channel);
        let channel = channel.clone();
        self.ask(move |history| {
            let facts = super::events::known(history, Some(&channel), published)?;
            let facts = facts.ok_or_else(|| AskError::UnknownChannel(channel.clone()))?;
            let gaps = gaps_of(history, &channel, from, to)?;
            let runs = gaps.kept(facts.runs(history, from, to)?);
            let settled = facts.settled_until().unwrap_or(from);
            let buckets = buckets(&runs, &gaps.list, settled, from, to, step);
            Ok(OccupancySeries { buckets, coverage: facts.coverage(&gaps, from, to) })
        })
        .await
    }
}
