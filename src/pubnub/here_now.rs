//! Who is here now (PROTOCOL.md 1).

use serde::Serialize;
use serde_json::Value;

use super::answer::{self, Flaw, check_channels};
use super::client::Client;
use super::error::Error;
use super::names::{channel_list, distinct, query_list};
use super::request::Request;
use super::wire::{HereNowBody, HereNowEntry, Object};

/// A here-now request: [`Client::here_now`].
#[derive(Debug, Clone)]
#[must_use = "nothing is asked before `execute`"]
pub struct HereNow {
    client: Client,
    channels: Vec<String>,
    channel_groups: Vec<String>,
    include_state: bool,
    include_uuids: bool,
    limit: Option<u32>,
    offset: Option<u32>,
}

/// What a here-now request found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HereNowResult {
    /// How many channels the answer lists. Answers about several channels leave out empty ones.
    pub total_channels: u64,
    /// The sum of their occupancies.
    pub total_occupancy: u64,
    /// The channels, in the answer's order; each name once.
    pub channels: Vec<HereNowChannel>,
}

/// One channel of a [`HereNowResult`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HereNowChannel {
    /// The channel.
    pub channel_name: String,
    /// How many are here, whatever part of them is listed.
    pub occupancy: u64,
    /// Who is here: at most `occupancy` of them, fewer where a limit cut the list. `None`: the answer has no list
    /// (`include_uuids(false)`, `limit(0)`).
    pub occupants: Option<Vec<HereNowOccupant>>,
}

/// One user of a [`HereNowChannel`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HereNowOccupant {
    /// The user id; never empty.
    pub uuid: String,
    /// The user's state in the channel; `None` where there is none or it was not asked for.
    pub state: Option<Value>,
    /// Whether the answer gives the id alone, which has no room for a state: then `state` says nothing, even if states were
    /// asked for.
    #[serde(skip)]
    pub bare: bool,
}

impl Client {
    /// Asks who is in channels, in the channels of groups or, with neither, in all channels of the key (the global
    /// here-now, which PubNub calls deprecated).
    pub fn here_now(&self) -> HereNow {
        HereNow {
            client: self.clone(),
            channels: Vec::new(),
            channel_groups: Vec::new(),
            include_state: false,
            include_uuids: true,
            limit: None,
            offset: None,
        }
    }
}

impl HereNow {
    /// The channels to ask about, added to those already named.
    pub fn channels<I: IntoIterator<Item: Into<String>>>(mut self, channels: I) -> Self {
        self.channels.extend(channels.into_iter().map(Into::into));
        self
    }

    /// The channel groups to ask about, added to those already named.
    pub fn channel_groups<I: IntoIterator<Item: Into<String>>>(mut self, groups: I) -> Self {
        self.channel_groups.extend(groups.into_iter().map(Into::into));
        self
    }

    /// Whether to ask for the occupants' states; default no.
    pub fn include_state(mut self, include: bool) -> Self {
        self.include_state = include;
        self
    }

    /// Whether to ask for the occupants and not only for their number; default yes.
    pub fn include_uuids(mut self, include: bool) -> Self {
        self.include_uuids = include;
        self
    }

    /// The most occupants to list per channel; the service takes 0 to 1000. Without it no limit is sent, and the
    /// service lists all (PROTOCOL.md 1.6).
    pub fn limit(mut self, limit: impl Into<Option<u32>>) -> Self {
        self.limit = limit.into();
        self
    }

    /// How many occupants to skip in each channel's list.
    pub fn offset(mut self, offset: impl Into<Option<u32>>) -> Self {
        self.offset = offset.into();
        self
    }

    /// Asks.
    ///
    /// # Errors
    /// [`Error::BadAnswer`] also where totals do not add up, a list is longer than its occupancy, or a channel is listed
    /// that was not asked for or is listed twice; any other [`Error`] as it says.
    pub async fn execute(self) -> Result<HereNowResult, Error> {
        let request = self.request()?;
        self.client.call(&request, |text| self.parse(text)).await
    }

    fn request(&self) -> Result<Request, Error> {
        let mut path = format!("/v2/presence/sub-key/{}", self.client.subscribe_key());
        if !self.is_global() {
            path.push_str("/channel/");
            path.push_str(&channel_list(&self.channels)?);
        }
        let mut request = Request::new(path);
        request.list("channel-group", query_list("channel group", &self.channel_groups)?);
        if self.include_state {
            request.param("state", "1");
        }
        if !self.include_uuids {
            request.param("disable_uuids", "1");
        }
        if let Some(limit) = self.limit {
            request.param("limit", limit.to_string());
        }
        if let Some(offset) = self.offset {
            request.param("offset", offset.to_string());
        }
        Ok(request)
    }

    fn is_global(&self) -> bool {
        self.channels.is_empty() && self.channel_groups.is_empty()
    }

    pub(super) fn parse(&self, text: &str) -> Result<HereNowResult, Flaw> {
        let body: HereNowBody = answer::object(text)?;
        let result = match body.payload {
            Some(Object(payload)) => HereNowResult {
                total_channels: payload.total_channels,
                total_occupancy: payload.total_occupancy,
                channels: payload.channels.0.into_iter().map(channel).collect(),
            },
            None => self.flat(body)?,
        };
        let asked = (!self.is_global() && self.channel_groups.is_empty()).then_some(self.channels.as_slice());
        check_channels(result.channels.iter().map(|channel| channel.channel_name.as_str()), asked)?;
        check_totals(&result)?;
        result.channels.iter().try_for_each(check_list)?;
        Ok(result)
    }

    /// The flat answer, which does not name its channel: it belongs to the only one asked about.
    fn flat(&self, body: HereNowBody) -> Result<HereNowResult, Flaw> {
        let mut asked = distinct(&self.channels);
        let (Some(name), None, true) = (asked.next(), asked.next(), self.channel_groups.is_empty()) else {
            return Err(Flaw::new("no `payload`, though not exactly one channel was asked about"));
        };
        let occupancy = body.occupancy.ok_or_else(|| Flaw::new("neither `payload` nor `occupancy`"))?;
        let entry = HereNowEntry { occupancy, uuids: body.uuids };
        let channels = vec![channel((name.to_owned(), Object(entry)))];
        Ok(HereNowResult { total_channels: 1, total_occupancy: occupancy, channels })
    }
}

fn channel((channel_name, Object(entry)): (String, Object<HereNowEntry>)) -> HereNowChannel {
    HereNowChannel { channel_name, occupancy: entry.occupancy, occupants: entry.uuids }
}

/// `total_channels` counts the channels listed and `total_occupancy` sums their true occupancies, whatever `limit` and
/// `offset` cut from the lists (PROTOCOL.md 1.6).
fn check_totals(result: &HereNowResult) -> Result<(), Flaw> {
    let (total, listed) = (result.total_channels, result.channels.len());
    if u64::try_from(listed) != Ok(total) {
        return Err(Flaw::new(format!("`total_channels` is {total}, {listed} are listed")));
    }
    let sum: u128 = result.channels.iter().map(|channel| u128::from(channel.occupancy)).sum();
    if sum != u128::from(result.total_occupancy) {
        let total = result.total_occupancy;
        return Err(Flaw::new(format!("`total_occupancy` is {total}, the channels have {sum}")));
    }
    Ok(())
}

/// A list may be cut short, never longer than the occupancy.
fn check_list(channel: &HereNowChannel) -> Result<(), Flaw> {
    let listed = channel.occupants.as_ref().map_or(0, Vec::len);
    if u64::try_from(listed).is_ok_and(|listed| listed > channel.occupancy) {
        let HereNowChannel { channel_name: name, occupancy, .. } = channel;
        return Err(Flaw::new(format!(
            "channel \"{name}\" lists {listed} ids for an occupancy of {occupancy}"
        )));
    }
    Ok(())
}
