//! What happens to presence.

use super::super::clock::Moment;
use super::super::name::Name;
use super::super::state::State;

/// One change of presence.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// The channel.
    pub(crate) channel: Name,
    /// The user it is about.
    pub(crate) user: Name,
    /// What happened.
    pub(crate) kind: ChangeKind,
    /// How many users are in the channel after it.
    pub(crate) occupancy: usize,
    /// When it happened.
    pub(crate) at: Moment,
}

/// What happened to a user in a channel.
#[derive(Debug, Clone)]
pub(crate) enum ChangeKind {
    /// The user came.
    Join,
    /// The user said goodbye.
    Leave,
    /// The user was not heard of for its presence timeout.
    Timeout,
    /// The user's state was set.
    StateChange(State),
}
