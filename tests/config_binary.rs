//! What the real binary makes of alerts and notifiers in its configuration: what it refuses, what it only warns of, and
//! what it takes while it runs.
#![allow(missing_docs, reason = "a test's name says what it is about")]
#![allow(clippy::expect_used, clippy::panic, reason = "the helpers of the tests may fail as the tests do")]

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use adsum::notify::Keys;
use reqwest::Response;
use rstest::rstest;
use secrecy::SecretString;
use serde_json::Value;
use tempfile::TempDir;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// 24 bytes.
const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

/// How long anything that must happen may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with a configuration. `@/` stands for the folder in it, and it goes on in `[server]`.
struct Given {
    folder: TempDir,
    /// An address where nobody listens.
    origin: SocketAddr,
}

impl Given {
    fn new(text: &str) -> Self {
        let given = Self { folder: TempDir::new().expect("a folder"), origin: nobody() };
        given.write(text);
        given
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, text: &str) {
        let folder = self.folder.path().to_str().expect("text");
        let base = format!(
            "[pubnub]\nsubscribe_key = 'demo'\norigin = 'http://{}'\ncache_ttl = '0s'\n[watch]\ninterval = '500ms'\n\
             \nchannels = ['lobby', 'room.*']\n\
             [history]\nurl = 'sqlite:@/data/history.db'\n[state]\npath = '@/data/state.sled'\n\
             [server]\nlisten = '127.0.0.1:0'\n",
            self.origin
        );
        let text = format!("{base}{text}").replace("@/", &format!("{folder}/"));
        fs::write(self.path("adsum.toml"), text).expect("written");
    }

    fn command(&self, command: &str) -> Command {
        let mut adsum = Command::new(env!("CARGO_BIN_EXE_adsum"));
        adsum.env_clear().args([command, "--config"]).arg(self.path("adsum.toml"));
        adsum
    }

    /// The exit status of a command that ends by itself, and what it says is wrong.
    fn ended(&self, command: &str) -> (Option<i32>, String) {
        let output = self.command(command).output().expect("the binary runs");
        (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
    }

    fn run(&self) -> Daemon {
        let log = self.path("log");
        let file = File::create(&log).expect("a log");
        let mut child = self.command("run").stdout(Stdio::piped()).stderr(file).spawn().expect("runs");
        let mut line = String::new();
        let read = BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line);
        let address = line.trim_end().strip_prefix("adsum: http://").map(str::to_owned);
        let daemon = Daemon { child, log, address: address.unwrap_or_default() };
        assert!(read.is_ok() && !daemon.address.is_empty(), "{line:?}\n{}", daemon.log());
        daemon
    }
}

/// A running daemon, which dies with it.
struct Daemon {
    child: Child,
    log: PathBuf,
    address: String,
}

impl Daemon {
    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn until_it_logs(&self, words: &[&str]) {
        let until = Instant::now() + PATIENCE;
        while !self.log().lines().any(|line| words.iter().all(|word| line.contains(word))) {
            assert!(Instant::now() < until, "it does not say {words:?}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(done.expect("kill runs").success());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|gone| gone.local_addr()).expect("an address")
}

fn webhook(keys: &str) -> String {
    format!(
        "[[notifier]]\nname = 'ops'\nkind = 'webhook'\nurl = 'https://example.com/hook'\nsecret = '{SECRET}'\n{keys}\n"
    )
}

fn rule(keys: &str) -> String {
    format!("[[alert]]\nname = 'crowded'\nchannels = ['lobby']\noccupancy_above = 200\n{keys}\n")
}

/// What the issue calls bad input, each with the key that names the rule or notifier, and a word of why.
#[rstest]
#[case(&webhook("title = '{{ rule'"), "notifier[0:ops].title", "syntax error")]
#[case(&webhook("text = '{{ rulle }}'"), "notifier[0:ops].text", "there is no rulle")]
#[case(&webhook("event_text = '{{ count }}'"), "notifier[0:ops].event_text", "there is no count")]
#[case(&webhook("text_file = '@/adsum.toml' # {{ rulle }}"), "notifier[0:ops].text_file", "there is no rulle")]
#[case(&webhook("ca_file = '@/adsum.toml'"), "notifier[0:ops].ca_file", "certificate")]
#[case(&webhook("").replace("https://example.com", "http://10.0.0.1"), "notifier[0:ops].url", "allow_private")]
#[case(&webhook("").replace("https://example.com", "example.com"), "notifier[0:ops].url", "https://")]
#[case(&webhook("").replace(SECRET, "whsec_short"), "notifier[0:ops].secret", "24 to 64 bytes")]
#[case(&webhook("").replace(&format!("secret = '{SECRET}'"), "secret_file = '@/nothing'"), "notifier[0:ops].secret_file", "cannot be read")]
#[case(
    "[[notifier]]\nname = 'mail'\nkind = 'email'\nhost = 'mail.example.com'\nfrom = 'a@b..c'\nto = ['d@example.com']",
    "notifier[0:mail].from",
    "mail address"
)]
#[case(
    "[[notifier]]\nname = 'mail'\nkind = 'email'\nhost = 'mail.example.com'\nfrom = 'a@example.com'\nto = ['d@example.com', 'é@example.com']",
    "notifier[0:mail].to",
    "mail address"
)]
#[case(&rule("clear_below = 300"), "alert[0:crowded].clear_below", "at most 201")]
#[case(&rule("notify = ['ops']"), "alert[0:crowded].notify[0]", "there is no [[notifier]]")]
#[case(&rule("").replace("lobby", "rooms.*"), "alert[0:crowded].channels", "\"rooms.*\" matches nothing")]
#[case("public_url = 'adsum.example.com'", "server.public_url", "https://")]
fn bad_input_is_refused_by_check_and_by_run(#[case] text: &str, #[case] key: &str, #[case] why: &str) {
    let given = Given::new(text);
    for command in ["check", "run"] {
        let (status, message) = given.ended(command);
        assert_eq!(status, Some(2), "{command}: {message}");
        assert_eq!(message.lines().count(), 1, "{command}: {message}");
        assert!(message.contains(key) && message.contains(why), "{command}: {message}");
        assert!(!message.contains(SECRET) && !message.contains("/hook"), "{command}: {message}");
    }
    assert!(!given.path("data").exists(), "a wrong configuration leaves no trace");
}

#[test]
fn everything_that_is_wrong_is_told_at_once_every_template_too() {
    let given = Given::new(&format!(
        "public_url = 'x'\n{}[[notifier]]\nname = 'team'\nkind = 'slack'\nurl = 'http://127.0.0.1/x'\ntext = '{{{{ rulle }}}}'\n{}\
         [[alert]]\nname = 'blind'\nchannels = ['lobby']\nunobserved = true\non_gap = 'keep'\n",
        webhook("title = '{{ rule'\nevent_title = '{{ rule }}'"),
        rule("clear_below = 300\nnotify = ['ops', 'nobody']"),
    ));
    let (status, message) = given.ended("check");
    let keys: Vec<&str> =
        message.lines().filter_map(|line| line.strip_prefix("error: ")?.split([' ', ':']).next()).collect();
    assert_eq!(status, Some(2), "{message}");
    assert_eq!(keys.len(), 8, "{message}");
    for key in [
        "server.public_url",
        "notifier[0:ops].title",
        "notifier[0:ops].event_title",
        "notifier[1:team].url",
        "notifier[1:team].text",
        "alert[0:crowded].clear_below",
        "alert[0:crowded].notify[1]",
        "alert[1:blind].on_gap",
    ] {
        assert!(message.contains(key), "{key}: {message}");
    }
}

#[test]
fn check_says_who_is_told_of_what_and_whom_it_cannot_reach_if_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("an address");
    let there = listener.local_addr().expect("an address");
    let gone = nobody();
    let slack = |name: &str, at| {
        format!(
            "[[notifier]]\nname = '{name}'\nkind = 'slack'\nurl = 'http://{at}/hidden'\nallow_private = true\n"
        )
    };
    let given = Given::new(&format!(
        "{}{}{}",
        slack("team", there),
        slack("gone", gone),
        rule("notify = ['team', 'gone']")
    ));
    let output = given.command("check").output().expect("runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.code(), Some(0));
    assert!(
        text.contains("Alert \"crowded\" (warning)") && text.contains("Tells \"team\", \"gone\""),
        "{text}"
    );
    assert!(!text.contains("hidden") && !text.contains("reached now"), "{text}");
    let output = given.command("check").arg("--reach").output().expect("runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.code(), Some(0), "somebody who is down just now makes no configuration wrong");
    assert!(text.contains("Notifier \"team\" can be reached."), "{text}");
    assert!(text.contains("Note: notifier \"gone\" cannot be reached now"), "{text}");
    assert!(!text.contains("hidden"), "{text}");
}

#[test]
fn a_notifier_that_cannot_be_reached_is_warned_of_by_name_and_no_reason_not_to_start() {
    let gone = nobody();
    let given = Given::new(&format!(
        "{}allow_private = true\n{}",
        webhook("").replace("https://example.com", &format!("http://{gone}")),
        rule("notify = ['ops']")
    ));
    let daemon = given.run();
    daemon.until_it_logs(&["WARN", "cannot be reached", "notifier=\"ops\"", "refused"]);
    assert!(!daemon.log().contains("/hook"), "{}", daemon.log());
}

#[test]
fn a_configuration_read_again_whose_notifiers_cannot_be_made_is_refused_as_a_whole() {
    let given = Given::new("");
    let daemon = given.run();
    given.write(&webhook("text = '{{ rulle }}'"));
    daemon.signal("-HUP");
    daemon.until_it_logs(&["ERROR", "nothing changes", "notifier[0:ops].text", "there is no rulle"]);
    given.write(
        &webhook("text = '{{ rule }}'\nurl_file = '@/url'").replace("url = 'https://example.com/hook'\n", ""),
    );
    fs::write(given.path("url"), "http://127.0.0.1:1/hidden").expect("written");
    daemon.signal("-HUP");
    daemon.until_it_logs(&["ERROR", "nothing changes", "notifier[0:ops].url_file", "allow_private"]);
    fs::write(given.path("url"), "https://192.0.2.1/hidden").expect("written");
    assert!(!daemon.log().contains("hidden"), "{}", daemon.log());
    given.write(&rule(""));
    daemon.signal("-HUP");
    daemon.until_it_logs(&["INFO", "was read again"]);
    assert!(!daemon.log().contains("waits for a restart"), "alerts are taken at once: {}", daemon.log());
}

#[test]
fn the_secrets_of_notifiers_are_read_again_when_their_files_change() {
    let ops = webhook("").replace(&format!("secret = '{SECRET}'"), "secret_file = '@/secret'");
    let team = "[[notifier]]\nname = 'team'\nkind = 'slack'\nurl_file = '@/url'\n";
    let given = Given::new(&format!("{ops}{team}"));
    write_secret(&given.path("secret"), SECRET);
    write_secret(&given.path("url"), "https://hooks.invalid/hidden");
    let daemon = given.run();
    write_secret(&given.path("secret"), "none");
    write_secret(&given.path("url"), "http://10.0.0.1/hidden");
    daemon.until_it_logs(&["WARN", "stay as they are", "notifier=\"ops\"", "whsec_"]);
    daemon.until_it_logs(&["WARN", "stay as they are", "notifier=\"team\"", "allow_private"]);
    assert!(!daemon.log().contains("secrets of notifiers were read again"), "{}", daemon.log());
    write_secret(&given.path("secret"), &SECRET.replace('M', "N"));
    // The other one keeps it from nothing.
    daemon.until_it_logs(&["INFO", "the secrets of notifiers were read again"]);
    assert!(!daemon.log().contains("hidden"), "{}", daemon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_told_as_the_configuration_of_the_moment_says() {
    let receiver = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(204)).mount(&receiver).await;
    let ops = webhook("allow_private = true")
        .replace("https://example.com", &receiver.uri())
        .replace(&format!("secret = '{SECRET}'"), "secret_file = '@/secret'");
    // Nobody answers for the channel, so it is in a gap soon.
    let blind = "[[alert]]\nname = 'blind'\nchannels = ['lobby']\nunobserved = true\nnotify = ['ops']\n";
    let (old, new) = (SECRET.to_owned(), SECRET.replace('M', "N"));
    let given = Given::new("");
    write_secret(&given.path("secret"), &old);
    let daemon = given.run();
    given.write(&format!("{ops}{blind}"));
    daemon.signal("-HUP");
    let fired = told(&receiver, 1, &old).await;
    assert_eq!(fired["type"], "adsum.alert.firing", "{fired}");
    assert_eq!(fired["source"], format!("http://{}", daemon.address), "{fired}");
    let link = fired["data"]["alerts"][0]["link"].as_str().expect("a link");
    let answer = reqwest::get(link).await.and_then(Response::error_for_status).expect("it leads somewhere");
    let answer: Value = serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON");
    assert_eq!(answer["items"][0]["alert_id"], fired["data"]["alert_id"], "{answer}");
    write_secret(&given.path("secret"), &new);
    daemon.until_it_logs(&["INFO", "the secrets of notifiers were read again"]);
    given.write(&format!("public_url = 'https://adsum.example.com/'\n{ops}"));
    daemon.signal("-HUP");
    let resolved = told(&receiver, 2, &new).await;
    assert_eq!(resolved["type"], "adsum.alert.resolved", "{resolved}");
    assert_eq!(resolved["data"]["alert_id"], fired["data"]["alert_id"], "{resolved}");
    let alert = &resolved["data"]["alerts"][0];
    assert!(alert["because"].as_str().expect("a reason").contains("rule was removed"), "{resolved}");
    let link = alert["link"].as_str().expect("a link");
    assert!(link.starts_with("https://adsum.example.com/v1/"), "{link}");
}

/// What the receiver was told as the `number`th, signed with `secret`.
async fn told(receiver: &MockServer, number: usize, secret: &str) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let requests = receiver.received_requests().await.expect("they are kept");
        if let Some(request) = requests.get(number - 1) {
            let header = |name: &str| request.headers.get(name).expect("a header").to_str().expect("text");
            let keys = Keys::new(&[SecretString::from(secret)]).expect("a secret");
            let timestamp = header("webhook-timestamp").parse().expect("seconds");
            let signature = keys.sign(header("webhook-id"), timestamp, &request.body);
            assert_eq!(header("webhook-signature"), signature);
            return serde_json::from_slice(&request.body).expect("JSON");
        }
        assert!(Instant::now() < until, "{} messages, not {number}", requests.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Never half of it.
fn write_secret(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).and_then(|()| fs::rename(&new, path)).expect("written");
}
