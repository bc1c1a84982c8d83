//! The command line: the real binary, against servers that answer what each test says.
#![allow(missing_docs, reason = "a test's name says what it is about")]
#![allow(clippy::expect_used, reason = "the helpers of the tests may fail as the tests do")]

mod alerts;
mod configuration;
mod daemon;
mod history;
mod presence;
mod tail;
mod usage;

use std::time::Duration;

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin;

/// A channel name that clears the screen, turns text around and breaks lines.
pub(crate) const HOSTILE: &str = "a\u{1b}[2J\u{202e}b\nc\u{9b}";

/// What ends a run of the binary.
pub(crate) struct Ended {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn adsum(arguments: &[&str]) -> Command {
    let mut command = Command::new(cargo_bin("adsum"));
    // Nothing of the machine the tests run on.
    command.env_clear().args(arguments).timeout(Duration::from_secs(30));
    command
}

pub(crate) fn run(arguments: &[&str]) -> Ended {
    ended(&mut adsum(arguments))
}

pub(crate) fn ended(command: &mut Command) -> Ended {
    let output = command.output().expect("the binary runs");
    Ended {
        status: output.status.code().expect("an exit status"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// The arguments and a server to ask.
pub(crate) fn with<'a>(arguments: &[&'a str], flag: &'a str, uri: &'a str) -> Vec<&'a str> {
    [arguments, &[flag, uri]].concat()
}

pub(crate) fn assert_fit_for_a_terminal(text: &str) {
    let bad = |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
    assert!(!text.chars().any(bad), "{text:?}");
}
