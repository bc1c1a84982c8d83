//! Whether the open files are still those that the path names. `SQLite` goes on writing into files that were deleted,
//! moved or replaced; what is committed there would be gone with the process.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::history::{HistoryError, Result};

/// The history's file and its write-ahead log, as they were when they were opened.
pub(super) struct Place {
    files: [(PathBuf, FileId); 2],
}

/// The device and the number of a file: no other file has both while this one is open.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FileId(u64, u64);

impl Place {
    /// Of files that are open: both exist once the history was read.
    pub(super) fn of(path: &Path) -> Result<Self> {
        let mut log = OsString::from(path);
        log.push("-wal");
        let found = |path: PathBuf| Ok((path.clone(), file_id(&path)?));
        let files = (found(path.to_owned()), found(log.into()));
        let unavailable = |error: io::Error| HistoryError::Unavailable(error.to_string());
        Ok(Self { files: [files.0.map_err(unavailable)?, files.1.map_err(unavailable)?] })
    }

    /// Looks again.
    ///
    /// # Errors
    /// [`HistoryError::Unavailable`] if they are gone, or others are there. They may come back.
    pub(super) fn is_unchanged(&self) -> Result<()> {
        if self.files.iter().all(|(path, id)| file_id(path).is_ok_and(|now| now == *id)) {
            return Ok(());
        }
        let text = "the file, or its -wal beside it, was deleted, moved or replaced: put both back where they were, or \
                    start adsum again to go on with what is there";
        Err(HistoryError::Unavailable(text.to_owned()))
    }
}

fn file_id(path: &Path) -> io::Result<FileId> {
    let found = fs::metadata(path)?;
    Ok(FileId(found.dev(), found.ino()))
}
