//! `adsum silence add`: silences alerts for a time.

use clap::{ArgGroup, Args};
use serde_json::{Map, Value};

use super::list;
use crate::cli::daemon::Daemon;
use crate::cli::failure::Failure;
use crate::cli::output::Format;

/// Silence the alerts that match all that is given
///
/// Nobody is told of them until then. One that begins in the future is a maintenance window.
#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("which").args(["rule", "channel", "severity"]).multiple(true).required(true)),
    group(ArgGroup::new("length").args(["until", "lasts"]).required(true)),
    after_help = "Examples:
  adsum silence add --rule crowded --channel 'room.*' --for 2h --reason \"a fair\"
  adsum silence add --channel '*' --from 2026-12-01T20:00:00Z --until 2026-12-02T04:00:00Z --reason \"new servers\""
)]
pub(super) struct Add {
    /// Alerts of this rule
    #[arg(long)]
    rule: Option<String>,
    /// Alerts of this channel, or of those like this pattern (room.*)
    #[arg(long)]
    channel: Option<String>,
    /// Alerts of this severity
    #[arg(long, value_parser = ["info", "warning", "critical"])]
    severity: Option<String>,
    /// From this time on: RFC 3339 (2026-11-24T14:03:05Z) [default: now]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Until this time: RFC 3339
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// For so long: 90s, 2h, 1d12h
    #[arg(long = "for", value_name = "DURATION")]
    lasts: Option<String>,
    /// Why
    #[arg(long)]
    reason: String,
    /// Who wants it
    #[arg(long, env = "USER", hide_env_values = true)]
    author: String,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    daemon: Daemon,
}

impl Add {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let answer = self.daemon.post(&["silences"], &self.body()).await?;
        self.format.answer(&answer, |answer, page| {
            page.table(std::slice::from_ref(answer), &list::COLUMNS, "");
        })
    }

    fn body(&self) -> Value {
        let members = [
            ("rule", self.rule.as_ref()),
            ("channel", self.channel.as_ref()),
            ("severity", self.severity.as_ref()),
            ("from", self.from.as_ref()),
            ("until", self.until.as_ref()),
            ("for", self.lasts.as_ref()),
            ("reason", Some(&self.reason)),
            ("author", Some(&self.author)),
        ];
        let given =
            members.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.clone().into())));
        Value::Object(given.collect::<Map<String, Value>>())
    }
}
