//! Values and rules of presence. No I/O, no clock, no chance, no async: this could be compiled alone.
//!
//! An [`observation::Observation`] is held against a [`channel::Channel`]; the [`channel::Changes`] that follow are
//! committed by the history and only then applied. [`answer`] says what the record knows of a moment.
//! [`schedule`] and [`plan`] decide when and with whom a channel is asked for.

pub mod alert;
pub mod answer;
pub mod channel;
pub mod duration;
pub mod event;
pub mod gap;
pub mod names;
pub mod observation;
pub mod occupancy;
pub mod pages;
pub mod plan;
pub mod roster;
pub mod schedule;
pub mod state;
pub mod time;
pub mod visit;
pub mod watch;
