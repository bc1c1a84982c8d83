//! `adsum get-state`: a user's state, as the Presence API has it.

use clap::Args;

use super::connection::Connection;
use super::failure::Failure;
use super::output::Format;
use super::show::{Kind, cell};
use super::table::{Cell, Table};
use super::targets::Targets;

/// Ask PubNub for a user's state in channels
///
/// Makes one request and keeps nothing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum get-state --channel lobby --uuid alice
  adsum get-state --channel lobby --channel room.1 --group staff --json")]
pub(super) struct GetState {
    #[command(flatten)]
    targets: Targets,
    /// The user [default: pubnub.user_id]
    #[arg(long, value_name = "UUID")]
    uuid: Option<String>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    connection: Connection,
}

impl GetState {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let client = self.connection.client()?;
        let user = self.uuid.unwrap_or_else(|| client.user_id().to_owned());
        let request = client.get_state().channels(self.targets.channels).channel_groups(self.targets.groups);
        let result = request.user_id(user.as_str()).execute().await?;
        self.format.result(&result, |result, page| {
            if result.channels.is_empty() {
                return page.line(&format!("PubNub lists no state of {user} there."));
            }
            let mut table = Table::new(&["CHANNEL", "STATE"]);
            for (channel, state) in &result.channels {
                table.row(vec![Cell::plain(channel), cell(state, Kind::Json)]);
            }
            page.add(&table);
        })
    }
}
