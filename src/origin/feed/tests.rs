use std::time::Duration;

use futures_util::FutureExt;

use super::super::events::Deltas;
use super::super::state::State;
use super::super::world::{Change, ChangeKind};
use super::*;

const START: Moment = Moment::from_micros(1_700_000_000_000_000);

fn event(channel: &str) -> Event {
    let (kind, user) = (ChangeKind::Join, Name::from("u"));
    Event::One(Change { channel: channel.into(), user, kind, occupancy: 1, at: START })
}

fn to(topic: &str, matched: &str) -> Subscription {
    let mut subscription = Subscription::default();
    subscription.add(topic.into(), matched.into());
    subscription
}

fn matches(feed: &Feed, from: Timetoken, subscription: &Subscription) -> Vec<String> {
    let (_, deliveries) = feed.since(from, subscription);
    deliveries.iter().map(|d| format!("{} {} {}", d.message.event.channel(), d.topic, d.matched)).collect()
}

#[test]
fn timetokens_are_seventeen_digits_and_strictly_increase() {
    let mut feed = Feed::new();
    let first = feed.tick(START);
    assert_eq!(first.0.to_string().len(), 17);
    assert_eq!(feed.tick(START), Timetoken(first.0 + 1));
    let later = START.after(Duration::from_secs(1));
    assert_eq!(feed.tick(later).0, later.micros() * 10);
}

#[test]
fn a_late_poll_gets_what_it_missed_and_goes_on_from_there() {
    let mut feed = Feed::new();
    feed.publish(event("c"));
    let from = feed.tick(START);
    feed.publish(event("c"));
    feed.publish(event("other"));
    let (next, deliveries) = feed.since(from, &to("c", "c"));
    assert_eq!(deliveries.len(), 1);
    assert!(feed.since(next, &to("c", "c")).1.is_empty());
}

#[test]
fn a_message_is_matched_by_its_channel_its_groups_and_wildcards_two_levels_deep() {
    let mut feed = Feed::new();
    feed.publish(event("a.b.c"));
    let all = |subscription| matches(&feed, Timetoken(0), &subscription);
    assert_eq!(all(to("a.b.c", "g")), ["a.b.c a.b.c g"]);
    assert_eq!(all(to("a.*", "a.*")), ["a.b.c a.* a.*"]);
    assert_eq!(all(to("a.b.*", "a.b.*")), ["a.b.c a.b.* a.b.*"]);
    assert!(all(to("a.b.c.*", "a.b.c.*")).is_empty());
    assert!(all(to("a", "a")).is_empty());
}

#[test]
fn an_answer_is_bounded_and_the_next_one_brings_the_rest() {
    let mut feed = Feed::new();
    for _ in 0..=MOST_IN_ANSWER {
        feed.publish(event("c"));
    }
    let (next, first) = feed.since(Timetoken(0), &to("c", "c"));
    assert_eq!(first.len(), MOST_IN_ANSWER);
    assert_eq!(feed.since(next, &to("c", "c")).1.len(), 1);
}

#[test]
fn the_ring_is_bounded_in_events_and_in_bytes() {
    let mut feed = Feed::new();
    for _ in 0..RING + 10 {
        feed.publish(event("c"));
    }
    assert_eq!(feed.ring.len(), RING);
    let state = State::parse(&format!(r#"{{"a":"{}"}}"#, "x".repeat(1 << 20))).unwrap();
    for _ in 0..40 {
        let kind = ChangeKind::StateChange(state.clone());
        let change = Change { channel: "c".into(), user: "u".into(), kind, occupancy: 1, at: START };
        feed.publish(Event::One(change));
    }
    assert!(feed.ring_bytes <= RING_BYTES);
    assert_eq!(feed.ring_bytes, feed.ring.iter().map(|message| message.event.bytes()).sum::<usize>());
    assert!(feed.ring.len() <= 32);
}

#[test]
fn an_event_wakes_those_who_wait_for_it_and_nobody_else() {
    let mut feed = Feed::new();
    let wakes: Vec<Arc<Notify>> = (0..4).map(|_| Arc::default()).collect();
    let topics = [
        Topic::Presence("c.d".into()),
        Topic::Presence("c.*".into()),
        Topic::Presence("other".into()),
        Topic::Group("c.d".into()),
    ];
    let waiters: Vec<Waiter> =
        topics.into_iter().zip(&wakes).map(|(topic, wake)| feed.wait(HashSet::from([topic]), wake)).collect();
    feed.publish(event("c.d"));
    let woken: Vec<bool> = wakes.iter().map(|wake| wake.notified().now_or_never().is_some()).collect();
    assert_eq!(woken, [true, true, false, false]);
    feed.wake(&Topic::Group("c.d".into()));
    assert!(wakes[3].notified().now_or_never().is_some());
    for waiter in &waiters {
        feed.forget(waiter);
    }
    assert!(feed.is_idle());
}

#[test]
fn a_timetoken_from_the_future_counts_as_the_newest() {
    let mut feed = Feed::new();
    assert_eq!(feed.resume(Timetoken(u64::MAX), START), Timetoken(START.micros() * 10));
    assert_eq!(feed.resume(Timetoken(7), START), Timetoken(7));
}

#[test]
fn a_users_recent_join_is_found_and_an_old_one_is_not() {
    let mut feed = Feed::new();
    for channel in ["a", "b"] {
        feed.publish(event(channel));
    }
    let before = feed.before_join("u", START).unwrap();
    assert_eq!(feed.since(before, &to("a", "a")).1.len(), 1, "the first of them");
    assert_eq!(feed.before_join("u", START.after(Duration::from_micros(1))), None);
    assert_eq!(feed.before_join("v", START), None);
}

#[test]
fn the_bytes_of_an_interval_are_those_of_its_names() {
    let deltas = Deltas { join: vec!["ab".into()], leave: vec!["c".into()], timeout: vec![] };
    let interval = super::super::events::Interval {
        channel: "ch".into(),
        occupancy: 1,
        at: START,
        deltas: Some(deltas),
    };
    assert_eq!(Event::Interval(interval).bytes(), 5);
}
