//! `adsum gaps`: when channels were not observed.

use clap::Args;
use serde_json::Value;

use super::daemon::Daemon;
use super::failure::Failure;
use super::output::{Format, Page};
use super::paging::{Paging, Span};
use super::show::{Kind, cell, field, items};
use super::table::{Cell, Table};
use super::terminal::Tone;

/// List the spans in which channels were not observed, and why
///
/// In a gap of users only, it is known how many were there and not who.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum gaps --from -24h
  adsum gaps --channel lobby --json")]
pub(super) struct Gaps {
    /// Only of this channel
    #[arg(long)]
    channel: Option<String>,
    #[command(flatten)]
    span: Span,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    daemon: Daemon,
}

impl Gaps {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let query = [
            ("channel", self.channel.as_deref()),
            ("from", self.span.from.as_deref()),
            ("to", self.span.to.as_deref()),
        ];
        let answer = self.daemon.get(&["gaps"], &self.paging.query(&query)).await?;
        self.format.answer(&answer, write)
    }
}

fn write(answer: &Value, page: &mut Page) {
    let gaps = items(answer, "items");
    if gaps.is_empty() {
        page.line("No gaps.");
    } else {
        let mut table = Table::new(&["CHANNEL", "FROM (UTC)", "TO (UTC)", "REASON", "NOT OBSERVED"]);
        for gap in gaps {
            let to = field(gap, "to");
            let users_only = *field(gap, "users_only") == Value::Bool(true);
            table.row(vec![
                cell(field(gap, "channel"), Kind::Text),
                cell(field(gap, "from"), Kind::Time),
                if to.is_null() { Cell::new(Tone::Doubt, "still open") } else { cell(to, Kind::Time) },
                cell(field(gap, "reason"), Kind::Text),
                Cell::plain(if users_only { "users only" } else { "all" }),
            ]);
        }
        page.add(&table);
    }
    page.footer(answer);
}
