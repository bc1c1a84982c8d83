//! Where files cost nothing to sync: time is virtual here, and waiting for a disk is not what is tested.

use std::path::Path;

use tempfile::TempDir;

/// A folder in memory, if the system has a place for that.
pub(crate) fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.unwrap()
}
