//! The moving parts, the only place that imports actix: supervisor, channel, poller, recorder, state keeper.

pub mod handle;
