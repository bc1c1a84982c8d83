//! The moving parts in virtual time, against a service of the test's own and a real history.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod alarms;
mod answers;
mod discoveries;
mod durable;
mod flaky;
mod judging;
mod memory;
mod merging;
mod promises;
mod regressions;
mod resting;
mod rules;
mod stage;
mod unrecorded;
mod watches;
mod world;

use std::sync::atomic::Ordering;
use std::time::Duration;

use adsum::actors::supervisor::MAX_DEATHS;
use adsum::domain::answer::{Code, Present};
use adsum::domain::channel::Status;
use adsum::domain::gap::GapReason;
use adsum::domain::plan::Failure;
use adsum::domain::watch::Target;
use serde_json::json;

use world::{FakeSource, World, channel, settings, trouble, user};

/// Watching channels in which nobody was at the first look.
async fn watching(targets: &[&str]) -> World {
    let world = World::start(settings(targets), FakeSource::default()).await;
    world.pass(6.0).await;
    world
}

#[actix::test]
async fn who_comes_and_goes_is_recorded_once_with_windows_that_hold_it() {
    let world = watching(&["lobby"]).await;
    world.source.join("lobby", "ada");
    world.pass(12.0).await;
    world.source.join("lobby", "bob");
    let joined = world.adsum.now();
    world.pass(20.0).await;
    world.source.leave("lobby", "ada");
    let left = world.adsum.now();
    world.pass(20.0).await;
    assert_eq!(world.events().await, ["join ada", "join bob", "leave ada"]);
    let events =
        world.history.events(&adsum::history::EventQuery { limit: 10, ..Default::default() }).unwrap();
    assert!(events[1].window.contains(joined), "{:?} {joined:?}", events[1].window);
    assert!(events[2].window.contains(left), "{:?} {left:?}", events[2].window);
    let room = world.adsum.channel(&channel("lobby")).await.unwrap();
    assert_eq!((room.status, room.occupancy, room.complete), (Status::Ok, Some(1), true));
}

#[actix::test]
async fn somebody_who_was_there_at_the_first_look_is_present_and_did_not_join() {
    let source = FakeSource::default();
    source.join("lobby", "ada");
    let world = World::start(settings(&["lobby"]), source).await;
    world.pass(12.0).await;
    assert_eq!(world.events().await, ["present ada"]);
}

#[actix::test]
async fn states_are_events_and_known_states() {
    let world = watching(&["lobby"]).await;
    world.source.join("lobby", "ada");
    world.pass(12.0).await;
    world.source.change(|s| {
        s.channels.get_mut("lobby").unwrap().insert("ada".to_owned(), Some(json!({"mood": "ok"})));
    });
    world.pass(12.0).await;
    assert_eq!(world.events().await, ["join ada", "state ada"]);
    let known = world.adsum.user_state(&user("ada")).await.unwrap();
    assert_eq!(known[0].state.state().unwrap().to_value(), json!({"mood": "ok"}));
    assert!(known[0].present);
}

#[actix::test]
async fn an_outage_is_one_gap_without_leaves_and_the_changes_afterwards_span_it() {
    let world = watching(&["lobby", "quiet"]).await;
    world.source.join("lobby", "ada");
    world.source.join("lobby", "bob");
    world.pass(12.0).await;
    world
        .source
        .change(|s| s.trouble = Some(trouble(GapReason::Timeout, Failure::Service { retry_after: None })));
    world.pass(30.0).await;
    world.source.leave("lobby", "ada");
    let left = world.adsum.now();
    let room = world.adsum.channel(&channel("lobby")).await.unwrap();
    assert_eq!((room.status, room.gap.unwrap().reason), (Status::Gap, GapReason::Timeout));
    world.pass(30.0).await;
    world.source.change(|s| s.trouble = None);
    world.pass(60.0).await;
    assert_eq!(world.events().await, ["join ada", "join bob", "leave ada"]);
    for name in ["lobby", "quiet"] {
        let gaps = world.adsum.gaps(Some(&channel(name)), None, None, None, 10).await.unwrap();
        assert_eq!(gaps.items.len(), 1, "{name}");
        let gap = gaps.items[0].1;
        assert_eq!(gap.reason, GapReason::Timeout);
        assert!(gap.to.is_some() && gap.covers(left));
        assert!(gaps.coverage.unwrap().users < 1.0);
    }
    let answer = world.adsum.presence(&channel("lobby"), &user("ada"), Some(left)).await.unwrap();
    assert_eq!((answer.answer.present, answer.answer.code), (Present::Unknown, Some(Code::Gap)));
}

#[actix::test]
async fn a_missing_channel_ends_visits_only_after_its_own_explicit_zero() {
    let world = watching(&["lobby", "other"]).await;
    world.source.join("lobby", "ada");
    world.source.join("other", "bob");
    world.pass(12.0).await;
    world.source.leave("lobby", "ada");
    world.pass(12.0).await;
    assert_eq!(world.events().await, ["join ada", "join bob", "leave ada"]);
    world.source.change(|s| assert!(s.asked.contains(&vec!["lobby".to_owned()]), "it was asked for alone"));
}

#[actix::test]
async fn one_bad_channel_does_not_blind_the_others() {
    let names: Vec<String> = (0..20).map(|n| format!("room.{n}")).collect();
    let targets: Vec<&str> = names.iter().map(String::as_str).collect();
    let source = FakeSource::default();
    source.change(|s| s.bad = Some("room.7".to_owned()));
    let world = World::start(settings(&targets), source).await;
    world.source.join("room.8", "ada");
    world.pass(40.0).await;
    assert_eq!(world.events().await, ["present ada"]);
    let bad = world.adsum.channel(&channel("room.7")).await.unwrap();
    assert_eq!((bad.status, bad.gap.unwrap().reason), (Status::Gap, GapReason::BadAnswer));
    let others = world.adsum.channels();
    assert_eq!(others.iter().filter(|channel| channel.status == Status::Ok).count(), 19);
    let before = world.source.requests();
    world.pass(100.0).await;
    let requests = world.source.requests() - before;
    assert!(requests < 60, "{requests} requests in 20 intervals: the others are asked for together");
}

#[actix::test]
async fn a_list_that_the_service_cuts_is_asked_for_in_pages() {
    let source = FakeSource::default();
    source.change(|s| s.cut = Some(1000));
    for n in 0..2500 {
        source.join("hall", &format!("user.{n:04}"));
    }
    let world = World::start(settings(&["hall"]), source).await;
    world.pass(12.0).await;
    let hall = world.adsum.channel(&channel("hall")).await.unwrap();
    assert_eq!((hall.occupancy, hall.complete), (Some(2500), true));
    world.source.leave("hall", "user.2400");
    world.pass(12.0).await;
    let gone = world.adsum.presence(&channel("hall"), &user("user.2400"), None).await.unwrap();
    assert_eq!(gone.answer.present, Present::No);
}

/// Otherwise every other look saw a part of it.
#[actix::test]
async fn a_list_that_is_cut_below_a_pages_length_goes_on_being_asked_for_in_pages() {
    let source = FakeSource::default();
    source.change(|s| s.cut = Some(20));
    for n in 0..50 {
        source.join("hall", &format!("user.{n:02}"));
    }
    let world = World::start(settings(&["hall"]), source).await;
    world.pass(12.0).await;
    for _ in 0..10 {
        assert!(world.adsum.channel(&channel("hall")).await.unwrap().complete);
        world.pass(5.0).await;
    }
    for n in 10..50 {
        world.source.leave("hall", &format!("user.{n:02}"));
    }
    world.pass(12.0).await;
    assert_eq!(world.adsum.channel(&channel("hall")).await.unwrap().occupancy, Some(10));
}

#[actix::test]
async fn a_restart_makes_no_false_joins_and_loses_no_leave() {
    let world = watching(&["lobby"]).await;
    world.source.join("lobby", "ada");
    world.source.join("lobby", "bob");
    world.pass(60.0).await;
    let before = world.adsum.now();
    let world = world.restart(Duration::from_secs(100)).await;
    world.source.leave("lobby", "bob");
    world.pass(12.0).await;
    assert_eq!(world.events().await, ["join ada", "join bob", "leave bob"]);
    let gaps = world.adsum.gaps(Some(&channel("lobby")), None, None, None, 10).await.unwrap().items;
    assert_eq!(gaps.iter().map(|(_, gap)| gap.reason).collect::<Vec<_>>(), [GapReason::Stopped]);
    for (at, expected) in [
        (before.minus(Duration::from_secs(30)), Present::Yes),
        (before.plus(Duration::from_secs(50)), Present::Unknown),
    ] {
        let answer = world.adsum.presence(&channel("lobby"), &user("bob"), Some(at)).await.unwrap();
        assert_eq!(answer.answer.present, expected, "{answer:?}");
    }
}

#[actix::test]
async fn a_channel_that_the_configuration_no_longer_names_is_unwatched_after_a_restart() {
    let mut world = watching(&["lobby", "room.1"]).await;
    world.source.join("room.1", "ada");
    world.pass(12.0).await;
    world.settings = settings(&["lobby"]);
    let world = world.restart(Duration::from_secs(100)).await;
    world.pass(12.0).await;
    let gaps = world.adsum.gaps(Some(&channel("room.1")), None, None, None, 10).await.unwrap().items;
    let gaps: Vec<_> = gaps.iter().map(|(_, gap)| (gap.reason, gap.to.is_some())).collect();
    assert_eq!(gaps, [(GapReason::Stopped, true), (GapReason::Unwatched, false)]);
    assert_eq!(world.adsum.channel(&channel("room.1")).await.unwrap().status, Status::Unwatched);
    assert_eq!(world.events().await, ["join ada"], "the visit goes on, for all that is known");
}

#[actix::test]
async fn a_poller_that_dies_is_replaced_and_goes_on() {
    let world = watching(&["lobby"]).await;
    world.source.join("lobby", "ada");
    world.pass(12.0).await;
    world.source.change(|s| s.panics = true);
    world.pass(12.0).await;
    world.source.join("lobby", "bob");
    world.pass(12.0).await;
    assert_eq!(world.events().await, ["join ada", "join bob"]);
}

#[actix::test]
async fn too_many_deaths_are_reported_for_adsum_to_end() {
    let world = watching(&["lobby"]).await;
    let failed = || tokio::time::timeout(Duration::from_millis(1), world.adsum.failure());
    assert!(failed().await.is_err());
    // Each successor asks at once, and dies of it.
    for _ in 0..MAX_DEATHS * 60 {
        world.source.change(|s| s.panics = true);
        world.pass(0.01).await;
    }
    assert!(failed().await.is_ok());
}

#[actix::test]
async fn patterns_find_channels_and_leave_them_to_the_discoveries_when_they_are_empty() {
    let world = watching(&["room.*"]).await;
    world.pass(31.0).await;
    world.source.join("room.1", "ada");
    world.source.join("lobby", "bob");
    world.pass(45.0).await;
    assert_eq!(world.events().await, ["join ada"], "the discovery before proves the absence");
    world.source.leave("room.1", "ada");
    world.pass(70.0).await;
    assert_eq!(world.events().await, ["join ada", "leave ada"]);
    let (empty, before) = (world.adsum.now(), world.source.requests());
    world.pass(300.0).await;
    let requests = world.source.requests() - before;
    assert!(requests <= 11, "{requests} requests in 300 s: only discoveries, every 30 s");
    let room = world.adsum.channel(&channel("room.1")).await.unwrap();
    assert_eq!((room.status, room.occupancy), (Status::Ok, Some(0)));
    let answer = world.adsum.presence(&channel("room.1"), &user("ada"), Some(empty)).await.unwrap();
    assert_eq!(answer.answer.present, Present::No);
    world.source.join("room.1", "ada");
    let joined = world.adsum.now();
    world.pass(45.0).await;
    assert_eq!(world.events().await, ["join ada", "leave ada", "join ada"]);
    let query = adsum::history::EventQuery { limit: 10, ..Default::default() };
    assert!(world.history.events(&query).unwrap()[2].window.contains(joined));
    let gaps = world.adsum.gaps(Some(&channel("room.1")), None, None, None, 10).await.unwrap();
    assert_eq!(gaps.items, [], "discoveries observed it all the time");
}

#[actix::test]
async fn groups_are_watched_by_the_names_in_them() {
    let source = FakeSource::default();
    source.change(|s| {
        s.groups.insert("team".to_owned(), vec!["a".to_owned(), "b".to_owned()]);
    });
    source.join("a", "ada");
    let settings = adsum::actors::handle::Settings {
        groups: vec![adsum::domain::names::GroupName::new("team").unwrap()],
        ..settings(&[])
    };
    let world = World::start(settings, source).await;
    world.pass(12.0).await;
    assert_eq!(world.events().await, ["present ada"]);
    world.source.change(|s| {
        s.groups.insert("team".to_owned(), vec!["b".to_owned()]);
    });
    world.pass(40.0).await;
    let names: Vec<_> = world.adsum.channels().into_iter().map(|c| c.channel).collect();
    assert_eq!(names, [channel("b")]);
    assert_eq!(world.events().await, ["present ada"], "the end of a watch ends no visit");
}

#[actix::test]
async fn watches_are_added_and_removed_while_running_and_outlast_a_restart() {
    let world = watching(&[]).await;
    let lobby = Target::new("lobby").unwrap();
    assert!(world.adsum.watch(lobby.clone()).await.unwrap());
    assert!(!world.adsum.watch(lobby.clone()).await.unwrap(), "it is watched already");
    world.source.join("lobby", "ada");
    world.pass(12.0).await;
    let world = world.restart(Duration::ZERO).await;
    world.pass(12.0).await;
    assert_eq!(world.adsum.channels().len(), 1);
    assert!(world.adsum.unwatch(&lobby).await.unwrap());
    assert!(!world.adsum.unwatch(&lobby).await.unwrap());
    world.pass(1.0).await;
    assert!(world.adsum.channels().is_empty());
    let now = world.adsum.now();
    world.pass(5.0).await;
    let answer = world.adsum.presence(&channel("lobby"), &user("ada"), Some(now)).await.unwrap();
    assert_eq!(answer.answer.code, Some(Code::NotWatched));
}

#[actix::test]
async fn a_key_in_trouble_is_probed_by_one_request_at_a_time() {
    let names: Vec<String> = (0..300).map(|n| format!("room.{n}")).collect();
    let targets: Vec<&str> = names.iter().map(String::as_str).collect();
    let world = watching(&targets).await;
    world.pass(12.0).await;
    let failure = Failure::Key { retry_after: None };
    world.source.change(|s| s.trouble = Some(trouble(GapReason::Throttled, failure)));
    world.pass(10.0).await;
    let before = world.source.requests();
    world.pass(300.0).await;
    let probes = world.source.requests() - before;
    assert!((4..=20).contains(&probes), "{probes} probes in 300 s");
    let blind = world.adsum.channels();
    assert!(blind.iter().all(|channel| channel.gap.is_some_and(|gap| gap.reason == GapReason::Throttled)));
}

#[actix::test]
async fn while_the_history_cannot_be_written_observing_goes_on_and_the_record_resumes_by_itself() {
    let world = watching(&["lobby", "quiet"]).await;
    world.source.join("lobby", "ada");
    world.pass(12.0).await;
    world.faults.unavailable.store(true, Ordering::SeqCst);
    world.source.join("lobby", "bob");
    let joined = world.adsum.now();
    world.pass(30.0).await;
    assert!(world.adsum.readiness().is_err());
    assert_eq!(world.events().await, ["join ada"], "nothing is visible before it is committed");
    world.source.leave("lobby", "ada");
    let before = world.source.requests();
    world.pass(30.0).await;
    assert!(world.source.requests() >= before + 5);
    world.faults.unavailable.store(false, Ordering::SeqCst);
    world.pass(15.0).await;
    assert_eq!(world.adsum.readiness(), Ok(()));
    assert_eq!(world.events().await, ["join ada", "leave ada", "join bob"]);
    let query = adsum::history::EventQuery { limit: 10, ..Default::default() };
    assert!(world.history.events(&query).unwrap()[2].window.contains(joined));
    let gaps = world.adsum.gaps(Some(&channel("lobby")), None, None, None, 10).await.unwrap().items;
    let gaps: Vec<_> = gaps.iter().map(|(_, gap)| (gap.reason, gap.to.is_some())).collect();
    assert_eq!(gaps, [(GapReason::HistoryUnavailable, true)]);
}

#[actix::test]
async fn a_commit_that_panics_loses_nothing_and_repeats_nothing() {
    let world = watching(&["lobby"]).await;
    world.source.join("lobby", "ada");
    world.pass(12.0).await;
    world.faults.panic_before.store(true, Ordering::SeqCst);
    world.source.join("lobby", "bob");
    world.pass(12.0).await;
    world.faults.panic_after.store(true, Ordering::SeqCst);
    world.source.join("lobby", "cleo");
    world.pass(12.0).await;
    assert!(!world.faults.panic_after.load(Ordering::SeqCst), "it did panic");
    world.source.leave("lobby", "ada");
    world.pass(12.0).await;
    assert_eq!(world.events().await, ["join ada", "join bob", "join cleo", "leave ada"]);
}
