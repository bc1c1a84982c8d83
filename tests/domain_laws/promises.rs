//! Promises of the specification that are easily broken where two rules meet.

use std::time::Duration;

use adsum::domain::answer::{Observed, Present, presence};
use adsum::domain::channel::{Channel, Checkpoint};
use adsum::domain::gap::{Gap, GapReason};
use adsum::domain::names::{ChannelName, UserId};
use adsum::domain::observation::{Observation, Occupant};
use adsum::domain::occupancy;
use adsum::domain::plan::{Failure, Limits, Plan};
use adsum::domain::state::Shown;
use adsum::domain::time::{Moment, Time, Window};
use adsum::domain::visit::Visit;
use adsum::domain::watch::Policy;

fn time(seconds: i64) -> Time {
    Time::from_micros(seconds * 1_000_000)
}

fn name(text: &str) -> ChannelName {
    ChannelName::new(text).unwrap()
}

fn seen(at: i64, users: &[&str]) -> Observation {
    let occupant = |user: &&str| Occupant { user: UserId::new(user).unwrap(), state: Shown::Unknown };
    let moment = Moment { earliest: time(at), latest: Time::from_micros(at * 1_000_000 + 1000) };
    Observation::new(moment, users.len() as u64, Some(users.iter().map(occupant).collect())).unwrap()
}

fn observe(channel: &mut Channel, at: i64, users: &[&str]) -> Vec<Gap> {
    let seen = seen(at, users);
    if let Some(changes) = channel.observe(&seen).unwrap() {
        channel.apply(&seen, &changes);
        return changes.gaps;
    }
    channel.confirm(&seen);
    Vec::new()
}

#[test]
fn nothing_is_known_where_one_gap_passes_into_the_next() {
    // Stopped at 20, started again at 50, and the service is down until 100.
    let mut channel = Channel::begin(name("lobby"), Duration::from_secs(15), time(0));
    observe(&mut channel, 10, &["ada"]);
    let stopped = channel.stop(time(20), GapReason::Stopped).gaps;
    channel.take_gaps(&stopped);
    let kept = Checkpoint {
        began: time(0),
        roster: channel.roster().clone(),
        run: channel.run().copied(),
        open_gaps: stopped,
    };
    let mut channel = Channel::resume(name("lobby"), Duration::from_secs(15), kept, time(50));
    channel.failed(GapReason::Timeout);
    let mut gaps = channel.overdue(time(70)).unwrap().gaps;
    channel.take_gaps(&gaps);
    let closed = observe(&mut channel, 100, &["ada"]);
    gaps.pop();
    gaps.extend(closed);
    assert_eq!(gaps.len(), 2, "{gaps:?}");
    observe(&mut channel, 110, &["ada"]);
    let run = channel.run().unwrap();
    let last = Some(run.last);
    let observed = Observed {
        began: time(0),
        since: Some(time(11)),
        complete_since: Some(time(11)),
        last,
        last_complete: last,
    };
    let visit = Visit {
        channel: name("lobby"),
        opened: 1,
        user: UserId::new("ada").unwrap(),
        joined: Window { not_before: None, not_after: time(11) },
        left: None,
        listed_until: run.last.earliest,
        state: Shown::Unknown,
        state_since: None,
    };
    for at in [49, 50, 51] {
        let answer = presence(Some(&observed), std::slice::from_ref(&visit), &gaps, None, time(at));
        assert_eq!(answer.present, Present::Unknown, "at {at}: {answer:?}");
        assert_eq!(occupancy::at(&[*run], &gaps, time(at)), None, "at {at}");
    }
}

#[test]
fn an_answer_to_another_request_does_not_cancel_retry_after() {
    let limits = Limits { channels: 1, address: 30_000, users: 20_000, cache_ttl: Duration::ZERO };
    let policy = Policy {
        interval: Duration::from_secs(5),
        gap_after: Duration::from_secs(15),
        include_state: true,
        include_uuids: true,
    };
    let mut plan = Plan::new(limits, time(0));
    for channel in ["a", "b"] {
        plan.watch(&name(channel), policy, time(0), time(0));
    }
    let asks = plan.due(time(9));
    assert_eq!(asks.len(), 2, "both are under way");
    let (one, other) = (&asks[0], &asks[1]);
    let failure = Failure::Key { retry_after: Some(Duration::from_secs(120)) };
    plan.failed(one, &failure, time(9), 0.0);
    // The other one was let through before the service said so, and its answer arrives now.
    plan.key_works(other);
    plan.answered(&other.channels[0], time(9), time(9), 1, false);
    for at in [9, 15, 60, 128] {
        assert_eq!(plan.due(time(at)), [], "at {at}: to be left alone until 129");
    }
    assert_eq!(plan.due(time(130)).len(), 1, "one request finds out");
}

#[test]
fn a_failure_after_a_step_of_the_clock_does_not_rename_the_gap_that_the_step_makes() {
    let mut channel = Channel::begin(name("lobby"), Duration::from_secs(15), time(0));
    observe(&mut channel, 10, &["ada"]);
    // The machine slept for an hour. What was under way when it woke fails before the next answer.
    channel.failed(GapReason::Clock);
    channel.failed(GapReason::Unreachable);
    let gaps = observe(&mut channel, 3610, &["ada"]);
    assert_eq!(gaps.iter().map(|gap| gap.reason).collect::<Vec<_>>(), [GapReason::Clock]);
}
