//! Answers that are small on the wire, or within the limit, and enormous in memory.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::answers::{entry, flat, ok};
use crate::daemon::Daemon;
use crate::origin::{Origin, Question, Reply};

/// What a daemon may take, in MiB, whatever answers of up to 32 MiB it gets; what one means
/// is bounded by `MAX_MEMORY` in `src/pubnub/answer.rs`.
const PEAK_MIB: u64 = 1_000;

/// The same, where many answers do not end: four long ones at once, and a little of each of the others.
const LONG_MIB: u64 = 500;

/// The same, where a hundred thousand users are in a channel.
const CROWD_MIB: u64 = 400;

/// An origin whose channel "lobby" has ada, and every other channel this answer.
async fn origin(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Origin {
    Origin::start(move |question| match question {
        Question::HereNow { channels, .. } if *channels == ["lobby"] => ok(flat(&entry(&["ada".to_owned()]))),
        Question::HereNow { channels, .. } => answer(&channels[0]),
        _ => panic!("{question:?}"),
    })
    .await
}

/// A daemon that asks for each channel alone and has time for long answers.
fn watch(origin: &Origin, channels: &str) -> Daemon {
    let watch = format!("channels = [{channels}]\ninterval = \"5s\"");
    Daemon::start(origin, "channels_per_request = 1\nrequest_timeout = \"30s\"", &watch)
}

const MIB: usize = 1024 * 1024;

/// As much of this again and again as fits into an answer of a size.
fn filled(size: usize, begin: &str, again: &str, end: &str) -> Reply {
    let mut body = begin.to_owned();
    body.push_str(&again.repeat((size - begin.len() - end.len()) / again.len()));
    body.push_str(end);
    ok(body)
}

/// Answers that fill a size with one user's state, made of this again and again.
fn state(size: usize, again: &str) -> Reply {
    filled(size, r#"{"occupancy":1,"uuids":[{"uuid":"u","state":["#, again, "0]}]}")
}

/// Answers that fill a size with this user again and again.
fn users(size: usize, again: &str) -> Reply {
    filled(size, r#"{"occupancy":9000000,"uuids":["#, again, r#""u"]}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_mean_more_than_fits_into_memory_are_bad() {
    const FULL: usize = 32 * MIB;
    let cases: Arc<Vec<(&str, Reply, &str)>> = Arc::new(vec![
        ("maps", state(FULL, r#"{"":0},"#), "would take some"),
        ("ids", users(FULL, r#""u","#), "would take some"),
        ("lists", state(FULL, "[0],"), "would take some"),
        ("states", users(FULL, r#"{"uuid":"u","state":{"a":1}},"#), "would take some"),
        ("strings", state(FULL, r#""","#), "would take some"),
        // As many as just fit, and are too many all the same.
        ("crowd", users(24 * MIB, r#""u","#), "over the limit of 1000000"),
        ("state", state(MIB, "0,"), "over the limit of 65536"),
        ("many-states", users(16 * MIB, r#"{"uuid":"u","state":{"a":1}},"#), ""),
    ]);
    let answers = Arc::clone(&cases);
    let origin =
        origin(move |channel| answers.iter().find(|(name, ..)| *name == channel).unwrap().1.clone()).await;
    let names: Vec<_> = cases.iter().map(|(name, ..)| format!("{name:?}")).collect();
    let mut daemon = watch(&origin, &format!("\"lobby\", {}", names.join(", ")));
    daemon.tells("present ada lobby").await;
    for (name, _, says) in cases.iter() {
        let about = format!("asked for \\\"{name}\\\" alone");
        let told = async || daemon.log().lines().any(|line| line.contains(&about) && line.contains(says));
        let outcome = if says.is_empty() { "truncated" } else { "bad_answer" };
        daemon
            .until(&format!("{name} is {outcome}: {says}"), async || {
                let counted = daemon.channel(name).await["polls"][outcome].as_u64();
                counted.is_some() && (says.is_empty() || told().await)
            })
            .await;
        eprintln!("{name} {} MiB", daemon.peak_mib());
    }
    daemon.is_sound().await;
    let peak = daemon.peak_mib();
    assert!(peak < PEAK_MIB, "it took {peak} MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_answers_without_end_at_once_take_no_more_than_a_few() {
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let chunk = [b"100000\r\n".as_slice(), " ".repeat(MIB).as_bytes(), b"\r\n"].concat();
    let origin = origin(move |_| Reply::Endless {
        begin: head.clone(),
        again: chunk.clone(),
        pause: Duration::from_millis(10),
    })
    .await;
    let names: Vec<_> = (0..60).map(|n| format!("\"endless.{n}\"")).collect();
    let mut daemon = watch(&origin, &format!("\"lobby\", {}", names.join(", ")));
    daemon.tells("present ada lobby").await;
    for name in ["endless.0", "endless.30", "endless.59"] {
        daemon
            .until(&format!("{name} is too long, or too slow"), async || {
                let polls = daemon.channel(name).await["polls"].clone();
                !polls["bad_answer"].is_null() || !polls["timeout"].is_null()
            })
            .await;
    }
    daemon.is_sound().await;
    let peak = daemon.peak_mib();
    eprintln!("it took {peak} MiB");
    assert!(peak < LONG_MIB, "it took {peak} MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_users_in_one_list_are_all_recorded() {
    let mut users = String::new();
    for n in 0..100_000 {
        write!(users, "{}\"user-{n:031}\"", if n == 0 { "" } else { "," }).unwrap();
    }
    let crowd = ok(flat(&format!("{{\"occupancy\":100000,\"uuids\":[{users}]}}")));
    let origin = origin(move |_| crowd.clone()).await;
    let mut daemon = watch(&origin, "\"lobby\", \"stadium\"");
    daemon.until("all are there", async || daemon.channel("stadium").await["occupancy"] == 100_000).await;
    assert_eq!(daemon.present("stadium", &format!("user-{:031}", 99_999)).await, "yes");
    daemon.tells("present ada lobby").await;
    daemon.is_sound().await;
    let peak = daemon.peak_mib();
    eprintln!("it took {peak} MiB");
    assert!(peak < CROWD_MIB, "it took {peak} MiB");
}
