//! What an operator can get wrong, with the real binary: each gets a clear message and the right end, and nothing is
//! lost.

use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::process::{PATIENCE, Process, Settings, start_daemon, start_origin};
use crate::record::{Api, Gap, WatchedChannel, until};
use crate::wire::Wire;

/// SIGTERM ends every command within this.
const STOPS_WITHIN: Duration = Duration::from_secs(5);

/// Runs a daemon that must end by itself: its exit status and its message.
fn run_to_its_end(folder: &Path, config: &str) -> (Option<i32>, String) {
    let (file, log) = (folder.join("ends.toml"), folder.join("ends.log"));
    std::fs::write(&file, config).unwrap();
    std::fs::write(&log, "").unwrap();
    let mut process = Process::start(folder, "ends", &["run", "--config", file.to_str().unwrap()]);
    let status = process.ended(PATIENCE).expect("it ends by itself");
    (status.code(), process.log())
}

/// It ended with a status, and its message says all of these.
fn refused((code, message): &(Option<i32>, String), status: i32, says: &[&str]) {
    assert_eq!(*code, Some(status), "{message}");
    for word in says {
        assert!(message.contains(word), "it does not say {word:?}: {message}");
    }
    assert!(!message.contains("panicked"), "{message}");
}

/// Starts a daemon that must serve.
async fn serving(folder: &Path, settings: &Settings) -> (Process, Api) {
    let daemon = start_daemon(folder, settings);
    let api = Api::new(&daemon.address(PATIENCE).expect("the daemon serves"));
    api.ready().await;
    (daemon, api)
}

/// Ends a daemon with SIGTERM, in time and with success.
fn stop(daemon: &mut Process) {
    daemon.terminate();
    let status = daemon.ended(STOPS_WITHIN).expect("SIGTERM ends it in time");
    assert_eq!(status.code(), Some(0), "{}", daemon.log());
}

/// Settings for an origin that is not there: nothing listens on its port any more.
fn of_nowhere() -> Settings {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    Settings::new(&gone.to_string(), &["lobby"], "200ms", "0s")
}

#[tokio::test]
async fn a_data_folder_in_use_is_refused_by_name_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let settings = of_nowhere();
    let (mut daemon, api) = serving(folder.path(), &settings).await;
    refused(&run_to_its_end(folder.path(), &settings.toml()), 1, &["data/history.db", "in use"]);
    let same_states = settings.toml().replace("data/history.db", "other/history.db");
    refused(&run_to_its_end(folder.path(), &same_states), 1, &["data/state.sled", "in use"]);
    let _: Value = api.get("/v1/events").await;
    stop(&mut daemon);
    stop(&mut serving(folder.path(), &settings).await.0);
}

#[tokio::test]
async fn a_signal_that_arrives_twice_at_once_is_one() {
    // As when it is sent to a process and to its group: it must not force an end that is told as a crash.
    let folder = tempfile::tempdir().unwrap();
    let (mut daemon, _) = serving(folder.path(), &of_nowhere()).await;
    daemon.terminate();
    stop(&mut daemon);
}

#[tokio::test]
async fn a_killed_daemons_folder_is_free_at_once() {
    let folder = tempfile::tempdir().unwrap();
    serving(folder.path(), &of_nowhere()).await.0.kill();
    stop(&mut serving(folder.path(), &of_nowhere()).await.0);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data/history.db");
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let content = "dear diary, today nobody came\n".repeat(1000);
    std::fs::write(&file, &content).unwrap();
    refused(&run_to_its_end(folder.path(), &of_nowhere().toml()), 1, &["data/history.db"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), content);
}

#[tokio::test]
async fn a_folder_where_the_database_should_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("data/history.db")).unwrap();
    refused(&run_to_its_end(folder.path(), &of_nowhere().toml()), 1, &["data/history.db"]);
}

#[tokio::test]
async fn a_damaged_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    stop(&mut serving(folder.path(), &of_nowhere()).await.0);
    let file = folder.path().join("data/history.db");
    // What the daemon left in the write-ahead log, if it was faster than its last reader, goes into the file.
    let log = "PRAGMA wal_checkpoint(TRUNCATE)";
    rusqlite::Connection::open(&file).unwrap().query_row(log, (), |_| Ok(())).unwrap();
    let mut content = std::fs::read(&file).unwrap();
    // Everything but the head of the file: what a failing disk may leave.
    content[4096..].fill(0xa5);
    std::fs::write(&file, &content).unwrap();
    refused(&run_to_its_end(folder.path(), &of_nowhere().toml()), 1, &["data/history.db"]);
}

#[tokio::test]
async fn a_database_of_a_newer_adsum_is_refused_and_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    stop(&mut serving(folder.path(), &of_nowhere()).await.0);
    let file = folder.path().join("data/history.db");
    let newer = "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
                 VALUES (9999, 'what_is_to_come', '2040-01-01T00:00:00Z', '1')";
    rusqlite::Connection::open(&file).unwrap().execute(newer, ()).unwrap();
    let before = std::fs::read(&file).unwrap();
    refused(&run_to_its_end(folder.path(), &of_nowhere().toml()), 1, &["data/history.db", "newer"]);
    assert!(before == std::fs::read(&file).unwrap(), "the file was changed");
}

#[tokio::test]
async fn an_unreachable_origin_is_a_gap_and_no_reason_not_to_start() {
    let folder = tempfile::tempdir().unwrap();
    let (mut daemon, api) = serving(folder.path(), &of_nowhere()).await;
    until("the gap opens", async || {
        let gaps: Vec<Gap> = api.all("/v1/gaps").await;
        gaps.iter().any(|gap| {
            gap.channel == "lobby" && gap.reason == "unreachable" && gap.to.is_none() && !gap.users_only
        })
    })
    .await;
    assert_eq!(api.open("/readyz", &[]).await.unwrap().status().as_u16(), 200);
    assert_eq!(api.open("/healthz", &[]).await.unwrap().status().as_u16(), 200);
    let answer = api.presence("lobby", "anybody", None).await;
    assert_eq!(answer["present"], "unknown", "{answer}");
    let at = Timestamp::now() - SignedDuration::from_millis(100);
    let answer = api.presence("lobby", "anybody", Some(at)).await;
    assert_eq!(answer["present"], "unknown", "{answer}");
    let channels: Vec<WatchedChannel> = api.all("/v1/channels").await;
    assert_eq!((channels[0].status.as_str(), channels[0].last_observed_at), ("gap", None), "{channels:?}");
    stop(&mut daemon);
}

#[tokio::test]
async fn no_subscribe_key_is_a_wrong_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let without: Vec<_> =
        of_nowhere().toml().lines().map(str::to_owned).filter(|l| !l.contains("subscribe_key")).collect();
    refused(&run_to_its_end(folder.path(), &without.join("\n")), 2, &["pubnub.subscribe_key"]);
    assert!(!folder.path().join("data").exists(), "a wrong configuration leaves no trace");
}

#[tokio::test]
async fn an_unknown_key_and_a_wrong_value_are_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = of_nowhere()
        .toml()
        .replace("interval = \"200ms\"", "interval = \"fast\"")
        .replace("[state]", "[state]\ncolour = 1");
    refused(
        &run_to_its_end(folder.path(), &wrong),
        2,
        &["watch.interval", "fast", "state.colour", "ends.toml"],
    );
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut settings = of_nowhere();
    settings.listen.clone_from(&address);
    refused(&run_to_its_end(folder.path(), &settings.toml()), 1, &[&address]);
}

#[tokio::test]
async fn a_stopped_daemon_goes_on_with_the_same_history() {
    let folder = tempfile::tempdir().unwrap();
    let (_origin, origin) = start_origin(folder.path(), "0s");
    let wire = Wire::new(&origin);
    let settings = Settings::new(&origin, &["lobby"], "200ms", "0s");
    let (mut daemon, api) = serving(folder.path(), &settings).await;
    api.settled(SignedDuration::ZERO).await;
    wire.heartbeat("lobby", "stays", 3600).await;
    wire.heartbeat("lobby", "goes", 3600).await;
    until("two joins are recorded", async || api.events().await.len() == 2).await;
    let before: Vec<Value> = api.all("/v1/events").await;

    stop(&mut daemon);
    let stopped = Timestamp::now();
    let gone = wire.leave("lobby", "goes").await;
    let came = wire.heartbeat("lobby", "comes", 3600).await;
    let (mut daemon, api) = serving(folder.path(), &settings).await;
    until("what happened meanwhile is recorded", async || api.events().await.len() == 4).await;
    api.settled(SignedDuration::ZERO).await;

    let after: Vec<Value> = api.all("/v1/events").await;
    assert_eq!(after[..2], before);
    let later = &api.events().await[2..];
    let find = |kind: &str, user: &str| {
        later.iter().find(|event| (event.kind.as_str(), event.user.as_str()) == (kind, user))
    };
    assert!(find("leave", "goes").is_some_and(|event| event.window.admits(gone)), "{later:?}");
    assert!(find("join", "comes").is_some_and(|event| event.window.admits(came)), "{later:?}");
    let gaps: Vec<Gap> = api.all("/v1/gaps").await;
    let [gap] = gaps.as_slice() else { panic!("not one gap: {gaps:?}") };
    assert_eq!(gap.reason, "stopped");
    assert!(
        gap.from <= stopped && gap.to.is_some_and(|to| gone.from <= to && to <= Timestamp::now()),
        "{gap:?}"
    );
    let during = api.presence("lobby", "stays", Some(gone.to)).await;
    assert_eq!(during["present"], "unknown", "{during}");
    let now = api.presence("lobby", "stays", None).await;
    assert_eq!(now["present"], "yes", "{now}");
    stop(&mut daemon);
}

#[tokio::test]
async fn sigterm_ends_the_origin_too() {
    let folder = tempfile::tempdir().unwrap();
    let (mut origin, _) = start_origin(folder.path(), "3s");
    stop(&mut origin);
}

#[tokio::test]
async fn an_open_stream_does_not_keep_a_daemon_from_stopping() {
    let folder = tempfile::tempdir().unwrap();
    let (mut daemon, api) = serving(folder.path(), &of_nowhere()).await;
    let stream = api.open("/v1/stream", &[]).await.unwrap();
    stop(&mut daemon);
    drop(stream);
}
