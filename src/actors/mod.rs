//! The moving parts, the only place that imports actix: supervisor, channel, poller, recorder, state keeper, scout.
//!
//! One observation flows one way: the poller makes one request for many channels and confirms what is unchanged; a
//! channel's actor works out what changed and holds the channel until the recorder has committed it; then the roster
//! advances, listeners hear of the events, and the keeper projects the states. No rule about presence lives here.

pub mod alarms;
pub mod alerting;
mod asking;
pub mod channel;
pub mod clock;
pub mod courier;
pub mod handle;
pub mod judge;
pub mod keeper;
pub mod live;
mod marks;
pub mod pace;
pub mod poller;
pub mod recorder;
pub mod scout;
pub mod seat;
pub mod source;
pub mod supervisor;
pub mod watchlist;
