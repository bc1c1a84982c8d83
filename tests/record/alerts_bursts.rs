//! Many channels cross one rule at once: few messages, which tell of each of them.

use serde_json::{Value, json};

use crate::alerting::{delivered, rule, told};
use crate::alerts_world::World;
use crate::record::until;

const CHANNELS: usize = 200;

#[tokio::test]
async fn a_burst_is_told_in_few_messages_that_tell_of_each_alert() {
    let names: Vec<_> = (0..CHANNELS).map(|number| format!("room.{number}")).collect();
    let channels: Vec<_> = names.iter().map(String::as_str).collect();
    let world = World::start(&channels, &[rule("crowded", "room.*", "occupancy_above = 0")]).await;
    for (change, count) in [("firing", CHANNELS), ("resolved", 2 * CHANNELS)] {
        for channel in &channels {
            match change {
                "firing" => world.joins(channel, "somebody").await,
                _ => world.leaves(channel, "somebody").await,
            };
        }
        until(change, async || world.changes().await.len() == count).await;
    }
    // Each of them can be told from the messages alone.
    assert_eq!(world.told().await.len(), 2 * CHANNELS);
    let api = world.api();
    let deliveries = delivered(&api).await;
    assert!(deliveries.len() <= 20, "{deliveries:#?}");
    for delivery in &deliveries {
        let id = delivery["id"].as_str().unwrap();
        let whole: Value = api.get(&format!("/v1/deliveries/{id}")).await;
        let told = told(&world.hook.got()).into_iter().filter(|told| told.delivery == id).count();
        assert_eq!((&whole["count"], whole["alerts"].as_array().unwrap().len()), (&json!(told), told));
    }
}
