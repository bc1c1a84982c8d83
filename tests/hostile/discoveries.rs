//! Global answers that are wrong or enormous: they prove nothing, and nothing is watched because of them.

use serde_json::Value;

use crate::answers::{entry, flat, many, ok};
use crate::daemon::Daemon;
use crate::origin::{Origin, Question, Reply};

/// What a daemon may take that hears of a million channels, in MiB.
const PEAK_MIB: u64 = 900;

/// An origin whose channels have ada, and that answers this about all of them.
fn everywhere(answer: Reply) -> impl Fn(&Question) -> Reply {
    let ada = || entry(&["ada".to_owned()]);
    move |question| match question {
        Question::Everywhere => answer.clone(),
        Question::HereNow { channels, .. } => match channels.as_slice() {
            [_] => ok(flat(&ada())),
            names => {
                let entries: Vec<_> = names.iter().map(|name| (name.clone(), ada())).collect();
                ok(many(&entries, names.len(), names.len() as u128))
            }
        },
        Question::Group(_) => panic!("{question:?}"),
    }
}

fn count(name: &str, occupancy: u64) -> (String, String) {
    (name.to_owned(), format!(r#"{{"occupancy":{occupancy}}}"#))
}

/// A daemon that watches "lobby" and every "room.…" that is discovered.
fn discovering(origin: &Origin) -> Daemon {
    let watch = "channels = [\"lobby\", \"room.*\"]\ninterval = \"100ms\"\ndiscover_interval = \"100ms\"";
    Daemon::start(origin, "", watch)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_global_answer_proves_nothing() {
    let whole = many(&[count("room.1", 1), count("elsewhere", 2)], 2, 3);
    let bad: [(Reply, &str); 8] = [
        (ok(many(&[count("room.1", 1)], 2, 1)), "`total_channels` is 2, 1 are listed"),
        (ok(many(&[count("room.1", 1)], 1, 2)), "`total_occupancy` is 2, the channels have 1"),
        (ok(many(&[count("room.1", 1), count("room.1", 1)], 2, 2)), "listed twice"),
        (ok(many(&[count("", 1)], 1, 1)), "a channel without a name"),
        (ok(flat(r#"{"occupancy":0,"uuids":[]}"#)), "no `payload`"),
        (ok(whole.trim_end_matches('}')), "cut off"),
        (
            ok(many(&[count("room.1", u64::MAX), count("room.2", u64::MAX)], 2, 2 * u128::from(u64::MAX))),
            "invalid type",
        ),
        (ok("{}"), "no `payload`"),
    ];
    let origin = Origin::start(everywhere(ok("rubbish"))).await;
    let mut daemon = discovering(&origin);
    daemon.tells("present ada lobby").await;
    for (answer, says) in bad {
        origin.behave(everywhere(answer));
        daemon.until(says, async || daemon.log().contains(says)).await;
    }
    assert_eq!(daemon.events().await, ["present ada lobby"]);
    assert_eq!(daemon.present("room.2", "ada").await, "unknown", "nothing was proven");
    daemon.is_sound().await;

    origin.behave(everywhere(ok(whole)));
    daemon.tells("present ada room.1").await;
    daemon
        .until("a good one proves that nobody is in the others", async || {
            daemon.present("room.2", "ada").await == "no"
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_channels_in_the_global_answer_are_heard_of_and_those_that_match_are_watched() {
    let names = (0..1_000_000).map(|n| count(&format!("{n}"), 1)).chain([count("room.1", 1)]);
    let names: Vec<_> = names.collect();
    let origin = Origin::start(everywhere(ok(many(&names, names.len(), names.len() as u128)))).await;
    let mut daemon = discovering(&origin);
    daemon.tells("present ada lobby").await;
    daemon.tells("present ada room.1").await;
    let channels: Value = daemon.get("/v1/channels").await;
    assert_eq!(channels["items"].as_array().unwrap().len(), 2, "{channels}");
    daemon.is_sound().await;
    let peak = daemon.peak_mib();
    eprintln!("it took {peak} MiB");
    assert!(peak < PEAK_MIB, "it took {peak} MiB");
}
