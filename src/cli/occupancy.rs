//! `adsum occupancy`: how many were in a channel, over time.

use clap::Args;
use serde_json::Value;

use super::daemon::Daemon;
use super::failure::Failure;
use super::output::{Format, Page};
use super::paging::Span;
use super::show::{Column, Kind, cell, field, items};
use super::table::{Cell, Table};

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
/// OBSERVED is the share of a step that was observed; where it is 0 % there are no figures, and such steps in a row are one line.
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
        self.format.answer(&answer, write)
    }
}

fn write(answer: &Value, page: &mut Page) {
    let steps = items(answer, "buckets");
    let unobserved = |step: &Value| field(step, "observed").as_f64() == Some(0.0);
    let mut table = Table::new(&COLUMNS.map(|(heading, _, _)| heading));
    for run in steps.chunk_by(|step, next| unobserved(step) && unobserved(next)) {
        let Some(first) = run.first() else { continue };
        let mut row: Vec<Cell> =
            COLUMNS.iter().map(|(_, name, kind)| cell(field(first, name), *kind)).collect();
        if run.len() > 1 {
            row.pop();
            row.push(Cell::plain(&format!("0 % for {} steps", run.len())).whole());
        }
        table.row(row);
    }
    if steps.is_empty() {
        page.line("No steps.");
    } else {
        page.add(&table);
    }
    page.footer(answer);
}
