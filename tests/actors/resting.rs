//! While the service wants to be left alone nobody asks, and everybody knows why.

use std::sync::Arc;
use std::time::Duration;

use actix::Actor as _;
use adsum::actors::channel::ChannelActor;
use adsum::actors::clock::Clock;
use adsum::actors::live::{Failed, Live, Registry};
use adsum::actors::pace::Pace;
use adsum::actors::poller::{Poller, PollerParts, Watch};
use adsum::actors::seat::{Obituary, Seat};
use adsum::actors::supervisor::Child;
use adsum::domain::channel::Channel;
use adsum::domain::gap::GapReason;
use adsum::domain::plan::Failure;
use adsum::domain::time::Time;
use parking_lot::RwLock;
use tokio::sync::mpsc;

use crate::world::{FakeSource, World, channel, judge, settings, trouble};

/// Every gap, as channel and reason, in order of name.
fn gaps(world: &World) -> Vec<(String, GapReason)> {
    let gaps = world.history.gaps(None, (None, None), None, 100).unwrap();
    let mut gaps: Vec<_> = gaps.into_iter().map(|(name, gap)| (name.to_string(), gap.reason)).collect();
    gaps.sort_by(|one, other| one.0.cmp(&other.0));
    gaps
}

/// A world in which room.1 is dormant.
async fn with_a_dormant_room(targets: &[&str]) -> World {
    let source = FakeSource::default();
    source.join("room.1", "ada");
    let world = World::start(settings(targets), source).await;
    world.pass(40.0).await;
    world.source.leave("room.1", "ada");
    world.pass(70.0).await;
    world
}

/// The scout rested as the poller was told, and told nobody: the gap was recorded late, as `overrun`.
#[actix::test]
async fn a_dormant_channel_is_not_observed_because_of_what_the_service_told_the_poller() {
    let world = with_a_dormant_room(&["room.*", "lobby"]).await;
    let limit = Failure::Key { retry_after: Some(Duration::from_secs(1200)) };
    world.source.change(|s| s.trouble = Some(trouble(GapReason::Throttled, limit)));
    world.pass(6.0).await;
    world.source.change(|s| s.trouble = None);
    let throttled = ["lobby", "room.1"].map(|name| (name.to_owned(), GapReason::Throttled));
    world.pass(200.0).await;
    assert_eq!(gaps(&world), throttled, "as they opened");
    world.pass(1300.0).await;
    assert_eq!(gaps(&world), throttled);
    let room = world.adsum.channel(&channel("room.1")).await.unwrap();
    assert_eq!(room.gap, None, "discoveries go on");
}

#[actix::test]
async fn a_dormant_channel_is_not_observed_because_of_what_the_service_told_the_scout() {
    let world = with_a_dormant_room(&["room.*"]).await;
    let limit = Failure::Service { retry_after: Some(Duration::from_secs(1200)) };
    world.source.change(|s| s.trouble = Some(trouble(GapReason::ServerError, limit)));
    world.pass(31.0).await;
    world.source.change(|s| s.trouble = None);
    let asked = world.source.requests();
    world.pass(200.0).await;
    let failed = [("room.1".to_owned(), GapReason::ServerError)];
    assert_eq!(gaps(&world), failed, "as it opened");
    assert_eq!(world.source.requests(), asked, "nobody asks");
    world.pass(1100.0).await;
    assert_eq!(gaps(&world), failed);
    assert!(world.source.requests() > asked);
}

/// A poller that took the place of one that had died asked at once.
#[actix::test]
async fn a_poller_keeps_to_what_the_service_told_the_one_before_it() {
    tokio::time::pause();
    let start = Time::from_micros(1_800_000_000_000_000);
    let (clock, source) = (Clock::starting_at(start), FakeSource::default());
    let failed = Arc::new(Failed::new(start, GapReason::Throttled, "429"));
    let settings = settings(&[]);
    let parts = PollerParts {
        source: Arc::new(source.clone()),
        pace: Pace::per_second(1000.0),
        clock: clock.clone(),
        limits: settings.limits,
        registry: Registry::default(),
        rest: Arc::new(RwLock::new(Some((start.plus(Duration::from_secs(1200)), failed)))),
    };
    let rest = Arc::clone(&parts.rest);
    let (deaths, _heard) = mpsc::unbounded_channel();
    let poller = Poller::new(parts, Obituary::new(Child::Poller, deaths.clone())).start();
    let (name, policy) = (channel("lobby"), settings.policies.default);
    let live = Arc::new(Live::new(Channel::begin(name.clone(), policy.gap_after, start), policy));
    let obituary = Obituary::new(Child::Channel(name), deaths);
    let actor =
        ChannelActor::new(Arc::clone(&live), judge(clock), Seat::default(), Seat::default(), obituary)
            .start();
    poller.send(Watch(vec![(live, actor)])).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1199)).await;
    assert_eq!(source.requests(), 0);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(source.requests(), 1);
    assert!(rest.read().is_none(), "the key works again");
}
