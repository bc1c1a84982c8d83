//! `adsum here-now`: who is here now, as the Presence API says.

use clap::Args;
use serde_json::Value;

use super::connection::Connection;
use super::failure::Failure;
use super::output::{Format, Page};
use super::show::{Kind, cell};
use super::table::{Cell, Table};
use crate::pubnub::{HereNowChannel, HereNowResult};

/// Ask PubNub who is here now
///
/// Makes one request and keeps nothing. Without a channel and a group it asks for every channel of the keyset. A channel that
/// PubNub does not track answers like an empty one.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum here-now lobby --subscribe-key sub-c-…
  adsum here-now lobby room.1 --state
  adsum here-now --group staff --no-uuids --json
  adsum here-now lobby --limit 100 --offset 200")]
pub(super) struct HereNow {
    /// The channels
    #[arg(value_name = "CHANNEL")]
    channels: Vec<String>,
    /// A channel group; may be given more than once
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// Ask for every user's state too
    #[arg(long)]
    state: bool,
    /// Ask only how many are here, not who
    #[arg(long)]
    no_uuids: bool,
    /// The most users to list for each channel
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// How many users of each channel to skip
    #[arg(long, value_name = "N")]
    offset: Option<u32>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    connection: Connection,
}

impl HereNow {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let client = self.connection.client()?;
        let request = client
            .here_now()
            .channels(self.channels)
            .channel_groups(self.groups)
            .include_state(self.state)
            .include_uuids(!self.no_uuids)
            .limit(self.limit)
            .offset(self.offset);
        let result = request.execute().await?;
        self.format.result(&result, |result, page| write(result, self.state, self.offset.unwrap_or(0), page))
    }
}

fn write(result: &HereNowResult, with_state: bool, offset: u32, page: &mut Page) {
    if !result.channels.is_empty() {
        let mut table = Table::new(&["CHANNEL", "OCCUPANCY", "USER", if with_state { "STATE" } else { "" }]);
        for channel in &result.channels {
            rows(channel, offset.into(), &mut table);
        }
        page.add(&table);
    }
    let (channels, users) = (result.total_channels, result.total_occupancy);
    page.line(&format!("channels: {channels}, users: {users}"));
}

/// The first row of a channel names it; one row a user; one more where users were skipped, and one where others are missing.
fn rows(channel: &HereNowChannel, offset: u64, table: &mut Table) {
    let mut head = vec![Cell::plain(&channel.channel_name), Cell::plain(&channel.occupancy.to_string())];
    let Some(occupants) = &channel.occupants else {
        return table.row(head);
    };
    let unlisted = channel.occupancy.saturating_sub(u64::try_from(occupants.len()).unwrap_or(u64::MAX));
    let skipped = unlisted.min(offset);
    let note = |count: u64, what: &str| (count > 0).then(|| vec![Cell::plain(&format!("({count} {what})"))]);
    let users = occupants.iter().map(|occupant| {
        let state = occupant.state.as_ref().map_or(Cell::plain(""), |state: &Value| cell(state, Kind::Json));
        vec![Cell::plain(&occupant.uuid), state]
    });
    let rows =
        note(skipped, "skipped").into_iter().chain(users).chain(note(unlisted - skipped, "not listed"));
    for row in rows {
        head.extend(row);
        table.row(std::mem::replace(&mut head, vec![Cell::plain(""), Cell::plain("")]));
    }
    if channel.occupancy == 0 && occupants.is_empty() {
        table.row(head);
    }
}
