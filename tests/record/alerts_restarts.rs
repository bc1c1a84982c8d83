//! adsum stops, or dies, with alerts pending, firing and not told yet: nothing is forgotten and nothing repeated.

use std::time::Duration;

use jiff::SignedDuration;
use rstest::rstest;
use serde_json::{Value, json};

use crate::alerting::rule;
use crate::alerts_world::{Again, World};
use crate::receiver::Mood;
use crate::record::until;

async fn crowded(terms: &str) -> World {
    let world = World::start(&["hall", "lobby"], &[rule("crowded", "*", terms)]).await;
    world.joins("hall", "first").await;
    world.seen().await;
    world
}

#[rstest]
#[case::stopped(Again::Restart)]
#[case::killed(Again::Kill)]
#[tokio::test]
async fn what_fires_before_an_end_and_was_not_tried_yet_is_told_after_it(#[case] how: Again) {
    let mut world = crowded("occupancy_above = 1").await;
    world.joins("hall", "second").await;
    world.becomes("crowded", &["firing"]).await;
    // The delivery waits for more of its group meanwhile.
    world.again(how).await;
    world.seen().await;
    assert_eq!(world.told().await.len(), 1);
    world.becomes("crowded", &["firing"]).await;
}

#[rstest]
#[case::stopped(Again::Restart)]
#[case::killed(Again::Kill)]
#[tokio::test]
async fn what_could_not_be_told_before_an_end_is_told_after_it_with_its_id(#[case] how: Again) {
    let mut world = crowded("occupancy_above = 1").await;
    world.hook.set(Mood::Refuses("503 Service Unavailable\r\n"));
    world.joins("hall", "second").await;
    until("it is tried", async || world.hook.count() > 0).await;
    match how {
        Again::Kill => world.kill(),
        _ => world.stop(),
    }
    world.hook.set(Mood::Takes);
    world.start_again().await;
    assert_eq!(world.told().await.len(), 1);
    let got = world.hook.got();
    assert!(got.len() > 1 && got.iter().all(|one| one.id() == got[0].id()), "{got:#?}");
}

#[tokio::test]
async fn who_took_a_message_while_adsum_died_gets_it_again_with_its_id() {
    let mut world = crowded("occupancy_above = 1").await;
    world.hook.set(Mood::TakesInSilence);
    world.joins("hall", "second").await;
    until("it is taken", async || world.hook.count() > 0).await;
    world.kill();
    world.hook.set(Mood::Takes);
    world.start_again().await;
    assert_eq!(world.told().await.len(), 1);
    let got = world.hook.got();
    assert_eq!(got.len(), 2);
    assert_eq!((got[0].id(), &got[0].body), (got[1].id(), &got[1].body));
}

#[rstest]
#[case::stopped(Again::Restart)]
#[case::killed(Again::Kill)]
#[tokio::test]
async fn a_pending_alert_begins_anew_after_an_end_because_its_run_has_a_gap(#[case] how: Again) {
    let mut world = crowded("occupancy_above = 1\nfor = \"3s\"").await;
    world.joins("hall", "second").await;
    world.becomes("crowded", &["pending"]).await;
    world.again(how).await;
    world.becomes("crowded", &["pending", "inactive", "pending", "firing"]).await;
    let changes = world.changes().await;
    assert_eq!(changes[1].why.as_deref(), Some("gap"), "{changes:#?}");
    assert_eq!(changes[2].alert_id, changes[3].alert_id);
    assert_ne!(changes[0].alert_id, changes[2].alert_id);
    let held = changes[3].at.duration_since(changes[2].at);
    assert!(held + SignedDuration::from_millis(2) >= SignedDuration::from_secs(3), "{changes:#?}");
    assert_eq!(world.told().await.len(), 1);
}

#[rstest]
#[case::stopped(Again::Restart)]
#[case::killed(Again::Kill)]
#[tokio::test]
async fn a_firing_alert_goes_on_after_ends_untold_until_it_is_over(#[case] how: Again) {
    let mut world = crowded("occupancy_above = 1").await;
    world.joins("hall", "second").await;
    world.becomes("crowded", &["firing"]).await;
    assert_eq!(world.told().await.len(), 1);
    for _ in 0..3 {
        world.again(how).await;
        world.seen().await;
        let alerts: Value = world.api().get("/v1/alerts").await;
        let firing: Vec<_> =
            alerts["items"].as_array().unwrap().iter().map(|alert| &alert["alert_id"]).collect();
        assert_eq!(firing, [&json!(world.changes().await[0].alert_id)]);
    }
    assert_eq!(world.hook.count(), 1, "told again without need");
    world.leaves("hall", "second").await;
    world.becomes("crowded", &["firing", "resolved"]).await;
    assert_eq!(world.told().await.len(), 2);
}

#[rstest]
#[case::stopped(Again::Restart)]
#[case::killed(Again::Kill)]
#[tokio::test]
async fn what_begins_and_ends_while_adsum_is_down_is_told_after_it_with_windows_around_the_outage(
    #[case] how: Again,
) {
    let mut world = crowded("occupancy_above = 1").await;
    world.joins("lobby", "first").await;
    world.joins("lobby", "second").await;
    world.becomes("crowded", &["firing"]).await;
    let since = world.changes().await[0].since;
    assert!(since.not_before.is_some(), "it was observed with nobody in it: {since:?}");
    world.seen().await;
    match how {
        Again::Kill => world.kill(),
        _ => world.stop(),
    }
    let begins = world.joins("hall", "second").await;
    let ends = world.leaves("lobby", "second").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.start_again().await;
    until("both are recorded", async || world.changes().await.len() == 3).await;
    let changes = world.changes().await;
    let of = |channel: &str| changes.iter().rfind(|change| change.channel == channel).unwrap();
    assert_eq!((of("hall").change.as_str(), of("lobby").change.as_str()), ("firing", "resolved"));
    assert!(of("hall").since.admits(begins) && of("hall").since.not_before.is_some(), "{changes:#?}");
    let ended = of("lobby").ended.unwrap();
    assert!(ended.admits(ends) && ended.not_before.is_some(), "{changes:#?}");
    assert_eq!(world.told().await.len(), 3);
}

#[tokio::test]
async fn a_silence_outlasts_a_kill_and_what_it_muted_is_told_when_it_ends() {
    let mut world = crowded("occupancy_above = 1").await;
    let silence = world.silence("*", "1h").await;
    world.joins("hall", "second").await;
    world.becomes("crowded", &["firing"]).await;
    world.again(Again::Kill).await;
    world.joins("lobby", "first").await;
    world.joins("lobby", "second").await;
    world.becomes("crowded", &["firing", "firing"]).await;
    world.seen().await;
    assert!(world.changes().await.iter().all(|change| change.muted == Some(silence)));
    assert_eq!(world.told().await, []);
    world.leaves("hall", "second").await;
    world.becomes("crowded", &["firing", "firing", "resolved"]).await;
    world.ask(&["silence", "end", &silence.to_string()]).await;
    world.becomes("crowded", &["firing", "firing", "resolved", "repeated"]).await;
    let told = world.told().await;
    let told: Vec<_> = told.iter().map(|told| (told.channel.as_str(), told.change.as_str())).collect();
    assert_eq!(told, [("lobby", "repeated")], "the end of what nobody was told of is not told");
}

#[rstest]
#[case::stopped(Again::Restart)]
#[case::killed(Again::Kill)]
#[tokio::test]
async fn what_fires_still_when_its_silence_ended_while_adsum_was_down_is_told_at_its_start(
    #[case] how: Again,
) {
    let mut world = crowded("occupancy_above = 1").await;
    world.silence("hall", "8s").await;
    world.joins("hall", "second").await;
    world.becomes("crowded", &["firing"]).await;
    match how {
        Again::Kill => world.kill(),
        _ => world.stop(),
    }
    tokio::time::sleep(Duration::from_secs(8)).await;
    world.start_again().await;
    world.becomes("crowded", &["firing", "repeated"]).await;
    let told = world.told().await;
    assert_eq!((told.len(), told[0].change.as_str()), (1, "repeated"));
}
