//! What is silenced, and changing it.

use std::time::Duration;

use adsum::domain::time::Time;
use adsum::history::alerts::MAX_SILENCES;
use reqwest::Method;
use serde_json::{Value, json};

use crate::alerts::each;
use crate::schema::faults;
use crate::server::{Server, problem};

fn time(value: &Value) -> Time {
    Time::parse(value.as_str().unwrap()).unwrap()
}

#[actix_web::test]
async fn a_silence_is_kept_as_it_was_asked_for_until_it_is_ended() {
    let server = Server::start_alerting().await;
    let asked = json!({ "rule": "crowded", "channel": "room.*", "severity": "warning", "for": "2h",
        "author": " ada ", "reason": "a fair \u{202e}" });
    let made = server.post("/v1/silences", &asked).await;
    assert_eq!(made.status(), 201);
    let made: Value = serde_json::from_slice(&made.bytes().await.unwrap()).unwrap();
    let description = server.json("/openapi.json").await;
    assert_eq!(faults(&description, "/v1/silences", "post", "201", &made), [""; 0], "{made:#}");
    let (from, until) = (time(&made["from"]), time(&made["until"]));
    assert!(server.adsum.now().since(from) < Duration::from_secs(30), "{made}");
    assert_eq!(until.since(from), Duration::from_secs(7200));
    let expected = json!({ "id": made["id"], "status": "active", "rule": "crowded", "channel": "room.*",
        "severity": "warning", "from": made["from"], "until": made["until"], "author": "ada",
        "reason": "a fair \u{202e}", "created": made["created"] });
    assert_eq!(made, expected);
    let list = server.json("/v1/silences").await;
    assert_eq!(list, json!({ "items": [made], "next": null }));
    assert_eq!(faults(&description, "/v1/silences", "get", "200", &list), [""; 0]);
    let id = made["id"].as_i64().unwrap();
    let ended = server.request(Method::DELETE, &format!("/v1/silences/{id}")).send().await.unwrap();
    assert_eq!((ended.status().as_u16(), ended.bytes().await.unwrap().len()), (204, 0));
    assert_eq!(server.json("/v1/silences").await["items"], json!([]));
    let over = server.json("/v1/silences?all").await;
    assert_eq!((each(&over, "id"), each(&over, "status")), (vec![json!(id)], vec![json!("expired")]));
    assert!(time(&over["items"][0]["until"]) < until, "{over}");
    let again = server.request(Method::DELETE, &format!("/v1/silences/{id}")).send().await.unwrap();
    problem(again, 404, "unknown_silence").await;
}

#[actix_web::test]
async fn a_silence_in_the_future_is_a_maintenance_window_and_gone_when_it_is_ended_before() {
    let server = Server::start_alerting().await;
    let now = server.adsum.now().floor_ms();
    let (from, until) = (now.plus(Duration::from_secs(3600)), now.plus(Duration::from_secs(7200)));
    let until_then = json!({ "channel": "*", "from": from.to_string(), "until": until.to_string() });
    let first = server.silence(&until_then).await;
    let for_so_long = json!({ "severity": "info", "from": from.to_string(), "for": "1h" });
    let second = server.silence(&for_so_long).await;
    let list = server.json("/v1/silences").await;
    assert_eq!(each(&list, "id"), [first, second].map(Value::from));
    assert_eq!(each(&list, "status"), ["pending", "pending"]);
    assert_eq!(each(&list, "from"), vec![json!(from.to_string()); 2]);
    assert_eq!(each(&list, "until"), vec![json!(until.to_string()); 2]);
    assert_eq!(
        server.request(Method::DELETE, &format!("/v1/silences/{first}")).send().await.unwrap().status(),
        204
    );
    assert_eq!(each(&server.json("/v1/silences?all=true").await, "id"), [json!(second)]);
}

#[actix_web::test]
async fn a_silence_mutes_from_now_on_at_the_earliest() {
    let server = Server::start_alerting().await;
    let before = server.adsum.now().floor_ms();
    server.silence(&json!({ "rule": "crowded", "from": "-1h", "for": "2h" })).await;
    let list = server.json("/v1/silences").await;
    let silence = &list["items"][0];
    assert!(time(&silence["from"]) >= before, "{silence}");
    let lasts = time(&silence["until"]).since(before);
    assert!(lasts > Duration::from_secs(3500) && lasts < Duration::from_secs(3700), "{silence}");
}

#[actix_web::test]
async fn silences_come_in_pages() {
    let server = Server::start_alerting().await;
    for minutes in 1..=5 {
        server.silence(&json!({ "rule": "crowded", "for": format!("{minutes}m") })).await;
    }
    for limit in [1, 2, 5, 100] {
        let ids = server.pages(&format!("/v1/silences?limit={limit}"), "id").await;
        assert_eq!(ids, [1, 2, 3, 4, 5].map(Value::from), "{limit}");
    }
}

#[actix_web::test]
async fn a_wrong_silence_is_refused_with_what_is_wrong_and_what_is_allowed() {
    let server = Server::start_alerting().await;
    let good = json!({ "rule": "crowded", "for": "2h", "author": "ada", "reason": "a fair" });
    let long = "x".repeat(2_001);
    for (member, value, status, code, words) in [
        ("rule", json!("crowdy"), 404, "unknown_rule", "the configuration has crowded, blind"),
        ("rule", json!("a b"), 400, "bad_name", "the rule must be 1 to 64"),
        ("rule", json!(5), 400, "bad_parameter", "rule: must be a text"),
        ("rule", Value::Null, 400, "bad_parameter", "rule, channel, severity: "),
        ("channel", json!("a,b"), 400, "bad_name", "the channel must not contain ','"),
        ("channel", json!(["a"]), 400, "bad_parameter", "channel: must be a text"),
        ("severity", json!("high"), 400, "bad_parameter", "severity: must be one of info, warning, critical"),
        ("from", json!("soon"), 400, "bad_time", "from: "),
        ("from", json!(1), 400, "bad_parameter", "from: must be a text"),
        ("until", json!("now"), 400, "bad_parameter", "until, for: one of the two"),
        ("for", Value::Null, 400, "bad_parameter", "until, for: one of the two"),
        ("for", json!("2 hours"), 400, "bad_parameter", "for: "),
        ("for", json!(7200), 400, "bad_parameter", "for: must be a text"),
        ("for", json!("0s"), 400, "bad_range", "must be after from"),
        ("for", json!("367d"), 400, "bad_range", "must not be longer than 366 days"),
        ("author", json!(" "), 400, "bad_parameter", "author: "),
        ("author", Value::Null, 400, "bad_parameter", "author: is required"),
        ("author", json!("x".repeat(201)), 400, "bad_parameter", "1 to 200 bytes"),
        ("reason", json!(long), 400, "bad_parameter", "1 to 2000 bytes"),
        ("reason", Value::Null, 400, "bad_parameter", "reason: is required"),
        ("untill", json!("now"), 400, "bad_body", "unknown field `untill`"),
    ] {
        let mut asked = good.clone();
        asked[member] = value.clone();
        let refused = problem(server.post("/v1/silences", &asked).await, status, code).await;
        assert!(refused["detail"].as_str().unwrap().contains(words), "{member} {value}: {refused}");
    }
    let mut past = good.clone();
    past["for"] = Value::Null;
    past["until"] = json!("-1h");
    problem(server.post("/v1/silences", &past).await, 400, "bad_range").await;
    assert_eq!(server.json("/v1/silences?all").await["items"], json!([]), "none of them was kept");
}

#[actix_web::test]
async fn a_body_that_is_no_object_or_too_large_is_refused() {
    let server = Server::start_alerting().await;
    let post = |body: String| {
        let post = server.request(Method::POST, "/v1/silences").header("Content-Type", "application/json");
        post.body(body).send()
    };
    let list = "[\"crowded\", null, null, null, null, \"2h\", \"ada\", \"a fair\"]";
    for body in ["", "{", "null", "\"x\"", list, "{} {}", "{\"rule\": \"a\", \"rule\": \"b\"}"] {
        problem(post(body.to_owned()).await.unwrap(), 400, "bad_body").await;
    }
    let deep = format!("{{\"rule\": {}", "[".repeat(10_000));
    problem(post(deep).await.unwrap(), 400, "bad_body").await;
    problem(post("x".repeat(40_000)).await.unwrap(), 413, "payload_too_large").await;
    let longest = json!({ "channel": "\u{1}".repeat(1024), "for": "1h", "author": "\u{1}".repeat(200),
        "reason": "\u{1}".repeat(2_000) });
    assert!(longest.to_string().len() > 16_000);
    assert_eq!(post(longest.to_string()).await.unwrap().status(), 201, "the longest texts fit");
}

#[actix_web::test]
async fn only_who_may_change_something_silences() {
    let server = Server::start_alerting().await;
    let asked = json!({ "rule": "crowded", "for": "2h", "author": "ada", "reason": "a fair" }).to_string();
    let post = || server.request(Method::POST, "/v1/silences").body(asked.clone());
    let json = || post().header("Content-Type", "application/json");
    problem(post().send().await.unwrap(), 415, "unsupported_media_type").await;
    let text = post().header("Content-Type", "text/plain");
    problem(text.send().await.unwrap(), 415, "unsupported_media_type").await;
    let foreign = json().header("Origin", "http://evil.example");
    problem(foreign.send().await.unwrap(), 403, "forbidden_origin").await;
    problem(json().header("Host", "evil.example").send().await.unwrap(), 403, "forbidden_host").await;
    let own = json().header("Origin", format!("http://{}", server.address));
    assert_eq!(own.send().await.unwrap().status(), 201);
    let page = server.request(Method::DELETE, "/v1/silences/1").header("Origin", "http://evil.example");
    problem(page.send().await.unwrap(), 403, "forbidden_origin").await;
}

#[actix_web::test]
async fn with_tokens_nobody_silences_without_one() {
    let server = Server::start_with(&["lobby"], &["secret"]).await;
    for (method, path) in [
        (Method::GET, "/v1/alerts"),
        (Method::GET, "/v1/alerts/history"),
        (Method::GET, "/v1/deliveries"),
        (Method::POST, "/v1/deliveries/x/retry"),
        (Method::POST, "/v1/silences"),
        (Method::DELETE, "/v1/silences/1"),
    ] {
        let request = server.request(method, path).header("Content-Type", "application/json");
        problem(request.send().await.unwrap(), 401, "unauthorized").await;
    }
}

#[actix_web::test]
async fn a_silence_that_there_is_not_cannot_be_ended() {
    let server = Server::start_alerting().await;
    for id in ["1", "0", "-1", "x", "%FF", "99999999999999999999", "1.0"] {
        let request = server.request(Method::DELETE, &format!("/v1/silences/{id}"));
        problem(request.send().await.unwrap(), 404, "unknown_silence").await;
    }
}

#[actix_web::test]
async fn no_more_silences_are_kept_than_may_be() {
    let server = Server::start_alerting().await;
    let id = server.silence(&json!({ "rule": "crowded", "for": "2h" })).await;
    let record = rusqlite::Connection::open(server.folder.path().join("history.db")).unwrap();
    let columns = "created, rule, channel, severity, begins, ends, author, reason";
    let more = format!(
        "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {MAX_SILENCES})
         INSERT INTO silences ({columns}) SELECT {columns} FROM silences, n"
    );
    assert_eq!(record.execute(&more, []).unwrap(), MAX_SILENCES - 1);
    let asked = json!({ "rule": "crowded", "for": "2h", "author": "ada", "reason": "a fair" });
    let refused = problem(server.post("/v1/silences", &asked).await, 409, "too_many_silences").await;
    assert!(refused["detail"].as_str().unwrap().contains(&MAX_SILENCES.to_string()), "{refused}");
    let end = server.request(Method::DELETE, &format!("/v1/silences/{id}")).send().await.unwrap();
    assert_eq!(end.status(), 204);
}
