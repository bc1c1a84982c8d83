//! The courier with a real history: to real receivers on loopback in real time, and to notifiers of the tests' own in virtual
//! time.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    missing_docs,
    reason = "the helpers are part of the tests"
)]

mod command;
mod flaky;
mod give_up;
mod hours;
mod laws;
mod mail;
#[path = "../notify/python.rs"]
#[allow(dead_code, reason = "not every test of notifiers is one of the courier")]
mod python;
#[path = "../notify/receiver.rs"]
#[allow(dead_code, reason = "not every test of notifiers is one of the courier")]
mod receiver;
mod receivers;
mod scripted;
mod stop;
mod supervised;
mod trouble;
mod webhooks;
mod world;
