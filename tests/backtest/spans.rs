//! Parts of the record, and more of it than is read at once.

use std::time::Duration;

use adsum::domain::alert::backtest::{Count, Downtime, Edge, MAX_SPELLS, Outcome, Question};
use adsum::domain::alert::{Condition, OnGap, Rule};
use adsum::domain::names::{ChannelName, UserId};
use adsum::domain::time::{Time, Window};
use adsum::history::History;
use adsum::history::backtest::of_channel;
use adsum::history::sqlite::{ReadOnly, Sqlite};
use tempfile::TempDir;

use crate::agreement::backtest;
use crate::days::{ADA, Happening, Poll};
use crate::live::{BEGINNING, Daemon, GAP_AFTER};
use crate::rules::plain;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn at(seconds: u64) -> Time {
    BEGINNING.plus(secs(seconds))
}

fn lobby() -> ChannelName {
    ChannelName::new("lobby").unwrap()
}

/// Polled every 5 s, answered at once, for a minute each with so many and ada there or not; `None`: nothing is seen.
fn minutes(rules: &[Rule], minutes: &[Option<(u8, bool)>]) -> (TempDir, Daemon) {
    let folder = tempfile::tempdir().unwrap();
    let history = Sqlite::open(&folder.path().join("history.db")).unwrap();
    let mut daemon = Daemon::start(history, &[lobby()], rules);
    for minute in minutes {
        let poll = minute.map_or(Poll::Nothing, |(others, ada)| Poll::Whole { others, ada });
        for _ in 0..12 {
            daemon.live(&[Happening::Polls { after: 5_000, takes: 0, polls: [poll; 2] }]);
        }
    }
    daemon.live(&[Happening::Mark]);
    (folder, daemon)
}

fn asked(folder: &TempDir, rule: &Rule, from: Time, to: Time) -> Outcome {
    let mut file = ReadOnly::open(&folder.path().join("history.db")).unwrap();
    let downtime = Downtime::none();
    let question = Question { rule, from, to, opens_after: GAP_AFTER, downtime: &downtime };
    of_channel(&file.view().unwrap(), &question, &lobby(), &mut |_| ()).unwrap().unwrap()
}

fn crowded() -> Rule {
    Rule { hold_for: secs(10), ..plain(Condition::OccupancyAbove { bound: 5, clear_below: 6 }) }
}

#[test]
fn what_fires_when_the_span_begins_is_listed_with_its_beginning_and_counted_within_the_span_alone() {
    let rule = crowded();
    let days = [Some((1, false)), Some((9, false)), Some((1, false))];
    let (folder, _daemon) = minutes(std::slice::from_ref(&rule), &days);
    let whole = asked(&folder, &rule, at(0), at(180));
    assert_eq!(
        (whole.fired, whole.resolved),
        (Count { min: 1, max: Some(1) }, Count { min: 1, max: Some(1) })
    );
    // Seen first at 65 s, so due at 75 s, and met within the widest step, 8 s.
    let fired = Window { not_before: Some(at(75)), not_after: at(83) };
    assert_eq!((whole.spells[0].fired, whole.spells[0].since.not_after), (fired, at(65)));
    assert_eq!((whole.firing.min, whole.firing.max), (secs(42), secs(50)), "until 125 s");
    let part = asked(&folder, &rule, at(100), at(110));
    assert_eq!((part.fired, part.resolved, part.pending), (Count::NONE, Count::NONE, Count::NONE));
    assert_eq!((part.spells.len(), part.spells[0].fired), (1, fired));
    assert_eq!((part.firing.min, part.firing.max), (secs(10), secs(10)));
    assert!((part.coverage.share() - 1.0).abs() < f64::EPSILON, "{:?}", part.coverage);
    assert!(asked(&folder, &rule, at(0), at(60)).spells.is_empty());
    assert!(asked(&folder, &rule, at(130), at(180)).spells.is_empty());
}

#[test]
fn what_is_no_longer_kept_is_not_judged() {
    let rule = crowded();
    let days = [Some((9, false)), Some((1, false)), Some((9, false)), Some((1, false))];
    let (folder, daemon) = minutes(std::slice::from_ref(&rule), &days);
    assert_eq!(asked(&folder, &rule, at(0), at(240)).fired.min, 2);
    while daemon.history.expire(at(100), 1000).unwrap() {}
    let left = asked(&folder, &rule, at(0), at(240));
    assert_eq!(left.fired, Count { min: 1, max: Some(1) });
    assert!(left.coverage.share() < 0.6, "{:?}", left.coverage);
}

#[test]
fn firings_say_what_gaps_have_to_do_with_them() {
    let rule = Rule { on_gap: OnGap::Resolve, ..crowded() };
    let days = [Some((9, false)), None, Some((9, false)), Some((1, false))];
    let (folder, _daemon) = minutes(std::slice::from_ref(&rule), &days);
    let found = asked(&folder, &rule, at(0), at(240));
    let edges: Vec<(Edge, Edge)> =
        found.spells.iter().map(|spell| (spell.began, spell.ended.as_ref().unwrap().edge)).collect();
    assert_eq!(edges, [(Edge::Observed, Edge::Gap), (Edge::AfterGap, Edge::Observed)]);
    assert_eq!((found.began_in_gap.min, found.ended_in_gap.min), (1, 1));
    let blind = Rule { hold_for: secs(30), ..plain(Condition::Unobserved) };
    let found = asked(&folder, &blind, at(0), at(240));
    assert_eq!((found.spells.len(), found.spells[0].began), (1, Edge::Gap));
    assert_eq!(
        found.spells[0].fired.not_before,
        Some(at(57 + 30)),
        "the gap counts from when it was last seen"
    );
}

#[test]
fn more_is_read_than_fits_a_page() {
    let ada = || UserId::new(ADA).unwrap();
    let rules = [
        plain(Condition::UserPresent { user: ada() }),
        Rule { on_gap: OnGap::Fire, ..plain(Condition::UserAbsent { user: ada() }) },
        plain(Condition::OccupancyAbove { bound: 3, clear_below: 4 }),
        plain(Condition::Unobserved),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let mut daemon = Daemon::start(Sqlite::open(&path).unwrap(), &[lobby()], &rules);
    for n in 0..4_400_u16 {
        // Ada comes and goes, and each third step is a gap.
        let poll = Poll::Whole { others: u8::try_from(n % 7).unwrap(), ada: n % 2 == 0 };
        let after = if n % 3 == 0 { 20_000 } else { 5_000 };
        daemon.polls(Duration::from_millis(after), Duration::ZERO, &[poll]);
    }
    daemon.live(&[]);
    let mut file = ReadOnly::open(&path).unwrap();
    for (number, rule) in rules.iter().enumerate() {
        let found = backtest(&mut file, rule, &lobby(), daemon.now.plus(secs(1)));
        let agrees = found.agrees(daemon.transitions(0, number));
        assert!(agrees.is_ok() && found.is_certain(), "{number}: {agrees:?}");
        let Outcome { fired, spells, more, .. } = &found.outcome;
        assert!(fired.min > 600, "{fired:?}");
        let listed = u64::try_from(spells.len() + more).unwrap();
        assert!(spells.len() <= MAX_SPELLS && listed == fired.min, "some are listed, the rest is counted");
    }
}
