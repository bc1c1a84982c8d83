//! Backtests agree with what live evaluation did on the same observations, as far as the record shows it; and what the
//! command says of bad input.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a broken helper fails the test that uses it"
)]

mod agreement;
mod command;
mod day;
mod days;
mod judge;
mod laws;
mod live;
mod rules;
mod spans;
