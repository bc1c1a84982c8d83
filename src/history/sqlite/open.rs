//! Opening the file: folders, pragmas, migrations, and the refusal of what is no history or a newer one.

use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::history::{HistoryError, Result};

mod embedded {
    #![allow(missing_docs, unreachable_pub, clippy::pedantic, clippy::unwrap_used, reason = "generated")]
    refinery::embed_migrations!("migrations");
}

/// What `migrations/` writes as the file's application id: "ADSM".
const APPLICATION_ID: i64 = 1_094_996_813;

/// How long a call waits for another process that holds the file's lock, before it is unavailable.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// How many prepared statements a connection keeps.
const STATEMENTS: usize = 128;

/// How many bytes of the write-ahead log stay on disk when it is empty.
const WAL_KEPT: i64 = 64 << 20;

/// How many pages the log grows to before it is copied into the file: fewer, larger copies.
const WAL_PAGES: i64 = 8192;

/// How much of the file the writer keeps in memory, in KiB; `SQLite` wants it negative.
const WRITER_CACHE: i64 = -64 * 1024;

/// The writing connection; makes folders and the file, and migrates it.
pub(super) fn writer(path: &Path) -> Result<Connection> {
    make_folder(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = connect(path, flags)?;
    refuse_foreign(&connection)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(HistoryError::Unavailable(format!("no write-ahead log is possible here ({mode})")));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "journal_size_limit", WAL_KEPT)?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    connection.pragma_update(None, "cache_size", WRITER_CACHE)?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// A connection that only reads, to a file that [`writer`] has opened.
pub(super) fn reader(path: &Path) -> Result<Connection> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// A connection that only reads, to a file that [`writer`] may never have opened here: it must be adsum's, and of the schema
/// that is known.
pub(super) fn existing(path: &Path) -> Result<Connection> {
    let (connection, found) = no_newer(path)?;
    let known = known_version();
    if found < known { Err(HistoryError::TooOld { found, known }) } else { Ok(connection) }
}

/// The same, and the schema's version: an older one will do.
pub(super) fn no_newer(path: &Path) -> Result<(Connection, i64)> {
    if !path.exists() {
        return Err(HistoryError::Unavailable("there is no such file".to_owned()));
    }
    let connection = reader(path)?;
    refuse_foreign(&connection)?;
    let (found, known) = (version(&connection)?.unwrap_or(0), known_version());
    if found > known { Err(HistoryError::TooNew { found, known }) } else { Ok((connection, found)) }
}

/// A connection with these flags; the rest is up to whoever opens it.
pub(super) fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    // An absolute path is never taken for a "file:" URI nor for ":memory:".
    let path = std::path::absolute(path).map_err(|error| HistoryError::Unavailable(error.to_string()))?;
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

fn make_folder(path: &Path) -> Result<()> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    std::fs::create_dir_all(folder)
        .map_err(|error| HistoryError::Unavailable(format!("cannot make its folder: {error}")))
}

/// An `SQLite` database that adsum did not make is left alone.
fn refuse_foreign(connection: &Connection) -> Result<()> {
    let id: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    // A first start that was killed before its migration leaves tables but no id.
    if id == APPLICATION_ID || tables == 0 || (id == 0 && version(connection)? == Some(0)) {
        Ok(())
    } else {
        Err(HistoryError::Damaged("it is a database, but not one of adsum's".to_owned()))
    }
}

/// The schema's version, 0 before the first migration; `None` if migrations were never begun.
pub(super) fn version(connection: &Connection) -> Result<Option<i64>> {
    let exists = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'refinery_schema_history'";
    if connection.query_row(exists, [], |_| Ok(())).optional()?.is_none() {
        return Ok(None);
    }
    let newest = "SELECT coalesce(max(version), 0) FROM refinery_schema_history";
    Ok(Some(connection.query_row(newest, [], |row| row.get(0))?))
}

/// The newest schema known here.
fn known_version() -> i64 {
    let runner = embedded::migrations::runner();
    runner.get_migrations().iter().map(|m| i64::from(m.version())).max().unwrap_or(0)
}

fn migrate(connection: &mut Connection) -> Result<()> {
    let known = known_version();
    let found = version(connection)?.unwrap_or(0);
    if found > known {
        return Err(HistoryError::TooNew { found, known });
    }
    if found < known {
        embedded::migrations::runner().run(connection).map_err(|error| not_migrated(&error))?;
    }
    Ok(())
}

/// What `SQLite` said, where it did.
fn not_migrated(error: &refinery::Error) -> HistoryError {
    match error.source().and_then(|source| source.downcast_ref::<rusqlite::Error>()) {
        Some(rusqlite::Error::SqliteFailure(failure, text)) => {
            rusqlite::Error::SqliteFailure(*failure, text.clone()).into()
        }
        _ => HistoryError::Unavailable(format!("it cannot be migrated: {error}")),
    }
}

/// The history's own id, made at the first start.
pub(super) fn history_id(connection: &Connection) -> Result<String> {
    let fresh = uuid::Uuid::new_v4().to_string();
    connection.execute("INSERT OR IGNORE INTO meta (only_row, history_id) VALUES (1, ?1)", [fresh])?;
    Ok(connection.query_row("SELECT history_id FROM meta", [], |row| row.get(0))?)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// How the statement is carried out, step by step.
    pub(in super::super) fn plan(sql: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let connection = writer(&folder.path().join("history.db")).unwrap();
        let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        for index in 1..=explain.parameter_count() {
            explain.raw_bind_parameter(index, 1).unwrap();
        }
        let mut rows = explain.raw_query();
        let mut steps = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            steps.push(row.get(3).unwrap());
        }
        steps
    }

    #[test]
    fn commits_are_on_disk_before_they_return() {
        let folder = tempfile::tempdir().unwrap();
        let connection = writer(&folder.path().join("history.db")).unwrap();
        let pragma =
            |name: &str| -> i64 { connection.pragma_query_value(None, name, |row| row.get(0)).unwrap() };
        assert_eq!(pragma("synchronous"), 2, "FULL");
        assert_eq!(pragma("foreign_keys"), 1);
    }

    #[test]
    fn a_first_start_that_was_killed_is_carried_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        let runner = embedded::migrations::runner().set_target(refinery::Target::Version(0));
        runner.run(&mut connect(&path, OpenFlags::default()).unwrap()).unwrap();
        let connection = writer(&path).unwrap();
        let known = embedded::migrations::runner().get_migrations().len();
        assert_eq!(version(&connection).unwrap(), i64::try_from(known).ok());
    }
}
