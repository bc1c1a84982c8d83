//! The open folder: sled's database, and whether sled has failed in it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use super::record::CHECKPOINT_KEY;
use super::{Result, StatesError, open};

/// An open folder.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) db: sled::Db,
    /// Once sled has failed to write it refuses everything until it is opened again.
    pub(super) has_failed: AtomicBool,
}

impl Folder {
    /// Does work in it. sled asserts much of what it reads, so damage that is met late may end in a panic.
    pub(super) fn guarded<T>(&self, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        catch_unwind(AssertUnwindSafe(|| work(self))).unwrap_or_else(|_panic| {
            self.has_failed.store(true, Ordering::Relaxed);
            Err(self.damaged("sled panicked while reading it".to_owned()))
        })
    }

    /// Forgets everything. The checkpoint goes first: states without one are made anew, whatever is left of them.
    pub(super) fn clear(&self) -> Result<()> {
        self.forget_checkpoint()?;
        self.db.clear().map_err(|error| self.failed(error))
    }

    /// The next catching up makes everything anew.
    pub(super) fn forget_checkpoint(&self) -> Result<()> {
        self.db.remove(CHECKPOINT_KEY).map(|_| ()).map_err(|error| self.failed(error))
    }

    /// What sled's error means.
    pub(super) fn failed(&self, error: sled::Error) -> StatesError {
        self.has_failed.store(true, Ordering::Relaxed);
        open::failed(&self.path, error)
    }

    /// What was read is not what was written.
    pub(super) fn damaged(&self, reason: String) -> StatesError {
        StatesError::Damaged { path: self.path.clone(), reason }
    }
}
