//! Silences are kept until they are over for as long as anything is kept, and no number is used again.

use std::time::Duration;

use adsum::domain::alert::{Matcher, Severity, Silence};
use adsum::domain::watch::Target;
use adsum::history::HistoryError;
use adsum::history::alerts::MAX_SILENCES;
use rusqlite::Connection;

use crate::alerting::rule;
use crate::given::{fresh, open, time};

/// A silence from one second until another.
pub(crate) fn silence(from: i64, until: i64) -> Silence {
    let channel = Some(Target::new("room.*").unwrap());
    let matcher = Matcher { rule: Some(rule("crowded")), channel, severity: Some(Severity::Info) };
    let second = |at: i64| time(at * 1_000_000);
    Silence::new(matcher, second(from), second(until), "Ada L.", "moving house\n'; --").unwrap()
}

#[test]
fn a_silence_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let history = open(&folder);
    let channel = |text| Matcher { channel: Some(Target::new(text).unwrap()), ..nothing() };
    let matchers = [
        Matcher { rule: Some(rule("crowded")), ..nothing() },
        channel("lobby"),
        channel("\u{202e}чат😀\u{1b}[31m"),
        channel("*"),
        Matcher { severity: Some(Severity::Critical), ..nothing() },
    ];
    let mut kept = vec![history.add_silence(&silence(1, 2), time(7)).unwrap().unwrap()];
    for matcher in matchers {
        let silence = Silence::new(matcher, time(-5), time(5), "a", "b").unwrap();
        kept.push(history.add_silence(&silence, time(8)).unwrap().unwrap());
    }
    drop(history);
    assert_eq!(open(&folder).silences(None).unwrap(), kept);
    assert_eq!(kept.iter().map(|kept| kept.id).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert_eq!((kept[0].created, &kept[0].silence), (time(7), &silence(1, 2)));
}

fn nothing() -> Matcher {
    Matcher { rule: None, channel: None, severity: None }
}

#[test]
fn silences_that_are_over_are_told_only_if_asked_for() {
    let (_folder, history) = fresh();
    for until in [3, 9, 5] {
        history.add_silence(&silence(1, until), time(0)).unwrap().unwrap();
    }
    let told = |over: Option<i64>| -> Vec<i64> {
        let over = over.map(|seconds| time(seconds * 1_000_000));
        history.silences(over).unwrap().iter().map(|kept| kept.id).collect()
    };
    assert_eq!(told(None), [1, 2, 3]);
    assert_eq!(told(Some(2)), [1, 2, 3]);
    assert_eq!(told(Some(3)), [2, 3], "it mutes until just before its end");
    assert_eq!(told(Some(9)), [0; 0]);
}

#[test]
fn a_silence_ends_when_it_is_ended_and_one_that_has_not_begun_is_gone() {
    let (_folder, history) = fresh();
    for _ in 0..3 {
        history.add_silence(&silence(10, 20), time(0)).unwrap().unwrap();
    }
    let second = Duration::from_secs(1);
    let (begins, ends) = (silence(10, 20).from(), silence(10, 20).until());
    assert!(history.end_silence(1, begins.plus(second)).unwrap());
    assert!(!history.end_silence(1, begins.plus(second)).unwrap(), "it is over already");
    assert!(history.end_silence(2, begins).unwrap(), "it muted nothing yet");
    assert!(!history.end_silence(2, begins).unwrap());
    assert!(!history.end_silence(3, ends).unwrap(), "it was over by itself");
    assert!(!history.end_silence(99, begins).unwrap());
    let kept = history.silences(None).unwrap();
    let told: Vec<_> = kept.iter().map(|kept| (kept.id, kept.silence.until())).collect();
    assert_eq!(told, [(1, begins.plus(second)), (3, ends)]);
    assert_eq!(kept[0].silence, silence(10, 20).ended(begins.plus(second)).unwrap());
}

#[test]
fn no_number_is_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let history = open(&folder);
    for number in 1..=2 {
        assert_eq!(history.add_silence(&silence(1, 2), time(0)).unwrap().unwrap().id, number);
    }
    assert!(history.end_silence(2, time(0)).unwrap());
    assert!(!history.expire(time(2_000_001), 9).unwrap());
    assert_eq!(history.silences(None).unwrap(), []);
    drop(history);
    assert_eq!(open(&folder).add_silence(&silence(1, 2), time(0)).unwrap().unwrap().id, 3);
}

#[test]
fn a_silence_is_kept_until_it_is_over_for_longer_than_anything_is_kept() {
    let (_folder, history) = fresh();
    for until in [2, 3, 4] {
        history.add_silence(&silence(1, until), time(0)).unwrap().unwrap();
    }
    while history.expire(time(3_000_000), 1).unwrap() {}
    let kept: Vec<_> = history.silences(None).unwrap().iter().map(|kept| kept.id).collect();
    assert_eq!(kept, [2, 3]);
}

#[test]
fn there_are_never_more_than_are_kept_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let history = open(&folder);
    history.add_silence(&silence(1, 2), time(0)).unwrap().unwrap();
    let rest = i64::try_from(MAX_SILENCES).unwrap() - 2;
    Connection::open(folder.path().join("history.db"))
        .unwrap()
        .execute(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1) \
             INSERT INTO silences (created, rule, begins, ends, author, reason) \
             SELECT s.created, s.rule, s.begins, s.ends, s.author, s.reason FROM silences s, n",
            [rest],
        )
        .unwrap();
    let last = history.add_silence(&silence(1, 2), time(0)).unwrap().unwrap();
    assert_eq!(history.silences(None).unwrap().len(), MAX_SILENCES);
    assert_eq!(history.add_silence(&silence(1, 2), time(0)).unwrap(), None);
    assert!(history.end_silence(last.id, time(0)).unwrap());
    assert!(history.add_silence(&silence(1, 2), time(0)).unwrap().is_some());
}

#[test]
fn a_silence_that_cannot_be_kept_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let history = open(&folder);
    let other = Connection::open(folder.path().join("history.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = history.add_silence(&silence(1, 2), time(0));
    assert!(matches!(refused, Err(HistoryError::Unavailable(_))), "{refused:?}");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(history.silences(None).unwrap(), []);
}
