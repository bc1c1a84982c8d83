//! Being here and leaving (PROTOCOL.md 2.4, 2.5).

use std::collections::BTreeMap;

use serde_json::Value;

use super::answer::{self, Flaw};
use super::client::Client;
use super::error::Error;
use super::names::{channel_list, query_list};
use super::request::Request;
use super::wire::AnyBody;

/// The presence timeout that a heartbeat asks for unless told otherwise, in seconds: that of PubNub's SDKs.
pub const DEFAULT_HEARTBEAT: u32 = 300;

/// A heartbeat: [`Client::heartbeat`].
#[derive(Debug, Clone)]
#[must_use = "nothing is sent before `execute`"]
pub struct Heartbeat {
    client: Client,
    user_id: String,
    channels: Vec<String>,
    channel_groups: Vec<String>,
    seconds: u32,
    state: BTreeMap<String, Value>,
}

/// A leave: [`Client::leave`].
#[derive(Debug, Clone)]
#[must_use = "nothing is sent before `execute`"]
pub struct Leave {
    client: Client,
    user_id: String,
    channels: Vec<String>,
    channel_groups: Vec<String>,
}

impl Client {
    /// Joins channels, or stays in them: the user is here until the presence timeout passes without another.
    pub fn heartbeat(&self) -> Heartbeat {
        Heartbeat {
            client: self.clone(),
            user_id: self.user_id().to_owned(),
            channels: Vec::new(),
            channel_groups: Vec::new(),
            seconds: DEFAULT_HEARTBEAT,
            state: BTreeMap::new(),
        }
    }

    /// Leaves channels. The service says yes to users who are not there, too.
    pub fn leave(&self) -> Leave {
        let user_id = self.user_id().to_owned();
        Leave { client: self.clone(), user_id, channels: Vec::new(), channel_groups: Vec::new() }
    }
}

impl Heartbeat {
    /// The channels, added to those already named.
    pub fn channels<I: IntoIterator<Item: Into<String>>>(mut self, channels: I) -> Self {
        self.channels.extend(channels.into_iter().map(Into::into));
        self
    }

    /// The channel groups, added to those already named.
    pub fn channel_groups<I: IntoIterator<Item: Into<String>>>(mut self, groups: I) -> Self {
        self.channel_groups.extend(groups.into_iter().map(Into::into));
        self
    }

    /// Who is here; default the client's own user id.
    pub fn user_id(mut self, user_id: impl Into<String>) -> Self {
        self.user_id = user_id.into();
        self
    }

    /// The presence timeout in seconds; default [`DEFAULT_HEARTBEAT`].
    pub fn heartbeat(mut self, seconds: u32) -> Self {
        self.seconds = seconds;
        self
    }

    /// The user's state in `channel`: a JSON object. May be given for several channels.
    pub fn state(mut self, channel: impl Into<String>, state: impl Into<Value>) -> Self {
        self.state.insert(channel.into(), state.into());
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] also where nothing is named or a state is no object; any other [`Error`] as it says.
    pub async fn execute(self) -> Result<(), Error> {
        let mut request =
            request(&self.client, "heartbeat", &self.user_id, &self.channels, &self.channel_groups)?;
        request.param("heartbeat", self.seconds.to_string());
        if let Some((channel, _)) = self.state.iter().find(|(_, state)| !state.is_object()) {
            let what = format!("the state for channel {channel:?} must be a JSON object");
            return Err(Error::InvalidRequest { what });
        }
        if !self.state.is_empty() {
            request.param("state", Value::from_iter(self.state).to_string());
        }
        self.client.call(&request, acknowledged).await
    }
}

impl Leave {
    /// The channels, added to those already named.
    pub fn channels<I: IntoIterator<Item: Into<String>>>(mut self, channels: I) -> Self {
        self.channels.extend(channels.into_iter().map(Into::into));
        self
    }

    /// The channel groups, added to those already named.
    pub fn channel_groups<I: IntoIterator<Item: Into<String>>>(mut self, groups: I) -> Self {
        self.channel_groups.extend(groups.into_iter().map(Into::into));
        self
    }

    /// Who leaves; default the client's own user id.
    pub fn user_id(mut self, user_id: impl Into<String>) -> Self {
        self.user_id = user_id.into();
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] also where nothing is named; any other [`Error`] as it says.
    pub async fn execute(self) -> Result<(), Error> {
        let request = request(&self.client, "leave", &self.user_id, &self.channels, &self.channel_groups)?;
        self.client.call(&request, acknowledged).await
    }
}

fn request(
    client: &Client,
    what: &str,
    user_id: &str,
    channels: &[String],
    channel_groups: &[String],
) -> Result<Request, Error> {
    if channels.is_empty() && channel_groups.is_empty() {
        return Err(Error::InvalidRequest { what: format!("a {what} needs a channel or a channel group") });
    }
    if user_id.is_empty() {
        return Err(Error::InvalidRequest { what: format!("a {what} needs a user id") });
    }
    let (key, list) = (client.subscribe_key(), channel_list(channels)?);
    let mut request = Request::new(format!("/v2/presence/sub-key/{key}/channel/{list}/{what}"));
    request.list("channel-group", query_list("channel group", channel_groups)?);
    request.param("uuid", user_id);
    Ok(request)
}

/// `{"status": 200, "message": "OK", …}`: nothing in it matters once it is known to be no error.
pub(super) fn acknowledged(text: &str) -> Result<(), Flaw> {
    answer::object::<AnyBody>(text).map(|AnyBody {}| ())
}
