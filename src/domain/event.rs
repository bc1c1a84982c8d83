//! One change in a channel, as the record keeps it.

use serde::Serialize;

use super::names::{ChannelName, UserId};
use super::state::Shown;
use super::time::Window;

/// A channel's own number of an event: 1, 2, 3 … without holes.
pub type Seq = u64;

/// The history's number of an event over all channels: strictly increasing, never used again.
pub type EventId = i64;

/// What changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The user came: an earlier complete observation did not list them.
    Join,
    /// The user left: a complete observation does not list them.
    Leave,
    /// The user's state changed from one known state to another.
    State,
    /// The user is there, and nothing proves that they were not before.
    Present,
    /// The user's state became known for the first time in this visit. Nothing changed, so this is kept for the
    /// states alone and is in no answer.
    Settled,
}

impl EventKind {
    /// The kinds that answers carry.
    pub const PUBLIC: [Self; 4] = [Self::Join, Self::Leave, Self::State, Self::Present];

    /// As written in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Leave => "leave",
            Self::State => "state",
            Self::Present => "present",
            Self::Settled => "settled",
        }
    }
}

/// One change, not yet committed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Its number in its channel.
    pub seq: Seq,
    /// Whom it is about.
    pub user: UserId,
    /// What changed.
    pub kind: EventKind,
    /// When.
    pub window: Window,
    /// How many were in the channel when the change was seen.
    pub occupancy: u32,
    /// The user's state afterwards; at a leave, the last one known.
    pub state: Shown,
}

/// One committed change. JSON: `{id, channel, user, kind, not_before, not_after, occupancy, state}`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Recorded {
    /// The history's number.
    pub id: EventId,
    /// Where.
    pub channel: ChannelName,
    /// The channel's own number. Not in answers.
    #[serde(skip)]
    pub seq: Seq,
    /// Whom it is about.
    pub user: UserId,
    /// What changed.
    pub kind: EventKind,
    /// When.
    #[serde(flatten)]
    pub window: Window,
    /// How many were in the channel when the change was seen.
    pub occupancy: u32,
    /// The user's state afterwards; at a leave, the last one known.
    pub state: Shown,
}
