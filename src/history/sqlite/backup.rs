//! A copy of the history while a daemon goes on writing it.
//!
//! The pages are copied through `SQLite`'s backup interface within one read transaction: it sees one commit's state to the
//! end however much is written meanwhile, and the writer waits for nothing. `VACUUM INTO` gives a smaller file (by a tenth),
//! but took twice as long for 2,000,000 events, and all that time the daemon's write-ahead log cannot be emptied; nor can it
//! be interrupted between two steps, or say how far it is.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, Transaction};
use serde::Serialize;
use tempfile::TempPath;
use thiserror::Error;

use super::open;
use crate::domain::time::Time;
use crate::history::{HistoryError, Result};

/// So many pages are copied between two looks at whether to go on: 4 MiB.
const PAGES: i32 = 1024;

/// So many bytes must stay free beside the copy: the daemon's record may be on the same disk, and goes on.
pub const SPARE: u64 = 64 << 20;

/// Why there is no copy. Nothing is left of one that was begun.
#[derive(Debug, Error)]
pub enum BackupError {
    /// The history cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// There is a file of that name.
    #[error("{} is there already: a backup never replaces a file", .0.display())]
    Exists(PathBuf),
    /// It does not fit.
    #[error(
        "no room for the backup in {}: it takes {needed} bytes, and {SPARE} must stay free, but only {free} are",
        folder.display()
    )]
    NoRoom {
        /// Where.
        folder: PathBuf,
        /// How many bytes the copy has.
        needed: u64,
        /// How many are free for this user.
        free: u64,
    },
    /// It cannot be written.
    #[error("the backup {} cannot be written: {reason}", path.display())]
    Target {
        /// The file that was to be.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// Whoever asked for it wanted it no more.
    #[error("the backup was interrupted; nothing is left of it")]
    Interrupted,
}

/// What is in a copy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Copied {
    /// The history's own id: the copy is the same history.
    pub history: String,
    /// The version of its schema.
    pub schema: i64,
    /// How many events are kept.
    pub events: u64,
    /// The newest event's id, 0 if there was none.
    pub last_event: i64,
    /// How many channels it is about.
    pub channels: u64,
    /// Since when something is kept: the first watch, or what is not expired. `None`: nothing is.
    pub from: Option<Time>,
    /// The last time at which something was observed.
    pub to: Option<Time>,
    /// How large the file is.
    pub bytes: u64,
}

/// How far it is, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// So many are copied.
    pub bytes: u64,
    /// Of so many.
    pub of: u64,
}

/// Copies a history to a file that is not there yet, under a temporary name beside it until it is whole and on disk.
/// A history of an older schema is copied as it is. `goes_on` hears now and then how far it is, and says whether to go on.
///
/// The copy is a closed history in one file. It has the history's own id, so known states ([`crate::states`]) that are
/// ahead of it are made anew from it.
///
/// # Errors
/// See [`BackupError`].
pub fn backup(
    history: &Path,
    target: &Path,
    goes_on: &mut dyn FnMut(Done) -> bool,
) -> std::result::Result<Copied, BackupError> {
    let unwritten =
        |reason: &dyn ToString| BackupError::Target { path: target.into(), reason: reason.to_string() };
    if target.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(target.into()));
    }
    let (mut source, _) = open::no_newer(history).map_err(|error| error.of_file(history))?;
    let read = |error: rusqlite::Error| HistoryError::from(error).of_file(history);
    let snapshot = source.transaction().map_err(read)?;
    let size = number(&snapshot, SIZE).map_err(read)?;
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_sure_of_room(folder, size).map_err(|error| error.unwrap_or_else(|error| unwritten(&error)))?;
    let partial = partial(history, folder, target).map_err(|error| unwritten(&error))?;
    let copied = match copy(&snapshot, &partial, goes_on) {
        Ok(Some(copied)) => copied,
        Ok(None) => return Err(BackupError::Interrupted),
        Err(error @ HistoryError::Damaged(_)) => return Err(error.of_file(history).into()),
        Err(HistoryError::Unavailable(reason)) => return Err(unwritten(&reason)),
        Err(error) => return Err(error.into()),
    };
    drop(snapshot);
    File::open(&partial).and_then(|file| file.sync_all()).map_err(|error| unwritten(&error))?;
    partial.persist_noclobber(target).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists(target.into()),
        _ => unwritten(&error.error),
    })?;
    // The name is on disk too.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| unwritten(&error))?;
    Ok(copied)
}

/// How many bytes a database has.
const SIZE: &str = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";

/// A number that a statement gives.
fn number(connection: &Connection, sql: &str) -> rusqlite::Result<u64> {
    connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map(|number| u64::try_from(number).unwrap_or(0))
}

/// `Err(Err(_))` is what the system says when it is asked.
fn make_sure_of_room(
    folder: &Path,
    needed: u64,
) -> std::result::Result<(), std::result::Result<BackupError, io::Error>> {
    let found = rustix::fs::statvfs(folder).map_err(|error| Err(error.into()))?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    if free < needed.saturating_add(SPARE) {
        return Err(Ok(BackupError::NoRoom { folder: folder.into(), needed, free }));
    }
    Ok(())
}

/// An empty file with a name of its own, which whoever may read the history may read; it goes unless it is kept.
fn partial(history: &Path, folder: &Path, target: &Path) -> io::Result<TempPath> {
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(target.file_name().unwrap_or_default());
    prefix.push(".");
    let file = tempfile::Builder::new().prefix(&prefix).suffix(".partial").tempfile_in(folder)?;
    fs::set_permissions(file.path(), fs::metadata(history)?.permissions())?;
    Ok(file.into_temp_path())
}

/// `None` if it was not to go on.
fn copy(
    snapshot: &Transaction<'_>,
    partial: &Path,
    goes_on: &mut dyn FnMut(Done) -> bool,
) -> Result<Option<Copied>> {
    let mut copy = open::connect(partial, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Nobody else has it, and if this ends too soon nothing of it is kept. It is synced as a whole afterwards.
    copy.execute_batch(
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF",
    )?;
    if !pages(snapshot, &mut copy, goes_on)? {
        return Ok(None);
    }
    // So it is one file that can be read where nothing can be written. adsum turns the log on again.
    copy.execute_batch("PRAGMA journal_mode = DELETE")?;
    let copied = summary(&copy)?;
    copy.close().map_err(|(_, error)| error)?;
    Ok(Some(copied))
}

fn pages(
    snapshot: &Transaction<'_>,
    copy: &mut Connection,
    goes_on: &mut dyn FnMut(Done) -> bool,
) -> Result<bool> {
    let page = number(snapshot, "PRAGMA page_size")?;
    let backup = Backup::new(snapshot, copy)?;
    loop {
        let step = backup.step(PAGES)?;
        let progress = backup.progress();
        let bytes = |pages: i32| u64::try_from(pages).unwrap_or(0).saturating_mul(page);
        let of = bytes(progress.pagecount);
        let goes_on = goes_on(Done { bytes: of.saturating_sub(bytes(progress.remaining)), of });
        match step {
            StepResult::Done => return Ok(true),
            StepResult::More if goes_on => {}
            StepResult::More => return Ok(false),
            // Both connections are ours alone.
            _ => return Err(HistoryError::Unavailable("another process holds its lock".to_owned())),
        }
    }
}

/// When something was last observed; of tables and columns that every schema has.
const TO: &str = "SELECT max(at) FROM ( \
    SELECT max((SELECT last_latest FROM runs WHERE channel_id = c.id ORDER BY first_latest DESC LIMIT 1)) AS at \
    FROM channels c UNION ALL SELECT max(complete_latest) FROM channels UNION ALL SELECT max(floor) FROM mark)";

fn summary(copy: &Connection) -> Result<Copied> {
    let time = |sql: &str| copy.query_row(sql, [], |row| row.get::<_, Option<Time>>(0));
    let (history, last_event, kept_since): (String, i64, Option<Time>) =
        copy.query_row("SELECT history_id, last_event, kept_since FROM meta", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    Ok(Copied {
        history,
        schema: open::version(copy)?.unwrap_or(0),
        events: number(copy, "SELECT count(*) FROM events")?,
        last_event,
        channels: number(copy, "SELECT count(*) FROM channels")?,
        from: time("SELECT min(began) FROM channels")?.max(kept_since),
        to: time(TO)?,
        bytes: number(copy, SIZE)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_fill_the_disk_is_refused_with_what_it_takes() {
        let folder = tempfile::tempdir().unwrap();
        assert!(make_sure_of_room(folder.path(), 0).is_ok());
        let Err(Ok(refused)) = make_sure_of_room(folder.path(), 1 << 60) else {
            panic!("there is no such disk")
        };
        let text = refused.to_string();
        assert!(
            text.contains("it takes 1152921504606846976 bytes") && text.contains("67108864 must stay free"),
            "{text}"
        );
    }
}
