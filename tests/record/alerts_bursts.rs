//! Many channels cross one rule at once: few messages, and all of them are counted.

use serde_json::Value;

use crate::alerting::{delivered, rule};
use crate::alerts_world::World;
use crate::record::until;

const CHANNELS: usize = 200;

#[tokio::test]
async fn a_burst_is_told_in_few_messages_whose_counts_are_those_of_the_record() {
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
    let api = world.api();
    let deliveries = delivered(&api).await;
    assert!(deliveries.len() <= 20, "{deliveries:#?}");
    let messages: Vec<Value> = world.hook.got().iter().map(crate::receiver::Got::json).collect();
    assert_eq!(messages.len(), deliveries.len());
    let mut counts = std::collections::BTreeMap::<String, u64>::new();
    for delivery in &deliveries {
        let id = delivery["id"].as_str().unwrap();
        let whole: Value = api.get(&format!("/v1/deliveries/{id}")).await;
        let (count, listed) = (whole["count"].as_u64().unwrap(), whole["alerts"].as_array().unwrap().len());
        assert_eq!(count, listed as u64 + whole["more"].as_u64().unwrap(), "{whole}");
        *counts.entry(whole["kind"].as_str().unwrap().to_owned()).or_default() += count;
        let data = &messages.iter().find(|message| message["id"] == id).expect("it was told")["data"];
        assert_eq!(data["more"], whole["more"]);
        assert_eq!(data["alerts"].as_array().unwrap().len(), listed);
    }
    let all = CHANNELS as u64;
    assert_eq!(
        counts.into_iter().collect::<Vec<_>>(),
        [("firing".to_owned(), all), ("resolved".to_owned(), all)]
    );
}
