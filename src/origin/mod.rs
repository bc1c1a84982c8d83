//! The embedded Presence API server: what `adsum origin` serves and `adsum demo` watches.
//!
//! It is wire-compatible with `PubNub` for presence, so that `PubNub`'s own SDKs work against it unmodified, given its
//! address as their origin. Presence is kept in memory only. The wire facts are in PROTOCOL.md.
//!
//! - `world`: who is where, for one subscribe key. Pure: time is passed in, what follows is returned.
//! - `events`: which presence events are announced, and how (PROTOCOL.md 3).
//! - `feed`: the announced events in order, for those who poll.
//! - `keyset`: the three together behind one lock, one for each subscribe key.
//! - `http`: the routes.
//! - [`faults`]: what goes wrong on purpose.
//!
//! # What a subscriber can rely on
//!
//! A user who subscribes to a channel joins it with the request. The user stays while a poll is held, whatever the
//! presence timeout: that is what users of the SDKs expect, although two recordings of the live service show a
//! timeout under an open poll (PROTOCOL.md 3.3). When the poll is answered, or its connection closes, the timeout
//! counts anew from that instant ("only on the server response does the heartbeat register", PROTOCOL.md 2.4).
//! One user id is one entry in a channel, however many devices use it: a leave from one of them is a leave.
//!
//! It checks neither access nor signatures, and does not read filter expressions. Nothing can be published but presence.

mod clock;
mod events;
pub mod faults;
mod feed;
mod http;
mod keyset;
mod name;
mod server;
mod settings;
mod state;
mod world;

pub use server::{Origin, OriginHandle};
pub use settings::OriginSettings;
