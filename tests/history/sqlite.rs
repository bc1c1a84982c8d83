//! What is special about the `SQLite` adapter: the file.

use std::path::Path;

use adsum::domain::names::UserId;
use adsum::domain::time::Time;
use adsum::history::sqlite::Sqlite;
use adsum::history::{EventQuery, History, HistoryError};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::given::{ada, arrival, lobby};

fn open(path: &Path) -> Result<Sqlite, HistoryError> {
    Sqlite::open(path)
}

/// A closed history with one event.
fn record(folder: &TempDir) -> std::path::PathBuf {
    let path = folder.path().join("history.db");
    let history = open(&path).unwrap();
    history.begin(&[lobby()], Time::from_micros(0)).unwrap();
    history.commit(&[arrival(&lobby(), &ada(), 1)]).unwrap();
    path
}

#[test]
fn folders_are_made_and_the_same_history_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some/new folder/history.db");
    let id = open(&path).unwrap().id().to_owned();
    assert!(!id.is_empty());
    assert_eq!(open(&path).unwrap().id(), id);
    let other = open(&folder.path().join("other.db")).unwrap();
    assert_ne!(other.id(), id);
}

#[test]
fn a_closed_history_is_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = record(&folder);
    let files: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files, [path]);
}

#[test]
fn a_newer_schema_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = record(&folder);
    Connection::open(&path)
        .unwrap()
        .execute("UPDATE refinery_schema_history SET version = version + 1000", [])
        .unwrap();
    let before = std::fs::read(&path).unwrap();
    let refused = open(&path).err().unwrap();
    let HistoryError::TooNew { found, known } = refused else { panic!("{refused}") };
    assert_eq!(found - known, 1000);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn an_empty_database_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    std::fs::write(&path, []).unwrap();
    let history = open(&path).unwrap();
    assert_eq!(history.event_ids().unwrap(), (0, 0));
    let connection = Connection::open(&path).unwrap();
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn what_is_no_history_is_refused_by_name_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "no database at all, but long enough to look at ".repeat(100)).unwrap();
    let foreign = folder.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
    for path in [text, foreign] {
        let before = std::fs::read(&path).unwrap();
        let refused = open(&path).err().unwrap();
        assert!(matches!(refused, HistoryError::Damaged(_)), "{refused:?}");
        assert!(refused.to_string().contains(path.to_str().unwrap()), "{refused}");
        assert!(!refused.is_retryable());
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

#[test]
fn a_place_that_cannot_be_opened_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    for path in [folder.path().to_owned(), file.join("history.db")] {
        let refused = open(&path).err().unwrap();
        assert!(matches!(refused, HistoryError::Unavailable(_)), "{refused:?}");
        assert!(refused.to_string().contains(path.to_str().unwrap()), "{refused}");
    }
}

#[test]
fn while_another_writer_holds_the_file_it_is_unavailable_and_can_still_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = record(&folder);
    let history = open(&path).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = history.commit(&[arrival(&lobby(), &UserId::new("bob").unwrap(), 2)]).err().unwrap();
    assert!(matches!(refused, HistoryError::Unavailable(_)), "{refused:?}");
    assert!(refused.is_retryable());
    assert_eq!(history.events(&EventQuery { limit: 9, ..EventQuery::default() }).unwrap().len(), 1);
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(history.commit(&[arrival(&lobby(), &UserId::new("bob").unwrap(), 2)]).unwrap()[0].id, 2);
}

#[test]
fn a_second_writer_of_a_channel_is_told_that_its_view_is_out_of_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = record(&folder);
    let (one, other) = (open(&path).unwrap(), open(&path).unwrap());
    one.commit(&[arrival(&lobby(), &UserId::new("bob").unwrap(), 2)]).unwrap();
    let refused = other.commit(&[arrival(&lobby(), &UserId::new("eve").unwrap(), 2)]);
    assert!(matches!(refused, Err(HistoryError::Conflict { channel }) if channel == lobby()));
}

#[test]
fn what_adsum_did_not_write_is_damage() {
    for damage in [
        "UPDATE events SET kind = 99",
        "UPDATE users SET name = ''",
        "UPDATE users SET name = CAST(x'FF' AS TEXT)",
        "UPDATE channels SET name = 'a,b'",
        "UPDATE events SET state = '{'",
        "UPDATE events SET seq = -1",
        "UPDATE events SET occupancy = -1",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = record(&folder);
        Connection::open(&path).unwrap().execute_batch(damage).unwrap();
        let history = open(&path).unwrap();
        let read = history.events(&EventQuery { limit: 9, ..EventQuery::default() });
        assert!(matches!(read, Err(HistoryError::Damaged(_))), "{damage}: {read:?}");
    }
}

#[test]
fn a_file_cut_short_is_damage_or_a_shorter_history_but_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = record(&folder);
    let whole = std::fs::read(&path).unwrap();
    for eighth in 1..8 {
        std::fs::write(&path, &whole[..whole.len() * eighth / 8]).unwrap();
        let read =
            open(&path).and_then(|history| history.events(&EventQuery { limit: 9, ..EventQuery::default() }));
        assert!(matches!(read, Ok(_) | Err(HistoryError::Damaged(_) | HistoryError::Unavailable(_))));
    }
}
