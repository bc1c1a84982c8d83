//! Known states: the last known state of every user in every channel, in a sled folder.
//!
//! They are a projection of the history: with them is kept up to which event of which history they go. Where that does
//! not fit, or where an entry was lost or changed, they are made anew from the history. So losing the folder, or a part of
//! it, loses nothing. A state goes some time after the
//! history has forgotten the visit that it was seen in, whether the visit expired or the whole channel did.
//!
//! Methods block: callers run them where blocking is allowed.

mod catch_up;
mod folder;
mod forget;
mod open;
mod record;
mod sum;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;
use thiserror::Error;
use tracing::warn;

use self::folder::Folder;

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
    /// `None` while it is opened again.
    folder: RwLock<Option<Folder>>,
    /// Whether the entries are all there: looked through since the folder was opened, and not being made anew.
    whole: AtomicBool,
    /// Why the entries must be made anew, until that is told.
    discarded: std::sync::Mutex<Option<String>>,
    /// Held while events are taken over, so that this happens once at a time.
    catching_up: std::sync::Mutex<()>,
}

impl States {
    /// Takes over the events that the history has and the states have not. Gives how many there were. States of another
    /// history, states ahead of it, and damaged ones are made anew; a folder in which sled has failed is opened again.
    /// Then looks at some of the entries and deletes those that the history has forgotten; the next call goes on from
    /// there, until all were looked at.
    ///
    /// # Errors
    /// See [`StatesError`]. What was taken over until then stays.
    pub fn catch_up(&self, history: &dyn History) -> Result<usize> {
        self.catch_up_by(history, PAGE)
    }

    fn catch_up_by(&self, history: &dyn History, page: usize) -> Result<usize> {
        let _alone = self.catching_up.lock().unwrap_or_else(PoisonError::into_inner);
        let caught_up = match self.catch_up_once(history, page) {
            Err(StatesError::Damaged { reason, .. }) => {
                self.discard(reason);
                self.catch_up_once(history, page)
            }
            done => done,
        }?;
        self.whole.store(true, Ordering::Release);
        Ok(caught_up)
    }

    fn catch_up_once(&self, history: &dyn History, page: usize) -> Result<usize> {
        self.open_again_if_needed()?;
        self.guarded(|folder| catch_up::catch_up(self, folder, history, page))
    }

    /// The entries are made anew by the next catching up, and until then there are none.
    fn discard(&self, reason: String) {
        self.whole.store(false, Ordering::Release);
        self.discarded.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
    }

    /// Whether nothing but catching up wrote to the folder since it was looked through.
    fn is_whole(&self) -> bool {
        self.whole.load(Ordering::Acquire)
    }

    /// Whether the entries are known to be damaged.
    fn is_discarded(&self) -> bool {
        self.discarded.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Says, once, that the entries are made anew, and why.
    fn tell_that_they_are_made_anew(&self, why: &str) {
        self.whole.store(false, Ordering::Release);
        let discarded = self.discarded.lock().unwrap_or_else(PoisonError::into_inner).take();
        let why = discarded.as_deref().unwrap_or(why);
        warn!(path = %self.path.display(), why, "the known states are made anew from the history");
    }

    fn guarded<T>(&self, work: impl FnOnce(&Folder) -> Result<T>) -> Result<T> {
        let folder = self.folder.read();
        let folder = folder.as_ref().ok_or_else(|| self.unavailable("the folder is being opened again"))?;
        folder.guarded(work)
    }

    fn unavailable(&self, reason: &str) -> StatesError {
        StatesError::Unavailable { path: self.path.clone(), reason: reason.to_owned() }
    }

    /// The known states of a user, in order of channel name, at most so many, after the given channel.
    ///
    /// # Errors
    /// See [`StatesError`]. After [`StatesError::Damaged`] the next [`States::catch_up`] makes them anew. Before the first
    /// one, and while they are made anew, they are [`StatesError::Unavailable`]: some would be missing.
    pub fn states_of(
        &self,
        user: &UserId,
        after: Option<&ChannelName>,
        limit: usize,
    ) -> Result<Vec<KnownState>> {
        if !self.is_whole() {
            return Err(self.unavailable("they are being read from the history"));
        }
        let read = self.guarded(|folder| read_states(folder, user, after, limit));
        if let Err(StatesError::Damaged { reason, .. }) = &read {
            self.discard(reason.clone());
        }
        read
    }

    /// Waits until everything taken over so far is on disk.
    ///
    /// # Errors
    /// See [`StatesError`].
    pub fn flush(&self) -> Result<()> {
        self.guarded(|folder| folder.db.flush().map(|_| ()).map_err(|error| folder.failed(error)))
    }
}

fn read_states(
    folder: &Folder,
    user: &UserId,
    after: Option<&ChannelName>,
    limit: usize,
) -> Result<Vec<KnownState>> {
    let prefix = record::user_prefix(user);
    let entries = match after {
        Some(channel) => folder.db.range(record::key_after(user, channel)..),
        None => folder.db.range(prefix.clone()..),
    };
    let mut states = Vec::new();
    for entry in entries {
        if states.len() == limit {
            break;
        }
        let (key, value) = entry.map_err(|error| folder.failed(error))?;
        let Some(channel) = key.strip_prefix(prefix.as_slice()) else { break };
        states.push(record::known(channel, &value).map_err(|reason| folder.damaged(reason))?);
    }
    Ok(states)
}
