//! What one observation costs: an unchanged one, and one in which 1 % of the users changed.
//!
//! `make bench`, or `cargo bench --bench observe`.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use adsum::domain::channel::Channel;
use adsum::domain::names::{ChannelName, UserId};
use adsum::domain::observation::{Observation, Occupant};
use adsum::domain::state::{Shown, State};
use adsum::domain::time::{Moment, Time};
use divan::{Bencher, black_box};

const SECOND: i64 = 1_000_000;

fn main() {
    divan::main();
}

/// An observation of users `first` to `first + users`, in a shuffled order, true around a second.
fn observation(second: i64, first: usize, users: usize) -> Observation {
    let state = Shown::Value(State::new(serde_json::json!({"mood": "ok"})));
    let mut listed: Vec<Occupant> = (first..first + users)
        .map(|n| Occupant { user: UserId::new(&format!("user-{n:07}")).unwrap(), state: state.clone() })
        .collect();
    fastrand::Rng::with_seed(7).shuffle(&mut listed);
    let moment = Moment::of_request(
        Time::from_micros(second * SECOND),
        Time::from_micros(second * SECOND),
        Duration::ZERO,
    );
    Observation::new(moment, users as u64, Some(listed)).unwrap()
}

/// A channel in which so many users are.
fn channel(users: usize) -> Channel {
    let mut channel =
        Channel::begin(ChannelName::new("hall").unwrap(), Duration::from_secs(60), Time::from_micros(0));
    let seen = observation(1, 0, users);
    let changes = channel.observe(&seen).unwrap().unwrap();
    channel.apply(&seen, &changes);
    channel
}

#[divan::bench(args = [20, 1_000, 100_000])]
fn an_unchanged_observation(bencher: Bencher<'_, '_>, users: usize) {
    let (channel, seen) = (channel(users), observation(2, 0, users));
    bencher.bench(|| assert!(black_box(&channel).repeats(black_box(&seen)).unwrap()));
}

#[divan::bench(args = [1_000, 100_000])]
fn an_observation_in_which_one_percent_changed(bencher: Bencher<'_, '_>, users: usize) {
    let (channel, seen) = (channel(users), observation(2, users / 200, users));
    bencher.bench(|| {
        let changes = black_box(&channel).observe(black_box(&seen)).unwrap().unwrap();
        assert_eq!(changes.events.len(), users / 200 * 2);
    });
}
