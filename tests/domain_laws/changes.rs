//! Events and visits against the truth.

use std::collections::{BTreeMap, BTreeSet};

use adsum::domain::event::{Event, EventKind};
use adsum::domain::observation::Grade;
use adsum::domain::state::Shown;
use adsum::domain::time::{Moment, Window};
use proptest::prelude::*;

use crate::plan::{Plan, days, discovered_days, hard_days};
use crate::tries;
use crate::watcher::Sim;
use crate::world::{World, index, shown, t, worlds};

/// Instants at which the user truly changed in the way of the event, in order of time.
fn causes(world: &World, event: &Event) -> Vec<i64> {
    let stays = world.of(index(&event.user));
    match event.kind {
        EventKind::Join => stays.map(|stay| stay.from).collect(),
        EventKind::Leave => stays.map(|stay| stay.to).collect(),
        EventKind::State => stays
            .flat_map(|stay| &stay.states)
            .filter(|(_, state)| shown(*state) == event.state)
            .map(|(since, _)| *since)
            .collect(),
        EventKind::Present | EventKind::Settled => Vec::new(),
    }
}

fn is_change(kind: EventKind) -> bool {
    matches!(kind, EventKind::Join | EventKind::Leave | EventKind::State)
}

fn hold_their_causes(world: &World, plan: &Plan) -> Result<(), TestCaseError> {
    let sim = Sim::run(world, plan, |_| ());
    let mut reached: BTreeMap<(String, &str), i64> = BTreeMap::new();
    for event in sim.record.events.iter().filter(|event| is_change(event.kind)) {
        prop_assert!(event.window.not_before.is_some(), "{event:?}");
        let last = reached.entry((event.user.to_string(), event.kind.as_str())).or_insert(i64::MIN);
        let cause = causes(world, event).into_iter().find(|&at| at > *last && event.window.contains(t(at)));
        prop_assert!(cause.is_some(), "nothing caused {event:?}");
        *last = cause.unwrap();
    }
    Ok(())
}

proptest! {
    #![proptest_config(tries(400))]

    /// Each change of a user is told by at most one event: the causes are taken in order.
    #[test]
    fn every_join_leave_and_state_window_holds_a_true_change_of_its_own(world in worlds(), plan in hard_days()) {
        hold_their_causes(&world, &plan)?;
    }

    #[test]
    fn windows_that_rest_on_a_discovery_hold_their_causes_too(world in worlds(), plan in discovered_days()) {
        hold_their_causes(&world, &plan)?;
    }

    #[test]
    fn an_answer_that_may_be_older_than_the_last_is_dropped(world in worlds(), plan in hard_days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        prop_assert_eq!(sim.outdated, 0);
    }

    /// SPEC section 2, Order: "no route (batch, retry, split, page, discovery)".
    #[test]
    fn an_answer_that_may_be_older_than_the_discovery_is_dropped(world in worlds(), plan in discovered_days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        prop_assert_eq!(sim.outdated, 0);
    }

    #[test]
    fn joins_and_leaves_of_a_user_have_true_causes_in_the_same_order(world in worlds(), plan in hard_days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        let mut reached: BTreeMap<String, i64> = BTreeMap::new();
        for event in &sim.record.events {
            if matches!(event.kind, EventKind::Join | EventKind::Leave) {
                let last = reached.entry(event.user.to_string()).or_insert(i64::MIN);
                let cause = causes(&world, event).into_iter().find(|&at| at >= *last && event.window.contains(t(at)));
                prop_assert!(cause.is_some(), "{event:?} has no cause after {last}");
                *last = cause.unwrap();
            }
        }
    }

    #[test]
    fn a_present_has_no_earliest_time_and_its_user_was_there(world in worlds(), plan in hard_days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        for commit in &sim.record.commits {
            for event in commit.changes.events.iter().filter(|event| event.kind == EventKind::Present) {
                prop_assert_eq!(event.window.not_before, None);
                let moment = commit.seen.as_ref().unwrap().moment;
                prop_assert_eq!(event.window.not_after, moment.latest);
                let there = world.of(index(&event.user)).any(|stay| t(stay.from) <= moment.latest && moment.earliest < t(stay.to));
                prop_assert!(there, "{event:?}");
            }
        }
    }

    #[test]
    fn arrivals_and_leaves_alternate_for_each_user(world in worlds(), plan in discovered_days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        let mut inside = BTreeSet::new();
        for event in &sim.record.events {
            match event.kind {
                EventKind::Join | EventKind::Present => prop_assert!(inside.insert(event.user.clone()), "{event:?}"),
                EventKind::Leave => prop_assert!(inside.remove(&event.user), "{event:?}"),
                EventKind::State | EventKind::Settled => prop_assert!(inside.contains(&event.user), "{event:?}"),
            }
        }
    }

    #[test]
    fn events_are_numbered_without_holes(world in worlds(), plan in hard_days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        for (event, seq) in sim.record.events.iter().zip(1..) {
            prop_assert_eq!(event.seq, seq);
        }
        prop_assert_eq!(sim.channel.roster().seq(), sim.record.events.len() as u64);
    }

    #[test]
    fn replaying_the_events_gives_the_roster(world in worlds(), plan in discovered_days()) {
        Sim::run(&world, &plan, |sim| {
            let visits: Vec<_> = sim.visits().into_iter().filter(|visit| visit.left.is_none()).collect();
            let members = sim.channel.roster().members();
            assert_eq!(visits.len(), members.len());
            for visit in visits {
                let member = &members[&visit.user];
                assert_eq!((member.opened, member.joined), (visit.opened, visit.joined));
                assert_eq!((&member.state, member.state_since), (&visit.state, visit.state_since));
            }
        });
    }

    #[test]
    fn after_a_complete_observation_the_roster_is_what_it_lists(world in worlds(), plan in hard_days()) {
        Sim::run(&world, &plan, |sim| {
            if let Some(last) = sim.good.last().filter(|last| last.is_complete()) {
                let listed: BTreeSet<_> = last.seen.listed().iter().map(|occupant| occupant.user.clone()).collect();
                let members: BTreeSet<_> = sim.channel.roster().members().keys().cloned().collect();
                assert_eq!(members, listed);
            }
        });
    }

    #[test]
    fn every_stay_that_outlasts_a_complete_observation_is_recorded_once(world in worlds(), plan in discovered_days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        let visits = sim.visits();
        let mut recorded = BTreeMap::new();
        for (number, stay) in world.stays.iter().enumerate() {
            let name = crate::world::user(stay.user);
            for seen in sim.complete().into_iter().filter(|seen| stay.from <= seen.earliest() && seen.latest() < stay.to) {
                let of_it: Vec<_> = visits
                    .iter()
                    .filter(|visit| visit.user == name && visit.joined.not_after <= t(seen.latest()))
                    .filter(|visit| visit.left.is_none_or(|left| left.not_after > t(seen.latest())))
                    .map(|visit| visit.opened)
                    .collect();
                prop_assert_eq!(of_it.len(), 1, "{:?} at {:?}: {:?}", stay, seen, of_it);
                let before = recorded.insert(number, of_it[0]);
                prop_assert!(before.is_none_or(|before| before == of_it[0]), "{stay:?} is recorded twice");
            }
        }
    }

    /// An absence that holds a whole complete observation parts two visits.
    #[test]
    fn every_absence_that_outlasts_a_complete_observation_is_recorded(world in worlds(), plan in hard_days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        for visit in sim.visits() {
            let who = index(&visit.user);
            for seen in sim.complete() {
                let (first, last) = (visit.joined.not_after, visit.left.map(|left| left.not_after));
                if t(seen.latest()) > first && last.is_none_or(|last| t(seen.latest()) < last) {
                    let absent = world.absence(who, seen.earliest());
                    prop_assert!(absent.is_none_or(|(_, until)| seen.latest() >= until), "{visit:?} holds {seen:?}");
                }
            }
        }
    }

    #[test]
    fn a_leave_comes_only_from_a_complete_observation_without_the_user(world in worlds(), plan in hard_days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        for commit in &sim.record.commits {
            for event in commit.changes.events.iter().filter(|event| event.kind == EventKind::Leave) {
                let seen = commit.seen.as_ref().unwrap();
                prop_assert_eq!(seen.grade(), Grade::Complete);
                prop_assert!(seen.listed().iter().all(|occupant| occupant.user != event.user));
            }
        }
    }

    #[test]
    fn an_event_carries_the_occupancy_and_state_that_were_seen(world in worlds(), plan in hard_days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        for commit in &sim.record.commits {
            for event in &commit.changes.events {
                let seen = commit.seen.as_ref().unwrap();
                prop_assert_eq!(event.occupancy, seen.occupancy());
                let occupant = seen.listed().iter().find(|occupant| occupant.user == event.user);
                if event.kind != EventKind::Leave {
                    prop_assert_eq!(&event.state, &occupant.unwrap().state);
                }
            }
        }
    }

    #[test]
    fn the_time_proven_of_a_visit_is_at_most_the_longest_possible(world in worlds(), plan in hard_days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        for visit in sim.visits() {
            let length = visit.length(&sim.record.gaps(), t(sim.now), None);
            prop_assert_eq!(length.max.is_some(), visit.joined.not_before.is_some());
            prop_assert!(length.max.is_none_or(|max| length.min <= max), "{:?} of {:?}", length, visit);
        }
    }

    /// So that `merge` joins no visits that a longer absence parts.
    #[test]
    fn the_longest_absence_between_two_visits_is_no_shorter_than_the_true_one(world in worlds(), plan in hard_days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        let visits = sim.visits();
        for (number, visit) in visits.iter().enumerate() {
            let Some(next) = visits[number + 1..].iter().find(|next| next.user == visit.user) else { continue };
            let who = index(&visit.user);
            let parting = sim.complete().into_iter().find(|seen| visit.left.is_some_and(|left| left.not_after == t(seen.latest())));
            let (from, to) = world.absence(who, parting.unwrap().view).unwrap();
            let longest = visit.longest_absence(next).unwrap();
            prop_assert!(u128::from(to.abs_diff(from)) <= longest.as_micros(), "{visit:?} to {next:?}: {longest:?}");
        }
    }

    /// Otherwise the history gives back, after a restart, a roster that knows less than the one that was stopped.
    #[test]
    fn a_commit_says_which_observation_was_complete_and_which_showed_states(world in worlds(), plan in hard_days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        prop_assert!(sim.differing.is_empty(), "{:?}", sim.differing);
    }

    /// The windows word for word: SPEC section 2, "Windows; proof is per user" and "State".
    #[test]
    fn windows_reach_from_the_last_proof_to_the_observation(world in worlds(), plan in days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        let mut expected = Vec::new();
        let mut inside: BTreeMap<usize, Known> = BTreeMap::new();
        let mut complete: Option<Moment> = None;
        for good in &sim.good {
            let moment = good.seen.moment;
            for occupant in good.seen.listed() {
                let who = index(&occupant.user);
                let Some(known) = inside.get_mut(&who) else {
                    let kind = if complete.is_some() { EventKind::Join } else { EventKind::Present };
                    expected.push((moment.latest, who, kind, Window::between(complete, moment)));
                    let shown = occupant.state.is_known().then_some(moment);
                    inside.insert(who, Known { listed: moment, shown, state: occupant.state.clone() });
                    continue;
                };
                known.listed = moment;
                if occupant.state.is_known() {
                    if known.state.is_known() && known.state != occupant.state {
                        expected.push((moment.latest, who, EventKind::State, Window::between(known.shown, moment)));
                    }
                    known.state = occupant.state.clone();
                    known.shown = Some(moment);
                }
            }
            if good.is_complete() {
                inside.retain(|&who, known| {
                    if !good.lists(who) {
                        expected.push((moment.latest, who, EventKind::Leave, Window::between(Some(known.listed), moment)));
                    }
                    good.lists(who)
                });
                complete = Some(moment);
            }
        }
        let key = |(at, who, kind, window): &(_, usize, EventKind, Window)| (*at, *who, kind.as_str(), window.not_before);
        let mut found: Vec<_> = sim.record.events.iter().filter(|event| event.kind != EventKind::Settled)
            .map(|event| (event.window.not_after, index(&event.user), event.kind, event.window)).collect();
        found.sort_by_key(key);
        expected.sort_by_key(key);
        prop_assert_eq!(found, expected);
    }
}

/// What the law above knows of a user who is there.
struct Known {
    listed: Moment,
    shown: Option<Moment>,
    state: Shown,
}
