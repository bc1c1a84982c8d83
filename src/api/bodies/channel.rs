//! Channels as they are now.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::gap::{GapBody, Reason};
use super::span::{Instant, seconds};
use super::words;
use crate::actors::handle::ChannelNow;
use crate::actors::live::Failed;
use crate::domain::channel::Status as Domain;
use crate::domain::time::Time;

words! {
    /// How a channel stands.
    Status from Domain {
        /// Watched, not yet observed.
        Starting,
        /// Observed completely.
        Ok,
        /// Observed, but its users are not.
        Partial,
        /// Not observed.
        Gap,
        /// No longer watched.
        Unwatched,
    }
}

/// A channel as it is now.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Channel)]
pub struct ChannelBody {
    /// Its name.
    pub channel: String,
    /// How many were there at the last good observation; null before the first.
    #[schema(required = true)]
    pub occupancy: Option<u32>,
    /// How it stands.
    pub status: Status,
    /// When the answer of the last good observation had arrived; null before the first.
    #[schema(required = true)]
    pub last_observed_at: Option<Instant>,
    /// How many seconds ago that was.
    #[schema(required = true, minimum = 0)]
    pub age_s: Option<f64>,
    /// How often it is asked for, in seconds; null if it is not watched any more.
    #[schema(required = true, minimum = 0)]
    pub interval_s: Option<f64>,
    /// Whether the last good observation listed every user.
    pub complete: bool,
}

impl ChannelBody {
    pub(crate) fn of(channel: &ChannelNow, now: Time) -> Self {
        Self {
            channel: channel.channel.as_str().to_owned(),
            occupancy: channel.occupancy,
            status: channel.status.into(),
            last_observed_at: channel.last_observed.map(|moment| Instant(moment.latest)),
            age_s: channel.last_observed.map(|moment| seconds(now.since(moment.latest))),
            interval_s: channel.policy.map(|policy| seconds(policy.interval)),
            complete: channel.complete,
        }
    }
}

/// A channel as it is now, in full.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ChannelDetail)]
pub struct ChannelDetailBody {
    /// The channel.
    #[serde(flatten)]
    pub channel: ChannelBody,
    /// When its watch first began.
    pub began: Instant,
    /// The gap that lasts; null if none does.
    #[schema(required = true)]
    pub gap: Option<GapBody>,
    /// Polls since adsum started, by outcome: `complete`, `truncated`, `count`, `stale` or a gap's reason. What never
    /// happened is left out.
    pub polls: BTreeMap<String, u64>,
    /// How the last poll that failed did, good ones since or not; null if none has since adsum started. Where the channel is
    /// left to the discoveries, the last of those that failed.
    #[schema(required = true)]
    pub last_failure: Option<FailureBody>,
}

/// How a poll failed.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Failure)]
pub struct FailureBody {
    /// When that was known.
    pub at: Instant,
    /// In one word, as for gaps.
    pub reason: Reason,
    /// In one sentence, cut where it is long. It may hold text of the service's.
    pub because: String,
}

impl From<&Failed> for FailureBody {
    fn from(failed: &Failed) -> Self {
        Self { at: failed.at.into(), reason: failed.reason.into(), because: failed.because.clone() }
    }
}

impl ChannelDetailBody {
    pub(crate) fn of(channel: &ChannelNow, now: Time) -> Self {
        Self {
            channel: ChannelBody::of(channel, now),
            began: channel.began.into(),
            gap: channel.gap.map(Into::into),
            polls: channel.polls.iter().map(|(outcome, count)| ((*outcome).to_owned(), *count)).collect(),
            last_failure: channel.last_failure.as_deref().map(Into::into),
        }
    }
}
