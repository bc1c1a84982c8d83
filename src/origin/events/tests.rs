use super::super::state::State;
use super::*;

const START: Moment = Moment::from_micros(1_700_000_000_000_000);
const INTERVAL: Duration = Duration::from_secs(10);

fn at(seconds: u64) -> Moment {
    START.after(Duration::from_secs(seconds))
}

fn change(kind: ChangeKind, user: &str, occupancy: usize, seconds: u64) -> Change {
    Change { channel: "c".into(), user: user.into(), kind, occupancy, at: at(seconds) }
}

fn names(all: &[&str]) -> Vec<Name> {
    all.iter().map(|&name| name.into()).collect()
}

/// An announcer whose channel is a crowd since second 0, when `third` joined as the third of at most two.
fn crowd() -> Announcer {
    let mut announcer = Announcer::new(2, INTERVAL);
    for (user, occupancy) in [("first", 1), ("second", 2)] {
        assert!(announcer.take(change(ChangeKind::Join, user, occupancy, 0)).is_some());
    }
    assert!(announcer.take(change(ChangeKind::Join, "third", 3, 0)).is_none());
    announcer
}

fn interval(announcer: &mut Announcer, seconds: u64, occupancy: usize) -> Interval {
    let mut events = announcer.intervals(at(seconds), |_| occupancy);
    assert_eq!(events.len(), 1);
    match events.remove(0) {
        Event::Interval(interval) => interval,
        Event::One(change) => panic!("{change:?}"),
    }
}

#[test]
fn a_crowd_is_told_of_every_interval_whether_or_not_anything_changed() {
    let mut announcer = crowd();
    assert_eq!(announcer.next_due(), Some(at(10)));
    assert!(announcer.intervals(at(9), |_| 3).is_empty());
    let first = interval(&mut announcer, 10, 3);
    assert_eq!((first.occupancy, first.at), (3, at(10)));
    assert_eq!(first.deltas, Some(Deltas { join: names(&["third"]), ..Deltas::default() }));
    assert_eq!(interval(&mut announcer, 20, 3).deltas, Some(Deltas::default()));
}

#[test]
fn what_came_and_went_within_an_interval_cancels_out() {
    let mut announcer = crowd();
    for (kind, user) in [
        (ChangeKind::Leave, "third"),
        (ChangeKind::Leave, "first"),
        (ChangeKind::Join, "first"),
        (ChangeKind::Timeout, "second"),
        (ChangeKind::Join, "fourth"),
    ] {
        assert!(announcer.take(change(kind, user, 3, 5)).is_none());
    }
    let deltas = interval(&mut announcer, 10, 3).deltas.unwrap();
    assert_eq!(deltas, Deltas { join: names(&["fourth"]), leave: vec![], timeout: names(&["second"]) });
}

#[test]
fn a_crowd_that_shrank_is_told_of_once_more_and_then_one_by_one_again() {
    let mut announcer = crowd();
    assert!(announcer.take(change(ChangeKind::Leave, "first", 2, 1)).is_none());
    let last = interval(&mut announcer, 10, 2);
    assert_eq!(last.deltas.unwrap().leave, names(&["first"]));
    assert_eq!(announcer.next_due(), None);
    assert!(matches!(announcer.take(change(ChangeKind::Leave, "second", 1, 11)), Some(Event::One(_))));
}

#[test]
fn changes_of_state_are_always_announced() {
    let mut announcer = crowd();
    let kind = ChangeKind::StateChange(State::parse("{}").unwrap());
    assert!(matches!(announcer.take(change(kind, "first", 3, 1)), Some(Event::One(_))));
}

#[test]
fn an_interval_with_too_many_names_names_nobody() {
    let mut announcer = crowd();
    for n in 0..100 {
        announcer.take(change(ChangeKind::Join, &format!("{n:0>400}"), 3, 1));
    }
    assert_eq!(interval(&mut announcer, 10, 103).deltas, None);
    assert_eq!(interval(&mut announcer, 20, 103).deltas, Some(Deltas::default()));
}

#[test]
fn intervals_that_nobody_came_round_to_are_not_made_up_for() {
    let mut announcer = crowd();
    assert_eq!(announcer.intervals(at(95), |_| 3).len(), 1);
    assert_eq!(announcer.next_due(), Some(at(95).after(INTERVAL)));
}
