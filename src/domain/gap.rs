//! Spans in which a channel was not observed, and why.

use std::time::Duration;

use serde::Serialize;

use super::observation::Grade;
use super::time::Time;

/// Why a channel was not observed (SPEC section 2, Gaps).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
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
    /// Our own rate limit left no room.
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
    /// Partial: the lists were cut.
    Truncated,
    /// Partial: user ids were not asked for.
    CountOnly,
}

impl GapReason {
    /// Every reason, for reading one back.
    pub const ALL: [Self; 15] = [
        Self::Unreachable,
        Self::Timeout,
        Self::Throttled,
        Self::ServerError,
        Self::Forbidden,
        Self::Refused,
        Self::BadAnswer,
        Self::Overrun,
        Self::HistoryUnavailable,
        Self::Clock,
        Self::Stopped,
        Self::Crashed,
        Self::Unwatched,
        Self::Truncated,
        Self::CountOnly,
    ];

    /// As written in answers, metrics and the history.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Throttled => "throttled",
            Self::ServerError => "server_error",
            Self::Forbidden => "forbidden",
            Self::Refused => "refused",
            Self::BadAnswer => "bad_answer",
            Self::Overrun => "overrun",
            Self::HistoryUnavailable => "history_unavailable",
            Self::Clock => "clock",
            Self::Stopped => "stopped",
            Self::Crashed => "crashed",
            Self::Unwatched => "unwatched",
            Self::Truncated => "truncated",
            Self::CountOnly => "count_only",
        }
    }

    /// The reason of a partial gap that observations of this grade leave; `None` for complete ones.
    pub fn of_partial(grade: Grade) -> Option<Self> {
        match grade {
            Grade::Complete => None,
            Grade::Truncated => Some(Self::Truncated),
            Grade::Count => Some(Self::CountOnly),
        }
    }
}

/// A span in which a channel was not observed; with `users_only` its occupancy was, its users were not.
/// In a channel no two gaps have the same `from` and `users_only`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// Since when nothing is proven.
    pub from: Time,
    /// Until when; `None` while it lasts.
    pub to: Option<Time>,
    /// Why.
    pub reason: GapReason,
    /// Whether occupancy was observed all the same (a partial gap).
    pub users_only: bool,
}

impl Gap {
    /// A gap that lasts.
    pub fn open(from: Time, reason: GapReason) -> Self {
        Self { from, to: None, reason, users_only: false }
    }

    /// A partial gap that lasts.
    pub fn open_partial(from: Time, reason: GapReason) -> Self {
        Self { from, to: None, reason, users_only: true }
    }

    /// The same, ended.
    pub fn closed(self, to: Time) -> Self {
        Self { to: Some(to.max(self.from)), ..self }
    }

    /// The same, ended, and another that begins there. No observation stands between the two, so they share an instant:
    /// of that nothing is known either.
    pub fn followed_by(self, at: Time, reason: GapReason) -> [Self; 2] {
        [self.closed(at.plus(Duration::from_micros(1))), Self::open(at, reason)]
    }

    /// Whether nothing is known of `time`. An observation stands at each end, so the ends are known.
    pub fn covers(&self, time: Time) -> bool {
        self.from < time && self.to.is_none_or(|to| time < to)
    }
}
