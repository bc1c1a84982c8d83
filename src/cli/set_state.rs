//! `adsum set-state`: sets a user's state through the Presence API.

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;

use super::connection::Connection;
use super::failure::Failure;
use super::output::Format;
use super::show::{Kind, sentence};
use super::targets::Targets;

/// Set a user's state in channels
///
/// Makes one request. The state replaces the whole state the user had there; it is gone when the user leaves.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum set-state --channel lobby --state '{\"mood\":\"away\"}'
  adsum set-state --group staff --uuid alice --state '{}'")]
pub(super) struct SetState {
    #[command(flatten)]
    targets: Targets,
    /// The state: a JSON object
    #[arg(long, value_name = "JSON")]
    state: String,
    /// The user [default: pubnub.user_id]
    #[arg(long, value_name = "UUID")]
    uuid: Option<String>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    connection: Connection,
}

impl SetState {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let state = object(&self.state)?;
        let client = self.connection.client()?;
        let user = self.uuid.unwrap_or_else(|| client.user_id().to_owned());
        let request = client.set_state().channels(self.targets.channels).channel_groups(self.targets.groups);
        let result = request.user_id(user.as_str()).state(state).execute().await?;
        self.format.result(&result, |result, page| {
            page.line(&format!("The state of {user} is {}", sentence(&result.state, Kind::Json)));
        })
    }
}

fn object(text: &str) -> Result<Value, Failure> {
    let value: Value = serde_json::from_str(text).context("--state is not JSON").map_err(Failure::Usage)?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(Failure::usage("--state must be a JSON object, such as {\"mood\":\"away\"}"))
    }
}
