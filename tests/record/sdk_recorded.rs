//! PubNub's own SDKs act their stories (tests/sdk/) while a daemon watches: it records what they did, and nothing else.

use std::path::PathBuf;
use std::process::Stdio;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use crate::judge::Judge;
use crate::process::{PATIENCE, Settings, start_daemon, start_origin};
use crate::proxy::Proxy;
use crate::record::{Api, Visit, rfc3339, until};
use crate::tally::Tally;
use crate::wire::{KEY, Span, Wire};

/// A line of a story, as far as presence goes.
#[derive(Debug, Deserialize)]
struct Line {
    did: String,
    channel: Option<String>,
    user: String,
    state: Option<Value>,
    #[serde(deserialize_with = "rfc3339")]
    not_before: Timestamp,
    #[serde(deserialize_with = "rfc3339")]
    not_after: Timestamp,
}

/// A stay seen by so many polls is recorded, even if one of them met a commit in flight.
const SEEN_BY: usize = 3;

const BY_NAME: [&str; 3] = ["story.one", "story_two", "story é/+&?#%"];
const BY_PATTERN: [&str; 1] = ["story*"];

#[tokio::test]
async fn what_the_threaded_python_sdk_does_is_recorded() {
    recorded("python", &["story.py", "--sdk", "sync"], &BY_PATTERN).await;
}

#[tokio::test]
async fn what_the_asyncio_python_sdk_does_is_recorded() {
    recorded("python", &["story.py", "--sdk", "asyncio"], &BY_NAME).await;
}

#[tokio::test]
async fn what_the_javascript_sdk_does_is_recorded() {
    recorded("node", &["story.js"], &BY_PATTERN).await;
}

async fn recorded(runner: &str, script: &[&str], watched: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let (_origin, origin) = start_origin(folder.path(), "0s");
    let proxy = Proxy::start(&origin).await;
    let daemon = start_daemon(folder.path(), &Settings::new(&proxy.address, watched, "100ms", "0s"));
    let api = Api::new(&daemon.address(PATIENCE).expect("the daemon serves"));
    let named = watched.iter().all(|name| !name.contains('*'));
    until("the daemon has looked around", async || named || proxy.polls.discoveries() >= 2).await;
    api.settled(SignedDuration::ZERO).await;

    let tally = tallied(&act(runner, script, &origin).await);
    assert!(tally.stays.values().flatten().all(|stay| stay.leave.is_some()), "somebody is still there");
    until("the daemon sees nobody any more", async || crate::truth::occupants(&api).await.is_empty()).await;
    api.settled(SignedDuration::ZERO).await;
    assert!(Wire::new(&origin).here().await.is_empty());

    let judge = Judge {
        whole: true,
        tally: &tally,
        polls: &proxy.polls,
        cache: SignedDuration::ZERO,
        seen_by: Some(SEEN_BY),
        exempt: std::collections::BTreeSet::new(),
    };
    let visits: Vec<Visit> = api.all("/v1/visits").await;
    let events = api.events().await;
    let (verdict, wrong) = judge.judge(&events, &visits);
    assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(events.iter().all(|event| event.kind != "present"), "nobody was there before: {events:#?}");
    // The stories stay for some half second and more: five polls.
    let (told, found) = (tally.stays.values().flatten().count(), verdict.values().flatten().count());
    eprintln!("{told} stays were told, {found} are recorded");
    assert!(told >= 7 && found * 10 >= told * 8, "{found} of {told} stays recorded: {events:#?}");
}

/// Runs a story to its end; its lines.
async fn act(runner: &str, script: &[&str], origin: &str) -> Vec<Line> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let sdk = std::env::var_os("ADSUM_SDK").map_or_else(|| root.join("target/sdk"), PathBuf::from);
    let runner = sdk.join(runner);
    assert!(runner.is_file(), "PubNub's SDKs are not installed (no {}): run `make test`", runner.display());
    let mut command = std::process::Command::new(runner);
    command
        .args(script)
        .args(["--origin", origin, "--subscribe-key", KEY, "--prefix", "story"])
        .current_dir(root.join("tests/sdk"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stderr(Stdio::inherit());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "the story ended with {}; it told:\n{told}", output.status);
    told.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

/// The stays and states a story tells of.
fn tallied(lines: &[Line]) -> Tally {
    let mut tally = Tally::default();
    for Line { did, channel, user, state, not_before, not_after } in lines {
        let Some(channel) = channel else { continue };
        let (place, span) = ((channel.clone(), user.clone()), Span { from: *not_before, to: *not_after });
        match did.as_str() {
            "join" => tally.joined(&place, span),
            "leave" | "timeout" => tally.left(&place, span),
            "set_state" => tally.set(&place, span, state.clone().unwrap()),
            _ => {}
        }
    }
    tally
}
