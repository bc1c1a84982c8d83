//! `adsum alerts history`: what became of alerts.

use clap::Args;

use crate::cli::daemon::Daemon;
use crate::cli::failure::Failure;
use crate::cli::output::Format;
use crate::cli::paging::{Paging, Span};
use crate::cli::show::{Column, Kind, items};

/// The columns of a change.
pub(super) const COLUMNS: [Column; 10] = [
    ("AT (UTC)", "at", Kind::Time),
    ("CHANGE", "change", Kind::Word),
    ("RULE", "rule", Kind::Text),
    ("CHANNEL", "channel", Kind::Text),
    ("SINCE (UTC)", "since", Kind::Window),
    ("ENDED (UTC)", "ended", Kind::Window),
    ("WHY", "why", Kind::Text),
    ("OCCUPANCY", "occupancy", Kind::Text),
    ("NOT OBSERVED", "gap", Kind::Text),
    ("MUTED", "muted", Kind::Text),
];

/// List what became of alerts, oldest first: pending, firing, repeated, resolved
///
/// AT is when adsum knew. SINCE and ENDED are the windows in which the condition began and ceased to hold. MUTED is the silence
/// because of which nobody was told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum alerts history --rule crowded --channel lobby --from -24h
  adsum alerts history --alert 12345678-9abc-4ef0-8234-56789abcdef0")]
pub(super) struct History {
    /// Only of the alert with this id
    #[arg(long, value_name = "ID")]
    alert: Option<String>,
    /// Only of this rule
    #[arg(long)]
    rule: Option<String>,
    /// Only in this channel
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

impl History {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let query = [
            ("alert_id", self.alert.as_deref()),
            ("rule", self.rule.as_deref()),
            ("channel", self.channel.as_deref()),
            ("from", self.span.from.as_deref()),
            ("to", self.span.to.as_deref()),
        ];
        let answer = self.daemon.get(&["alerts", "history"], &self.paging.query(&query)).await?;
        self.format.answer(&answer, |answer, page| {
            page.table(items(answer, "items"), &COLUMNS, "Nothing became of any alert.");
            page.footer(answer);
        })
    }
}
