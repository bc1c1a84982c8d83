//! Alerts as they are judged live: in the commit of what changes them, by time, over restarts and edits.

use std::sync::atomic::Ordering;
use std::time::Duration;

use adsum::actors::alerting::Alerting;
use adsum::domain::alert::{Change, Condition, Matcher, Rule, RuleName, Severity, Silence, Why};
use adsum::domain::gap::GapReason;
use adsum::domain::plan::Failure;
use adsum::domain::watch::Target;
use adsum::history::alerts::{AlertChange, ChangeQuery, DeliveryQuery};

use crate::rules::{alerting, rule};
use crate::world::{FakeSource, World, channel, settings, trouble, user};

/// More than one is a crowd.
fn crowded() -> Rule {
    rule(Condition::OccupancyAbove { bound: 1, clear_below: 2 })
}

async fn watching(target: &str, rules: Vec<Rule>) -> World {
    let settings = adsum::actors::handle::Settings { alerting: alerting(rules), ..settings(&[target]) };
    let source = FakeSource::default();
    source.join("lobby", "ada");
    let world = World::start(settings, source).await;
    world.pass(6.0).await;
    world
}

impl World {
    fn changes(&self) -> Vec<AlertChange> {
        self.history.alert_changes(&ChangeQuery { limit: 1000, ..ChangeQuery::default() }).unwrap()
    }

    /// What became of the alerts, in order, with why they ended.
    fn life(&self) -> Vec<String> {
        let told = |change: &AlertChange| match change.transition.change {
            Change::Inactive(end) | Change::Resolved(end) => {
                format!("{} {}", change.transition.change.as_str(), end.why.as_str())
            }
            change => change.as_str().to_owned(),
        };
        self.changes().iter().map(told).collect()
    }

    /// What there is to deliver: of what kind, to how many alerts.
    fn deliveries(&self) -> Vec<String> {
        let all =
            self.history.deliveries(&DeliveryQuery { limit: 1000, ..DeliveryQuery::default() }).unwrap();
        all.iter().map(|delivery| format!("{} {}", delivery.kind.as_str(), delivery.count)).collect()
    }
}

#[actix::test]
async fn a_crowd_that_stays_fires_though_nothing_changes_any_more_and_is_resolved() {
    let held = Duration::from_secs(20);
    let world = watching("lobby", vec![Rule { hold_for: held, keep_firing_for: held, ..crowded() }]).await;
    world.source.join("lobby", "bob");
    world.pass(18.0).await;
    assert_eq!(world.life(), ["pending"]);
    world.pass(12.0).await;
    assert_eq!(world.life(), ["pending", "firing"], "every observation since repeats the first");
    world.source.leave("lobby", "bob");
    world.pass(18.0).await;
    assert_eq!(world.life().len(), 2, "it is not clear for long enough");
    world.pass(12.0).await;
    assert_eq!(world.life(), ["pending", "firing", "resolved cleared"]);
    let changes = world.changes();
    assert!(changes.iter().all(|change| change.transition.alert == changes[0].transition.alert));
    assert!(changes.iter().all(|change| change.transition.since == changes[0].transition.since));
    assert!(changes[0].transition.since.not_before.is_some());
    assert_eq!(world.deliveries(), ["firing 1", "resolved 1"]);
    assert!(world.history.standings(&channel("lobby")).unwrap().is_empty());
}

#[actix::test]
async fn a_restart_neither_forgets_an_alert_that_fires_nor_tells_it_again() {
    let world = watching("lobby", vec![crowded()]).await;
    world.source.join("lobby", "bob");
    world.pass(6.0).await;
    assert_eq!(world.life(), ["firing"]);
    let world = world.restart(Duration::from_secs(60)).await;
    world.pass(20.0).await;
    assert_eq!(world.life(), ["firing"]);
    world.source.leave("lobby", "bob");
    let world = world.restart(Duration::from_secs(60)).await;
    world.pass(20.0).await;
    assert_eq!(world.life(), ["firing", "resolved cleared"]);
    let changes = world.changes();
    assert_eq!(changes[0].transition.alert, changes[1].transition.alert);
}

#[actix::test]
async fn an_alert_that_was_pending_begins_anew_after_a_restart() {
    let world = watching("lobby", vec![Rule { hold_for: Duration::from_secs(30), ..crowded() }]).await;
    world.source.join("lobby", "bob");
    world.pass(20.0).await;
    let world = world.restart(Duration::from_secs(60)).await;
    world.pass(25.0).await;
    assert_eq!(world.life(), ["pending", "inactive gap", "pending"], "the run has a gap");
    world.pass(15.0).await;
    assert_eq!(world.life().last().map(String::as_str), Some("firing"));
}

#[actix::test]
async fn what_cannot_be_committed_is_judged_again_and_told_once() {
    let world = watching("lobby", vec![crowded()]).await;
    world.faults.unavailable.store(true, Ordering::Relaxed);
    world.source.join("lobby", "bob");
    world.pass(30.0).await;
    assert_eq!(world.life().len(), 0);
    world.faults.unavailable.store(false, Ordering::Relaxed);
    world.pass(12.0).await;
    assert_eq!(world.life(), ["firing"]);
    assert_eq!(world.deliveries(), ["firing 1"]);
}

#[actix::test]
async fn a_rule_that_is_edited_or_removed_ends_its_alerts_and_an_edited_one_begins_with_what_is() {
    let world = watching("lobby", vec![crowded()]).await;
    world.source.join("lobby", "bob");
    world.source.join("lobby", "cleo");
    world.pass(6.0).await;
    let two = Condition::OccupancyAbove { bound: 2, clear_below: 3 };
    world.adsum.set_alerting(alerting(vec![rule(two.clone())]));
    world.pass(2.0).await;
    assert_eq!(world.life(), ["firing", "resolved rule_changed", "firing"]);
    let severe = Rule { severity: Severity::Critical, ..rule(two) };
    world.adsum.set_alerting(alerting(vec![severe]));
    world.pass(2.0).await;
    assert_eq!(world.life().len(), 3, "how grave it is decides nothing");
    assert_eq!(world.history.standings(&channel("lobby")).unwrap()[0].severity, Severity::Critical);
    world.adsum.set_alerting(Alerting::default());
    world.pass(2.0).await;
    assert_eq!(world.life().last().map(String::as_str), Some("resolved rule_removed"));
    assert_eq!(
        world.deliveries(),
        ["firing 1", "resolved 1", "firing 1", "resolved 1"],
        "they were told, so they are"
    );
}

#[actix::test]
async fn a_rule_that_is_removed_while_adsum_is_down_ends_its_alerts_at_the_start() {
    let mut world = watching("lobby", vec![crowded()]).await;
    world.source.join("lobby", "bob");
    world.pass(6.0).await;
    world.settings.alerting = Alerting::default();
    let world = world.restart(Duration::from_secs(60)).await;
    world.pass(2.0).await;
    assert_eq!(world.life(), ["firing", "resolved rule_removed"]);
}

#[actix::test]
async fn the_end_of_a_watch_resolves_its_alerts() {
    let world = watching("other", vec![crowded()]).await;
    world.adsum.watch(Target::new("lobby").unwrap()).await.unwrap();
    world.source.join("lobby", "bob");
    world.pass(6.0).await;
    assert_eq!(world.life(), ["firing"]);
    world.adsum.unwatch(&Target::new("lobby").unwrap()).await.unwrap();
    world.pass(2.0).await;
    assert_eq!(world.life(), ["firing", "resolved unwatched"]);
}

fn silence(from: adsum::domain::time::Time, span: u64) -> Silence {
    let matcher = Matcher { rule: None, channel: Some(Target::new("lob*").unwrap()), severity: None };
    Silence::new(matcher, from, from.plus(Duration::from_secs(span)), "ada", "a party").unwrap()
}

#[actix::test]
async fn what_a_silence_mutes_is_recorded_and_told_when_it_is_over_if_it_fires_still() {
    let world = watching("lobby", vec![crowded()]).await;
    let kept = world.adsum.add_silence(silence(world.adsum.now(), 60)).await.unwrap();
    world.source.join("lobby", "bob");
    world.pass(30.0).await;
    let muted: Vec<_> = world.changes().iter().map(|change| change.muted).collect();
    assert_eq!((world.life(), muted), (vec!["firing".to_owned()], vec![Some(kept.id)]));
    assert_eq!(world.deliveries().len(), 0);
    world.pass(40.0).await;
    assert_eq!(world.life(), ["firing", "repeated"]);
    assert_eq!(world.deliveries(), ["repeated 1"]);
    world.source.leave("lobby", "bob");
    world.pass(6.0).await;
    assert_eq!(world.deliveries(), ["repeated 1", "resolved 1"]);
}

#[actix::test]
async fn of_the_end_of_what_nobody_was_told_nobody_is_told() {
    let world = watching("lobby", vec![crowded()]).await;
    let kept = world.adsum.add_silence(silence(world.adsum.now(), 60)).await.unwrap();
    world.source.join("lobby", "bob");
    world.pass(12.0).await;
    world.source.leave("lobby", "bob");
    world.pass(12.0).await;
    assert_eq!(world.life(), ["firing", "resolved cleared"]);
    assert!(world.changes().iter().all(|change| change.muted == Some(kept.id)));
    world.pass(60.0).await;
    assert_eq!(world.deliveries().len(), 0);
}

#[actix::test]
async fn a_channel_left_to_the_discoveries_is_judged_like_any_other() {
    let unobserved = Rule {
        name: RuleName::new("blind").unwrap(),
        hold_for: Duration::from_secs(100),
        ..rule(Condition::Unobserved)
    };
    let empty = Rule {
        repeat_every: Some(Duration::from_secs(60)),
        ..rule(Condition::OccupancyBelow { bound: 1, clear_above: 0 })
    };
    let world = watching("lob*", vec![empty, unobserved]).await;
    world.pass(60.0).await;
    world.source.leave("lobby", "ada");
    world.pass(90.0).await;
    assert!(world.life().starts_with(&["firing".to_owned(), "repeated".to_owned()]), "{:?}", world.life());
    let before = world.life().len();
    let down = trouble(GapReason::Unreachable, Failure::Service { retry_after: None });
    world.source.change(|service| service.trouble = Some(down));
    world.pass(400.0).await;
    let blind = RuleName::new("blind").unwrap();
    let of_blind: Vec<_> = world.changes().into_iter().filter(|change| change.rule == blind).collect();
    let kinds: Vec<_> = of_blind.iter().map(|change| change.transition.change.as_str()).collect();
    assert_eq!(kinds, ["pending", "firing"], "{:?}", world.life());
    assert!(world.life().len() > before + 2, "the other is repeated meanwhile");
    world.source.change(|service| service.trouble = None);
    world.source.join("lobby", "ada");
    world.pass(60.0).await;
    let ends = world.changes().into_iter().filter_map(|change| match change.transition.change {
        Change::Resolved(end) => Some((change.rule.to_string(), end.why)),
        _ => None,
    });
    let mut ends: Vec<_> = ends.collect();
    ends.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(ends, [("blind".to_owned(), Why::Cleared), ("rule".to_owned(), Why::Cleared)]);
}

#[actix::test]
async fn how_long_a_channel_is_not_observed_leaves_out_the_time_in_which_adsum_was_down() {
    let blind = Rule { hold_for: Duration::from_secs(100), ..rule(Condition::Unobserved) };
    let world = watching("lobby", vec![blind]).await;
    let down = trouble(GapReason::Unreachable, Failure::Service { retry_after: None });
    world.source.change(|service| service.trouble = Some(down));
    world.pass(60.0).await;
    assert_eq!(world.life(), ["pending"]);
    let world = world.restart(Duration::from_secs(3600)).await;
    world.pass(10.0).await;
    assert_eq!(world.life(), ["pending"], "it was not observed for an hour, of which adsum looked a minute");
    let world = world.restart(Duration::from_secs(3600)).await;
    world.pass(10.0).await;
    assert_eq!(world.life(), ["pending"]);
    world.pass(60.0).await;
    assert_eq!(world.life(), ["pending", "firing"]);
}

#[actix::test]
async fn a_rule_about_a_user_holds_for_whoever_was_there_already() {
    let present = Condition::UserPresent { user: user("ada") };
    let world = watching("lobby", vec![rule(present)]).await;
    assert_eq!(world.life(), ["firing"]);
    world.source.leave("lobby", "ada");
    world.pass(6.0).await;
    assert_eq!(world.life(), ["firing", "resolved cleared"]);
}
