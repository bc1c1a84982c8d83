//! Whether a user was in a channel.

use serde::Serialize;
use utoipa::ToSchema;

use super::gap::GapBody;
use super::span::{Instant, seconds};
use super::visit::StayBody;
use super::words;
use crate::actors::handle::PresenceAnswer;
use crate::domain::answer::{Code, Ground, Present};
use crate::domain::names::{ChannelName, UserId};

words! {
    /// Whether a user was there.
    Certainty from Present {
        /// Observations on both sides list the user.
        Yes,
        /// Complete observations on both sides do not list the user.
        No,
        /// The record does not prove either.
        Unknown,
    }
}

words! {
    /// Why an answer is unknown.
    WhyUnknown from Code {
        /// The user came or left in a window that holds the moment.
        Window,
        /// The channel was not observed then.
        Gap,
        /// Its occupancy was observed then, its users were not.
        Partial,
        /// No later observation has settled the moment yet.
        Unsettled,
        /// The channel was not watched then.
        NotWatched,
        /// The record of that time is no longer kept.
        Expired,
    }
}

/// Whether a user was in a channel at a moment, as the presence service knew it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Presence)]
pub struct PresenceBody {
    /// Which channel.
    pub channel: String,
    /// Which user.
    pub user: String,
    /// The moment: as asked, or that of the last good observation.
    pub at: Instant,
    /// How old that is, in seconds.
    #[schema(minimum = 0)]
    pub age_s: f64,
    /// The answer.
    pub present: Certainty,
    /// What it rests on, or why it is unknown, in one sentence.
    pub because: String,
    /// Why it is unknown; null with yes and no.
    #[schema(required = true)]
    pub code: Option<WhyUnknown>,
    /// A stay or absence shorter than this may have gone unseen, in seconds; null if nothing was observed.
    #[schema(required = true, minimum = 0)]
    pub resolution_s: Option<f64>,
    /// The visit that it rests on; null if none.
    #[schema(required = true)]
    pub visit: Option<StayBody>,
    /// The gap that it rests on; null if none.
    #[schema(required = true)]
    pub gap: Option<GapBody>,
}

impl PresenceBody {
    pub(crate) fn of(channel: &ChannelName, user: &UserId, presence: PresenceAnswer) -> Self {
        let (visit, gap) = match presence.answer.ground {
            Ground::Visit(visit) => (Some((&*visit).into()), None),
            Ground::Gap(gap) => (None, Some(gap.into())),
            Ground::Absence => (None, None),
        };
        Self {
            channel: channel.as_str().to_owned(),
            user: user.as_str().to_owned(),
            at: presence.at.into(),
            age_s: seconds(presence.age),
            present: presence.answer.present.into(),
            because: presence.answer.because,
            code: presence.answer.code.map(Into::into),
            resolution_s: presence.resolution.map(seconds),
            visit,
            gap,
        }
    }
}
