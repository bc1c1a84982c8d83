//! Regressions that a review found: each went wrong once as its name says.

use std::time::Duration;

use adsum::domain::answer::Present;
use adsum::domain::channel::Status;
use adsum::domain::gap::GapReason;
use adsum::domain::plan::Failure;
use adsum::domain::watch::Target;

use crate::watching;
use crate::world::{FakeSource, World, channel, settings, trouble, user};

#[actix::test]
async fn a_probe_whose_channels_are_all_missing_does_not_stop_all_polling() {
    let world = watching(&["lobby", "other"]).await;
    world.source.join("lobby", "ada");
    world.source.join("other", "bob");
    world.pass(12.0).await;
    let failure = Failure::Key { retry_after: None };
    world.source.change(|s| s.trouble = Some(trouble(GapReason::Throttled, failure)));
    world.pass(20.0).await;
    world.source.leave("lobby", "ada");
    world.source.leave("other", "bob");
    world.source.change(|s| s.trouble = None);
    world.pass(60.0).await;
    let before = world.source.requests();
    world.pass(3600.0).await;
    let asked = world.source.requests() - before;
    assert!(asked > 100, "{asked} requests in an hour; {:?}", world.events().await);
}

#[actix::test]
async fn a_watch_that_ends_and_begins_again_at_once_is_no_death() {
    let world = watching(&[]).await;
    let targets: Vec<Target> = (0..25).map(|n| Target::new(&format!("room.{n}")).unwrap()).collect();
    for t in &targets {
        world.adsum.watch(t.clone()).await.unwrap();
    }
    world.pass(12.0).await;
    for t in &targets {
        world.adsum.unwatch(t).await.unwrap();
        world.adsum.watch(t.clone()).await.unwrap();
    }
    let failed = tokio::time::timeout(Duration::from_secs(30), world.adsum.failure()).await;
    assert!(failed.is_err(), "adsum gave up");
}

#[actix::test]
async fn a_discovered_channel_that_emptied_while_adsum_was_stopped_has_its_leave() {
    let world = watching(&["room.*"]).await;
    world.pass(31.0).await;
    world.source.join("room.1", "ada");
    world.pass(45.0).await;
    let world = world.restart(Duration::from_secs(100)).await;
    world.source.leave("room.1", "ada");
    world.pass(600.0).await;
    assert_eq!(world.events().await, ["join ada", "leave ada"]);
}

#[actix::test]
async fn a_mark_proves_nothing_of_a_channel_whose_first_answer_was_slow() {
    let world = watching(&["lobby"]).await;
    world.pass(6.0).await;
    world.source.change(|s| s.latency = Duration::from_secs(9));
    let asked = world.adsum.now();
    world.adsum.watch(Target::new("slow").unwrap()).await.unwrap();
    world.pass(0.5).await;
    world.source.change(|s| s.latency = Duration::ZERO);
    world.pass(9.0).await;
    let record = world.history.channel(&channel("slow")).unwrap().unwrap();
    let late = record.run.unwrap().last.earliest.since(asked);
    assert!(late < Duration::from_secs(1), "sent at once, proven {late:?} later");
}

#[actix::test]
async fn a_watch_that_ends_while_the_history_is_locked_proves_nothing_afterwards() {
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
    world.pass(25.0).await;
    let other = rusqlite::Connection::open(world.folder.path().join("history.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    world.source.change(|s| {
        s.groups.insert("team".to_owned(), vec!["b".to_owned()]);
    });
    world.pass(10.0).await;
    other.execute_batch("ROLLBACK").unwrap();
    world.source.leave("a", "ada");
    world.pass(120.0).await;
    let at = world.adsum.now();
    world.pass(120.0).await;
    let answer = world.adsum.presence(&channel("a"), &user("ada"), Some(at)).await.unwrap();
    assert_eq!(answer.answer.present, Present::Unknown, "{answer:?}");
}

#[actix::test]
async fn many_channels_that_are_let_go_and_wanted_again_at_once_have_no_gap_left_open() {
    let names: Vec<String> = (0..400).map(|n| format!("room.{n}")).collect();
    let targets: Vec<&str> = names.iter().map(String::as_str).collect();
    let world = watching(&targets).await;
    world.pass(30.0).await;
    let (all, none) = (settings(&targets), settings(&[]));
    world.adsum.reconfigure(none.targets, vec![], none.policies).await.unwrap();
    world.adsum.reconfigure(all.targets, vec![], all.policies).await.unwrap();
    world.pass(60.0).await;
    let open = names.iter().filter(|name| {
        let gaps = world.history.gaps(Some(&channel(name)), (None, None), None, 10).unwrap();
        gaps.iter().any(|(_, gap)| gap.to.is_none())
    });
    let open = open.count();
    let live = world.adsum.channels().iter().filter(|c| c.status == Status::Ok).count();
    assert_eq!((open, live), (0, 400));
}

#[actix::test]
async fn expired_gaps_are_not_counted_as_proven_time() {
    let source = FakeSource::default();
    source.join("lobby", "ada");
    let settings =
        adsum::actors::handle::Settings { retain: Duration::from_secs(7200), ..settings(&["lobby"]) };
    let world = World::start(settings, source).await;
    world.pass(60.0).await;
    world
        .source
        .change(|s| s.trouble = Some(trouble(GapReason::Timeout, Failure::Service { retry_after: None })));
    world.pass(3000.0).await;
    world.source.change(|s| s.trouble = None);
    world.pass(3600.0 * 5.0).await;
    let q = adsum::history::VisitQuery { limit: 10, ..Default::default() };
    let page = world.adsum.visits(q, None).await.unwrap();
    let min = page.items[0].length.min.as_secs();
    assert!(
        min < 60 + 18000 + 70,
        "{min} s proven, of which 3000 s were not observed; {:?}",
        page.items[0].gaps
    );
}

#[actix::test]
async fn one_slow_rule_does_not_hold_the_mark_back() {
    let mut s = settings(&["lobby", "slow"]);
    let policy = adsum::domain::watch::Policy {
        interval: Duration::from_secs(3600),
        gap_after: Duration::from_secs(3 * 3600),
        ..s.policies.default
    };
    s.policies
        .rules
        .push(adsum::domain::watch::Rule { channels: vec![Target::new("slow").unwrap()], policy });
    let world = World::start(s, FakeSource::default()).await;
    world.pass(1800.0).await;
    let proven = world.history.channel(&channel("lobby")).unwrap().unwrap().run.unwrap().last.earliest;
    let age = world.adsum.now().since(proven);
    assert!(age < Duration::from_secs(30), "lobby is proven up to {age:?} ago");
}

#[actix::test]
async fn a_service_that_hangs_is_a_timeout_and_no_overrun() {
    let world = watching(&["lobby"]).await;
    world.pass(20.0).await;
    world.source.change(|s| {
        s.latency = Duration::from_secs(12);
        s.trouble = Some(trouble(GapReason::Timeout, Failure::Service { retry_after: None }));
    });
    world.pass(120.0).await;
    let gap = world.adsum.channel(&channel("lobby")).await.unwrap().gap.unwrap();
    assert_eq!(gap.reason, GapReason::Timeout);
}

#[actix::test]
async fn a_channel_watched_again_that_is_refused_is_in_a_gap_of_that_reason() {
    let world = watching(&[]).await;
    let lobby = Target::new("lobby").unwrap();
    world.adsum.watch(lobby.clone()).await.unwrap();
    world.pass(20.0).await;
    world.adsum.unwatch(&lobby).await.unwrap();
    world.pass(20.0).await;
    world.source.change(|s| {
        s.trouble = Some(trouble(GapReason::Forbidden, Failure::Channels(vec![channel("lobby")])));
    });
    world.adsum.watch(lobby).await.unwrap();
    world.pass(600.0).await;
    let room = world.adsum.channel(&channel("lobby")).await.unwrap();
    assert_eq!((room.status, room.gap.unwrap().reason), (Status::Gap, GapReason::Forbidden));
}

#[actix::test]
async fn the_occupancy_of_a_count_only_channel_is_not_zero_for_a_missing_entry() {
    let mut s = settings(&["lobby", "other"]);
    s.policies.default.include_uuids = false;
    s.policies.default.include_state = false;
    let source = FakeSource::default();
    source.join("lobby", "ada");
    source.join("other", "bob");
    let world = World::start(s, source).await;
    world.pass(12.0).await;
    world.source.leave("lobby", "ada");
    world.pass(12.0).await;
    world.source.change(|s| assert!(s.asked.contains(&vec!["lobby".to_owned()]), "it was asked for alone"));
}

#[actix::test]
async fn dormant_channels_that_an_outage_woke_go_back_to_the_discoveries_and_their_gap_says_why() {
    let world = watching(&["room.*"]).await;
    world.pass(31.0).await;
    for n in 0..5 {
        world.source.join(&format!("room.{n}"), "ada");
    }
    world.pass(45.0).await;
    for n in 0..5 {
        world.source.leave(&format!("room.{n}"), "ada");
    }
    world.pass(120.0).await;
    let failure = Failure::Service { retry_after: None };
    world.source.change(|s| s.trouble = Some(trouble(GapReason::Unreachable, failure)));
    world.pass(200.0).await;
    let open = world.history.gaps(Some(&channel("room.1")), (None, None), None, 10).unwrap();
    assert_eq!(open.len(), 1, "it is recorded while it lasts");
    world.source.change(|s| s.trouble = None);
    world.pass(120.0).await;
    let before = world.source.requests();
    world.pass(3600.0).await;
    let asked = world.source.requests() - before;
    assert!(asked <= 121, "{asked} requests in an hour: only discoveries, every 30 s");
    let gaps = world.adsum.gaps(Some(&channel("room.1")), None, None, None, 10).await.unwrap().items;
    let gaps: Vec<_> = gaps.iter().map(|(_, gap)| (gap.reason, gap.to.is_some())).collect();
    assert_eq!(gaps, [(GapReason::Unreachable, true)]);
    world.adsum.reconfigure(vec![], vec![], settings(&[]).policies).await.unwrap();
    world.pass(60.0).await;
    assert!(world.adsum.channels().is_empty(), "the pattern is gone");
}

#[actix::test]
async fn a_policy_that_changes_while_a_channel_is_dormant_holds_when_it_wakes() {
    let world = watching(&["room.*"]).await;
    world.pass(31.0).await;
    world.source.join("room.1", "ada");
    world.pass(45.0).await;
    world.source.leave("room.1", "ada");
    world.pass(120.0).await;
    let mut policies = settings(&[]).policies;
    policies.default.interval = Duration::from_secs(60);
    policies.default.gap_after = Duration::from_secs(180);
    world.adsum.reconfigure(vec![Target::new("room.*").unwrap()], vec![], policies).await.unwrap();
    world.source.join("room.1", "ada");
    world.pass(60.0).await;
    let room = world.adsum.channel(&channel("room.1")).await.unwrap();
    assert_eq!(room.policy.map(|policy| policy.interval), Some(Duration::from_secs(60)));
}

#[actix::test]
async fn a_channel_that_is_being_loaded_when_adsum_stops_is_stopped_and_not_crashed() {
    let world = watching(&["lobby"]).await;
    world.pass(12.0).await;
    world.adsum.watch(Target::new("new").unwrap()).await.unwrap();
    let world = world.restart(Duration::from_secs(10)).await;
    let gaps = world.adsum.gaps(None, None, None, None, 10).await.unwrap();
    assert!(gaps.items.iter().all(|(_, gap)| gap.reason == GapReason::Stopped), "{:?}", gaps.items);
}

#[actix::test]
async fn a_leave_that_is_seen_just_before_adsum_stops_is_committed() {
    let world = watching(&["lobby"]).await;
    world.source.join("lobby", "ada");
    world.pass(12.0).await;
    world.source.leave("lobby", "ada");
    world.pass(5.001).await;
    let world = world.restart(Duration::from_secs(1)).await;
    world.pass(12.0).await;
    assert_eq!(world.events().await, ["join ada", "leave ada"]);
}
