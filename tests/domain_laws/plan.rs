//! What is done and what befalls it, step by step.

use adsum::domain::gap::GapReason;
use proptest::prelude::*;

/// How the service, or its cutting of lists, answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    Complete,
    /// At most so many of the users.
    Cut(usize),
    /// The right number of ids, but one of them twice.
    Doubled,
    /// One id too many: a bad entry.
    Overfull,
    Count,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) latency: i64,
    /// Where in what the cache allows the answer was true, in thousandths.
    pub(crate) view: i64,
    pub(crate) form: Form,
    pub(crate) states: bool,
    /// How far the list is rotated.
    pub(crate) turn: usize,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Do {
    Ask(Ask),
    Fail(GapReason),
    /// A discovery, answered after so long, out of the cache like any answer.
    Discover {
        latency: i64,
        view: i64,
    },
    /// The timer of gaps.
    Tick,
    /// Stop, or end the watch, and go on after a while.
    Stop {
        unwatch: bool,
        down: i64,
    },
    /// Die, with the last mark so many good observations ago, and go on after a while.
    Crash {
        unmarked: usize,
        down: i64,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) cache_ttl: i64,
    pub(crate) gap_after: i64,
    /// The service's views never go back.
    pub(crate) monotone: bool,
    pub(crate) steps: Vec<(i64, Do)>,
}

fn forms() -> impl Strategy<Value = Form> {
    prop_oneof![
        8 => Just(Form::Complete),
        3 => (0..4_usize).prop_map(Form::Cut),
        1 => Just(Form::Doubled),
        1 => Just(Form::Overfull),
        2 => Just(Form::Count),
    ]
}

fn asks() -> impl Strategy<Value = Do> {
    (1..12_i64, 0..=1000_i64, forms(), prop::bool::weighted(0.7), 0..5_usize)
        .prop_map(|(latency, view, form, states, turn)| Do::Ask(Ask { latency, view, form, states, turn }))
}

/// Days on which nothing stops adsum.
pub(crate) fn days() -> impl Strategy<Value = Plan> {
    plans(0, 0)
}

/// Days on which it is stopped and killed too.
pub(crate) fn hard_days() -> impl Strategy<Value = Plan> {
    plans(2, 0)
}

/// How long adsum is down: now and then shorter than the service's cache lives.
fn down() -> impl Strategy<Value = i64> {
    prop_oneof![0..12_i64, 0..300_i64]
}

fn plans(harm: u32, discoveries: u32) -> impl Strategy<Value = Plan> {
    let reason = prop::sample::select(vec![GapReason::Timeout, GapReason::Throttled, GapReason::ServerError]);
    let what = prop_oneof![
        24 => asks(),
        4 => reason.prop_map(Do::Fail),
        3 => Just(Do::Tick),
        discoveries => (1..12_i64, 0..=1000_i64).prop_map(|(latency, view)| Do::Discover { latency, view }),
        harm => (any::<bool>(), down()).prop_map(|(unwatch, down)| Do::Stop { unwatch, down }),
        harm => (0..4_usize, down()).prop_map(|(unmarked, down)| Do::Crash { unmarked, down }),
    ];
    let wait = prop_oneof![2 => Just(0_i64), 12 => 1..40_i64, 2 => 30..90_i64, 1 => 100..400_i64];
    (
        prop_oneof![Just(0_i64), 1..30_i64],
        60..120_i64,
        any::<bool>(),
        prop::collection::vec((wait, what), 1..50),
    )
        .prop_map(|(cache_ttl, gap_after, monotone, steps)| Plan {
            cache_ttl,
            gap_after,
            monotone,
            steps,
        })
}

/// Hard days on which discoveries look at the channel too.
pub(crate) fn discovered_days() -> impl Strategy<Value = Plan> {
    plans(2, 8)
}
