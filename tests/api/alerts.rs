//! How alerts stand, and what became of them.

use std::time::Duration;

use adsum::domain::time::Time;
use serde_json::{Value, json};

use crate::schema::faults;
use crate::server::{Server, problem};
use crate::story::{Story, blind, crowded};

async fn fits(server: &Server, path: &str, body: &Value) {
    let description = server.json("/openapi.json").await;
    assert_eq!(faults(&description, path, "get", "200", body), [""; 0], "{body:#}");
}

/// The values of a field of each item.
pub(crate) fn each(list: &Value, name: &str) -> Vec<Value> {
    list["items"].as_array().unwrap().iter().map(|item| item[name].clone()).collect()
}

fn before(time: Time, seconds: u64) -> String {
    time.minus(Duration::from_secs(seconds)).to_string()
}

#[actix_web::test]
async fn an_alert_that_fires_says_since_when_and_how_sure_that_is() {
    let server = Server::start_alerting().await;
    let mut story = Story::new(&server, crowded(), "room.1");
    story.seen(0, 1);
    let id = story.seen(5, 3);
    story.seen(20, 5);
    let list = server.json("/v1/alerts").await;
    let expected = json!({ "items": [{
        "rule": "crowded", "channel": "room.1", "severity": "warning", "state": "firing",
        "alert_id": id.to_string(),
        "since": { "not_before": before(story.at(0), 1), "not_after": story.at(5).to_string() },
        "fired": story.at(20).to_string(), "next_repeat": story.at(3620).to_string(),
        "occupancy": 5, "gap": null, "muted": null,
        "condition": { "kind": "occupancy_above", "bound": 2, "clear_below": 2 },
    }], "next": null });
    assert_eq!(list, expected, "{list:#}");
    fits(&server, "/v1/alerts", &list).await;
}

#[actix_web::test]
async fn an_alert_says_that_it_is_pending_muted_or_cannot_be_seen() {
    let server = Server::start_alerting().await;
    let silence = server.silence(&json!({ "rule": "blind", "for": "1h" })).await;
    let mut gone = Story::new(&server, blind(), "room.1").muted(silence);
    gone.gap(30);
    let mut filling = Story::new(&server, crowded(), "room.1");
    filling.seen(5, 3);
    let list = server.json("/v1/alerts").await;
    assert_eq!(each(&list, "rule"), ["blind", "crowded"], "in order of rule");
    assert_eq!(each(&list, "state"), ["firing", "pending"]);
    assert_eq!(each(&list, "severity"), ["critical", "warning"]);
    assert_eq!(each(&list, "gap"), [json!("timeout"), Value::Null]);
    assert_eq!(each(&list, "muted"), [json!(silence), Value::Null]);
    assert_eq!(each(&list, "fired"), [json!(gone.at(30).to_string()), Value::Null]);
    assert_eq!(each(&list, "next_repeat"), [Value::Null, Value::Null]);
    assert_eq!(list["items"][0]["condition"], json!({ "kind": "unobserved" }));
    assert_eq!(list["items"][1]["since"]["not_before"], Value::Null, "it may have been full for long");
    fits(&server, "/v1/alerts", &list).await;
}

#[actix_web::test]
async fn alerts_are_narrowed_by_rule_channel_and_state() {
    let server = Server::start_alerting().await;
    Story::new(&server, crowded(), "room.1").seen(5, 3);
    Story::new(&server, blind(), "room.1").gap(30);
    Story::new(&server, blind(), "room.2").gap(30);
    for (query, expected) in [
        ("", 3),
        ("?rule=blind", 2),
        ("?channel=room.1", 2),
        ("?rule=blind&channel=room.1", 1),
        ("?state=pending", 1),
        ("?state=firing&channel=room.2", 1),
        ("?state=pending&channel=room.2", 0),
    ] {
        let list = server.json(&format!("/v1/alerts{query}")).await;
        assert_eq!(each(&list, "rule").len(), expected, "{query}: {list:#}");
        assert_eq!(list["next"], Value::Null, "{query}");
    }
}

#[actix_web::test]
async fn alerts_of_one_state_come_in_pages_that_skip_the_others_and_end() {
    let server = Server::start_alerting().await;
    for room in 1..=6 {
        let mut story = Story::new(&server, crowded(), &format!("room.{room}"));
        story.seen(0, 3);
        if room % 2 == 0 {
            story.seen(20, 3);
        }
    }
    for (query, expected) in [
        ("limit=4", vec!["room.1", "room.2", "room.3", "room.4", "room.5", "room.6"]),
        ("limit=1&state=firing", vec!["room.2", "room.4", "room.6"]),
        ("limit=2&state=pending", vec!["room.1", "room.3", "room.5"]),
        ("limit=3&state=firing", vec!["room.2", "room.4", "room.6"]),
    ] {
        assert_eq!(server.pages(&format!("/v1/alerts?{query}"), "channel").await, expected, "{query}");
    }
}

#[actix_web::test]
async fn a_whole_life_is_in_the_history_with_its_windows() {
    let server = Server::start_alerting().await;
    let mut story = Story::new(&server, crowded(), "room.1");
    story.seen(0, 2);
    let id = story.seen(5, 3);
    story.seen(20, 5);
    story.time(3620);
    story.seen(3625, 4);
    story.seen(3630, 1);
    let history = server.json("/v1/alerts/history").await;
    assert_eq!(each(&history, "change"), ["pending", "firing", "repeated", "resolved"]);
    assert_eq!(each(&history, "alert_id"), vec![json!(id.to_string()); 4]);
    assert_eq!(each(&history, "occupancy"), [3, 5, 5, 1].map(Value::from));
    let numbers: Vec<i64> = each(&history, "id").iter().map(|id| id.as_i64().unwrap()).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    let since = json!({ "not_before": before(story.at(0), 1), "not_after": story.at(5).to_string() });
    let resolved = &history["items"][3];
    let expected = json!({
        "id": numbers[3], "alert_id": id.to_string(), "rule": "crowded", "channel": "room.1",
        "severity": "warning", "change": "resolved", "at": story.at(3630).to_string(), "since": since,
        "why": "cleared",
        "ended": { "not_before": before(story.at(3625), 1), "not_after": story.at(3630).to_string() },
        "occupancy": 1, "gap": null, "muted": null,
        "condition": { "kind": "occupancy_above", "bound": 2, "clear_below": 2 },
    });
    assert_eq!(*resolved, expected, "{resolved:#}");
    fits(&server, "/v1/alerts/history", &history).await;
    assert_eq!(server.json("/v1/alerts").await["items"], json!([]), "it is over");
}

#[actix_web::test]
async fn the_history_says_what_was_muted_and_what_was_not_seen() {
    let server = Server::start_alerting().await;
    let mut story = Story::new(&server, blind(), "room.1").muted(7);
    story.gap(5);
    story.seen(30, 1);
    let history = server.json("/v1/alerts/history").await;
    assert_eq!(each(&history, "change"), ["firing", "resolved"]);
    assert_eq!(each(&history, "muted"), [7, 7].map(Value::from));
    assert_eq!(each(&history, "gap"), [json!("timeout"), Value::Null]);
    assert_eq!(each(&history, "why"), [Value::Null, json!("cleared")]);
    fits(&server, "/v1/alerts/history", &history).await;
    assert_eq!(server.json("/v1/deliveries").await["items"], json!([]), "nobody was told");
}

#[actix_web::test]
async fn the_history_is_narrowed_by_alert_rule_channel_and_time_and_comes_in_pages() {
    let server = Server::start_alerting().await;
    let mut first = Story::new(&server, crowded(), "room.1");
    let id = first.seen(5, 3);
    first.seen(20, 3);
    let mut second = Story::new(&server, blind(), "room.2");
    second.gap(30);
    second.seen(40, 1);
    let (from, to) = (first.at(20), first.at(40));
    for (query, expected) in [
        (String::new(), vec!["pending", "firing", "firing", "resolved"]),
        (format!("alert_id={id}"), vec!["pending", "firing"]),
        ("rule=blind".to_owned(), vec!["firing", "resolved"]),
        ("channel=room.1".to_owned(), vec!["pending", "firing"]),
        (format!("from={from}&to={to}"), vec!["firing", "firing"]),
        (format!("from={to}"), vec!["resolved"]),
        ("alert_id=12345678-9abc-4ef0-8234-56789abcdef0".to_owned(), vec![]),
    ] {
        for limit in ["limit=1", "limit=3", "limit=1000"] {
            let path = format!("/v1/alerts/history?{query}&{limit}");
            assert_eq!(server.pages(&path, "change").await, expected, "{path}");
        }
    }
}

#[actix_web::test]
async fn a_name_that_is_not_known_is_not_answered_with_nothing() {
    let server = Server::start_alerting().await;
    server.observed("lobby").await;
    for path in ["/v1/alerts", "/v1/alerts/history"] {
        let unknown = problem(server.get(&format!("{path}?rule=crowdy")).await, 404, "unknown_rule").await;
        assert_eq!(unknown["detail"], "rule crowdy is not known; the configuration has crowded, blind");
        problem(server.get(&format!("{path}?channel=room.9")).await, 404, "unknown_channel").await;
        assert_eq!(server.json(&format!("{path}?rule=crowded&channel=lobby")).await["items"], json!([]));
    }
    let mut removed = crowded();
    removed.name = adsum::domain::alert::RuleName::new("removed").unwrap();
    let mut story = Story::new(&server, removed, "room.1");
    story.seen(5, 3);
    story.seen(9, 0);
    assert_eq!(server.json("/v1/alerts?rule=removed").await["items"], json!([]), "its past is known");
    let past = server.json("/v1/alerts/history?rule=removed").await;
    assert_eq!(each(&past, "change"), ["pending", "inactive"]);
}

#[actix_web::test]
async fn wrong_questions_about_alerts_name_the_parameter_and_what_is_allowed() {
    let server = Server::start_alerting().await;
    let cursor = server.silences_cursor().await;
    for (path, code, words) in [
        ("/v1/alerts?state=resolved", "bad_parameter", "state: must be one of pending, firing"),
        ("/v1/alerts?state=", "bad_parameter", "state: "),
        ("/v1/alerts?rule=a%20b", "bad_name", "the rule must be 1 to 64 letters"),
        ("/v1/alerts?rule=", "bad_name", "the rule must be"),
        ("/v1/alerts?channel=room.*", "bad_name", "the channel must not contain '*'"),
        ("/v1/alerts?severity=info", "bad_parameter", "allowed: rule, channel, state, limit, after"),
        ("/v1/alerts?limit=1001", "bad_limit", "from 1 to 1000"),
        ("/v1/alerts?after=x", "bad_cursor", "after: "),
        (&format!("/v1/alerts?after={cursor}"), "bad_cursor", "after: "),
        ("/v1/alerts/history?alert_id=x", "bad_parameter", "alert_id: must be the id of an alert, a UUID"),
        ("/v1/alerts/history?from=now&to=-1h", "bad_range", "from ("),
        ("/v1/alerts/history?from=soon", "bad_time", "from: "),
        ("/v1/alerts/history?limit=0", "bad_limit", "from 1 to 1000"),
        ("/v1/alerts/history?after=3", "bad_cursor", "after: "),
        (&format!("/v1/alerts/history?after={cursor}"), "bad_cursor", "after: "),
        ("/v1/deliveries?status=lost", "bad_parameter", "status: must be one of pending, delivered, failed"),
        ("/v1/deliveries?notifier=-x", "bad_name", "the notifier must be"),
        ("/v1/deliveries?after=1", "bad_cursor", "after: "),
        (&format!("/v1/deliveries?after={cursor}"), "bad_cursor", "after: "),
        ("/v1/deliveries?to=tomorrow", "bad_time", "to: "),
        ("/v1/deliveries/x?y=1", "bad_parameter", "none are allowed here"),
        ("/v1/silences?all=perhaps", "bad_parameter", "all: must be true or false"),
        ("/v1/silences?rule=crowded", "bad_parameter", "allowed: all, limit, after"),
        ("/v1/silences?limit=-1", "bad_limit", "from 1 to 1000"),
    ] {
        let refused = problem(server.get(path).await, 400, code).await;
        assert!(refused["detail"].as_str().unwrap().contains(words), "{path}: {refused}");
    }
}

#[actix_web::test]
async fn metrics_count_the_alerts_by_state_and_severity() {
    let server = Server::start_alerting().await;
    Story::new(&server, crowded(), "room.1").seen(5, 3);
    Story::new(&server, blind(), "room.1").gap(30);
    Story::new(&server, blind(), "room.2").gap(30);
    let text = server.get("/metrics").await.text().await.unwrap();
    for line in [
        "adsum_alerts{state=\"pending\",severity=\"warning\"} 1",
        "adsum_alerts{state=\"firing\",severity=\"critical\"} 2",
        "adsum_alerts{state=\"firing\",severity=\"info\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("room.1") && !text.contains("crowded"), "no label holds a channel\n{text}");
}
