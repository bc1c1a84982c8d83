//! `adsum who`: who is, or was, in a channel.

use clap::Args;
use serde_json::Value;

use super::daemon::Daemon;
use super::failure::Failure;
use super::output::{Format, Page};
use super::paging::Paging;
use super::show::{Column, Kind, field, items, sentence};

const COLUMNS: [Column; 4] = [
    ("USER", "user", Kind::Text),
    ("PRESENT", "present", Kind::Word),
    ("SINCE (UTC)", "since", Kind::Window),
    ("STATE", "state", Kind::Json),
];

/// List who is, or was, in a channel, as a daemon recorded it
///
/// Without --at the answer is about the last good observation. SINCE is the window in which the user came; `by …` means that
/// nothing proves when. A user whose presence at that time is not certain is listed as unknown.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum who lobby
  adsum who lobby --at 2026-11-24T14:03:00Z
  adsum who lobby --at -2h --json")]
pub(super) struct Who {
    /// The channel
    channel: String,
    /// The time asked about: RFC 3339 (2026-11-24T14:03:05Z) or relative (-2h)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    at: Option<String>,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    daemon: Daemon,
}

impl Who {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let query = self.paging.query(&[("at", self.at.as_deref())]);
        let answer = self.daemon.get(&["channels", &self.channel, "occupants"], &query).await?;
        self.format.answer(&answer, |answer, page| self.write(answer, page))
    }

    fn write(&self, answer: &Value, page: &mut Page) {
        let occupancy = match field(answer, "occupancy") {
            Value::Null => "unknown".to_owned(),
            occupancy => sentence(occupancy, Kind::Range),
        };
        let at = sentence(field(answer, "at"), Kind::Time);
        // A question about a time of the past is no older than the answer.
        let age = match field(answer, "age_s") {
            age if self.at.is_none() && !age.is_null() => format!(" ({} ago)", sentence(age, Kind::Seconds)),
            _ => String::new(),
        };
        page.line(&format!("{} at {at} UTC{age}: occupancy {occupancy}", self.channel));
        if *field(answer, "observed") == Value::Bool(false) {
            page.line("The users of the channel were not observed at that time.");
        }
        page.table(items(answer, "items"), &COLUMNS, "No user is listed.");
        page.footer(answer);
    }
}
