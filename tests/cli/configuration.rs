//! What the configuration does to commands.

use rstest::rstest;
use serde_json::{Value, json};

use crate::{HOSTILE, adsum, assert_fit_for_a_terminal, ended, run};

#[test]
fn check_lists_everything_that_is_wrong_with_its_layer() {
    let ended = ended(
        adsum(&["check", "--channel", "a,b", "--listen", "0.0.0.0:1"]).env("ADSUM__HISTORY__RETAIN", "soon"),
    );
    assert_eq!((ended.status, ended.stdout.as_str()), (2, ""));
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:#?}");
    assert!(lines.iter().all(|line| line.starts_with("error: ")));
    assert!(
        lines
            .iter()
            .any(|line| line.contains("watch.channels[0] = \"a,b\"") && line.ends_with("(flag --channel)"))
    );
    assert!(lines.iter().any(|line| line.ends_with("(environment variable ADSUM__HISTORY__RETAIN)")));
    assert!(lines.iter().any(|line| line.contains("loopback") && line.ends_with("(flag --listen)")));
}

#[test]
fn check_prints_findings_as_json_too() {
    let ended = run(&["check", "--interval", "1s", "--json"]);
    let answer: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!((ended.status, &answer["ok"]), (2, &json!(false)));
    assert_eq!(answer["findings"][0]["key"], json!("watch.interval"));
    assert_eq!(answer["findings"][0]["layer"], json!("flag --interval"));
}

#[test]
fn check_says_what_it_would_cost_and_warns_of_untracked_channels() {
    let ended = run(&["check", "--channel", "lobby", "--subscribe-key", "demo"]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    assert!(ended.stdout.contains("0.20 requests per second, 17280 per day"), "{}", ended.stdout);
    assert!(ended.stdout.contains("does not track"), "{}", ended.stdout);
}

#[test]
fn hostile_values_in_findings_are_escaped() {
    let ended = run(&["check", "--channel", &format!("{HOSTILE},")]);
    assert_eq!(ended.status, 2);
    assert_fit_for_a_terminal(&ended.stderr);
}

#[test]
fn check_refuses_what_run_refuses() {
    let ended = run(&["check", "--json"]);
    let answer: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!((ended.status, &answer["ok"]), (2, &json!(false)));
    assert_eq!(answer["findings"][0]["key"], json!("pubnub.subscribe_key"));
}

#[rstest]
#[case(&["run"])]
#[case(&["check"])]
#[case(&["here-now", "lobby"])]
#[case(&["where-now"])]
#[case(&["get-state", "--channel", "lobby"])]
#[case(&["set-state", "--channel", "lobby", "--state", "{}"])]
fn a_missing_subscribe_key_is_named_with_the_ways_to_give_it(#[case] arguments: &[&str]) {
    let ended = run(arguments);
    assert_eq!(ended.status, 2);
    for way in ["pubnub.subscribe_key", "ADSUM__PUBNUB__SUBSCRIBE_KEY", "--subscribe-key"] {
        assert!(ended.stderr.contains(way), "{}", ended.stderr);
    }
    assert!(!ended.stderr.contains("(default)"), "nobody wrote it: {}", ended.stderr);
}

#[test]
fn a_secret_given_as_a_flag_is_never_shown() {
    let ended = run(&[
        "here-now",
        "lobby",
        "--subscribe-key",
        "demo",
        "--secret-key",
        "very-secret",
        "--auth-token",
        "also secret",
    ]);
    assert_eq!(ended.status, 2);
    assert!(!ended.stderr.contains("very-secret") && !ended.stderr.contains("also"), "{}", ended.stderr);
}
