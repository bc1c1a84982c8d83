//! The commands that ask a running daemon.

use rstest::rstest;
use serde_json::{Value, json};
use wiremock::matchers::{header, method};
use wiremock::{Match, Mock, MockServer, Request, ResponseTemplate};

use crate::{Ended, HOSTILE, adsum, ended, run, with};

/// Every command that asks a running daemon, with the arguments it needs.
const ASK: [&[&str]; 14] = [
    &["channels"],
    &["who", "lobby"],
    &["where", "alice"],
    &["was", "alice", "lobby", "--at", "-2h"],
    &["events"],
    &["visits"],
    &["gaps"],
    &["occupancy", "lobby"],
    &["alerts"],
    &["alerts", "history"],
    &["alerts", "deliveries"],
    &["alerts", "delivery", "msg_1"],
    &["silence"],
    &["silence", "list", "--all"],
];

/// A daemon that gives one answer to everything.
async fn daemon(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(answer).mount(&server).await;
    server
}

pub(crate) async fn ask(arguments: &[&str], answer: Value) -> Ended {
    let server = daemon(ResponseTemplate::new(200).set_body_json(answer)).await;
    run(&with(arguments, "--server", &server.uri()))
}

#[tokio::test]
async fn an_empty_answer_is_no_crash_for_any_command() {
    for arguments in ASK {
        let ended = ask(arguments, json!({})).await;
        assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "{arguments:?}");
    }
}

#[tokio::test]
async fn json_is_the_answer_as_it_came() {
    let body = "{\"next\":null,\"items\":[{\"id\":9007199254740993,\"b\":1.10,\"a\":\"\u{202e}\"}]}";
    for arguments in ASK {
        let server = daemon(ResponseTemplate::new(200).set_body_raw(body, "application/json")).await;
        let ended = run(&with(&[arguments, &["--json"]].concat(), "--server", &server.uri()));
        let line: String = ended.stdout.split_whitespace().collect();
        assert_eq!(
            line,
            "{\"next\":null,\"items\":[{\"id\":9007199254740993,\"b\":1.10,\"a\":\"\\u202e\"}]}"
        );
    }
}

#[tokio::test]
async fn a_problem_is_told_once_with_its_code() {
    for arguments in ASK {
        let problem = json!({"type": "about:blank", "title": "Unknown channel", "status": 404,
            "detail": "no channel \u{1b}[1mlobby\u{1b}[0m is watched", "code": "unknown_channel"});
        let server =
            daemon(ResponseTemplate::new(404).set_body_raw(problem.to_string(), "application/problem+json"))
                .await;
        let ended = run(&with(arguments, "--server", &server.uri()));
        assert_eq!((ended.status, ended.stdout.as_str()), (1, ""));
        assert_eq!(
            ended.stderr,
            "error: no channel \\u{1b}[1mlobby\\u{1b}[0m is watched (unknown_channel)\n"
        );
    }
}

#[rstest]
#[case(ResponseTemplate::new(200).set_body_string("<html>"), "is it adsum?")]
#[case(ResponseTemplate::new(404).set_body_string("<html>"), "404 Not Found; is it adsum?")]
#[case(ResponseTemplate::new(400).set_body_string("<html>"), "400 Bad Request; is it adsum?")]
#[case(ResponseTemplate::new(502).set_body_string("<html>"), "502 Bad Gateway; is it adsum?")]
#[case(ResponseTemplate::new(302).insert_header("location", "http://127.0.0.1:1/"), "302 Found; is it adsum?")]
#[tokio::test]
async fn what_is_no_answer_of_adsum_is_said(#[case] answer: ResponseTemplate, #[case] words: &str) {
    let server = daemon(answer).await;
    let ended = run(&["channels", "--server", &server.uri()]);
    assert_eq!(ended.status, 1);
    assert!(ended.stderr.contains(words), "{}", ended.stderr);
}

#[tokio::test]
async fn what_is_wrong_with_the_question_is_wrong_usage() {
    for code in ["bad_time", "bad_range", "bad_cursor", "bad_parameter", "bad_name", "future"] {
        let problem = json!({"title": "Wrong", "status": 400, "detail": "--at is wrong", "code": code});
        let server = daemon(ResponseTemplate::new(400).set_body_json(problem)).await;
        let ended = run(&["was", "alice", "lobby", "--at", "tomorrow", "--server", &server.uri()]);
        assert_eq!((ended.status, ended.stderr), (2, format!("error: --at is wrong ({code})\n")));
    }
}

#[tokio::test]
async fn a_missing_or_wrong_token_is_told_with_the_ways_to_give_it() {
    let problem = json!({"title": "A token is required", "status": 401, "code": "unauthorized",
        "detail": "a token is required: Authorization: Bearer TOKEN"});
    let server = daemon(ResponseTemplate::new(401).set_body_json(problem)).await;
    let without = run(&["channels", "--server", &server.uri()]);
    assert_eq!((without.status, without.stderr.contains("wants a token")), (1, true), "{}", without.stderr);
    let wrong = run(&["channels", "--token", "x", "--server", &server.uri()]);
    for ended in [without, wrong] {
        assert!(ended.stderr.contains("ADSUM_TOKEN") && ended.stderr.contains("--token"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("Bearer"), "{}", ended.stderr);
    }
}

#[test]
fn a_daemon_that_is_not_there_is_named() {
    for arguments in ASK {
        let ended = run(&with(arguments, "--server", "http://127.0.0.1:1"));
        assert_eq!(ended.status, 1);
        assert!(ended.stderr.contains("http://127.0.0.1:1/"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn the_token_of_the_environment_goes_to_the_server_and_nowhere_else() {
    let server = MockServer::start().await;
    Mock::given(header("authorization", "Bearer let-me-in"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({})))
        .expect(1)
        .mount(&server)
        .await;
    let mut command = adsum(&["channels"]);
    let ended = ended(command.env("ADSUM_SERVER", server.uri()).env("ADSUM_TOKEN", "let-me-in"));
    assert_eq!(ended.status, 0);
    let mut help = adsum(&["channels", "--help"]);
    assert!(!self::ended(help.env("ADSUM_TOKEN", "let-me-in")).stdout.contains("let-me-in"));
}

#[tokio::test]
async fn channels_are_listed_with_what_is_known_of_each() {
    let answer = json!({"items": [
        {"channel": "lobby", "occupancy": 12, "status": "ok", "last_observed_at": "2026-11-24T14:03:05.120Z",
         "interval_s": 5, "complete": true},
        {"channel": HOSTILE, "occupancy": null, "status": "gap", "last_observed_at": null, "interval_s": 2.5, "complete": false},
    ], "next": "abc"});
    let ended = ask(&["channels"], answer).await;
    insta::assert_snapshot!(ended.stdout, @r#"
    CHANNEL                          OCCUPANCY  STATUS  LAST OBSERVED (UTC)      INTERVAL  COMPLETE
    lobby                            12         ok      2026-11-24 14:03:05.120  5s        yes
    a\u{1b}[2J\u{202e}b\u{a}c\u{9b}  -          gap     -                        2.5s      no
    There is more: --after abc
    "#);
}

#[tokio::test]
async fn who_tells_unknown_apart_from_yes() {
    let answer = json!({"channel": "lobby", "at": "2026-11-24T14:03:00.000Z", "age_s": 2.5, "occupancy": {"min": 2, "max": 3},
        "observed": true, "next": null, "items": [
        {"user": "alice", "present": "yes", "since": {"not_before": "2026-11-24T14:01:00.000Z", "not_after": "2026-11-24T14:01:04.000Z"},
         "state": {"mood": "away"}},
        {"user": "bob", "present": "unknown", "since": {"not_before": null, "not_after": "2026-11-24T09:00:00.000Z"}, "state": null},
    ]});
    insta::assert_snapshot!(ask(&["who", "lobby", "--at", "-2h"], answer).await.stdout, @r#"
    lobby at 2026-11-24 14:03:00.000 UTC: occupancy 2 … 3
    USER   PRESENT  SINCE (UTC)                             STATE
    alice  yes      2026-11-24 14:01:00.000 … 14:01:04.000  {"mood":"away"}
    bob    unknown  by 2026-11-24 09:00:00.000              -
    "#);
}

#[tokio::test]
async fn was_says_what_the_answer_rests_on() {
    let answer = json!({"present": "unknown", "because": "the channel was not observed", "code": "gap",
        "at": "2026-11-24T14:03:00.000Z", "resolution_s": 8,
        "gap": {"from": "2026-11-24T14:00:00.000Z", "to": null, "reason": "unreachable"}, "visit": null});
    insta::assert_snapshot!(ask(&["was", "alice", "lobby", "--at", "2026-11-24T14:03:00Z"], answer).await.stdout, @r#"
    unknown: alice in lobby at 2026-11-24 14:03:00.000 UTC, as PubNub knew it
    because: the channel was not observed
    code: gap
    gap from (UTC): 2026-11-24 14:00:00.000
    gap reason: unreachable
    resolution: 8s
    "#);
    let answer = json!({"present": "yes", "at": "2026-11-24T14:03:00.000Z", "resolution_s": 8,
        "visit": {"joined": {"not_before": "2026-11-24T14:01:00.000Z", "not_after": "2026-11-24T14:01:04.000Z"}, "left": null}});
    insta::assert_snapshot!(ask(&["was", "alice", "lobby", "--at", "2026-11-24T14:03:00Z"], answer).await.stdout, @r#"
    yes: alice in lobby at 2026-11-24 14:03:00.000 UTC, as PubNub knew it
    joined (UTC): 2026-11-24 14:01:00.000 … 14:01:04.000
    resolution: 8s
    "#);
}

#[tokio::test]
async fn events_show_their_windows_and_how_to_read_on() {
    let answer = json!({"next": "41", "items": [
        {"id": 40, "channel": "lobby", "user": "alice", "kind": "join", "occupancy": 3, "state": null,
         "not_before": "2026-11-24T23:59:58.000Z", "not_after": "2026-11-25T00:00:01.500Z"},
        {"id": 41, "channel": "lobby", "user": HOSTILE, "kind": "present", "occupancy": 4, "state": {"a": 1},
         "not_before": null, "not_after": "2026-11-25T00:00:01.500Z"},
    ]});
    insta::assert_snapshot!(ask(&["events"], answer).await.stdout, @r#"
    ID  HAPPENED (UTC)                                     KIND     CHANNEL  USER                             OCCUPANCY  STATE
    40  2026-11-24 23:59:58.000 … 2026-11-25 00:00:01.500  join     lobby    alice                            3          -
    41  by 2026-11-25 00:00:01.500                         present  lobby    a\u{1b}[2J\u{202e}b\u{a}c\u{9b}  4          {"a":1}
    There is more: --after 41
    "#);
}

#[tokio::test]
async fn visits_show_what_is_proven_and_what_is_possible() {
    let joined = json!({"not_before": "2026-11-24T14:01:00.000Z", "not_after": "2026-11-24T14:01:04.000Z"});
    let left = json!({"not_before": "2026-11-24T14:05:00.000Z", "not_after": "2026-11-24T14:05:08.000Z"});
    let answer = json!({"next": null, "items": [
        {"channel": "lobby", "user": "alice", "joined": joined, "left": left, "duration_s": {"min": 236, "max": 248}, "gaps": 1},
        {"channel": "lobby", "user": "bob", "joined": joined, "left": null, "duration_s": {"min": 30, "max": null}, "gaps": []},
    ], "coverage": {"occupancy": 1.0, "users": 0.9876}});
    insta::assert_snapshot!(ask(&["visits"], answer).await.stdout, @r#"
    CHANNEL  USER   JOINED (UTC)                            LEFT (UTC)                              STAYED         GAPS
    lobby    alice  2026-11-24 14:01:00.000 … 14:01:04.000  2026-11-24 14:05:00.000 … 14:05:08.000  3m56s … 4m08s  1
    lobby    bob    2026-11-24 14:01:00.000 … 14:01:04.000  not seen leaving                        at least 30s   0
    occupancy observed: 100 %
    users observed: 98.7 %
    "#);
}

#[tokio::test]
async fn gaps_say_whether_only_users_were_not_seen() {
    let answer = json!({"next": null, "items": [
        {"channel": "lobby", "from": "2026-11-24T14:00:00.000Z", "to": "2026-11-24T14:10:00.000Z", "reason": "timeout", "users_only": false},
        {"channel": "lobby", "from": "2026-11-24T15:00:00.000Z", "to": null, "reason": "truncated", "users_only": true},
    ]});
    insta::assert_snapshot!(ask(&["gaps"], answer).await.stdout, @r#"
    CHANNEL  FROM (UTC)               TO (UTC)                 REASON     NOT OBSERVED
    lobby    2026-11-24 14:00:00.000  2026-11-24 14:10:00.000  timeout    all
    lobby    2026-11-24 15:00:00.000  still open               truncated  users only
    "#);
}

#[tokio::test]
async fn occupancy_has_no_figures_where_nothing_was_observed() {
    let answer = json!({"buckets": [
        {"start": "2026-11-24T14:00:00.000Z", "min": 1, "max": 3, "mean": 2.25, "last": 3, "observed": 0.99999},
        {"start": "2026-11-24T15:00:00.000Z", "min": null, "max": null, "mean": null, "last": null, "observed": 0},
    ], "coverage": {"occupancy": 0.5, "users": 0.5}});
    insta::assert_snapshot!(ask(&["occupancy", "lobby"], answer).await.stdout, @r#"
    START (UTC)              MIN  MAX  MEAN  LAST  OBSERVED
    2026-11-24 14:00:00.000  1    3    2.25  3     99.9 %
    2026-11-24 15:00:00.000  -    -    -     -     0 %
    occupancy observed: 50 %
    users observed: 50 %
    "#);
}

#[tokio::test]
async fn steps_in_a_row_that_were_not_observed_are_one_line() {
    let step = |minute: u8, min: Option<u8>| {
        let observed = f64::from(u8::from(min.is_some()));
        json!({"start": format!("2026-11-24T14:0{minute}:00.000Z"), "min": min, "max": min, "mean": min, "last": min,
            "observed": observed})
    };
    let buckets =
        [step(0, None), step(1, None), step(2, None), step(3, Some(7)), step(4, None), step(5, Some(7))];
    insta::assert_snapshot!(ask(&["occupancy", "lobby"], json!({ "buckets": buckets })).await.stdout, @r#"
    START (UTC)              MIN  MAX  MEAN  LAST  OBSERVED
    2026-11-24 14:00:00.000  -    -    -     -     0 % for 3 steps
    2026-11-24 14:03:00.000  7    7    7.00  7     100 %
    2026-11-24 14:04:00.000  -    -    -     -     0 %
    2026-11-24 14:05:00.000  7    7    7.00  7     100 %
    "#);
}

#[tokio::test]
async fn a_channel_without_gaps_says_how_much_of_it_was_observed() {
    let answer = json!({"items": [], "next": null, "coverage": {"occupancy": 0.5, "users": 0.25}});
    insta::assert_snapshot!(ask(&["gaps", "--channel", "lobby"], answer).await.stdout, @r#"
    No gaps.
    occupancy observed: 50 %
    users observed: 25 %
    "#);
}

#[tokio::test]
async fn where_tells_where_a_user_is_and_was_last_seen() {
    let answer = json!({"user": "alice", "here": [{"channel": "lobby", "state": {"mood": "away"}, "state_since": null,
        "present": "yes", "since": {"not_before": "2026-11-24T14:01:00.000Z", "not_after": "2026-11-24T14:01:04.000Z"}}],
        "last_seen_at": "2026-11-24T14:05:00.000Z", "visits": 7, "total_s": {"min": 60, "max": 90}});
    insta::assert_snapshot!(ask(&["where", "alice"], answer).await.stdout, @r#"
    CHANNEL  PRESENT  SINCE (UTC)                             STATE
    lobby    yes      2026-11-24 14:01:00.000 … 14:01:04.000  {"mood":"away"}
    last seen (UTC): 2026-11-24 14:05:00.000
    visits: 7
    total time: 1m00s … 1m30s
    "#);
}

#[tokio::test]
async fn where_a_user_was_says_why_it_is_unknown() {
    let answer = json!({"user": "alice", "at": "2026-11-24T14:03:00.000Z", "next": null, "items": [
        {"channel": "hall", "present": "unknown", "because": "alice came or left in a window that holds this moment",
         "since": {"not_before": null, "not_after": "2026-11-24T14:01:04.000Z"}},
        {"channel": "lobby", "present": "yes", "because": null,
         "since": {"not_before": "2026-11-24T14:01:00.000Z", "not_after": "2026-11-24T14:01:04.000Z"}},
    ]});
    insta::assert_snapshot!(ask(&["where", "alice", "--at", "-2h"], answer).await.stdout, @r#"
    alice at 2026-11-24 14:03:00.000 UTC:
    CHANNEL  PRESENT  SINCE (UTC)                             BECAUSE
    hall     unknown  by 2026-11-24 14:01:04.000              alice came or left in a window that holds this moment
    lobby    yes      2026-11-24 14:01:00.000 … 14:01:04.000  -
    "#);
}

/// A query parameter with this exact value and no other of that name.
pub(crate) struct Asked(pub(crate) &'static str, pub(crate) Vec<(&'static str, &'static str)>);

impl Match for Asked {
    fn matches(&self, request: &Request) -> bool {
        let query: Vec<(String, String)> =
            request.url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        let wanted: Vec<(String, String)> =
            self.1.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        request.url.path() == self.0 && query == wanted
    }
}

#[rstest]
#[case(&["channels"], "/v1/channels", vec![])]
#[case(&["who", "a/b c"], "/v1/channels/a%2Fb%20c/occupants", vec![])]
#[case(&["who", "x", "--at", "-2h", "--limit", "5", "--after", "c"], "/v1/channels/x/occupants",
    vec![("at", "-2h"), ("limit", "5"), ("after", "c")])]
#[case(&["where", "a%"], "/v1/users/a%25", vec![])]
#[case(&["where", "tab\tx"], "/v1/users/tab%09x", vec![])]
#[case(&["where", "a", "--at", "now"], "/v1/users/a/channels", vec![("at", "now")])]
#[case(&["was", "u&v", "c=d", "--at", "-20m"], "/v1/presence", vec![("channel", "c=d"), ("user", "u&v"), ("at", "-20m")])]
#[case(&["events", "--channel", "c", "--user", "u", "--kind", "join", "--from", "-1h", "--to", "now"], "/v1/events",
    vec![("channel", "c"), ("user", "u"), ("kind", "join"), ("from", "-1h"), ("to", "now")])]
#[case(&["visits", "--open", "--merge", "30s"], "/v1/visits", vec![("open", "true"), ("merge", "30s")])]
#[case(&["gaps", "--channel", "c"], "/v1/gaps", vec![("channel", "c")])]
#[case(&["occupancy", "c", "--step", "1h", "--from", "-24h"], "/v1/channels/c/occupancy", vec![("from", "-24h"), ("step", "1h")])]
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
