//! Users' states (PROTOCOL.md 2.2, 2.3).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::answer::{self, Flaw, check_channels};
use super::client::Client;
use super::error::Error;
use super::names::path_piece;
use super::target::{Target, names_its_target};
use super::wire::{GetStateBody, GetStateShape, SetStateBody};

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

names_its_target!(SetState);
names_its_target!(GetState);

impl SetState {
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
        let Some(state @ Value::Object(_)) = self.state else {
            return Err(Error::InvalidRequest { what: "the state must be a JSON object".to_owned() });
        };
        let user = path_piece("user id", &self.target.user_id)?;
        let mut request = self.target.request(&format!("uuid/{user}/data"))?;
        request.param("state", state.to_string());
        let parse = |text: &str| Ok(SetStateResult { state: answer::object::<SetStateBody>(text)?.payload });
        self.target.client.call(&request, parse).await
    }
}

impl GetState {
    /// Asks.
    ///
    /// # Errors
    /// [`Error::BadAnswer`] also where the answer speaks of another channel; any other [`Error`] as it says.
    pub async fn execute(self) -> Result<GetStateResult, Error> {
        let user = path_piece("user id", &self.target.user_id)?;
        let request = self.target.request(&format!("uuid/{user}"))?;
        self.target.client.call(&request, |text| self.parse(text)).await
    }

    /// Two shapes: flat with `channel` for one channel, `payload.channels` for everything else.
    pub(super) fn parse(&self, text: &str) -> Result<GetStateResult, Flaw> {
        let states = match answer::object::<GetStateShape>(text)?.channel {
            Some(channel) => vec![(channel, answer::object::<SetStateBody>(text)?.payload)],
            None => answer::object::<GetStateBody>(text)?.payload.0.channels.0,
        };
        check_channels(states.iter().map(|(name, _)| name.as_str()), self.target.asked())?;
        Ok(GetStateResult { channels: states.into_iter().collect() })
    }
}
