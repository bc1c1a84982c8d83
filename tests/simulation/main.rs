//! A simulated world: a seeded truth of who was where, a service with caches, every fault of the network, the service, the
//! storage, the clock and the process, and the real client, poller, actors and history in virtual time. Afterwards the
//! record is held against the truth.
//!
//! `ADSUM_TEST_SEED=17 cargo nextest run --no-capture -E 'test(seeds_of_the_first)'` replays one seed and tells what befell
//! it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    missing_docs
)]

mod dice;
#[path = "../actors/flaky.rs"]
mod flaky;
mod hours;
mod laws;
mod lives;
#[path = "../actors/memory.rs"]
mod memory;
mod plan;
mod record;
mod request;
mod rules;
mod service;
mod storage;
mod story;
mod tally;
mod timeline;
mod truth;

use std::ops::Range;

use plan::Plan;
use tally::Tally;

/// How many seeds each part takes.
const SEEDS: u64 = 500;

/// Lives through what the seeds make, and holds each record against the truth. `ADSUM_TEST_SEED` chooses one, and its story
/// is told.
fn try_seeds(seeds: Range<u64>, plan: impl Fn(u64) -> Plan) -> Tally {
    let chosen = std::env::var("ADSUM_TEST_SEED").ok().map(|seed| seed.parse().unwrap());
    let (mut broken, mut tally) = (Vec::new(), Tally::default());
    for seed in chosen.map_or(seeds, |seed: u64| seed..seed + 1) {
        let lived = lives::live(plan(seed));
        let laws = laws::broken(&lived);
        tally.add(&lived);
        if chosen.is_some() {
            story::tell(&lived);
        }
        if !laws.is_empty() {
            let most = if chosen.is_some() { laws.len() } else { 3 };
            let first = laws.iter().take(most).map(String::as_str).collect::<Vec<_>>().join("\n    ");
            broken.push(format!("seed {seed} breaks {}:\n    {first}", laws.len()));
        }
    }
    let count = broken.len();
    broken.truncate(5);
    assert!(
        broken.is_empty(),
        "{count} seeds break a law; the first of them:\n{}\n\nreplay one: ADSUM_TEST_SEED=… cargo nextest run --no-capture -E 'test(={})'",
        broken.join("\n"),
        std::thread::current().name().unwrap_or_default(),
    );
    println!("{tally}");
    tally
}

/// Everything that can go wrong may.
fn try_part(part: u64) {
    let tally = try_seeds(part * SEEDS..(part + 1) * SEEDS, Plan::hard);
    let whole = std::env::var_os("ADSUM_TEST_SEED").is_none();
    assert!(!whole || tally.missing().is_empty(), "never happened: {:?}", tally.missing());
}

#[test]
fn seeds_of_the_first_part() {
    try_part(0);
}

#[test]
fn seeds_of_the_second_part() {
    try_part(1);
}

#[test]
fn seeds_of_the_third_part() {
    try_part(2);
}

#[test]
fn seeds_of_the_fourth_part() {
    try_part(3);
}

/// Lists are cut all the time, pages too, while people come and go between them.
#[test]
fn seeds_in_which_every_list_is_read_in_pages() {
    try_seeds(5000..5060, Plan::in_pages);
}

/// What is seen again and again cannot be recorded, and then it can.
#[test]
fn seeds_in_which_the_history_fails_again_and_again() {
    try_seeds(6000..6060, Plan::unrecorded);
}
