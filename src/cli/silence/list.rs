//! `adsum silence list`: what is silenced.

use clap::Args;

use crate::cli::daemon::Daemon;
use crate::cli::failure::Failure;
use crate::cli::output::Format;
use crate::cli::paging::Paging;
use crate::cli::show::{Column, Kind, items};

/// The columns of a silence.
pub(super) const COLUMNS: [Column; 9] = [
    ("ID", "id", Kind::Text),
    ("STATUS", "status", Kind::Word),
    ("RULE", "rule", Kind::Text),
    ("CHANNEL", "channel", Kind::Text),
    ("SEVERITY", "severity", Kind::Word),
    ("FROM (UTC)", "from", Kind::Time),
    ("UNTIL (UTC)", "until", Kind::Time),
    ("AUTHOR", "author", Kind::Text),
    ("REASON", "reason", Kind::Text),
];

/// List the silences that mute or will mute
///
/// STATUS is pending (it has not begun), active or expired. Where RULE, CHANNEL or SEVERITY is -, any is meant.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum silence list
  adsum silence list --all --json")]
pub(super) struct List {
    /// Those that are over too, as long as they are kept
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    daemon: Daemon,
}

impl List {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let query = self.paging.query(&[("all", self.all.then_some("true"))]);
        let answer = self.daemon.get(&["silences"], &query).await?;
        self.format.answer(&answer, |answer, page| {
            page.table(items(answer, "items"), &COLUMNS, "Nothing is silenced.");
            page.footer(answer);
        })
    }
}
