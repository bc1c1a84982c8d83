//! Listings of a group that are wrong, too long or name what is no channel.

use crate::answers::{entry, flat, group, many, ok};
use crate::daemon::Daemon;
use crate::origin::{Origin, Question, Reply};

/// An origin whose channels have ada, and whose group is listed like this.
fn listed(listing: Reply) -> impl Fn(&Question) -> Reply {
    let ada = || entry(&["ada".to_owned()]);
    move |question| match question {
        Question::Group(name) if name == "team" => listing.clone(),
        Question::HereNow { channels, .. } => match channels.as_slice() {
            [_] => ok(flat(&ada())),
            names => {
                let entries: Vec<_> = names.iter().map(|name| (name.clone(), ada())).collect();
                ok(many(&entries, names.len(), names.len() as u128))
            }
        },
        _ => panic!("{question:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_listing_changes_nothing_about_what_is_watched() {
    let good = group("team", &["a", "b"]);
    let many: Vec<String> = (0..100_000).map(|n| format!("room.{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let bad = [
        (group("team", &many), "lists 100000 channels"),
        (group("other", &["c"]), "was not asked about"),
        (group("team", &["c", ""]), "a non-empty text"),
        (ok(r#"{"status":200,"payload":{"channels":["c","#), "cut off"),
        (ok(r#"{"status":200,"payload":{"channels":["c",7]}}"#), "integer `7`"),
        (ok(r#"{"status":200,"payload":{"channels":{"c":1}}}"#), "expected a sequence"),
        (ok(r#"{"status":200,"payload":{}}"#), "missing field"),
        (ok(r#"{"status":403,"error":true,"message":"no groups"}"#), "no groups"),
        (Reply::Bytes(Vec::new()), "closed before"),
    ];
    let origin = Origin::start(listed(good.clone())).await;
    let watch = "groups = [\"team\"]\ninterval = \"100ms\"\ndiscover_interval = \"100ms\"";
    let mut daemon = Daemon::start(&origin, "", watch);
    daemon.tells("present ada a").await;
    daemon.tells("present ada b").await;
    for (listing, says) in bad {
        origin.behave(listed(listing));
        daemon.until(says, async || daemon.log().contains(says)).await;
    }
    origin.behave(listed(good));
    let events = daemon.events().await;
    assert!(events.len() == 2 && !daemon.log().contains("no longer watched"), "{events:?}");
    let peak = daemon.peak_mib();
    assert!(peak < 150, "it took {peak} MiB");
    daemon.is_sound().await;

    origin.behave(listed(group("team", &["b"])));
    daemon
        .until("a is unwatched", async || {
            let gaps = daemon.get("/v1/gaps?channel=a").await;
            gaps["items"].as_array().unwrap().iter().any(|gap| gap["reason"] == "unwatched")
        })
        .await;
    assert_eq!(daemon.events().await.len(), 2, "the end of a watch ends no visit");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_in_a_listing_that_are_no_channels_are_left_out_and_the_others_are_watched() {
    let long = "x".repeat(100_000);
    let names = ["a,b", "room.*", "a-pnpres", ".", "..", &long, "nul\0", "\u{202e}abc", "good", "good"];
    let origin = Origin::start(listed(group("team", &names))).await;
    let watch = "groups = [\"team\"]\ninterval = \"100ms\"\ndiscover_interval = \"100ms\"";
    let mut daemon = Daemon::start(&origin, "", watch);
    for name in ["good", "nul\0", "\u{202e}abc"] {
        daemon.tells(&format!("present ada {name}")).await;
    }
    let channels = daemon.get("/v1/channels").await;
    assert_eq!(channels["items"].as_array().unwrap().len(), 3, "{channels}");
    daemon.is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_whose_listing_hangs_keeps_nothing_else_waiting() {
    let listing = listed(group("team", &["a"]));
    let origin = Origin::start(move |question| match question {
        Question::Group(name) if name == "hangs" => Reply::Silence,
        Question::Everywhere => ok(many(&[("room.1".to_owned(), entry(&["ada".to_owned()]))], 1, 1)),
        other => listing(other),
    })
    .await;
    let watch = "channels = [\"room.*\"]\ngroups = [\"hangs\", \"team\"]\ninterval = \"100ms\"\ndiscover_interval = \"100ms\"";
    let mut daemon = Daemon::start(&origin, "request_timeout = \"5m\"", watch);
    daemon.tells("present ada a").await;
    daemon.tells("present ada room.1").await;
    assert_eq!(origin.count(|asked| *asked == Question::Group("hangs".to_owned())), 1);
    daemon.is_sound().await;
}
