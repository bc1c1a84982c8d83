//! What is in the folder: a checkpoint, and for each user and channel an entry. Values are JSON.

use serde::{Deserialize, Serialize};

use super::KnownState;
use crate::domain::event::EventId;
use crate::domain::names::{ChannelName, MAX_NAME_BYTES, UserId};
use crate::domain::state::{Shown, State};
use crate::domain::time::Time;

/// Where the checkpoint is.
pub(super) const CHECKPOINT_KEY: &[u8] = b"checkpoint";

/// What entries' keys begin with; the checkpoint's does not.
const ENTRY: u8 = b'u';

// A user's length is kept in two bytes.
const _: () = assert!(MAX_NAME_BYTES <= u16::MAX as usize);

/// Up to which event of which history the entries go.
#[derive(PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    pub(super) history: String,
    pub(super) event: EventId,
}

/// What is known of one user in one channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The state's JSON text; empty: the user had none.
    state: String,
    /// When the answer that first showed it had arrived, in microseconds.
    observed_at: i64,
    /// Whether the user is there.
    pub(super) present: bool,
}

impl Entry {
    /// Of somebody who is there; `None` while the state is unknown.
    pub(super) fn new(state: &Shown, observed_at: Time) -> Option<Self> {
        let state = match state {
            Shown::Unknown => return None,
            Shown::Empty => String::new(),
            Shown::Value(state) => state.as_str().to_owned(),
        };
        Some(Self { state, observed_at: observed_at.as_micros(), present: true })
    }
}

/// The beginning of all keys of a user. Its length comes first, so no user's keys begin with another's.
pub(super) fn user_prefix(user: &UserId) -> Vec<u8> {
    let name = user.as_str().as_bytes();
    let length = u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[ENTRY], length.as_slice(), name].concat()
}

/// The key of a user in a channel.
pub(super) fn key(user: &UserId, channel: &ChannelName) -> Vec<u8> {
    [user_prefix(user).as_slice(), channel.as_str().as_bytes()].concat()
}

/// The lowest key greater than that of the user in this channel.
pub(super) fn key_after(user: &UserId, channel: &ChannelName) -> Vec<u8> {
    let mut key = key(user, channel);
    key.push(0);
    key
}

/// As kept.
pub(super) fn write<T: Serialize>(value: &T) -> Result<Vec<u8>, String> {
    serde_json::to_vec(value).map_err(|error| error.to_string())
}

/// As kept by [`write`].
pub(super) fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("an entry cannot be read: {error}"))
}

/// The state that an entry keeps; `channel` is the rest of its key.
pub(super) fn known(channel: &[u8], value: &[u8]) -> Result<KnownState, String> {
    let entry: Entry = read(value)?;
    let name =
        std::str::from_utf8(channel).map_err(|error| format!("a channel's name is no text: {error}"))?;
    let channel = ChannelName::new(name).map_err(|error| format!("channel {name:?} {error}"))?;
    let state = if entry.state.is_empty() {
        Shown::Empty
    } else {
        State::from_stored(&entry.state)
            .map(Shown::Value)
            .map_err(|error| format!("a state is no JSON: {error}"))?
    };
    Ok(KnownState {
        channel,
        state,
        observed_at: Time::from_micros(entry.observed_at),
        present: entry.present,
    })
}
