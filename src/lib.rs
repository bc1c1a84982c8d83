//! adsum keeps a trustworthy record of presence on `PubNub` channels: who was where, from when to when, and how
//! sure that is. It never states more than it saw.
//!
//! Arrows go one way: `domain ← {pubnub, history, states, notify} ← actors ← api ← {cli, app} ← main`.
//!
//! - [`domain`]: values and rules, without I/O, clock or chance.
//! - [`pubnub`]: the Presence API client, a library of its own.
//! - [`origin`]: the embedded Presence API server.
//! - [`history`]: the durable record, behind one trait.
//! - [`notify`]: how people and programs hear of alerts.
//! - [`states`]: the last known states, a projection of the history.
//! - [`actors`]: the moving parts: supervisor, channel, poller, recorder, state keeper.
//! - [`api`]: the record over HTTP.
//! - [`cli`]: the commands.
//! - [`app`]: the composition root, from a configuration to running parts.
//! - [`config`]: layered configuration, refused as a whole when any of it is wrong.
//! - [`telemetry`]: logs, and every metric's name.

pub mod actors;
pub mod api;
pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod history;
mod loopback;
pub mod notify;
pub mod origin;
pub mod pubnub;
pub mod states;
pub mod telemetry;
