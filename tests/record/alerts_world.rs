//! An origin, a receiver, and a daemon with rules that is stopped, killed and started again between them.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::alerting::{Change, Told, arrived_as_recorded, changes, configuration, delivered, told};
use crate::process::{PATIENCE, Process, Settings, start_daemon, start_origin, written};
use crate::receiver::Receiver;
use crate::record::{Api, WatchedChannel, until};
use crate::wire::{Span, Wire};

/// A presence timeout nobody meets.
const NEVER: u32 = 3600;

pub(crate) struct World {
    pub(crate) hook: Receiver,
    wire: Wire,
    settings: Settings,
    daemon: Option<Process>,
    address: String,
    _origin: Process,
    folder: tempfile::TempDir,
}

/// How a daemon comes to another configuration, or just to another life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// It lives on, and reads its configuration again.
    HangUp,
    /// It is stopped as an operator does, and started.
    Restart,
    /// It is killed, and started.
    Kill,
}

impl World {
    /// A daemon that watches channels, with rules that tell the receiver.
    pub(crate) async fn start(channels: &[&str], rules: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (origin, address) = start_origin(folder.path(), "0s");
        let hook = Receiver::start();
        let mut settings = Settings::new(&address, channels, "200ms", "0s");
        // Polls may be late on a busy machine; here only ends shall make gaps.
        settings.gap_after = Some("60s");
        settings.more = configuration(&hook, rules);
        let wire = Wire::new(&address);
        let mut world =
            Self { hook, wire, settings, daemon: None, address: String::new(), _origin: origin, folder };
        world.start_again().await;
        world
    }

    pub(crate) fn api(&self) -> Api {
        Api::new(&self.address)
    }

    /// Somebody comes to a channel.
    pub(crate) async fn joins(&self, channel: &str, user: &str) -> Span {
        self.wire.heartbeat(channel, user, NEVER).await
    }

    /// Somebody goes.
    pub(crate) async fn leaves(&self, channel: &str, user: &str) -> Span {
        self.wire.leave(channel, user).await
    }

    /// Waits until every channel was observed, and that is recorded, after now.
    pub(crate) async fn seen(&self) {
        self.api().settled(jiff::SignedDuration::ZERO).await;
    }

    /// Other rules are written into the configuration, which nobody reads yet.
    pub(crate) fn write(&mut self, rules: &[String]) {
        self.settings.more = configuration(&self.hook, rules);
        written(self.folder.path(), &self.settings);
    }

    pub(crate) async fn again(&mut self, how: Again) {
        match how {
            Again::HangUp => self.hang_up().await,
            Again::Restart => {
                self.stop();
                self.start_again().await;
            }
            Again::Kill => {
                self.kill();
                self.start_again().await;
            }
        }
    }

    async fn hang_up(&mut self) {
        let daemon = self.daemon.as_ref().unwrap();
        let read = || daemon.log().matches("the configuration was read again").count();
        let before = read();
        daemon.hang_up();
        until("the configuration is read again", async || before < read()).await;
        assert!(!daemon.log().contains("nothing changes"), "{}", daemon.log());
    }

    pub(crate) fn stop(&mut self) {
        let mut daemon = self.daemon.take().unwrap();
        daemon.terminate();
        let status = daemon.ended(PATIENCE).expect("it stops");
        assert!(status.success(), "{status}");
    }

    pub(crate) fn kill(&mut self) {
        self.daemon.take().unwrap().kill();
    }

    pub(crate) async fn start_again(&mut self) {
        let daemon = start_daemon(self.folder.path(), &self.settings);
        self.address = daemon.address(PATIENCE).expect("the daemon serves");
        self.daemon = Some(daemon);
        let api = self.api();
        api.ready().await;
        until("every channel is watched", async || {
            let watched: Vec<WatchedChannel> = api.all("/v1/channels").await;
            watched.len() == self.settings.channels.len()
        })
        .await;
    }

    /// What a command of `adsum` prints as JSON.
    pub(crate) async fn ask(&self, arguments: &[&str]) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_adsum"));
        let server = format!("http://{}", self.address);
        command.args(arguments).args(["--json", "--server", &server]).stdin(Stdio::null());
        let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        serde_json::from_slice(&done.stdout).unwrap()
    }

    /// Silences the alerts of the rule `crowded` in a channel, for so long; the silence's number.
    pub(crate) async fn silence(&self, channel: &str, lasts: &str) -> i64 {
        let silence = ["silence", "add", "--rule", "crowded", "--channel", channel, "--for", lasts];
        let made = self.ask(&[&silence[..], &["--author", "me", "--reason", "a fair"]].concat()).await;
        made["id"].as_i64().unwrap()
    }

    /// What became of alerts so far.
    pub(crate) async fn changes(&self) -> Vec<Change> {
        changes(&self.api()).await
    }

    /// What became of the alerts of a rule so far, in one word each.
    pub(crate) async fn words(&self, rule: &str) -> Vec<String> {
        let changes = self.changes().await;
        changes.into_iter().filter(|change| change.rule == rule).map(|change| change.change).collect()
    }

    /// Waits until that has become of the alerts of a rule.
    pub(crate) async fn becomes(&self, rule: &str, words: &[&str]) {
        until(&format!("{rule} is {words:?}"), async || {
            let now = self.words(rule).await;
            assert!(now.len() <= words.len(), "{rule} is {now:?}, not {words:?}");
            now == words
        })
        .await;
    }

    /// In the end the receiver was told what the record says is to be told. What it was told, each once.
    pub(crate) async fn told(&self) -> Vec<Told> {
        self.told_if(|_| true).await
    }

    /// The same where not everything that is recorded is wanted by its rule.
    pub(crate) async fn told_if(&self, wanted: impl Fn(&Change) -> bool) -> Vec<Told> {
        let api = self.api();
        delivered(&api).await;
        let got = self.hook.got();
        let due: Vec<_> = changes(&api).await.into_iter().filter(wanted).collect();
        arrived_as_recorded(&due, &got);
        let mut all = told(&got);
        all.sort();
        all.dedup();
        all
    }
}
