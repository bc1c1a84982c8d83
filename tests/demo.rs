//! `adsum demo`, as somebody sees it who has just got adsum.
#![allow(missing_docs, reason = "a test's name says what it is about")]
#![allow(clippy::expect_used, clippy::panic, reason = "the helpers of the tests may fail as the tests do")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// A running demo, which dies with it.
struct Demo {
    child: Child,
    lines: Receiver<String>,
}

impl Demo {
    fn start() -> Self {
        let mut demo = Command::new(env!("CARGO_BIN_EXE_adsum"));
        demo.env_clear().args(["demo", "--listen", "127.0.0.1:0", "--origin-listen", "127.0.0.1:0"]);
        let mut child = demo.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let (send, lines) = channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).all(|line| send.send(line).is_ok()));
        Self { child, lines }
    }

    /// The first line that has all of these.
    fn line(&self, within: Duration, words: &[&str]) -> String {
        let until = Instant::now() + within;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("no line with {words:?}"));
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn an_alert_fires_and_is_resolved_within_a_minute_in_the_log_and_the_api() {
    let demo = Demo::start();
    let begun = Instant::now();
    let api = demo.line(Duration::from_secs(30), &["  API", "http://"]);
    let api = api.split_whitespace().last().expect("an address").replace("/channels", "/alerts");
    demo.line(Duration::from_secs(30), &["alert", "\"crowded\"", "vip"]);
    let minute = Duration::from_secs(60);
    demo.line(minute, &["alert crowded", "firing", "vip", "occupancy"]);
    let alerts: serde_json::Value = get(&api);
    assert_eq!(alerts["items"][0]["rule"], "crowded", "{alerts}");
    assert_eq!(alerts["items"][0]["state"], "firing", "{alerts}");
    let resolved = demo.line(minute, &["alert crowded", "resolved", "vip", "ended"]);
    assert!(begun.elapsed() < minute, "only now: {resolved}");
    let history: serde_json::Value = get(&format!("{api}/history?rule=crowded"));
    let changes: Vec<&str> = history["items"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|item| item["change"].as_str())
        .collect();
    assert_eq!(changes[..3], ["pending", "firing", "resolved"], "{history}");
}

fn get(url: &str) -> serde_json::Value {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let answer = runtime.block_on(async { reqwest::get(url).await?.text().await });
    serde_json::from_str(&answer.expect("an answer")).expect("JSON")
}
