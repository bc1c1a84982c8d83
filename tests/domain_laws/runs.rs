//! Runs, the occupancy at a moment, and its sums, against what was seen.

use std::time::Duration;

use adsum::domain::gap::Gap;
use adsum::domain::occupancy::{Bucket, Run, at, buckets};
use adsum::domain::time::Time;
use proptest::prelude::*;

use crate::plan::{days, hard_days};
use crate::tries;
use crate::watcher::{Good, Sim};
use crate::world::{START, t, worlds};

fn bucket(sim: &Sim, from: i64, to: i64) -> Bucket {
    let buckets = sum(sim, from, to, to - from);
    assert_eq!(buckets.len(), 1);
    buckets[0]
}

fn sum(sim: &Sim, from: i64, to: i64, step: i64) -> Vec<Bucket> {
    let settled = sim.channel.last().map_or(Time::from_micros(0), |last| last.earliest);
    let step = Duration::from_micros(step.unsigned_abs());
    buckets(&sim.record.runs, &sim.record.gaps(), settled, t(from), t(to), step)
}

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-6
}

/// Whether a gap ended with this observation.
fn after_gap(sim: &Sim, good: &Good) -> bool {
    sim.record.gaps_of(false).iter().any(|gap| gap.to == Some(good.seen.moment.latest))
}

proptest! {
    #![proptest_config(tries(400))]

    #[test]
    fn runs_are_in_order_and_do_not_overlap(world in worlds(), plan in hard_days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        for run in &sim.record.runs {
            prop_assert!(run.first == run.last || run.last.certainly_after(run.first), "{run:?}");
        }
        for pair in sim.record.runs.windows(2) {
            prop_assert!(pair[1].first.certainly_after(pair[0].last), "{pair:?}");
        }
    }

    #[test]
    fn runs_are_the_equal_observations_between_gaps(world in worlds(), plan in days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        let mut expected: Vec<Run> = Vec::new();
        let mut before: Option<&Good> = None;
        for good in &sim.good {
            let (moment, occupancy, grade) = (good.seen.moment, good.seen.occupancy(), good.seen.grade());
            let joined = before.filter(|_| !after_gap(&sim, good));
            match expected.last_mut() {
                Some(run) if joined.is_some() && (run.occupancy, run.grade) == (occupancy, grade) => *run = run.extended(moment),
                _ => expected.push(Run::start(moment, joined.map(|before| before.seen.moment), occupancy, grade)),
            }
            before = Some(good);
        }
        let live = sim.channel.run().copied();
        let mut found = sim.record.runs.clone();
        if let (Some(last), Some(live)) = (found.last_mut(), live) {
            *last = live;
        }
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn the_occupancy_at_a_moment_bounds_what_was_true_then(world in worlds(), plan in hard_days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        let (runs, gaps) = (&sim.record.runs, sim.record.gaps());
        for good in &sim.good {
            if let Some(bounds) = at(runs, &gaps, t(good.view)) {
                prop_assert!(bounds.min <= good.seen.occupancy() && good.seen.occupancy() <= bounds.max, "{bounds:?} at {good:?}");
            }
        }
    }

    #[test]
    fn the_occupancy_between_two_observations_lies_between_theirs(world in worlds(), plan in days(), share in 0..=1000_i64) {
        let sim = Sim::run(&world, &plan, |_| ());
        let (runs, gaps) = (&sim.record.runs, sim.record.gaps());
        for pair in sim.good.windows(2).filter(|pair| !after_gap(&sim, &pair[1])) {
            let (from, to) = (pair[0].latest(), pair[1].earliest());
            let time = t(from + (to - from) * share / 1000);
            let (one, two) = (pair[0].seen.occupancy(), pair[1].seen.occupancy());
            let recorded = runs.last().is_some_and(|run| time <= run.last.earliest);
            match at(runs, &gaps, time) {
                Some(bounds) => {
                    prop_assert!(bounds.min >= one.min(two) && bounds.max <= one.max(two), "{bounds:?} from {one} to {two}");
                }
                None => prop_assert!(!recorded, "nothing is known at {time:?}, between {one} and {two}"),
            }
        }
    }

    /// As with users: what is said of a moment rests on an observation before and one after it.
    #[test]
    fn the_occupancy_at_a_moment_rests_on_the_observations_on_both_sides(world in worlds(), plan in hard_days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        let (runs, gaps) = (&sim.record.runs, sim.record.gaps());
        let edges = sim.good.iter().flat_map(|seen| [seen.earliest(), seen.latest()]);
        for time in edges.flat_map(|at| [at - 1, at, at + 1]) {
            let Some(bounds) = at(runs, &gaps, t(time)) else { continue };
            let before = sim.good.iter().rposition(|seen| seen.latest() <= time);
            let after = sim.good.iter().position(|seen| seen.earliest() >= time);
            let (Some(before), Some(after)) = (before, after) else {
                prop_assert!(false, "{:?} at {} with nothing before ({:?}) or after ({:?})", bounds, time, before, after);
                continue;
            };
            for good in &sim.good[before..=after] {
                let seen = good.seen.occupancy();
                prop_assert!(bounds.min <= seen && seen <= bounds.max, "{:?} at {}, but {:?}", bounds, time, good);
            }
        }
    }

    #[test]
    fn all_time_between_two_observations_without_a_gap_is_observed(world in worlds(), plan in hard_days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        for pair in sim.good.windows(2).filter(|pair| !after_gap(&sim, &pair[1])) {
            let (from, to) = (pair[0].latest(), pair[1].earliest());
            // A gap that begins in the very microsecond in which another began takes its place.
            let covered = |gap: &Gap| gap.from < t(to) && gap.to.is_none_or(|end| t(from) < end);
            if from < to && !sim.record.gaps_of(false).iter().any(covered) {
                let bucket = bucket(&sim, from, to);
                prop_assert!(near(bucket.observed, 1.0), "{:?} between {:?} and {:?}", bucket, pair[0], pair[1]);
                let (one, other) = (pair[0].seen.occupancy(), pair[1].seen.occupancy());
                prop_assert_eq!((bucket.min, bucket.max), (Some(one.min(other)), Some(one.max(other))));
                prop_assert_eq!(bucket.last, Some(one));
            }
        }
    }

    #[test]
    fn nothing_is_known_of_the_occupancy_in_a_gap_or_outside_the_runs(world in worlds(), plan in hard_days(), time in -120..1500_i64) {
        let sim = Sim::run(&world, &plan, |_| ());
        let (runs, gaps) = (&sim.record.runs, sim.record.gaps());
        let time = t(START + time);
        let outside = runs.first().is_none_or(|run| time < run.first.earliest) || runs.last().is_none_or(|run| time > run.last.latest);
        let in_gap = gaps.iter().any(|gap| !gap.users_only && gap.covers(time));
        if outside || in_gap {
            prop_assert_eq!(at(runs, &gaps, time), None);
        }
    }

    #[test]
    fn a_bucket_agrees_with_the_moments_in_it(world in worlds(), plan in hard_days(), from in -120..1500_i64) {
        let sim = Sim::run(&world, &plan, |_| ());
        let (runs, gaps) = (&sim.record.runs, sim.record.gaps());
        let (from, to) = (START + from, START + from + 1);
        let bucket = bucket(&sim, from, to);
        prop_assert_eq!(bucket.start, t(from));
        let in_gap = gaps.iter().any(|gap| !gap.users_only && gap.covers(t(from)) && gap.covers(t(to)));
        if in_gap {
            prop_assert!(near(bucket.observed, 0.0), "{:?}", bucket);
        }
        if let (Some(one), Some(two)) = (at(runs, &gaps, t(from)), at(runs, &gaps, t(to))) {
            prop_assert!(near(bucket.observed, 1.0), "{:?}: {:?} to {:?}", bucket, one, two);
            prop_assert!(bucket.min.unwrap() >= one.min.min(two.min), "{:?}", bucket);
            prop_assert!(bucket.max.unwrap() <= one.max.max(two.max), "{:?}", bucket);
        }
    }

    #[test]
    fn the_figures_of_a_bucket_are_there_exactly_when_some_of_it_was_observed(
        world in worlds(), plan in hard_days(), from in -120..1500_i64, length in 1..4000_i64, step in 1..2000_i64,
    ) {
        let sim = Sim::run(&world, &plan, |_| ());
        let buckets = sum(&sim, START + from, START + from + length, step);
        // No bucket but the last is shorter than a millisecond.
        let step = step.max(1000);
        prop_assert_eq!(i64::try_from(buckets.len()).unwrap(), (length + step - 1) / step);
        for bucket in buckets {
            prop_assert!((0.0..=1.0).contains(&bucket.observed), "{:?}", bucket);
            let figures = [bucket.min.is_some(), bucket.max.is_some(), bucket.mean.is_some(), bucket.last.is_some()];
            prop_assert_eq!(figures, [bucket.observed > 0.0; 4], "{:?}", bucket);
            if let (Some(min), Some(max), Some(mean), Some(last)) = (bucket.min, bucket.max, bucket.mean, bucket.last) {
                prop_assert!(min <= last && last <= max, "{:?}", bucket);
                prop_assert!(f64::from(min) - 1e-9 <= mean && mean <= f64::from(max) + 1e-9, "{:?}", bucket);
            }
        }
    }

    #[test]
    fn two_adjacent_spans_add_up_to_the_whole(
        world in worlds(), plan in hard_days(), from in -120..1500_i64, one in 1..300_i64, two in 1..300_i64,
    ) {
        let sim = Sim::run(&world, &plan, |_| ());
        let (from, middle, to) = (START + from, START + from + one, START + from + one + two);
        let (first, second, whole) = (bucket(&sim, from, middle), bucket(&sim, middle, to), bucket(&sim, from, to));
        let time = |bucket: &Bucket, length: i64| bucket.observed * f64::from(i32::try_from(length).unwrap());
        prop_assert!(near(time(&first, one) + time(&second, two), time(&whole, one + two)));
        let lowest = [first.min, second.min].into_iter().flatten().min();
        let highest = [first.max, second.max].into_iter().flatten().max();
        prop_assert_eq!((lowest, highest), (whole.min, whole.max));
        prop_assert_eq!(second.last.or(first.last), whole.last);
        let area = |bucket: &Bucket, length| bucket.mean.unwrap_or(0.0) * time(bucket, length);
        prop_assert!(near(area(&first, one) + area(&second, two), area(&whole, one + two)));
    }
}
