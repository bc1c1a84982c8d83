//! The API over real sockets, in front of a real adsum whose service is the test's own.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy spares test functions, not their helpers"
)]

mod access;
mod alerts;
mod answers;
mod deliveries;
mod refusals;
mod schema;
mod server;
mod silences;
mod story;
mod stream;
mod telling;
mod watches;
