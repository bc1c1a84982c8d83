//! A receiver that is down for long, in virtual time.

use std::time::Duration;

use adsum::actors::courier::{LONGEST_TRY, PAUSES, SPREAD, TRIES};
use adsum::history::alerts::{AlertHistory as _, DeliveryStatus};

use crate::scripted::{Answer, RETRY, Scripted};
use crate::world::{World, receiver};

#[actix::test]
async fn what_is_refused_for_hours_fails_with_every_answer_and_is_delivered_on_request() {
    let refusals = std::iter::repeat_n(RETRY, TRIES);
    let ops = Scripted::new(refusals.chain([RETRY, Answer::Takes]));
    let world = World::paused(vec![receiver("ops", 4, ops.clone())]);
    world.fires("crowded", &["lobby"], "ops");
    let longest: Duration = PAUSES.iter().map(|pause| pause.mul_f64(1.0 + SPREAD)).sum();
    tokio::time::sleep(longest + Duration::from_secs(30)).await;
    let delivery = world.deliveries().remove(0);
    assert_eq!((delivery.status, delivery.attempts as usize), (DeliveryStatus::Failed, TRIES));
    let attempts = world.attempts(&delivery);
    for (at, attempt) in attempts.iter().enumerate() {
        assert_eq!(attempt.answer, format!("no, not try {}", at + 1));
    }
    for (at, pause) in PAUSES.iter().enumerate() {
        let waited = attempts[at + 1].at.since(attempts[at].at);
        // Looked for every second at least.
        let most = pause.mul_f64(1.0 + SPREAD) + Duration::from_secs(1);
        assert!((*pause..=most).contains(&waited), "{pause:?}: {waited:?}");
    }
    // Nothing more comes of it by itself.
    tokio::time::sleep(longest).await;
    assert_eq!(ops.got().len(), TRIES);

    let again = world.history.retry(&delivery.id, world.clock.now()).unwrap().unwrap();
    assert_eq!(again.status, DeliveryStatus::Pending);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let delivered = world.deliveries().remove(0);
    assert_eq!((delivered.status, delivered.attempts as usize), (DeliveryStatus::Delivered, TRIES + 2));
    // The back-off began anew.
    let attempts = world.attempts(&delivered);
    assert!(attempts[TRIES + 1].at.since(attempts[TRIES].at) < Duration::from_secs(3));
    assert!(ops.got().iter().all(|(id, _)| *id == delivery.id), "the same id on every try");
}

#[actix::test]
async fn what_waits_is_tried_at_once_when_the_receiver_takes_something_again_after_an_outage() {
    const IN_VAIN: usize = 10;
    let answers = std::iter::repeat_n(RETRY, IN_VAIN).chain([Answer::Takes, RETRY, Answer::Takes]);
    let world = World::paused(vec![receiver("ops", 4, Scripted::new(answers))]);
    world.fires("crowded", &["lobby"], "ops");
    // The next try would be in half an hour or so.
    tokio::time::sleep(Duration::from_secs(1500)).await;
    assert_eq!(world.deliveries()[0].attempts as usize, IN_VAIN);
    world.fires("crowded", &["hall"], "ops");
    tokio::time::sleep(Duration::from_secs(5)).await;
    let waited = world.deliveries().remove(0);
    assert_eq!((waited.attempts as usize, waited.attempts_before), (IN_VAIN + 1, 1));
    let due = waited.due.unwrap().since(world.clock.now());
    assert!(due > PAUSES[IN_VAIN - 1] / 2, "that try did not make its pauses longer, nor shorter: {due:?}");
    tokio::time::sleep(PAUSES[IN_VAIN - 1].mul_f64(1.0 + SPREAD)).await;
    assert_eq!(world.statuses(), [DeliveryStatus::Delivered; 2]);
}

#[actix::test]
async fn a_notifier_that_panics_did_not_deliver_and_harms_no_other() {
    let ops = Scripted::new([Answer::Panics, Answer::Takes]);
    let other = Scripted::new([Answer::TakesIn(Duration::from_secs(1))]);
    let world = World::paused(vec![receiver("ops", 4, ops.clone()), receiver("other", 4, other.clone())]);
    world.fires("crowded", &["lobby"], "other");
    world.fires("crowded", &["hall"], "ops");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(world.statuses(), [DeliveryStatus::Delivered; 2]);
    assert_eq!((ops.got().len(), other.got().len()), (2, 1));
    let attempts = world.attempts(&world.deliveries()[1]);
    assert_eq!(attempts[0].answer, "adsum failed while it was sending this");
}

#[actix::test]
async fn a_notifier_that_does_not_end_is_given_its_time_and_tried_again() {
    let ops = Scripted::new([Answer::Hangs, Answer::Takes]);
    let world = World::paused(vec![receiver("ops", 1, ops.clone())]);
    world.fires("crowded", &["lobby"], "ops");
    tokio::time::sleep(LONGEST_TRY + Duration::from_secs(10)).await;
    assert_eq!(world.statuses(), [DeliveryStatus::Delivered]);
    let attempts = world.attempts(&world.deliveries()[0]);
    assert_eq!((attempts[0].took.as_secs(), attempts[0].delivered), (LONGEST_TRY.as_secs(), false));
}

#[actix::test]
async fn what_is_due_goes_out_within_a_second_or_so_of_its_time() {
    let ops = Scripted::new([Answer::Takes]);
    let world = World::paused(vec![receiver("ops", 4, ops.clone())]);
    for n in 0..20 {
        tokio::time::sleep(Duration::from_millis(370 * n)).await;
        let now = world.clock.now();
        world.fires(&format!("rule.{n}"), &["lobby"], "ops");
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let got = ops.got();
        assert_eq!(got.len() as u64, n + 1);
        assert!(got.last().unwrap().1.now.since(now) <= Duration::from_secs(1));
    }
}
