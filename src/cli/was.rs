//! `adsum was`: whether a user was in a channel at a time.

use clap::Args;
use serde_json::Value;

use super::daemon::Daemon;
use super::failure::Failure;
use super::output::{Format, Page};
use super::show::{Kind, field, sentence};

/// Tell whether a user was in a channel at a time: yes, no or unknown
///
/// The answer is about presence as PubNub knew it, at the resolution of the polling. It says what it rests on; unknown says why.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum was alice lobby --at 2026-11-24T14:03:00Z
  adsum was alice lobby --at -20m --json")]
pub(super) struct Was {
    /// The user
    user: String,
    /// The channel
    channel: String,
    /// The time asked about: RFC 3339 (2026-11-24T14:03:05Z) or relative (-2h)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    at: String,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    daemon: Daemon,
}

impl Was {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let query = [
            ("channel", Some(self.channel.as_str())),
            ("user", Some(self.user.as_str())),
            ("at", Some(self.at.as_str())),
        ];
        let answer = self.daemon.get(&["presence"], &query).await?;
        self.format.answer(&answer, |answer, page| self.write(answer, page))
    }

    fn write(&self, answer: &Value, page: &mut Page) {
        let at = match field(answer, "at") {
            Value::Null => self.at.clone(),
            at => format!("{} UTC", sentence(at, Kind::Time)),
        };
        let (user, channel) = (&self.user, &self.channel);
        page.word_and_line(
            field(answer, "present"),
            &format!(": {user} in {channel} at {at}, as PubNub knew it"),
        );
        page.field(answer, "because", "because", Kind::Text);
        page.field(answer, "code", "code", Kind::Text);
        page.field(answer, "joined (UTC)", "visit.joined", Kind::Window);
        page.field(answer, "left (UTC)", "visit.left", Kind::Window);
        page.field(answer, "gap from (UTC)", "gap.from", Kind::Time);
        page.field(answer, "gap to (UTC)", "gap.to", Kind::Time);
        page.field(answer, "gap reason", "gap.reason", Kind::Text);
        page.field(answer, "resolution", "resolution_s", Kind::Seconds);
    }
}
