//! Opening the folder, and making it anew where it is beyond use.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;

use super::{Result, States, StatesError};

/// How much of the folder sled keeps in memory, in bytes.
const CACHE: u64 = 64 << 20;

/// What sled puts into its folder; names that begin so.
const SLED_FILES: [&str; 4] = ["db", "conf", "blobs", "snap."];

impl States {
    /// Opens the folder, and makes it if it is missing.
    ///
    /// # Errors
    /// See [`StatesError`].
    pub fn open(path: &Path) -> Result<Self> {
        // sled asserts much of what it reads, so a damaged file may also end in a panic.
        let opened =
            catch_unwind(AssertUnwindSafe(|| sled::Config::new().path(path).cache_capacity(CACHE).open()));
        let Ok(opened) = opened else {
            let reason = "sled panicked while reading it".to_owned();
            return Err(StatesError::Damaged { path: path.to_owned(), reason });
        };
        let db = opened.map_err(|error| failed(path, error))?;
        Ok(Self { path: path.to_owned(), db, catching_up: Mutex::new(()) })
    }

    /// Opens the folder; if it is damaged, its states are deleted and it is made anew, to be filled by
    /// [`States::catch_up`]. Says whether it was.
    ///
    /// # Errors
    /// See [`StatesError`].
    pub fn open_or_rebuild(path: &Path) -> Result<(Self, bool)> {
        match Self::open(path) {
            Err(StatesError::Damaged { .. }) => {
                delete(path).map_err(|error| unavailable(path, &error))?;
                Self::open(path).map(|states| (states, true))
            }
            opened => opened.map(|states| (states, false)),
        }
    }
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
