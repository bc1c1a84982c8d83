//! Alerts, as an adversary looks at them: each test is a case in which one was due and not told, or told and not due.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use adsum::actors::alarms::{Alarms, Downtime};
use adsum::actors::alerting::{Editions, Silences};
use adsum::actors::clock::Clock;
use adsum::actors::judge::{Judge, Proposal};
use adsum::actors::live::Live;
use adsum::domain::alert::{AlertState, Condition, Matcher, OnGap, Rule, RuleName, Silence};
use adsum::domain::channel::Channel;
use adsum::domain::gap::GapReason;
use adsum::domain::observation::{Observation, Occupant};
use adsum::domain::plan::Failure;
use adsum::domain::state::Shown;
use adsum::domain::time::{Moment, Time};
use adsum::domain::watch::Policy;
use adsum::history::alerts::{AlertChange, ChangeQuery, KeptSilence, Notice, Standing};
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use parking_lot::Mutex;

use crate::rules::{alerting, rule};
use crate::world::{FakeSource, INTERVAL, World, channel, settings, trouble, user};

const MINUTE: Duration = Duration::from_secs(60);

fn somebody() -> Condition {
    Condition::OccupancyAbove { bound: 0, clear_below: 1 }
}

/// What became of the alerts, in order.
fn changes(world: &World) -> Vec<AlertChange> {
    world.history.alert_changes(&ChangeQuery { limit: 1000, ..ChangeQuery::default() }).unwrap()
}

fn kinds(changes: &[AlertChange]) -> Vec<&'static str> {
    changes.iter().map(|change| change.transition.change.as_str()).collect()
}

/// Finding 1: what adsum was up in the gap was taken for time in which it was down, as nothing is recorded then.
#[actix::test]
async fn what_adsum_was_up_in_an_outage_counts_for_unobserved_also_after_a_restart() {
    let unobserved = Rule { hold_for: 10 * MINUTE, ..rule(Condition::Unobserved) };
    let settings =
        adsum::actors::handle::Settings { alerting: alerting([unobserved]), ..settings(&["lobby"]) };
    let world = World::start(settings, FakeSource::default()).await;
    world.pass(20.0).await;
    let began = world.adsum.now();
    let failure = Failure::Service { retry_after: None };
    world.source.change(|s| s.trouble = Some(trouble(GapReason::Unreachable, failure)));
    world.pass(540.0).await;
    let world = world.restart(Duration::from_secs(1)).await;
    world.pass(120.0).await;
    let changes = changes(&world);
    assert_eq!(kinds(&changes), ["pending", "firing"]);
    let late = changes[1].transition.at.since(began.plus(10 * MINUTE));
    assert!(late < Duration::from_secs(20), "{late:?}");
}

/// A world in which room.1 is dormant, and the commit in which its alert fires is under way.
async fn with_an_alert_that_is_being_recorded() -> World {
    let source = FakeSource::default();
    source.join("room.1", "ada");
    let nobody = Rule { hold_for: MINUTE, ..rule(Condition::OccupancyBelow { bound: 1, clear_above: 0 }) };
    let settings = adsum::actors::handle::Settings { alerting: alerting([nobody]), ..settings(&["room.*"]) };
    let world = World::start(settings, source).await;
    world.pass(12.0).await;
    world.source.leave("room.1", "ada");
    while kinds(&changes(&world)) != ["pending"] {
        world.pass(1.0).await;
    }
    world.pass(40.0).await;
    world.faults.slow.store(true, Ordering::SeqCst);
    let commits = world.faults.commits.lock().len();
    // The commit in which it fires is under way.
    while world.faults.commits.lock().len() == commits {
        tokio::time::advance(Duration::from_millis(500)).await;
        std::thread::sleep(Duration::from_millis(2));
        tokio::task::yield_now().await;
    }
    world
}

/// A stop that waits for what is being committed.
async fn begin_to_stop(world: &World) -> LocalBoxFuture<'_, ()> {
    let mut stop = world.adsum.stop().boxed_local();
    assert!((&mut stop).now_or_never().is_none(), "it waits for the commit");
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    stop
}

/// Finding 2: what was being recorded was judged again, as if it were not.
#[actix::test]
async fn a_stop_while_a_dormant_channels_alert_is_recorded_ends_nothing_that_was_told() {
    let world = with_an_alert_that_is_being_recorded().await;
    let stop = begin_to_stop(&world).await;
    world.faults.slow.store(false, Ordering::SeqCst);
    stop.await;
    assert_eq!(kinds(&changes(&world)), ["pending", "firing"]);
    let standings = world.history.standings(&channel("room.1")).unwrap();
    assert!(matches!(standings[0].state, AlertState::Firing(_)), "{standings:?}");
}

/// Finding 10: a commit that was lost may be done all the same, and then its alerts were judged twice.
#[actix::test]
async fn a_stop_while_the_record_of_a_dormant_channels_alert_is_lost_ends_nothing_that_was_told() {
    let world = with_an_alert_that_is_being_recorded().await;
    let stop = begin_to_stop(&world).await;
    world.faults.panic_after.store(true, Ordering::SeqCst);
    world.faults.slow.store(false, Ordering::SeqCst);
    stop.await;
    assert!(!world.faults.panic_after.load(Ordering::SeqCst), "the commit did panic");
    assert_eq!(kinds(&changes(&world)), ["pending", "firing"]);
}

/// Finding 3: the channel is loaded again and nobody knows any more that adsum was down.
#[actix::test]
async fn time_down_is_excluded_also_if_the_first_commit_after_the_start_is_lost() {
    let unobserved = Rule { hold_for: 5 * MINUTE, ..rule(Condition::Unobserved) };
    let settings =
        adsum::actors::handle::Settings { alerting: alerting([unobserved]), ..settings(&["lobby"]) };
    let world = World::start(settings, FakeSource::default()).await;
    world.pass(20.0).await;
    let failure = Failure::Service { retry_after: None };
    world.source.change(|s| s.trouble = Some(trouble(GapReason::Unreachable, failure)));
    world.pass(60.0).await;
    assert_eq!(kinds(&changes(&world)), ["pending"]);
    world.faults.panic_before.store(false, Ordering::SeqCst);
    world.adsum.stop().await;
    world.faults.panic_before.store(true, Ordering::SeqCst);
    let world = world.restart(60 * MINUTE).await;
    world.pass(60.0).await;
    assert!(!world.faults.panic_before.load(Ordering::SeqCst), "the commit did panic");
    assert_eq!(kinds(&changes(&world)), ["pending"], "two minutes are not five");
}

/// What is judged without an actor.
struct Bench {
    judge: Judge,
    live: Live,
    /// How the alerts stand, as the history would have them.
    kept: Mutex<BTreeMap<RuleName, Standing>>,
}

const START: Time = Time::from_micros(1_800_000_000_000_000);

fn at(seconds: f64) -> Time {
    START.plus(Duration::from_secs_f64(seconds))
}

fn seen(seconds: f64, users: &[&str]) -> Observation {
    let moment = Moment { earliest: at(seconds), latest: at(seconds) };
    let occupant = |id: &&str| Occupant { user: user(id), state: Shown::Unknown };
    Observation::new(moment, users.len() as u64, Some(users.iter().map(occupant).collect())).unwrap()
}

impl Bench {
    fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        tokio::time::pause();
        let judge = Judge {
            editions: Editions::new(alerting(rules)),
            silences: Silences::default(),
            clock: Clock::starting_at(START),
        };
        let policy =
            Policy { interval: INTERVAL, gap_after: 3 * INTERVAL, include_state: false, include_uuids: true };
        let live = Live::new(Channel::begin(channel("lobby"), policy.gap_after, START), policy);
        Self { judge, live, kept: Mutex::default() }
    }

    async fn until(&self, seconds: f64) {
        let wait = at(seconds).since(self.judge.clock.now());
        tokio::time::advance(wait).await;
    }

    /// Judges and commits.
    fn sees(&self, observation: Observation) -> Vec<Notice> {
        let changes = self.live.channel.read().changes(&observation).unwrap();
        self.take(&self.judge.propose(&self.live, Some(observation), changes))
    }

    fn rings(&self) -> Vec<Notice> {
        let changes = self.live.channel.read().unchanged();
        self.take(&self.judge.propose(&self.live, None, changes))
    }

    fn take(&self, proposal: &Proposal) -> Vec<Notice> {
        self.live.committed(proposal);
        let standings = proposal.entry.alerts.iter().map(|entry| entry.standing.clone());
        self.kept.lock().extend(standings.map(|standing| (standing.rule.clone(), standing)));
        proposal.entry.alerts.iter().flat_map(|entry| entry.notices.clone()).collect()
    }

    fn mute(&self, from: f64, until: f64) {
        let matcher = Matcher { rule: Some(RuleName::new("rule").unwrap()), channel: None, severity: None };
        let silence = Silence::new(matcher, at(from), at(until), "ada", "a test").unwrap();
        self.judge.silences.set(vec![KeptSilence { id: 1, created: at(from), silence }]);
    }
}

fn said(notices: &[Notice]) -> Vec<(&'static str, usize)> {
    notices.iter().map(|notice| (notice.transition.change.as_str(), notice.notify.len())).collect()
}

/// Finding 4: a repetition that was muted muted the end of what had been told.
#[actix::test]
async fn who_was_told_that_it_fires_is_told_of_the_end_after_a_silence_that_muted_a_repetition() {
    let bench = Bench::new([Rule { repeat_every: Some(MINUTE), ..rule(somebody()) }]);
    assert_eq!(said(&bench.sees(seen(1.0, &["ada"]))), [("firing", 1)]);
    bench.mute(30.0, 90.0);
    bench.until(62.0).await;
    assert_eq!(said(&bench.rings()), [("repeated", 0)]);
    bench.until(90.5).await;
    assert_eq!(said(&bench.sees(seen(90.5, &[]))), [("resolved", 1)]);
}

/// What was never told is told once the silence is over, and so is its end.
#[actix::test]
async fn what_was_muted_is_told_when_the_silence_is_over_and_not_before() {
    let bench = Bench::new([rule(somebody())]);
    bench.mute(0.0, 30.0);
    assert_eq!(said(&bench.sees(seen(1.0, &["ada"]))), [("firing", 0)]);
    bench.until(20.0).await;
    assert_eq!(said(&bench.rings()), []);
    bench.until(31.0).await;
    assert!(bench.judge.is_due(&bench.live, 1, bench.judge.clock.now()));
    assert_eq!(said(&bench.rings()), [("repeated", 1)]);
    bench.until(40.0).await;
    assert_eq!(said(&bench.sees(seen(40.0, &[]))), [("resolved", 1)]);
}

/// Finding 5: at each reading of the configuration a gap was judged that is in no record.
#[actix::test]
async fn another_edition_of_the_rules_does_not_make_a_gap_of_what_is_none() {
    let bench = Bench::new([rule(Condition::Unobserved)]);
    assert_eq!(said(&bench.sees(seen(1.0, &[]))), []);
    bench.judge.editions.publish(alerting([rule(Condition::Unobserved)]));
    // It arrived in time, and is judged a little later.
    bench.until(16.5).await;
    assert_eq!(said(&bench.sees(seen(15.5, &[]))), []);
}

/// Finding 6: an alert fired before its rule was there.
#[actix::test]
async fn what_a_new_rule_finds_is_known_when_the_rule_is_new() {
    let bench = Bench::new([rule(somebody())]);
    assert_eq!(said(&bench.sees(seen(1.0, &["ada"]))), [("firing", 1)]);
    bench.until(10.0).await;
    bench.judge.editions.publish(alerting([Rule { keep_firing_for: MINUTE, ..rule(somebody()) }]));
    let notices = bench.rings();
    assert_eq!(said(&notices), [("resolved", 1), ("firing", 1)]);
    let times: Vec<Time> = notices.iter().map(|notice| notice.transition.at).collect();
    assert_eq!(times, [at(10.0), at(10.0)]);
}

/// Finding 7: the record said that it had ceased to hold.
#[actix::test]
async fn what_a_gap_made_pending_and_an_observation_shows_to_hold_is_not_recorded_as_cleared() {
    let bench = Bench::new([Rule { on_gap: OnGap::Fire, hold_for: MINUTE, ..rule(somebody()) }]);
    assert_eq!(said(&bench.sees(seen(1.0, &[]))), []);
    bench.until(17.0).await;
    let overdue = bench.live.channel.read().overdue(bench.judge.clock.now()).unwrap();
    let proposal = bench.judge.propose(&bench.live, None, overdue);
    assert_eq!(said(&bench.take(&proposal)), [("pending", 0)]);
    bench.until(20.0).await;
    let notices = bench.sees(seen(20.0, &["ada"]));
    assert_eq!(said(&notices), [], "the condition holds: nothing is cleared, and it counts from here");
    assert!(bench.live.alarms.read().may_skip(&seen(25.0, &["ada"])), "not yet");
}

/// Finding 3: what could not be recorded for an hour after the start is not an hour in which adsum was down.
#[actix::test]
async fn a_history_that_cannot_be_written_after_the_start_does_not_make_the_time_down_longer() {
    let bench = Bench::new([Rule { hold_for: MINUTE, ..rule(Condition::Unobserved) }]);
    bench.sees(seen(1.0, &[]));
    bench.until(17.0).await;
    let overdue = bench.live.channel.read().overdue(bench.judge.clock.now()).unwrap();
    let proposal = bench.judge.propose(&bench.live, None, overdue);
    assert_eq!(said(&bench.take(&proposal)), [("pending", 0)]);
    let standings = proposal.entry.alerts.iter().map(|entry| entry.standing.clone()).collect();
    // Down from 20 to 30.
    bench.until(30.0).await;
    *bench.live.alarms.write() = Alarms::loaded(standings, Some(Downtime { from: at(20.0), to: at(30.0) }));
    drop(bench.judge.propose(&bench.live, None, bench.live.channel.read().unchanged()));
    bench.until(72.0).await;
    assert_eq!(said(&bench.rings()), [("firing", 1)], "60 s after 1 s, and 10 s down");
}

/// Finding 8: who was told that it fires hears of its end.
#[actix::test]
async fn a_notifier_that_its_rule_does_not_name_any_more_hears_of_the_end_of_what_it_was_told() {
    let bench = Bench::new([rule(somebody())]);
    assert_eq!(said(&bench.sees(seen(1.0, &["ada"]))), [("firing", 1)]);
    bench.judge.editions.publish(alerting([Rule { notify: Vec::new(), ..rule(somebody()) }]));
    bench.rings();
    bench.until(5.0).await;
    assert_eq!(said(&bench.sees(seen(5.0, &[]))), [("resolved", 1)]);
}

/// The history has alerts by name, the configuration in an order of its own.
#[actix::test]
async fn of_many_rules_each_alert_is_told_again_in_its_time_whatever_their_order() {
    let named = |name: &str, minutes: u32| Rule {
        name: RuleName::new(name).unwrap(),
        repeat_every: Some(minutes * MINUTE),
        ..rule(somebody())
    };
    let bench = Bench::new([named("z", 1), rule(Condition::Unobserved), named("a", 2), named("m", 3)]);
    assert_eq!(said(&bench.sees(seen(1.0, &["ada"]))).len(), 3);
    for (seconds, due) in [(62.0, 1), (122.0, 2), (182.0, 2)] {
        bench.until(seconds).await;
        assert!(bench.judge.is_due(&bench.live, 1, bench.judge.clock.now()));
        assert!(!bench.live.alarms.read().may_skip(&seen(seconds, &["ada"])));
        assert_eq!(said(&bench.rings()), vec![("repeated", 1); due], "at {seconds}");
        assert!(bench.live.alarms.read().may_skip(&seen(seconds, &["ada"])));
    }
    // As after a restart: in the order of the history.
    let kept = bench.kept.lock().values().cloned().collect();
    *bench.live.alarms.write() = Alarms::loaded(kept, None);
    assert_eq!(said(&bench.rings()), []);
    bench.until(243.0).await;
    assert!(bench.judge.is_due(&bench.live, 1, bench.judge.clock.now()));
    assert_eq!(said(&bench.rings()), vec![("repeated", 1); 2]);
}
