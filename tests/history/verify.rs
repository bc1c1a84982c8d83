//! Every history that adsum writes keeps the laws, at every commit.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use adsum::domain::gap::GapReason;
use adsum::history::HistoryError;
use adsum::history::sqlite::{Sqlite, Verified, backup, verify};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::lists::{at, instant};
use crate::world::{CHANNELS, Step, World, happenings};

pub(crate) fn verified(path: &Path) -> Verified {
    verify(path, &mut |_| ()).unwrap()
}

pub(crate) fn assert_sound(path: &Path) -> Verified {
    let verified = verified(path);
    assert!(verified.is_sound(), "{:#?}", verified.broken);
    assert_eq!(verified.more, 0);
    verified
}

fn history(folder: &TempDir) -> PathBuf {
    folder.path().join("history.db")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn what_was_observed_keeps_the_laws_at_every_commit(happenings in happenings()) {
        let folder = tempfile::tempdir().unwrap();
        let history = crate::given::open(&folder);
        let mut world = World::begin(history.as_ref());
        for happening in &happenings {
            world.live(std::slice::from_ref(happening));
            assert_sound(&self::history(&folder));
        }
        world.stop();
        let counts = assert_sound(&self::history(&folder)).counts;
        let found = [counts.channels, counts.events, counts.visits, counts.gaps, counts.runs];
        let runs: usize = world.runs.iter().map(Vec::len).sum();
        let there = [CHANNELS, world.recorded.len(), world.visits().len(), world.gaps.len(), runs];
        prop_assert_eq!(found.map(|count| usize::try_from(count).unwrap()), there);
    }

    #[test]
    fn what_goes_on_after_a_crash_keeps_the_laws(happenings in happenings(), later in happenings()) {
        let folder = tempfile::tempdir().unwrap();
        let history = crate::given::open(&folder);
        let mut world = World::begin(history.as_ref());
        world.live(&happenings);
        // No channel is stopped.
        history.recover().unwrap();
        assert_sound(&self::history(&folder));
        for index in 0..CHANNELS {
            world.reload(index);
        }
        world.live(&later);
        assert_sound(&self::history(&folder));
    }

    #[test]
    fn what_expires_a_few_rows_at_a_time_keeps_the_laws(
        mut happenings in happenings(), before in instant(), limit in 1usize..40, unwatched in any::<bool>()
    ) {
        let folder = tempfile::tempdir().unwrap();
        let history = crate::given::open(&folder);
        // A channel whose watch ended is forgotten as a whole.
        happenings.retain(|(_, _, step)| unwatched || !matches!(step, Step::Restart(GapReason::Unwatched)));
        let mut world = World::after(history.as_ref(), &happenings);
        let before = at(&world, before);
        while history.expire(before, limit).unwrap() {
            assert_sound(&self::history(&folder));
        }
        assert_sound(&self::history(&folder));
        if !unwatched {
            (0..CHANNELS).for_each(|index| world.reload(index));
            world.live(&happenings);
            assert_sound(&self::history(&folder));
        }
    }

    #[test]
    fn what_the_first_schema_kept_keeps_the_laws_once_it_is_up_to_date(happenings in happenings()) {
        let folder = tempfile::tempdir().unwrap();
        World::after(crate::given::open(&folder).as_ref(), &happenings);
        let old = folder.path().join("old.db");
        crate::migrations::write_schema(&old, 1);
        as_the_first_has_it(&self::history(&folder), &old);
        let refused = verify(&old, &mut |_| ());
        prop_assert!(matches!(refused, Err(HistoryError::TooOld { found: 1, .. })), "{:?}", refused);
        drop(Sqlite::open(&old).unwrap());
        let (was, is) = (assert_sound(&self::history(&folder)), assert_sound(&old));
        prop_assert_eq!(is.counts, was.counts);
    }
}

/// Copies what the first schema has room for.
fn as_the_first_has_it(from: &Path, to: &Path) {
    let connection = Connection::open(to).unwrap();
    connection.execute("ATTACH ?1 AS source", [from.to_str().unwrap()]).unwrap();
    for table in [
        "meta",
        "channels",
        "users",
        "events",
        "event_blocks",
        "visits",
        "gaps",
        "runs",
        "mark",
        "mark_others",
    ] {
        let mut list = connection.prepare(&format!("PRAGMA main.table_info({table})")).unwrap();
        let columns = list.query_map([], |row| row.get::<_, String>(1)).unwrap();
        let columns = columns.collect::<rusqlite::Result<Vec<_>>>().unwrap().join(", ");
        let copy = format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM source.{table}");
        connection.execute(&copy, []).unwrap();
    }
}

#[test]
fn a_history_keeps_the_laws_while_it_is_written_and_so_do_its_backups() {
    let folder = tempfile::tempdir().unwrap();
    let history = crate::given::open(&folder);
    let mut runner = TestRunner::deterministic();
    let lives: Vec<_> = (0..40).map(|_| happenings().new_tree(&mut runner).unwrap().current()).collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut world = World::begin(history.as_ref());
            for happenings in &lives {
                world.live(happenings);
            }
            done.store(true, Ordering::Relaxed);
        });
        let (mut before, mut rounds) = (0, 0);
        while !done.load(Ordering::Relaxed) || rounds == 0 {
            rounds += 1;
            let copy = folder.path().join(format!("copy {rounds}.db"));
            let copied = backup(&self::history(&folder), &copy, &mut |_| true).unwrap();
            let now = assert_sound(&self::history(&folder)).counts.events;
            let then = assert_sound(&copy).counts.events;
            assert_eq!(then, copied.events);
            assert!((before..=now).contains(&then), "{before}, {then}, {now}");
            before = then;
        }
    });
}

#[test]
fn what_is_no_history_is_not_verified() {
    let folder = tempfile::tempdir().unwrap();
    let path = history(&folder);
    let refused = verify(&path, &mut |_| ()).unwrap_err().to_string();
    assert!(refused.ends_with("history.db: there is no such file"), "{refused}");
    std::fs::write(&path, "no database, but long enough to look at ".repeat(99)).unwrap();
    assert!(matches!(verify(&path, &mut |_| ()), Err(HistoryError::Damaged(_))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn what_alerts_did_keeps_the_laws_and_so_does_what_expires_of_it(
        heard in crate::judged::heard(), seconds in 0u64..60, limit in 1usize..20
    ) {
        let folder = tempfile::tempdir().unwrap();
        let history = crate::given::open(&folder);
        let mut judged = crate::judged::Judged::begin(history.as_ref());
        for heard in &heard {
            judged.hear(heard);
            assert_sound(&self::history(&folder));
        }
        let before = judged.now.minus(std::time::Duration::from_secs(seconds));
        while history.expire(before, limit).unwrap() {
            assert_sound(&self::history(&folder));
        }
        for heard in &heard {
            judged.hear(heard);
        }
        assert_sound(&self::history(&folder));
    }
}
