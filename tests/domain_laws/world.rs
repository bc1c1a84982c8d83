//! The truth: who was in the one channel, when, with which state. Times are small whole microseconds, so that
//! instants often coincide and a wrong comparison shows.

use adsum::domain::names::UserId;
use adsum::domain::observation::Occupant;
use adsum::domain::state::{Shown, State};
use adsum::domain::time::Time;
use proptest::prelude::*;

/// The instant from which all plans count.
pub(crate) const START: i64 = 1_000_000;

pub(crate) fn t(micros: i64) -> Time {
    Time::from_micros(micros)
}

/// One user's uninterrupted stay, `[from, to)`.
#[derive(Clone, Debug)]
pub(crate) struct Stay {
    pub(crate) user: usize,
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// Since when the user had which state; the first since `from`.
    pub(crate) states: Vec<(i64, u8)>,
}

/// Everything that truly happened.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) users: usize,
    /// In order of time.
    pub(crate) stays: Vec<Stay>,
}

pub(crate) fn user(index: usize) -> UserId {
    UserId::new(&format!("u{index}")).unwrap()
}

pub(crate) fn index(user: &UserId) -> usize {
    user.as_str()[1..].parse().unwrap()
}

/// State 0 is none.
pub(crate) fn shown(state: u8) -> Shown {
    if state == 0 { Shown::Empty } else { Shown::Value(State::new(state.into())) }
}

impl World {
    /// `changes`: the time since the change before, the user, and what happens.
    pub(crate) fn new(users: usize, begin: i64, changes: &[(i64, usize, u8)]) -> Self {
        let mut now = begin;
        let mut open: Vec<Option<Stay>> = vec![None; users];
        let mut stays = Vec::new();
        for &(wait, user, what) in changes {
            now += wait;
            let user = user % users;
            match open[user].take() {
                None => {
                    open[user] = Some(Stay { user, from: now, to: i64::MAX, states: vec![(now, what % 3)] });
                }
                Some(mut stay) if what < 4 => {
                    if stay.states.last().unwrap().1 != what % 3 {
                        if stay.states.last().unwrap().0 == now {
                            stay.states.pop();
                        }
                        if stay.states.last().is_none_or(|last| last.1 != what % 3) {
                            stay.states.push((now, what % 3));
                        }
                    }
                    open[user] = Some(stay);
                }
                Some(stay) => stays.extend((stay.from < now).then_some(Stay { to: now, ..stay })),
            }
        }
        stays.extend(open.into_iter().flatten());
        stays.sort_by_key(|stay| (stay.from, stay.user));
        Self { users, stays }
    }

    pub(crate) fn of(&self, user: usize) -> impl Iterator<Item = &Stay> + Clone {
        self.stays.iter().filter(move |stay| stay.user == user)
    }

    pub(crate) fn stay(&self, user: usize, at: i64) -> Option<&Stay> {
        self.of(user).find(|stay| stay.from <= at && at < stay.to)
    }

    /// The absence of the user that holds `at`, as `[from, to)`.
    pub(crate) fn absence(&self, user: usize, at: i64) -> Option<(i64, i64)> {
        let from = self.of(user).map(|stay| stay.to).filter(|&to| to <= at).max().unwrap_or(i64::MIN);
        let to = self.of(user).map(|stay| stay.from).filter(|&from| from > at).min().unwrap_or(i64::MAX);
        self.stay(user, at).is_none().then_some((from, to))
    }

    /// What the service holds at an instant.
    pub(crate) fn view(&self, at: i64, states: bool) -> Vec<Occupant> {
        (0..self.users)
            .filter_map(|who| {
                let stay = self.stay(who, at)?;
                let (_, state) = stay.states.iter().rev().find(|(since, _)| *since <= at)?;
                let state = if states { shown(*state) } else { Shown::Unknown };
                Some(Occupant { user: user(who), state })
            })
            .collect()
    }
}

/// People who come, go and change their state; now and then at the same instant.
pub(crate) fn worlds() -> impl Strategy<Value = World> {
    let wait = prop_oneof![2 => Just(0_i64), 6 => 1..12_i64, 6 => 10..80_i64, 1 => 100..400_i64];
    (1..5_usize, prop::collection::vec((wait, 0..5_usize, 0..8_u8), 0..40))
        .prop_map(|(users, changes)| World::new(users, START - 60, &changes))
}

/// People who are all there from before the first question until after the last, unchanged.
pub(crate) fn still_worlds() -> impl Strategy<Value = World> {
    prop::collection::vec((Just(0_i64), 0..5_usize, 0..8_u8), 0..5).prop_map(|changes| {
        let mut there = [false; 5];
        let arrivals: Vec<_> =
            changes.into_iter().filter(|&(_, user, _)| !std::mem::replace(&mut there[user], true)).collect();
        World::new(5, START - 1000, &arrivals)
    })
}
