//! `adsum where`: where a user is, or was.

use clap::Args;
use serde_json::Value;

use super::daemon::Daemon;
use super::failure::Failure;
use super::output::{Format, Page};
use super::show::{Column, Kind, items};

const COLUMNS: [Column; 4] = [
    ("CHANNEL", "channel", Kind::Text),
    ("PRESENT", "present", Kind::Word),
    ("SINCE (UTC)", "since", Kind::Window),
    ("STATE", "state", Kind::Json),
];

/// Tell where a user is, or was, as a daemon recorded it
///
/// Without --at also when the user was last seen, and how many visits there were.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum where alice
  adsum where alice --at 2026-11-24T14:03:00Z
  adsum where -- -starts-with-a-hyphen")]
pub struct Where {
    /// The user
    user: String,
    /// The time asked about: RFC 3339 (2026-11-24T14:03:05Z) or relative (-2h)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    at: Option<String>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    daemon: Daemon,
}

impl Where {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let user = self.user.as_str();
        let answer = match &self.at {
            Some(at) => self.daemon.get(&["users", user, "channels"], &[("at", Some(at))]).await?,
            None => self.daemon.get(&["users", user], &[]).await?,
        };
        self.format.answer(&answer, |answer, page| self.write(answer, page))
    }

    fn write(&self, answer: &Value, page: &mut Page) {
        page.field(answer, "at (UTC)", "at", Kind::Time);
        let list = if answer.get("items").is_some() { "items" } else { "channels" };
        page.table(items(answer, list), &COLUMNS, &format!("{} is in no channel.", self.user));
        page.field(answer, "last seen (UTC)", "last_seen", Kind::Time);
        page.field(answer, "last seen (UTC)", "last_seen_at", Kind::Time);
        page.field(answer, "visits", "visits", Kind::Text);
        page.field(answer, "total time", "total_s", Kind::Seconds);
        page.field(answer, "total time", "total_time_s", Kind::Seconds);
        page.footer(answer);
    }
}
