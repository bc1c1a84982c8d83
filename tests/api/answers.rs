//! What is answered.

use reqwest::Method;
use serde_json::{Value, json};

use crate::schema::faults;
use crate::server::Server;

/// Bob and cid came and went, ada is there with a state; everything has settled.
async fn lively() -> Server {
    let server = Server::start().await;
    server.observed("lobby").await;
    server.joined("lobby", &["bob", "cid"]).await;
    server.enter("lobby", "ada", Some(json!({ "mood": "ok" })));
    server.json_until("/v1/presence?channel=lobby&user=ada", |answer| answer["present"] == "yes").await;
    server.leave("lobby", "bob");
    server.leave("lobby", "cid");
    let left = |visits: &Value| visits["items"].as_array().is_some_and(|items| items.len() == 2);
    server.json_until("/v1/visits?channel=lobby&open=false", left).await;
    server
}

#[actix_web::test]
async fn every_answer_fits_the_description_that_is_served() {
    let server = lively().await;
    let description = server.json("/openapi.json").await;
    let asked = [
        ("/v1/channels", "/v1/channels"),
        ("/v1/channels/{channel}", "/v1/channels/lobby"),
        ("/v1/channels/{channel}/occupants", "/v1/channels/lobby/occupants"),
        ("/v1/channels/{channel}/occupants", "/v1/channels/lobby/occupants?at=-1h"),
        ("/v1/channels/{channel}/occupancy", "/v1/channels/lobby/occupancy?from=-5s&step=1s"),
        ("/v1/events", "/v1/events?channel=lobby&limit=2"),
        ("/v1/events", "/v1/events"),
        ("/v1/visits", "/v1/visits?channel=lobby&merge=1s"),
        ("/v1/visits", "/v1/visits?user=ada&open=true"),
        ("/v1/gaps", "/v1/gaps?from=-1h&to=now"),
        ("/v1/presence", "/v1/presence?channel=lobby&user=ada"),
        ("/v1/presence", "/v1/presence?channel=nowhere&user=nobody&at=-1h"),
        ("/v1/users/{user}", "/v1/users/ada"),
        ("/v1/users/{user}", "/v1/users/bob"),
        ("/v1/users/{user}/channels", "/v1/users/ada/channels"),
        ("/v1/users/{user}/channels", "/v1/users/ada/channels?at=-1h"),
        ("/v1/users/{user}/state", "/v1/users/ada/state"),
        ("/v1/watches", "/v1/watches"),
        ("/v1/alerts", "/v1/alerts"),
        ("/v1/alerts/history", "/v1/alerts/history?from=-1h&to=now"),
        ("/v1/deliveries", "/v1/deliveries?status=failed"),
        ("/v1/silences", "/v1/silences?all"),
        ("/healthz", "/healthz"),
        ("/readyz", "/readyz"),
    ];
    for (path, address) in asked {
        let body = server.json(address).await;
        assert_eq!(faults(&description, path, "get", "200", &body), [""; 0], "{address}: {body:#}");
    }
    for path in description["paths"].as_object().unwrap().keys() {
        let text = ["/v1/stream", "/metrics", "/openapi.json"];
        // Those are held against the description where they are changed.
        let changed = [
            "/v1/watches/{channel}",
            "/v1/deliveries/{id}",
            "/v1/deliveries/{id}/retry",
            "/v1/silences/{id}",
        ];
        let elsewhere = text.iter().chain(&changed).any(|other| other == path);
        assert!(elsewhere || asked.iter().any(|(asked, _)| asked == path), "{path}");
    }
    let missing = server.get("/v1/users/nobody").await;
    let problem: Value = serde_json::from_slice(&missing.bytes().await.unwrap()).unwrap();
    assert_eq!(faults(&description, "/v1/users/{user}", "get", "404", &problem), [""; 0], "{problem:#}");
}

#[actix_web::test]
async fn a_channel_tells_who_is_there_and_who_was() {
    let server = lively().await;
    let channel = server.json("/v1/channels/lobby").await;
    assert_eq!(
        (&channel["occupancy"], &channel["status"], &channel["complete"]),
        (&json!(1), &json!("ok"), &json!(true))
    );
    assert_eq!((&channel["interval_s"], &channel["gap"]), (&json!(0.03), &Value::Null));
    assert!(channel["polls"]["complete"].as_u64().is_some_and(|polls| polls > 3), "{channel}");
    let now = server.json("/v1/channels/lobby/occupants").await;
    assert_eq!((&now["occupancy"], &now["observed"]), (&json!({ "min": 1, "max": 1 }), &json!(true)));
    let ada = &now["items"][0];
    assert_eq!(
        (&ada["user"], &ada["present"], &ada["state"]),
        (&json!("ada"), &json!("yes"), &json!({ "mood": "ok" }))
    );
    assert!(ada["since"]["not_before"].is_string() && ada["state_since"]["not_after"].is_string(), "{ada}");
    let visits = server.json("/v1/visits?user=bob").await;
    let bob = &visits["items"][0];
    assert!(
        bob["left"]["not_before"].is_string()
            && bob["duration_s"]["max"].as_f64() > bob["duration_s"]["min"].as_f64()
    );
    let middle = bob["left"]["not_before"].as_str().unwrap();
    let then = server.json(&format!("/v1/presence?channel=lobby&user=bob&at={middle}")).await;
    assert_eq!(
        (&then["present"], &then["visit"]["user"], &then["code"]),
        (&json!("yes"), &json!("bob"), &Value::Null)
    );
    let after = server.json("/v1/presence?channel=lobby&user=bob").await;
    assert_eq!(
        (&after["present"], &after["visit"], &after["gap"]),
        (&json!("no"), &Value::Null, &Value::Null)
    );
    let before = server.json("/v1/presence?channel=lobby&user=bob&at=-1d").await;
    assert_eq!((&before["present"], &before["code"]), (&json!("unknown"), &json!("not_watched")));
}

#[actix_web::test]
async fn a_channel_tells_how_its_last_poll_that_failed_did() {
    let server = Server::start().await;
    server.observed("lobby").await;
    assert_eq!(server.json("/v1/channels/lobby").await["last_failure"], Value::Null);
    server.broken(true);
    server.json_until("/v1/channels/lobby", |channel| channel["status"] == "gap").await;
    server.broken(false);
    let channel = server.json_until("/v1/channels/lobby", |channel| channel["status"] == "ok").await;
    let failure = &channel["last_failure"];
    assert_eq!(failure["reason"], "timeout");
    assert_eq!(failure["because"], "no answer within 10s (asked for \"lobby\" alone)");
    assert!(failure["at"].as_str() < channel["last_observed_at"].as_str(), "{channel}");
    let description = server.json("/openapi.json").await;
    assert_eq!(faults(&description, "/v1/channels/{channel}", "get", "200", &channel), [""; 0]);
}

#[actix_web::test]
async fn pages_of_a_list_are_the_list() {
    let server = Server::start().await;
    server.observed("lobby").await;
    server.joined("lobby", &["a", "b", "c", "d", "e"]).await;
    for (list, name) in [
        ("/v1/events?channel=lobby", "user"),
        ("/v1/visits?channel=lobby", "user"),
        ("/v1/channels/lobby/occupants?", "user"),
    ] {
        let (mut read, mut after) = (Vec::new(), String::new());
        loop {
            let page = server.json(&format!("{list}&limit=2{after}")).await;
            read.extend(
                page["items"].as_array().unwrap().iter().map(|item| item[name].as_str().unwrap().to_owned()),
            );
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        assert_eq!(read, ["a", "b", "c", "d", "e"], "{list}");
    }
}

#[actix_web::test]
async fn later_pages_keep_the_moment_of_the_first() {
    let server = Server::start().await;
    server.observed("lobby").await;
    server.joined("lobby", &["a", "b", "c"]).await;
    let first = server.json("/v1/channels/lobby/occupants?at=-1ms&limit=1").await;
    let next = first["next"].as_str().unwrap();
    let second = server.json(&format!("/v1/channels/lobby/occupants?at=-1ms&limit=1&after={next}")).await;
    assert_eq!((&first["items"][0]["user"], &second["items"][0]["user"]), (&json!("a"), &json!("b")));
    assert_eq!(first["at"], second["at"]);
}

#[actix_web::test]
async fn pages_of_a_users_channels_keep_the_moment_of_the_first() {
    let server = Server::start_with(&["a", "b", "c"], &[]).await;
    for channel in ["a", "b", "c"] {
        server.observed(channel).await;
        server.joined(channel, &["ada"]).await;
    }
    let (mut read, mut after, mut moments) = (Vec::new(), String::new(), Vec::new());
    loop {
        let page = server.json(&format!("/v1/users/ada/channels?at=-1ms&limit=1{after}")).await;
        read.push(page["items"][0]["channel"].clone());
        moments.push(page["at"].clone());
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(read, ["a", "b", "c"]);
    assert!(moments.iter().all(|moment| *moment == moments[0]), "{moments:?}");
}

#[actix_web::test]
async fn merged_visits_fill_pages_with_whole_visits() {
    let server = Server::start().await;
    server.observed("lobby").await;
    for round in 1..=3 {
        server.joined_again("lobby", "ada", round).await;
    }
    server.joined("lobby", &["bob"]).await;
    let first = server.json("/v1/visits?channel=lobby&merge=1h&limit=1").await;
    assert_eq!(first["items"][0]["user"], "ada");
    let next = first["next"].as_str().unwrap();
    let second = server.json(&format!("/v1/visits?channel=lobby&merge=1h&limit=1&after={next}")).await;
    assert_eq!((&second["items"][0]["user"], &second["next"]), (&json!("bob"), &Value::Null));
    let apart = server.json("/v1/visits?channel=lobby&user=ada").await;
    assert_eq!(apart["items"].as_array().map(Vec::len), Some(3));
}

#[actix_web::test]
async fn hostile_names_survive_from_the_service_to_the_answer() {
    let (channel, user) = ("a/b %\"\u{202e}😀", "\u{1b}[31m/../..?x=1&y#z");
    let server = Server::start_with(&[channel], &[]).await;
    let text: String = form_encode(channel);
    server.observed(&text).await;
    server.enter(channel, user, None);
    let path = format!("/v1/channels/{text}/occupants");
    let listed = server.json_until(&path, |answer| answer["items"][0].is_object()).await;
    assert_eq!((&listed["channel"], &listed["items"][0]["user"]), (&json!(channel), &json!(user)));
    let user_path = form_encode(user);
    assert_eq!(server.json(&format!("/v1/users/{user_path}")).await["here"][0]["channel"], channel);
    let asked = server.json(&format!("/v1/presence?channel={text}&user={user_path}")).await;
    assert_eq!((&asked["present"], &asked["user"]), (&json!("yes"), &json!(user)));
}

fn form_encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[actix_web::test]
async fn metrics_are_prometheus_text_that_tells_of_the_channels() {
    let server = lively().await;
    let response = server.get("/metrics").await;
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = response.text().await.unwrap();
    for name in [
        "adsum_channel_polls_total{outcome=\"complete\"} ",
        "adsum_requests_total{outcome=\"ok\"} ",
        "adsum_events_total{kind=\"join\"} ",
        "adsum_history_commit_seconds_bucket{le=\"0.001\"} ",
        "adsum_open_gaps ",
        "adsum_observation_age_seconds ",
        "adsum_channels ",
        "process_start_time_seconds ",
        "adsum_build_info{version=",
    ] {
        assert!(text.lines().any(|line| line.starts_with(name)), "{name} is not in\n{text}");
    }
    assert!(!text.contains("lobby") && !text.contains("ada"), "no label holds a channel or a user\n{text}");
}

#[actix_web::test]
async fn head_answers_as_get_does_without_a_body() {
    let server = Server::start().await;
    for path in ["/healthz", "/v1/channels", "/v1/stream"] {
        let response = server.request(Method::HEAD, path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.bytes().await.unwrap().len(), 0, "{path}");
    }
}

#[actix_web::test]
async fn long_answers_are_compressed_and_none_is_cached() {
    let server = Server::start().await;
    let plain = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();
    let address = format!("http://{}/openapi.json", server.address);
    let response = plain.get(address).header("Accept-Encoding", "gzip").send().await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert_eq!(server.json("/openapi.json").await["openapi"], "3.1.0");
}
