//! `adsum alerts list`: how alerts stand.

use clap::Args;

use crate::cli::daemon::Daemon;
use crate::cli::failure::Failure;
use crate::cli::output::Format;
use crate::cli::paging::Paging;
use crate::cli::show::{Column, Kind, items};

const COLUMNS: [Column; 8] = [
    ("STATE", "state", Kind::Word),
    ("RULE", "rule", Kind::Text),
    ("CHANNEL", "channel", Kind::Text),
    ("SEVERITY", "severity", Kind::Word),
    ("SINCE (UTC)", "since", Kind::Window),
    ("OCCUPANCY", "occupancy", Kind::Text),
    ("NOT OBSERVED", "gap", Kind::Text),
    ("MUTED", "muted", Kind::Text),
];

/// List the alerts that are pending or fire
///
/// SINCE is the window in which the condition began to hold, OCCUPANCY how many are there, NOT OBSERVED why the channel is not
/// seen now. MUTED is the silence because of which nobody was told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum alerts list --state firing
  adsum alerts list --rule crowded --channel lobby --json")]
pub(super) struct List {
    /// Only of this rule
    #[arg(long)]
    rule: Option<String>,
    /// Only of this channel
    #[arg(long)]
    channel: Option<String>,
    /// Only those that are pending, or that are firing
    #[arg(long, value_parser = ["pending", "firing"])]
    state: Option<String>,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    daemon: Daemon,
}

impl List {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let query = [
            ("rule", self.rule.as_deref()),
            ("channel", self.channel.as_deref()),
            ("state", self.state.as_deref()),
        ];
        let answer = self.daemon.get(&["alerts"], &self.paging.query(&query)).await?;
        self.format.answer(&answer, |answer, page| {
            page.table(items(answer, "items"), &COLUMNS, "No alert is pending or fires.");
            page.footer(answer);
        })
    }
}
