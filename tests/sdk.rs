//! PubNub's own SDKs as clients of the embedded origin: each acts the same story (tests/sdk/), checks every answer and
//! event by itself, and tells what it did.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers are part of the tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use adsum::origin::{Origin, OriginSettings};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// One thing that was done, as the stories print it.
#[derive(Debug, Deserialize)]
struct Line {
    #[serde(deserialize_with = "rfc3339")]
    at: Timestamp,
    did: String,
    channel: Option<String>,
    user: String,
    state: Option<Value>,
    #[serde(deserialize_with = "rfc3339")]
    not_before: Timestamp,
    #[serde(deserialize_with = "rfc3339")]
    not_after: Timestamp,
}

fn rfc3339<'de, D: Deserializer<'de>>(text: D) -> Result<Timestamp, D::Error> {
    String::deserialize(text)?.parse().map_err(serde::de::Error::custom)
}

/// A command of tests/sdk/install.sh that runs a script with the SDKs at hand.
fn runner(name: &str) -> PathBuf {
    let default = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/sdk");
    let runner = std::env::var_os("ADSUM_SDK").map_or_else(default, PathBuf::from).join(name);
    assert!(
        runner.is_file(),
        "PubNub's SDKs are not installed (no {}): run `make test`, which installs them with tests/sdk/install.sh",
        runner.display()
    );
    runner
}

/// Runs a story against an origin of its own and returns its lines, and the origin's address while it still runs.
fn act(run: &str, script: &[&str], check: impl FnOnce(SocketAddr, Vec<Line>)) {
    let runner = runner(run);
    let settings = OriginSettings { here_now_cache: Duration::ZERO, ..OriginSettings::default() };
    let origin = Origin::bind(settings).unwrap();
    let (address, stop) = (origin.local_addr(), origin.handle());
    let server = std::thread::spawn(|| actix_web::rt::System::new().block_on(origin.run()));
    let output = Command::new(runner)
        .args(script)
        .args(["--origin", &address.to_string(), "--subscribe-key", "sub-c-story", "--prefix", "story"])
        .current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/sdk"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "the story ended with {}; it told:\n{told}", output.status);
    let lines = told.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}")));
    check(address, lines.collect());
    stop.stop();
    server.join().unwrap().unwrap();
}

/// What a story must have done, that a skipped part does not pass unseen.
const DEEDS: [&str; 13] = [
    "add_to_group",
    "delete_group",
    "get_state",
    "heartbeat",
    "here_now",
    "join",
    "leave",
    "list_group",
    "remove_from_group",
    "set_state",
    "time",
    "timeout",
    "where_now",
];

/// The lines hold together: windows are in order, stays begin and end, and in the end nobody is left.
fn holds_together(address: SocketAddr, lines: Vec<Line>) {
    let done: BTreeSet<&str> = lines.iter().map(|line| line.did.as_str()).collect();
    let undone: Vec<_> = DEEDS.into_iter().filter(|deed| !done.contains(deed)).collect();
    assert!(undone.is_empty(), "never done: {undone:?}");
    let mut stays: BTreeMap<(String, String), Line> = BTreeMap::new();
    for line in lines {
        assert!(line.not_before <= line.not_after && line.not_before <= line.at, "{line:?}");
        let place = (line.channel.clone().unwrap_or_default(), line.user.clone());
        match line.did.as_str() {
            "join" => assert!(stays.insert(place, line).is_none()),
            "leave" | "timeout" => {
                let join = stays.remove(&place).unwrap_or_else(|| panic!("no join before {line:?}"));
                assert!(join.not_after <= line.not_after, "{join:?} after {line:?}");
            }
            "set_state" => assert!(stays.contains_key(&place) && line.state.is_some_and(|s| s.is_object())),
            _ => {}
        }
    }
    assert!(stays.is_empty(), "still there: {stays:?}");
    assert_eq!(occupancy(address), 0);
}

/// How many the origin says are there, anywhere.
fn occupancy(address: SocketAddr) -> u64 {
    let ask = async {
        let url = format!("http://{address}/v2/presence/sub-key/sub-c-story");
        reqwest::get(url).await.unwrap().text().await.unwrap()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer: Value = serde_json::from_str(&runtime.block_on(ask)).unwrap();
    answer.pointer("/payload/total_occupancy").and_then(Value::as_u64).unwrap()
}

#[test]
fn the_threaded_python_sdk_acts_its_story() {
    act("python", &["story.py", "--sdk", "sync"], holds_together);
}

#[test]
fn the_asyncio_python_sdk_acts_its_story() {
    act("python", &["story.py", "--sdk", "asyncio"], holds_together);
}

#[test]
fn the_javascript_sdk_acts_its_story() {
    act("node", &["story.js"], holds_together);
}
