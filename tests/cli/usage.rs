//! How commands are called.

use std::io::Read as _;
use std::process::Stdio;

use assert_cmd::cargo::cargo_bin;
use rstest::rstest;

use crate::{HOSTILE, adsum, assert_fit_for_a_terminal, ended, run};

#[test]
fn version_is_that_of_the_package() {
    let ended = run(&["--version"]);
    assert_eq!((ended.status, ended.stdout), (0, format!("adsum {}\n", env!("CARGO_PKG_VERSION"))));
}

#[rstest]
fn every_command_explains_itself_with_examples(
    #[values(
        "demo",
        "run",
        "origin",
        "check",
        "here-now",
        "where-now",
        "set-state",
        "get-state",
        "channels",
        "who",
        "where",
        "was",
        "events",
        "visits",
        "gaps",
        "occupancy",
        "tail",
        "alerts",
        "silence",
        "test-notify",
        "completions"
    )]
    command: &str,
) {
    assert!(run(&["--help"]).stdout.contains(&format!("\n  {command} ")), "listed");
    let ended = run(&[command, "--help"]);
    assert_eq!(ended.status, 0);
    assert!(ended.stdout.contains("Examples:\n"), "{}", ended.stdout);
}

#[rstest]
#[case(&[])]
#[case(&["no-such-command"])]
#[case(&["channels", "--no-such-flag"])]
#[case(&["was", "alice", "lobby"])]
#[case(&["who"])]
#[case(&["events", "--limit", "0"])]
#[case(&["events", "--limit", "1001"])]
#[case(&["channels", "--server", "not a url"])]
#[case(&["channels", "--server", "mailto:x"])]
#[case(&["channels", "--server", "ftp://x"])]
#[case(&["channels", "--server", "127.0.0.1:9186"])]
#[case(&["where", ""])]
#[case(&["where", ".."])]
#[case(&["where", "alice", "--limit", "5"])]
#[case(&["tail", "--after", "é"])]
#[case(&["completions", "no-such-shell"])]
#[case(&["demo", "--listen", "8080"])]
#[case(&["demo", "--listen", "0.0.0.0:8999"])]
#[case(&["get-state"])]
#[case(&["set-state", "--channel", "lobby"])]
#[case(&["here-now", "lobby", "--limit", "-1"])]
fn wrong_usage_ends_with_status_2(#[case] arguments: &[&str]) {
    let ended = run(arguments);
    assert_eq!((ended.status, ended.stdout.as_str()), (2, ""));
    assert!(!ended.stderr.is_empty());
}

#[rstest]
#[case(&["demo", "--listen", "0.0.0.0:8999"], "--listen", "loopback")]
#[case(&["channels", "--server", "127.0.0.1:9186"], "--server", "http://HOST:PORT")]
#[case(&["get-state"], "--channel", "--group")]
#[case(&["set-state", "--state", "{}"], "--channel", "--group")]
fn wrong_usage_names_the_flag_and_what_is_allowed(
    #[case] arguments: &[&str],
    #[case] flag: &str,
    #[case] allowed: &str,
) {
    let stderr = run(arguments).stderr;
    assert!(stderr.contains(flag) && stderr.contains(allowed), "{stderr}");
}

#[test]
fn hostile_arguments_are_escaped_where_they_are_quoted() {
    let ended = run(&["where", "alice", HOSTILE]);
    assert_eq!(ended.status, 2);
    assert!(ended.stderr.contains("\\u{202e}b"), "{}", ended.stderr);
    assert_fit_for_a_terminal(&ended.stderr);
}

#[test]
fn a_wrong_log_filter_is_named() {
    let ended = ended(adsum(&["check"]).env("ADSUM_LOG", "adsum=loud=very"));
    assert_eq!(ended.status, 2);
    assert!(ended.stderr.contains("ADSUM_LOG"), "{}", ended.stderr);
}

#[rstest]
fn completions_know_the_commands(#[values("bash", "zsh", "fish", "elvish", "powershell")] shell: &str) {
    let ended = run(&["completions", shell]);
    assert_eq!(ended.status, 0);
    for command in ["here-now", "redeliver", "silence"] {
        assert!(ended.stdout.contains(command), "{command}: {}", ended.stdout);
    }
}

#[test]
fn output_that_nobody_reads_is_no_failure() {
    let mut command = std::process::Command::new(cargo_bin("adsum"));
    let mut child = command
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut stderr).expect("UTF-8");
    assert_eq!((child.wait().expect("ends").code(), stderr.as_str()), (Some(0), ""));
}
