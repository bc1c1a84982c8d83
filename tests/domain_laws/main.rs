//! The promises of the specification, held against a simulated truth: users come, go and change their state at known
//! instants; a service answers, out of a cache or cut short or not at all; what adsum records must agree.
//!
//! Written from the specification and the public signatures alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a broken helper fails the test that uses it"
)]

mod changes;
mod gaps;
mod plan;
mod presence;
mod promises;
mod repeats;
mod runs;
mod watcher;
mod world;

use proptest::test_runner::Config;

/// How each law is tried.
fn tries(cases: u32) -> Config {
    Config { cases, max_shrink_iters: 20_000, failure_persistence: None, ..Config::default() }
}
