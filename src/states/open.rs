//! Opening the folder, and making it anew where it is beyond use.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::RwLock;

use super::folder::Folder;
use super::{Result, States, StatesError};

/// How much of the folder sled keeps in memory, in bytes.
const CACHE: u64 = 64 << 20;

/// What sled puts into its folder; names that begin so.
const SLED_FILES: [&str; 4] = ["db", "conf", "blobs", "snap."];

/// A folder that was just closed is let go by a thread of sled's own, some time later: so often, after so long, it is
/// tried again.
const LET_GO: (u32, Duration) = (20, Duration::from_millis(50));

impl States {
    /// Opens the folder, and makes it if it is missing.
    ///
    /// # Errors
    /// See [`StatesError`].
    pub fn open(path: &Path) -> Result<Self> {
        let folder = open(path)?;
        Ok(Self {
            path: path.to_owned(),
            folder: RwLock::new(Some(folder)),
            whole: AtomicBool::new(false),
            discarded: Mutex::default(),
            catching_up: Mutex::default(),
        })
    }

    /// Opens the folder; if it is damaged, its states are deleted and it is made anew, to be filled by
    /// [`States::catch_up`], which tells of it. Says whether it was.
    ///
    /// # Errors
    /// See [`StatesError`].
    pub fn open_or_rebuild(path: &Path) -> Result<(Self, bool)> {
        match Self::open(path) {
            Err(StatesError::Damaged { reason, .. }) => {
                delete(path).map_err(|error| unavailable(path, &error))?;
                let states = Self::open(path)?;
                states.discard(reason);
                Ok((states, true))
            }
            opened => opened.map(|states| (states, false)),
        }
    }

    /// Closes the folder in which sled has failed, and opens it again.
    pub(super) fn open_again_if_needed(&self) -> Result<()> {
        let mut slot = self.folder.write();
        if slot.as_ref().is_some_and(|folder| !folder.has_failed.load(Ordering::Relaxed)) {
            return Ok(());
        }
        self.whole.store(false, Ordering::Release);
        if let Some(folder) = slot.take() {
            // After a panic of its own, sled may wait for ever for itself.
            std::thread::spawn(move || drop(folder));
        }
        let opened = match open_when_let_go(&self.path) {
            Err(StatesError::Damaged { reason, .. }) => {
                self.discard(reason);
                delete(&self.path).map_err(|error| unavailable(&self.path, &error))?;
                open(&self.path)
            }
            opened => opened,
        };
        *slot = Some(opened?);
        Ok(())
    }
}

fn open(path: &Path) -> Result<Folder> {
    // sled asserts much of what it reads, so a damaged file may also end in a panic.
    let opened =
        catch_unwind(AssertUnwindSafe(|| sled::Config::new().path(path).cache_capacity(CACHE).open()));
    let Ok(opened) = opened else {
        let reason = "sled panicked while reading it".to_owned();
        return Err(StatesError::Damaged { path: path.to_owned(), reason });
    };
    let db = opened.map_err(|error| failed(path, error))?;
    Ok(Folder { path: path.to_owned(), db, has_failed: AtomicBool::new(false) })
}

fn open_when_let_go(path: &Path) -> Result<Folder> {
    let (tries, pause) = LET_GO;
    for _ in 1..tries {
        match open(path) {
            Err(StatesError::InUse { .. }) => std::thread::sleep(pause),
            opened => return opened,
        }
    }
    open(path)
}

/// Deletes what sled made, and nothing else that somebody may keep in this folder.
fn delete(path: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_sleds =
            SLED_FILES.iter().any(|own| *own == name || own.ends_with('.') && name.starts_with(own));
        if !is_sleds {
            continue;
        }
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// What sled's error means.
pub(super) fn failed(path: &Path, error: sled::Error) -> StatesError {
    match error {
        sled::Error::Io(error) if is_lock(&error) => StatesError::InUse { path: path.to_owned() },
        sled::Error::Io(error) if !is_damage(&error) => unavailable(path, &error),
        error => StatesError::Damaged { path: path.to_owned(), reason: error.to_string() },
    }
}

/// sled says so in words only.
fn is_lock(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock || error.to_string().contains("could not acquire lock")
}

/// A file that ends too early or says what it cannot say.
fn is_damage(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData)
}

fn unavailable(path: &Path, error: &std::io::Error) -> StatesError {
    StatesError::Unavailable { path: path.to_owned(), reason: error.to_string() }
}
