//! The commands about alerts, deliveries and silences.

use rstest::rstest;
use serde_json::{Value, json};
use wiremock::matchers::{body_json, header, method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::daemon::{Asked, ask};
use crate::{Ended, HOSTILE, adsum, assert_fit_for_a_terminal, ended, run, with};

/// Answers a change.
async fn changing(
    server: &MockServer,
    how: &str,
    route: &str,
    body: Option<Value>,
    answer: ResponseTemplate,
) {
    let mock = Mock::given(method(how)).and(path(route));
    let mock = match body {
        Some(body) => mock.and(header("content-type", "application/json")).and(body_json(body)),
        None => mock,
    };
    mock.respond_with(answer).expect(1).mount(server).await;
}

fn delivery(id: &str, status: &str) -> Value {
    json!({"id": id, "notifier": "ops", "rule": "crowded", "kind": "firing", "count": 3,
        "created": "2026-11-24T14:00:00.000Z", "status": status, "attempts": 2, "tried": null, "due": null,
        "answer": "503 Service Unavailable"})
}

fn problem(status: u16, code: &str, detail: &str) -> ResponseTemplate {
    let body = json!({"type": format!("urn:adsum:problem:{code}"), "title": "x", "status": status, "detail": detail, "code": code});
    ResponseTemplate::new(status).set_body_raw(body.to_string(), "application/problem+json")
}

#[tokio::test]
async fn alerts_say_how_they_stand_and_what_is_not_known() {
    let answer = json!({"next": "abc", "items": [
        {"rule": "crowded", "channel": "lobby", "severity": "warning", "state": "firing", "alert_id": "1",
         "since": {"not_before": "2026-11-24T14:01:00.000Z", "not_after": "2026-11-24T14:01:04.000Z"},
         "fired": "2026-11-24T14:02:00.000Z", "next_repeat": null, "occupancy": 212, "gap": null, "muted": 3},
        {"rule": "blind", "channel": HOSTILE, "severity": "critical", "state": "pending", "alert_id": "2",
         "since": {"not_before": null, "not_after": "2026-11-24T14:01:04.000Z"},
         "fired": null, "next_repeat": null, "occupancy": null, "gap": "timeout", "muted": null},
    ]});
    let listed = ask(&["alerts", "list"], answer.clone()).await.stdout;
    assert_eq!(ask(&["alerts"], answer).await.stdout, listed);
    insta::assert_snapshot!(listed, @r#"
    STATE    RULE     CHANNEL                          SEVERITY  SINCE (UTC)                             OCCUPANCY  NOT OBSERVED  MUTED
    firing   crowded  lobby                            warning   2026-11-24 14:01:00.000 … 14:01:04.000  212        -             3
    pending  blind    a\u{1b}[2J\u{202e}b\u{a}c\u{9b}  critical  by 2026-11-24 14:01:04.000              -          timeout       -
    There is more: --after abc
    "#);
}

#[tokio::test]
async fn the_history_of_alerts_tells_a_whole_life() {
    let since = json!({"not_before": "2026-11-24T14:01:00.000Z", "not_after": "2026-11-24T14:01:04.000Z"});
    let change = |change: &str, at: &str, why: Value, ended: Value| {
        json!({"id": 1, "alert_id": "1", "rule": "crowded", "channel": "lobby", "severity": "warning",
            "change": change, "at": format!("2026-11-24T{at}.000Z"), "since": since, "why": why, "ended": ended,
            "occupancy": 212, "gap": null, "muted": null})
    };
    let ended = json!({"not_before": "2026-11-24T15:00:00.000Z", "not_after": "2026-11-24T15:00:08.000Z"});
    let answer = json!({"next": null, "items": [
        change("pending", "14:01:04", Value::Null, Value::Null),
        change("firing", "14:02:00", Value::Null, Value::Null),
        change("resolved", "15:00:08", json!("cleared"), ended),
    ]});
    insta::assert_snapshot!(ask(&["alerts", "history"], answer).await.stdout, @r#"
    AT (UTC)                 CHANGE    RULE     CHANNEL  SINCE (UTC)                             ENDED (UTC)                             WHY      OCCUPANCY  NOT OBSERVED  MUTED
    2026-11-24 14:01:04.000  pending   crowded  lobby    2026-11-24 14:01:00.000 … 14:01:04.000  -                                       -        212        -             -
    2026-11-24 14:02:00.000  firing    crowded  lobby    2026-11-24 14:01:00.000 … 14:01:04.000  -                                       -        212        -             -
    2026-11-24 15:00:08.000  resolved  crowded  lobby    2026-11-24 14:01:00.000 … 14:01:04.000  2026-11-24 15:00:00.000 … 15:00:08.000  cleared  212        -             -
    "#);
}

#[tokio::test]
async fn deliveries_say_how_they_stand() {
    let mut event = delivery("msg_3", "delivered");
    event["rule"] = Value::Null;
    event["kind"] = json!("event");
    event["answer"] = json!(HOSTILE);
    let answer = json!({"next": null, "items": [delivery("msg_1", "failed"), event]});
    insta::assert_snapshot!(ask(&["alerts", "deliveries"], answer).await.stdout, @r#"
    ID     STATUS     NOTIFIER  ABOUT   RULE     COUNT  WRITTEN (UTC)            TRIES  LAST ANSWER
    msg_1  failed     ops       firing  crowded  3      2026-11-24 14:00:00.000  2      503 Service Unavailable
    msg_3  delivered  ops       event   -        3      2026-11-24 14:00:00.000  2      a\u{1b}[2J\u{202e}b\u{a}c\u{9b}
    "#);
}

#[tokio::test]
async fn a_delivery_shows_what_it_says_and_every_try() {
    let mut answer = delivery("msg_1", "pending");
    answer["due"] = json!("2026-11-24T14:05:00.000Z");
    answer["alerts"] = json!([{"at": "2026-11-24T14:00:00.000Z", "change": "firing", "rule": "crowded", "channel": "lobby",
        "since": {"not_before": null, "not_after": "2026-11-24T13:59:00.000Z"}, "ended": null, "why": null,
        "occupancy": 212, "gap": null, "muted": null}]);
    answer["event"] = Value::Null;
    answer["tries"] = json!([
        {"number": 1, "at": "2026-11-24T14:00:01.000Z", "took_s": 10.0, "delivered": false, "answer": "no answer within 10s"},
        {"number": 2, "at": "2026-11-24T14:00:12.000Z", "took_s": 0.25, "delivered": false, "answer": HOSTILE},
    ]);
    insta::assert_snapshot!(ask(&["alerts", "delivery", "msg_1"], answer).await.stdout, @r#"
    pending: firing to ops
    written (UTC): 2026-11-24 14:00:00.000
    next try (UTC): 2026-11-24 14:05:00.000
    last answer: 503 Service Unavailable
    AT (UTC)                 CHANGE  RULE     CHANNEL  SINCE (UTC)                 ENDED (UTC)  WHY  OCCUPANCY  NOT OBSERVED  MUTED
    2026-11-24 14:00:00.000  firing  crowded  lobby    by 2026-11-24 13:59:00.000  -            -    212        -             -
    TRY  AT (UTC)                 TOOK   DELIVERED  ANSWER
    1    2026-11-24 14:00:01.000  10s    no         no answer within 10s
    2    2026-11-24 14:00:12.000  0.25s  no         a\u{1b}[2J\u{202e}b\u{a}c\u{9b}
    "#);
}

#[tokio::test]
async fn a_delivery_of_an_event_shows_the_event() {
    let mut answer = delivery("msg_3", "delivered");
    answer["kind"] = json!("event");
    answer["event"] = json!({"id": 40, "channel": "lobby", "user": "alice", "kind": "join", "occupancy": 3, "state": null,
         "not_before": "2026-11-24T13:59:58.000Z", "not_after": "2026-11-24T14:00:00.000Z"});
    answer["tries"] = json!([]);
    insta::assert_snapshot!(ask(&["alerts", "delivery", "msg_3"], answer).await.stdout, @r#"
    delivered: event to ops
    written (UTC): 2026-11-24 14:00:00.000
    last answer: 503 Service Unavailable
    ID  HAPPENED (UTC)                          KIND  CHANNEL  USER   OCCUPANCY  STATE
    40  2026-11-24 13:59:58.000 … 14:00:00.000  join  lobby    alice  3          -
    Not tried yet.
    "#);
}

#[tokio::test]
async fn silences_say_what_they_mute_and_until_when() {
    let answer = json!({"next": null, "items": [
        {"id": 3, "status": "active", "rule": "crowded", "channel": "room.*", "severity": null,
         "from": "2026-11-24T14:00:00.000Z", "until": "2026-11-24T16:00:00.000Z", "author": "ada", "reason": HOSTILE,
         "created": "2026-11-24T14:00:00.000Z"},
        {"id": 4, "status": "pending", "rule": null, "channel": null, "severity": "info",
         "from": "2026-12-01T20:00:00.000Z", "until": "2026-12-02T04:00:00.000Z", "author": "bob", "reason": "new servers",
         "created": "2026-11-24T14:00:00.000Z"},
    ]});
    insta::assert_snapshot!(ask(&["silence"], answer).await.stdout, @r#"
    ID  STATUS   RULE     CHANNEL  SEVERITY  FROM (UTC)               UNTIL (UTC)              AUTHOR  REASON
    3   active   crowded  room.*   -         2026-11-24 14:00:00.000  2026-11-24 16:00:00.000  ada     a\u{1b}[2J\u{202e}b\u{a}c\u{9b}
    4   pending  -        -        info      2026-12-01 20:00:00.000  2026-12-02 04:00:00.000  bob     new servers
    "#);
}

#[rstest]
#[case(&["alerts"], "No alert is pending or fires.")]
#[case(&["alerts", "history"], "Nothing became of any alert.")]
#[case(&["alerts", "deliveries"], "No deliveries.")]
#[case(&["alerts", "redeliver", "--failed"], "No delivery failed.")]
#[case(&["silence"], "Nothing is silenced.")]
#[tokio::test]
async fn where_there_is_nothing_a_sentence_says_so(#[case] arguments: &[&str], #[case] sentence: &str) {
    let ended = ask(arguments, json!({"items": [], "next": null})).await;
    assert_eq!((ended.status, ended.stdout), (0, format!("{sentence}\n")));
}

#[rstest]
#[case(&["alerts"], "/v1/alerts", vec![])]
#[case(&["alerts", "--state", "firing", "--rule", "r", "--channel", "c", "--limit", "5"], "/v1/alerts",
    vec![("rule", "r"), ("channel", "c"), ("state", "firing"), ("limit", "5")])]
#[case(&["alerts", "list", "--after", "x"], "/v1/alerts", vec![("after", "x")])]
#[case(&["alerts", "history", "--alert", "a", "--rule", "r", "--channel", "c", "--from", "-2h", "--to", "now"],
    "/v1/alerts/history", vec![("alert_id", "a"), ("rule", "r"), ("channel", "c"), ("from", "-2h"), ("to", "now")])]
#[case(&["alerts", "deliveries", "--notifier", "ops", "--status", "failed", "--from", "-1d"], "/v1/deliveries",
    vec![("notifier", "ops"), ("status", "failed"), ("from", "-1d")])]
#[case(&["alerts", "delivery", "a/b"], "/v1/deliveries/a%2Fb", vec![])]
#[case(&["silence", "--all"], "/v1/silences", vec![("all", "true")])]
#[case(&["silence", "list", "--limit", "9"], "/v1/silences", vec![("limit", "9")])]
#[tokio::test]
async fn each_command_asks_for_its_route(
    #[case] arguments: &[&str],
    #[case] route: &'static str,
    #[case] query: Vec<(&'static str, &'static str)>,
) {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(200).set_body_json(json!({}));
    Mock::given(Asked(route, query)).respond_with(answer).expect(1).mount(&server).await;
    assert_eq!(run(&with(arguments, "--server", &server.uri())).status, 0);
}

#[tokio::test]
async fn what_is_named_is_sent_again_in_order() {
    let server = MockServer::start().await;
    for id in ["msg_1", "msg_2"] {
        let answer = ResponseTemplate::new(200).set_body_json(delivery(id, "pending"));
        changing(&server, "POST", &format!("/v1/deliveries/{id}/retry"), Some(json!({})), answer).await;
    }
    let ended = run(&["alerts", "redeliver", "msg_1", "msg_2", "--server", &server.uri(), "--json"]);
    let printed: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(printed, json!({"items": [delivery("msg_1", "pending"), delivery("msg_2", "pending")]}));
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
}

#[tokio::test]
async fn all_that_failed_is_sent_again_page_by_page() {
    let server = MockServer::start().await;
    let pages = Mock::given(method("GET"))
        .and(path("/v1/deliveries"))
        .and(query_param("status", "failed"))
        .and(query_param("notifier", "ops"));
    let page = json!({"next": "c", "items": [delivery("msg_1", "failed"), delivery("msg_2", "failed")]});
    let first = pages.and(query_param_is_missing("after"));
    first.respond_with(ResponseTemplate::new(200).set_body_json(page)).expect(1).mount(&server).await;
    let page = json!({"next": null, "items": [delivery("msg_3", "failed")]});
    let second = Mock::given(method("GET")).and(path("/v1/deliveries")).and(query_param("after", "c"));
    second.respond_with(ResponseTemplate::new(200).set_body_json(page)).expect(1).mount(&server).await;
    for id in ["msg_1", "msg_2", "msg_3"] {
        let answer = ResponseTemplate::new(200).set_body_json(delivery(id, "pending"));
        changing(&server, "POST", &format!("/v1/deliveries/{id}/retry"), None, answer).await;
    }
    let ended = run(&["alerts", "redeliver", "--failed", "--notifier", "ops", "--server", &server.uri()]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    assert_eq!(ended.stdout.lines().count(), 4, "{}", ended.stdout);
}

#[tokio::test]
async fn what_was_sent_again_before_a_failure_is_told() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(200).set_body_json(delivery("msg_1", "pending"));
    changing(&server, "POST", "/v1/deliveries/msg_1/retry", None, answer).await;
    let unknown = problem(404, "unknown_delivery", "delivery \"msg_2\" is not known");
    changing(&server, "POST", "/v1/deliveries/msg_2/retry", None, unknown).await;
    let ended = run(&["alerts", "redeliver", "msg_1", "msg_2", "msg_3", "--server", &server.uri()]);
    assert_eq!(ended.status, 1);
    assert!(ended.stdout.contains("msg_1") && !ended.stdout.contains("msg_3"), "{}", ended.stdout);
    assert_eq!(ended.stderr, "error: delivery \"msg_2\" is not known (unknown_delivery)\n");
}

fn made() -> ResponseTemplate {
    ResponseTemplate::new(201).set_body_json(json!({"id": 3, "status": "active", "rule": "crowded", "channel": "room.*",
        "severity": null, "from": "2026-11-24T14:00:00.000Z", "until": "2026-11-24T16:00:00.000Z", "author": "ada",
        "reason": "a fair", "created": "2026-11-24T14:00:00.000Z"}))
}

/// `adsum silence add` by ada, who is the user of this machine.
fn silence(server: &MockServer, arguments: &[&str]) -> Ended {
    let uri = server.uri();
    let arguments = [&["silence", "add"], arguments, &["--server", &uri]].concat();
    ended(adsum(&arguments).env("USER", "ada"))
}

#[tokio::test]
async fn a_silence_is_asked_for_as_it_was_given_by_the_user_of_this_machine() {
    let server = MockServer::start().await;
    let body =
        json!({"rule": "crowded", "channel": "room.*", "for": "2h", "reason": "a fair", "author": "ada"});
    changing(&server, "POST", "/v1/silences", Some(body), made()).await;
    let ended =
        silence(&server, &["--rule", "crowded", "--channel", "room.*", "--for", "2h", "--reason", "a fair"]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    insta::assert_snapshot!(ended.stdout, @r#"
    ID  STATUS  RULE     CHANNEL  SEVERITY  FROM (UTC)               UNTIL (UTC)              AUTHOR  REASON
    3   active  crowded  room.*   -         2026-11-24 14:00:00.000  2026-11-24 16:00:00.000  ada     a fair
    "#);
}

#[tokio::test]
async fn a_maintenance_window_has_a_beginning_and_an_end_and_somebody_else_may_want_it() {
    let server = MockServer::start().await;
    let body = json!({"severity": "info", "from": "2026-12-01T20:00:00Z", "until": "2026-12-02T04:00:00Z",
        "reason": "new servers", "author": "bob"});
    changing(&server, "POST", "/v1/silences", Some(body), made()).await;
    let (from, until) = ("2026-12-01T20:00:00Z", "2026-12-02T04:00:00Z");
    let ended = silence(
        &server,
        &[
            "--severity",
            "info",
            "--from",
            from,
            "--until",
            until,
            "--reason",
            "new servers",
            "--author",
            "bob",
            "--json",
        ],
    );
    let printed: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!((ended.status, &printed["id"]), (0, &json!(3)));
}

#[tokio::test]
async fn a_refused_silence_is_told_with_its_code() {
    for (answer, status, words) in [
        (
            problem(400, "bad_range", "until: the silence must not be longer than 366 days"),
            2,
            "366 days (bad_range)",
        ),
        (problem(404, "unknown_rule", "rule crowdy is not known"), 1, "not known (unknown_rule)"),
        (problem(409, "too_many_silences", "10000 silences are kept"), 1, "kept (too_many_silences)"),
    ] {
        let server = MockServer::start().await;
        changing(&server, "POST", "/v1/silences", None, answer).await;
        let ended = silence(&server, &["--rule", "crowdy", "--for", "400d", "--reason", HOSTILE]);
        assert_eq!((ended.status, ended.stdout.as_str()), (status, ""));
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn silences_are_ended_by_their_numbers() {
    let server = MockServer::start().await;
    changing(&server, "DELETE", "/v1/silences/3", None, ResponseTemplate::new(204)).await;
    let unknown = problem(404, "unknown_silence", "there is no silence \"4\", or it is over");
    changing(&server, "DELETE", "/v1/silences/4", None, unknown).await;
    let ended = run(&["silence", "end", "3", "4", "5", "--server", &server.uri()]);
    assert_eq!((ended.status, ended.stdout.as_str()), (1, "Silence 3 is over.\n"));
    assert_eq!(ended.stderr, "error: there is no silence \"4\", or it is over (unknown_silence)\n");
    let server = MockServer::start().await;
    changing(&server, "DELETE", "/v1/silences/3", None, ResponseTemplate::new(204)).await;
    let ended = run(&["silence", "end", "3", "--json", "--server", &server.uri()]);
    assert_eq!(serde_json::from_str::<Value>(&ended.stdout).expect("JSON"), json!({"ended": [3]}));
}

#[tokio::test]
async fn a_token_goes_with_a_change_too() {
    let server = MockServer::start().await;
    let let_in = Mock::given(method("DELETE")).and(header("authorization", "Bearer let-me-in"));
    let_in.respond_with(ResponseTemplate::new(204)).expect(1).mount(&server).await;
    let mut command = adsum(&["silence", "end", "3", "--server", &server.uri()]);
    assert_eq!(ended(command.env("ADSUM_TOKEN", "let-me-in")).status, 0);
}

#[rstest]
#[case(&["alerts", "--state", "resolved"], "pending, firing")]
#[case(&["alerts", "deliveries", "--status", "lost"], "pending, delivered, failed")]
#[case(&["alerts", "redeliver"], "<ID>")]
#[case(&["alerts", "redeliver", "msg_1", "--failed"], "cannot be used with")]
#[case(&["alerts", "redeliver", "msg_1", "--notifier", "ops"], "cannot be used with")]
#[case(&["alerts", "redeliver", "--notifier", "ops"], "--failed")]
#[case(&["alerts", "delivery", ""], "cannot be empty")]
#[case(&["alerts", "delivery"], "<ID>")]
#[case(&["silence", "end"], "<ID>")]
#[case(&["silence", "end", "x"], "<ID>")]
#[case(&["silence", "add", "--for", "2h", "--reason", "x", "--author", "a"], "--rule")]
#[case(&["silence", "add", "--rule", "r", "--reason", "x", "--author", "a"], "--until")]
#[case(&["silence", "add", "--rule", "r", "--for", "2h", "--until", "x", "--reason", "x", "--author", "a"], "cannot be used with")]
#[case(&["silence", "add", "--rule", "r", "--for", "2h", "--author", "a"], "--reason")]
#[case(&["silence", "add", "--rule", "r", "--for", "2h", "--reason", "x"], "--author")]
#[case(&["silence", "add", "--severity", "high", "--for", "2h", "--reason", "x", "--author", "a"], "info, warning, critical")]
fn wrong_usage_names_the_flag_and_what_is_allowed(#[case] arguments: &[&str], #[case] words: &str) {
    let ended = run(arguments);
    assert_eq!((ended.status, ended.stdout.as_str()), (2, ""));
    assert!(ended.stderr.contains(words), "{}", ended.stderr);
}

#[rstest]
fn every_command_explains_itself_with_examples(
    #[values(
        &["alerts"], &["alerts", "list"], &["alerts", "history"], &["alerts", "deliveries"], &["alerts", "delivery"],
        &["alerts", "redeliver"], &["alerts", "backtest"], &["silence"], &["silence", "list"], &["silence", "add"], &["silence", "end"]
    )]
    command: &[&str],
) {
    let ended = run(&[command, &["--help"]].concat());
    assert_eq!(ended.status, 0);
    assert!(ended.stdout.contains("Examples:\n"), "{}", ended.stdout);
}

#[tokio::test]
async fn names_and_answers_from_outside_are_fit_for_a_terminal() {
    let item = json!({"rule": HOSTILE, "channel": HOSTILE, "severity": HOSTILE, "state": HOSTILE, "since": HOSTILE,
        "gap": HOSTILE, "muted": HOSTILE, "at": HOSTILE, "change": HOSTILE, "why": HOSTILE, "id": HOSTILE,
        "status": HOSTILE, "notifier": HOSTILE, "kind": HOSTILE, "answer": HOSTILE, "author": HOSTILE, "reason": HOSTILE,
        "from": HOSTILE, "until": HOSTILE, "number": HOSTILE});
    let mut answer = item.clone();
    answer["items"] = json!([item]);
    answer["alerts"] = json!([item]);
    answer["tries"] = json!([item]);
    answer["next"] = json!(HOSTILE);
    for arguments in [
        &["alerts"][..],
        &["alerts", "history"],
        &["alerts", "deliveries"],
        &["alerts", "delivery", "x"],
        &["silence"],
    ] {
        let ended = ask(arguments, answer.clone()).await;
        assert!(ended.stdout.contains("\\u{202e}"), "{}", ended.stdout);
        assert_fit_for_a_terminal(&ended.stdout);
    }
}
