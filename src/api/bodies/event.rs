//! Events.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::span::{Instant, WindowBody};
use crate::domain::event::{EventKind, Recorded};
use crate::domain::state::{Shown, State};

/// What changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The user came: an earlier complete observation did not list them.
    Join,
    /// The user left: a complete observation does not list them.
    Leave,
    /// The user's state changed from one known state to another.
    State,
    /// The user is there, and nothing proves that they were not before.
    Present,
}

/// One change.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventBody {
    /// Strictly increasing, never used again.
    pub id: i64,
    /// Where.
    pub channel: String,
    /// Whom it is about.
    pub user: String,
    /// What changed.
    pub kind: Kind,
    /// The change did not happen before this; null where nothing proves an earlier absence.
    #[schema(required = true)]
    pub not_before: Option<Instant>,
    /// The change did not happen after this.
    pub not_after: Instant,
    /// How many were in the channel when the change was seen.
    pub occupancy: u32,
    /// The user's state afterwards, at a leave the last one known; null if unknown or none.
    #[schema(required = true)]
    pub state: Option<Value>,
}

impl EventBody {
    /// `None` for what is in no answer ([`EventKind::Settled`]).
    pub(crate) fn of(event: &Recorded) -> Option<Self> {
        let WindowBody { not_before, not_after } = event.window.into();
        Some(Self {
            id: event.id,
            channel: event.channel.as_str().to_owned(),
            user: event.user.as_str().to_owned(),
            kind: match event.kind {
                EventKind::Join => Kind::Join,
                EventKind::Leave => Kind::Leave,
                EventKind::State => Kind::State,
                EventKind::Present => Kind::Present,
                EventKind::Settled => return None,
            },
            not_before,
            not_after,
            occupancy: event.occupancy,
            state: state(&event.state),
        })
    }
}

/// A state as it is answered: null if unknown or none.
pub(crate) fn state(shown: &Shown) -> Option<Value> {
    shown.state().map(State::to_value)
}
