//! Being here and leaving (PROTOCOL.md 2.4, 2.5).

use std::collections::BTreeMap;

use serde_json::Value;

use super::answer::{self, Flaw};
use super::client::Client;
use super::error::Error;
use super::target::{Target, names_its_target};
use super::wire::AnyBody;

/// The presence timeout that a heartbeat asks for unless told otherwise, in seconds: that of PubNub's SDKs.
pub const DEFAULT_HEARTBEAT: u32 = 300;

/// A heartbeat: [`Client::heartbeat`].
#[derive(Debug, Clone)]
#[must_use = "nothing is sent before `execute`"]
pub struct Heartbeat {
    target: Target,
    seconds: u32,
    state: BTreeMap<String, Value>,
}

/// A leave: [`Client::leave`].
#[derive(Debug, Clone)]
#[must_use = "nothing is sent before `execute`"]
pub struct Leave {
    target: Target,
}

impl Client {
    /// Joins channels, or stays in them: the user is here until the presence timeout passes without another.
    pub fn heartbeat(&self) -> Heartbeat {
        Heartbeat { target: Target::new(self), seconds: DEFAULT_HEARTBEAT, state: BTreeMap::new() }
    }

    /// Leaves channels. The service says yes to users who are not there, too.
    pub fn leave(&self) -> Leave {
        Leave { target: Target::new(self) }
    }
}

names_its_target!(Heartbeat);
names_its_target!(Leave);

impl Heartbeat {
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
        let mut request = self.target.request("heartbeat")?;
        request.param("uuid", self.target.user_id);
        request.param("heartbeat", self.seconds.to_string());
        if let Some((channel, _)) = self.state.iter().find(|(_, state)| !state.is_object()) {
            let what = format!("the state for channel {channel:?} must be a JSON object");
            return Err(Error::InvalidRequest { what });
        }
        if !self.state.is_empty() {
            request.param("state", Value::from_iter(self.state).to_string());
        }
        self.target.client.call(&request, acknowledged).await
    }
}

impl Leave {
    /// Sends it.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] also where nothing is named; any other [`Error`] as it says.
    pub async fn execute(self) -> Result<(), Error> {
        let mut request = self.target.request("leave")?;
        request.param("uuid", self.target.user_id);
        self.target.client.call(&request, acknowledged).await
    }
}

/// `{"status": 200, "message": "OK", …}`: nothing in it matters once it is known to be no error.
pub(super) fn acknowledged(text: &str) -> Result<(), Flaw> {
    answer::object::<AnyBody>(text).map(|AnyBody {}| ())
}
