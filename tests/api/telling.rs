//! Alerts of a channel that is watched, and people who are told of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use adsum::actors::alerting::{Alerting, Receiver};
use adsum::domain::alert::{NotifierName, Rule};
use adsum::domain::watch::Target;
use adsum::notify::{Attempt, Message, Notifier, Receipt, Remedy, Undelivered};
use futures_util::future::{BoxFuture, FutureExt as _, ready};
use serde_json::{Value, json};

use crate::alerts::each;
use crate::server::Server;
use crate::story::crowded;

/// Somebody who takes a message, or will never take it.
#[derive(Default)]
struct Moody {
    takes: AtomicBool,
}

impl Notifier for Moody {
    fn deliver<'a>(&'a self, _: &'a Message, _: Attempt) -> BoxFuture<'a, Result<Receipt, Undelivered>> {
        let answer = if self.takes.load(Ordering::Relaxed) {
            Ok(Receipt { answer: "204 No Content".to_owned() })
        } else {
            Err(Undelivered { remedy: Remedy::Fail, answer: "400 Bad Request".to_owned() })
        };
        ready(answer).boxed()
    }
}

/// A server with a rule for the lobby: more than 2 of them at once.
async fn server(takes: bool) -> (Server, Arc<Moody>) {
    let ops = Arc::new(Moody { takes: takes.into() });
    let receiver = Receiver {
        name: NotifierName::new("ops").unwrap(),
        notifier: Arc::clone(&ops) as Arc<dyn Notifier>,
        at_once: 1,
        events: Vec::new(),
    };
    let rule = Rule { channels: vec![Target::new("lobby").unwrap()], hold_for: Duration::ZERO, ..crowded() };
    let alerting = Alerting { rules: vec![Arc::new(rule)], receivers: vec![receiver], ..Alerting::default() };
    let server = Server::start_judging(alerting).await;
    server.observed("lobby").await;
    (server, ops)
}

fn fill(server: &Server) {
    for user in ["ada", "bob", "cid"] {
        server.enter("lobby", user, None);
    }
}

fn empty(server: &Server) {
    for user in ["ada", "bob", "cid"] {
        server.leave("lobby", user);
    }
}

async fn changes(server: &Server, expected: &[&str]) -> Value {
    let path = "/v1/alerts/history?channel=lobby";
    server.json_until(path, |history| each(history, "change") == expected).await
}

async fn deliveries(server: &Server, expected: &[&str]) -> Value {
    server.json_until("/v1/deliveries", |list| each(list, "status") == expected).await
}

#[actix_web::test]
async fn a_crowd_is_an_alert_until_it_has_gone_and_both_are_told() {
    let (server, _) = server(true).await;
    fill(&server);
    let firing = server.json_until("/v1/alerts?state=firing", |list| list["items"][0].is_object()).await;
    let alert = &firing["items"][0];
    assert_eq!(
        (&alert["rule"], &alert["channel"], &alert["occupancy"]),
        (&json!("crowded"), &json!("lobby"), &json!(3))
    );
    empty(&server);
    let history = changes(&server, &["firing", "resolved"]).await;
    assert_eq!(each(&history, "alert_id"), vec![alert["alert_id"].clone(); 2]);
    assert_eq!(history["items"][0]["since"], alert["since"]);
    let told = deliveries(&server, &["delivered", "delivered"]).await;
    assert_eq!(each(&told, "kind"), ["firing", "resolved"]);
    assert_eq!(each(&told, "answer"), ["204 No Content", "204 No Content"]);
}

#[actix_web::test]
async fn a_silence_mutes_what_it_matches_from_the_request_on_and_its_end_tells() {
    let (server, _) = server(true).await;
    let silence = server.silence(&json!({ "channel": "lob*", "for": "1h" })).await;
    fill(&server);
    let history = changes(&server, &["firing"]).await;
    assert_eq!(each(&history, "muted"), [json!(silence)]);
    assert_eq!(each(&server.json("/v1/alerts").await, "muted"), [json!(silence)]);
    let end = server.request(reqwest::Method::DELETE, &format!("/v1/silences/{silence}"));
    assert_eq!(end.send().await.unwrap().status(), 204);
    let history = changes(&server, &["firing", "repeated"]).await;
    assert_eq!(each(&history, "muted"), [json!(silence), Value::Null]);
    let told = deliveries(&server, &["delivered"]).await;
    assert_eq!(each(&told, "rule"), ["crowded"], "who was not told that it fires is told now");
    assert_eq!(each(&server.json("/v1/alerts").await, "muted"), [Value::Null]);
}

#[actix_web::test]
async fn a_silence_of_something_else_mutes_nothing() {
    let (server, _) = server(true).await;
    for other in [json!({ "channel": "room.*" }), json!({ "rule": "crowded", "severity": "info" })] {
        let mut asked = other;
        asked["for"] = json!("1h");
        server.silence(&asked).await;
    }
    fill(&server);
    let history = changes(&server, &["firing"]).await;
    assert_eq!(each(&history, "muted"), [Value::Null]);
}

#[actix_web::test]
async fn what_failed_is_delivered_when_it_is_sent_again() {
    let (server, ops) = server(false).await;
    fill(&server);
    let failed = deliveries(&server, &["failed"]).await;
    let id = failed["items"][0]["id"].as_str().unwrap();
    ops.takes.store(true, Ordering::Relaxed);
    let again = server.post(&format!("/v1/deliveries/{id}/retry"), &json!({})).await;
    assert_eq!(again.status(), 200);
    let delivered = deliveries(&server, &["delivered"]).await;
    assert_eq!(each(&delivered, "id"), [id], "with the id that it had");
    let tries = server.json(&format!("/v1/deliveries/{id}")).await["tries"].clone();
    let answers: Vec<&Value> = tries.as_array().unwrap().iter().map(|attempt| &attempt["answer"]).collect();
    assert_eq!(answers, ["400 Bad Request", "204 No Content"]);
}
