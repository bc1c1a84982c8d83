//! What is delivered: which notifications are one message, in which order, and what becomes of them.

use std::time::Duration;

use adsum::domain::alert::Change;
use adsum::domain::event::EventKind;
use adsum::domain::names::UserId;
use adsum::history::Entry;
use adsum::history::alerts::{
    DeliveryKind, DeliveryStatus, GATHER, MAX_TOLD_TOGETHER, MAX_WAITING, Outcome, Subscriber, Told,
};
use rusqlite::Connection;

use crate::alerting::{attempt, channel, deliveries, due, hook, notifier, resolved, rooms, told, watched};
use crate::given::{arrival, departure, open, settled, time};

#[test]
fn many_channels_that_cross_one_rule_at_once_are_one_delivery_to_each_notifier() {
    let (_folder, history) = watched(50);
    let both = [hook(), notifier("mail")];
    let entries: Vec<_> = (0..50).map(|n| told(&channel(n), "crowded", Change::Firing, 100, &both)).collect();
    history.commit(&entries[..30]).unwrap();
    history.commit(&entries[30..]).unwrap();
    let kept = deliveries(history.as_ref());
    assert_eq!(
        kept.iter().map(|d| (d.notifier.clone(), d.count)).collect::<Vec<_>>(),
        both.map(|to| (to, 50))
    );
    assert_eq!(kept[0].due, Some(time(100).plus(GATHER)));
    assert_eq!(kept[0].rule.as_ref().unwrap().as_str(), "crowded");
    assert!(kept[0].id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
    let outgoing = history.due(&hook(), time(100).plus(GATHER), 9).unwrap();
    let all: Vec<_> = (0..50).map(|n| format!("room.{n}")).collect();
    assert_eq!(rooms(&outgoing[0]), all, "in order");
    assert_eq!(outgoing[0].delivery.count, 50);
}

#[test]
fn what_is_of_the_same_kind_and_waits_for_the_same_is_joined() {
    let (_folder, history) = watched(3);
    let changes = [
        (0, "crowded", Change::Firing, 1),
        (1, "crowded", resolved(), 2),
        (2, "crowded", Change::Firing, 1),
        (1, "crowded", Change::Firing, 3),
        (1, "quiet", Change::Firing, 4),
        (0, "crowded", Change::Repeated, 5),
        (0, "quiet", Change::Firing, 4),
    ];
    let mut newest = Vec::new();
    for (n, rule, change, number) in changes {
        history.commit(&[told(&channel(n), rule, change, 0, &[hook()])]).unwrap();
        newest.push(number);
        let last = deliveries(history.as_ref()).last().unwrap().number;
        assert_eq!(last, *newest.iter().max().unwrap());
    }
    let kept = deliveries(history.as_ref());
    let told: Vec<_> = kept.iter().map(|delivery| (delivery.kind, delivery.count)).collect();
    let expected = [
        (DeliveryKind::Firing, 2),
        (DeliveryKind::Resolved, 1),
        (DeliveryKind::Firing, 1),
        (DeliveryKind::Firing, 2),
        (DeliveryKind::Repeated, 1),
    ];
    assert_eq!(told, expected);
}

#[test]
fn one_channel_never_waits_for_another_though_many_are_told_together() {
    let (_folder, history) = watched(4);
    let commit = |n, change| history.commit(&[told(&channel(n), "crowded", change, 0, &[hook()])]).unwrap();
    let due = || due(history.as_ref(), &hook(), 1_000_000);
    (0..3).for_each(|n| drop(commit(n, Change::Firing)));
    assert_eq!(due(), [1]);
    // The receiver does not take it for hours, and three of four go on.
    history.attempted(1, &attempt(1, 5, false), Outcome::Again(time(2_000_000))).unwrap();
    (0..3).for_each(|n| drop(commit(n, resolved())));
    commit(0, Change::Firing);
    commit(3, Change::Firing);
    commit(1, Change::Firing);
    let counts: Vec<_> = deliveries(history.as_ref()).iter().map(|delivery| delivery.count).collect();
    assert_eq!(counts, [3, 3, 2, 1], "what waits for the same is one");
    assert_eq!(due(), [4], "the fourth waits for nobody");
}

#[test]
fn nothing_joins_a_delivery_that_was_given_out_or_tried_or_given_up() {
    let (_folder, history) = watched(9);
    let fire = |n| history.commit(&[told(&channel(n), "crowded", Change::Firing, 0, &[hook()])]).unwrap();
    let counts = || deliveries(history.as_ref()).iter().map(|delivery| delivery.count).collect::<Vec<_>>();
    fire(0);
    assert_eq!(due(history.as_ref(), &hook(), 0), [0; 0], "it gathers");
    fire(1);
    assert_eq!(counts(), [2]);
    assert_eq!(due(history.as_ref(), &hook(), 1_000_000), [1]);
    fire(2);
    assert_eq!(counts(), [2, 1], "it was given out");
    history.attempted(2, &attempt(1, 5, false), Outcome::Again(time(9))).unwrap();
    fire(3);
    assert_eq!(counts(), [2, 1, 1], "it was tried");
    history.give_up(&hook(), time(6), "it is gone").unwrap();
    fire(4);
    assert_eq!(counts(), [2, 1, 1, 1], "it was given up");
    history.retry(&deliveries(history.as_ref())[3].id, time(7)).unwrap();
    fire(5);
    assert_eq!(counts(), [2, 1, 1, 2], "nobody was told of it yet");
}

#[test]
fn what_tells_of_the_same_rule_and_channel_goes_one_after_the_other() {
    let (_folder, history) = watched(3);
    let commit = |n, rule, change| {
        history.commit(&[told(&channel(n), rule, change, 0, &[hook(), notifier("mail")])]).unwrap();
    };
    let due = |to: &str| due(history.as_ref(), &notifier(to), 1_000_000);
    commit(0, "crowded", Change::Firing);
    assert_eq!((due("hook"), due("mail")), (vec![1], vec![2]));
    commit(0, "crowded", resolved());
    commit(1, "crowded", resolved());
    assert_eq!(deliveries(history.as_ref()).len(), 6, "one channel's does not wait for another's");
    commit(0, "quiet", Change::Firing);
    commit(2, "crowded", Change::Firing);
    assert_eq!(due("hook"), [1, 5, 7, 9], "what tells of another rule or channel does not wait");
    history.attempted(1, &attempt(1, 5, false), Outcome::Again(time(1_000_001))).unwrap();
    assert_eq!(due("hook"), [5, 7, 9], "what failed is pending still");
    assert_eq!(due("mail"), [2, 6, 8, 10], "each notifier has an order of its own");
    history.attempted(1, &attempt(2, 6, true), Outcome::Delivered).unwrap();
    assert_eq!(due("hook"), [3, 5, 7, 9]);
    assert_eq!(history.waiting().unwrap()[0], (hook(), 4, time(1_000_000)));
}

#[test]
fn at_most_so_many_are_given_out_in_order() {
    let (_folder, history) = watched(9);
    for n in 0..9 {
        let rule = format!("rule-{n}");
        history.commit(&[told(&channel(n), &rule, Change::Firing, 0, &[hook()])]).unwrap();
    }
    let numbers = |limit| -> Vec<i64> {
        let due = history.due(&hook(), time(1_000_000), limit).unwrap();
        due.iter().map(|outgoing| outgoing.delivery.number).collect()
    };
    assert_eq!(numbers(0), [0; 0]);
    assert_eq!(numbers(4), [1, 2, 3, 4]);
    history.attempted(2, &attempt(1, 5, false), Outcome::Again(time(1_000_001))).unwrap();
    assert_eq!(numbers(4), [1, 3, 4, 5]);
}

#[test]
fn a_retried_delivery_goes_before_later_ones_with_its_id_and_its_back_off_begins_anew() {
    let (_folder, history) = watched(1);
    history.commit(&[told(&channel(0), "crowded", Change::Firing, 0, &[hook()])]).unwrap();
    history.attempted(1, &attempt(1, 5, false), Outcome::Again(time(6))).unwrap();
    history.attempted(1, &attempt(2, 6, false), Outcome::Failed).unwrap();
    history.commit(&[told(&channel(0), "crowded", resolved(), 0, &[hook()])]).unwrap();
    assert_eq!(due(history.as_ref(), &hook(), 1_000_000), [2], "what failed holds nothing up");
    let failed = deliveries(history.as_ref()).remove(0);
    assert_eq!((failed.status, failed.due, failed.attempts), (DeliveryStatus::Failed, None, 2));
    assert_eq!(failed.answer.as_deref(), Some("503 Service Unavailable"));
    let again = history.retry(&failed.id, time(9)).unwrap().unwrap();
    assert_eq!((&again.id, again.status, again.due), (&failed.id, DeliveryStatus::Pending, Some(time(9))));
    assert_eq!((again.attempts, again.attempts_before, again.tried), (2, 2, Some(time(6))));
    assert_eq!(due(history.as_ref(), &hook(), 1_000_000), [1]);
    assert_eq!(history.retry(&failed.id, time(11)).unwrap().unwrap().due, Some(time(11)), "pending: at once");
    history.attempted(1, &attempt(3, 12, true), Outcome::Delivered).unwrap();
    let delivered = history.retry(&failed.id, time(13)).unwrap().unwrap();
    assert_eq!((delivered.status, delivered.due), (DeliveryStatus::Delivered, None), "it arrived already");
    assert_eq!(due(history.as_ref(), &hook(), 1_000_000), [2]);
    let (_, attempts) = history.delivery(&failed.id).unwrap().unwrap();
    assert_eq!(attempts, [attempt(1, 5, false), attempt(2, 6, false), attempt(3, 12, true)]);
}

#[test]
fn all_that_waits_for_a_notifier_can_be_given_up_at_once() {
    let (_folder, history) = watched(2);
    for (n, rule) in [(0, "crowded"), (1, "quiet")] {
        history.commit(&[told(&channel(n), rule, Change::Firing, 0, &[hook(), notifier("mail")])]).unwrap();
        history.commit(&[told(&channel(n), rule, resolved(), 0, &[hook()])]).unwrap();
    }
    history.attempted(1, &attempt(1, 5, true), Outcome::Delivered).unwrap();
    assert_eq!(history.give_up(&hook(), time(8), "410 Gone").unwrap(), 3);
    assert_eq!(history.give_up(&hook(), time(9), "410 Gone").unwrap(), 0);
    assert_eq!(history.waiting().unwrap(), [(notifier("mail"), 2, time(1_000_000))]);
    let kept = deliveries(history.as_ref());
    let told: Vec<_> = kept.iter().map(|delivery| (delivery.status, delivery.attempts)).collect();
    let (pending, failed) = ((DeliveryStatus::Pending, 0), (DeliveryStatus::Failed, 0));
    let delivered = (DeliveryStatus::Delivered, 1);
    assert_eq!(told, [delivered, pending, failed, failed, pending, failed]);
    let (outgoing, attempts) = history.delivery(&kept[2].id).unwrap().unwrap();
    assert_eq!(outgoing.delivery.answer.as_deref(), Some("410 Gone"));
    assert_eq!((attempts.len(), attempts[0].number, attempts[0].at), (1, 0, time(8)));
    assert_eq!(attempts[0].answer, "410 Gone");
    history.retry(&kept[2].id, time(9)).unwrap();
    history.retry(&kept[3].id, time(9)).unwrap();
    assert_eq!(due(history.as_ref(), &hook(), 1_000_000), [3, 4]);
}

#[test]
fn an_answer_that_comes_after_it_was_given_up_counts_if_it_arrived() {
    let (_folder, history) = watched(1);
    for rule in ["crowded", "quiet"] {
        history.commit(&[told(&channel(0), rule, Change::Firing, 0, &[hook()])]).unwrap();
    }
    history.give_up(&hook(), time(8), "no notifier has this name").unwrap();
    history.attempted(1, &attempt(1, 7, true), Outcome::Delivered).unwrap();
    history.attempted(2, &attempt(1, 7, false), Outcome::Again(time(9))).unwrap();
    let told: Vec<_> = deliveries(history.as_ref()).iter().map(|d| (d.status, d.due, d.attempts)).collect();
    assert_eq!(told, [(DeliveryStatus::Delivered, None, 1), (DeliveryStatus::Failed, None, 1)]);
    assert_eq!(history.waiting().unwrap(), []);
}

#[test]
fn what_is_given_up_without_a_try_is_no_try() {
    let (_folder, history) = watched(1);
    history.commit(&[told(&channel(0), "crowded", Change::Firing, 0, &[hook()])]).unwrap();
    history.attempted(1, &attempt(0, 7, false), Outcome::Failed).unwrap();
    let kept = deliveries(history.as_ref()).remove(0);
    assert_eq!((kept.status, kept.attempts, kept.tried), (DeliveryStatus::Failed, 0, None));
    assert!(kept.answer.is_some());
}

#[test]
fn a_try_that_is_noted_twice_counts_once() {
    let (_folder, history) = watched(1);
    history.commit(&[told(&channel(0), "crowded", Change::Firing, 0, &[hook()])]).unwrap();
    let id = deliveries(history.as_ref())[0].id.clone();
    let outcomes = [Outcome::Again(time(9)), Outcome::Failed, Outcome::Delivered];
    for (number, outcome) in (1..).zip(outcomes) {
        let tried = attempt(number, 5, outcome == Outcome::Delivered);
        history.attempted(1, &tried, outcome).unwrap();
        let once = history.delivery(&id).unwrap();
        history.attempted(1, &tried, outcome).unwrap();
        assert_eq!(history.delivery(&id).unwrap(), once);
        history.retry(&id, time(10)).unwrap();
    }
    assert_eq!(history.delivery(&id).unwrap().unwrap().1.len(), 3);
}

#[test]
fn each_event_is_a_delivery_to_everybody_who_wants_its_kind() {
    let (folder, history) = watched(2);
    let ada = UserId::new("ada").unwrap();
    let wants = |name, kinds: &[EventKind]| Subscriber { notifier: notifier(name), kinds: kinds.to_vec() };
    let all = [EventKind::Present, EventKind::Leave, EventKind::Settled];
    let subscribers = [wants("hook", &all), wants("mail", &[EventKind::Leave]), wants("slack", &[])];
    let told = |entry: Entry, at| Entry { subscribers: subscribers.clone().into(), at: time(at), ..entry };
    let recorded = history
        .commit(&[
            told(arrival(&channel(0), &ada, 1), 100),
            told(settled(&channel(0), &ada, 2), 200),
            told(departure(&channel(0), &ada, 3), 300),
            told(arrival(&channel(1), &ada, 1), 400),
        ])
        .unwrap();
    let kept = deliveries(history.as_ref());
    let written: Vec<_> = kept.iter().map(|d| (d.notifier.as_str(), d.due.unwrap(), d.count)).collect();
    let expected =
        [("hook", 100), ("hook", 300), ("mail", 300), ("hook", 400)].map(|(to, at)| (to, time(at), 1));
    assert_eq!(written, expected, "nobody hears that a state has settled; events gather for nothing");
    assert!(kept.iter().all(|d| d.kind == DeliveryKind::Event && d.rule.is_none()));
    assert_eq!(due(history.as_ref(), &hook(), 1_000), [1, 4], "a channel's events go in order");
    history.attempted(1, &attempt(1, 7, true), Outcome::Delivered).unwrap();
    let outgoing = history.due(&hook(), time(1_000), 9).unwrap();
    assert_eq!(outgoing[0].told, Told::Event(Some(recorded[2].clone())));
    assert_eq!(outgoing[1].told, Told::Event(Some(recorded[3].clone())));
    while history.expire(time(3_000_000), 9).unwrap() {}
    drop(history);
    let history = open(&folder);
    assert_eq!(history.due(&notifier("mail"), time(1_000), 9).unwrap()[0].told, outgoing[0].told);
    while history.expire(time(i64::MAX), 9).unwrap() {}
    let left = history.due(&notifier("mail"), time(1_000), 9).unwrap();
    assert_eq!(left[0].told, Told::Event(None), "what it was about has expired");
}

#[test]
fn a_notifier_that_is_named_twice_is_told_once() {
    let (_folder, history) = watched(1);
    history.commit(&[told(&channel(0), "crowded", Change::Firing, 0, &[hook(), hook()])]).unwrap();
    assert_eq!(deliveries(history.as_ref()).iter().map(|d| d.count).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_delivery_tells_of_at_most_so_many_alerts() {
    let (_folder, history) = watched(MAX_TOLD_TOGETHER + 1);
    let fires = |n| told(&channel(n), "crowded", Change::Firing, 0, &[hook()]);
    history.commit(&(0..=MAX_TOLD_TOGETHER).map(fires).collect::<Vec<_>>()).unwrap();
    let counts: Vec<_> = deliveries(history.as_ref()).iter().map(|d| d.count).collect();
    assert_eq!(counts, [u64::try_from(MAX_TOLD_TOGETHER).unwrap(), 1]);
}

#[test]
fn what_comes_when_too_much_waits_fails_at_once_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let history = open(&folder);
    history.begin(&(0..9).map(channel).collect::<Vec<_>>(), time(0)).unwrap();
    let fire = |n, rule: &str, at| {
        let entry = told(&channel(n), rule, Change::Firing, at, &[hook(), notifier("mail")]);
        history.commit(&[entry]).unwrap();
    };
    fire(0, "first", 0);
    crowd(&folder.path().join("history.db"), MAX_WAITING - 2);
    let newest = || deliveries(history.as_ref()).split_off(MAX_WAITING);
    fire(0, "last", 0);
    assert_eq!(history.waiting().unwrap()[0].1, u64::try_from(MAX_WAITING).unwrap());
    fire(1, "last", 0);
    fire(2, "more", 10);
    fire(3, "more", 1_000_009);
    fire(4, "more", 1_000_010);
    let kept = newest();
    let mine: Vec<_> = kept.iter().filter(|delivery| delivery.notifier == hook()).collect();
    let told: Vec<_> = mine.iter().map(|delivery| (delivery.status, delivery.count)).collect();
    let failed = |count| (DeliveryStatus::Failed, count);
    assert_eq!(told, [(DeliveryStatus::Pending, 2), failed(2), failed(1)], "one that waits may be joined");
    let mail = kept.iter().filter(|delivery| delivery.notifier != hook());
    assert!(mail.into_iter().all(|delivery| delivery.status == DeliveryStatus::Pending));
    let (outgoing, attempts) = history.delivery(&mine[1].id).unwrap().unwrap();
    assert_eq!(rooms(&outgoing), ["room.2", "room.3"]);
    assert_eq!((outgoing.delivery.attempts, outgoing.delivery.due), (0, None));
    let answer = "not sent: 100000 deliveries to this notifier were waiting already";
    assert_eq!(outgoing.delivery.answer.as_deref(), Some(answer));
    assert_eq!((attempts[0].number, attempts[0].at, attempts[0].answer.as_str()), (0, time(10), answer));
    let again = history.retry(&mine[1].id, time(20)).unwrap().unwrap();
    assert_eq!(again.status, DeliveryStatus::Pending, "who asks for it gets it");
    history.attempted(1, &attempt(1, 30, true), Outcome::Delivered).unwrap();
    history.attempted(again.number, &attempt(1, 30, true), Outcome::Delivered).unwrap();
    fire(5, "more", 1_000_011);
    let kept = newest();
    let last = kept.iter().rfind(|delivery| delivery.notifier == hook()).unwrap();
    assert_eq!((last.status, last.count), (DeliveryStatus::Pending, 1), "there is room again");
}

/// So many more wait for the first notifier.
fn crowd(path: &std::path::Path, more: usize) {
    let more = i64::try_from(more).unwrap();
    let connection = Connection::open(path).unwrap();
    connection
        .execute(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1) \
             INSERT INTO deliveries (id, notifier_id, rule, kind, count, created, joinable, status, due) \
             SELECT n, notifier_id, rule, kind, 0, created, 0, status, due FROM deliveries, n WHERE number = 1",
            [more],
        )
        .unwrap();
    connection.execute("UPDATE notifiers SET waiting = waiting + ?1 WHERE id = 1", [more]).unwrap();
}

#[test]
fn everything_due_is_given_out_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let history = open(&folder);
    history.begin(&[channel(0), channel(1)], time(0)).unwrap();
    history.commit(&[told(&channel(0), "crowded", Change::Firing, 0, &[hook()])]).unwrap();
    let given = history.due(&hook(), time(0).plus(GATHER), 9).unwrap();
    history.commit(&[told(&channel(0), "crowded", resolved(), 5, &[hook()])]).unwrap();
    drop(history);
    let history = open(&folder);
    assert_eq!(history.due(&hook(), time(0).plus(GATHER), 9).unwrap(), given);
    history.commit(&[told(&channel(1), "crowded", resolved(), 6, &[hook()])]).unwrap();
    let later = time(5).plus(GATHER + Duration::from_secs(1));
    history.attempted(1, &attempt(1, 9, true), Outcome::Delivered).unwrap();
    let due = history.due(&hook(), later, 9).unwrap();
    assert_eq!(due.iter().map(rooms).collect::<Vec<_>>(), [["room.0"], ["room.1"]]);
}
