//! `adsum where`: where a user is, or was.

use clap::Args;
use serde_json::Value;

use super::daemon::Daemon;
use super::failure::Failure;
use super::output::{Format, Page};
use super::paging::Paging;
use super::show::{Column, Kind, field, items, sentence};

const HERE: [Column; 4] = [
    ("CHANNEL", "channel", Kind::Text),
    ("PRESENT", "present", Kind::Word),
    ("SINCE (UTC)", "since", Kind::Window),
    ("STATE", "state", Kind::Json),
];

const AT: [Column; 4] = [
    ("CHANNEL", "channel", Kind::Text),
    ("PRESENT", "present", Kind::Word),
    ("SINCE (UTC)", "since", Kind::Window),
    ("BECAUSE", "because", Kind::Text),
];

/// Tell where a user is, or was, as a daemon recorded it
///
/// Without --at: where the user is as of the last observations, when the user was last seen, how many visits there were and how
/// long they were together. With --at, channels in which the user may have been are listed as unknown, and why.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum where alice
  adsum where alice --at 2026-11-24T14:03:00Z
  adsum where -- -starts-with-a-hyphen")]
pub(super) struct Where {
    /// The user
    user: String,
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

impl Where {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let user = self.user.as_str();
        let Some(at) = self.at.as_deref() else {
            if self.paging.is_given() {
                return Err(Failure::usage("--limit and --after need --at"));
            }
            let answer = self.daemon.get(&["users", user], &[]).await?;
            return self.format.answer(&answer, |answer, page| write_now(user, answer, page));
        };
        let query = self.paging.query(&[("at", Some(at))]);
        let answer = self.daemon.get(&["users", user, "channels"], &query).await?;
        self.format.answer(&answer, |answer, page| write_at(user, answer, page))
    }
}

fn write_now(user: &str, answer: &Value, page: &mut Page) {
    page.table(
        items(answer, "here"),
        &HERE,
        &format!("{user} is in no watched channel, as far as is known."),
    );
    page.field(answer, "last seen (UTC)", "last_seen_at", Kind::Time);
    page.field(answer, "visits", "visits", Kind::Text);
    page.field(answer, "total time", "total_s", Kind::Seconds);
}

fn write_at(user: &str, answer: &Value, page: &mut Page) {
    let at = sentence(field(answer, "at"), Kind::Time);
    page.line(&format!("{user} at {at} UTC:"));
    page.table(items(answer, "items"), &AT, "in no watched channel, as far as is known.");
    page.footer(answer);
}
