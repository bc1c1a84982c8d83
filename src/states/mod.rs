//! Known states: the last known state of every user in every channel, in a sled folder.
//!
//! They are a projection of the history: with them is kept up to which event of which history they go. Where that does
//! not fit they are made anew from the history. So losing the folder loses nothing. A state goes some time after the
//! history has forgotten the visit that it was seen in, whether the visit expired or the whole channel did.
//!
//! Methods block: callers run them where blocking is allowed.

mod catch_up;
mod forget;
mod open;
mod record;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use thiserror::Error;

use crate::domain::names::{ChannelName, UserId};
use crate::domain::state::Shown;
use crate::domain::time::Time;
use crate::history::{History, HistoryError};

/// How many events are taken over at once, and how many entries one call looks at for what the history has forgotten.
const PAGE: usize = 1000;

/// Why the known states cannot be read or kept.
#[derive(Debug, Error)]
pub enum StatesError {
    /// Another process has the folder open.
    #[error("the states in {} are in use by another adsum", path.display())]
    InUse {
        /// Which folder.
        path: PathBuf,
    },
    /// The folder cannot be made, read or written: no permission, a full disk, a file of that name.
    #[error("the states in {} cannot be opened: {reason}", path.display())]
    Unavailable {
        /// Which folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// What is in the folder is not what was written there. [`States::open_or_rebuild`] replaces it.
    #[error("the states in {} are damaged: {reason}", path.display())]
    Damaged {
        /// Which folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The history cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
}

impl StatesError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::InUse { .. } | Self::Unavailable { .. } => true,
            Self::Damaged { .. } => false,
            Self::History(error) => error.is_retryable(),
        }
    }
}

/// What the known states give back.
pub type Result<T> = std::result::Result<T, StatesError>;

/// The last known state of a user in a channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownState {
    /// Where.
    pub channel: ChannelName,
    /// The state; never [`Shown::Unknown`].
    pub state: Shown,
    /// When the answer that first showed it had arrived.
    pub observed_at: Time,
    /// Whether the user is there, as far as the events tell that were taken over.
    pub present: bool,
}

/// The known states.
pub struct States {
    path: PathBuf,
    db: sled::Db,
    /// Held while events are taken over, so that this happens once at a time.
    catching_up: Mutex<()>,
}

impl States {
    /// Takes over the events that the history has and the states have not. Gives how many there were. States of another
    /// history, states ahead of it, and damaged ones are made anew. Then looks at some of the entries and deletes those
    /// that the history has forgotten; the next call goes on from there, until all were looked at.
    ///
    /// # Errors
    /// See [`StatesError`]. What was taken over until then stays.
    pub fn catch_up(&self, history: &dyn History) -> Result<usize> {
        self.catch_up_by(history, PAGE)
    }

    fn catch_up_by(&self, history: &dyn History, page: usize) -> Result<usize> {
        let _alone = self.catching_up.lock().unwrap_or_else(PoisonError::into_inner);
        match catch_up::catch_up(self, history, page) {
            Err(StatesError::Damaged { .. }) => {
                self.clear()?;
                catch_up::catch_up(self, history, page)
            }
            done => done,
        }
    }

    /// The known states of a user, in order of channel name, at most so many, after the given channel.
    ///
    /// # Errors
    /// See [`StatesError`]. After [`StatesError::Damaged`] the next [`States::catch_up`] makes them anew.
    pub fn states_of(
        &self,
        user: &UserId,
        after: Option<&ChannelName>,
        limit: usize,
    ) -> Result<Vec<KnownState>> {
        let read = self.read_states(user, after, limit);
        if let Err(StatesError::Damaged { .. }) = read {
            self.forget_checkpoint()?;
        }
        read
    }

    fn read_states(
        &self,
        user: &UserId,
        after: Option<&ChannelName>,
        limit: usize,
    ) -> Result<Vec<KnownState>> {
        let prefix = record::user_prefix(user);
        let entries = match after {
            Some(channel) => self.db.range(record::key_after(user, channel)..),
            None => self.db.range(prefix.clone()..),
        };
        let mut states = Vec::new();
        for entry in entries {
            if states.len() == limit {
                break;
            }
            let (key, value) = entry.map_err(|error| self.failed(error))?;
            let Some(channel) = key.strip_prefix(prefix.as_slice()) else { break };
            states.push(record::known(channel, &value).map_err(|reason| self.damaged(reason))?);
        }
        Ok(states)
    }

    /// Waits until everything taken over so far is on disk.
    ///
    /// # Errors
    /// See [`StatesError`].
    pub fn flush(&self) -> Result<()> {
        self.db.flush().map(|_| ()).map_err(|error| self.failed(error))
    }

    /// Forgets everything. The checkpoint goes first: states without one are made anew, whatever is left of them.
    fn clear(&self) -> Result<()> {
        self.forget_checkpoint()?;
        self.db.clear().map_err(|error| self.failed(error))
    }

    fn forget_checkpoint(&self) -> Result<()> {
        self.db.remove(record::CHECKPOINT_KEY).map(|_| ()).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: sled::Error) -> StatesError {
        open::failed(&self.path, error)
    }

    fn damaged(&self, reason: String) -> StatesError {
        StatesError::Damaged { path: self.path.clone(), reason }
    }
}
