//! Rules of all kinds.

use std::time::Duration;

use adsum::domain::alert::{Condition, NotifierName, OnGap, Rule, RuleName, Severity};
use adsum::domain::names::UserId;
use adsum::domain::watch::Target;
use proptest::prelude::*;

use crate::days::ADA;

fn condition() -> impl Strategy<Value = Condition> {
    let ada = || UserId::new(ADA).unwrap();
    prop_oneof![
        3 => (0..7_u32, 0..4_u32).prop_map(|(bound, band)| Condition::OccupancyAbove {
            bound,
            clear_below: (bound + 1).saturating_sub(band).max(1),
        }),
        2 => (1..7_u32, 0..4_u32)
            .prop_map(|(bound, band)| Condition::OccupancyBelow { bound, clear_above: bound - 1 + band }),
        2 => Just(Condition::UserPresent { user: ada() }),
        2 => Just(Condition::UserAbsent { user: ada() }),
        2 => Just(Condition::Unobserved),
    ]
}

fn span() -> impl Strategy<Value = Duration> {
    prop_oneof![Just(0_u64), 1..60_000_u64].prop_map(Duration::from_millis)
}

pub(crate) fn rule() -> impl Strategy<Value = Rule> {
    let on_gap = prop_oneof![Just(OnGap::Keep), Just(OnGap::Fire), Just(OnGap::Resolve)];
    let repeat = proptest::option::of((10..90_u64).prop_map(Duration::from_secs));
    (condition(), span(), span(), on_gap, repeat).prop_map(
        |(condition, hold_for, keep_firing_for, on_gap, repeat_every)| Rule {
            hold_for,
            keep_firing_for,
            on_gap,
            repeat_every,
            ..plain(condition)
        },
    )
}

pub(crate) fn plain(condition: Condition) -> Rule {
    Rule {
        name: RuleName::new("rule").unwrap(),
        channels: vec![Target::new("*").unwrap()],
        condition,
        hold_for: Duration::ZERO,
        keep_firing_for: Duration::ZERO,
        on_gap: OnGap::Keep,
        severity: Severity::Warning,
        notify: vec![NotifierName::new("ops").unwrap()],
        repeat_every: None,
        send_resolved: true,
    }
}
