//! Where observations come from: a port, and its adapter to `PubNub`'s Presence API.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::domain::gap::GapReason;
use crate::domain::names::{ChannelName, GroupName, UserId};
use crate::domain::observation::Occupant;
use crate::domain::plan::Failure;
use crate::domain::state::{Shown, State};
use crate::pubnub::{Client, Error, HereNowChannel, HereNowOccupant};
use crate::telemetry::metrics;

/// One here-now request. Without channels it is global.
#[derive(Clone, Debug)]
pub struct HereNow {
    /// For these.
    pub channels: Vec<ChannelName>,
    /// With states.
    pub include_state: bool,
    /// With user ids.
    pub include_uuids: bool,
    /// At most so many users of each channel, from this one on; `None`: all in one answer.
    pub page: Option<(u32, u32)>,
}

/// One channel in an answer.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Which. Not checked against what was asked for.
    pub channel: String,
    /// Its true total.
    pub occupancy: u64,
    /// Its users; `None` if the answer had no list.
    pub listed: Option<Vec<Occupant>>,
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// What a gap is labelled with.
    pub reason: GapReason,
    /// What it means for the plan.
    pub failure: Failure,
    /// What happened, for the log.
    pub what: String,
}

/// Counts a request by what came of it.
pub(super) fn counted<T>(answer: Result<T, Trouble>) -> Result<T, Trouble> {
    metrics::request(answer.as_ref().map_or_else(|trouble| trouble.reason.as_str(), |_| "ok"));
    answer
}

/// A service that can say who is here now.
pub trait Source: Send + Sync + 'static {
    /// Makes one request.
    fn here_now(&self, request: HereNow) -> BoxFuture<'static, Result<Vec<Listing>, Trouble>>;

    /// The names in a channel group, in one request.
    fn channels_of(&self, group: &GroupName) -> BoxFuture<'static, Result<Vec<String>, Trouble>>;
}

impl Source for Client {
    fn here_now(&self, request: HereNow) -> BoxFuture<'static, Result<Vec<Listing>, Trouble>> {
        let call = Client::here_now(self)
            .channels(request.channels.iter().map(ChannelName::as_str))
            .include_state(request.include_state)
            .include_uuids(request.include_uuids)
            .limit(request.page.map(|(limit, _)| limit))
            .offset(request.page.map(|(_, offset)| offset));
        let with_state = request.include_state;
        async move {
            let answer = call.execute().await.map_err(|error| trouble(&error, &request.channels))?;
            answer.channels.into_iter().map(|channel| listing(channel, with_state)).collect()
        }
        .boxed()
    }

    fn channels_of(&self, group: &GroupName) -> BoxFuture<'static, Result<Vec<String>, Trouble>> {
        let call = self.list_channel_group(group.as_str());
        async move { Ok(call.execute().await.map_err(|error| trouble(&error, &[]))?.channels) }.boxed()
    }
}

fn listing(channel: HereNowChannel, with_state: bool) -> Result<Listing, Trouble> {
    let name = channel.channel_name;
    let occupant = |occupant: HereNowOccupant| {
        let user = UserId::new(&occupant.uuid)
            .map_err(|error| bad_answer(format!("a user id of channel {name:?} {error}")))?;
        let state = match occupant.state {
            // A bare id has no room for a state: the service did not answer what was asked.
            _ if !with_state || occupant.bare => Shown::Unknown,
            None => Shown::Empty,
            Some(value) => Shown::Value(State::new(value)),
        };
        Ok(Occupant { user, state })
    };
    let listed =
        channel.occupants.map(|occupants| occupants.into_iter().map(occupant).collect()).transpose()?;
    Ok(Listing { channel: name, occupancy: channel.occupancy, listed })
}

/// Something in an answer is bad.
pub(super) fn bad_answer(what: String) -> Trouble {
    Trouble { reason: GapReason::BadAnswer, failure: Failure::Answer, what }
}

/// What an error of the client means for the channels that were asked for.
fn trouble(error: &Error, asked: &[ChannelName]) -> Trouble {
    let retry_after = error.retry_after();
    let (key, service) = (|| Failure::Key { retry_after }, || Failure::Service { retry_after });
    let (reason, failure) = match error {
        Error::Timeout { .. } => (GapReason::Timeout, service()),
        Error::Unreachable { .. } => (GapReason::Unreachable, service()),
        // An answer that takes so long may be that of one channel alone: the service itself had begun to answer.
        Error::Unfinished { .. } => (GapReason::Timeout, Failure::Answer),
        Error::BadAnswer { .. } | Error::TooLarge { .. } => (GapReason::BadAnswer, Failure::Answer),
        // A redirect, such as a captive portal's: not what the Presence API does, whichever channels are asked for.
        Error::Service { status: 100..=199 | 300..=399, .. } => (GapReason::BadAnswer, service()),
        Error::Service { status: 429, .. } => (GapReason::Throttled, key()),
        Error::Service { status: 500.., .. } => (GapReason::ServerError, service()),
        Error::Service { status: 403, channels, .. } => {
            (GapReason::Forbidden, forbidden(channels, asked, key()))
        }
        error if error.concerns_key() => (GapReason::Refused, key()),
        // Anything else that is refused may be one channel's fault, such as a name that the service does not take.
        _ => (GapReason::Refused, Failure::Answer),
    };
    Trouble { reason, failure, what: error.to_string() }
}

/// A 403 is about the channels it names. One that names none, or none that was asked for, is about the key.
fn forbidden(named: &[String], asked: &[ChannelName], key: Failure) -> Failure {
    let refused = |name: &&ChannelName| named.iter().any(|named| named == name.as_str());
    let refused: Vec<ChannelName> = asked.iter().filter(refused).cloned().collect();
    if refused.is_empty() { key } else { Failure::Channels(refused) }
}
