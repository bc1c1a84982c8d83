//! Where a user is now (PROTOCOL.md 2.1).

use serde::Serialize;

use super::answer::{self, Flaw};
use super::client::Client;
use super::error::Error;
use super::names::path_piece;
use super::request::Request;
use super::wire::ChannelListBody;

/// A where-now request: [`Client::where_now`].
#[derive(Debug, Clone)]
#[must_use = "nothing is asked before `execute`"]
pub struct WhereNow {
    client: Client,
    user_id: String,
}

/// What a where-now request found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhereNowResult {
    /// The channels the user is in, in the answer's order. An unknown user is in none.
    pub channels: Vec<String>,
}

impl Client {
    /// Asks which channels a user is in; without [`WhereNow::user_id`], the client's own.
    pub fn where_now(&self) -> WhereNow {
        WhereNow { client: self.clone(), user_id: self.user_id().to_owned() }
    }
}

impl WhereNow {
    /// The user to ask about.
    pub fn user_id(mut self, user_id: impl Into<String>) -> Self {
        self.user_id = user_id.into();
        self
    }

    /// Asks.
    ///
    /// # Errors
    /// Any [`Error`], as it says.
    pub async fn execute(self) -> Result<WhereNowResult, Error> {
        let user = path_piece("user id", &self.user_id)?;
        let request =
            Request::new(format!("/v2/presence/sub-key/{}/uuid/{user}", self.client.subscribe_key()));
        self.client.call(&request, parse).await
    }
}

pub(super) fn parse(text: &str) -> Result<WhereNowResult, Flaw> {
    Ok(WhereNowResult { channels: answer::object::<ChannelListBody>(text)?.into_channels() })
}
