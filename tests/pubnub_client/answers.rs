//! Every documented answer (PROTOCOL.md 1.4, 2), and what the results are called.

use std::collections::BTreeMap;

use adsum::pubnub::{Client, Error, HereNow, HereNowResult};
use rstest::rstest;
use serde_json::{Value, json};

use super::{answering, client};

/// What `ask` makes of this body.
async fn here_now(body: &str, ask: impl FnOnce(HereNow) -> HereNow) -> Result<HereNowResult, Error> {
    let server = answering(200, body).await;
    ask(client(&server).here_now()).execute().await
}

/// The result as the JSON it is written as, channels sorted by name.
fn written(mut result: HereNowResult) -> Value {
    result.channels.sort_by(|a, b| a.channel_name.cmp(&b.channel_name));
    serde_json::to_value(result).unwrap()
}

fn who(ids: &[&str]) -> Value {
    ids.iter().map(|id| json!({"uuid": id, "state": null})).collect()
}

#[rstest]
#[case::compact(
    r#"{"message":"OK","occupancy":3,"service":"Presence","status":200,"uuids":["Kim","Earline","Glen"]}"#,
    json!(3), who(&["Kim", "Earline", "Glen"])
)]
#[case::spaced_and_in_another_order(
    r#"{"status": 200, "message": "OK", "service": "Presence", "uuids": ["test-here-now-asyncio-uuid1"], "occupancy": 1}"#,
    json!(1), who(&["test-here-now-asyncio-uuid1"])
)]
#[case::objects_without_state(
    r#"{"message":"OK","occupancy":3,"service":"Presence","status":200,"uuids":[{"uuid":"Kim"},{"uuid":"Earline"},{"uuid":"Glen"}]}"#,
    json!(3), who(&["Kim", "Earline", "Glen"])
)]
#[case::objects_with_state(
    r#"{"message":"OK","occupancy":1,"service":"Presence","status":200,"uuids":[{"state":{"channel1-state":["channel-1-random-value"]},"uuid":"Kim"}]}"#,
    json!(1), json!([{"uuid": "Kim", "state": {"channel1-state": ["channel-1-random-value"]}}])
)]
#[case::texts_and_objects_mixed(
    r#"{"occupancy":3,"status":200,"uuids":["a",{"uuid":"b","state":null,"x":[1]},{"uuid":"c","state":{}}]}"#,
    json!(3), json!([{"uuid": "a", "state": null}, {"uuid": "b", "state": null}, {"uuid": "c", "state": {}}])
)]
#[case::occupancy_only(r#"{"message":"OK","occupancy":3,"service":"Presence","status":200}"#, json!(3), Value::Null)]
#[case::empty(r#"{"status": 200, "message": "OK", "occupancy": 0, "uuids": [], "service": "Presence"}"#, json!(0), json!([]))]
#[case::cut_by_a_limit(r#"{"status":200,"occupancy":7,"uuids":["a","b"],"next_offset":2}"#, json!(7), who(&["a", "b"]))]
#[case::without_status(r#"{"occupancy":1,"uuids":["a"]}"#, json!(1), who(&["a"]))]
#[case::error_false(r#"{"error":false,"status":200,"occupancy":1,"uuids":["a"]}"#, json!(1), who(&["a"]))]
#[tokio::test]
async fn a_flat_answer_belongs_to_the_channel_asked_about(
    #[case] body: &str,
    #[case] occupancy: Value,
    #[case] occupants: Value,
) {
    let result = here_now(body, |ask| ask.channels(["room 1"])).await.unwrap();
    let channel = json!({"channel_name": "room 1", "occupancy": occupancy, "occupants": occupants});
    assert_eq!(
        written(result),
        json!({"total_channels": 1, "total_occupancy": occupancy, "channels": [channel]})
    );
}

const THREE: &str = r#"{"message":"OK","payload":{"channels":{"test-channel2":{"occupancy":1,"uuids":[{"uuid":"Earline"}]},"test-channel1":{"occupancy":1,"uuids":[{"state":{"a":1},"uuid":"Kim"}]},"test-channel3":{"occupancy":1,"uuids":["Glen"]}},"total_channels":3,"total_occupancy":3},"service":"Presence","status":200}"#;

#[tokio::test]
async fn an_answer_about_several_channels_names_them() {
    let asks: [fn(HereNow) -> HereNow; 3] = [
        |ask| ask.channels(["test-channel1", "test-channel2", "test-channel3", "empty"]),
        |ask| ask.channel_groups(["g"]),
        |ask| ask,
    ];
    for ask in asks {
        assert_eq!(
            written(here_now(THREE, ask).await.unwrap()),
            json!({"total_channels": 3, "total_occupancy": 3, "channels": [
                {"channel_name": "test-channel1", "occupancy": 1, "occupants": [{"uuid": "Kim", "state": {"a": 1}}]},
                {"channel_name": "test-channel2", "occupancy": 1, "occupants": who(&["Earline"])},
                {"channel_name": "test-channel3", "occupancy": 1, "occupants": who(&["Glen"])},
            ]})
        );
    }
}

#[tokio::test]
async fn several_channels_may_come_without_lists() {
    let body = r#"{"status": 200, "message": "OK", "payload": {"channels": {"b": {"occupancy": 1}, "a": {"occupancy": 2}}, "total_channels": 2, "total_occupancy": 3}, "service": "Presence"}"#;
    assert_eq!(
        written(here_now(body, |ask| ask.channels(["a", "b"]).include_uuids(false)).await.unwrap()),
        json!({"total_channels": 2, "total_occupancy": 3, "channels": [
            {"channel_name": "a", "occupancy": 2, "occupants": null},
            {"channel_name": "b", "occupancy": 1, "occupants": null},
        ]})
    );
}

#[tokio::test]
async fn channels_that_are_all_empty_are_left_out() {
    let body = r#"{"status": 200, "message": "OK", "payload": {"channels": {}, "total_channels": 0, "total_occupancy": 0}, "service": "Presence"}"#;
    let nobody = json!({"total_channels": 0, "total_occupancy": 0, "channels": []});
    assert_eq!(written(here_now(body, |ask| ask.channels(["a", "b"])).await.unwrap()), nobody);
    assert_eq!(written(here_now(body, |ask| ask.channels(["a"])).await.unwrap()), nobody);
}

#[tokio::test]
async fn one_channel_and_a_group_are_answered_by_name() {
    let body = r#"{"status": 200, "message": "OK", "payload": {"channels": {"demo": {"uuids": ["ruby-test-uuid-client-one"], "occupancy": 1}}, "total_channels": 1, "total_occupancy": 1}, "service": "Presence"}"#;
    let result = here_now(body, |ask| ask.channels(["demo"]).channel_groups(["demo"])).await.unwrap();
    assert_eq!(result.channels[0].channel_name, "demo");
}

/// Names, ids and states of any characters, as JSON escapes or as they are.
#[tokio::test]
async fn ids_of_any_characters_come_back_unharmed() {
    let body = r#"{"occupancy":4,"uuids":["\u017b\u00d3\u0141","Ż😀\"\\/","\u001b[31m\u202e","\u0000"],"status":200}"#;
    let result = here_now(body, |ask| ask.channels(["c"])).await.unwrap();
    let ids: Vec<_> =
        result.channels[0].occupants.iter().flatten().map(|occupant| occupant.uuid.as_str()).collect();
    assert_eq!(ids, ["ŻÓŁ", "Ż😀\"\\/", "\u{1b}[31m\u{202e}", "\0"]);
}

async fn asked<T, F: Future<Output = Result<T, Error>>>(body: &str, ask: impl FnOnce(Client) -> F) -> T {
    let server = answering(200, body).await;
    ask(client(&server)).await.unwrap()
}

#[rstest]
#[case(
    r#"{"message":"OK","payload":{"channels":["test-channel1","test-channel3"]},"service":"Presence","status":200}"#,
    &["test-channel1", "test-channel3"]
)]
#[case(r#"{"status": 200, "message": "OK", "payload": {"channels": []}, "service": "Presence"}"#, &[])]
#[tokio::test]
async fn where_now_lists_channels(#[case] body: &str, #[case] channels: &[&str]) {
    let result = asked(body, |c| c.where_now().execute()).await;
    assert_eq!(serde_json::to_value(result).unwrap(), json!({"channels": channels}));
}

#[tokio::test]
async fn set_state_answers_with_the_state() {
    let body =
        r#"{"status": 200, "message": "OK", "payload": {"count": 5, "name": "Alex"}, "service": "Presence"}"#;
    let result =
        asked(body, |c| c.set_state().channels(["c"]).state(json!({"any": "thing"})).execute()).await;
    assert_eq!(serde_json::to_value(result).unwrap(), json!({"state": {"count": 5, "name": "Alex"}}));
}

#[rstest]
#[case::flat(
    r#"{"status": 200, "uuid": "u", "service": "Presence", "message": "OK", "payload": {"count": 5, "channels": {"x": 1}}, "channel": "a"}"#,
    json!({"a": {"count": 5, "channels": {"x": 1}}})
)]
#[case::flat_without_a_state(
    r#"{"status": 200, "uuid": "whatever", "service": "Presence", "message": "OK", "payload": {}, "channel": "a"}"#,
    json!({"a": {}})
)]
#[case::several(
    r#"{"status": 200, "message": "OK", "payload": {"channels": {"b": {"count": 5}, "a": {}}}, "service": "Presence", "uuid": "u"}"#,
    json!({"a": {}, "b": {"count": 5}})
)]
#[tokio::test]
async fn get_state_reads_both_shapes(#[case] body: &str, #[case] channels: Value) {
    let result = asked(body, |c| c.get_state().channels(["a", "b"]).execute()).await;
    assert_eq!(serde_json::to_value(result).unwrap(), json!({"channels": channels}));
}

#[tokio::test]
async fn get_state_for_a_group_may_name_any_channel() {
    let body = r#"{"status":200,"payload":{"channels":{"member":{"a":1}}},"uuid":"u"}"#;
    let result = asked(body, |c| c.get_state().channel_groups(["g"]).execute()).await;
    assert_eq!(result.channels, BTreeMap::from([("member".into(), json!({"a": 1}))]));
}

#[tokio::test]
async fn heartbeat_and_leave_are_acknowledged() {
    let beat = r#"{"status": 200, "message": "OK", "service": "Presence"}"#;
    asked(beat, |c| c.heartbeat().channels(["c"]).execute()).await;
    let left = r#"{"action":"leave","message":"OK","service":"Presence","status":200}"#;
    asked(left, |c| c.leave().channel_groups(["g"]).execute()).await;
}

#[tokio::test]
async fn channel_groups_answer_as_the_registry_does() {
    let done = r#"{"error":false,"message":"OK","service":"channel-registry","status":200}"#;
    asked(done, |c| c.add_channels_to_group("g").channels(["c"]).execute()).await;
    asked(done, |c| c.remove_channels_from_group("g").channels(["c"]).execute()).await;
    asked(done, |c| c.delete_channel_group("g").execute()).await;
    let list = r#"{"status": 200, "payload": {"channels": ["a", "b"], "group": "g"}, "service": "channel-registry", "error": false}"#;
    assert_eq!(asked(list, |c| c.list_channel_group("g").execute()).await.channels, ["a", "b"]);
    let none = r#"{"status": 200, "payload": {"channels": [], "group": "g"}, "service": "channel-registry", "error": false}"#;
    assert_eq!(asked(none, |c| c.list_channel_group("g").execute()).await.channels, [""; 0]);
}

#[tokio::test]
async fn time_is_a_bare_array() {
    assert_eq!(asked("[14818963707386265]", |c| c.time().execute()).await, 14_818_963_707_386_265);
}
