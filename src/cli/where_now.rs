//! `adsum where-now`: where a user is now, as the Presence API says.

use clap::Args;

use super::connection::Connection;
use super::failure::Failure;
use super::output::Format;

/// Ask PubNub where a user is now
///
/// Makes one request and keeps nothing. Without a user it asks about `pubnub.user_id`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum where-now alice --subscribe-key sub-c-…
  adsum where-now --json")]
pub(super) struct WhereNow {
    /// The user [default: pubnub.user_id]
    #[arg(value_name = "UUID")]
    user: Option<String>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    connection: Connection,
}

impl WhereNow {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let client = self.connection.client()?;
        let user = self.user.unwrap_or_else(|| client.user_id().to_owned());
        let result = client.where_now().user_id(user.as_str()).execute().await?;
        self.format.result(&result, |result, page| {
            for channel in &result.channels {
                page.line(channel);
            }
            if result.channels.is_empty() {
                page.line(&format!("{user} is in no channel."));
            }
        })
    }
}
