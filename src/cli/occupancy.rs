//! `adsum occupancy`: how many were in a channel, over time.

use clap::Args;

use super::daemon::Daemon;
use super::failure::Failure;
use super::output::Format;
use super::paging::Span;
use super::show::{Column, Kind, items};

const COLUMNS: [Column; 6] = [
    ("START (UTC)", "start", Kind::Time),
    ("MIN", "min", Kind::Text),
    ("MAX", "max", Kind::Text),
    ("MEAN", "mean", Kind::Mean),
    ("LAST", "last", Kind::Text),
    ("OBSERVED", "observed", Kind::Share),
];

/// Tell how many users were in a channel, step by step
///
/// OBSERVED is the share of a step that was observed; where it is 0 % there are no figures.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum occupancy lobby --from -24h --step 1h
  adsum occupancy lobby --from 2026-11-24T00:00:00Z --to 2026-11-25T00:00:00Z --json")]
pub(super) struct Occupancy {
    /// The channel
    channel: String,
    #[command(flatten)]
    span: Span,
    /// How long a step is: 1m, 1h
    #[arg(long, value_name = "DURATION")]
    step: Option<String>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    daemon: Daemon,
}

impl Occupancy {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let query = [
            ("from", self.span.from.as_deref()),
            ("to", self.span.to.as_deref()),
            ("step", self.step.as_deref()),
        ];
        let answer = self.daemon.get(&["channels", &self.channel, "occupancy"], &query).await?;
        self.format.answer(&answer, |answer, page| {
            page.table(items(answer, "buckets"), &COLUMNS, "No steps.");
            page.footer(answer);
        })
    }
}
