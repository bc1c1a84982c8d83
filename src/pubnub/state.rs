//! Users' states (PROTOCOL.md 2.2, 2.3).

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use serde_json::Value;

use super::answer::{self, Flaw};
use super::client::Client;
use super::error::Error;
use super::names::{channel_list, distinct, path_piece, query_list};
use super::request::Request;
use super::wire::{GetStateBody, SetStateBody};

/// Whose state, and where: what both requests name.
#[derive(Debug, Clone)]
struct Target {
    client: Client,
    user_id: String,
    channels: Vec<String>,
    channel_groups: Vec<String>,
}

impl Target {
    fn new(client: &Client) -> Self {
        let user_id = client.user_id().to_owned();
        Self { client: client.clone(), user_id, channels: Vec::new(), channel_groups: Vec::new() }
    }

    fn request(&self, tail: &str) -> Result<Request, Error> {
        if self.channels.is_empty() && self.channel_groups.is_empty() {
            return Err(Error::InvalidRequest {
                what: "a state needs a channel or a channel group".to_owned(),
            });
        }
        let (channels, user) = (channel_list(&self.channels)?, path_piece("user id", &self.user_id)?);
        let key = self.client.subscribe_key();
        let mut request =
            Request::new(format!("/v2/presence/sub-key/{key}/channel/{channels}/uuid/{user}{tail}"));
        request.list("channel-group", query_list("channel group", &self.channel_groups)?);
        Ok(request)
    }
}

/// A set-state request: [`Client::set_state`].
#[derive(Debug, Clone)]
#[must_use = "nothing is sent before `execute`"]
pub struct SetState {
    target: Target,
    state: Option<Value>,
}

/// What a set-state request answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetStateResult {
    /// The state as the service took it.
    pub state: Value,
}

/// A get-state request: [`Client::get_state`].
#[derive(Debug, Clone)]
#[must_use = "nothing is asked before `execute`"]
pub struct GetState {
    target: Target,
}

/// What a get-state request found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GetStateResult {
    /// The user's state in each channel; `{}` where there is none, or no entry.
    pub channels: BTreeMap<String, Value>,
}

impl Client {
    /// Sets a user's whole state in channels, or in all channels a group has at that time.
    pub fn set_state(&self) -> SetState {
        SetState { target: Target::new(self), state: None }
    }

    /// Asks for a user's state in channels, or in the channels of groups.
    pub fn get_state(&self) -> GetState {
        GetState { target: Target::new(self) }
    }
}

impl SetState {
    /// The channels, added to those already named.
    pub fn channels<I: IntoIterator<Item: Into<String>>>(mut self, channels: I) -> Self {
        self.target.channels.extend(channels.into_iter().map(Into::into));
        self
    }

    /// The channel groups, added to those already named.
    pub fn channel_groups<I: IntoIterator<Item: Into<String>>>(mut self, groups: I) -> Self {
        self.target.channel_groups.extend(groups.into_iter().map(Into::into));
        self
    }

    /// Whose state; default the client's own user id.
    pub fn user_id(mut self, user_id: impl Into<String>) -> Self {
        self.target.user_id = user_id.into();
        self
    }

    /// The state: a JSON object.
    pub fn state(mut self, state: impl Into<Value>) -> Self {
        self.state = Some(state.into());
        self
    }

    /// Sets it.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] also where the state is missing or no object; any other [`Error`] as it says.
    pub async fn execute(self) -> Result<SetStateResult, Error> {
        let Some(Value::Object(_)) = self.state else {
            return Err(Error::InvalidRequest { what: "the state must be a JSON object".to_owned() });
        };
        let mut request = self.target.request("/data")?;
        request.param("state", self.state.unwrap_or_default().to_string());
        let parse = |text: &str| Ok(SetStateResult { state: answer::object::<SetStateBody>(text)?.payload });
        self.target.client.call(&request, parse).await
    }
}

impl GetState {
    /// The channels, added to those already named.
    pub fn channels<I: IntoIterator<Item: Into<String>>>(mut self, channels: I) -> Self {
        self.target.channels.extend(channels.into_iter().map(Into::into));
        self
    }

    /// The channel groups, added to those already named.
    pub fn channel_groups<I: IntoIterator<Item: Into<String>>>(mut self, groups: I) -> Self {
        self.target.channel_groups.extend(groups.into_iter().map(Into::into));
        self
    }

    /// Whose state; default the client's own user id.
    pub fn user_id(mut self, user_id: impl Into<String>) -> Self {
        self.target.user_id = user_id.into();
        self
    }

    /// Asks.
    ///
    /// # Errors
    /// [`Error::BadAnswer`] also where the answer speaks of another channel; any other [`Error`] as it says.
    pub async fn execute(self) -> Result<GetStateResult, Error> {
        let request = self.target.request("")?;
        self.target.client.call(&request, |text| self.parse(text)).await
    }

    /// Two shapes: flat with `channel` for one channel, `payload.channels` for everything else.
    pub(super) fn parse(&self, text: &str) -> Result<GetStateResult, Flaw> {
        let body: GetStateBody = answer::object(text)?;
        let channels = match (body.channel, body.payload) {
            (Some(channel), state) => BTreeMap::from([(channel, Value::Object(state))]),
            (None, mut payload) => match payload.remove("channels") {
                Some(Value::Object(channels)) => channels.into_iter().collect(),
                _ => return Err(Flaw::new("neither `channel` nor `payload.channels`")),
            },
        };
        self.check_names(&channels)?;
        Ok(GetStateResult { channels })
    }

    fn check_names(&self, channels: &BTreeMap<String, Value>) -> Result<(), Flaw> {
        if !self.target.channel_groups.is_empty() {
            return Ok(());
        }
        let asked: HashSet<&str> = distinct(&self.target.channels).collect();
        match channels.keys().find(|name| !asked.contains(name.as_str())) {
            Some(name) => Err(Flaw::new(format!("channel \"{name}\" was not asked about"))),
            None => Ok(()),
        }
    }
}
