//! What is refused, and how.

use reqwest::Method;
use serde_json::json;

use crate::server::{Server, problem};

#[actix_web::test]
async fn wrong_questions_are_answered_with_the_problem_that_they_have() {
    let server = Server::start().await;
    server.observed("lobby").await;
    for (path, status, code) in [
        ("/v1/channels/nowhere", 404, "unknown_channel"),
        ("/v1/channels/nowhere/occupants", 404, "unknown_channel"),
        ("/v1/channels/nowhere/occupancy", 404, "unknown_channel"),
        ("/v1/events?channel=nowhere", 404, "unknown_channel"),
        ("/v1/users/nobody", 404, "unknown_user"),
        ("/v1/users/nobody/channels", 404, "unknown_user"),
        ("/v1/users/nobody/state", 404, "unknown_user"),
        ("/v1/channels/lobby/occupants?at=yesterday", 400, "bad_time"),
        ("/v1/channels/lobby/occupants?at=2126-01-01T00:00:00Z", 400, "future"),
        ("/v1/presence?channel=lobby&user=x&at=2126-01-01T00:00:00Z", 400, "future"),
        ("/v1/users/nobody/channels?at=2126-01-01T00:00:00Z", 400, "future"),
        ("/v1/users/nobody/channels?after=42", 400, "bad_cursor"),
        ("/v1/events?from=soon", 400, "bad_time"),
        ("/v1/events?from=2026-11-24T07:00:00+01:00", 400, "bad_time"),
        ("/v1/events?from=now&to=-1h", 400, "bad_range"),
        ("/v1/visits?from=-1h&to=-1h", 400, "bad_range"),
        ("/v1/gaps?from=-1h&to=-2h", 400, "bad_range"),
        ("/v1/channels/lobby/occupancy?from=now", 400, "bad_range"),
        ("/v1/channels/lobby/occupancy?from=-1w&step=1s", 400, "bad_range"),
        ("/v1/channels/lobby/occupancy?step=fast", 400, "bad_parameter"),
        ("/v1/channels/lobby/occupancy?step=0s", 400, "bad_parameter"),
        ("/v1/events?limit=0", 400, "bad_limit"),
        ("/v1/visits?limit=1001", 400, "bad_limit"),
        ("/v1/gaps?limit=x", 400, "bad_limit"),
        ("/v1/channels?limit=-1", 400, "bad_limit"),
        ("/v1/watches?limit=", 400, "bad_limit"),
        ("/v1/events?after=x", 400, "bad_cursor"),
        ("/v1/events?after=999999", 400, "bad_cursor"),
        ("/v1/visits?after=42", 400, "bad_cursor"),
        ("/v1/gaps?after=42", 400, "bad_cursor"),
        ("/v1/channels/lobby/occupants?after=42", 400, "bad_cursor"),
        ("/v1/channels?after=42", 400, "bad_cursor"),
        ("/v1/stream?after=x", 400, "bad_cursor"),
        ("/v1/stream?after=999999", 400, "bad_cursor"),
        ("/v1/events?kind=arrive", 400, "bad_parameter"),
        ("/v1/visits?open=perhaps", 400, "bad_parameter"),
        ("/v1/visits?merge=30", 400, "bad_parameter"),
        ("/v1/events?chanel=lobby", 400, "bad_parameter"),
        ("/v1/events?limit=1&limit=2", 400, "bad_parameter"),
        ("/v1/channels/lobby?x=1", 400, "bad_parameter"),
        ("/v1/presence?channel=lobby", 400, "bad_parameter"),
        ("/v1/events?user=%FF", 400, "bad_parameter"),
        ("/v1/events?user=", 400, "bad_name"),
        ("/v1/events?channel=a,b", 400, "bad_name"),
        ("/v1/channels/lobby-pnpres", 400, "bad_name"),
        ("/v1/channels/room.*", 400, "bad_name"),
        ("/v1/channels/%FF", 400, "bad_name"),
        ("/v1/channels/", 404, "not_found"),
        ("/v1/channels/a/b", 404, "not_found"),
        ("/", 404, "not_found"),
        ("/v2/channels", 404, "not_found"),
    ] {
        problem(server.get(path).await, status, code).await;
    }
}

#[actix_web::test]
async fn a_wrong_parameter_is_named_with_what_is_allowed() {
    let server = Server::start().await;
    let body = problem(server.get("/v1/gaps?chanel=lobby").await, 400, "bad_parameter").await;
    assert_eq!(body["detail"], "unknown: chanel; allowed: channel, from, to, limit, after");
    let body =
        problem(server.get("/v1/channels/lobby/occupancy?from=-1w&step=1s").await, 400, "bad_range").await;
    let detail = body["detail"].as_str().unwrap();
    assert!(detail.contains("604800") && detail.contains("10000"), "{detail}");
}

#[actix_web::test]
async fn a_method_that_an_address_does_not_have_is_refused_with_those_it_has() {
    let server = Server::start().await;
    for (method, path, allow) in [
        (Method::PATCH, "/v1/channels", "GET, HEAD"),
        (Method::PATCH, "/v1/silences", "GET, POST, HEAD"),
        (Method::GET, "/v1/deliveries/x/retry", "POST"),
        (Method::DELETE, "/v1/silences", "GET, POST, HEAD"),
        (Method::GET, "/v1/silences/1", "DELETE"),
        (Method::PATCH, "/v1/watches/lobby", "PUT, DELETE"),
        (Method::OPTIONS, "/v1/channels/lobby", "GET, HEAD"),
        (Method::GET, "/v1/watches/lobby", "PUT, DELETE"),
        (Method::DELETE, "/healthz", "GET, HEAD"),
    ] {
        let request = server.request(method.clone(), path);
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["allow"], allow, "{method} {path}");
        problem(response, 405, "method_not_allowed").await;
    }
}

#[actix_web::test]
async fn a_cursor_older_than_what_is_kept_is_gone() {
    let server = Server::start().await;
    server.observed("lobby").await;
    server.joined("lobby", &["ada", "bob"]).await;
    server.leave("lobby", "ada");
    server.leave("lobby", "bob");
    server.json_until("/v1/visits?open=false", |visits| visits["items"][1].is_object()).await;
    while server.history.expire(server.adsum.now(), 1000).unwrap() {}
    let (_, expired) = server.history.event_ids().unwrap();
    assert!(expired > 1, "{expired}");
    problem(server.get("/v1/events?after=1").await, 410, "cursor_expired").await;
    problem(server.get("/v1/stream?after=1").await, 410, "cursor_expired").await;
    let resumed =
        server.request(Method::GET, "/v1/stream").header("Last-Event-ID", "1").send().await.unwrap();
    problem(resumed, 410, "cursor_expired").await;
    assert_eq!(server.json(&format!("/v1/events?after={expired}")).await["items"], json!([]));
}
