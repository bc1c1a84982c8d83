//! `adsum test-notify`: the real binary and real receivers.

use std::time::Duration;

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin;
use serde_json::Value;
use tempfile::TempDir;

use crate::python::{Script, certificate};
use crate::receiver::{Receiver, answer};

struct Ended {
    status: i32,
    stdout: String,
    stderr: String,
}

/// Runs it with this configuration.
fn test_notify(config: &str, arguments: &[&str]) -> Ended {
    test_notify_with(config, arguments, &[])
}

/// Runs it with this environment.
fn test_notify_with(config: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("adsum.toml");
    std::fs::write(&file, config).unwrap();
    let output = Command::new(cargo_bin("adsum"))
        .env_clear()
        .envs(environment.iter().copied())
        .arg("test-notify")
        .args(arguments)
        .arg("--config")
        .arg(&file)
        .timeout(Duration::from_secs(30))
        .output()
        .unwrap();
    Ended {
        status: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn webhook(url: &str) -> String {
    format!(
        "[[notifier]]\nname = 'ops'\nkind = 'webhook'\nallow_private = true\nurl = '{url}'\n\
         secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'\nheaders = {{ authorization = 'Bearer t0p' }}\n"
    )
}

#[test]
fn a_firing_and_a_resolved_alert_marked_as_a_test_are_sent_and_the_answers_printed() {
    let hook = Receiver::answering("202 Accepted");
    let ended = test_notify(&webhook(&hook.url()), &["ops"]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ended.stdout);
    for (line, what) in lines.iter().zip(["firing", "resolved"]) {
        assert!(line.starts_with(&format!("delivered: {what} to ops in ")), "{line}");
        assert!(line.ends_with(": 202 Accepted"), "{line}");
    }
    let got = hook.got();
    let event = |at: usize| -> Value { got[at].json() };
    assert_eq!(
        (&event(0)["type"], &event(1)["type"]),
        (&"adsum.alert.firing".into(), &"adsum.alert.resolved".into())
    );
    assert_eq!(event(0)["data"]["alert_id"], event(1)["data"]["alert_id"]);
    for got in &got {
        assert!(got.json()["data"]["text"].as_str().unwrap().contains("this is a test"), "{}", got.body);
        assert_eq!(got.header("authorization"), "Bearer t0p");
    }
}

/// It could reach what adsum must not, and would get what is not meant for it.
#[test]
fn nothing_goes_through_a_proxy_of_the_environment() {
    let (hook, proxy) = (Receiver::answering("200 OK"), Receiver::answering("200 OK"));
    let address = proxy.url();
    let environment =
        ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].map(|name| (name, address.as_str()));
    let ended = test_notify_with(&webhook(&hook.url()), &["ops"], &environment);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    assert_eq!((hook.got().len(), proxy.got().len()), (2, 0));
}

#[test]
fn what_is_not_taken_ends_with_status_1_and_the_answer() {
    let hook =
        Receiver::new(vec![answer("200 OK", "", ""), answer("403 Forbidden", "", "wrong\u{1b}[2Jsecret")]);
    let ended = test_notify(&webhook(&hook.url()), &["ops"]);
    assert_eq!(ended.status, 1);
    assert!(ended.stdout.contains("failed: resolved to ops in "), "{}", ended.stdout);
    assert!(ended.stdout.contains("403 Forbidden: wrong\\u{1b}[2Jsecret"), "{}", ended.stdout);
    assert_eq!(ended.stderr, "error: the notifier \"ops\" did not deliver the test\n");
}

#[test]
fn the_report_is_json_where_that_is_wanted() {
    let hook = Receiver::answering("500 Internal Server Error");
    let ended = test_notify(&webhook(&hook.url()), &["ops", "--json"]);
    assert_eq!(ended.status, 1);
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report["notifier"], "ops");
    let messages = report["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 2);
    for message in messages {
        assert_eq!(
            (&message["delivered"], &message["answer"]),
            (&false.into(), &"500 Internal Server Error".into())
        );
    }
}

#[test]
fn a_mail_server_that_is_configured_gets_the_test_too() {
    let certificate = certificate();
    let certificate = certificate.to_str().unwrap();
    let server = Script::start("smtp.py", &["--encryption", "tls", "--certificate", certificate]);
    let port = server.json()["port"].as_u64().unwrap();
    let config = format!(
        "[[notifier]]\nname = 'mail'\nkind = 'email'\nhost = 'localhost'\nport = {port}\ntls = 'tls'\n\
         ca_file = '{certificate}'\nfrom = 'adsum@example.com'\nto = ['ops@example.com']\n"
    );
    let ended = test_notify(&config, &["mail"]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "{}", ended.stdout);
    for subject in ["firing: adsum-test (info), adsum-test", "resolved: adsum-test (info), adsum-test"] {
        let mail = server.json();
        let headers = mail["headers"].as_array().unwrap();
        let found = headers.iter().find(|header| header[0] == "subject").unwrap();
        assert_eq!(found[1], subject);
    }
}

#[test]
fn a_name_that_nobody_has_is_answered_with_those_there_are() {
    let other = webhook("https://example.com/x").replace("'ops'", "'other'");
    let config = format!("{}{other}", webhook("https://example.com/x"));
    let ended = test_notify(&config, &["pager"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (2, ""));
    assert_eq!(ended.stderr, "error: there is no notifier \"pager\"; there are: ops, other\n");
    let ended = test_notify("", &["pager"]);
    assert_eq!(ended.stderr, "error: there is no notifier \"pager\"; the configuration has none\n");
}

#[test]
fn a_notifier_that_cannot_be_made_is_refused_before_anything_is_sent() {
    let config = webhook("http://127.0.0.1:1/x").replace("allow_private = true", "allow_private = false");
    let ended = test_notify(&config, &["ops"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (2, ""));
    assert!(ended.stderr.contains("allow_private"), "{}", ended.stderr);
}

#[test]
fn it_explains_itself_with_examples() {
    let help = |arguments: &[&str]| {
        let output = Command::new(cargo_bin("adsum")).env_clear().args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(help(&["--help"]).contains("\n  test-notify "));
    assert!(help(&["test-notify", "--help"]).contains("Examples:\n"));
}
