//! What was damaged is told: a law for each thing that may be wrong.

use std::path::Path;
use std::sync::LazyLock;

use adsum::history::sqlite::{Broken, Law, MAX_LISTED, Sqlite, Verified};
use rusqlite::Connection;

use crate::given::{arrival, time};
use crate::judged::{Heard, Judged};
use crate::verify::{assert_sound, verified};
use crate::world::{Sight, Step, World, channel_name};

/// In the lobby, whose number is 1, ada (the user of number 1) and others come, go and have states; there are gaps, a partial
/// gap and a cut list. The numbers of events are in the comments.
fn day() -> Vec<(usize, u8, Step)> {
    let complete = |users: &[(u8, u8)]| Step::Observe(Sight::Complete(users.to_vec()));
    let cut = || Step::Observe(Sight::Truncated(vec![(0, 3)]));
    vec![
        (0, 10, complete(&[(0, 2), (1, 1)])),          // 1 and 2 present
        (0, 10, complete(&[(0, 3), (2, 2)])),          // 3 leave of user 2, 4 state of ada, 5 join of user 3
        (1, 10, complete(&[(4, 2)])),                  // in another channel
        (0, 10, complete(&[(0, 3), (2, 2), (3, 2)])),  // 6 join
        (0, 250, complete(&[(0, 3), (2, 2), (3, 2)])), // after a gap
        (0, 10, cut()),
        (0, 60, cut()),
        (0, 60, cut()), // a partial gap
        (0, 10, complete(&[(0, 3), (2, 2), (3, 2)])),
        (0, 250, cut()),                      // a gap of both kinds
        (0, 10, complete(&[(0, 3), (2, 2)])), // 7 leave
        (0, 10, complete(&[(2, 2)])),         // 8 leave of ada
        (0, 10, complete(&[(0, 0), (2, 0)])), // 9 join of ada
        (0, 10, complete(&[(0, 2), (2, 2)])), // 10 settled
    ]
}

/// In room.0 an alert fired and was resolved, and fires again; in room.1 one was not to be, and another is pending; somebody
/// came to another channel, which is told.
fn alarms() -> Vec<Heard> {
    let (first, second) = ([3, 3, 3, 3, 0, 0, 0, 3, 3, 3, 3], [3, 0, 3]);
    let seen = |index| move |count| Heard::Seen(index, count);
    first.map(seen(0)).into_iter().chain(second.map(seen(1))).collect()
}

/// The file, closed.
static SOUND: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let history = Sqlite::open(&path).unwrap();
    World::begin(&history).live(&day());
    let mut judged = Judged::begin(&history);
    for heard in alarms() {
        judged.hear(&heard);
    }
    let hook = crate::alerting::hook();
    let subscriber = adsum::history::alerts::Subscriber {
        notifier: hook,
        kinds: vec![adsum::domain::event::EventKind::Present],
    };
    let mut entry = arrival(&channel_name(2), &crate::given::ada(), 1);
    entry.subscribers = [subscriber].into_iter().collect();
    entry.at = time(60_000_000);
    adsum::history::History::commit(&history, &[entry]).unwrap();
    judged.hear(&Heard::Tried(0, true));
    drop(history);
    std::fs::read(path).unwrap()
});

/// The same with this done to it.
fn damaged(sql: &str) -> Verified {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    std::fs::write(&path, &*SOUND).unwrap();
    damage(&path, sql);
    verified(&path)
}

fn damage(path: &Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON").unwrap();
    let before = connection.total_changes();
    connection.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    assert!(connection.total_changes() > before, "nothing was done: {sql}");
}

/// The breaches of a law.
fn of(verified: &Verified, law: Law) -> Vec<&Broken> {
    verified.broken.iter().filter(|breach| breach.law == law).collect()
}

/// In the lobby.
const DAMAGE: &[(Law, &str)] = &[
    (Law::Values, "UPDATE events SET kind = 99 WHERE channel_id = 1 AND seq = 3"),
    (Law::Values, "UPDATE events SET state = '{' WHERE channel_id = 1 AND seq = 4"),
    (Law::Values, "UPDATE events SET occupancy = -1 WHERE channel_id = 1 AND seq = 4"),
    (Law::Values, "UPDATE runs SET grade = 9 WHERE channel_id = 1"),
    (Law::Values, "UPDATE visits SET left_from = NULL WHERE channel_id = 1 AND opened = 2"),
    (Law::Numbers, "DELETE FROM events WHERE channel_id = 1 AND seq = 4"),
    (Law::Numbers, "DELETE FROM events WHERE channel_id = 1 AND seq = 1"),
    (Law::Numbers, "DELETE FROM events WHERE channel_id = 1 AND seq = 10"),
    (Law::Numbers, "DELETE FROM events WHERE channel_id = 1"),
    (Law::Numbers, "UPDATE channels SET last_seq = last_seq + 1 WHERE id = 1"),
    (Law::Ids, "UPDATE events SET id = 1000 WHERE channel_id = 1 AND seq = 2"),
    (Law::Ids, "UPDATE events SET id = 0 WHERE channel_id = 1 AND seq = 4"),
    (Law::Ids, "UPDATE meta SET last_event = 3"),
    (Law::Ids, "UPDATE meta SET expired_up_to = 2, kept_since = 0"),
    (Law::Blocks, "DELETE FROM event_blocks"),
    (Law::Blocks, "UPDATE event_blocks SET latest = 1000500"),
    (Law::Blocks, "UPDATE event_blocks SET earliest = earliest + 20"),
    (Law::Times, "UPDATE events SET not_before = not_after + 1 WHERE channel_id = 1 AND seq = 3"),
    (Law::Times, "UPDATE events SET not_before = NULL WHERE channel_id = 1 AND seq = 3"),
    (Law::Times, "UPDATE events SET not_before = NULL WHERE channel_id = 1 AND seq = 6"),
    (Law::Times, "UPDATE events SET not_before = 0 WHERE channel_id = 1 AND seq = 1"),
    (Law::Times, "UPDATE events SET not_after = not_after + 500 WHERE channel_id = 1 AND seq = 3"),
    (Law::Times, "UPDATE visits SET joined_from = joined_to + 1 WHERE channel_id = 1 AND opened = 5"),
    (Law::Times, "UPDATE visits SET left_from = 0, left_to = 1 WHERE channel_id = 1 AND opened = 2"),
    (Law::Times, "UPDATE visits SET since_from = 0, since_to = 1 WHERE channel_id = 1 AND opened = 2"),
    (Law::Times, "UPDATE runs SET last_latest = first_latest - 1 WHERE channel_id = 1"),
    (Law::Times, "UPDATE gaps SET ended = began - 1 WHERE channel_id = 1"),
    (Law::Times, "UPDATE channels SET complete_latest = complete_earliest - 1 WHERE id = 1"),
    (Law::Times, "UPDATE channels SET shown_latest = complete_latest + 1 WHERE id = 1"),
    (Law::Times, "UPDATE channels SET complete_since = observed_since - 1 WHERE id = 1"),
    (Law::Visits, "DELETE FROM visits WHERE channel_id = 1 AND opened = 2"),
    (Law::Visits, "DELETE FROM visits WHERE channel_id = 1 AND opened = 5"),
    (Law::Visits, "UPDATE visits SET opened = 4 WHERE channel_id = 1 AND opened = 5"),
    (Law::Visits, "UPDATE visits SET opened = 99 WHERE channel_id = 1 AND opened = 5"),
    (Law::Visits, "UPDATE visits SET opened = 0 WHERE channel_id = 1 AND opened = 5"),
    (Law::Visits, "UPDATE visits SET user_id = 4 WHERE channel_id = 1 AND opened = 2"),
    (Law::Visits, "UPDATE visits SET left_to = left_to + 1 WHERE channel_id = 1 AND opened = 2"),
    (Law::Visits, "UPDATE visits SET left_from = NULL, left_to = NULL WHERE channel_id = 1 AND opened = 2"),
    (
        Law::Visits,
        "UPDATE visits SET left_from = joined_to, left_to = joined_to + 500 WHERE channel_id = 1 AND opened = 5",
    ),
    (Law::Visits, "UPDATE visits SET joined_from = joined_from - 1 WHERE channel_id = 1 AND opened = 5"),
    (
        Law::Visits,
        "UPDATE visits SET listed_earliest = 1, listed_latest = 2 WHERE channel_id = 1 AND opened = 2",
    ),
    (Law::Roster, "UPDATE visits SET state = '' WHERE channel_id = 1 AND opened = 5"),
    (Law::Roster, "UPDATE visits SET state = '' WHERE channel_id = 1 AND opened = 1"),
    (Law::Roster, "UPDATE visits SET since_from = since_from - 1 WHERE channel_id = 1 AND opened = 5"),
    (Law::Roster, "UPDATE events SET state = '9' WHERE channel_id = 1 AND seq = 3"),
    (Law::Roster, "UPDATE events SET state = '9' WHERE channel_id = 1 AND seq = 4"),
    (Law::Roster, "UPDATE events SET kind = 4 WHERE channel_id = 1 AND seq = 4"),
    (Law::Roster, "UPDATE events SET kind = 2 WHERE channel_id = 1 AND seq = 10"),
    (Law::Roster, "UPDATE events SET kind = 0 WHERE channel_id = 1 AND seq = 3"),
    (Law::Roster, "UPDATE events SET kind = 1 WHERE channel_id = 1 AND seq = 6"),
    (Law::Roster, "UPDATE events SET user_id = 4 WHERE channel_id = 1 AND seq = 4"),
    (Law::Runs, "UPDATE runs SET first_earliest = first_earliest - 200 WHERE channel_id = 1"),
    (Law::Runs, "DELETE FROM gaps WHERE channel_id = 1 AND users_only = 0"),
    (Law::Occupancy, "UPDATE runs SET occupancy = occupancy + 1 WHERE channel_id = 1"),
    (Law::Occupancy, "UPDATE events SET occupancy = 7 WHERE channel_id = 1 AND seq = 4"),
    (Law::Occupancy, "DELETE FROM runs WHERE channel_id = 1"),
    (
        Law::Occupancy,
        "UPDATE visits SET opened = 11, joined_to = 9000000, left_from = NULL, left_to = NULL \
                      WHERE channel_id = 1 AND opened = 2; DELETE FROM events WHERE channel_id = 1 AND seq = 3",
    ),
    (Law::Gaps, "UPDATE gaps SET began = began - 1 WHERE channel_id = 1 AND users_only = 0"),
    (Law::Gaps, "UPDATE gaps SET began = began + 1 WHERE channel_id = 1 AND users_only = 0"),
    (Law::Gaps, "UPDATE gaps SET ended = ended + 1 WHERE channel_id = 1 AND users_only = 0"),
    (Law::Gaps, "UPDATE gaps SET ended = ended + 1 WHERE channel_id = 1 AND users_only = 1"),
    (Law::Gaps, "UPDATE gaps SET began = began - 50 WHERE channel_id = 1 AND users_only = 1"),
    (Law::Gaps, "UPDATE gaps SET reason = 13 WHERE channel_id = 1 AND users_only = 0"),
    (Law::Gaps, "UPDATE gaps SET reason = 1 WHERE channel_id = 1 AND users_only = 1"),
    (Law::Gaps, "UPDATE gaps SET reason = 99 WHERE channel_id = 1"),
    (Law::Gaps, "UPDATE gaps SET ended = NULL WHERE channel_id = 1 AND users_only = 0"),
    (
        Law::Gaps,
        "INSERT INTO gaps SELECT channel_id, began + 5, users_only, ended, reason FROM gaps \
                 WHERE channel_id = 1 AND users_only = 0",
    ),
];

/// In rooms, or in none.
const ELSEWHERE: &[(Law, &str)] = &[
    (Law::File, "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'gaps_by_time'"),
    (Law::File, "INSERT INTO runs VALUES (99, 1, 1, 1, 1, 0, 0, 0)"),
    (Law::File, "DELETE FROM users WHERE id = 1"),
    (Law::Values, "UPDATE users SET name = '' WHERE id = 1"),
    (Law::Values, "UPDATE users SET name = CAST(x'FF' AS TEXT) WHERE id = 1"),
    (Law::Values, "UPDATE channels SET name = 'a,b' WHERE id = 1"),
    (Law::Values, "INSERT INTO discoveries VALUES ('a,b', 1, 2, 3, 4, 0, 0)"),
    (Law::Values, "UPDATE alert_changes SET change = 9"),
    (Law::Values, "UPDATE alerts SET state = '{}'"),
    (Law::Times, "UPDATE alert_changes SET since_from = since_to + 1"),
    (Law::Expired, "UPDATE meta SET expired_up_to = last_event + 1, kept_since = 0"),
    (Law::Expired, "UPDATE meta SET expired_up_to = 1"),
    (Law::Discoveries, "INSERT INTO discoveries VALUES ('room.*', 5, 6, 1, 2, 0, 1)"),
    (
        Law::Discoveries,
        "INSERT INTO discoveries VALUES ('room.*', 1, 2, 3, 4, 0, 0), ('room.*', 5, 6, 7, 8, 0, 0)",
    ),
    (Law::Alerts, "UPDATE alert_changes SET change = 2 WHERE change = 0"),
    (Law::Alerts, "UPDATE alert_changes SET change = 3 WHERE change = 0"),
    (Law::Alerts, "DELETE FROM alert_changes WHERE change = 4 AND rule = 'crowded'"),
    (Law::Alerts, "DELETE FROM alert_changes WHERE change = 2 AND rule = 'crowded'"),
    (Law::Alerts, "UPDATE alert_changes SET alert = '00000000-0000-0000-0000-0000000000ff' WHERE change = 4"),
    (Law::Alerts, "UPDATE alert_changes SET alert = (SELECT max(alert) FROM alert_changes) WHERE change = 0"),
    (Law::Alerts, "UPDATE alert_changes SET condition = '{\"kind\":\"unobserved\"}' WHERE change = 4"),
    (Law::Standings, "DELETE FROM alerts"),
    (
        Law::Standings,
        "DELETE FROM alert_changes WHERE id = (SELECT max(id) FROM alert_changes WHERE rule = 'crowded')",
    ),
    (Law::Standings, "UPDATE alert_changes SET at = at + 1 WHERE change = 2"),
    (
        Law::Standings,
        "UPDATE alerts SET state = (SELECT state FROM alerts WHERE channel = 'room.1') WHERE channel = 'room.0'",
    ),
    (Law::Deliveries, "UPDATE deliveries SET due = NULL WHERE status = 0"),
    (Law::Deliveries, "UPDATE deliveries SET status = 2"),
    (Law::Deliveries, "UPDATE deliveries SET kind = 1"),
    (Law::Deliveries, "UPDATE deliveries SET count = count + 1"),
    (Law::Deliveries, "UPDATE deliveries SET count = 0"),
    (Law::Deliveries, "UPDATE deliveries SET attempts = attempts + 1"),
    (Law::Deliveries, "UPDATE deliveries SET attempts_before = attempts + 1"),
    (Law::Deliveries, "UPDATE deliveries SET event_id = 9999 WHERE event_id IS NOT NULL"),
    (Law::Deliveries, "UPDATE deliveries SET event_id = 1 WHERE event_id IS NOT NULL"),
    (Law::Deliveries, "UPDATE deliveries SET rule = rule || number WHERE rule <> ''"),
    (Law::Deliveries, "DELETE FROM attempts"),
    (Law::Deliveries, "DELETE FROM notifications"),
    (Law::Deliveries, "UPDATE notifications SET change_id = 9999 + change_id"),
    (Law::Deliveries, "UPDATE alert_changes SET change = 3 WHERE change = 2"),
    (Law::Turns, "UPDATE notifiers SET waiting = waiting + 1"),
    (Law::Turns, "UPDATE deliveries SET blocked = blocked + 1"),
    (Law::Turns, "DELETE FROM turns WHERE rule = ''"),
    (Law::Turns, "DELETE FROM turns WHERE rule <> ''"),
    (Law::Turns, "UPDATE turns SET channel_id = 1000 + channel_id"),
    (Law::Turns, "UPDATE turns SET rule = 'other'"),
    (Law::Turns, "UPDATE deliveries SET behind = number + 1 WHERE status = 0 AND rule <> ''"),
];

#[test]
fn what_is_not_damaged_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    std::fs::write(&path, &*SOUND).unwrap();
    let counts = assert_sound(&path).counts;
    assert_eq!((counts.channels, counts.events, counts.visits), (6, 12, 7));
    assert!(counts.gaps >= 4 && counts.runs >= 8 && counts.transitions >= 8, "{counts:?}");
}

/// The damage that is not told as it should be.
fn untold(damage: &[(Law, &str)], is_told: impl Fn(&Broken) -> bool) -> Vec<String> {
    let told = |law, found: &Verified| of(found, law).into_iter().any(&is_told);
    let untold = damage
        .iter()
        .map(|(law, sql)| (law, sql, damaged(sql)))
        .filter(|(law, _, found)| !told(**law, found));
    untold.map(|(law, sql, found)| format!("{law:?}: {sql}: {:#?}", found.broken)).collect()
}

#[test]
fn what_is_damaged_in_a_channel_is_told_with_its_name() {
    let untold = untold(DAMAGE, |breach| breach.channel.as_deref() == Some("lobby"));
    assert!(untold.is_empty(), "{}", untold.join("\n"));
}

#[test]
fn what_is_damaged_elsewhere_is_told() {
    let untold = untold(ELSEWHERE, |_| true);
    assert!(untold.is_empty(), "{}", untold.join("\n"));
}

#[test]
fn every_law_is_broken_by_some_damage() {
    for law in Law::ALL {
        assert!(DAMAGE.iter().chain(ELSEWHERE).any(|(broken, _)| *broken == law), "{law:?}");
    }
}

#[test]
fn a_breach_names_the_user_and_the_numbers() {
    let found = damaged("UPDATE visits SET state = '' WHERE channel_id = 1 AND opened = 5");
    let [breach] = &found.broken[..] else { panic!("{:#?}", found.broken) };
    assert_eq!((breach.law, breach.channel.as_deref()), (Law::Roster, Some("lobby")));
    assert_eq!(breach.user.as_deref(), Some("'; DROP TABLE events; --"));
    assert!(breach.what.contains("the visit of event 5 "), "{}", breach.what);
}

#[test]
fn of_each_law_some_breaches_are_listed_and_the_rest_is_counted() {
    let insert = "INSERT INTO gaps WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) \
                  SELECT 2, 50000000 + 10 * i, 0, 50000005 + 10 * i, 13 FROM n";
    let found = damaged(&format!("{insert}; DELETE FROM event_blocks"));
    let listed = |law| u64::try_from(of(&found, law).len()).unwrap();
    assert_eq!(listed(Law::Gaps), MAX_LISTED);
    assert_eq!(listed(Law::Blocks), 12);
    // Each has no reason of its kind, and ends without an observation.
    assert!(found.more >= 200 - MAX_LISTED, "{}", found.more);
}

#[test]
fn a_file_that_cannot_be_read_to_its_end_is_broken_or_refused_but_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let mut told = 0;
    for page in (4096..SOUND.len()).step_by(4096) {
        let mut bytes = SOUND.clone();
        bytes[page..page + 64].fill(0xA5);
        std::fs::write(&path, bytes).unwrap();
        match adsum::history::sqlite::verify(&path, &mut |_| ()) {
            Ok(verified) => {
                assert!(!of(&verified, Law::File).is_empty(), "page {}: {:#?}", page / 4096, verified.broken);
                told += 1;
            }
            Err(error) => assert!(!error.is_retryable(), "{error}"),
        }
    }
    assert!(told > 10, "{told}");
}
