//! Notifiers against real receivers: HTTP servers that behave in every way, a mail server, and the reference library of
//! Standard Webhooks, the last two from `PyPI` (tests/notify/install.sh).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "the helpers are part of the tests"
)]

mod answers;
mod chat;
mod email;
mod hostile;
mod private;
mod python;
mod receiver;
mod signed;
mod templates;
mod webhook;
mod world;
