//! Stopping with something under way, in virtual time.

use std::time::Duration;

use adsum::actors::courier::STOP_WITHIN;
use adsum::history::alerts::DeliveryStatus;
use tokio::time::Instant;

use crate::scripted::{Answer, Scripted};
use crate::world::{World, receiver};

#[actix::test]
async fn what_is_under_way_when_adsum_stops_has_a_moment_to_arrive_and_to_be_noted() {
    let ops = Scripted::new([Answer::TakesIn(Duration::from_secs(2))]);
    let mut world = World::paused(vec![receiver("ops", 1, ops.clone())]);
    world.fires("crowded", &["lobby"], "ops");
    world.fires("blind", &["hall"], "ops");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let began = Instant::now();
    world.halt().await;
    assert!(began.elapsed() < STOP_WITHIN);
    assert_eq!(world.statuses(), [DeliveryStatus::Delivered, DeliveryStatus::Pending]);
    assert_eq!(ops.got().len(), 1, "nothing more was begun");
}

#[actix::test]
async fn what_takes_longer_stays_pending_and_the_next_start_delivers_it() {
    let ops = Scripted::new([Answer::Hangs, Answer::Takes]);
    let receivers = || vec![receiver("ops", 1, ops.clone())];
    let mut world = World::paused(receivers());
    world.fires("crowded", &["lobby"], "ops");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let began = Instant::now();
    world.halt().await;
    assert_eq!(began.elapsed().as_secs(), STOP_WITHIN.as_secs());
    assert_eq!(world.statuses(), [DeliveryStatus::Pending]);
    let world = world.again(receivers());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.statuses(), [DeliveryStatus::Delivered]);
    // That it was tried before nobody could note.
    let got = ops.got();
    assert_eq!((got.len(), &got[0].0, got[1].1.number), (2, &got[1].0, 1));
}

#[actix::test]
async fn with_nothing_under_way_it_stops_at_once() {
    let mut world = World::paused(vec![receiver("ops", 1, Scripted::new([Answer::Takes]))]);
    tokio::time::sleep(Duration::from_secs(100)).await;
    let began = Instant::now();
    world.halt().await;
    assert_eq!(began.elapsed(), Duration::ZERO);
}
