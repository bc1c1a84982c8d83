//! The judge finds each kind of lie: a record that is right passes, and every way to spoil it is noticed.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::json;

use crate::judge::Judge;
use crate::proxy::Polls;
use crate::record::{Event, Visit, Window};
use crate::tally::Tally;
use crate::wire::Span;

fn at(seconds: f64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs_f64(seconds)
}

/// A request that began at some second took a tenth of one.
fn truly(second: f64) -> Span {
    Span { from: at(second), to: at(second + 0.1) }
}

/// Polls at every whole second but the sixth; "u" was there from 1.2 to 4.2 and from 7.2 to 9.2 and set a state each time.
fn truth() -> (Tally, Polls) {
    let place = ("c".to_owned(), "u".to_owned());
    let mut tally = Tally::default();
    tally.joined(&place, truly(1.2));
    tally.set(&place, truly(2.2), json!({"n": 1}));
    tally.left(&place, truly(4.2));
    tally.joined(&place, truly(7.2));
    tally.set(&place, truly(7.5), json!({"n": 2}));
    tally.left(&place, truly(9.2));
    let polls = Polls::default();
    (0..15).filter(|second| *second != 6).for_each(|second| polls.note("c", truly(f64::from(second))));
    (tally, polls)
}

fn event(id: u64, kind: &str, from: f64, to: f64, state: Option<u32>) -> Event {
    Event {
        id,
        channel: "c".to_owned(),
        user: "u".to_owned(),
        kind: kind.to_owned(),
        window: Window { not_before: Some(at(from)), not_after: at(to) },
        occupancy: Some(u64::from(kind != "leave")),
        state: state.map(|n| json!({"n": n})),
    }
}

fn record() -> Vec<Event> {
    vec![
        event(1, "join", 1.0, 2.1, None),
        event(2, "state", 2.0, 3.1, Some(1)),
        event(3, "leave", 4.0, 5.1, None),
        event(5, "join", 7.0, 8.1, Some(2)),
        event(6, "leave", 9.0, 10.1, None),
    ]
}

/// The visits such events tell of, as far as they tell of any.
fn visits(events: &[Event]) -> Vec<Visit> {
    let mut visits: Vec<Visit> = Vec::new();
    for event in events {
        match event.kind.as_str() {
            "leave" => visits
                .iter_mut()
                .filter(|visit| visit.left.is_none())
                .for_each(|visit| visit.left = Some(event.window)),
            "state" => {}
            _ => visits.push(Visit {
                channel: event.channel.clone(),
                user: event.user.clone(),
                joined: event.window,
                left: None,
            }),
        }
    }
    visits
}

fn complaints(events: &[Event], visits: &[Visit]) -> Vec<String> {
    let (tally, polls) = truth();
    let judge = Judge {
        whole: true,
        tally: &tally,
        polls: &polls,
        cache: SignedDuration::ZERO,
        seen_by: Some(1),
        exempt: BTreeSet::new(),
    };
    judge.judge(events, visits).1
}

#[test]
fn a_record_that_is_right_passes() {
    assert_eq!(complaints(&record(), &visits(&record())), Vec::<String>::new());
}

#[test]
fn a_lost_visit_is_noticed() {
    assert!(!complaints(&record(), &visits(&record())[1..]).is_empty());
}

#[rstest]
#[case::nothing_is_recorded(|events: &mut Vec<Event>| events.clear())]
#[case::a_stay_is_missing(|events: &mut Vec<Event>| events.truncate(3))]
#[case::a_stay_never_ends(|events: &mut Vec<Event>| events.truncate(4))]
#[case::two_stays_are_one(|events: &mut Vec<Event>| drop(events.drain(2..4)))]
#[case::a_stay_is_split(|events: &mut Vec<Event>| {
    events.insert(2, event(30, "leave", 3.0, 3.5, None));
    events.insert(3, event(31, "join", 3.5, 4.1, None));
    events.iter_mut().zip(1..).for_each(|(event, id)| event.id = id);
})]
#[case::a_join_is_too_late(|events: &mut Vec<Event>| events[0].window.not_before = Some(at(1.4)))]
#[case::a_join_is_too_early(|events: &mut Vec<Event>| events[3].window.not_after = at(7.1))]
#[case::a_leave_is_too_late(|events: &mut Vec<Event>| events[4].window.not_before = Some(at(9.4)))]
#[case::a_leave_is_too_early(|events: &mut Vec<Event>| events[4].window.not_after = at(9.1))]
#[case::a_window_is_too_wide(|events: &mut Vec<Event>| events[4].window.not_after = at(12.2))]
#[case::a_join_repeats(|events: &mut Vec<Event>| events.insert(1, event(2, "join", 1.0, 2.1, None)))]
#[case::an_id_repeats(|events: &mut Vec<Event>| events[1].id = 1)]
#[case::an_occupancy_is_wrong(|events: &mut Vec<Event>| events[2].occupancy = Some(1))]
#[case::a_state_is_missing(|events: &mut Vec<Event>| drop(events.remove(1)))]
#[case::a_state_nobody_set(|events: &mut Vec<Event>| events[1].state = Some(json!({"n": 3})))]
#[case::a_state_is_too_early(|events: &mut Vec<Event>| events[1].window.not_after = at(2.1))]
#[case::a_state_that_came_later(|events: &mut Vec<Event>| events[0].state = Some(json!({"n": 2})))]
#[case::a_state_is_lost_without_a_leave(|events: &mut Vec<Event>| events.insert(2, event(2, "state", 3.0, 4.1, None)))]
#[case::a_second_look_proves_nothing(|events: &mut Vec<Event>| {
    events[3].kind = "present".to_owned();
    events[3].window.not_before = None;
})]
#[case::a_stranger_was_there(|events: &mut Vec<Event>| {
    events[4].user = "v".to_owned();
    events[3].user = "v".to_owned();
})]
fn a_lie_is_noticed(#[case] spoil: fn(&mut Vec<Event>)) {
    let mut events = record();
    spoil(&mut events);
    assert!(!complaints(&events, &visits(&events)).is_empty());
}

#[test]
fn what_nobody_could_see_need_not_be_recorded() {
    let (mut tally, polls) = truth();
    let place = ("c".to_owned(), "u".to_owned());
    tally.joined(&place, truly(10.2));
    tally.left(&place, truly(10.5));
    let judge = Judge {
        whole: true,
        tally: &tally,
        polls: &polls,
        cache: SignedDuration::ZERO,
        seen_by: Some(1),
        exempt: BTreeSet::new(),
    };
    assert_eq!(judge.judge(&record(), &visits(&record())).1, Vec::<String>::new());
}
