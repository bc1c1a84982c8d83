//! The embedded origin over real HTTP: each answer PROTOCOL.md documents.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the helpers are part of the tests"
)]

use std::collections::BTreeSet;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use adsum::origin::{Origin, OriginHandle, OriginSettings};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use serde_json::{Value, json};

/// A bound origin on a thread of its own, and a client that asks it.
struct Server {
    base: String,
    http: reqwest::Client,
    stop: OriginHandle,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Server {
    /// Without a cache, so that every answer is fresh.
    fn start() -> Self {
        Self::with(OriginSettings { here_now_cache: Duration::ZERO, ..OriginSettings::default() })
    }

    fn with(settings: OriginSettings) -> Self {
        let origin = Origin::bind(settings).unwrap();
        let base = format!("http://{}", origin.local_addr());
        let stop = origin.handle();
        let thread = std::thread::spawn(|| actix_web::rt::System::new().block_on(origin.run()));
        Self { base, http: reqwest::Client::new(), stop, thread: Some(thread) }
    }

    async fn send(&self, path: &str) -> (u16, HeaderMap, String) {
        let response = self.http.get(format!("{}{path}", self.base)).send().await.unwrap();
        (response.status().as_u16(), response.headers().clone(), response.text().await.unwrap())
    }

    /// An answer of 200.
    async fn get(&self, path: &str) -> Value {
        let (status, _, body) = self.send(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// A call of the Presence service for key `k`.
    async fn presence(&self, call: &str) -> Value {
        self.get(&format!("/v2/presence/sub-key/k{call}")).await
    }

    /// An error answer: its status and body.
    async fn refused(&self, path: &str) -> (u16, Value) {
        let (status, _, body) = self.send(path).await;
        (status, serde_json::from_str(&body).unwrap())
    }

    async fn heartbeat(&self, user: &str, channels: &str) {
        let answer = self.presence(&format!("/channel/{channels}/heartbeat?heartbeat=300&uuid={user}")).await;
        assert_eq!(answer, json!({"message": "OK", "service": "Presence", "status": 200}));
    }

    async fn leave(&self, user: &str, channels: &str) {
        let answer = self.presence(&format!("/channel/{channels}/leave?uuid={user}")).await;
        assert_eq!(answer, json!({"action": "leave", "message": "OK", "service": "Presence", "status": 200}));
    }

    async fn add_to_group(&self, group: &str, channels: &str) {
        let path = format!("/v1/channel-registration/sub-key/k/channel-group/{group}?add={channels}");
        let answer = self.get(&path).await;
        assert_eq!(
            answer,
            json!({"error": false, "message": "OK", "service": "channel-registry", "status": 200})
        );
    }

    /// A handshake: the timetoken to poll from.
    async fn handshake(&self, channels: &str, rest: &str) -> String {
        let answer = self.get(&format!("/v2/subscribe/k/{channels}/0?tt=0{rest}")).await;
        assert_eq!(answer["m"], json!([]));
        timetoken(&answer)
    }

    /// A poll: the next timetoken, and the messages.
    async fn poll(&self, channels: &str, from: &str, rest: &str) -> (String, Vec<Value>) {
        let mut answer = self.get(&format!("/v2/subscribe/k/{channels}/0?tt={from}&tr=1{rest}")).await;
        let messages = answer["m"].as_array_mut().map(std::mem::take).unwrap();
        (timetoken(&answer), messages)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.stop();
        let ended = self.thread.take().unwrap().join();
        if !std::thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}

fn timetoken(answer: &Value) -> String {
    let timetoken = answer["t"]["t"].as_str().unwrap().to_owned();
    assert_eq!(timetoken.len(), 17);
    assert!(answer["t"]["r"].is_u64());
    timetoken
}

/// What each event says in short: `join u 1`.
fn told(messages: &[Value]) -> Vec<String> {
    let tell = |message: &Value| {
        let event = &message["d"];
        format!(
            "{} {} {}",
            event["action"].as_str().unwrap(),
            event["uuid"].as_str().unwrap_or("-"),
            event["occupancy"]
        )
    };
    messages.iter().map(tell).collect()
}

fn encoded(json: &Value) -> String {
    percent_encoding::utf8_percent_encode(&json.to_string(), percent_encoding::NON_ALPHANUMERIC).to_string()
}

mod here_now {
    use super::*;

    #[tokio::test]
    async fn one_channel_is_answered_flat_in_the_order_of_joining() {
        let server = Server::start();
        for user in ["Kim", "Earline", "Glen"] {
            server.heartbeat(user, "c").await;
        }
        let (_, headers, body) =
            server.send("/v2/presence/sub-key/k/channel/c?disable_uuids=0&limit=1000&state=0").await;
        assert_eq!(
            body,
            r#"{"message":"OK","occupancy":3,"service":"Presence","status":200,"uuids":["Kim","Earline","Glen"]}"#
        );
        assert_eq!(headers[CONTENT_TYPE], "text/javascript; charset=\"UTF-8\"");
        let with_state = server.presence("/channel/c?state=1").await;
        assert_eq!(with_state["uuids"], json!([{"uuid": "Kim"}, {"uuid": "Earline"}, {"uuid": "Glen"}]));
        for count_only in ["disable_uuids=1", "disable-uuids=1&state=1", "limit=0"] {
            let answer = server.presence(&format!("/channel/c?{count_only}")).await;
            assert_eq!(
                answer,
                json!({"message": "OK", "occupancy": 3, "service": "Presence", "status": 200})
            );
        }
    }

    #[tokio::test]
    async fn an_empty_channel_has_an_empty_list_and_both_spellings_of_the_key_work() {
        let server = Server::start();
        let empty =
            json!({"message": "OK", "occupancy": 0, "service": "Presence", "status": 200, "uuids": []});
        for key in ["sub-key", "sub_key"] {
            assert_eq!(server.get(&format!("/v2/presence/{key}/k/channel/c?uuid=u")).await, empty);
        }
    }

    #[tokio::test]
    async fn several_channels_groups_and_all_come_by_channel_without_empty_ones() {
        let server = Server::start();
        server.heartbeat("Kim", "c1,c2").await;
        server.heartbeat("Glen", "c2").await;
        server.add_to_group("g", "c1,empty").await;
        let payload = |channels: Value, users: u64| {
            let total = channels.as_object().unwrap().len();
            json!({"message": "OK", "service": "Presence", "status": 200,
                "payload": {"channels": channels, "total_channels": total, "total_occupancy": users}})
        };
        let c1 = json!({"occupancy": 1, "uuids": ["Kim"]});
        let c2 = json!({"occupancy": 2, "uuids": ["Kim", "Glen"]});
        let both = payload(json!({"c1": c1, "c2": c2}), 3);
        assert_eq!(server.presence("/channel/c1,c2,empty?uuid=u").await, both);
        assert_eq!(server.presence("?uuid=u").await, both);
        assert_eq!(server.presence("/channel/c2?channel-group=g").await, both);
        assert_eq!(server.presence("/channel/,?channel-group=g").await, payload(json!({"c1": c1}), 1));
        assert_eq!(server.presence("/channel/c1?channel-group=g").await, payload(json!({"c1": c1}), 1));
        assert_eq!(server.presence("/channel/x,y").await, payload(json!({}), 0));
        assert_eq!(
            server.presence("/channel/c1,c2?disable_uuids=1").await,
            payload(json!({"c1": {"occupancy": 1}, "c2": {"occupancy": 2}}), 3)
        );
        assert_eq!(
            server.presence("/channel/c1,c2?limit=1&offset=1").await,
            payload(
                json!({"c1": {"occupancy": 1, "uuids": []}, "c2": {"occupancy": 2, "uuids": ["Glen"]}}),
                3
            )
        );
        assert_eq!(
            server.presence("?limit=0").await,
            payload(json!({"c1": {"occupancy": 1}, "c2": {"occupancy": 2}}), 3)
        );
    }

    #[tokio::test]
    async fn pages_are_disjoint_and_occupancy_is_always_the_total() {
        let server = Server::start();
        for user in ["a", "b", "c"] {
            server.heartbeat(user, "c").await;
        }
        let page = async |rest: &str| {
            let answer = server.presence(&format!("/channel/c?{rest}")).await;
            assert_eq!(answer["occupancy"], 3);
            answer["uuids"].clone()
        };
        assert_eq!(page("limit=2").await, json!(["a", "b"]));
        assert_eq!(page("limit=2&offset=2").await, json!(["c"]));
        assert_eq!(page("limit=2&offset=3").await, json!([]));
        assert_eq!(page("offset=1").await, json!(["b", "c"]));
    }

    #[tokio::test]
    async fn a_limit_out_of_range_is_refused_in_the_services_words() {
        let server = Server::start();
        let (status, body) = server.refused("/v2/presence/sub-key/k/channel/c?limit=1001").await;
        assert_eq!(status, 400);
        assert_eq!(
            body,
            json!({"error": true, "message": "Cannot return more than 1000 uuids at a time", "service": "Presence", "status": 400})
        );
        for bad in ["limit=-10", "offset=-50", "limit=x"] {
            assert_eq!(
                server.refused(&format!("/v2/presence/sub-key/k/channel/c?{bad}")).await.0,
                400,
                "{bad}"
            );
        }
        assert_eq!(server.refused("/v2/presence/sub-key/k/channel/,").await.0, 400);
    }

    #[tokio::test]
    async fn the_same_url_gets_the_same_body_while_it_is_cached() {
        let server = Server::with(OriginSettings {
            here_now_cache: Duration::from_hours(1),
            ..OriginSettings::default()
        });
        let occupancy =
            async |rest: &str| server.presence(&format!("/channel/c?{rest}")).await["occupancy"].clone();
        assert_eq!(occupancy("uuid=u&requestid=1").await, 0);
        server.heartbeat("u", "c").await;
        assert_eq!(occupancy("uuid=u&requestid=2&timestamp=3&signature=4&instanceid=5").await, 0);
        assert_eq!(occupancy("uuid=u&limit=1000").await, 1);
        assert_eq!(server.presence("?uuid=u").await["payload"]["total_occupancy"], 1);
    }

    #[tokio::test]
    async fn large_answers_are_gzipped_for_who_takes_it_and_small_ones_are_not() {
        let server = Server::start();
        let many: Vec<String> = (0..20).map(|n| format!("channel-{n}")).collect();
        server.heartbeat("u", &many.join(",")).await;
        // The client decodes by itself, and then takes the header away: ask without it.
        let encoding = async |path: &str| {
            let plain = reqwest::Client::builder().no_gzip().build().unwrap();
            let url = format!("{}/v2/presence/sub-key/k{path}", server.base);
            let response = plain.get(url).header("accept-encoding", "gzip").send().await.unwrap();
            response.headers().get(CONTENT_ENCODING).map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(encoding("?uuid=u").await.as_deref(), Some("gzip"));
        assert_ne!(encoding("/channel/x?uuid=u").await.as_deref(), Some("gzip"));
        assert_eq!(server.presence("?uuid=u").await["payload"]["total_channels"], 20);
    }
}

#[tokio::test]
async fn any_character_in_a_name_comes_back_unharmed() {
    let server = Server::start();
    let user = "my uuid/1,%2C+&=?#\"\u{202e}\u{1b}[31m😀é";
    let channel = "c/3 a&b+%😀";
    let encode = |name: &str| {
        percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let (u, c) = (encode(user), encode(channel));
    server.heartbeat(&u, &c).await;
    assert_eq!(server.presence(&format!("/channel/{c}")).await["uuids"], json!([user]));
    assert_eq!(server.presence(&format!("/uuid/{u}")).await["payload"]["channels"], json!([channel]));
    assert_eq!(server.presence("").await["payload"]["channels"][channel]["uuids"], json!([user]));
    let state = json!({ user: channel });
    server.presence(&format!("/channel/{c}/uuid/{u}/data?state={}", encoded(&state))).await;
    assert_eq!(server.presence(&format!("/channel/{c}/uuid/{u}")).await["payload"], state);
    server.leave(&u, &c).await;
    assert_eq!(server.presence(&format!("/channel/{c}")).await["occupancy"], 0);
}

#[tokio::test]
async fn where_now_lists_a_users_channels() {
    let server = Server::start();
    assert_eq!(
        server.presence("/uuid/nobody").await,
        json!({"message": "OK", "payload": {"channels": []}, "service": "Presence", "status": 200})
    );
    server.heartbeat("u", "b,a,a-pnpres").await;
    assert_eq!(server.presence("/uuid/u").await["payload"]["channels"], json!(["a", "b"]));
}

#[tokio::test]
async fn each_subscribe_key_is_its_own_world() {
    let server = Server::start();
    server.heartbeat("u", "c").await;
    server.add_to_group("g", "c").await;
    assert_eq!(server.get("/v2/presence/sub-key/other/channel/c").await["occupancy"], 0);
    let groups = server.get("/v1/channel-registration/sub-key/other/channel-group").await;
    assert_eq!(groups["payload"], json!({"groups": [], "namespace": ""}));
}

#[tokio::test]
async fn a_state_is_set_shown_replaced_and_forgotten() {
    let server = Server::start();
    let set = async |place: &str, state: &Value| {
        let answer = server.presence(&format!("/channel/{place}/uuid/u/data?state={}", encoded(state))).await;
        assert_eq!(answer, json!({"message": "OK", "payload": state, "service": "Presence", "status": 200}));
    };
    assert_eq!(
        server.presence("/channel/c/uuid/u").await,
        json!({"channel": "c", "message": "OK", "payload": {}, "service": "Presence", "status": 200, "uuid": "u"})
    );
    set("c,d", &json!({"count": 5, "name": "Al ex"})).await;
    assert_eq!(server.presence("/channel/c/uuid/u").await["payload"], json!({"count": 5, "name": "Al ex"}));
    assert_eq!(
        server.presence("/channel/c,d/uuid/u").await,
        json!({"message": "OK", "service": "Presence", "status": 200, "uuid": "u",
            "payload": {"channels": {"c": {"count": 5, "name": "Al ex"}, "d": {"count": 5, "name": "Al ex"}}}})
    );
    server.heartbeat("u", "c").await;
    assert_eq!(
        server.presence("/channel/c?state=1").await["uuids"],
        json!([{"state": {"count": 5, "name": "Al ex"}, "uuid": "u"}])
    );
    set("c", &json!({"nested": {"list": [1, "ŻÓŁ"]}})).await;
    assert_eq!(
        server.presence("/channel/c/uuid/u").await["payload"],
        json!({"nested": {"list": [1, "ŻÓŁ"]}})
    );
    server.leave("u", "c").await;
    assert_eq!(server.presence("/channel/c/uuid/u").await["payload"], json!({}));

    server.add_to_group("g", "x,y").await;
    let answer = server.presence("/channel/,/uuid/u/data?channel-group=g&state=%7B%22a%22%3A1%7D").await;
    assert_eq!(answer["payload"], json!({"a": 1}));
    let states = server.presence("/channel/c/uuid/u?channel-group=g").await;
    assert_eq!(states["payload"], json!({"channels": {"c": {}, "x": {"a": 1}, "y": {"a": 1}}}));
}

#[tokio::test]
async fn states_that_are_none_are_refused() {
    let server = Server::start();
    let data = "/v2/presence/sub-key/k/channel/c/uuid/u/data";
    let refusal =
        |message: &str| json!({"error": true, "message": message, "service": "Presence", "status": 400});
    assert_eq!(server.refused(data).await, (400, refusal("No state specified.")));
    for bad in ["x", "[]", "1", "null", "%7B"] {
        assert_eq!(
            server.refused(&format!("{data}?state={bad}")).await,
            (400, refusal("Invalid JSON specified."))
        );
    }
}

#[tokio::test]
async fn a_heartbeat_carries_states_by_channel() {
    let server = Server::start();
    let state = encoded(&json!({"c": {"a": 1}}));
    server.presence(&format!("/channel/c,d/heartbeat?heartbeat=&uuid=u&state={state}")).await;
    assert_eq!(
        server.presence("/channel/c,d/uuid/u").await["payload"],
        json!({"channels": {"c": {"a": 1}, "d": {}}})
    );
}

#[tokio::test]
async fn calls_without_a_user_are_refused() {
    let server = Server::start();
    for call in ["heartbeat", "leave"] {
        let (status, body) = server.refused(&format!("/v2/presence/sub-key/k/channel/c/{call}")).await;
        assert_eq!((status, &body["message"]), (400, &json!("No UUID specified")));
    }
    assert_eq!(server.refused("/v2/presence/sub-key/k/channel/c/heartbeat?uuid=u&heartbeat=x").await.0, 400);
}

#[tokio::test]
async fn leaving_where_one_is_not_is_fine() {
    let server = Server::start();
    server.leave("nobody", "c").await;
}

#[tokio::test]
async fn groups_are_made_listed_changed_and_deleted() {
    let server = Server::start();
    let base = "/v1/channel-registration/sub-key/k/channel-group";
    let listed = async |channels: Value| {
        let answer = server.get(&format!("{base}/g")).await;
        let expected = json!({"error": false, "payload": {"channels": channels, "group": "g"},
            "service": "channel-registry", "status": 200});
        assert_eq!(answer, expected);
    };
    listed(json!([])).await;
    server.add_to_group("g", "c1%2Cc%202,c3").await;
    listed(json!(["c 2", "c1", "c3"])).await;
    let groups = server.get(base).await;
    assert_eq!(
        groups,
        json!({"error": false, "payload": {"groups": ["g"], "namespace": ""}, "service": "channel-registry", "status": 200})
    );
    server.get(&format!("{base}/g?remove=c1,none")).await;
    listed(json!(["c 2", "c3"])).await;
    server.get(&format!("{base}/g/remove")).await;
    listed(json!([])).await;
    assert_eq!(server.get(base).await["payload"]["groups"], json!([]));
    let (status, body) = server.refused(&format!("{base}/a:b?add=c")).await;
    assert_eq!(status, 400);
    assert_eq!(
        body,
        json!({"error": true, "message": "Reserved character in input parameters.", "service": "channel-registry", "status": 400})
    );
}

#[tokio::test]
async fn heartbeats_and_leaves_reach_through_groups() {
    let server = Server::start();
    server.add_to_group("g", "c1,c2").await;
    server.presence("/channel/,/heartbeat?channel-group=g,g-pnpres&uuid=u").await;
    assert_eq!(server.presence("/uuid/u").await["payload"]["channels"], json!(["c1", "c2"]));
    server.presence("/channel/c1/leave?channel-group=g&uuid=u").await;
    assert_eq!(server.presence("/uuid/u").await["payload"]["channels"], json!([]));
}

#[tokio::test]
async fn time_is_one_timetoken() {
    let server = Server::start();
    let time = server.get("/time/0?uuid=u").await;
    assert_eq!(time[0].as_u64().unwrap().to_string().len(), 17);
    assert_eq!(time.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_not_a_call_is_refused_in_the_services_shapes() {
    let server = Server::start();
    let path = "/v2/presence/demo/demo/channel/channelSwift/heartbeat";
    let (status, body) = server.refused(path).await;
    assert_eq!(status, 404);
    assert_eq!(
        body,
        json!({"error": true, "message": format!("Not found: '{path}'"), "service": "Presence", "status": 404})
    );
    let (status, body) = server.refused("/v2/presence/sub-key//channel/c").await;
    assert_eq!(
        (status, body),
        (
            400,
            json!({"error": true, "message": "Invalid Subscribe Key", "service": "Access Manager", "status": 400})
        )
    );
    let (status, body) =
        server.refused(&format!("/v2/presence/sub-key/k/channel/{}", "c,".repeat(16 * 1024))).await;
    assert_eq!(
        (status, body),
        (
            414,
            json!({"error": true, "message": "Request URI Too Long", "service": "Balancer", "status": 414})
        )
    );
    assert_eq!(server.refused("/v2/presence/sub-key/k/channel/%FF").await.0, 400);
    let posted = server.http.post(format!("{}/time/0", server.base)).send().await.unwrap();
    assert_eq!(posted.status(), 405);
}

mod subscribe {
    use super::*;

    #[tokio::test]
    async fn the_first_poll_after_a_handshake_brings_the_subscribers_own_join() {
        let server = Server::start();
        let from = server.handshake("c,c-pnpres", "&heartbeat=300&uuid=david").await;
        assert_eq!(server.presence("/channel/c").await["uuids"], json!(["david"]));
        let (next, messages) = server.poll("c,c-pnpres", &from, "&uuid=david").await;
        assert!(next > from);
        let [message] = messages.as_slice() else { panic!("{messages:?}") };
        let event = &message["d"];
        assert_eq!(
            *event,
            json!({"action": "join", "uuid": "david", "occupancy": 1,
            "timestamp": event["timestamp"], "precise_timestamp": event["precise_timestamp"]})
        );
        assert_eq!(event["timestamp"].as_u64().unwrap(), event["precise_timestamp"].as_u64().unwrap() / 1000);
        assert_eq!(
            message["u"],
            json!({"pn_action": "join", "pn_channel": "c", "pn_ispresence": 1, "pn_occupancy": 1,
            "pn_uuid": "david", "pn_timestamp": event["timestamp"], "pn_precise_timestamp": event["precise_timestamp"]})
        );
        assert_eq!(
            (&message["k"], &message["c"], &message["b"]),
            (&json!("k"), &json!("c-pnpres"), &json!("c-pnpres"))
        );
        assert!(message["p"]["t"].as_str().unwrap() > from.as_str());
        let keys: BTreeSet<&str> = message.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, BTreeSet::from(["a", "b", "c", "d", "f", "k", "p", "u"]));
    }

    #[tokio::test]
    async fn a_subscriber_sees_its_own_join_even_when_its_heartbeat_came_first() {
        let server = Server::start();
        for user in ["v", "u", "w"] {
            server.heartbeat(user, "c").await;
        }
        let from = server.handshake("c,c-pnpres", "&uuid=u").await;
        let (_, messages) = server.poll("c,c-pnpres", &from, "&uuid=u").await;
        assert_eq!(told(&messages), ["join u 2", "join w 3"]);
    }

    #[tokio::test]
    async fn watching_presence_only_joins_nothing_and_sees_everything() {
        let server = Server::start();
        let from = server.handshake("c-pnpres", "&uuid=watcher").await;
        assert_eq!(server.presence("/channel/c").await["occupancy"], 0);
        server.heartbeat("u", "c").await;
        server.presence("/channel/c/uuid/u/data?state=%7B%22a%22:1%7D").await;
        server.leave("u", "c").await;
        server.presence("/channel/c/heartbeat?heartbeat=1&uuid=v").await;
        let (next, messages) = server.poll("c-pnpres", &from, "&uuid=watcher").await;
        assert_eq!(told(&messages), ["join u 1", "state-change u 1", "leave u 0", "join v 1"]);
        assert_eq!(messages[1]["d"]["data"], json!({"a": 1}));
        let (_, messages) = server.poll("c-pnpres", &next, "&uuid=watcher").await;
        assert_eq!(told(&messages), ["timeout v 0"]);
        assert_eq!(messages[0]["d"]["data"], json!({}));
        assert_eq!(server.presence("?uuid=watcher").await["payload"]["total_occupancy"], 0);
    }

    #[tokio::test]
    async fn a_poll_that_came_late_gets_what_it_missed_even_without_tt_on_the_handshake() {
        let server = Server::start();
        let handshake = server.get("/v2/subscribe/k/c-pnpres/0?ee&uuid=w").await;
        let from = timetoken(&handshake);
        for user in ["u", "v"] {
            server.heartbeat(user, "c,other").await;
        }
        let (next, messages) = server.poll("c-pnpres", &from, "&uuid=w").await;
        assert_eq!(told(&messages), ["join u 1", "join v 2"]);
        server.leave("u", "c").await;
        assert_eq!(told(&server.poll("c-pnpres", &next, "&uuid=w").await.1), ["leave u 1"]);
        assert_eq!(server.poll("c-pnpres", &from, "&uuid=w").await.1.len(), 3);
    }

    #[tokio::test]
    async fn a_poll_without_news_ends_with_the_same_timetoken() {
        let settings =
            OriginSettings { subscribe_timeout: Duration::from_millis(200), ..OriginSettings::default() };
        let server = Server::with(settings);
        let from = server.handshake("c-pnpres", "&uuid=w").await;
        let asked = Instant::now();
        assert_eq!(server.poll("c-pnpres", &from, "&uuid=w").await, (from, vec![]));
        assert!(asked.elapsed() >= Duration::from_millis(200));
    }

    #[tokio::test]
    async fn a_held_poll_keeps_its_user_present_and_hanging_up_does_not() {
        let server = Server::start();
        let watcher = server.handshake("c-pnpres", "&uuid=w").await;
        let from = server.handshake("c", "&heartbeat=1&uuid=u").await;
        let url = format!("{}/v2/subscribe/k/c/0?tt={from}&heartbeat=1&uuid=u", server.base);
        let poll = tokio::spawn(server.http.get(url).send());
        // Twice the presence timeout, in real time: the server's clock is not ours to turn.
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(server.presence("/channel/c").await["uuids"], json!(["u"]));
        poll.abort();
        let hung_up = Instant::now();
        let (next, messages) = server.poll("c-pnpres", &watcher, "&uuid=w").await;
        assert_eq!(told(&messages), ["join u 1"]);
        let (_, messages) = server.poll("c-pnpres", &next, "&uuid=w").await;
        assert_eq!(told(&messages), ["timeout u 0"]);
        let waited = hung_up.elapsed();
        assert!((Duration::from_millis(900)..Duration::from_millis(2_500)).contains(&waited), "{waited:?}");
    }

    #[tokio::test]
    async fn who_left_is_not_joined_again_by_a_poll_still_held() {
        let server = Server::start();
        let from = server.handshake("other-pnpres", "&uuid=w").await;
        let (polled, ()) = tokio::join!(server.poll("c,other-pnpres", &from, "&uuid=u"), async {
            // The poll itself joins the channel: once the user is there, the poll is held.
            while server.presence("/channel/c").await["occupancy"] == 0 {}
            server.leave("u", "c").await;
            server.heartbeat("v", "other").await;
        });
        assert_eq!(told(&polled.1), ["join v 1"]);
        assert_eq!(server.presence("/channel/c").await["occupancy"], 0);
    }

    #[tokio::test]
    async fn groups_are_joined_and_their_presence_is_delivered_by_group() {
        let server = Server::start();
        server.add_to_group("g", "c1,c2").await;
        let from = server.handshake(",", "&channel-group=g%2Cg-pnpres&uuid=u").await;
        assert_eq!(server.presence("/uuid/u").await["payload"]["channels"], json!(["c1", "c2"]));
        let (_, messages) = server.poll(",", &from, "&channel-group=g,g-pnpres&uuid=u").await;
        let places: Vec<_> =
            messages.iter().map(|m| (m["c"].as_str().unwrap(), m["b"].as_str().unwrap())).collect();
        assert_eq!(places, [("c1-pnpres", "g-pnpres"), ("c2-pnpres", "g-pnpres")]);
    }

    #[tokio::test]
    async fn presence_names_in_a_group_are_watched_with_it_and_joined_by_nobody() {
        let server = Server::start();
        server.add_to_group("g", "c1,c2-pnpres").await;
        let from = server.handshake(",", "&channel-group=g&uuid=u").await;
        assert_eq!(server.presence("/uuid/u").await["payload"]["channels"], json!(["c1"]));
        server.heartbeat("v", "c1,c2").await;
        let (_, messages) = server.poll(",", &from, "&channel-group=g&uuid=u").await;
        assert_eq!(told(&messages), ["join v 1"]);
        assert_eq!(messages[0]["c"], "c2-pnpres");
    }

    #[tokio::test]
    async fn a_timetoken_from_another_life_of_the_server_is_polled_from_now() {
        let settings =
            OriginSettings { subscribe_timeout: Duration::from_millis(50), ..OriginSettings::default() };
        let server = Server::with(settings);
        let (next, messages) = server.poll("c-pnpres", "99999999999999999", "&uuid=w").await;
        assert!(messages.is_empty() && next.as_str() < "99999999999999999");
        server.heartbeat("u", "c").await;
        assert_eq!(told(&server.poll("c-pnpres", &next, "&uuid=w").await.1), ["join u 1"]);
    }

    #[tokio::test]
    async fn a_channel_added_to_a_group_is_followed_by_polls_already_held() {
        let server = Server::start();
        server.add_to_group("g", "c1").await;
        let rest = "&channel-group=g,g-pnpres&uuid=u";
        let from = server.handshake(",", rest).await;
        let (next, _) = server.poll(",", &from, rest).await;
        let (polled, ()) = tokio::join!(server.poll(",", &next, rest), server.add_to_group("g", "c2"));
        assert_eq!(told(&polled.1), ["join u 1"]);
        assert_eq!(polled.1[0]["c"], "c2-pnpres");
    }

    #[tokio::test]
    async fn a_wildcard_brings_the_presence_of_every_channel_below_it() {
        let server = Server::start();
        let from = server.handshake("demo.*-pnpres", "&uuid=w").await;
        server.heartbeat("u", "demo.a,demo2.a,demo").await;
        let (_, messages) = server.poll("demo.*-pnpres", &from, "&uuid=w").await;
        let [message] = messages.as_slice() else { panic!("{messages:?}") };
        assert_eq!((&message["c"], &message["b"]), (&json!("demo.*-pnpres"), &json!("demo.*-pnpres")));
        assert_eq!(message["u"]["pn_channel"], "demo.a");
    }

    #[tokio::test]
    async fn a_handshake_sets_states_and_a_subscribe_without_a_user_joins_nobody() {
        let server = Server::start();
        let state = encoded(&json!({"c": {"a": 1}}));
        server.handshake("c", &format!("&uuid=u&state={state}")).await;
        server.handshake("c", "").await;
        assert_eq!(
            server.presence("/channel/c?state=1").await["uuids"],
            json!([{"state": {"a": 1}, "uuid": "u"}])
        );
    }

    #[tokio::test]
    async fn above_the_announce_max_only_intervals_are_told() {
        let settings = OriginSettings {
            announce_max: 2,
            announce_interval: Duration::from_millis(300),
            ..OriginSettings::default()
        };
        let server = Server::with(settings);
        let from = server.handshake("c-pnpres", "&uuid=w").await;
        for user in ["a", "b", "c", "d"] {
            server.heartbeat(user, "c").await;
        }
        server.leave("a", "c").await;
        let (next, messages) = server.poll("c-pnpres", &from, "&uuid=w").await;
        assert_eq!(told(&messages), ["join a 1", "join b 2"]);
        let (_, messages) = server.poll("c-pnpres", &next, "&uuid=w").await;
        let event = &messages[0]["d"];
        assert_eq!(
            *event,
            json!({"action": "interval", "occupancy": 3, "join": ["c", "d"], "leave": ["a"], "timestamp": event["timestamp"]})
        );
        assert_eq!(messages[0]["u"]["pn_join"], json!(["c", "d"]));
    }

    #[tokio::test]
    async fn a_subscribe_that_makes_no_sense_is_refused() {
        let server = Server::start();
        let refusal = json!({"error": true, "message": "Could Not Parse Request", "service": "Access Manager", "status": 400});
        for bad in ["/v2/subscribe/k/,/0?uuid=u", "/v2/subscribe/k/c/0?tt=x", "/v2/subscribe/k/c/0?tt=-1"] {
            assert_eq!(server.refused(bad).await, (400, refusal.clone()), "{bad}");
        }
    }
}

#[tokio::test]
async fn an_address_in_use_is_an_error() {
    let server = Server::start();
    let listen = server.base.strip_prefix("http://").unwrap().parse().unwrap();
    let taken = Origin::bind(OriginSettings { listen, ..OriginSettings::default() });
    assert_eq!(taken.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn times_of_nothing_are_refused() {
    for settings in [
        OriginSettings { presence_timeout: Duration::ZERO, ..OriginSettings::default() },
        OriginSettings { announce_interval: Duration::from_nanos(1), ..OriginSettings::default() },
    ] {
        assert_eq!(Origin::bind(settings).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    }
}

#[tokio::test]
async fn stopping_ends_held_polls_at_once() {
    let server = Server::start();
    let from = server.handshake("c-pnpres", "&uuid=w").await;
    let poll = server.http.get(format!("{}/v2/subscribe/k/c-pnpres/0?tt={from}&uuid=w", server.base)).send();
    let stop = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.stop.stop();
    };
    let asked = Instant::now();
    let (answer, ()) = tokio::join!(poll, stop);
    assert!(answer.is_err());
    assert!(asked.elapsed() < Duration::from_secs(3));
}
