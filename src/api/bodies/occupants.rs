//! Who was in a channel at a moment.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::event::state;
use super::occupancy::BoundsBody;
use super::presence::Certainty;
use super::span::{Instant, WindowBody, seconds};
use crate::actors::handle::{OccupantAt, Occupants};
use crate::api::cursor::{Cursor, OccupantCursor};
use crate::domain::names::ChannelName;
use crate::domain::time::Time;

/// Somebody who was, or may have been, there.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Occupant)]
pub struct OccupantBody {
    /// Who.
    pub user: String,
    /// `yes` or `unknown`.
    pub present: Certainty,
    /// When the visit began.
    pub since: WindowBody,
    /// The state that had settled by then; null if unknown or none.
    #[schema(required = true)]
    pub state: Option<Value>,
    /// When the user came to have it; null while it is unknown.
    #[schema(required = true)]
    pub state_since: Option<WindowBody>,
}

impl From<OccupantAt> for OccupantBody {
    fn from(occupant: OccupantAt) -> Self {
        Self {
            user: occupant.user.as_str().to_owned(),
            present: occupant.present.into(),
            since: occupant.since.into(),
            state: state(&occupant.state),
            state_since: occupant.state_since.map(Into::into),
        }
    }
}

/// Who was in a channel at a moment.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Occupants)]
pub struct OccupantsBody {
    /// Which channel.
    pub channel: String,
    /// The moment: as asked, or that of the last good observation.
    pub at: Instant,
    /// How old that is, in seconds.
    #[schema(minimum = 0)]
    pub age_s: f64,
    /// How many there were; null where nothing was observed.
    #[schema(required = true)]
    pub occupancy: Option<BoundsBody>,
    /// Whether the channel's users were observed at that moment: whoever is not listed was not there. Otherwise nothing is
    /// known of whoever is not listed.
    pub observed: bool,
    /// In order of user id.
    pub items: Vec<OccupantBody>,
    /// Pass it as `after` to go on; null at the end.
    #[schema(required = true)]
    pub next: Option<String>,
}

impl OccupantsBody {
    /// `asked` is the moment that was asked about, if one was.
    pub(crate) fn of(channel: &ChannelName, asked: Option<Time>, occupants: Occupants) -> Self {
        Self {
            channel: channel.as_str().to_owned(),
            at: occupants.at.into(),
            age_s: seconds(occupants.age),
            occupancy: occupants.occupancy.map(Into::into),
            observed: occupants.observed,
            items: occupants.items.into_iter().map(Into::into).collect(),
            next: occupants.next.map(|user| OccupantCursor { at: asked, user }.encode()),
        }
    }
}
