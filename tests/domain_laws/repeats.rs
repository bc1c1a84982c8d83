//! Observations that change nothing, and states that are asked for only now and then.

use std::collections::BTreeMap;

use adsum::domain::event::EventKind;
use adsum::domain::observation::{Observation, Seen};
use proptest::prelude::*;

use crate::plan::{days, hard_days};
use crate::tries;
use crate::watcher::Sim;
use crate::world::{still_worlds, worlds};

/// The same again in another order, long enough after to be certainly later, soon enough to open no gap.
fn again(seen: &Observation, turn: usize, after: i64) -> Observation {
    let mut again = seen.clone();
    let step = std::time::Duration::from_micros(after.unsigned_abs());
    again.moment.earliest = seen.moment.latest.plus(step);
    again.moment.latest = again.moment.earliest.plus(std::time::Duration::from_micros(1));
    if let Seen::Complete(listed) | Seen::Truncated { listed, .. } = &mut again.seen
        && !listed.is_empty()
    {
        let turn = turn % listed.len();
        listed.rotate_left(turn);
        if turn % 2 == 1 {
            listed.reverse();
        }
    }
    again
}

proptest! {
    #![proptest_config(tries(400))]

    #[test]
    fn an_unchanged_observation_changes_nothing_in_any_order(
        world in worlds(), plan in hard_days(), turn in 0..7_usize, after in 0..5_i64,
    ) {
        Sim::run(&world, &plan, |sim| {
            if let Some(last) = sim.good.last().filter(|_| sim.channel.open_gap(crate::world::t(i64::MIN)).is_none()) {
                // While the users are unobserved, time alone may open a partial gap.
                if last.is_complete() {
                    let again = again(&last.seen, turn, after);
                    assert_eq!(sim.channel.observe(&again), Ok(None), "{again:?}");
                    assert_eq!(sim.channel.repeats(&again), Ok(true));
                }
            }
        });
    }

    #[test]
    fn an_unchanged_truncated_or_count_observation_writes_no_event(
        world in worlds(), plan in hard_days(), turn in 0..7_usize, after in 0..5_i64,
    ) {
        Sim::run(&world, &plan, |sim| {
            if let Some(last) = sim.good.last() {
                let again = again(&last.seen, turn, after);
                if let Ok(Some(changes)) = sim.channel.observe(&again) {
                    assert_eq!(changes.events, []);
                }
            }
        });
    }

    #[test]
    fn asking_for_states_only_now_and_then_changes_nothing(world in still_worlds(), plan in hard_days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        let mut times = BTreeMap::new();
        for event in &sim.record.events {
            prop_assert!(matches!(event.kind, EventKind::Present | EventKind::Settled), "{event:?}");
            *times.entry((event.user.clone(), event.kind.as_str())).or_insert(0) += 1;
        }
        prop_assert!(times.values().all(|&times| times == 1), "{times:?}");
    }

    /// A state is forgotten neither by lists without states nor by lists without the user.
    #[test]
    fn a_state_once_known_stays_known_until_it_changes(world in worlds(), plan in days()) {
        let mut states = BTreeMap::new();
        Sim::run(&world, &plan, |sim| {
            for (user, member) in sim.channel.roster().members() {
                let before = states.insert((user.clone(), member.opened), member.state.clone());
                let changed = before.is_some_and(|before| before.is_known() && before != member.state);
                let told = sim.record.commits.last().is_some_and(|commit| {
                    commit.changes.events.iter().any(|event| event.kind == EventKind::State && event.user == *user)
                });
                assert!(!changed || told, "{user} {member:?}");
            }
        });
    }
}
