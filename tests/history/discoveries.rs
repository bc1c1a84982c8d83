//! Discoveries: what has no record was not listed.

use std::time::Duration;

use adsum::domain::channel::Changes;
use adsum::domain::gap::{Gap, GapReason};
use adsum::domain::names::{ChannelName, Pattern};
use adsum::domain::time::Moment;
use adsum::history::{Discovery, Entry, History};

use crate::given::{ada, arrival, fresh, moment, time};

const SECOND: i64 = 1_000_000;

fn name(text: &str) -> ChannelName {
    ChannelName::new(text).unwrap()
}

/// Answered within the second that begins then.
fn at(second: i64) -> Moment {
    moment(second * SECOND, (second + 1) * SECOND)
}

fn note(history: &dyn History, second: i64, patterns: &[&str], listed: &[&str]) {
    let discovery = Discovery {
        moment: at(second),
        patterns: patterns.iter().map(|text| Pattern::new(text).unwrap()).collect(),
        listed: listed.iter().map(|text| name(text)).collect(),
        patience: Duration::from_secs(90),
    };
    history.discovered(&discovery).unwrap();
}

/// Up to which second the channel is known to have had nobody.
fn absent(history: &dyn History, channel: &str) -> Option<i64> {
    let complete = history.checkpoint(&name(channel)).unwrap().unwrap().roster.complete();
    complete.map(|moment| moment.earliest.as_micros() / SECOND)
}

#[test]
fn a_channel_begins_with_the_last_discovery_that_did_not_list_it() {
    let (_folder, history) = fresh();
    note(&*history, 10, &["room.*"], &["room.1"]);
    note(&*history, 40, &["room.*", "hall.*"], &["room.1", "room.2", "hall.1"]);
    history.begin(&[name("room.3"), name("hall.2"), name("lobby")], time(45 * SECOND)).unwrap();
    for (channel, expected) in [
        ("room.1", None),
        ("room.2", Some(10)),
        ("room.3", Some(40)),
        ("hall.1", None),
        ("hall.2", Some(40)),
        ("lobby", None),
    ] {
        assert_eq!(absent(&*history, channel), expected, "{channel}");
    }
}

#[test]
fn an_older_discovery_changes_nothing_but_begins_what_it_lists() {
    let (_folder, history) = fresh();
    note(&*history, 40, &["room.*"], &[]);
    note(&*history, 10, &["room.*"], &["room.1"]);
    assert_eq!(absent(&*history, "room.1"), Some(40));
    let unlisted = history.unlisted(&name("room.2"), time(50 * SECOND)).unwrap().unwrap();
    assert_eq!((unlisted.run.first, unlisted.run.last), (at(40), at(40)));
}

#[test]
fn discoveries_are_series_that_pauses_and_restarts_end() {
    let (_folder, history) = fresh();
    for second in [0, 30, 60, 500, 530] {
        note(&*history, second, &["room.*"], &[]);
    }
    history.recover().unwrap();
    note(&*history, 560, &["room.*"], &[]);
    let unlisted = |second: i64| {
        let found = history.unlisted(&name("room.1"), time(second * SECOND)).unwrap()?;
        Some((found.run.first, found.run.last, found.goes_on))
    };
    assert_eq!(unlisted(-1), None);
    assert_eq!(unlisted(61), Some((at(0), at(60), false)));
    assert_eq!(unlisted(400), Some((at(0), at(60), false)));
    assert_eq!(unlisted(501), Some((at(500), at(530), false)));
    assert_eq!(unlisted(561), Some((at(560), at(560), true)));
    let widest = history.unlisted(&name("room.1"), time(5 * SECOND)).unwrap().unwrap().run.widest;
    assert_eq!(widest, Duration::from_secs(31));
    assert_eq!(history.unlisted(&name("lobby"), time(61 * SECOND)).unwrap(), None);
}

#[test]
fn what_is_listed_later_was_not_there_up_to_the_discovery_before() {
    let (_folder, history) = fresh();
    for second in [0, 30, 60] {
        note(&*history, second, &["room.*"], &[]);
    }
    note(&*history, 90, &["room.*"], &["room.1"]);
    note(&*history, 120, &["room.*"], &[]);
    let unlisted = history.unlisted(&name("room.1"), time(200 * SECOND)).unwrap().unwrap();
    assert_eq!((unlisted.run.last.earliest, unlisted.goes_on), (time(60 * SECOND), false));
    history.begin(&[name("lobby")], time(0)).unwrap();
    assert_eq!(history.unlisted(&name("lobby"), time(200 * SECOND)).unwrap(), None);
}

#[test]
fn a_pattern_that_is_gone_ends_its_series() {
    let (_folder, history) = fresh();
    note(&*history, 0, &["room.*", "hall.*"], &[]);
    note(&*history, 30, &["hall.*"], &[]);
    note(&*history, 60, &["room.*", "hall.*"], &[]);
    let first = |channel: &str| {
        let found = history.unlisted(&name(channel), time(61 * SECOND)).unwrap().unwrap();
        found.run.first
    };
    assert_eq!((first("room.1"), first("hall.1")), (at(60), at(0)));
}

#[test]
fn an_unwatched_channel_that_is_listed_again_is_not_forgotten() {
    let (_folder, history) = fresh();
    for channel in ["room.1", "room.2"] {
        history.begin(&[name(channel)], time(0)).unwrap();
        history.commit(&[arrival(&name(channel), &ada(), 1)]).unwrap();
        let gaps = vec![Gap::open(time(3 * SECOND), GapReason::Unwatched)];
        let changes = Changes { gaps, ..Changes::default() };
        history.commit(&[Entry::new(name(channel), changes)]).unwrap();
    }
    note(&*history, 100, &["room.*"], &["room.1"]);
    while history.expire(time(50 * SECOND), 1000).unwrap() {}
    assert!(history.channel(&name("room.1")).unwrap().is_some(), "it is watched again");
    assert!(history.channel(&name("room.2")).unwrap().is_none());
    while history.expire(time(200 * SECOND), 1000).unwrap() {}
    assert!(history.channel(&name("room.1")).unwrap().is_none());
}

#[test]
fn old_series_are_forgotten_and_the_one_that_goes_on_is_shortened() {
    let (_folder, history) = fresh();
    let day = 86_400;
    note(&*history, 0, &["room.*"], &[]);
    for second in [2 * day, 2 * day + 30, 4 * day, 4 * day + 30] {
        note(&*history, second, &["room.*"], &[]);
    }
    history.expire(time(4 * day * SECOND + 2 * SECOND), 1000).unwrap();
    let unlisted = |second: i64| history.unlisted(&name("room.1"), time(second * SECOND)).unwrap();
    assert_eq!(unlisted(2 * day + 5), None);
    assert_eq!(unlisted(4 * day + 1), None);
    assert_eq!(unlisted(4 * day + 2).map(|found| found.run.last), Some(at(4 * day + 30)));
}

/// It was deleted as a whole, with the weeks that are kept, because it began before them.
#[test]
fn what_discoveries_proved_in_the_time_that_is_kept_outlasts_a_restart() {
    let (_folder, history) = fresh();
    let (day, hour) = (86_400, 3600);
    for day in (0..40).map(|n| n * day) {
        let discovery = Discovery {
            moment: at(day),
            patterns: vec![Pattern::new("room.*").unwrap()],
            listed: Vec::new(),
            patience: Duration::from_secs(2 * 86_400),
        };
        history.discovered(&discovery).unwrap();
    }
    let proven = |second: i64| history.unlisted(&name("room.1"), time(second * SECOND)).unwrap().is_some();
    history.expire(time(10 * day * SECOND), 1000).unwrap();
    assert!(proven(10 * day) && !proven(10 * day - 1), "it goes on, and is shortened");
    history.recover().unwrap();
    history.expire(time((10 * day + 60) * SECOND), 1000).unwrap();
    let sooner = 10 * day + hour + 60;
    assert!(proven(30 * day) && proven(sooner), "nobody was there in the time that is kept");
    assert!(!proven(sooner - 1), "a channel of its last hour may be forgotten");
    history.expire(time(39 * day * SECOND), 1000).unwrap();
    assert!(!proven(39 * day + 10), "the last hour of one that is over is forgotten at once");
}
