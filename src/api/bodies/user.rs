//! Users: where they are, where they were, their states.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::event::state;
use super::presence::Certainty;
use super::span::{Instant, LengthBody, WindowBody};
use crate::actors::handle::{ChannelAt, Staying, UserNow};
use crate::domain::names::UserId;
use crate::states::KnownState;

/// A visit that lasts.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Here)]
pub struct HereBody {
    /// Where.
    pub channel: String,
    /// As of when: the channel's last good observation.
    pub at: Instant,
    /// `yes`, or `unknown` if that observation did not list everybody and not the user.
    pub present: Certainty,
    /// When it began.
    pub since: WindowBody,
    /// The state that has settled; null if unknown or none.
    #[schema(required = true)]
    pub state: Option<Value>,
    /// When the user came to have it; null while it is unknown.
    #[schema(required = true)]
    pub state_since: Option<WindowBody>,
}

impl From<Staying> for HereBody {
    fn from(Staying { visit, at, answer }: Staying) -> Self {
        Self {
            channel: visit.channel.as_str().to_owned(),
            at: at.into(),
            present: answer.present.into(),
            since: visit.joined.into(),
            state: state(&visit.state),
            state_since: visit.state_since.map(Into::into),
        }
    }
}

/// A user in short.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserBody {
    /// Who.
    pub user: String,
    /// Where the user is now, in order of channel name.
    pub here: Vec<HereBody>,
    /// Up to when the user was proven to be anywhere.
    #[schema(required = true)]
    pub last_seen_at: Option<Instant>,
    /// How many visits the record holds.
    pub visits: u64,
    /// How long they were together.
    pub total_s: LengthBody,
}

impl From<UserNow> for UserBody {
    fn from(user: UserNow) -> Self {
        Self {
            user: user.user.as_str().to_owned(),
            here: user.here.into_iter().map(Into::into).collect(),
            last_seen_at: user.last_seen.map(Into::into),
            visits: user.visits,
            total_s: user.total.into(),
        }
    }
}

/// A channel in which a user was, or may have been.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ChannelAt)]
pub struct ChannelAtBody {
    /// Which.
    pub channel: String,
    /// The moment: as asked, or that of the channel's last good observation.
    pub at: Instant,
    /// `yes` or `unknown`.
    pub present: Certainty,
    /// When the visit began.
    pub since: WindowBody,
    /// Why it is unknown; null with yes.
    #[schema(required = true)]
    pub because: Option<String>,
}

impl From<ChannelAt> for ChannelAtBody {
    fn from(channel: ChannelAt) -> Self {
        Self {
            channel: channel.channel.as_str().to_owned(),
            at: channel.at.into(),
            present: channel.present.into(),
            since: channel.since.into(),
            because: channel.because,
        }
    }
}

/// Where a user was at a moment.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = UserChannels)]
pub struct UserChannelsBody {
    /// Who.
    pub user: String,
    /// The moment: as asked, or now.
    pub at: Instant,
    /// In order of channel name. Channels of which the record knows no visit then are left out: it may be that they were not
    /// observed, or that the record of that time is no longer kept.
    pub items: Vec<ChannelAtBody>,
    /// Pass it as `after` to go on; null at the end.
    #[schema(required = true)]
    pub next: Option<String>,
}

/// The last known state of a user in a channel.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = KnownState)]
pub struct KnownStateBody {
    /// The state; null if the user had none.
    #[schema(required = true)]
    pub state: Option<Value>,
    /// When it was seen.
    pub observed_at: Instant,
    /// Whether the user is there: the channel is observed now, and its last observation lists the user. `false` says no more
    /// than that this is not so; ask `/v1/presence` for what is known.
    pub present: bool,
}

/// The known states of a user.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = UserState)]
pub struct UserStateBody {
    /// Who.
    pub user: String,
    /// By channel name.
    pub channels: BTreeMap<String, KnownStateBody>,
}

impl UserStateBody {
    pub(crate) fn of(user: &UserId, states: Vec<KnownState>) -> Self {
        let body = |known: KnownState| KnownStateBody {
            state: state(&known.state),
            observed_at: known.observed_at.into(),
            present: known.present,
        };
        Self {
            user: user.as_str().to_owned(),
            channels: states
                .into_iter()
                .map(|known| (known.channel.as_str().to_owned(), body(known)))
                .collect(),
        }
    }
}
