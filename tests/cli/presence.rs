//! The commands that ask the Presence API.

use rstest::rstest;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::{Ended, HOSTILE, adsum, assert_fit_for_a_terminal, ended, run, with};

/// A Presence API that gives one answer, and must be asked exactly once.
async fn ask_pubnub(arguments: &[&str], status: u16, answer: &str) -> Ended {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(status).set_body_raw(answer.to_owned(), "text/javascript");
    Mock::given(method("GET")).respond_with(answer).expect(1).mount(&server).await;
    run(&with(&[arguments, &["--subscribe-key", "demo"]].concat(), "--origin", &server.uri()))
}

#[rstest]
#[case("{\"a\":")]
#[case("[1]")]
#[case("\"text\"")]
fn a_state_that_is_no_json_object_is_refused_before_anything_is_sent(#[case] state: &str) {
    let ended = run(&["set-state", "--channel", "lobby", "--state", state, "--subscribe-key", "demo"]);
    assert_eq!(ended.status, 2);
    assert!(ended.stderr.contains("--state"), "{}", ended.stderr);
}

#[tokio::test]
async fn here_now_lists_users_and_says_how_many_are_missing() {
    let answer = r#"{"status":200,"service":"Presence","message":"OK","payload":{"total_channels":2,"total_occupancy":6,
        "channels":{"lobby":{"occupancy":2,"uuids":[{"uuid":"alice","state":{"mood":"away"}},{"uuid":"bob"}]},
        "hall":{"occupancy":4,"uuids":[{"uuid":"carol"}]}}}}"#;
    let ended = ask_pubnub(&["here-now", "lobby", "hall", "--state"], 200, answer).await;
    assert_eq!(ended.stderr, "");
    assert!(
        ended.stdout.contains("lobby    2          alice           {\"mood\":\"away\"}\n"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("\n                    bob\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("\n                    (3 not listed)\n"), "{}", ended.stdout);
    assert!(ended.stdout.ends_with("channels: 2, users: 6\n"), "{}", ended.stdout);
}

#[tokio::test]
async fn users_that_were_skipped_are_told_apart_from_those_that_are_missing() {
    let answer = |occupancy: u8| {
        json!({"status": 200, "service": "Presence", "message": "OK", "occupancy": occupancy, "uuids": ["y", "z"]})
            .to_string()
    };
    let page = ["here-now", "lobby", "--offset", "18", "--limit", "2"];
    let last = ask_pubnub(&page, 200, &answer(20)).await.stdout;
    assert!(last.contains("lobby    20         (18 skipped)\n"), "{last}");
    assert!(!last.contains("not listed"), "{last}");
    let middle = ask_pubnub(&page, 200, &answer(30)).await.stdout;
    assert!(middle.contains("(18 skipped)") && middle.contains("(10 not listed)"), "{middle}");
}

#[tokio::test]
async fn hostile_users_are_escaped_for_people_and_exact_for_programs() {
    let body =
        json!({"status": 200, "service": "Presence", "message": "OK", "occupancy": 1, "uuids": [HOSTILE]})
            .to_string();
    let table = ask_pubnub(&["here-now", "lobby"], 200, &body).await;
    assert!(table.stdout.contains("a\\u{1b}[2J\\u{202e}b\\u{a}c\\u{9b}"), "{}", table.stdout);
    assert_fit_for_a_terminal(&table.stdout);
    let ended = ask_pubnub(&["here-now", "lobby", "--json"], 200, &body).await;
    assert_fit_for_a_terminal(&ended.stdout);
    let answer: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(answer["channels"][0]["occupants"][0]["uuid"], json!(HOSTILE));
}

#[tokio::test]
async fn a_refusal_ends_with_status_1_and_the_services_words_and_is_not_asked_again() {
    for status in [403, 429, 503] {
        let body =
            json!({"status": status, "error": 1, "message": "Not \u{1b}[31mtoday", "service": "Presence"})
                .to_string();
        let ended = ask_pubnub(&["where-now", "alice"], status, &body).await;
        assert_eq!((ended.status, ended.stdout.as_str()), (1, ""));
        assert!(ended.stderr.contains("today"), "{}", ended.stderr);
        assert_fit_for_a_terminal(&ended.stderr);
    }
}

#[test]
fn an_unreachable_origin_ends_with_status_1() {
    let ended = run(&["here-now", "lobby", "--subscribe-key", "demo", "--origin", "http://127.0.0.1:1"]);
    assert_eq!(ended.status, 1);
    assert!(ended.stderr.starts_with("error: origin unreachable: http://127.0.0.1:1: "), "{}", ended.stderr);
}

#[tokio::test]
async fn states_are_shown_as_the_json_they_are() {
    let one = r#"{"status":200,"message":"OK","service":"Presence","uuid":"alice","channel":"lobby","payload":{"mood":"\u001b"}}"#;
    let ended = ask_pubnub(&["get-state", "--channel", "lobby", "--uuid", "alice"], 200, one).await;
    assert_eq!(ended.stdout, "CHANNEL  STATE\nlobby    {\"mood\":\"\\u001b\"}\n");
    let set = r#"{"status":200,"message":"OK","service":"Presence","payload":{"mood":"away"}}"#;
    let arguments = ["set-state", "--channel", "lobby", "--state", "{\"mood\":\"away\"}"];
    let ended = ask_pubnub(&arguments, 200, set).await;
    assert_eq!(ended.stdout, "The state of adsum is {\"mood\":\"away\"}\n");
}

#[tokio::test]
async fn without_a_user_the_configured_one_is_meant() {
    let server = MockServer::start().await;
    let body = json!({"status": 200, "message": "OK", "payload": {"channels": []}, "service": "Presence"});
    Mock::given(path("/v2/presence/sub-key/demo/uuid/me"))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .expect(1)
        .mount(&server)
        .await;
    let mut command = adsum(&["where-now", "--origin", &server.uri()]);
    let ended =
        ended(command.env("ADSUM__PUBNUB__USER_ID", "me").env("ADSUM__PUBNUB__SUBSCRIBE_KEY", "demo"));
    assert_eq!((ended.status, ended.stdout.as_str()), (0, "me is in no channel.\n"));
}
