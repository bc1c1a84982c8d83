//! The truth: who was in which channel when, with which state; and which channels a group held. Times are microseconds of
//! true time since the simulation began.

use std::collections::BTreeMap;

use crate::dice::Dice;
use crate::plan::{Kind, Plan, SECOND};

/// One stay of one user in one channel, `[from, to)`.
#[derive(Clone, Debug)]
pub(crate) struct Stay {
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// What the state was from when on; the first begins with the stay. 0 is no state.
    pub(crate) states: Vec<(i64, u32)>,
}

impl Stay {
    pub(crate) fn holds(&self, at: i64) -> bool {
        self.from <= at && at < self.to
    }

    pub(crate) fn state(&self, at: i64) -> u32 {
        self.states.iter().rfind(|(since, _)| *since <= at).map_or(0, |(_, state)| *state)
    }
}

/// A user in a channel at an instant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Here {
    pub(crate) user: String,
    pub(crate) state: u32,
    since: i64,
}

/// Everything that is true.
pub(crate) struct Truth {
    /// By channel and user; a user's stays in order of time, never touching.
    pub(crate) stays: BTreeMap<(String, String), Vec<Stay>>,
    /// When a channel was in the group.
    grouped: BTreeMap<String, Vec<(i64, i64)>>,
    /// Whether the service lists users in the order of their ids, or of their coming.
    by_id: bool,
}

impl Truth {
    pub(crate) fn new(plan: &Plan, dice: &mut Dice) -> Self {
        let mut stays = BTreeMap::new();
        for (channel, _) in &plan.channels {
            for number in 0..plan.users {
                let user = user_id(number);
                let of_user = stays_of(plan, dice);
                if !of_user.is_empty() {
                    stays.insert((channel.clone(), user), of_user);
                }
            }
        }
        let in_group = plan.channels.iter().filter(|(_, kind)| *kind == Kind::InGroup);
        let grouped = in_group.map(|(channel, _)| (channel.clone(), memberships(plan, dice))).collect();
        Self { stays, grouped, by_id: dice.chance(0.5) }
    }

    /// Who is in a channel, in the service's order.
    pub(crate) fn here(&self, channel: &str, at: i64) -> Vec<Here> {
        let mut here: Vec<Here> = self
            .of_channel(channel)
            .filter_map(|(user, stays)| {
                let stay = stays.iter().find(|stay| stay.holds(at))?;
                Some(Here { user: user.to_owned(), state: stay.state(at), since: stay.from })
            })
            .collect();
        if !self.by_id {
            here.sort_by(|one, other| (one.since, &one.user).cmp(&(other.since, &other.user)));
        }
        here
    }

    pub(crate) fn of_channel<'a>(&'a self, channel: &'a str) -> impl Iterator<Item = (&'a str, &'a [Stay])> {
        let of = self.stays.range((channel.to_owned(), String::new())..);
        of.take_while(move |((of, _), _)| of == channel).map(|((_, user), stays)| (user.as_str(), &stays[..]))
    }

    pub(crate) fn of_user(&self, channel: &str, user: &str) -> &[Stay] {
        self.stays.get(&(channel.to_owned(), user.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// Whether nobody comes to or leaves the channel in a span.
    pub(crate) fn stands_still(&self, channel: &str, from: i64, to: i64) -> bool {
        let inside = |at: i64| from <= at && at <= to;
        self.of_channel(channel)
            .flat_map(|(_, stays)| stays)
            .all(|stay| !inside(stay.from) && !inside(stay.to))
    }

    /// The channels in the group.
    pub(crate) fn group(&self, at: i64) -> Vec<&str> {
        let holds = |spans: &[(i64, i64)]| spans.iter().any(|(from, to)| *from <= at && at < *to);
        self.grouped.iter().filter(|(_, spans)| holds(spans)).map(|(name, _)| name.as_str()).collect()
    }

    /// The span around `at` in which the user is there or is not there, all the while.
    pub(crate) fn stretch(&self, channel: &str, user: &str, at: i64) -> (bool, i64, i64) {
        let mut since = i64::MIN;
        for stay in self.of_user(channel, user) {
            if at < stay.from {
                return (false, since, stay.from);
            }
            if at < stay.to {
                return (true, stay.from, stay.to);
            }
            since = stay.to;
        }
        (false, since, i64::MAX)
    }
}

/// Ids as people choose them.
pub(crate) fn user_id(number: usize) -> String {
    match number % 7 {
        5 => format!("ü, \"{number}\"/%"),
        6 => format!("{}-{number}", "long".repeat(20)),
        _ => format!("u{number:02}"),
    }
}

fn stays_of(plan: &Plan, dice: &mut Dice) -> Vec<Stay> {
    let mut stays = Vec::new();
    if dice.chance(0.3) {
        return stays;
    }
    // Some flap, some stay.
    let longest = *dice.pick(plan.spans);
    let mut at = if dice.chance(0.4) { -dice.span(1.0, 100.0) } else { dice.span(0.5, longest) };
    while at < plan.still_from {
        let mut to = at + dice.span(0.05, longest);
        if to >= plan.still_from {
            // Nothing changes any more near the end: some stay for good.
            to = if dice.chance(0.7) { i64::MAX } else { plan.still_from };
        }
        stays.push(Stay { from: at, to, states: states(at, to.min(plan.still_from), dice) });
        if to == i64::MAX {
            break;
        }
        at = to + dice.span(0.05, longest);
    }
    stays.retain(|stay| stay.from < stay.to);
    stays
}

fn states(from: i64, to: i64, dice: &mut Dice) -> Vec<(i64, u32)> {
    let mut states = vec![(from, u32::from(dice.chance(0.5)))];
    let mut at = from + dice.span(0.5, 60.0);
    while at < to && dice.chance(0.7) {
        let before = states[states.len() - 1].1;
        let next = (before + 1 + u32::try_from(dice.below(3)).unwrap()) % 5;
        states.push((at, next));
        at += dice.span(0.2, 60.0);
    }
    states
}

fn memberships(plan: &Plan, dice: &mut Dice) -> Vec<(i64, i64)> {
    if dice.chance(0.6) {
        return vec![(i64::MIN, i64::MAX)];
    }
    let leaves = dice.int(0, plan.still_from);
    let returns = leaves + dice.span(5.0, 100.0);
    // Back early enough to be found and seen before the end.
    let returns = returns.min(plan.still_from + 5 * SECOND).max(leaves);
    vec![(i64::MIN, leaves), (returns, i64::MAX)]
}
