//! The whole path with real processes: `adsum origin`, `adsum run`, and what really happened kept by the tests
//! themselves. What is recorded is then judged against it, from the API alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "the wall clock around every action is the truth here")]

mod alerting;
mod alerts_bursts;
mod alerts_edits;
mod alerts_kills;
mod alerts_life;
mod alerts_restarts;
mod alerts_world;
mod bad_input;
mod crowd;
mod discovered;
mod judge;
mod judge_is_strict;
mod kills;
mod lives;
mod misbehaving;
mod process;
mod proxy;
mod receiver;
mod record;
mod sdk_recorded;
mod sled_lost;
mod tally;
mod truth;
mod unwritable;
mod wire;
mod witness;
