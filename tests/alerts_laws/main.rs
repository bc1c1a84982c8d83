//! The laws of alerts (SPEC section 4), held against a model that decides by the words of the specification over the
//! whole log, again at each entry, and remembers no state but which alert fires.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a broken helper fails the test that uses it"
)]

mod decisions;
mod laws;
mod model;
mod play;
mod script;
mod silences;
