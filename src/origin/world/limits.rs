//! What a world may hold at most.

/// What one world may hold. The defaults are generous for one machine; nothing grows beyond them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Entries: users in channels, counted once for every channel.
    pub(crate) occupants: usize,
    /// Bytes of state that occupants may hold together.
    pub(crate) state_bytes: usize,
    /// States kept for users who are not in the channel; the oldest give way.
    pub(crate) unseated_states: usize,
    /// Channel groups of a key.
    pub(crate) groups: usize,
    /// Channels in a group (PROTOCOL.md 1.6: 2,000).
    pub(crate) group_channels: usize,
    /// Channels one request may name, the groups' channels included.
    pub(crate) request_channels: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            occupants: 1_000_000,
            state_bytes: 256 << 20,
            unseated_states: 10_000,
            groups: 10_000,
            group_channels: 2_000,
            request_channels: 20_000,
        }
    }
}

/// A request that would take the world over one of its [`Limits`]. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    /// Over [`Limits::occupants`].
    #[error("too many users are present")]
    Occupants,
    /// Over [`Limits::state_bytes`].
    #[error("too much state is kept")]
    State,
    /// Over [`Limits::request_channels`].
    #[error("too many channels in one request")]
    Channels,
}
