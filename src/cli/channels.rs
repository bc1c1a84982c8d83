//! `adsum channels`: what a daemon watches.

use clap::Args;

use super::daemon::Daemon;
use super::failure::Failure;
use super::output::Format;
use super::paging::Paging;
use super::show::{Column, Kind, items};

const COLUMNS: [Column; 6] = [
    ("CHANNEL", "channel", Kind::Text),
    ("OCCUPANCY", "occupancy", Kind::Range),
    ("STATUS", "status", Kind::Word),
    ("LAST OBSERVED (UTC)", "last_observed_at", Kind::Time),
    ("INTERVAL", "interval_s", Kind::Seconds),
    ("COMPLETE", "complete", Kind::Flag),
];

/// List the channels a daemon watches
///
/// COMPLETE says whether the last observation listed every user. STATUS is starting, ok, partial (how many are there is known,
/// who is not), gap (not observed) or unwatched.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum channels
  adsum channels --server http://10.0.0.5:8080 --json")]
pub(super) struct Channels {
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    daemon: Daemon,
}

impl Channels {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let answer = self.daemon.get(&["channels"], &self.paging.query(&[])).await?;
        self.format.answer(&answer, |answer, page| {
            page.table(items(answer, "items"), &COLUMNS, "No channel is watched.");
            page.footer(answer);
        })
    }
}
