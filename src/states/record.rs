//! What is in the folder: a checkpoint, how far forgetting has come, and for each user and channel an entry. Values are
//! JSON.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::KnownState;
use super::sum::{self, Sum};
use crate::domain::event::{EventId, Recorded};
use crate::domain::names::{ChannelName, MAX_NAME_BYTES, UserId};
use crate::domain::state::{Shown, State};
use crate::domain::time::Time;

/// Where the checkpoint is.
pub(super) const CHECKPOINT_KEY: &[u8] = b"checkpoint";

/// Where it is kept how far forgetting has come.
pub(super) const FORGOTTEN_KEY: &[u8] = b"forgotten";

/// What entries' keys begin with; the others do not.
const ENTRY: u8 = b'u';

// A user's length is kept in two bytes.
const _: () = assert!(MAX_NAME_BYTES <= u16::MAX as usize);

/// Up to which event of which history the entries go.
#[derive(PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    pub(super) history: String,
    pub(super) event: EventId,
    /// Which event that was ([`print_of`]); 0 if none. A history that was put back from a copy gives its id once more.
    pub(super) print: u64,
    /// Of the entries.
    pub(super) sum: Sum,
}

/// A number that hardly any other event has.
pub(super) fn print_of(event: &Recorded) -> u64 {
    sum::print(&[
        event.channel.as_str().as_bytes(),
        event.user.as_str().as_bytes(),
        &event.seq.to_be_bytes(),
        &event.window.not_after.as_micros().to_be_bytes(),
    ])
}

/// How far the entries were looked through for what the history has forgotten.
#[derive(PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Forgotten {
    /// For what the history forgot before this, in microseconds.
    pub(super) before: i64,
    /// The key to go on from; `None`: all were looked at.
    pub(super) next: Option<Vec<u8>>,
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
    /// `None` while the state is unknown.
    pub(super) fn new(state: &Shown, observed_at: Time, present: bool) -> Option<Self> {
        let state = match state {
            Shown::Unknown => return None,
            Shown::Empty => String::new(),
            Shown::Value(state) => state.as_str().to_owned(),
        };
        Some(Self { state, observed_at: observed_at.as_micros(), present })
    }

    /// When the answer that first showed the state had arrived.
    pub(super) fn observed_at(&self) -> Time {
        Time::from_micros(self.observed_at)
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

/// All entries' keys lie in this.
pub(super) fn all_entries() -> Range<Vec<u8>> {
    vec![ENTRY]..vec![ENTRY + 1]
}

/// Whose entry this key is, and in which channel.
pub(super) fn names(key: &[u8]) -> Result<(UserId, ChannelName), String> {
    let split = key.get(1..).and_then(<[u8]>::split_first_chunk);
    let split = split.and_then(|(length, names)| names.split_at_checked(u16::from_be_bytes(*length).into()));
    let (user, channel) = split.ok_or("a key is too short")?;
    let user = std::str::from_utf8(user).map_err(|error| format!("a user's id is no text: {error}"))?;
    let user = UserId::new(user).map_err(|error| format!("user {user:?} {error}"))?;
    Ok((user, channel_name(channel)?))
}

fn channel_name(bytes: &[u8]) -> Result<ChannelName, String> {
    let name = std::str::from_utf8(bytes).map_err(|error| format!("a channel's name is no text: {error}"))?;
    ChannelName::new(name).map_err(|error| format!("channel {name:?} {error}"))
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
    let channel = channel_name(channel)?;
    let state = if entry.state.is_empty() {
        Shown::Empty
    } else {
        State::from_stored(&entry.state)
            .map(Shown::Value)
            .map_err(|error| format!("a state is no JSON: {error}"))?
    };
    Ok(KnownState { channel, state, observed_at: entry.observed_at(), present: entry.present })
}
