//! What is over of alerts goes when it is as old as anything is kept; what stands, waits or is needed stays.

use adsum::domain::alert::Change;
use adsum::domain::gap::{Gap, GapReason};
use adsum::domain::names::ChannelName;
use adsum::history::alerts::{AlertQuery, Outcome};
use adsum::history::{Entry, History};
use rusqlite::Connection;

use crate::alerting::{attempt, changes, channel, deliveries, due, hook, notifier, resolved, told, watched};
use crate::given::{extended, moment, open, time};

/// The watch of a channel ends at 2 s.
fn unwatched(channel: &ChannelName) -> Entry {
    let mut entry = extended(channel, moment(2_000_000, 2_001_000));
    entry.changes.gaps = vec![Gap::open(time(2_000_000), GapReason::Unwatched)];
    entry
}

fn expire(history: &dyn History, before: i64) {
    while history.expire(time(before), 3).unwrap() {}
}

fn ids(history: &dyn History) -> (Vec<i64>, Vec<i64>) {
    let changes = changes(history).iter().map(|change| change.id).collect();
    (changes, deliveries(history).iter().map(|delivery| delivery.number).collect())
}

#[test]
fn what_is_finished_goes_with_what_it_told_of_and_what_waits_stays() {
    let folder = tempfile::tempdir().unwrap();
    let history = open(&folder);
    history.begin(&[channel(0), channel(1)], time(0)).unwrap();
    history.commit(&[told(&channel(0), "crowded", Change::Pending, 1, &[])]).unwrap();
    history.commit(&[told(&channel(0), "crowded", Change::Firing, 2, &[hook(), notifier("mail")])]).unwrap();
    history.commit(&[told(&channel(0), "crowded", resolved(), 3, &[hook()])]).unwrap();
    history.attempted(1, &attempt(1, 10, false), Outcome::Again(time(11))).unwrap();
    history.attempted(1, &attempt(2, 11, true), Outcome::Delivered).unwrap();
    expire(history.as_ref(), 11);
    assert_eq!(ids(history.as_ref()), (vec![2, 3], vec![1, 2, 3]), "not yet");
    expire(history.as_ref(), 12);
    assert_eq!(ids(history.as_ref()), (vec![2, 3], vec![2, 3]), "two wait");
    history.attempted(2, &attempt(1, 12, false), Outcome::Failed).unwrap();
    history.give_up(&hook(), time(13), "gone").unwrap();
    expire(history.as_ref(), 13);
    assert_eq!(ids(history.as_ref()), (vec![3], vec![3]));
    let id = deliveries(history.as_ref())[0].id.clone();
    history.retry(&id, time(20)).unwrap();
    expire(history.as_ref(), i64::MAX);
    assert_eq!(ids(history.as_ref()), (vec![3], vec![3]), "it waits again");
    assert_eq!(due(history.as_ref(), &hook(), 20), [3]);
    history.attempted(3, &attempt(1, 21, true), Outcome::Delivered).unwrap();
    expire(history.as_ref(), i64::MAX);
    assert_eq!(ids(history.as_ref()), (vec![], vec![]));
    drop(history);
    let history = open(&folder);
    history.commit(&[told(&channel(1), "crowded", Change::Firing, 30, &[hook()])]).unwrap();
    assert_eq!(ids(history.as_ref()), (vec![4], vec![4]), "no number is used again");
}

#[test]
fn how_an_alert_stands_is_never_forgotten_nor_is_its_channel() {
    let (_folder, history) = watched(2);
    history.commit(&[told(&channel(0), "crowded", Change::Firing, 1, &[])]).unwrap();
    history.commit(&[unwatched(&channel(0)), unwatched(&channel(1))]).unwrap();
    expire(history.as_ref(), i64::MAX);
    assert_eq!(ids(history.as_ref()), (vec![], vec![]));
    assert_eq!(history.channels(None, 9).unwrap(), [channel(0)]);
    let standing = history.alerts(&AlertQuery { limit: 9, ..AlertQuery::default() }).unwrap();
    assert_eq!(standing.len(), 1);
    assert_eq!(history.standings(&channel(0)).unwrap().len(), 1);
    history.commit(&[told(&channel(0), "crowded", resolved(), 9_000_000, &[])]).unwrap();
    expire(history.as_ref(), 9_000_000);
    assert_eq!(history.channels(None, 9).unwrap(), [channel(0)], "what became of it is kept");
    expire(history.as_ref(), 9_000_001);
    assert_eq!(history.channels(None, 9).unwrap(), [] as [ChannelName; 0]);
}

#[test]
fn a_channel_is_kept_as_long_as_a_delivery_tells_of_it() {
    let (_folder, history) = watched(3);
    let subscribers = [adsum::history::alerts::Subscriber {
        notifier: hook(),
        kinds: vec![adsum::domain::event::EventKind::Present],
    }];
    let arrival = crate::given::arrival(&channel(0), &crate::given::ada(), 1);
    let arrival = Entry { subscribers: subscribers.into(), ..arrival };
    history.commit(&[arrival, told(&channel(1), "crowded", Change::Firing, 1, &[hook()])]).unwrap();
    let mut over = told(&channel(1), "crowded", resolved(), 2, &[]);
    over.changes = unwatched(&channel(1)).changes;
    history.commit(&[unwatched(&channel(0)), over, unwatched(&channel(2))]).unwrap();
    expire(history.as_ref(), i64::MAX);
    assert_eq!(history.channels(None, 9).unwrap(), [channel(0), channel(1)]);
    assert_eq!(due(history.as_ref(), &hook(), i64::MAX), [1, 2]);
    history.attempted(1, &attempt(1, 21, true), Outcome::Delivered).unwrap();
    expire(history.as_ref(), i64::MAX);
    assert_eq!(history.channels(None, 9).unwrap(), [channel(1)]);
    history.attempted(2, &attempt(1, 21, true), Outcome::Delivered).unwrap();
    expire(history.as_ref(), i64::MAX);
    assert_eq!(history.channels(None, 9).unwrap(), [] as [ChannelName; 0]);
    history.begin(&[channel(1)], time(9)).unwrap();
    history.commit(&[told(&channel(1), "crowded", Change::Firing, 30, &[hook()])]).unwrap();
    assert_eq!(ids(history.as_ref()), (vec![3], vec![3]), "it may come again");
}

#[test]
fn a_few_rows_go_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let history = open(&folder);
    history.begin(&(0..20).map(channel).collect::<Vec<_>>(), time(0)).unwrap();
    let entries: Vec<_> = (0..20)
        .map(|n| told(&channel(n), "crowded", Change::Firing, 1, &[hook(), notifier("mail")]))
        .collect();
    history.commit(&entries).unwrap();
    for number in [1, 2] {
        for tried in 1..=5 {
            history.attempted(number, &attempt(tried, 5, false), Outcome::Again(time(6))).unwrap();
        }
        history.attempted(number, &attempt(6, 7, true), Outcome::Delivered).unwrap();
    }
    let connection = Connection::open(folder.path().join("history.db")).unwrap();
    let rows = || -> i64 {
        let tables = ["deliveries", "notifications", "attempts", "alert_changes", "silences"];
        tables
            .iter()
            .map(|table| {
                let count = format!("SELECT count(*) FROM {table}");
                connection.query_row(&count, [], |row| row.get::<_, i64>(0)).unwrap()
            })
            .sum()
    };
    let mut left = rows();
    assert_eq!(left, 2 + 40 + 12 + 20);
    let mut more = true;
    while more {
        more = history.expire(time(8), 7).unwrap();
        let now = rows();
        assert!(left - now <= 7 && (now < left || !more), "{left} -> {now}");
        left = now;
        for delivery in deliveries(history.as_ref()) {
            assert!(history.delivery(&delivery.id).unwrap().is_some());
        }
    }
    assert_eq!(left, 0);
}
