//! Promises of the specification that are easily broken: what is forgotten, lost or not looked at is never answered for.

use std::sync::atomic::Ordering;
use std::time::Duration;

use adsum::domain::answer::{Code, Present};
use adsum::domain::gap::GapReason;
use adsum::domain::plan::Failure;
use adsum::domain::watch::Target;
use adsum::history::EventQuery;

use crate::stage::{Stage, listing, time};
use crate::watching;
use crate::world::{channel, settings, trouble, user};

#[actix::test]
async fn an_absence_that_was_seen_but_could_not_be_recorded_is_not_answered_with_yes() {
    let world = watching(&["lobby"]).await;
    world.source.join("lobby", "ada");
    world.pass(12.0).await;
    world.faults.unavailable.store(true, Ordering::SeqCst);
    world.source.leave("lobby", "ada");
    // One complete list without her; its commit fails.
    world.pass(3.0).await;
    let unseen = world.adsum.now();
    world.source.join("lobby", "ada");
    world.faults.unavailable.store(false, Ordering::SeqCst);
    world.pass(30.0).await;
    let answer = world.adsum.presence(&channel("lobby"), &user("ada"), Some(unseen)).await.unwrap();
    assert_ne!(answer.answer.present, Present::Yes, "a complete list between lacked her: {answer:?}");
    let gaps = world.adsum.gaps(Some(&channel("lobby")), None, None, None, 10).await.unwrap().items;
    let reasons: Vec<_> = gaps.iter().map(|(_, gap)| gap.reason).collect();
    assert_eq!(reasons, [GapReason::HistoryUnavailable], "a gap opens if the history cannot be written");
}

#[actix::test]
async fn an_absence_that_was_seen_and_lost_with_the_recorder_is_not_answered_with_yes() {
    let world = watching(&["lobby"]).await;
    world.source.join("lobby", "ada");
    world.pass(12.0).await;
    world.faults.panic_before.store(true, Ordering::SeqCst);
    world.source.leave("lobby", "ada");
    world.pass(3.0).await;
    assert!(!world.faults.panic_before.load(Ordering::SeqCst), "the commit did panic");
    let unseen = world.adsum.now();
    world.source.join("lobby", "ada");
    world.pass(30.0).await;
    let answer = world.adsum.presence(&channel("lobby"), &user("ada"), Some(unseen)).await.unwrap();
    assert_ne!(answer.answer.present, Present::Yes, "a complete list between lacked her: {answer:?}");
}

#[actix::test]
async fn after_a_crash_an_older_cached_answer_is_not_compared_with_what_a_mark_proves() {
    // Ada is away from 11 s to 14 s, between two polls. The service may answer from a cache that is 3 s old.
    let truth = |at: f64| if (11.0..14.0).contains(&at) { vec![] } else { vec!["ada"] };
    let mut how = settings(&["lobby"]);
    how.limits.cache_ttl = Duration::from_secs(3);
    how.mark_every = Duration::from_secs(1);
    let first =
        Stage::start(how.clone(), move |at, request| Ok(vec![listing(request, "lobby", &truth(at))])).await;
    first.pass(15.6).await;
    // The process is killed; the next one asks at once, and another of the service's caches answers, 2.6 s old.
    let second = first
        .crash(how, move |at, request| {
            let seen = if at < 16.0 { 13.0 } else { at };
            Ok(vec![listing(request, "lobby", &truth(seen))])
        })
        .await;
    second.pass(20.0).await;
    let events = second.history.events(&EventQuery { limit: 10, ..EventQuery::default() }).unwrap();
    let left = time(11.0);
    for event in events.iter().filter(|event| event.kind.as_str() == "leave") {
        assert!(event.window.contains(left), "she left at {left}: {event:?}");
    }
}

#[actix::test]
async fn a_watch_that_ended_while_adsum_was_stopped_loses_no_proof() {
    let mut world = watching(&["lobby", "room.1"]).await;
    world.source.join("room.1", "ada");
    world.pass(60.0).await;
    let proven = world.adsum.now().minus(Duration::from_secs(20));
    let answer = world.adsum.presence(&channel("room.1"), &user("ada"), Some(proven)).await.unwrap();
    assert_eq!(answer.answer.present, Present::Yes);
    // A cut list comes last, so that only the channel's row says what the last complete observation was.
    let mut policies = world.settings.policies.clone();
    policies.default.include_uuids = false;
    world.settings.policies = policies.clone();
    let targets = world.settings.targets.clone();
    world.adsum.reconfigure(targets, vec![], policies).await.unwrap();
    world.pass(7.0).await;
    world.settings = settings(&["lobby"]);
    let mut world = world.restart(Duration::from_secs(100)).await;
    world.pass(12.0).await;
    let answer = world.adsum.presence(&channel("room.1"), &user("ada"), Some(proven)).await.unwrap();
    assert_eq!(answer.answer.present, Present::Yes, "it was settled: {answer:?}");
    world.settings = settings(&["lobby", "room.1"]);
    world.source.leave("room.1", "ada");
    let world = world.restart(Duration::from_secs(100)).await;
    world.pass(12.0).await;
    let events = world.history.events(&EventQuery { limit: 10, ..EventQuery::default() }).unwrap();
    let left = events.iter().find(|event| event.kind.as_str() == "leave").unwrap();
    assert!(left.window.not_before.is_some(), "the last observation that listed her bounds it: {left:?}");
}

#[actix::test]
async fn a_state_change_after_a_watch_that_ended_while_adsum_was_stopped_has_a_beginning() {
    let mut world = watching(&["lobby", "room.1"]).await;
    let mood = |mood: &str| Some(serde_json::json!({ "mood": mood }));
    let set = |world: &crate::world::World, state| {
        world.source.change(|s| {
            s.channels.entry("room.1".to_owned()).or_default().insert("ada".to_owned(), state);
        });
    };
    set(&world, mood("ok"));
    world.pass(60.0).await;
    world.settings = settings(&["lobby"]);
    let mut world = world.restart(Duration::from_secs(10)).await;
    world.pass(12.0).await;
    world.settings = settings(&["lobby", "room.1"]);
    set(&world, mood("bad"));
    let world = world.restart(Duration::from_secs(10)).await;
    world.pass(12.0).await;
    let events = world.history.events(&EventQuery { limit: 10, ..EventQuery::default() }).unwrap();
    let state = events.iter().find(|event| event.kind.as_str() == "state").unwrap();
    assert!(state.window.not_before.is_some(), "the last observation that showed it bounds it: {state:?}");
}

#[actix::test]
async fn what_expires_while_a_question_is_answered_is_not_answered_with_no() {
    let truth = |at: f64| if at < 100.0 { vec!["ada"] } else { vec![] };
    let how = settings(&["lobby"]);
    let stage = Stage::start(how, move |at, request| Ok(vec![listing(request, "lobby", &truth(at))])).await;
    stage.pass(200.0).await;
    let at = time(50.0);
    let (lobby, ada) = (channel("lobby"), user("ada"));
    let ask = || stage.adsum.presence(&lobby, &ada, Some(at));
    assert_eq!(ask().await.unwrap().answer.present, Present::Yes);
    // What the recorder does every hour, between two of the question's reads.
    let keep = time(150.0);
    stage.meanwhile.happens(move |history| while history.expire(keep, 1000).unwrap() {});
    let answer = ask().await.unwrap().answer;
    assert_ne!(answer.present, Present::No, "{answer:?}");
}

#[actix::test]
async fn a_channel_that_was_forgotten_was_not_never_watched() {
    let mut how = settings(&[]);
    how.retain = Duration::from_secs(7200);
    let stage = Stage::start(how, |_, request| Ok(vec![listing(request, "lobby", &["ada"])])).await;
    let lobby = Target::new("lobby").unwrap();
    stage.adsum.watch(lobby.clone()).await.unwrap();
    stage.pass(60.0).await;
    let at = time(30.0);
    assert!(stage.adsum.unwatch(&lobby).await.unwrap());
    stage.pass(4.0 * 3600.0).await;
    assert!(stage.history.channel(&channel("lobby")).unwrap().is_none(), "it was forgotten");
    let answer = stage.adsum.presence(&channel("lobby"), &user("ada"), Some(at)).await.unwrap().answer;
    assert_eq!(answer.code, Some(Code::Expired), "{answer:?}");
}

#[actix::test]
async fn a_channel_that_is_missing_from_its_own_answer_is_a_bad_answer_and_is_not_asked_for_at_once_again() {
    let stage = Stage::start(settings(&["lobby"]), |at, request| {
        Ok(if at < 10.0 { vec![listing(request, "lobby", &["ada"])] } else { vec![] })
    })
    .await;
    stage.pass(60.0).await;
    let room = stage.adsum.channel(&channel("lobby")).await.unwrap();
    assert_eq!(room.gap.map(|gap| gap.reason), Some(GapReason::BadAnswer), "{:?}", room.polls);
    assert!(stage.requests() < 40, "{} requests in a minute", stage.requests());
}

#[actix::test]
async fn a_page_without_its_list_is_a_bad_answer() {
    let stage = Stage::start(settings(&["lobby"]), |at, request| {
        let mut lobby = listing(request, "lobby", &["ada", "bob"]);
        match (at < 10.0, request.page) {
            // The list is cut, so it is asked for in pages; these have no list.
            (false, None) => lobby.listed.as_mut().unwrap().truncate(1),
            (false, Some(_)) => lobby.listed = None,
            _ => {}
        }
        Ok(vec![lobby])
    })
    .await;
    stage.pass(60.0).await;
    let polls = stage.adsum.channel(&channel("lobby")).await.unwrap().polls;
    assert!(polls.iter().any(|(what, _)| *what == "bad_answer"), "a list was asked for: {polls:?}");
}

#[actix::test]
async fn a_user_is_not_said_to_be_here_as_of_an_observation_that_did_not_list_them() {
    let mut world = watching(&["lobby"]).await;
    world.source.join("lobby", "ada");
    world.pass(20.0).await;
    world.settings.policies.default.include_uuids = false;
    let (targets, policies) = (world.settings.targets.clone(), world.settings.policies.clone());
    world.adsum.reconfigure(targets, vec![], policies).await.unwrap();
    let listed = world.adsum.now();
    world.pass(600.0).await;
    let here = world.adsum.user(&user("ada")).await.unwrap().here;
    for stay in here {
        let said = stay.answer.present == Present::Yes;
        assert!(!said || stay.at <= listed, "she was last listed before {listed}: {stay:?}");
    }
}

#[actix::test]
async fn a_pattern_that_is_watched_again_loses_no_leave() {
    let world = watching(&[]).await;
    let rooms = Target::new("room.*").unwrap();
    world.adsum.watch(rooms.clone()).await.unwrap();
    world.pass(31.0).await;
    world.source.join("room.1", "ada");
    world.pass(45.0).await;
    world.adsum.unwatch(&rooms).await.unwrap();
    world.pass(10.0).await;
    world.source.leave("room.1", "ada");
    world.adsum.watch(rooms).await.unwrap();
    world.pass(300.0).await;
    assert_eq!(
        world.events().await,
        ["join ada", "leave ada"],
        "discoveries observe every name that matches"
    );
}

#[actix::test]
async fn who_was_there_at_a_moment_that_has_expired_is_not_said_to_be_observed() {
    let truth = |at: f64| if at < 100.0 { vec!["ada"] } else { vec![] };
    let how = settings(&["lobby"]);
    let stage = Stage::start(how, move |at, request| Ok(vec![listing(request, "lobby", &truth(at))])).await;
    stage.pass(300.0).await;
    while stage.history.expire(time(200.0), 1000).unwrap() {}
    let at = time(50.0);
    let room = stage.adsum.occupants(&channel("lobby"), Some(at), None, 10).await.unwrap();
    assert!(!room.observed, "ada was there, and is forgotten: {room:?}");
}

#[actix::test]
async fn a_gap_that_is_forgotten_before_the_runs_around_it_does_not_become_observed_time() {
    let truth = |at: f64| if at < 60.0 { vec!["ada"] } else { vec!["ada", "bob"] };
    let stage = Stage::start(settings(&["lobby"]), move |at, request| {
        if (20.0..80.0).contains(&at) {
            return Err(trouble(GapReason::Timeout, Failure::Service { retry_after: None }));
        }
        Ok(vec![listing(request, "lobby", &truth(at))])
    })
    .await;
    stage.pass(400.0).await;
    let (from, to) = (time(30.0), time(60.0));
    let room = lobby();
    let series = || stage.adsum.occupancy(&room, from, to, Duration::from_secs(30));
    let observed = series().await.unwrap().buckets[0].observed;
    assert!(observed.abs() < f64::EPSILON, "in the gap: {observed}");
    // One row at a time, as if there were many: between two of them anybody may ask.
    while stage.history.expire(time(300.0), 1).unwrap() {
        let bucket = series().await.unwrap().buckets[0];
        assert!(bucket.observed.abs() < f64::EPSILON, "in the gap, half forgotten: {bucket:?}");
    }
}

#[actix::test]
async fn a_user_of_a_channel_that_is_not_watched_any_more_is_not_said_to_be_still_there() {
    let world = watching(&[]).await;
    let target = Target::new("lobby").unwrap();
    world.adsum.watch(target.clone()).await.unwrap();
    world.source.join("lobby", "ada");
    world.pass(20.0).await;
    assert!(world.adsum.unwatch(&target).await.unwrap());
    world.source.leave("lobby", "ada");
    world.pass(3600.0).await;
    let known = world.adsum.user_state(&user("ada")).await.unwrap();
    assert!(!known[0].present, "an hour after anybody looked: {known:?}");
}

#[actix::test]
async fn what_a_discovery_saw_that_could_not_be_recorded_is_not_answered_with_no() {
    let mut how = settings(&["room.*"]);
    how.discover_interval = Duration::from_secs(7);
    let world = crate::world::World::start(how, crate::world::FakeSource::default()).await;
    world.pass(57.0).await;
    world.faults.unavailable.store(true, Ordering::SeqCst);
    world.source.join("room.1", "ada");
    // The discovery at 63 s lists the room; neither it nor the room's beginning can be recorded.
    world.pass(6.5).await;
    let seen = world.adsum.now();
    world.source.leave("room.1", "ada");
    world.pass(5.5).await;
    world.faults.unavailable.store(false, Ordering::SeqCst);
    // That at 70 s does not list it.
    world.pass(60.0).await;
    let answer = world.adsum.presence(&channel("room.1"), &user("ada"), Some(seen)).await.unwrap();
    assert_ne!(answer.answer.present, Present::No, "a discovery between found somebody: {answer:?}");
}

#[actix::test]
async fn a_stop_just_after_a_channel_died_comes_to_an_end() {
    let world = watching(&["lobby"]).await;
    world.faults.panic_after.store(true, Ordering::SeqCst);
    world.source.join("lobby", "ada");
    while world.faults.panic_after.load(Ordering::SeqCst) {
        world.pass(0.05).await;
    }
    // Its successor is to start in a moment.
    world.pass(0.05).await;
    let stopped = tokio::time::timeout(Duration::from_secs(60), world.adsum.stop()).await;
    assert!(stopped.is_ok(), "a minute later it has not stopped");
}

#[actix::test]
async fn a_stop_does_not_wait_for_channels_that_are_to_be_loaded_later_and_records_that_they_are_stopped() {
    let world = watching(&["room.*"]).await;
    world.source.join("room.1", "ada");
    world.faults.unavailable.store(true, Ordering::SeqCst);
    // Discovered, and not begun: that is to be tried again in a few seconds.
    world.pass(24.5).await;
    assert!(world.history.channel(&channel("room.1")).unwrap().is_none());
    world.faults.unavailable.store(false, Ordering::SeqCst);
    let stopped = tokio::time::timeout(Duration::from_secs(1), world.adsum.stop()).await;
    assert!(stopped.is_ok(), "a second later it has not stopped");
    let gaps = world.history.gaps(Some(&channel("room.1")), (None, None), None, 10).unwrap();
    let reasons: Vec<_> = gaps.iter().map(|(_, gap)| gap.reason).collect();
    assert_eq!(reasons, [GapReason::Stopped]);
}

#[actix::test]
async fn a_pattern_that_the_configuration_names_again_after_a_restart_loses_no_leave() {
    let mut world = watching(&["room.*"]).await;
    world.source.join("room.1", "ada");
    world.pass(45.0).await;
    world.settings = settings(&[]);
    let mut world = world.restart(Duration::from_secs(10)).await;
    world.pass(12.0).await;
    world.source.leave("room.1", "ada");
    world.settings = settings(&["room.*"]);
    let world = world.restart(Duration::from_secs(10)).await;
    world.pass(60.0).await;
    assert_eq!(world.events().await, ["join ada", "leave ada"]);
}

#[actix::test]
async fn a_channel_tells_how_its_last_poll_that_failed_did_and_a_dormant_one_its_last_discovery() {
    let world = watching(&["lobby", "room.*"]).await;
    world.source.join("room.1", "ada");
    world.pass(45.0).await;
    world.source.leave("room.1", "ada");
    world.pass(70.0).await;
    let failure = || async {
        let told = |name| world.adsum.channel(name);
        let (lobby, room) = (channel("lobby"), channel("room.1"));
        (told(&lobby).await.unwrap().last_failure, told(&room).await.unwrap().last_failure)
    };
    assert_eq!(failure().await, (None, None));
    world
        .source
        .change(|s| s.trouble = Some(trouble(GapReason::Timeout, Failure::Service { retry_after: None })));
    world.pass(120.0).await;
    world.source.change(|s| s.trouble = None);
    world.pass(120.0).await;
    let (lobby, room) = failure().await;
    let (lobby, room) = (lobby.unwrap(), room.unwrap());
    assert_eq!((lobby.reason, room.reason), (GapReason::Timeout, GapReason::Timeout));
    assert!(lobby.because.starts_with("as the test wants it") && room.because == "as the test wants it");
    assert!(world.adsum.now().since(lobby.at) >= Duration::from_secs(60), "{lobby:?}");
}

#[actix::test]
async fn a_gap_that_a_new_configuration_makes_due_is_recorded_by_then() {
    let mut how = settings(&["lobby"]);
    how.policies.default.gap_after = Duration::from_secs(3600);
    let stage = Stage::start(how.clone(), |at, request| {
        if at > 20.0 {
            return Err(trouble(GapReason::Timeout, Failure::Service { retry_after: None }));
        }
        Ok(vec![listing(request, "lobby", &["ada"])])
    })
    .await;
    stage.pass(60.0).await;
    how.policies.default.gap_after = Duration::from_secs(15);
    stage.adsum.reconfigure(how.targets, vec![], how.policies).await.unwrap();
    stage.pass(60.0).await;
    let gaps = stage.history.gaps(Some(&lobby()), (None, None), None, 10).unwrap();
    assert_eq!(gaps.len(), 1, "`gap_after` has passed four times");
}

fn lobby() -> adsum::domain::names::ChannelName {
    channel("lobby")
}
