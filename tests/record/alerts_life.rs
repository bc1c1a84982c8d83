//! A whole life of alerts: pending, firing, repeated, silenced, resolved, as the record tells it.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::alerting::{Change, rule};
use crate::alerts_world::World;
use crate::record::{Window, until};
use crate::wire::Span;

/// `room.brief` is crowded too shortly; of `room.told` is told, and it is silenced later; `room.muted` is silenced from
/// before it is crowded until it still is; `room.hushed` for as long as it is.
const CHANNELS: [&str; 4] = ["room.brief", "room.told", "room.muted", "room.hushed"];
const FOR: SignedDuration = SignedDuration::from_secs(1);
const REPEAT_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// What is recorded of a channel.
async fn of(world: &World, channel: &str) -> Vec<Change> {
    world.changes().await.into_iter().filter(|change| change.channel == channel).collect()
}

/// Waits until this is recorded of a channel: each change, and whether it is muted.
async fn becomes(world: &World, channel: &str, expected: &[(&str, Option<i64>)]) -> Vec<Change> {
    until(&format!("{channel} is {expected:?}"), async || {
        let now = of(world, channel).await;
        let now: Vec<_> = now.iter().map(|change| (change.change.as_str(), change.muted)).collect();
        assert!(now.len() <= expected.len(), "{channel} is {now:?}, not {expected:?}");
        now == expected
    })
    .await;
    of(world, channel).await
}

/// What is said now of a channel's alert.
async fn now(world: &World, channel: &str) -> Value {
    let listed: Value = world.api().get(&format!("/v1/alerts?channel={channel}")).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    listed["items"][0].clone()
}

/// A window lies around the truth and is no wider than polling makes it on a busy machine.
fn is_around(window: Window, truth: Span) {
    assert!(window.admits(truth), "{window:?} {truth:?}");
    let width = window.not_after.duration_since(window.not_before.expect("an observation before"));
    assert!(width < SignedDuration::from_secs(30), "{window:?}");
}

#[tokio::test]
async fn the_whole_life_of_an_alert_is_in_the_record_with_its_windows_and_what_was_muted() {
    let terms =
        "occupancy_above = 1\nclear_below = 1\nfor = \"1s\"\nrepeat_every = \"10s\"\nseverity = \"critical\"";
    let world = World::start(&CHANNELS, &[rule("crowded", "room.*", terms)]).await;
    for channel in CHANNELS {
        world.joins(channel, "first").await;
    }
    world.seen().await;
    let (muted, hushed) = (world.silence("room.muted", "1h").await, world.silence("room.hushed", "1h").await);
    assert_eq!((muted, hushed), (1, 2));

    // Pending, and over before it has held for long enough.
    let brief = world.joins("room.brief", "second").await;
    becomes(&world, "room.brief", &[("pending", None)]).await;
    world.leaves("room.brief", "second").await;
    let gone = world.leaves("room.brief", "first").await;
    let record = of_brief(&world).await;
    is_around(record[0].since, brief);
    is_around(record[1].ended.unwrap(), gone);

    let mut truth = Vec::new();
    for channel in &CHANNELS[1..] {
        truth.push(world.joins(channel, "second").await);
    }
    becomes(&world, "room.told", &[("pending", None), ("firing", None)]).await;
    becomes(&world, "room.muted", &[("pending", None), ("firing", Some(muted))]).await;
    becomes(&world, "room.hushed", &[("pending", None), ("firing", Some(hushed))]).await;
    let alert = now(&world, "room.muted").await;
    assert_eq!((&alert["state"], &alert["muted"]), (&json!("firing"), &json!(muted)), "{alert}");
    assert_eq!(now(&world, "room.told").await["muted"], Value::Null);

    // In the band nothing changes; then all is over where all was silent.
    world.leaves("room.hushed", "second").await;
    world.seen().await;
    let over = world.leaves("room.hushed", "first").await;
    let ended = [("pending", None), ("firing", Some(hushed)), ("resolved", Some(hushed))];
    let record = becomes(&world, "room.hushed", &ended).await;
    is_around(record[2].ended.unwrap(), over);

    // What fires still when its silence ends is told then.
    assert_eq!(world.ask(&["silence", "end", "1"]).await, json!({"ended": [1]}));
    let ended = [("pending", None), ("firing", Some(muted)), ("repeated", None)];
    becomes(&world, "room.muted", &ended).await;

    // What was told is told again in its time; a silence mutes that as well.
    let told = [("pending", None), ("firing", None), ("repeated", None)];
    becomes(&world, "room.told", &told).await;
    let later = world.silence("room.told", "1h").await;
    let told = [&told[..], &[("repeated", Some(later))]].concat();
    becomes(&world, "room.told", &told).await;
    // Whoever was told that it fires is told of its end.
    world.ask(&["silence", "end", &later.to_string()]).await;
    world.leaves("room.told", "second").await;
    let over = world.leaves("room.told", "first").await;
    let record = becomes(&world, "room.told", &[&told[..], &[("resolved", None)]].concat()).await;
    is_around(record[4].ended.unwrap(), over);
    times_are_those_of_the_rule(&record, truth[0]);

    let told = world.told().await;
    assert!(
        told.iter().all(|told| ["room.told", "room.muted"].contains(&told.channel.as_str())),
        "{told:#?}"
    );
    let count = |channel: &str| told.iter().filter(|told| told.channel == channel).count();
    assert_eq!(count("room.told"), 3, "firing, repeated, resolved: {told:#?}");
}

async fn of_brief(world: &World) -> Vec<Change> {
    let record = becomes(world, "room.brief", &[("pending", None), ("inactive", None)]).await;
    assert_eq!(record[1].why.as_deref(), Some("cleared"));
    record
}

/// Of a record of pending, firing, repeated, repeated (muted), resolved.
fn times_are_those_of_the_rule(record: &[Change], truth: Span) {
    for change in record {
        assert_eq!(change.alert_id, record[0].alert_id);
        assert_eq!(change.since, record[0].since, "it began once: {record:#?}");
        assert_eq!(change.condition, json!({"kind": "occupancy_above", "bound": 1, "clear_below": 1}));
    }
    is_around(record[0].since, truth);
    // Times are told in whole milliseconds.
    let after = |later: usize, earlier: usize| {
        record[later].at.duration_since(record[earlier].at) + SignedDuration::from_millis(2)
    };
    assert!(after(1, 0) >= FOR, "{record:#?}");
    assert!(after(2, 1) >= REPEAT_EVERY && after(3, 2) >= REPEAT_EVERY, "{record:#?}");
    let seen: Vec<_> = record.iter().map(|change| change.occupancy).collect();
    assert_eq!(seen, [Some(2), Some(2), Some(2), Some(2), Some(0)]);
}
