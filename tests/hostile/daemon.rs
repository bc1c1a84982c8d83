//! A real daemon, and what it says of itself.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tempfile::TempDir;

use crate::origin::Origin;

/// How long anything that must happen may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `adsum run`, killed when it goes out of scope. Its log is shown when a test fails.
pub(crate) struct Daemon {
    child: Child,
    address: String,
    http: reqwest::Client,
    folder: TempDir,
}

impl Daemon {
    /// Starts it with lines for its configuration's sections `[pubnub]` and `[watch]`.
    pub(crate) fn start(origin: &Origin, pubnub: &str, watch: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "[pubnub]\nsubscribe_key = \"sub-c-hostile\"\norigin = \"http://{}\"\ncache_ttl = \"0s\"\n\
             max_requests_per_second = 1000\n{pubnub}\n[watch]\n{watch}\n[history]\nurl = \"sqlite:data/history.db\"\n\
             [state]\npath = \"data/state.sled\"\n[server]\nlisten = \"127.0.0.1:0\"\n",
            origin.address
        );
        std::fs::write(folder.path().join("adsum.toml"), config).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_adsum"))
            .args(["run", "--config", "adsum.toml"])
            .current_dir(folder.path())
            .env("ADSUM_LOG", "info,adsum=debug")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let (send, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).all(|line| send.send(line).is_ok()));
        let mut daemon = Self { child, address: String::new(), http: reqwest::Client::new(), folder };
        while daemon.address.is_empty() {
            let line = lines.recv_timeout(PATIENCE).expect("the daemon serves");
            if let Some((_, rest)) = line.split_once("http://") {
                rest.split(['/', ' ']).next().unwrap().clone_into(&mut daemon.address);
            }
        }
        daemon
    }

    /// Everything it logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// The most memory it ever had, in MiB.
    pub(crate) fn peak_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    }

    /// An answer of its API.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let body = self.ask(path).await;
        assert!(!body.is_null(), "{path} is about an unknown channel");
        body
    }

    /// An answer of its API; `null` about a channel that is not known (yet).
    async fn ask(&self, path: &str) -> Value {
        let answer = self.http.get(format!("http://{}{path}", self.address)).send().await.unwrap();
        let (status, body) = (answer.status(), answer.text().await.unwrap());
        let value: Value = serde_json::from_str(&body).unwrap();
        if value["code"] == "unknown_channel" {
            return Value::Null;
        }
        assert!(status.is_success(), "{path}: {status} {body}");
        value
    }

    /// A channel as it is now, in full; `null` if it is not known (yet).
    pub(crate) async fn channel(&self, name: &str) -> Value {
        self.ask(&format!("/v1/channels/{}", encoded(name))).await
    }

    /// Its events as `kind user channel`, oldest first, at most a thousand.
    pub(crate) async fn events(&self) -> Vec<String> {
        self.list("/v1/events?limit=1000").await
    }

    async fn list(&self, path: &str) -> Vec<String> {
        let events = self.ask(path).await;
        let text = |event: &Value, key: &str| event[key].as_str().unwrap().to_owned();
        let line = |event: &Value| ["kind", "user", "channel"].map(|key| text(event, key)).join(" ");
        events["items"].as_array().into_iter().flatten().map(line).collect()
    }

    /// Whether somebody is somewhere now: `yes`, `no` or `unknown`.
    pub(crate) async fn present(&self, channel: &str, user: &str) -> String {
        let path = format!("/v1/presence?channel={}&user={}", encoded(channel), encoded(user));
        self.get(&path).await["present"].as_str().unwrap().to_owned()
    }

    /// Waits until an event is recorded.
    pub(crate) async fn tells(&self, event: &str) {
        let (_, channel) = event.rsplit_once(' ').unwrap();
        let path = format!("/v1/events?channel={}", encoded(channel));
        let told = async || self.list(&path).await.iter().any(|told| told == event);
        self.until(&format!("{event:?} is recorded"), told).await;
    }

    /// Waits until something holds.
    pub(crate) async fn until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds().await {
            assert!(Instant::now() < deadline, "waited too long until {what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// It lives, and nothing in it has panicked.
    pub(crate) async fn is_sound(&mut self) {
        assert!(self.child.try_wait().unwrap().is_none(), "it ended");
        self.get("/readyz").await;
        assert!(!self.log().contains("panicked"), "something panicked");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.log_file()).unwrap_or_default();
            let last: Vec<_> = log.lines().rev().take(4000).collect();
            last.iter().rev().for_each(|line| eprintln!("{}", line.chars().take(600).collect::<String>()));
        }
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
