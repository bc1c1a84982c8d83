//! A history that fails, in virtual time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use adsum::actors::alerting::Receiver;
use adsum::history::alerts::DeliveryStatus;

use crate::flaky::{DAMAGED, Faults, Flaky};
use crate::scripted::{Answer, Scripted};
use crate::world::{World, receiver};

fn flaky(receivers: Vec<Receiver>) -> (World, Arc<Faults>) {
    let faults = Arc::<Faults>::default();
    let seen = Arc::clone(&faults);
    (World::paused_with(receivers, |inner| Arc::new(Flaky { inner, faults: seen })), faults)
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[actix::test]
async fn what_was_sent_and_cannot_be_noted_is_not_sent_again_and_nothing_else_is_sent() {
    let ops = Scripted::new([Answer::Takes]);
    let other = Scripted::new([Answer::Takes]);
    let (world, faults) = flaky(vec![receiver("ops", 1, ops.clone()), receiver("other", 1, other.clone())]);
    faults.unwritable.store(true, Ordering::SeqCst);
    world.fires("crowded", &["lobby"], "ops");
    world.resolves("crowded", &["lobby"], "ops");
    pass(60).await;
    world.fires("crowded", &["lobby"], "other");
    pass(3600).await;
    assert_eq!((ops.got().len(), other.got().len()), (1, 0));
    assert_eq!(world.statuses(), [DeliveryStatus::Pending; 3]);
    faults.unwritable.store(false, Ordering::SeqCst);
    pass(20).await;
    assert_eq!(world.statuses(), [DeliveryStatus::Delivered; 3]);
    assert_eq!((ops.got().len(), other.got().len()), (2, 1));
    let attempts = world.attempts(&world.deliveries()[0]);
    assert_eq!((attempts.len(), attempts[0].took), (1, Duration::ZERO), "noted as it was, an hour later");
}

#[actix::test]
async fn an_outbox_that_cannot_be_read_is_tried_again_in_measure() {
    let ops = Scripted::new([Answer::Takes]);
    let (world, faults) = flaky(vec![receiver("ops", 1, ops.clone())]);
    faults.unreadable.store(true, Ordering::SeqCst);
    world.fires("crowded", &["lobby"], "ops");
    pass(3600).await;
    assert!(ops.got().is_empty());
    let reads = faults.reads.load(Ordering::SeqCst);
    assert!((700..=722).contains(&reads), "{reads} reads in an hour");
    faults.unreadable.store(false, Ordering::SeqCst);
    pass(10).await;
    assert_eq!(world.statuses(), [DeliveryStatus::Delivered]);
}

#[actix::test]
async fn damage_to_one_receivers_deliveries_keeps_no_other_from_hearing() {
    let ops = Scripted::new([Answer::Takes]);
    let damaged = Scripted::new([Answer::Takes]);
    let (world, faults) = flaky(vec![receiver(DAMAGED, 1, damaged.clone()), receiver("ops", 1, ops.clone())]);
    faults.damaged.store(true, Ordering::SeqCst);
    world.fires("crowded", &["lobby"], DAMAGED);
    world.fires("crowded", &["lobby"], "ops");
    pass(10).await;
    assert_eq!((damaged.got().len(), ops.got().len()), (0, 1));
    assert_eq!(world.statuses(), [DeliveryStatus::Pending, DeliveryStatus::Delivered]);
}

#[actix::test]
async fn a_presence_event_that_has_expired_is_given_up_saying_so() {
    let ops = Scripted::new([Answer::Takes]);
    let (world, faults) = flaky(vec![receiver("ops", 1, ops.clone())]);
    faults.expired.store(true, Ordering::SeqCst);
    world.fires("crowded", &["lobby"], "ops");
    pass(10).await;
    let delivery = world.deliveries().remove(0);
    assert_eq!((delivery.status, delivery.attempts), (DeliveryStatus::Failed, 0));
    assert_eq!(delivery.answer.as_deref(), Some("what it tells of has expired"));
    assert_eq!(world.attempts(&delivery)[0].number, 0);
    assert!(ops.got().is_empty());
}

#[actix::test]
async fn as_long_as_nobody_is_told_the_outbox_is_looked_at_seldom() {
    let (_world, faults) = flaky(Vec::new());
    pass(3600).await;
    let reads = faults.reads.load(Ordering::SeqCst);
    assert!((350..=362).contains(&reads), "{reads} reads in an hour");
}
