//! What every history must do, whichever adapter keeps it; and what is special about the `SQLite` one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy spares test functions, not their helpers"
)]

mod alert_expiry;
mod alerting;
mod alerts;
mod backup;
mod commits;
mod damage;
mod discoveries;
mod expiry;
mod given;
mod judged;
mod lists;
mod marks;
mod migrations;
mod outbox;
mod outbox_model;
mod record;
mod silences;
mod sqlite;
mod verify;
mod world;
