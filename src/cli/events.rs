//! `adsum events`: what a daemon recorded.

use clap::Args;
use serde_json::Value;

use super::daemon::Daemon;
use super::failure::Failure;
use super::output::Format;
use super::paging::{Paging, Span};
use super::show::{Column, Kind, cell, field, items};
use super::table::Table;

/// Which events are wanted.
#[derive(Debug, Clone, Args)]
pub(super) struct Filter {
    /// Only of this channel
    #[arg(long)]
    pub(super) channel: Option<String>,
    /// Only of this user
    #[arg(long)]
    pub(super) user: Option<String>,
    /// Only of this kind: join, leave, state, present; or several with commas
    #[arg(long)]
    pub(super) kind: Option<String>,
}

/// The columns of an event; its window is a column of its own.
pub(super) const COLUMNS: [Column; 5] = [
    ("KIND", "kind", Kind::Word),
    ("CHANNEL", "channel", Kind::Text),
    ("USER", "user", Kind::Text),
    ("OCCUPANCY", "occupancy", Kind::Text),
    ("STATE", "state", Kind::Json),
];

/// List joins, leaves and changes of state, oldest first
///
/// HAPPENED is the window in which the change happened. A user `present` was there when first seen: nothing proves when that
/// user came.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum events --channel lobby --from -1h
  adsum events --user alice --kind leave --json
  adsum events --limit 1000 --after CURSOR")]
pub(super) struct Events {
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    span: Span,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    daemon: Daemon,
}

impl Filter {
    /// The query parameters.
    pub(super) fn query(&self) -> [(&str, Option<&str>); 3] {
        [("channel", self.channel.as_deref()), ("user", self.user.as_deref()), ("kind", self.kind.as_deref())]
    }
}

impl Events {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let mut query = self.filter.query().to_vec();
        query.extend([("from", self.span.from.as_deref()), ("to", self.span.to.as_deref())]);
        let answer = self.daemon.get(&["events"], &self.paging.query(&query)).await?;
        self.format.answer(&answer, |answer, page| {
            let events = items(answer, "items");
            if events.is_empty() {
                page.line("No events.");
            } else {
                page.add(&table(events));
            }
            page.footer(answer);
        })
    }
}

/// Events as a table.
pub(super) fn table(events: &[Value]) -> Table {
    let headings = COLUMNS.iter().map(|(heading, _, _)| *heading);
    let headings: Vec<&str> = ["ID", "HAPPENED (UTC)"].into_iter().chain(headings).collect();
    let mut table = Table::new(&headings);
    for event in events {
        // An event has its window's ends beside its other fields.
        let mut row = vec![cell(field(event, "id"), Kind::Text), cell(event, Kind::Window)];
        row.extend(COLUMNS.iter().map(|(_, name, kind)| cell(field(event, name), *kind)));
        table.row(row);
    }
    table
}
