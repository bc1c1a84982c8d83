//! Rules that are edited, removed and added while adsum runs and while it is down: what `domain::alert` says becomes of
//! their alerts is recorded, and told.

use std::collections::BTreeMap;

use rstest::rstest;

use crate::alerting::{Change, Told, rule};
use crate::alerts_world::{Again, World};

/// Two people are in all of them.
const CHANNELS: [&str; 3] = ["hall", "lobby", "room"];

/// What became of an alert, and why if it ended.
type Became = (String, Option<String>);

fn ends(change: &str, why: &str) -> Became {
    (change.to_owned(), Some(why.to_owned()))
}

fn begins(change: &str) -> Became {
    (change.to_owned(), None)
}

/// What became of the alerts of each rule and channel.
fn by_place(changes: &[Change]) -> BTreeMap<(&str, &str), Vec<Became>> {
    let mut places: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for change in changes {
        let place = places.entry((change.rule.as_str(), change.channel.as_str())).or_default();
        place.push((change.change.clone(), change.why.clone()));
    }
    places
}

#[rstest]
#[case::while_it_runs(Again::HangUp)]
#[case::while_it_is_stopped(Again::Restart)]
#[case::while_it_is_dead(Again::Kill)]
#[tokio::test]
async fn rules_that_change_end_their_alerts_begin_with_what_was_seen_and_leave_others_alone(
    #[case] how: Again,
) {
    let long = "occupancy_above = 0\nfor = \"1h\"";
    let before = [
        rule("stricter", "hall", "occupancy_above = 1"),
        rule("looser", "hall", "occupancy_above = 2"),
        rule("other", "hall", "occupancy_above = 1"),
        rule("graver", "hall", "occupancy_above = 1\nseverity = \"info\""),
        rule("narrower", "*", "occupancy_above = 1"),
        rule("sooner", "hall", long),
        rule("gone", "hall", "occupancy_above = 1"),
        rule("quietly-gone", "hall", "occupancy_above = 1\nsend_resolved = false"),
        rule("gone-while-pending", "hall", long),
        rule("same", "hall", "occupancy_above = 1"),
    ];
    let after = [
        rule("stricter", "hall", "occupancy_above = 2"),
        rule("looser", "hall", "occupancy_above = 1"),
        rule("other", "hall", "user_present = \"first\""),
        rule("graver", "hall", "occupancy_above = 1\nseverity = \"critical\""),
        rule("narrower", "lobby", "occupancy_above = 1"),
        rule("sooner", "hall", "occupancy_above = 0"),
        rule("same", "hall", "occupancy_above = 1"),
        rule("added", "room", "occupancy_above = 1"),
    ];
    let mut world = World::start(&CHANNELS, &before).await;
    for channel in CHANNELS {
        world.joins(channel, "first").await;
        world.joins(channel, "second").await;
    }
    world.seen().await;
    for fires in ["stricter", "other", "graver", "gone", "quietly-gone", "same"] {
        world.becomes(fires, &["firing"]).await;
    }
    for waits in ["sooner", "gone-while-pending"] {
        world.becomes(waits, &["pending"]).await;
    }
    world.becomes("narrower", &["firing"; 3]).await;
    let first = world.changes().await;

    world.write(&after);
    world.again(how).await;
    world.seen().await;
    world.becomes("looser", &["firing"]).await;
    world.becomes("added", &["firing"]).await;
    world.becomes("other", &["firing", "resolved", "firing"]).await;
    world.becomes("sooner", &["pending", "inactive", "firing"]).await;
    world.becomes("gone-while-pending", &["pending", "inactive"]).await;
    world.becomes("gone", &["firing", "resolved"]).await;
    world.becomes("narrower", &["firing", "firing", "firing", "resolved", "resolved"]).await;

    // A stop is recorded as it happens: it ends what is pending before anybody edits it.
    let edited = if how == Again::Restart { "gap" } else { "rule_changed" };
    let removed = if how == Again::Restart { "gap" } else { "rule_removed" };
    let changes = world.changes().await;
    let places = by_place(&changes);
    let expected = [
        (("stricter", "hall"), vec![begins("firing"), ends("resolved", "rule_changed")]),
        (("looser", "hall"), vec![begins("firing")]),
        (("other", "hall"), vec![begins("firing"), ends("resolved", "rule_changed"), begins("firing")]),
        (("graver", "hall"), vec![begins("firing")]),
        (("narrower", "hall"), vec![begins("firing"), ends("resolved", "rule_removed")]),
        (("narrower", "lobby"), vec![begins("firing")]),
        (("narrower", "room"), vec![begins("firing"), ends("resolved", "rule_removed")]),
        (("sooner", "hall"), vec![begins("pending"), ends("inactive", edited), begins("firing")]),
        (("gone", "hall"), vec![begins("firing"), ends("resolved", "rule_removed")]),
        (("quietly-gone", "hall"), vec![begins("firing"), ends("resolved", "rule_removed")]),
        (("gone-while-pending", "hall"), vec![begins("pending"), ends("inactive", removed)]),
        (("same", "hall"), vec![begins("firing")]),
        (("added", "room"), vec![begins("firing")]),
    ];
    assert_eq!(places, expected.into_iter().collect());
    another_rule_has_another_alert(&changes, first.len());
    what_is_told_says_why(&world, &world.told_if(is_wanted).await);

    // The alerts that stand go on: each ends once, by what is seen.
    for channel in CHANNELS {
        world.leaves(channel, "first").await;
        world.leaves(channel, "second").await;
    }
    world.seen().await;
    world.becomes("graver", &["firing", "resolved"]).await;
    let places = world.changes().await;
    for rule in ["looser", "other", "graver", "sooner", "same", "added"] {
        let last = places.iter().rfind(|change| change.rule == rule).unwrap();
        assert_eq!((last.change.as_str(), last.why.as_deref()), ("resolved", Some("cleared")), "{last:?}");
    }
    world.told_if(is_wanted).await;
}

/// Whether the change's rule has it told.
fn is_wanted(change: &Change) -> bool {
    (change.rule.as_str(), change.change.as_str()) != ("quietly-gone", "resolved")
}

/// An alert that began with another rule is another alert, and nothing is said of since when its condition holds.
fn another_rule_has_another_alert(changes: &[Change], first: usize) {
    let (before, since) = changes.split_at(first);
    for change in since {
        let known = before.iter().any(|earlier| earlier.alert_id == change.alert_id);
        assert_eq!(known, change.why.is_some(), "{change:?}");
        assert!(known || change.since.not_before.is_none(), "{change:?}");
    }
}

/// Whoever is told that an alert is over though nobody saw it end is told why. What was removed quietly is not told.
fn what_is_told_says_why(world: &World, told: &[Told]) {
    assert_eq!(told.iter().filter(|told| told.rule == "quietly-gone").count(), 1, "{told:#?}");
    let over: BTreeMap<String, String> = world
        .hook
        .got()
        .iter()
        .map(crate::receiver::Got::json)
        .filter(|event| event["type"] == "adsum.alert.resolved")
        .map(|event| {
            let because = event["data"]["alerts"][0]["because"].as_str().expect("it says why").to_owned();
            (event["data"]["rule"].as_str().unwrap().to_owned(), because)
        })
        .collect();
    let names: Vec<_> = over.keys().map(String::as_str).collect();
    assert_eq!(names, ["gone", "narrower", "other", "stricter"]);
    assert!(over["gone"].contains("removed") && over["stricter"].contains("edited"), "{over:?}");
}
