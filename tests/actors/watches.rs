//! Who wants a channel watched: the configuration, the API, groups and patterns, all at once.

use std::time::Duration;

use adsum::actors::handle::Settings;
use adsum::domain::channel::Status;
use adsum::domain::gap::GapReason;
use adsum::domain::names::GroupName;
use adsum::domain::watch::Target;

use crate::world::{FakeSource, World, channel, settings};

fn team(members: &[&str]) -> FakeSource {
    let source = FakeSource::default();
    set_team(&source, members);
    source
}

fn set_team(source: &FakeSource, members: &[&str]) {
    let members = members.iter().map(|&member| member.to_owned()).collect();
    source.change(|s| {
        s.groups.insert("team".to_owned(), members);
    });
}

fn of_team(targets: &[&str]) -> Settings {
    Settings { groups: vec![GroupName::new("team").unwrap()], ..settings(targets) }
}

fn target(text: &str) -> Target {
    Target::new(text).unwrap()
}

/// The channel's gaps: why, and whether they are over.
fn gaps(world: &World, name: &str) -> Vec<(GapReason, bool)> {
    let gaps = world.history.gaps(Some(&channel(name)), (None, None), None, 100).unwrap();
    gaps.iter().map(|(_, gap)| (gap.reason, gap.to.is_some())).collect()
}

fn watched(world: &World) -> Vec<String> {
    world.adsum.channels().into_iter().map(|now| now.channel.as_str().to_owned()).collect()
}

#[actix::test]
async fn a_channel_is_watched_without_a_gap_as_long_as_anybody_wants_it() {
    let world = World::start(of_team(&["lobby"]), team(&["a", "lobby"])).await;
    world.pass(12.0).await;
    world.adsum.watch(target("a")).await.unwrap();
    world.adsum.watch(target("lobby")).await.unwrap();
    world.pass(12.0).await;
    world.adsum.unwatch(&target("a")).await.unwrap();
    world.adsum.unwatch(&target("lobby")).await.unwrap();
    world.pass(40.0).await;
    assert_eq!((gaps(&world, "a"), gaps(&world, "lobby")), (vec![], vec![]), "the group wants them");
    set_team(&world.source, &[]);
    world.pass(40.0).await;
    assert_eq!(watched(&world), ["lobby"], "the configuration wants it");
    assert_eq!(gaps(&world, "a"), [(GapReason::Unwatched, false)]);
    set_team(&world.source, &["a"]);
    world.pass(40.0).await;
    assert_eq!(gaps(&world, "a"), [(GapReason::Unwatched, true)], "it went on where it was");
    assert_eq!(watched(&world), ["a", "lobby"]);
    let world = world.restart(Duration::from_secs(5)).await;
    world.pass(40.0).await;
    assert_eq!(watched(&world), ["a", "lobby"]);
    assert_eq!(gaps(&world, "lobby"), [(GapReason::Stopped, true)]);
}

#[actix::test]
async fn an_added_pattern_outlasts_a_restart_and_a_removed_one_does_not() {
    let world = World::start(settings(&[]), FakeSource::default()).await;
    world.adsum.watch(target("room.*")).await.unwrap();
    world.source.join("room.1", "ada");
    world.pass(40.0).await;
    let world = world.restart(Duration::from_secs(5)).await;
    world.pass(12.0).await;
    assert_eq!(watched(&world), ["room.1"]);
    world.adsum.unwatch(&target("room.*")).await.unwrap();
    world.pass(5.0).await;
    assert_eq!(watched(&world), [""; 0]);
    let world = world.restart(Duration::from_secs(5)).await;
    world.pass(40.0).await;
    assert_eq!(watched(&world), [""; 0]);
    assert_eq!(gaps(&world, "room.1"), [(GapReason::Stopped, true), (GapReason::Unwatched, false)]);
}

#[actix::test]
async fn an_empty_channel_that_the_api_lets_go_is_left_to_the_discoveries_of_its_pattern() {
    let world = World::start(settings(&["room.*"]), FakeSource::default()).await;
    world.adsum.watch(target("room.1")).await.unwrap();
    world.pass(70.0).await;
    world.adsum.unwatch(&target("room.1")).await.unwrap();
    world.pass(200.0).await;
    assert_eq!(gaps(&world, "room.1"), []);
    let before = world.source.requests();
    world.pass(300.0).await;
    let asked = world.source.requests() - before;
    assert!(asked <= 11, "{asked} requests in 300 s: only discoveries");
    assert_eq!(world.adsum.channel(&channel("room.1")).await.unwrap().status, Status::Ok);
}

#[actix::test]
async fn a_channel_that_is_wanted_while_old_watches_are_ended_is_watched() {
    for delay in 0..20 {
        let world = World::start(of_team(&[]), team(&["a", "b"])).await;
        world.pass(12.0).await;
        set_team(&world.source, &["b"]);
        let world = world.restart(Duration::from_secs(5)).await;
        world.pass(f64::from(delay) * 0.0005).await;
        world.adsum.watch(target("a")).await.unwrap();
        world.pass(60.0).await;
        let open = gaps(&world, "a").into_iter().filter(|(_, over)| !over).count();
        let status = world.adsum.channel(&channel("a")).await.unwrap().status;
        assert_eq!((open, status), (0, Status::Ok), "{delay}: {:?}", gaps(&world, "a"));
        world.adsum.stop().await;
        tokio::time::resume();
    }
}

#[actix::test]
async fn a_group_that_the_configuration_drops_before_it_is_listed_holds_no_end_back() {
    let world = World::start(of_team(&[]), team(&["a"])).await;
    world.pass(12.0).await;
    let world = world.restart(Duration::from_secs(5)).await;
    world.adsum.reconfigure(vec![], vec![], settings(&[]).policies).await.unwrap();
    world.pass(60.0).await;
    assert_eq!(gaps(&world, "a"), [(GapReason::Stopped, true), (GapReason::Unwatched, false)]);
}

#[actix::test]
async fn changes_at_once_leave_the_same_in_the_history_as_in_what_is_watched() {
    let world = World::start(settings(&[]), FakeSource::default()).await;
    for round in 0..10 {
        let a = target("a");
        let (add, remove) = (world.adsum.watch(a.clone()), world.adsum.unwatch(&a));
        let (added, again) = (world.adsum.watch(a.clone()), world.adsum.unwatch(&a));
        let (one, two, three, four) = tokio::join!(add, remove, added, again);
        assert!(one.is_ok() && two.is_ok() && three.is_ok() && four.is_ok());
        world.pass(10.0).await;
        let kept = !world.history.watches().unwrap().is_empty();
        assert_eq!(kept, !world.adsum.watches().await.unwrap().is_empty(), "round {round}");
        assert_eq!(kept, !watched(&world).is_empty(), "round {round}");
    }
}
