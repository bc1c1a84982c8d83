//! The courier as a part of adsum, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use adsum::actors::handle::{Adsum, Parts, Settings, start};
use adsum::actors::source::{HereNow, Listing, Source, Trouble};
use adsum::domain::names::GroupName;
use adsum::domain::plan::Limits;
use adsum::domain::watch::{Policies, Policy};
use adsum::history::History;
use adsum::history::alerts::DeliveryStatus;
use adsum::states::States;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::scripted::{Answer, Scripted};
use crate::world::{World, alerting, folder, receiver};

/// A service that nobody asks.
struct Silent;

impl Source for Silent {
    fn here_now(&self, _: HereNow) -> BoxFuture<'static, Result<Vec<Listing>, Trouble>> {
        async move { Ok(Vec::new()) }.boxed()
    }

    fn channels_of(&self, _: &GroupName) -> BoxFuture<'static, Result<Vec<String>, Trouble>> {
        async move { Ok(Vec::new()) }.boxed()
    }
}

/// An adsum that watches nothing and tells `ops`, with the history and the clock of `world`.
async fn adsum(world: &World, ops: Arc<Scripted>) -> Adsum {
    let interval = Duration::from_secs(5);
    let policy = Policy { interval, gap_after: 3 * interval, include_state: true, include_uuids: true };
    let settings = Settings {
        targets: Vec::new(),
        groups: Vec::new(),
        policies: Policies { default: policy, rules: Vec::new() },
        discover_interval: interval,
        limits: Limits { channels: 100, address: 30_000, users: 20_000, cache_ttl: Duration::ZERO },
        max_requests_per_second: 1000.0,
        mark_every: interval,
        retain: Duration::from_secs(86_400),
        alerting: alerting(vec![receiver("ops", 4, ops)]),
    };
    let history = Arc::clone(&world.history) as Arc<dyn History>;
    let states = Arc::new(States::open(&folder().keep()).unwrap());
    let parts = Parts { source: Arc::new(Silent), history, states, clock: world.clock.clone() };
    start(settings, parts).await.unwrap()
}

#[actix::test]
async fn adsum_delivers_what_is_due_at_its_start_and_what_becomes_due() {
    let mut world = World::paused(Vec::new());
    world.halt().await;
    world.fires("crowded", &["lobby"], "ops");
    let ops = Scripted::new([Answer::Takes]);
    let adsum = adsum(&world, ops.clone()).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.statuses(), [DeliveryStatus::Delivered]);
    world.resolves("crowded", &["lobby"], "ops");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(world.statuses(), [DeliveryStatus::Delivered; 2]);
    adsum.stop().await;
}

#[actix::test]
async fn adsum_stops_in_time_though_a_receiver_hangs() {
    let mut world = World::paused(Vec::new());
    world.halt().await;
    world.fires("crowded", &["lobby"], "ops");
    let ops = Scripted::new([Answer::Hangs]);
    let adsum = adsum(&world, ops.clone()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(ops.got().len(), 1);
    let began = Instant::now();
    adsum.stop().await;
    assert!(began.elapsed() < Duration::from_secs(4));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!((ops.got().len(), world.statuses()), (1, vec![DeliveryStatus::Pending]));
}
