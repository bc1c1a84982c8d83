//! A client of PubNub's Presence API: a library of its own, which imports nothing else of adsum.
//!
//! Every call is a builder with the parameters of PubNub's own SDKs; `execute` makes exactly one request unless the
//! [`ClientConfig`] carries a [`RetryPolicy`]. What comes back is hostile until parsed: bodies are bounded
//! ([`ClientConfig::max_answer`]), and an answer that contradicts itself is an [`Error::BadAnswer`], never a result.
//!
//! ```no_run
//! # async fn ask() -> Result<(), Box<dyn std::error::Error>> {
//! use adsum::pubnub::{Client, ClientConfig};
//!
//! let client = Client::new(ClientConfig::new("sub-c-…", "adsum"))?;
//! let now = client.here_now().channels(["lobby"]).include_state(true).execute().await?;
//! println!("{} here", now.total_occupancy);
//! # Ok(())
//! # }
//! ```

mod answer;
mod channel_groups;
mod client;
mod error;
mod heartbeat;
mod here_now;
#[cfg(test)]
mod hostile;
mod names;
mod refusal;
mod request;
mod retry;
mod shown;
mod signature;
mod state;
mod target;
mod time;
mod transport;
mod where_now;
mod wire;

pub use channel_groups::{
    AddChannelsToGroup, ChannelGroupResult, DeleteChannelGroup, ListChannelGroup, RemoveChannelsFromGroup,
};
pub use client::{Client, ClientConfig, ConfigError, DEFAULT_MAX_ANSWER, DEFAULT_ORIGIN, UnixClock};
pub use error::Error;
pub use heartbeat::{DEFAULT_HEARTBEAT, Heartbeat, Leave};
pub use here_now::{HereNow, HereNowChannel, HereNowOccupant, HereNowResult};
pub use names::encoded_len;
pub use request::MAX_URI;
pub use retry::RetryPolicy;
pub use state::{GetState, GetStateResult, SetState, SetStateResult};
pub use time::Time;
pub use transport::{Answer, Transport};
pub use where_now::{WhereNow, WhereNowResult};
