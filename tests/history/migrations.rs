//! A file that an older adsum wrote is brought up to date, with all that is in it.

use std::path::Path;
use std::time::Duration;

use adsum::domain::alert::Change;
use adsum::domain::event::EventKind;
use adsum::domain::gap::GapReason;
use adsum::domain::names::{ChannelName, Pattern};
use adsum::history::alerts::AlertHistory;
use adsum::history::sqlite::Sqlite;
use adsum::history::{Discovery, EventQuery, History, VisitQuery};
use refinery::Target;
use rusqlite::Connection;

use crate::alerting::{changes, deliveries, hook, told};
use crate::given::{ada, departure, lobby, moment, time};

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// As the first schema has them: the lobby, in which ada is, after an outage; a mark that proves it up to 9 s; a watch.
const ROWS: &str = "
    INSERT INTO meta VALUES (1, 'of the first', 2, 0, NULL);
    INSERT INTO channels VALUES (7, 'lobby', 0, 1001000, 1001000, 2, 4000000, 4001000, NULL, NULL);
    INSERT INTO users VALUES (3, 'ada'), (4, 'bob');
    INSERT INTO events VALUES (7, 1, 1, 4, 3, NULL, 500000, 1, ''), (7, 2, 2, 3, 0, 500000, 1001000, 1, NULL);
    INSERT INTO event_blocks VALUES (0, 500000, 1001000);
    INSERT INTO visits (channel_id, opened, user_id, joined_to, left_to) VALUES (7, 1, 4, 500000, 900000);
    INSERT INTO visits (channel_id, opened, user_id, joined_from, joined_to) VALUES (7, 2, 3, 500000, 1001000);
    INSERT INTO runs VALUES (7, 1001000, 1000000, 4000000, 4001000, 1001000, 1, 0);
    INSERT INTO gaps VALUES (7, 0, 0, 1001000, 10);
    INSERT INTO mark VALUES (1, 9000000, 1500000);
    INSERT INTO watches VALUES ('room.*');";

/// Writes an empty file of this schema.
pub(crate) fn write_schema(path: &Path, version: i32) {
    let mut connection = Connection::open(path).unwrap();
    embedded::migrations::runner().set_target(Target::Version(version)).run(&mut connection).unwrap();
}

/// Writes a file as the first schema has it.
pub(crate) fn write_first(path: &Path) {
    write_schema(path, 1);
    Connection::open(path).unwrap().execute_batch(ROWS).unwrap();
}

#[test]
fn a_file_of_the_first_schema_keeps_all_it_has_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    write_first(&path);
    let history = Sqlite::open(&path).unwrap();
    assert_eq!(history.id(), "of the first");
    let events = history.events(&EventQuery { limit: 10, ..EventQuery::default() }).unwrap();
    let told: Vec<_> = events.iter().map(|event| (event.id, event.kind, event.user.as_str())).collect();
    assert_eq!(told, [(1, EventKind::Present, "bob"), (2, EventKind::Join, "ada")]);
    let visits = history.visits(&VisitQuery { limit: 10, ..VisitQuery::default() }).unwrap();
    assert_eq!(visits.iter().map(|visit| visit.left.is_some()).collect::<Vec<_>>(), [true, false]);
    let record = history.channel(&lobby()).unwrap().unwrap();
    assert_eq!(record.run.unwrap().last, moment(9_000_000, 9_000_000), "the mark proves it up to there");
    let gaps = history.gaps(Some(&lobby()), (None, None), None, 10).unwrap();
    assert_eq!((gaps.len(), gaps[0].1.reason), (1, GapReason::Stopped));
    assert_eq!(history.watches().unwrap(), ["room.*"]);
    assert_eq!(history.kept_since().unwrap(), None);

    assert_eq!(history.recover().unwrap(), 1);
    let recorded = history.commit(&[departure(&lobby(), &ada(), 3)]).unwrap();
    assert_eq!((recorded[0].id, recorded[0].kind), (3, EventKind::Leave));
    let room = ChannelName::new("room.1").unwrap();
    let discovery = Discovery {
        moment: moment(20_000_000, 20_001_000),
        patterns: vec![Pattern::new("room.*").unwrap()],
        listed: vec![],
        patience: Duration::ZERO,
    };
    history.discovered(&discovery).unwrap();
    assert!(history.unlisted(&room, time(21_000_000)).unwrap().is_some(), "what came later is kept too");
    drop(history);
    let again = Sqlite::open(&path).unwrap();
    assert_eq!(again.event_ids().unwrap(), (3, 0));
}

#[test]
fn a_file_from_before_there_were_alerts_keeps_all_it_has_and_takes_alerts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    write_first(&path);
    let mut connection = Connection::open(&path).unwrap();
    embedded::migrations::runner().set_target(Target::Version(4)).run(&mut connection).unwrap();
    drop(connection);
    let history = Sqlite::open(&path).unwrap();
    let before = history.channel(&lobby()).unwrap().unwrap();
    assert_eq!(before.complete_since, Some(time(1_001_000)));
    assert_eq!(history.events(&EventQuery { limit: 10, ..EventQuery::default() }).unwrap().len(), 2);
    assert_eq!(history.waiting().unwrap(), []);
    assert_eq!(history.silences(None).unwrap(), []);
    assert_eq!(history.standings(&lobby()).unwrap(), []);
    let mut entry = departure(&lobby(), &ada(), 3);
    entry.alerts = told(&lobby(), "crowded", Change::Firing, 9, &[hook()]).alerts;
    assert_eq!(history.commit(&[entry]).unwrap()[0].id, 3);
    assert_eq!((changes(&history).len(), deliveries(&history).len()), (1, 1));
    assert_eq!(history.standings(&lobby()).unwrap().len(), 1);
}
