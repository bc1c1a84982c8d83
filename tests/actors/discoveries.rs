//! What discoveries prove, across restarts and crashes; and tens of thousands of channels that they find and lose.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use adsum::actors::clock::Clock;
use adsum::actors::handle::{Parts, Settings, start};
use adsum::domain::answer::{Code, Present};
use adsum::domain::channel::Status;
use adsum::domain::event::{EventKind, Recorded};
use adsum::domain::gap::GapReason;
use adsum::domain::plan::Failure;
use adsum::domain::time::Time;
use adsum::domain::watch::Target;
use adsum::history::sqlite::Sqlite;
use adsum::history::{EventQuery, History};
use adsum::states::States;

use crate::watching;
use crate::world::{FakeSource, World, channel, settings, trouble, user};

fn event_of(world: &World, name: &str) -> Recorded {
    let query = EventQuery { user: Some(user(name)), limit: 2, ..EventQuery::default() };
    let events = world.history.events(&query).unwrap();
    assert_eq!(events.len(), 1, "{name}: {events:?}");
    events[0].clone()
}

async fn present(world: &World, room: &str, who: &str, at: Time) -> (Present, Option<Code>) {
    let answer = world.adsum.presence(&channel(room), &user(who), Some(at)).await.unwrap().answer;
    (answer.present, answer.code)
}

/// What a machine that loses its power now would find afterwards: the files as they are, and another adsum on them.
async fn crash(world: World, away: Duration) -> World {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(world.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    let now = world.adsum.now().plus(away);
    world.adsum.stop().await;
    let history: Arc<dyn History> = Arc::new(Sqlite::open(&folder.path().join("history.db")).unwrap());
    let parts = Parts {
        source: Arc::new(world.source.clone()),
        history: Arc::clone(&history),
        states: Arc::new(States::open(&folder.path().join("states")).unwrap()),
        clock: Clock::starting_at(now),
    };
    let adsum = start(world.settings.clone(), parts).await.unwrap();
    World { adsum, history, folder, ..world }
}

#[actix::test]
async fn after_a_restart_who_came_to_a_new_channel_has_joined_since_the_last_discovery() {
    let world = watching(&["room.*"]).await;
    world.pass(60.0).await;
    let discovered = world.adsum.now();
    world.adsum.stop().await;
    world.source.join("room.1", "ada");
    world.source.join("lobby", "bob");
    let world = world.restart(Duration::from_secs(100)).await;
    world.pass(60.0).await;
    let event = event_of(&world, "ada");
    assert_eq!(event.kind, EventKind::Join);
    let not_before = event.window.not_before.unwrap();
    assert!(not_before <= discovered && discovered.since(not_before) <= Duration::from_secs(30));
}

#[actix::test]
async fn whenever_adsum_crashes_nobody_who_was_there_joins_and_windows_hold_the_truth() {
    for after in 0..30 {
        let source = FakeSource::default();
        source.join("room.old", "ada");
        let world = World::start(settings(&["room.*"]), source).await;
        world.pass(40.0).await;
        world.source.join("room.new", "bob");
        let joined = world.adsum.now();
        world.pass(f64::from(after) * 1.3).await;
        let world = crash(world, Duration::from_secs(5)).await;
        world.source.join("room.last", "cleo");
        let last = world.adsum.now();
        world.pass(70.0).await;
        assert_eq!(event_of(&world, "ada").kind, EventKind::Present, "she was there before the first look");
        for (name, truth) in [("bob", joined), ("cleo", last)] {
            let window = event_of(&world, name).window;
            assert!(window.contains(truth), "{name}, {after}: {window:?} without {truth:?}");
        }
        assert_eq!(event_of(&world, "cleo").kind, EventKind::Join);
        world.adsum.stop().await;
        tokio::time::resume();
    }
}

#[actix::test]
async fn a_discovery_proves_nothing_for_a_pattern_that_is_added_later() {
    let source = FakeSource::default();
    source.join("hall.1", "ada");
    source.join("yard.1", "bob");
    let mut world = World::start(settings(&["room.*"]), source).await;
    world.pass(40.0).await;
    world.adsum.watch(Target::new("yard.*").unwrap()).await.unwrap();
    world.pass(40.0).await;
    assert_eq!(event_of(&world, "bob").kind, EventKind::Present);
    world.settings = settings(&["room.*", "hall.*"]);
    let world = world.restart(Duration::from_secs(10)).await;
    world.pass(40.0).await;
    assert_eq!(event_of(&world, "ada").kind, EventKind::Present);
}

#[actix::test]
async fn a_channel_that_no_discovery_listed_had_nobody_in_it_whatever_happens_later() {
    let world = watching(&["room.*"]).await;
    world.pass(70.0).await;
    let (early, first) = (world.adsum.now().minus(Duration::from_secs(70)), world.adsum.now());
    world.pass(60.0).await;
    assert_eq!(present(&world, "room.1", "ada", first).await, (Present::No, None));
    assert_eq!(
        present(&world, "room.1", "ada", world.adsum.now()).await,
        (Present::Unknown, Some(Code::Unsettled))
    );
    assert_eq!(present(&world, "lobby", "ada", first).await, (Present::Unknown, Some(Code::NotWatched)));
    let resolution = world.adsum.presence(&channel("room.1"), &user("ada"), Some(first)).await.unwrap();
    assert!(resolution.resolution.is_some_and(|step| step >= Duration::from_secs(30)), "{resolution:?}");
    // Somebody comes, and the channel has a record of its own from then on.
    world.source.join("room.1", "ada");
    world.pass(60.0).await;
    let joined = event_of(&world, "ada").window;
    assert_eq!(present(&world, "room.1", "ada", first).await, (Present::No, None));
    let then = world.adsum.occupants(&channel("room.1"), Some(first), None, 10).await.unwrap();
    assert!(then.observed && then.items.is_empty() && then.occupancy.is_some_and(|seen| seen.max == 0));
    assert_eq!(
        present(&world, "room.1", "ada", joined.not_after.minus(Duration::from_micros(1))).await.0,
        Present::Unknown
    );
    // Nothing is known of the time in which adsum did not run, and what was known before stays.
    let stopped = world.adsum.now();
    let world = world.restart(Duration::from_secs(500)).await;
    world.pass(70.0).await;
    assert_eq!(present(&world, "room.1", "ada", first).await, (Present::No, None));
    assert_eq!(present(&world, "room.2", "ada", first).await, (Present::No, None));
    let away = stopped.plus(Duration::from_secs(250));
    assert_eq!(present(&world, "room.2", "ada", away).await.0, Present::Unknown);
    let again = world.adsum.now().minus(Duration::from_secs(40));
    assert_eq!(present(&world, "room.2", "ada", again).await, (Present::No, None));
    assert_eq!(
        present(&world, "room.2", "ada", early.minus(Duration::from_secs(60))).await.0,
        Present::Unknown
    );
}

#[actix::test]
async fn nothing_is_known_of_an_undiscovered_channel_while_discoveries_fail() {
    let world = watching(&["room.*"]).await;
    world.pass(70.0).await;
    let failure = Failure::Service { retry_after: None };
    world.source.change(|s| s.trouble = Some(trouble(GapReason::Timeout, failure)));
    world.pass(300.0).await;
    let during = world.adsum.now().minus(Duration::from_secs(100));
    world.source.change(|s| s.trouble = None);
    world.pass(100.0).await;
    assert_eq!(present(&world, "room.1", "ada", during).await.0, Present::Unknown);
    let now = world.adsum.presence(&channel("room.1"), &user("ada"), None).await.unwrap();
    assert_eq!(now.answer.present, Present::No);
}

#[actix::test]
async fn a_discovery_that_cannot_be_noted_proves_less_and_nothing_false() {
    let world = watching(&["room.*"]).await;
    world.pass(40.0).await;
    world.faults.unavailable.store(true, Ordering::SeqCst);
    world.source.join("room.1", "ada");
    let joined = world.adsum.now();
    world.pass(70.0).await;
    world.faults.unavailable.store(false, Ordering::SeqCst);
    world.pass(60.0).await;
    let event = event_of(&world, "ada");
    assert!(event.kind == EventKind::Join && event.window.contains(joined), "{event:?}");
}

#[actix::test]
async fn dormant_channels_are_dormant_after_a_restart_and_not_asked_for_one_by_one() {
    let world = watching(&["room.*"]).await;
    world.pass(31.0).await;
    let names: Vec<String> = (0..500).map(|n| format!("room.{n}")).collect();
    for name in &names {
        world.source.join(name, "ada");
    }
    world.pass(45.0).await;
    world.source.change(|s| s.channels.clear());
    world.pass(120.0).await;
    world.adsum.stop().await;
    world.source.join("room.7", "bob");
    let before = world.source.requests();
    let world = world.restart(Duration::from_secs(100)).await;
    let began = world.adsum.now();
    world.pass(29.0).await;
    let asked = world.source.requests() - before;
    assert!(asked < 20, "{asked} requests in 29 s: one discovery, and room.7 every 5 s");
    assert!(event_of(&world, "bob").window.contains(began.minus(Duration::from_secs(100))));
    world.pass(60.0).await;
    for name in &names {
        let now = world.adsum.channel(&channel(name)).await.unwrap();
        assert_eq!((now.status, now.gap), (Status::Ok, None), "{name}");
        let gaps = world.history.gaps(Some(&channel(name)), (None, None), None, 10).unwrap();
        let gaps: Vec<_> = gaps.iter().map(|(_, gap)| (gap.reason, gap.to.is_some())).collect();
        assert_eq!(gaps, [(GapReason::Stopped, true)], "{name}");
    }
    let settled = world.adsum.now().minus(Duration::from_secs(40));
    assert_eq!(present(&world, "room.9", "ada", settled).await, (Present::No, None));
    assert_eq!(
        present(&world, "room.9", "ada", began.minus(Duration::from_secs(50))).await,
        (Present::Unknown, Some(Code::Gap))
    );
}

/// Lets virtual time pass although a slow commit holds it.
async fn pass_meanwhile(seconds: u32) {
    for _ in 0..seconds * 10 {
        tokio::time::advance(Duration::from_millis(100)).await;
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
}

/// A world in which room.1 is to become dormant, and waits for a slow commit before it does.
async fn with_a_room_that_is_about_to_be_dormant() -> World {
    let source = FakeSource::default();
    source.join("room.1", "ada");
    let world = World::start(settings(&["room.*", "lobby"]), source).await;
    world.pass(32.0).await;
    world.source.leave("room.1", "ada");
    world.pass(10.0).await;
    assert_eq!(world.events().await, ["present ada", "leave ada"]);
    world.faults.slow.store(true, Ordering::SeqCst);
    world.source.join("room.1", "bob");
    pass_meanwhile(8).await;
    world.source.leave("room.1", "bob");
    pass_meanwhile(12).await;
    world
}

fn reasons(world: &World, name: &str) -> Vec<GapReason> {
    let gaps = world.history.gaps(Some(&channel(name)), (None, None), None, 10).unwrap();
    gaps.iter().map(|(_, gap)| gap.reason).collect()
}

fn watched(world: &World) -> Vec<String> {
    world.adsum.channels().iter().map(|channel| channel.channel.to_string()).collect()
}

/// It stayed dormant for ever, with nobody to observe it.
#[actix::test]
async fn a_channel_whose_pattern_goes_while_it_becomes_dormant_is_unwatched() {
    let world = with_a_room_that_is_about_to_be_dormant().await;
    let policies = world.settings.policies.clone();
    world.adsum.reconfigure(vec![Target::new("lobby").unwrap()], vec![], policies).await.unwrap();
    world.faults.slow.store(false, Ordering::SeqCst);
    world.pass(60.0).await;
    assert_eq!(watched(&world), ["lobby"]);
    assert_eq!(reasons(&world, "room.1"), [GapReason::Overrun, GapReason::Unwatched]);
}

/// It was ended as unwatched, although a pattern means it and discoveries observe it.
#[actix::test]
async fn a_channel_whose_actor_dies_while_it_becomes_dormant_is_dormant() {
    let world = with_a_room_that_is_about_to_be_dormant().await;
    world.faults.panic_before.store(true, Ordering::SeqCst);
    world.faults.slow.store(false, Ordering::SeqCst);
    world.pass(60.0).await;
    assert!(!world.faults.panic_before.load(Ordering::SeqCst), "its commit did panic");
    let room = world.adsum.channel(&channel("room.1")).await.unwrap();
    assert_eq!((room.status, room.gap), (Status::Ok, None));
    assert_eq!(
        reasons(&world, "room.1"),
        [GapReason::HistoryUnavailable],
        "bob was there, and nobody recorded it"
    );
}

/// Every discovery wrote every channel that it listed anew.
#[actix::test]
async fn a_discovery_writes_only_channels_that_are_new() {
    let source = FakeSource::default();
    source.join("room.1", "ada");
    let world = World::start(settings(&["room.*"]), source).await;
    world.pass(100.0).await;
    world.source.join("room.2", "bob");
    world.pass(100.0).await;
    let listed = world.faults.listed.lock().iter().flatten().map(ToString::to_string).collect::<Vec<_>>();
    assert!(world.faults.listed.lock().len() > 5, "discoveries are noted");
    assert_eq!(listed, ["room.1", "room.2"], "each once");
}

/// So many channels have somebody in them at a time, each for a short while.
const AT_ONCE: usize = 3000;

/// So many come and go.
const CHANNELS: usize = 30_000;

#[actix::test]
async fn tens_of_thousands_of_channels_come_and_go_without_a_trace_in_what_is_watched() {
    let mut settings = Settings { discover_interval: Duration::from_secs(900), ..settings(&["room.*"]) };
    settings.policies.default.interval = Duration::from_secs(300);
    settings.policies.default.gap_after = Duration::from_secs(900);
    settings.mark_every = Duration::from_secs(900);
    let world = World::start(settings, FakeSource::default()).await;
    world.pass(901.0).await;
    for wave in 0..CHANNELS / AT_ONCE {
        let names = (0..AT_ONCE).map(|n| format!("room.{}", wave * AT_ONCE + n)).collect::<Vec<_>>();
        for name in &names {
            world.source.join(name, "ada");
        }
        world.pass(1200.0).await;
        world.source.change(|s| s.channels.clear());
        let before = world.source.requests();
        world.pass(2400.0).await;
        let asked = world.source.requests() - before;
        assert!(asked < AT_ONCE + 150, "{asked} requests in wave {wave}: what just emptied, once each alone");
    }
    let watched = world.adsum.channels();
    assert!(watched.len() <= CHANNELS && watched.iter().all(|channel| channel.status == Status::Ok));
    let before = world.source.requests();
    world.pass(86_400.0 + 1800.0).await;
    let asked = world.source.requests() - before;
    assert!(asked <= 86_400 / 900 + 10, "{asked} requests in a day: only discoveries");
    assert_eq!(world.adsum.channels().len(), 0, "a day later all are forgotten");
    let events = world.adsum.events(EventQuery { limit: 1000, ..EventQuery::default() }).await.unwrap();
    assert!(events.items.iter().all(|event| event.kind != EventKind::Present));
    world.source.join("room.7", "ada");
    world.pass(1200.0).await;
    let back = world.adsum.presence(&channel("room.7"), &user("ada"), None).await.unwrap();
    assert_eq!(back.answer.present, Present::Yes);
}
