//! The laws.

use std::time::Duration;

use adsum::domain::alert::{Change, Condition, OnGap, Rule, RuleName, Severity, Transition};
use adsum::domain::names::UserId;
use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::model::{Told, expected};
use crate::play::{How, play};
use crate::script::{ADA, Happening, Poll, days, script};

fn tries(cases: u32) -> Config {
    Config { cases, max_shrink_iters: 20_000, failure_persistence: None, ..Config::default() }
}

fn condition() -> impl Strategy<Value = Condition> {
    let ada = || UserId::new(ADA).unwrap();
    prop_oneof![
        3 => (0..7_u32, 0..4_u32).prop_map(|(bound, band)| Condition::OccupancyAbove {
            bound,
            clear_below: (bound + 1).saturating_sub(band).max(1),
        }),
        3 => (1..7_u32, 0..4_u32)
            .prop_map(|(bound, band)| Condition::OccupancyBelow { bound, clear_above: bound - 1 + band }),
        1 => Just(Condition::UserPresent { user: ada() }),
        1 => Just(Condition::UserAbsent { user: ada() }),
        1 => Just(Condition::Unobserved),
    ]
}

fn span() -> impl Strategy<Value = Duration> {
    prop_oneof![Just(0_u64), 1..60_000_u64].prop_map(Duration::from_millis)
}

fn rule() -> impl Strategy<Value = Rule> {
    let on_gap = prop_oneof![Just(OnGap::Keep), Just(OnGap::Fire), Just(OnGap::Resolve)];
    let repeat = proptest::option::of((10..90_u64).prop_map(Duration::from_secs));
    (condition(), span(), span(), on_gap, repeat).prop_map(
        |(condition, hold_for, keep_firing_for, on_gap, repeat_every)| Rule {
            condition,
            hold_for,
            keep_firing_for,
            on_gap,
            repeat_every,
            ..plain()
        },
    )
}

fn plain() -> Rule {
    Rule {
        name: RuleName::new("rule").unwrap(),
        channels: Vec::new(),
        condition: Condition::Unobserved,
        hold_for: Duration::ZERO,
        keep_firing_for: Duration::ZERO,
        on_gap: OnGap::Keep,
        severity: Severity::Warning,
        notify: Vec::new(),
        repeat_every: None,
        send_resolved: true,
    }
}

/// What people are told of it, but repeats.
fn told(transitions: &[Transition]) -> Vec<Told> {
    let tell = |transition: &Transition| match transition.change {
        Change::Firing => Some(Told::Fires { at: transition.at, since: transition.since }),
        Change::Resolved(_) => Some(Told::Resolved { at: transition.at }),
        Change::Pending | Change::Inactive(_) | Change::Repeated => None,
    };
    transitions.iter().filter_map(tell).collect()
}

proptest! {
    #![proptest_config(tries(4000))]

    /// `for` and `keep_firing_for` over gapless runs alone, `on_gap`, hysteresis and `unobserved` on the clock: all by the
    /// model, to the microsecond.
    #[test]
    fn an_alert_fires_and_is_resolved_when_the_specification_says_so(rule in rule(), days in days()) {
        let script = script(&rule.condition, &days);
        let (transitions, _) = play(&rule, &script, How::Whole);
        prop_assert_eq!(told(&transitions), expected(&rule, &script), "{:#?}", transitions);
    }
}

proptest! {
    #![proptest_config(tries(2000))]

    #[test]
    fn leaving_out_what_repeats_and_is_not_due_changes_nothing(rule in rule(), days in days()) {
        let script = script(&rule.condition, &days);
        prop_assert_eq!(play(&rule, &script, How::Sparing), play(&rule, &script, How::Whole));
    }

    #[test]
    fn a_state_that_was_stored_goes_on_as_if_nothing_had_been(rule in rule(), days in days()) {
        let script = script(&rule.condition, &days);
        prop_assert_eq!(play(&rule, &script, How::Stored), play(&rule, &script, How::Whole));
    }

    #[test]
    fn an_alert_keeps_its_id_and_goes_from_pending_to_firing_to_resolved(rule in rule(), days in days()) {
        let (transitions, _) = play(&rule, &script(&rule.condition, &days), How::Whole);
        let mut ids = std::collections::HashSet::new();
        let mut current = None;
        let mut at = None;
        for transition in &transitions {
            prop_assert!(at <= Some(transition.at), "{transition:?}");
            at = Some(transition.at);
            let before = current.filter(|(id, _)| *id == transition.alert).map(|(_, firing)| firing);
            current = match (before, transition.change) {
                (None, Change::Pending) => Some((transition.alert, false)),
                (None, Change::Firing) if rule.hold_for.is_zero() => Some((transition.alert, true)),
                (Some(false), Change::Firing) | (Some(true), Change::Repeated) => Some((transition.alert, true)),
                (Some(false), Change::Inactive(_)) | (Some(true), Change::Resolved(_)) => None,
                (_, _) => return Err(TestCaseError::fail(format!("{transition:?} after {before:?}"))),
            };
            if before.is_none() {
                prop_assert!(ids.insert(transition.alert), "used twice: {transition:?}");
            }
        }
    }

    /// What a window says of the beginning and the end of an alert fits together, and lies before it was told.
    #[test]
    fn the_end_of_an_alert_does_not_lie_before_its_beginning(rule in rule(), days in days()) {
        let (transitions, _) = play(&rule, &script(&rule.condition, &days), How::Whole);
        for transition in transitions {
            prop_assert!(transition.since.not_after <= transition.at);
            if let Change::Resolved(end) | Change::Inactive(end) = transition.change
                && let Some(ended) = end.ended
            {
                prop_assert!(ended.not_before >= transition.since.not_before, "{transition:?}");
                prop_assert!(transition.since.not_after <= ended.not_after && ended.not_after <= transition.at);
            }
        }
    }

    /// Whatever else happens: gaps, cut lists, restarts.
    #[test]
    fn within_the_band_no_alert_fires_or_is_resolved(days in days(), low in 0..4_u32, band in 1..4_u32, begins in 0..9_u8) {
        let condition = Condition::OccupancyAbove { bound: low + band, clear_below: low };
        let rule = Rule { condition, ..plain() };
        let within = |others: u8| u8::try_from(low).unwrap() + others % u8::try_from(band + 1).unwrap();
        let mut days: Vec<Happening> = days.into_iter().filter_map(|happening| match happening {
            Happening::Poll { after, takes, poll } => match poll {
                Poll::Whole { others, .. } => Some(Poll::Whole { others: within(others), ada: false }),
                Poll::Count(others) if low > 0 => Some(Poll::Count(within(others))),
                Poll::Nothing => Some(Poll::Nothing),
                Poll::Cut { .. } | Poll::Count(_) => None,
            }.map(|poll| Happening::Poll { after, takes, poll }),
            restart @ Happening::Restart { .. } => Some(restart),
        }).collect();
        days.insert(0, Happening::Poll { after: 5000, takes: 0, poll: Poll::Whole { others: begins, ada: false } });
        let (transitions, _) = play(&rule, &script(&rule.condition, &days), How::Whole);
        let fires = u32::from(begins) > low + band;
        prop_assert_eq!(told(&transitions).len(), usize::from(fires), "{:#?}", transitions);
    }

    #[test]
    fn repeats_keep_their_distance_and_need_repeat_every(rule in rule(), days in days()) {
        let (transitions, _) = play(&rule, &script(&rule.condition, &days), How::Whole);
        let mut last = None;
        for transition in transitions {
            match (transition.change, last, rule.repeat_every) {
                (Change::Repeated, Some(last), Some(every)) => prop_assert!(transition.at.since(last) >= every),
                (Change::Repeated, _, _) => return Err(TestCaseError::fail("a repeat of nothing")),
                _ => {}
            }
            if matches!(transition.change, Change::Firing | Change::Repeated) {
                last = Some(transition.at);
            }
        }
    }
}
