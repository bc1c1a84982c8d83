//! Copies of a history, also while it is written.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use adsum::history::sqlite::{BackupError, Copied, Sqlite, backup};
use adsum::history::{EventQuery, History, HistoryError, VisitQuery};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::given::{ada, arrival, departure, lobby, time};
use crate::world::{World, all_events, all_gaps, all_visits, channel_name, happenings};

fn copy(folder: &TempDir, name: &str) -> Result<Copied, BackupError> {
    backup(&folder.path().join("history.db"), &folder.path().join(name), &mut |_| true)
}

/// What is in the folder, save what `SQLite` keeps beside a history that is only read.
fn files(folder: &TempDir) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut files: Vec<String> = folder.path().read_dir().unwrap().map(name).collect();
    files.retain(|name| name != "history.db-wal" && name != "history.db-shm");
    files.sort();
    files
}

/// A closed history in which ada came and went.
fn closed() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let history = Sqlite::open(&path).unwrap();
    history.begin(&[lobby()], time(0)).unwrap();
    history.commit(&[arrival(&lobby(), &ada(), 1), departure(&lobby(), &ada(), 2)]).unwrap();
    (folder, path)
}

#[test]
fn a_copy_says_what_is_in_it_and_is_one_file_that_whoever_may_read_the_history_may_read() {
    let (folder, path) = closed();
    let id = Sqlite::open(&path).unwrap().id().to_owned();
    let copied = copy(&folder, "copy.db").unwrap();
    assert_eq!(files(&folder), ["copy.db", "history.db"]);
    let bytes = folder.path().join("copy.db").metadata().unwrap().len();
    let (from, to) = (Some(time(0)), Some(time(2_001_000)));
    let schema = copied.schema;
    assert!(schema > 0);
    assert_eq!(
        copied,
        Copied { history: id, schema, events: 2, last_event: 2, channels: 1, from, to, bytes }
    );
    let mode = |path: &Path| path.metadata().unwrap().permissions();
    assert_eq!(mode(&folder.path().join("copy.db")), mode(&path));
}

#[test]
fn a_copy_of_what_expired_says_since_when_it_is_kept() {
    let (folder, path) = closed();
    Sqlite::open(&path).unwrap().expire(time(1_500_000), 100).unwrap();
    let copied = copy(&folder, "copy.db").unwrap();
    assert_eq!((copied.events, copied.last_event, copied.from), (1, 2, Some(time(1_500_000))));
}

#[test]
fn no_file_is_replaced() {
    let (folder, path) = closed();
    std::fs::write(folder.path().join("copy.db"), "something else").unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("link.db")).unwrap();
    let before = files(&folder);
    for name in ["copy.db", "link.db", "history.db", "."] {
        let refused = copy(&folder, name).unwrap_err();
        assert!(
            matches!(&refused, BackupError::Exists(path) if *path == folder.path().join(name)),
            "{refused}"
        );
    }
    assert_eq!(files(&folder), before);
    assert_eq!(std::fs::read_to_string(folder.path().join("copy.db")).unwrap(), "something else");
    assert_eq!(Sqlite::open(&path).unwrap().event_ids().unwrap(), (2, 0));
}

#[test]
fn a_file_that_comes_to_be_meanwhile_is_not_replaced_either() {
    let (folder, path) = closed();
    let target = folder.path().join("copy.db");
    let refused = backup(&path, &target, &mut |_| {
        std::fs::write(&target, "something else").unwrap();
        true
    });
    assert!(matches!(refused, Err(BackupError::Exists(_))), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "something else");
    assert_eq!(files(&folder), ["copy.db", "history.db"]);
}

#[test]
fn a_place_where_no_file_can_be_is_named() {
    let (folder, _) = closed();
    for name in ["no folder/copy.db", "history.db/copy.db"] {
        let refused = copy(&folder, name).unwrap_err();
        assert!(matches!(refused, BackupError::Target { .. }), "{refused:?}");
        assert!(refused.to_string().contains(name), "{refused}");
    }
    assert_eq!(files(&folder), ["history.db"]);
}

#[test]
fn what_is_no_history_is_not_copied() {
    let folder = tempfile::tempdir().unwrap();
    let refused = copy(&folder, "copy.db").unwrap_err();
    assert!(refused.to_string().ends_with("history.db: there is no such file"), "{refused}");
    std::fs::write(folder.path().join("history.db"), "no database, but long enough to look at ".repeat(99))
        .unwrap();
    let refused = copy(&folder, "copy.db").unwrap_err();
    assert!(matches!(refused, BackupError::History(HistoryError::Damaged(_))), "{refused:?}");
    assert_eq!(files(&folder), ["history.db"]);
}

#[test]
fn nothing_is_left_of_an_interrupted_copy() {
    let (folder, path) = closed();
    let history = Sqlite::open(&path).unwrap();
    // More than is copied at one go.
    for seq in 3..40 {
        let mut entry = arrival(&lobby(), &ada(), seq);
        if seq % 2 == 0 {
            entry = departure(&lobby(), &ada(), seq);
        }
        let state = adsum::domain::state::State::new(serde_json::json!("x".repeat(200_000)));
        entry.changes.events[0].state = adsum::domain::state::Shown::Value(state);
        history.commit(&[entry]).unwrap();
    }
    let mut calls = 0;
    let interrupted = backup(&path, &folder.path().join("copy.db"), &mut |done| {
        calls += 1;
        assert!(done.bytes < done.of, "there is more: {done:?}");
        false
    });
    assert!(matches!(interrupted, Err(BackupError::Interrupted)), "{interrupted:?}");
    assert_eq!(calls, 1);
    drop(history);
    assert_eq!(files(&folder), ["history.db"]);
}

#[test]
fn a_history_of_an_older_schema_is_copied_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    crate::migrations::write_first(&folder.path().join("history.db"));
    let copied = copy(&folder, "copy.db").unwrap();
    assert_eq!(
        (copied.schema, copied.history.as_str(), copied.events, copied.channels),
        (1, "of the first", 2, 1)
    );
    assert_eq!((copied.from, copied.to), (Some(time(0)), Some(time(9_000_000))));
    assert_eq!(Sqlite::open(&folder.path().join("copy.db")).unwrap().event_ids().unwrap(), (2, 0));
}

#[test]
fn a_newer_history_is_left_to_a_newer_adsum() {
    let (folder, path) = closed();
    let newer = "UPDATE refinery_schema_history SET version = version + 1000";
    rusqlite::Connection::open(&path).unwrap().execute(newer, []).unwrap();
    let refused = copy(&folder, "copy.db").unwrap_err();
    assert!(matches!(refused, BackupError::History(HistoryError::TooNew { .. })), "{refused:?}");
}

#[test]
fn a_copy_that_is_made_while_the_history_is_written_is_that_of_one_commit_and_nobody_waits() {
    let (folder, path) = closed();
    let history = Sqlite::open(&path).unwrap();
    let done = AtomicBool::new(false);
    let copies: Vec<(PathBuf, Copied)> = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut seq = 3;
            while !done.load(Ordering::Relaxed) {
                // Each commit is an arrival and a leave.
                let entries = [arrival(&lobby(), &ada(), seq), departure(&lobby(), &ada(), seq + 1)];
                history.commit(&entries).unwrap();
                seq += 2;
            }
            seq
        });
        let name = |number| folder.path().join(format!("copy {number}.db"));
        let copies = (0..5).map(|number| {
            // Between two copies something is written.
            let (before, _) = history.event_ids().unwrap();
            while history.event_ids().unwrap().0 == before {}
            let copied = backup(&path, &name(number), &mut |_| {
                let (before, _) = history.event_ids().unwrap();
                while history.event_ids().unwrap().0 == before {}
                true
            });
            (name(number), copied.unwrap())
        });
        let copies: Vec<_> = copies.collect();
        done.store(true, Ordering::Relaxed);
        assert!(writer.join().unwrap() > 20);
        copies
    });
    let mut before = 0;
    for (path, copied) in copies {
        let copy = Sqlite::open(&path).unwrap();
        assert!(copied.last_event > before && copied.last_event % 2 == 0, "{copied:?}");
        assert_eq!(copy.event_ids().unwrap(), (copied.last_event, 0));
        assert_eq!(i64::try_from(copied.events).unwrap(), copied.last_event);
        assert_eq!(all_visits(&copy, &VisitQuery { open: Some(true), ..VisitQuery::default() }, 9), []);
        before = copied.last_event;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn a_copy_goes_on_as_the_original_would(happenings in happenings()) {
        let folder = tempfile::tempdir().unwrap();
        let history = crate::given::open(&folder);
        let world = World::after(history.as_ref(), &happenings);
        copy(&folder, "copy.db").unwrap();
        let again = Sqlite::open(&folder.path().join("copy.db")).unwrap();
        prop_assert_eq!(again.id(), history.id());
        prop_assert_eq!(all_events(&again, &EventQuery::default(), 50), world.recorded);
        let visits = |history: &dyn History| all_visits(history, &VisitQuery::default(), 50);
        prop_assert_eq!(visits(&again), visits(history.as_ref()));
        let gaps = |history: &dyn History| all_gaps(history, None, (None, None), 50);
        prop_assert_eq!(gaps(&again), gaps(history.as_ref()));
        for index in 0..crate::world::CHANNELS {
            let of = |history: &dyn History| history.checkpoint(&channel_name(index)).unwrap().unwrap();
            crate::record::assert_same_roster(&of(&again).roster, &of(history.as_ref()).roster);
        }
    }
}
