//! `adsum alerts deliveries`: who was told, and who could not be.

use clap::Args;

use crate::cli::daemon::Daemon;
use crate::cli::failure::Failure;
use crate::cli::output::Format;
use crate::cli::paging::{Paging, Span};
use crate::cli::show::{Column, Kind, items};

/// The columns of a delivery.
pub(super) const COLUMNS: [Column; 9] = [
    ("ID", "id", Kind::Text),
    ("STATUS", "status", Kind::Word),
    ("NOTIFIER", "notifier", Kind::Text),
    ("ABOUT", "kind", Kind::Word),
    ("RULE", "rule", Kind::Text),
    ("COUNT", "count", Kind::Text),
    ("WRITTEN (UTC)", "created", Kind::Time),
    ("TRIES", "attempts", Kind::Text),
    ("LAST ANSWER", "answer", Kind::Text),
];

/// List what was, is to be, or could not be delivered, oldest first
///
/// COUNT is how many alerts share the message.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum alerts deliveries --status failed
  adsum alerts deliveries --notifier ops --from -1h --json")]
pub(super) struct Deliveries {
    /// Only to this notifier
    #[arg(long, value_name = "NAME")]
    notifier: Option<String>,
    /// Only those that stand like this
    #[arg(long, value_parser = ["pending", "delivered", "failed"])]
    status: Option<String>,
    #[command(flatten)]
    span: Span,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    daemon: Daemon,
}

impl Deliveries {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let query = [
            ("notifier", self.notifier.as_deref()),
            ("status", self.status.as_deref()),
            ("from", self.span.from.as_deref()),
            ("to", self.span.to.as_deref()),
        ];
        let answer = self.daemon.get(&["deliveries"], &self.paging.query(&query)).await?;
        self.format.answer(&answer, |answer, page| {
            page.table(items(answer, "items"), &COLUMNS, "No deliveries.");
            page.footer(answer);
        })
    }
}
