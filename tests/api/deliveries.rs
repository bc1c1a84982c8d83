//! Who was told what, and telling it again.

use std::time::Duration;

use adsum::domain::alert::NotifierName;
use adsum::domain::channel::Changes;
use adsum::domain::event::{Event, EventKind};
use adsum::domain::names::{ChannelName, UserId};
use adsum::domain::state::Shown;
use adsum::domain::time::{Time, Window};
use adsum::history::Entry;
use adsum::history::alerts::{DeliveryQuery, Outcome, Subscriber};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::alerts::each;
use crate::schema::faults;
use crate::server::{Server, problem};
use crate::story::{Story, blind, start, tried};

/// The ids and numbers of all deliveries.
fn numbers(server: &Server) -> Vec<(String, i64)> {
    let query = DeliveryQuery { limit: 100, ..DeliveryQuery::default() };
    let deliveries = server.history.deliveries(&query).unwrap();
    deliveries.into_iter().map(|delivery| (delivery.id, delivery.number)).collect()
}

async fn retry(server: &Server, id: &str) -> Response {
    let request = server.request(Method::POST, &format!("/v1/deliveries/{id}/retry"));
    request.header("Content-Type", "application/json").send().await.unwrap()
}

async fn fits(server: &Server, path: &str, method: &str, body: &Value) {
    let description = server.json("/openapi.json").await;
    assert_eq!(faults(&description, path, method, "200", body), [""; 0], "{body:#}");
}

/// An alert fired, which could not be told, and was resolved, which was.
/// Their ids, and the time from which the seconds were counted.
fn one_of_each(server: &Server) -> ([String; 2], Time) {
    let mut story = Story::new(server, blind(), "room.1");
    story.gap(5);
    let [(failed, number)] = numbers(server).try_into().unwrap();
    tried(server, number, story.at(6), "503 Service Unavailable: \u{1b}[1mno", Outcome::Failed);
    story.seen(40, 1);
    let [_, (delivered, number)] = numbers(server).try_into().unwrap();
    tried(server, number, story.at(41), "204 No Content", Outcome::Delivered);
    ([failed, delivered], story.at(0))
}

#[actix_web::test]
async fn deliveries_say_whom_they_are_for_and_how_they_stand() {
    let server = Server::start_alerting().await;
    let ([failed, delivered], start) = one_of_each(&server);
    let list = server.json("/v1/deliveries").await;
    let at = |second| start.plus(Duration::from_secs(second)).to_string();
    let expected = json!({
        "id": failed, "notifier": "ops", "rule": "blind", "kind": "firing", "count": 1, "created": at(5),
        "status": "failed", "attempts": 1, "tried": at(6), "due": null,
        "answer": "503 Service Unavailable: \u{1b}[1mno",
    });
    assert_eq!(list["items"][0], expected);
    assert_eq!(each(&list, "id"), [failed, delivered]);
    assert_eq!(each(&list, "status"), ["failed", "delivered"]);
    assert_eq!(each(&list, "kind"), ["firing", "resolved"]);
    fits(&server, "/v1/deliveries", "get", &list).await;
}

#[actix_web::test]
async fn deliveries_are_narrowed_by_notifier_status_and_time_and_come_in_pages() {
    let server = Server::start_alerting().await;
    for room in 1..=3 {
        let mut story = Story::new(&server, blind(), &format!("room.{room}"));
        story.gap(5);
        let (_, number) = numbers(&server).pop().unwrap();
        let outcome = if room == 2 { Outcome::Delivered } else { Outcome::Failed };
        tried(&server, number, story.at(6), "503", outcome);
    }
    for (query, expected) in [
        ("", 3),
        ("notifier=ops", 3),
        ("status=failed", 2),
        ("status=delivered&notifier=ops", 1),
        ("status=pending", 0),
        ("from=-1h&to=now", 3),
        ("to=-1h", 0),
    ] {
        for limit in ["limit=1", "limit=2", "limit=3"] {
            let path = format!("/v1/deliveries?{query}&{limit}");
            assert_eq!(server.pages(&path, "id").await.len(), expected, "{path}");
        }
    }
    let unknown = problem(server.get("/v1/deliveries?notifier=opps").await, 404, "unknown_notifier").await;
    assert_eq!(unknown["detail"], "notifier opps is not known; the configuration has ops");
}

#[actix_web::test]
async fn a_delivery_shows_what_it_says_and_every_try() {
    let server = Server::start_alerting().await;
    let ([failed, _], _) = one_of_each(&server);
    let delivery = server.json(&format!("/v1/deliveries/{failed}")).await;
    assert_eq!((&delivery["id"], &delivery["event"]), (&json!(failed), &Value::Null));
    let [alert] = delivery["alerts"].as_array().unwrap().as_slice() else { panic!("{delivery:#}") };
    assert_eq!(*alert, server.json("/v1/alerts/history").await["items"][0], "as in the history");
    let [attempt] = delivery["tries"].as_array().unwrap().as_slice() else { panic!("{delivery:#}") };
    let expected = json!({ "number": 1, "at": delivery["tried"], "took_s": 0.25, "delivered": false,
        "answer": "503 Service Unavailable: \u{1b}[1mno" });
    assert_eq!(*attempt, expected);
    fits(&server, "/v1/deliveries/{id}", "get", &delivery).await;
}

#[actix_web::test]
async fn a_delivery_of_many_alerts_lists_them_all() {
    let server = Server::start_alerting().await;
    for room in 1..=25 {
        Story::new(&server, blind(), &format!("room.{room}")).gap(5);
    }
    let [(id, _)] = numbers(&server).try_into().unwrap();
    let delivery = server.json(&format!("/v1/deliveries/{id}")).await;
    assert_eq!(delivery["count"], json!(25));
    assert_eq!(delivery["alerts"].as_array().unwrap().len(), 25);
}

#[actix_web::test]
async fn a_delivery_of_a_presence_event_shows_the_event() {
    let server = Server::start_alerting().await;
    let channel = ChannelName::new("room.1").unwrap();
    let start = start(&server);
    server.history.begin(std::slice::from_ref(&channel), start).unwrap();
    let event = Event {
        seq: 1,
        user: UserId::new("ada").unwrap(),
        kind: EventKind::Present,
        window: Window { not_before: None, not_after: start },
        occupancy: 1,
        state: Shown::Unknown,
    };
    let entry = Entry {
        subscribers: [Subscriber {
            notifier: NotifierName::new("ops").unwrap(),
            kinds: vec![EventKind::Present],
        }]
        .into(),
        at: start,
        ..Entry::new(channel, Changes { events: vec![event], ..Changes::default() })
    };
    server.history.commit(&[entry]).unwrap();
    let [(id, _)] = numbers(&server).try_into().unwrap();
    let delivery = server.json(&format!("/v1/deliveries/{id}")).await;
    assert_eq!(
        (&delivery["kind"], &delivery["rule"], &delivery["count"]),
        (&json!("event"), &Value::Null, &json!(1))
    );
    assert_eq!(delivery["alerts"], json!([]));
    assert_eq!(delivery["event"], server.json("/v1/events?channel=room.1").await["items"][0]);
    fits(&server, "/v1/deliveries/{id}", "get", &delivery).await;
}

#[actix_web::test]
async fn a_failed_delivery_is_sent_again_and_a_delivered_one_is_not() {
    let server = Server::start_alerting().await;
    let ([failed, delivered], _) = one_of_each(&server);
    let again = retry(&server, &failed).await;
    assert_eq!(again.status(), 200);
    let again: Value = serde_json::from_slice(&again.bytes().await.unwrap()).unwrap();
    assert_eq!((&again["id"], &again["status"]), (&json!(failed), &json!("pending")));
    assert!(again["due"].is_string(), "{again}");
    fits(&server, "/v1/deliveries/{id}/retry", "post", &again).await;
    let kept = retry(&server, &delivered).await;
    let kept: Value = serde_json::from_slice(&kept.bytes().await.unwrap()).unwrap();
    assert_eq!((&kept["status"], &kept["due"]), (&json!("delivered"), &Value::Null));
    let pending = server.json("/v1/deliveries?status=pending").await;
    assert_eq!(each(&pending, "id"), [failed]);
}

#[actix_web::test]
async fn a_delivery_that_there_is_not_is_unknown() {
    let server = Server::start_alerting().await;
    for id in ["x", "%FF", "a%2Fb", "1", "%00"] {
        problem(server.get(&format!("/v1/deliveries/{id}")).await, 404, "unknown_delivery").await;
        problem(retry(&server, id).await, 404, "unknown_delivery").await;
    }
}

#[actix_web::test]
async fn sending_again_takes_no_body_and_must_be_json_of_no_foreign_origin() {
    let server = Server::start_alerting().await;
    let ([failed, _], _) = one_of_each(&server);
    let post = || server.request(Method::POST, &format!("/v1/deliveries/{failed}/retry"));
    problem(post().send().await.unwrap(), 415, "unsupported_media_type").await;
    let json = || post().header("Content-Type", "application/json");
    problem(json().header("Origin", "http://evil.example").send().await.unwrap(), 403, "forbidden_origin")
        .await;
    problem(json().header("Host", "evil.example").send().await.unwrap(), 403, "forbidden_host").await;
    problem(json().body("{\"now\":true}").send().await.unwrap(), 400, "bad_body").await;
    assert_eq!(each(&server.json("/v1/deliveries?status=failed").await, "id"), [failed.as_str()]);
    assert_eq!(json().body("{}").send().await.unwrap().status(), 200);
    let get = server.get(&format!("/v1/deliveries/{failed}/retry")).await;
    assert_eq!(get.headers()["allow"], "POST");
    problem(get, 405, "method_not_allowed").await;
}
