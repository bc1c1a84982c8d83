//! What the embedded origin can be told.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::faults::Faults;

/// How the embedded origin behaves. The defaults are `PubNub`'s where PROTOCOL.md knows them.
#[derive(Debug, Clone, PartialEq)]
pub struct OriginSettings {
    /// The address to listen on; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The presence timeout of clients that name none (PROTOCOL.md 2.4: 300 s).
    pub presence_timeout: Duration,
    /// The occupancy up to which joins, leaves and timeouts are announced one by one (PROTOCOL.md 3.4).
    pub announce_max: usize,
    /// The time between two `interval` events of a channel above [`announce_max`](Self::announce_max).
    pub announce_interval: Duration,
    /// For how long a here-now answer is served again to the same URL (PROTOCOL.md 1.6: 3 s); zero turns it off.
    pub here_now_cache: Duration,
    /// For how long a subscribe is held when nothing happens. Clients give up after 310 s (PROTOCOL.md 2.6).
    pub subscribe_timeout: Duration,
    /// What it does wrong on purpose, until `/faults` says otherwise.
    pub faults: Faults,
}

impl Default for OriginSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            presence_timeout: Duration::from_mins(5),
            announce_max: 100,
            announce_interval: Duration::from_secs(10),
            here_now_cache: Duration::from_secs(3),
            subscribe_timeout: Duration::from_secs(280),
            faults: Faults::default(),
        }
    }
}
