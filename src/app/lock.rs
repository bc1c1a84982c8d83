//! One adsum at a time works on a history: a lock beside the file, which dies with the process.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// Held as long as this adsum works on the history.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a history; its folder is made as needed.
    ///
    /// # Errors
    /// Another adsum holds it, or the folder cannot be written.
    pub(super) fn take(history: &Path) -> anyhow::Result<Self> {
        if let Some(folder) = history.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)
                .with_context(|| format!("the data folder {} cannot be made", folder.display()))?;
        }
        let path = lock_path(history);
        let open = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = open.with_context(|| format!("the lock {} cannot be opened", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => {
                bail!("the history {} is in use by another adsum", history.display())
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("the lock {} cannot be taken", path.display()))
            }
        }
    }
}

fn lock_path(history: &Path) -> PathBuf {
    let mut name = history.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    history.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_locked_until_its_holder_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let history = folder.path().join("deep/history.db");
        let lock = Lock::take(&history).unwrap();
        let refused = Lock::take(&history).unwrap_err().to_string();
        assert!(refused.ends_with("is in use by another adsum"), "{refused}");
        drop(lock);
        Lock::take(&history).unwrap();
    }
}
