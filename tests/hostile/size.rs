//! Answers that are small on the wire, or within the limit, and enormous in memory.

use std::fmt::Write as _;

use crate::answers::{entry, flat, ok};
use crate::daemon::Daemon;
use crate::origin::{Origin, Question, Reply};

/// What a daemon may take, in MiB, whatever answers of up to 32 MiB it gets; see `MAX_MEMORY` in `src/pubnub/answer.rs`.
const PEAK_MIB: u64 = 1_300;

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

/// A daemon that asks for each channel alone.
async fn watch(origin: &Origin, channels: &str) -> Daemon {
    let watch = format!("channels = [{channels}]\ninterval = \"1s\"");
    Daemon::start(origin, "channels_per_request = 1", &watch).await
}

/// As much of this again and again as fits into an answer of 32 MiB.
fn filled(begin: &str, again: &str, end: &str) -> Reply {
    const FULL: usize = 32 * 1024 * 1024;
    let mut body = begin.to_owned();
    body.push_str(&again.repeat((FULL - begin.len() - end.len()) / again.len()));
    body.push_str(end);
    ok(body)
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_mean_more_than_fits_into_memory_are_bad() {
    let channels = ["maps", "ids", "lists", "states", "strings"];
    let answers: Vec<(&str, Reply)> = vec![
        ("maps", filled(r#"{"occupancy":1,"uuids":[{"uuid":"u","state":["#, r#"{"":0},"#, "{}]}]}")),
        ("ids", filled(r#"{"occupancy":9000000,"uuids":["#, r#""u","#, r#""u"]}"#)),
        ("lists", filled(r#"{"occupancy":1,"uuids":[{"uuid":"u","state":["#, "[0],", "0]}]}")),
        (
            "states",
            filled(r#"{"occupancy":9000000,"uuids":["#, r#"{"uuid":"u","state":{"a":1}},"#, r#""u"]}"#),
        ),
        ("strings", filled(r#"{"occupancy":1,"uuids":[{"uuid":"u","state":["#, r#""","#, "0]}]}")),
    ];
    let origin =
        origin(move |channel| answers.iter().find(|(name, _)| *name == channel).unwrap().1.clone()).await;
    let names = channels.map(|name| format!("{name:?}")).join(", ");
    let mut daemon = watch(&origin, &format!("\"lobby\", {names}")).await;
    daemon.tells("present ada lobby").await;
    for name in channels {
        daemon
            .until(&format!("{name} was asked for"), async || {
                let polls = daemon.channel(name).await["polls"].clone();
                polls.as_object().is_some_and(|polls| !polls.is_empty())
            })
            .await;
        eprintln!("{name} {} MiB {}", daemon.peak_mib(), daemon.channel(name).await["polls"]);
    }
    daemon.is_sound().await;
    let peak = daemon.peak_mib();
    assert!(peak < PEAK_MIB, "it took {peak} MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_users_in_one_list_are_all_recorded() {
    let mut users = String::new();
    for n in 0..100_000 {
        write!(users, "{}\"user-{n:031}\"", if n == 0 { "" } else { "," }).unwrap();
    }
    let crowd = ok(flat(&format!("{{\"occupancy\":100000,\"uuids\":[{users}]}}")));
    let origin = origin(move |_| crowd.clone()).await;
    let mut daemon = watch(&origin, "\"lobby\", \"stadium\"").await;
    daemon.until("all are there", async || daemon.channel("stadium").await["occupancy"] == 100_000).await;
    assert_eq!(daemon.present("stadium", &format!("user-{:031}", 99_999)).await, "yes");
    daemon.tells("present ada lobby").await;
    daemon.is_sound().await;
    let peak = daemon.peak_mib();
    eprintln!("it took {peak} MiB");
    assert!(peak < CROWD_MIB, "it took {peak} MiB");
}
