//! What a fresh reader found. Each test fails on 0c9369f.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    missing_docs
)]

#[path = "../actors/flaky.rs"]
mod flaky;
#[path = "../actors/world.rs"]
mod world;

use std::sync::Arc;
use std::time::Duration;

use adsum::actors::clock::Clock;
use adsum::domain::gap::GapReason;
use adsum::domain::names::Pattern;
use adsum::domain::plan::Failure;
use adsum::domain::time::{Moment, Time};
use adsum::history::sqlite::Sqlite;
use adsum::history::{Discovery, History};

use world::{FakeSource, World, channel, settings, trouble};

const DAY: i64 = 86_400;

fn time(second: i64) -> Time {
    Time::from_micros(second * 1_000_000)
}

fn note(history: &dyn History, second: i64) {
    let discovery = Discovery {
        moment: Moment { earliest: time(second), latest: time(second + 1) },
        patterns: vec![Pattern::new("room.*").unwrap()],
        listed: Vec::new(),
        patience: Duration::from_secs(2 * 86_400),
    };
    history.discovered(&discovery).unwrap();
}

/// A series that a restart ended was deleted as a whole, with the weeks that are kept, because it began before them.
#[test]
fn what_discoveries_proved_in_the_time_that_is_kept_outlasts_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let history = Sqlite::open(&folder.path().join("history.db")).unwrap();
    for day in 0..40 {
        note(&history, day * DAY);
    }
    let proven = |history: &Sqlite| history.unlisted(&channel("room.1"), time(30 * DAY)).unwrap().is_some();
    while history.expire(time(10 * DAY), 1000).unwrap() {}
    assert!(proven(&history), "it goes on, and is shortened");
    history.recover().unwrap();
    while history.expire(time(10 * DAY + 60), 1000).unwrap() {}
    assert!(proven(&history), "nobody was there twenty days after what expired");
}

/// Two steps within a minute are taken as one, and then a request sent between them was taken to be before both.
#[actix::test]
async fn a_span_that_reaches_back_over_the_first_of_two_steps_is_as_long_as_it_may_have_been() {
    tokio::time::pause();
    let start = time(1_800_000_000);
    let began = tokio::time::Instant::now();
    let wall = move || {
        let passed = began.elapsed();
        let set = match passed.as_secs() {
            0..10 => 0,
            10..15 => 600,
            _ => 1200,
        };
        start.plus(passed).plus(Duration::from_secs(set))
    };
    let clock = Clock::with_wall(None, Arc::new(wall));
    tokio::time::sleep(Duration::from_secs(9)).await;
    let before_both = clock.now();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let sent = clock.now();
    let ttl = Duration::from_secs(3);
    let while_between = clock.before(sent, ttl);
    assert!(while_between <= before_both, "the cache reaches back over the step");
    tokio::time::sleep(Duration::from_secs(5)).await;
    clock.now();
    assert!(
        clock.before(sent, ttl) <= before_both,
        "also when another step followed before the answer: {:?}",
        clock.before(sent, ttl)
    );
}

/// While the key was told to rest, discoveries rest too, and nobody told the channels that they observe.
#[actix::test]
async fn a_dormant_channel_is_not_observed_because_of_what_the_service_said() {
    let source = FakeSource::default();
    source.join("room.1", "ada");
    let world = World::start(settings(&["room.*", "lobby"]), source).await;
    world.pass(40.0).await;
    world.source.leave("room.1", "ada");
    world.pass(70.0).await;
    let limit = Failure::Key { retry_after: Some(Duration::from_secs(1200)) };
    world.source.change(|s| s.trouble = Some(trouble(GapReason::Throttled, limit)));
    world.pass(6.0).await;
    world.source.change(|s| s.trouble = None);
    world.pass(600.0).await;
    let gaps = |world: &World| {
        let gaps = world.history.gaps(None, (None, None), None, 100).unwrap();
        gaps.into_iter().map(|(name, gap)| (name.to_string(), gap.reason)).collect::<Vec<_>>()
    };
    let lobby = gaps(&world);
    world.pass(900.0).await;
    let after = gaps(&world);
    assert_eq!(
        after,
        [("lobby".to_owned(), GapReason::Throttled), ("room.1".to_owned(), GapReason::Throttled)],
        "while it rested: {lobby:?}"
    );
}

/// A service that cuts lists below a page's size was asked without pages at every other look, and cut that list again.
#[actix::test]
async fn a_list_that_is_whole_in_pages_is_asked_for_in_pages() {
    let source = FakeSource::default();
    for user in ["ada", "bob", "cleo", "dan", "eve"] {
        source.join("lobby", user);
    }
    source.change(|s| s.cut = Some(3));
    let world = World::start(settings(&["lobby"]), source).await;
    world.pass(12.0).await;
    let mut complete = Vec::new();
    for _ in 0..6 {
        world.pass(5.0).await;
        complete.push(world.adsum.channel(&channel("lobby")).await.unwrap().complete);
    }
    assert_eq!(complete, [true; 6]);
}
