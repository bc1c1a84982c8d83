//! The whole path with real processes: `adsum origin`, `adsum run`, and what really happened kept by the tests
//! themselves. What is recorded is then judged against it, from the API alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod bad_input;
mod crowd;
mod judge;
mod kills;
mod process;
mod proxy;
mod record;
mod sdk_recorded;
mod tally;
mod truth;
mod wire;
