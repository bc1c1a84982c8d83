//! Channel groups (PROTOCOL.md 2.7).

use serde::Serialize;

use super::answer::{self, Flaw};
use super::client::Client;
use super::error::Error;
use super::heartbeat::acknowledged;
use super::names::{path_piece, query_list};
use super::request::Request;
use super::wire::ChannelListBody;

/// A listing of a group's channels: [`Client::list_channel_group`].
#[derive(Debug, Clone)]
#[must_use = "nothing is asked before `execute`"]
pub struct ListChannelGroup {
    client: Client,
    group: String,
}

/// An addition to a group: [`Client::add_channels_to_group`].
#[derive(Debug, Clone)]
#[must_use = "nothing is sent before `execute`"]
pub struct AddChannelsToGroup {
    client: Client,
    group: String,
    channels: Vec<String>,
}

/// A removal from a group: [`Client::remove_channels_from_group`].
#[derive(Debug, Clone)]
#[must_use = "nothing is sent before `execute`"]
pub struct RemoveChannelsFromGroup {
    client: Client,
    group: String,
    channels: Vec<String>,
}

/// The end of a group: [`Client::delete_channel_group`].
#[derive(Debug, Clone)]
#[must_use = "nothing is sent before `execute`"]
pub struct DeleteChannelGroup {
    client: Client,
    group: String,
}

/// What a listing found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelGroupResult {
    /// The group's channels, in the answer's order; none for an unknown group.
    pub channels: Vec<String>,
}

impl Client {
    /// Asks which channels a group has.
    pub fn list_channel_group(&self, group: impl Into<String>) -> ListChannelGroup {
        ListChannelGroup { client: self.clone(), group: group.into() }
    }

    /// Adds channels to a group, which comes into being with its first.
    pub fn add_channels_to_group(&self, group: impl Into<String>) -> AddChannelsToGroup {
        AddChannelsToGroup { client: self.clone(), group: group.into(), channels: Vec::new() }
    }

    /// Takes channels out of a group.
    pub fn remove_channels_from_group(&self, group: impl Into<String>) -> RemoveChannelsFromGroup {
        RemoveChannelsFromGroup { client: self.clone(), group: group.into(), channels: Vec::new() }
    }

    /// Deletes a group.
    pub fn delete_channel_group(&self, group: impl Into<String>) -> DeleteChannelGroup {
        DeleteChannelGroup { client: self.clone(), group: group.into() }
    }
}

impl ListChannelGroup {
    /// Asks.
    ///
    /// # Errors
    /// [`Error::BadAnswer`] also where the answer is about another group; any other [`Error`] as it says.
    pub async fn execute(self) -> Result<ChannelGroupResult, Error> {
        self.client.call(&request(&self.client, &self.group, "")?, |text| parse(text, &self.group)).await
    }
}

impl AddChannelsToGroup {
    /// The channels, added to those already named.
    pub fn channels<I: IntoIterator<Item: Into<String>>>(mut self, channels: I) -> Self {
        self.channels.extend(channels.into_iter().map(Into::into));
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] also where no channel is named; any other [`Error`] as it says.
    pub async fn execute(self) -> Result<(), Error> {
        change(&self.client, &self.group, "add", &self.channels).await
    }
}

impl RemoveChannelsFromGroup {
    /// The channels, added to those already named.
    pub fn channels<I: IntoIterator<Item: Into<String>>>(mut self, channels: I) -> Self {
        self.channels.extend(channels.into_iter().map(Into::into));
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] also where no channel is named; any other [`Error`] as it says.
    pub async fn execute(self) -> Result<(), Error> {
        change(&self.client, &self.group, "remove", &self.channels).await
    }
}

impl DeleteChannelGroup {
    /// Sends it.
    ///
    /// # Errors
    /// Any [`Error`], as it says.
    pub async fn execute(self) -> Result<(), Error> {
        self.client.call(&request(&self.client, &self.group, "/remove")?, acknowledged).await
    }
}

async fn change(client: &Client, group: &str, key: &'static str, channels: &[String]) -> Result<(), Error> {
    if channels.is_empty() {
        return Err(Error::InvalidRequest { what: format!("no channels to {key}") });
    }
    let mut request = request(client, group, "")?;
    request.param(key, query_list("channel", channels)?);
    client.call(&request, acknowledged).await
}

fn request(client: &Client, group: &str, tail: &str) -> Result<Request, Error> {
    let (key, group) = (client.subscribe_key(), path_piece("channel group", group)?);
    Ok(Request::new(format!("/v1/channel-registration/sub-key/{key}/channel-group/{group}{tail}")))
}

pub(super) fn parse(text: &str, group: &str) -> Result<ChannelGroupResult, Flaw> {
    let body: ChannelListBody = answer::object(text)?;
    match &body.payload.0.group {
        Some(other) if other != group => Err(Flaw::new(format!("group \"{other}\" was not asked about"))),
        _ => Ok(ChannelGroupResult { channels: body.into_channels() }),
    }
}
