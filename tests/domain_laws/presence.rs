//! Answers about a moment against the truth.

use std::collections::BTreeMap;

use adsum::domain::answer::{Answer, Code, Ground, Present, presence, presence_now};
use adsum::domain::gap::GapReason;
use adsum::domain::occupancy::{Run, resolution};
use proptest::prelude::*;
use std::time::Duration;

use crate::plan::{Ask, Do, Form, Plan, days, hard_days};
use crate::tries;
use crate::watcher::{Good, Sim};
use crate::world::{START, World, index, t, user, worlds};

/// The answer as a reader of the record gets it.
fn ask(sim: &Sim, who: usize, at: i64) -> Answer {
    let at = t(at);
    let after = at.plus(Duration::from_micros(1));
    let visits: Vec<_> = sim
        .visits()
        .into_iter()
        .filter(|visit| index(&visit.user) == who && visit.touches(at, after))
        .collect();
    let gaps: Vec<_> = sim.record.gaps().into_iter().filter(|gap| gap.covers(at)).collect();
    presence(Some(&sim.observed()), &visits, &gaps, None, at)
}

/// SPEC section 3, word for word, over the observations themselves. `proves` says whether an observation proves the
/// answer, `denies` whether it denies it.
fn proven(good: &[Good], at: i64, proves: impl Fn(&Good) -> bool, denies: impl Fn(&Good) -> bool) -> bool {
    let before = good.iter().rposition(|seen| seen.latest() <= at && proves(seen));
    let after = good.iter().position(|seen| seen.earliest() >= at && proves(seen));
    match (before, after) {
        (Some(before), Some(after)) => before <= after && !good[before..=after].iter().any(denies),
        _ => false,
    }
}

fn expected(sim: &Sim, who: usize, at: i64) -> Present {
    if sim.record.gaps.values().any(|gap| gap.covers(t(at))) {
        return Present::Unknown;
    }
    let lists = |seen: &Good| seen.lists(who);
    let lacks = |seen: &Good| seen.is_complete() && !seen.lists(who);
    if proven(&sim.good, at, lists, lacks) {
        Present::Yes
    } else if proven(&sim.good, at, lacks, lists) {
        Present::No
    } else {
        Present::Unknown
    }
}

fn moments() -> impl Strategy<Value = Vec<(usize, i64)>> {
    prop::collection::vec((0..5_usize, -120..1500_i64), 30)
}

/// Moments at which something may change: where observations begin and end, and one before and after.
fn edges(sim: &Sim) -> Vec<i64> {
    let ends = sim.good.iter().flat_map(|seen| [seen.earliest(), seen.latest()]);
    ends.flat_map(|at| [at - 1, at, at + 1]).collect()
}

/// The runs with the one that goes on.
fn live_runs(sim: &Sim) -> Vec<Run> {
    let mut runs = sim.record.runs.clone();
    if let (Some(last), Some(live)) = (runs.last_mut(), sim.channel.run()) {
        *last = *live;
    }
    runs
}

proptest! {
    #![proptest_config(tries(400))]

    /// Yes and no are wrong only where an absence or a stay fell wholly between two complete observations.
    #[test]
    fn yes_and_no_are_true_at_the_resolution_of_the_polling(world in worlds(), plan in hard_days(), at in moments()) {
        let sim = Sim::run(&world, &plan, |_| ());
        for (who, at) in at.into_iter().map(|(who, at)| (who, START + at)).chain((0..5).flat_map(|who| edges(&sim).into_iter().map(move |at| (who, at)))) {
            let seen_within = |(from, to): (i64, i64)| sim.complete().iter().any(|seen| from <= seen.view && seen.view < to);
            match ask(&sim, who, at).present {
                Present::Yes => if let Some(absence) = world.absence(who, at) {
                    prop_assert!(!seen_within(absence), "u{who} was absent at {at}");
                },
                Present::No => if let Some(stay) = world.stay(who, at) {
                    prop_assert!(!seen_within((stay.from, stay.to)), "u{who} was there at {at}");
                },
                Present::Unknown => {}
            }
        }
    }

    #[test]
    fn the_answer_is_yes_or_no_exactly_where_the_observations_prove_it(world in worlds(), plan in days(), at in moments()) {
        let sim = Sim::run(&world, &plan, |_| ());
        for (who, at) in at.into_iter().map(|(who, at)| (who, START + at)).chain((0..5).flat_map(|who| edges(&sim).into_iter().map(move |at| (who, at)))) {
            let answer = ask(&sim, who, at);
            prop_assert_eq!(answer.present, expected(&sim, who, at), "u{} at {}: {:?}", who, at, answer);
        }
    }

    /// After a restart the record may know less than was seen, never more.
    #[test]
    fn after_restarts_yes_and_no_are_still_proven_by_observations(world in worlds(), plan in hard_days(), at in moments()) {
        let sim = Sim::run(&world, &plan, |_| ());
        for (who, at) in at.into_iter().map(|(who, at)| (who, START + at)).chain((0..5).flat_map(|who| edges(&sim).into_iter().map(move |at| (who, at)))) {
            let answer = ask(&sim, who, at);
            if answer.present != Present::Unknown {
                prop_assert_eq!(answer.present, expected(&sim, who, at), "u{} at {}: {:?}", who, at, answer);
            }
        }
    }

    /// SPEC section 3: "an absence or stay that lies wholly between two good observations is not seen".
    #[test]
    fn a_wrong_yes_or_no_is_over_sooner_than_the_resolution_says(world in worlds(), plan in hard_days(), at in moments()) {
        let sim = Sim::run(&world, &plan, |_| ());
        for (who, at) in at.into_iter().map(|(who, at)| (who, START + at)) {
            let wrong = match ask(&sim, who, at).present {
                Present::Yes => world.absence(who, at),
                Present::No => world.stay(who, at).map(|stay| (stay.from, stay.to)),
                Present::Unknown => None,
            };
            if let Some((from, to)) = wrong {
                let said = resolution(&live_runs(&sim), t(at)).map(|widest| widest.as_micros());
                let true_length = u128::from(to.abs_diff(from));
                prop_assert!(said.is_some_and(|said| true_length <= said), "u{who} at {at}: {said:?}, but from {from} to {to}");
            }
        }
    }

    #[test]
    fn unknown_says_why(world in worlds(), plan in hard_days(), at in moments()) {
        let sim = Sim::run(&world, &plan, |_| ());
        let observed = sim.observed();
        for (who, at) in at.into_iter().map(|(who, at)| (who, START + at)).chain((0..5).flat_map(|who| edges(&sim).into_iter().map(move |at| (who, at)))) {
            let answer = ask(&sim, who, at);
            prop_assert_eq!(answer.present == Present::Unknown, answer.code.is_some());
            prop_assert!(!answer.because.is_empty() && !answer.because.contains('\n'));
            let covering = |users_only| sim.record.gaps.values().find(|gap| gap.users_only == users_only && gap.covers(t(at)));
            let full = covering(false);
            if let Ground::Gap(gap) = answer.ground {
                prop_assert!(gap.covers(t(at)));
            }
            if answer.present != Present::Unknown {
                continue;
            }
            let windows = || sim.record.events.iter().filter(|event| index(&event.user) == who).map(|event| event.window);
            let code = answer.code.unwrap();
            if observed.since.is_none_or(|since| t(at) < since) {
                let expected = match (full, observed.since) {
                    _ if t(at) < observed.began => Code::NotWatched,
                    (Some(gap), _) if gap.reason == GapReason::Unwatched => Code::NotWatched,
                    (Some(_), _) => Code::Gap,
                    (None, _) if covering(true).is_some() => Code::Partial,
                    (None, Some(_)) => Code::NotWatched,
                    (None, None) => Code::Unsettled,
                };
                prop_assert_eq!(code, expected, "{} {:?}", at, answer);
                continue;
            }
            match full {
                Some(gap) if gap.reason == GapReason::Unwatched => prop_assert_eq!(code, Code::NotWatched),
                Some(_) => prop_assert_eq!(code, Code::Gap),
                None => prop_assert!(code != Code::Gap && code != Code::NotWatched, "{} {:?}", at, answer),
            }
            match code {
                Code::Window => prop_assert!(
                    windows().any(|window| window.contains(t(at))) || observed.since.is_none_or(|since| t(at) < since)
                        || observed.complete_since.is_none_or(|since| t(at) < since),
                    "u{who} at {at}: {answer:?}"
                ),
                Code::Partial => prop_assert!(
                    covering(true).is_some() || sim.good.iter().any(|seen| !seen.is_complete()),
                    "u{who} at {at}: {answer:?}"
                ),
                Code::Unsettled => prop_assert!(
                    observed.last_complete.is_none_or(|last| t(at) > last.earliest)
                        || observed.last.is_none_or(|last| t(at) > last.earliest),
                    "u{who} at {at}: {answer:?}"
                ),
                Code::Expired => prop_assert!(false, "nothing has expired"),
                Code::Gap | Code::NotWatched => {}
            }
        }
    }

    #[test]
    fn a_moment_after_the_last_observation_is_unsettled_unless_a_gap_covers_it(world in worlds(), plan in hard_days(), later in 0..50_i64) {
        Sim::run(&world, &plan, |sim| {
            let Some(last) = sim.good.last() else { return };
            let at = last.latest() + 1 + later;
            if sim.record.gaps.values().all(|gap| !gap.covers(t(at))) {
                for who in 0..5 {
                    assert_eq!(ask(sim, who, at).code, Some(Code::Unsettled), "u{who} at {at}");
                }
            }
        });
    }

    #[test]
    fn an_answer_never_turns_into_its_opposite(world in worlds(), plan in hard_days(), at in moments()) {
        let mut answers: BTreeMap<(usize, i64), Present> = BTreeMap::new();
        Sim::run(&world, &plan, |sim| {
            for &(who, at) in &at {
                let now = ask(sim, who, START + at).present;
                if now != Present::Unknown {
                    let before = answers.insert((who, at), now);
                    assert!(before.is_none_or(|before| before == now), "u{who} at {at}: {before:?}, then {now:?}");
                }
            }
        });
    }

    /// Only a partial gap takes one back: it may come to cover what truncated lists had settled.
    #[test]
    fn yes_and_no_stay_as_more_observations_arrive(world in worlds(), plan in days(), at in moments()) {
        let mut answers: BTreeMap<(usize, i64), Present> = BTreeMap::new();
        Sim::run(&world, &plan, |sim| {
            for &(who, at) in &at {
                let now = ask(sim, who, START + at).present;
                let before = answers.insert((who, at), now).unwrap_or(Present::Unknown);
                let partial = sim.record.gaps_of(true).iter().any(|gap| gap.covers(t(START + at)));
                assert!(before == Present::Unknown || before == now || partial, "u{who} at {at}: {before:?}, then {now:?}");
            }
        });
    }

    #[test]
    fn the_answer_without_a_moment_is_about_the_last_good_observation(world in worlds(), plan in days()) {
        Sim::run(&world, &plan, |sim| {
            for who in 0..5 {
                let visits = sim.visits();
                let visit = visits.iter().find(|visit| visit.user == user(who) && visit.left.is_none());
                let answer = presence_now(Some(&sim.observed()), visit);
                let expected = match sim.good.last() {
                    Some(last) if last.lists(who) => Present::Yes,
                    Some(last) if last.is_complete() => Present::No,
                    _ => Present::Unknown,
                };
                assert_eq!(answer.present, expected, "u{who}: {answer:?}");
            }
        });
    }
}

/// What is said of user 0 at `at`, how fine, and how long the truth to the contrary lasted: the user is there from 2 to
/// `until`, and the channel is seen empty at 0, counted in between, and seen empty again.
fn counted_between(count: i64, until: i64, last: i64) -> (Answer, u128, u128) {
    let world = World::new(1, START, &[(2, 0, 0), (until - 2, 0, 7)]);
    let ask = |form| Do::Ask(Ask { latency: 1, view: 0, form, states: false, turn: 0 });
    let steps = vec![
        (0, ask(Form::Complete)),
        (count - 1, ask(Form::Count)),
        (last - count - 1, ask(Form::Complete)),
    ];
    let plan = Plan { cache_ttl: 0, gap_after: 60, monotone: true, steps };
    let sim = Sim::run(&world, &plan, |_| ());
    let at = START + 20;
    let said = resolution(&live_runs(&sim), t(at)).unwrap().as_micros();
    (self::ask(&sim, 0, at), said, u128::from(until.abs_diff(2)))
}

/// 0 s complete, 49 s count, then an outage until 120 s: longer than `gap_after` (60 s) without a complete observation.
#[test]
fn users_are_unknown_before_a_full_gap_that_follows_observations_without_users() {
    let (answer, ..) = counted_between(49, 110, 120);
    assert_eq!((answer.present, answer.code), (Present::Unknown, Some(Code::Partial)), "{answer:?}");
}

/// 0 s complete, 40 s count, 50 s complete: a stay from 2 s to 48 s is not seen, so the resolution is not 41 s.
#[test]
fn the_resolution_for_users_is_that_of_the_observations_that_saw_users() {
    let (answer, said, lasted) = counted_between(40, 48, 50);
    assert!(answer.present == Present::Unknown || lasted <= said, "{answer:?} at {said}, but {lasted}");
}

#[test]
fn a_channel_that_was_never_watched_is_not_watched() {
    assert_eq!(presence(None, &[], &[], None, t(START)).code, Some(Code::NotWatched));
}
