//! Gaps against the observations.

use adsum::domain::gap::{Gap, GapReason};
use adsum::domain::observation::Grade;
use adsum::domain::time::Time;
use proptest::prelude::*;

use crate::plan::{days, hard_days};
use crate::tries;
use crate::watcher::{Good, Sim};
use crate::world::{START, t, worlds};

/// Neighbours among the observations: the end of the one before (or the beginning of the watch) and the next.
fn steps<'a>(good: &[&'a Good]) -> Vec<(Option<&'a Good>, &'a Good)> {
    let before = std::iter::once(None).chain(good.iter().copied().map(Some));
    before.zip(good.iter().copied()).collect()
}

fn from(before: Option<&Good>) -> i64 {
    before.map_or(START, Good::earliest)
}

fn arrived(before: Option<&Good>) -> i64 {
    before.map_or(START, Good::latest)
}

/// Two neighbours of which the second begins before the one observation that parts them.
fn overlap(sim: &Sim, gaps: &[Gap]) -> Option<(Gap, Gap)> {
    let parted = |to: Time, next: &Gap| {
        let by = sim.good.iter().find(|seen| seen.seen.moment.latest == to);
        to <= next.from || by.is_some_and(|by| by.seen.moment.earliest <= next.from)
    };
    gaps.windows(2)
        .find(|pair| pair[0].to.is_none_or(|to| !parted(to, &pair[1])))
        .map(|pair| (pair[0], pair[1]))
}

proptest! {
    #![proptest_config(tries(400))]

    #[test]
    fn a_long_time_without_a_good_observation_is_one_gap_until_the_next(world in worlds(), plan in days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        let gaps = sim.record.gaps_of(false);
        let good: Vec<_> = sim.good.iter().collect();
        let mut matched = 0;
        for (before, next) in steps(&good) {
            let ended: Vec<_> = gaps.iter().filter(|gap| gap.to == Some(t(next.latest()))).collect();
            if next.latest() - arrived(before) > plan.gap_after {
                prop_assert_eq!(ended.len(), 1, "from {:?} to {:?}: {:?}", before, next, &gaps);
            }
            if next.latest() - from(before) < plan.gap_after {
                prop_assert_eq!(ended.len(), 0, "from {:?} to {:?}: {:?}", before, next, &gaps);
            }
            for gap in ended {
                prop_assert_eq!(gap.from, t(from(before)));
                matched += 1;
            }
        }
        let open = gaps.iter().filter(|gap| gap.to.is_none()).count();
        prop_assert!(open <= 1);
        prop_assert_eq!(matched + open, gaps.len(), "{:?}", gaps);
    }

    #[test]
    fn the_timer_opens_a_gap_when_gap_after_has_passed(world in worlds(), plan in hard_days(), later in 0..200_i64) {
        Sim::run(&world, &plan, |sim| {
            let open = sim.record.gaps_of(false).into_iter().find(|gap| gap.to.is_none());
            let now = sim.now + later;
            let changes = sim.channel.overdue(t(now));
            if let Some(open) = open {
                // It may only have turned out why.
                for gap in changes.iter().flat_map(|changes| &changes.gaps) {
                    assert_eq!((gap.from, gap.to, open.reason), (open.from, None, GapReason::Overrun));
                    assert_ne!(gap.reason, GapReason::Overrun);
                }
            } else if now - arrived(sim.good.last()) > plan.gap_after {
                let gaps = changes.expect("a gap opens").gaps;
                assert_eq!(gaps.len(), 1);
                assert_eq!((gaps[0].from, gaps[0].to, gaps[0].users_only), (t(from(sim.good.last())), None, false));
            } else if now - from(sim.good.last()) < plan.gap_after {
                assert_eq!(changes, None, "too early");
            }
        });
    }

    #[test]
    fn a_gap_is_named_after_the_last_failure(world in worlds(), plan in hard_days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        for (gap, trouble) in &sim.opened {
            if let (Some(trouble), false) = (trouble, matches!(gap.reason, GapReason::Stopped | GapReason::Unwatched)) {
                prop_assert_eq!(gap.reason, *trouble, "{:?}", gap);
            }
        }
    }

    /// A gap runs from `s - cache_ttl` of one observation to `r` of the next, so two of them share the moment of the
    /// one between; never more.
    #[test]
    fn gaps_of_one_kind_share_at_most_the_moment_of_the_observation_between(world in worlds(), plan in days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        for users_only in [false, true] {
            let gaps = sim.record.gaps_of(users_only);
            prop_assert_eq!(overlap(&sim, &gaps), None);
            prop_assert!(gaps.iter().filter(|gap| gap.to.is_none()).count() <= 1);
        }
    }

    #[test]
    fn a_good_observation_ends_the_full_gap_and_a_complete_one_both(world in worlds(), plan in hard_days()) {
        Sim::run(&world, &plan, |sim| {
            if sim.record.commits.last().is_some_and(|commit| commit.seen.is_some()) {
                let open = |users_only| sim.record.gaps_of(users_only).iter().any(|gap| gap.to.is_none());
                let seen = sim.record.commits.last().and_then(|commit| commit.seen.as_ref()).unwrap();
                assert!(!open(false) || sim.restarts > 0);
                assert!(!open(true) || seen.grade() != Grade::Complete);
            }
        });
    }

    #[test]
    fn a_long_time_without_a_complete_observation_is_covered_by_gaps(world in worlds(), plan in days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        let gaps = sim.record.gaps();
        for (before, next) in steps(&sim.complete()) {
            if next.latest() - arrived(before) > plan.gap_after {
                let bare = (from(before) + 1..next.latest()).find(|&at| gaps.iter().all(|gap| !gap.covers(t(at))));
                // The instant between two gaps belongs to neither.
                let bare = bare.filter(|&at| gaps.iter().all(|gap| gap.from != t(at) && gap.to != Some(t(at))));
                prop_assert_eq!(bare, None, "from {:?} to {:?}: {:?}", before, next, gaps);
            }
        }
    }

    #[test]
    fn a_partial_gap_lies_between_complete_observations_and_holds_another(world in worlds(), plan in days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        for gap in sim.record.gaps_of(true) {
            let reason = matches!(gap.reason, GapReason::Truncated | GapReason::CountOnly);
            prop_assert!(reason, "{:?}", gap);
            if let Some(to) = gap.to {
                prop_assert!(sim.complete().iter().any(|seen| seen.seen.moment.latest == to), "{:?}", gap);
            }
            let within = |seen: &Good| seen.seen.moment.latest > gap.from && gap.to.is_none_or(|to| seen.seen.moment.latest < to);
            prop_assert!(sim.good.iter().any(|seen| !seen.is_complete() && within(seen)) || follows_a_full_gap(&sim, gap), "{gap:?}");
            prop_assert!(!sim.good.iter().any(|seen| seen.is_complete() && within(seen) && seen.seen.moment.earliest > gap.from), "{gap:?}");
        }
    }

    #[test]
    fn without_a_long_time_between_complete_observations_there_is_no_gap(world in worlds(), plan in days()) {
        let sim = Sim::run(&world, &plan, |_| ());
        let complete = sim.complete();
        let short = |(before, next): (Option<&Good>, &Good)| next.latest() - from(before) < plan.gap_after;
        let end = sim.now - from(sim.complete().last().copied()) < plan.gap_after;
        if steps(&complete).into_iter().all(short) && end {
            prop_assert_eq!(sim.record.gaps(), []);
        }
    }
}

fn follows_a_full_gap(sim: &Sim, gap: Gap) -> bool {
    sim.record.gaps_of(false).iter().any(|full| full.to == Some(gap.from))
}
