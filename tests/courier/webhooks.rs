//! Real receivers of webhooks.

use std::time::Duration;

use adsum::history::alerts::DeliveryStatus;
use serde_json::json;

use crate::python::Script;
use crate::receiver::{Do, Got, Receiver, answer};
use crate::world::{SECRET, World, webhook};

fn script(statuses: &[&str]) -> Receiver {
    Receiver::new(statuses.iter().map(|status| answer(status, "", "")).collect())
}

/// `firing lobby`, `resolved lobby` …
fn says(got: &Got) -> String {
    let event = got.json();
    let kind = event["type"].as_str().unwrap().rsplit('.').next().unwrap().to_owned();
    format!("{kind} {}", event["subject"].as_str().unwrap())
}

#[actix::test]
async fn every_try_carries_the_same_id_and_a_fresh_signature_that_verifies() {
    let hook = script(&["500 Internal Server Error", "503 Service Unavailable", "204 No Content"]);
    let world = World::real(vec![webhook("ops", &hook.url(), 4, 10)]);
    world.fires("crowded", &["lobby"], "ops");
    world.until_all_are(DeliveryStatus::Delivered).await;
    let delivery = world.deliveries().remove(0);
    let got = hook.got();
    let verifier = Script::start("verify.py", &[]);
    for (number, got) in (1..).zip(&got) {
        assert_eq!(got.header("webhook-id"), delivery.id);
        assert_eq!(got.header("adsum-attempt"), i32::to_string(&number));
        let headers: Vec<_> = ["webhook-id", "webhook-timestamp", "webhook-signature"].into();
        let headers: serde_json::Map<_, _> =
            headers.into_iter().map(|name| (name.to_owned(), json!(got.header(name)))).collect();
        verifier.say(&json!({"secret": SECRET, "headers": headers, "body": got.body}).to_string());
        assert_eq!(verifier.line(), "ok");
    }
    assert_eq!(got.len(), 3);
    assert_ne!(got[0].header("webhook-timestamp"), got[2].header("webhook-timestamp"));
    let alert = &got[0].json()["data"]["alerts"][0];
    let link =
        format!("http://adsum.test/v1/alerts/history?alert_id={}", alert["alert_id"].as_str().unwrap());
    assert_eq!((&alert["link"], &alert["bound"], &alert["value"]), (&json!(link), &json!(200), &json!(240)));
    let attempts = world.attempts(&delivery);
    let answers: Vec<&str> = attempts.iter().map(|attempt| attempt.answer.as_str()).collect();
    assert_eq!(answers, ["500 Internal Server Error", "503 Service Unavailable", "204 No Content"]);
    let pause = |at: usize| attempts[at].at.since(attempts[at - 1].at.plus(attempts[at - 1].took));
    assert!(pause(1) >= Duration::from_secs(1) && pause(2) >= Duration::from_secs(2), "{attempts:?}");
}

#[actix::test]
async fn what_is_said_of_an_alert_arrives_in_order_and_other_alerts_do_not_wait_for_it() {
    let hook = script(&["500 Internal Server Error", "200 OK"]);
    let world = World::real(vec![webhook("ops", &hook.url(), 1, 10)]);
    world.fires("crowded", &["lobby"], "ops");
    world.resolves("crowded", &["lobby"], "ops");
    world.fires("blind", &["hall"], "ops");
    world.until_all_are(DeliveryStatus::Delivered).await;
    let said: Vec<String> = hook.got().iter().map(says).collect();
    assert_eq!(said, ["firing lobby", "firing hall", "firing lobby", "resolved lobby"]);
}

#[actix::test]
async fn no_more_are_under_way_to_a_receiver_than_it_takes_at_once() {
    let hook = Receiver::new(vec![Do::Hang]);
    let world = World::real(vec![webhook("ops", &hook.url(), 2, 3)]);
    let channels = ["a", "b", "c", "d", "e"];
    for rule in channels {
        world.fires(rule, &[rule], "ops");
    }
    world.until("two are under way", |_| hook.got().len() == 2).await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(hook.connections(), 2);
    world.until("the next have their turn", |_| hook.got().len() >= 4).await;
    let first = hook.got().iter().take(4).map(says).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(first.len(), 4, "the first two are tried again only later: {first:?}");
}

#[actix::test]
async fn many_channels_that_cross_a_rule_together_make_one_message() {
    let hook = script(&["200 OK"]);
    let world = World::real(vec![webhook("ops", &hook.url(), 4, 10)]);
    let channels: Vec<String> = (0..25).map(|n| format!("room.{n}")).collect();
    world.fires("crowded", &channels.iter().map(String::as_str).collect::<Vec<_>>(), "ops");
    world.until_all_are(DeliveryStatus::Delivered).await;
    let got = hook.got();
    assert_eq!(got.len(), 1);
    let data = &got[0].json()["data"];
    assert_eq!(data["alerts"].as_array().unwrap().len(), 25);
    assert_eq!(data["title"], "firing: crowded (warning), 25 channels");
}

#[actix::test]
async fn a_receiver_that_asks_for_a_rest_gets_nothing_until_then() {
    let hook = Receiver::new(vec![
        answer("429 Too Many Requests", "retry-after: 3\r\n", ""),
        answer("200 OK", "", ""),
    ]);
    let other = script(&["200 OK"]);
    let world = World::real(vec![webhook("ops", &hook.url(), 4, 10), webhook("other", &other.url(), 4, 10)]);
    world.fires("crowded", &["lobby"], "ops");
    world.until("it was asked once", |_| hook.got().len() == 1).await;
    world.fires("blind", &["hall"], "ops");
    world.fires("blind", &["hall"], "other");
    world.until("others do not wait", |_| other.got().len() == 1).await;
    assert_eq!(hook.got().len(), 1);
    world.until_all_are(DeliveryStatus::Delivered).await;
    assert_eq!(hook.got().len(), 3);
    let deliveries = world.deliveries();
    let attempts = world.attempts(&deliveries[0]);
    let rest = attempts[0].at.plus(Duration::from_secs(3));
    assert!(attempts[1].at >= rest && world.attempts(&deliveries[1])[0].at >= rest, "{attempts:?}");
}

#[actix::test]
async fn a_redirect_is_refused_and_tried_again_at_the_same_address() {
    let elsewhere = script(&["200 OK"]);
    let location = format!("location: {}\r\n", elsewhere.url());
    let hook = Receiver::new(vec![answer("302 Found", &location, ""), answer("200 OK", "", "")]);
    let world = World::real(vec![webhook("ops", &hook.url(), 4, 10)]);
    world.fires("crowded", &["lobby"], "ops");
    world.until_all_are(DeliveryStatus::Delivered).await;
    assert_eq!((hook.got().len(), elsewhere.connections()), (2, 0));
    let attempts = world.attempts(&world.deliveries()[0]);
    assert_eq!(attempts[0].answer, "302 Found (redirects are not followed)");
}

#[actix::test]
async fn a_receiver_that_hangs_is_tried_again_and_keeps_no_other_waiting() {
    let hook = Receiver::new(vec![Do::Hang, answer("200 OK", "", "")]);
    let other = script(&["200 OK"]);
    let world = World::real(vec![webhook("ops", &hook.url(), 1, 1), webhook("other", &other.url(), 1, 10)]);
    world.fires("crowded", &["lobby"], "ops");
    world.until("it hangs", |_| hook.got().len() == 1).await;
    world.fires("crowded", &["lobby"], "other");
    world.until("the other has it", |world| world.statuses()[1] == DeliveryStatus::Delivered).await;
    world.until_all_are(DeliveryStatus::Delivered).await;
    let attempts = world.attempts(&world.deliveries()[0]);
    assert!(attempts[0].answer.contains("did not answer within 1s"), "{attempts:?}");
    assert_eq!((attempts.len(), attempts[1].delivered), (2, true));
}

#[actix::test]
async fn what_is_pending_when_adsum_stops_is_delivered_by_the_next_with_the_same_id() {
    let hook = script(&["500 Internal Server Error", "200 OK"]);
    let receivers = || vec![webhook("ops", &hook.url(), 4, 10)];
    let world = World::real(receivers());
    world.fires("crowded", &["lobby"], "ops");
    world.until("it was tried", |world| world.deliveries()[0].attempts == 1).await;
    let world = world.restart(receivers()).await;
    world.until_all_are(DeliveryStatus::Delivered).await;
    let got = hook.got();
    assert_eq!(got.len(), 2);
    assert_eq!(got[0].header("webhook-id"), got[1].header("webhook-id"));
    assert_eq!(got[1].header("adsum-attempt"), "2");
}
