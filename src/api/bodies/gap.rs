//! Gaps.

use serde::Serialize;
use utoipa::ToSchema;

use super::span::Instant;
use super::words;
use crate::domain::gap::{Gap, GapReason};
use crate::domain::names::ChannelName;

words! {
    /// Why a channel was not observed.
    Reason from GapReason {
        /// The service could not be reached.
        Unreachable,
        /// The service did not answer in time.
        Timeout,
        /// The service said 429.
        Throttled,
        /// The service said 5xx.
        ServerError,
        /// The service said 403 for this channel.
        Forbidden,
        /// The service refused the key or the request.
        Refused,
        /// The answer contradicted itself or could not be read.
        BadAnswer,
        /// adsum's own rate limit left no room.
        Overrun,
        /// The history could not be written.
        HistoryUnavailable,
        /// The wall clock jumped.
        Clock,
        /// adsum was stopped.
        Stopped,
        /// adsum ended without stopping.
        Crashed,
        /// The channel was not watched.
        Unwatched,
        /// Partial: lists of users were cut.
        Truncated,
        /// Partial: user ids were not asked for.
        CountOnly,
    }
}

/// A span in which a channel was not observed.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = Gap)]
pub struct GapBody {
    /// Since when nothing is proven.
    pub from: Instant,
    /// Until when; null while it lasts.
    #[schema(required = true)]
    pub to: Option<Instant>,
    /// Why.
    pub reason: Reason,
    /// Whether the occupancy was observed all the same.
    pub users_only: bool,
}

impl From<Gap> for GapBody {
    fn from(gap: Gap) -> Self {
        Self {
            from: Instant(gap.from.floor_ms()),
            to: gap.to.map(|to| Instant(to.ceil_ms())),
            reason: gap.reason.into(),
            users_only: gap.users_only,
        }
    }
}

/// A gap and the channel that it is of.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ChannelGap)]
pub struct ChannelGapBody {
    /// Which channel.
    pub channel: String,
    /// The gap.
    #[serde(flatten)]
    pub gap: GapBody,
}

impl From<(ChannelName, Gap)> for ChannelGapBody {
    fn from((channel, gap): (ChannelName, Gap)) -> Self {
        Self { channel: channel.as_str().to_owned(), gap: gap.into() }
    }
}
