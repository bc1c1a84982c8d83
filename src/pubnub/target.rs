//! A user in channels and channel groups: what states, heartbeats and leaves are about.

use super::client::Client;
use super::error::Error;
use super::names::{channel_list, query_list};
use super::request::Request;

/// Who, and where.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) client: Client,
    pub(super) user_id: String,
    pub(super) channels: Vec<String>,
    pub(super) channel_groups: Vec<String>,
}

impl Target {
    pub(super) fn new(client: &Client) -> Self {
        let user_id = client.user_id().to_owned();
        Self { client: client.clone(), user_id, channels: Vec::new(), channel_groups: Vec::new() }
    }

    /// The request whose path ends in `tail` after the channels.
    pub(super) fn request(&self, tail: &str) -> Result<Request, Error> {
        let invalid = |what: &str| Error::InvalidRequest { what: what.to_owned() };
        if self.channels.is_empty() && self.channel_groups.is_empty() {
            return Err(invalid("neither a channel nor a channel group is named"));
        }
        if self.user_id.is_empty() {
            return Err(invalid("the user id is empty"));
        }
        let (key, channels) = (self.client.subscribe_key(), channel_list(&self.channels)?);
        let mut request = Request::new(format!("/v2/presence/sub-key/{key}/channel/{channels}/{tail}"));
        request.list("channel-group", query_list("channel group", &self.channel_groups)?);
        Ok(request)
    }

    /// The channels an answer may speak of; `None` where groups make that unknown.
    pub(super) fn asked(&self) -> Option<&[String]> {
        self.channel_groups.is_empty().then_some(&self.channels)
    }
}

/// Lets a builder with a `target: Target` name it.
macro_rules! names_its_target {
    ($builder:ident) => {
        impl $builder {
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

            /// The user it is about; default the client's own user id.
            pub fn user_id(mut self, user_id: impl Into<String>) -> Self {
                self.target.user_id = user_id.into();
                self
            }
        }
    };
}

pub(super) use names_its_target;
