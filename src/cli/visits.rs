//! `adsum visits`: who stayed where, from when to when.

use clap::Args;
use serde_json::Value;

use super::daemon::Daemon;
use super::failure::Failure;
use super::output::{Format, Page};
use super::paging::{Paging, Span};
use super::show::{Column, Kind, cell, field, items};
use super::table::{Cell, Table};
use super::terminal::Tone;

const COLUMNS: [Column; 3] = [
    ("CHANNEL", "channel", Kind::Text),
    ("USER", "user", Kind::Text),
    ("JOINED (UTC)", "joined", Kind::Window),
];

/// List visits: one user's stay in one channel, from its join to its leave
///
/// JOINED and LEFT are windows. STAYED is the time that is proven, and the longest possible.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum visits --user alice --from -7d
  adsum visits --channel lobby --open
  adsum visits --channel lobby --merge 30s")]
pub(super) struct Visits {
    /// Only of this channel
    #[arg(long)]
    channel: Option<String>,
    /// Only of this user
    #[arg(long)]
    user: Option<String>,
    /// Only visits that have not ended
    #[arg(long)]
    open: bool,
    /// Show two visits as one if the absence between them was at most this long
    #[arg(long, value_name = "DURATION")]
    merge: Option<String>,
    #[command(flatten)]
    span: Span,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    daemon: Daemon,
}

impl Visits {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let query = [
            ("channel", self.channel.as_deref()),
            ("user", self.user.as_deref()),
            ("open", self.open.then_some("true")),
            ("merge", self.merge.as_deref()),
            ("from", self.span.from.as_deref()),
            ("to", self.span.to.as_deref()),
        ];
        let answer = self.daemon.get(&["visits"], &self.paging.query(&query)).await?;
        self.format.answer(&answer, write)
    }
}

fn write(answer: &Value, page: &mut Page) {
    let visits = items(answer, "items");
    if visits.is_empty() {
        page.line("No visits.");
    } else {
        let headings = COLUMNS.iter().map(|(heading, _, _)| *heading);
        let headings: Vec<&str> = headings.chain(["LEFT (UTC)", "STAYED", "GAPS"]).collect();
        let mut table = Table::new(&headings);
        for visit in visits {
            let mut row: Vec<Cell> =
                COLUMNS.iter().map(|(_, name, kind)| cell(field(visit, name), *kind)).collect();
            row.push(match field(visit, "left") {
                Value::Null => Cell::new(Tone::Good, "not seen leaving"),
                left => cell(left, Kind::Window),
            });
            row.push(cell(field(visit, "duration_s"), Kind::Seconds));
            row.push(gaps(field(visit, "gaps")));
            table.row(row);
        }
        page.add(&table);
    }
    page.footer(answer);
}

/// The gaps inside a visit: how many, whether the answer counts or lists them.
fn gaps(gaps: &Value) -> Cell {
    match gaps {
        Value::Array(gaps) => Cell::plain(&gaps.len().to_string()),
        gaps => cell(gaps, Kind::Text),
    }
}
