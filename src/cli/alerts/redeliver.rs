//! `adsum alerts redeliver`: sends again what failed.

use clap::Args;
use serde_json::{Value, json};

use super::deliveries;
use crate::cli::daemon::Daemon;
use crate::cli::failure::Failure;
use crate::cli::output::Format;
use crate::cli::show::{field, items};

/// Send deliveries again that failed
///
/// Each keeps its id, so whoever got it after all can tell. One that waits for its next try is tried at once; one that was
/// delivered stays as it is. Prints how they stand then.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum alerts redeliver 1cad200a-8eb2-4067-b351-0b7a3fbd94c9
  adsum alerts redeliver --failed --notifier ops")]
pub(super) struct Redeliver {
    /// Their ids, as `adsum alerts deliveries` lists them
    #[arg(value_name = "ID", required_unless_present = "failed", conflicts_with = "failed")]
    ids: Vec<String>,
    /// All that failed
    #[arg(long)]
    failed: bool,
    /// Only those to this notifier
    #[arg(long, value_name = "NAME", requires = "failed", conflicts_with = "ids")]
    notifier: Option<String>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    daemon: Daemon,
}

impl Redeliver {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let mut sent = Vec::new();
        let ended = if self.failed {
            self.all_failed(&mut sent).await
        } else {
            self.each(self.ids.iter().map(String::as_str), &mut sent).await
        };
        // What was done is told, whatever ended it.
        if ended.is_ok() || !sent.is_empty() {
            self.format.result(&json!({ "items": sent }), |result, page| {
                page.table(items(result, "items"), &deliveries::COLUMNS, "No delivery failed.");
            })?;
        }
        ended
    }

    /// In pages, each sent again before the next is read: one that fails again meanwhile is not read again.
    async fn all_failed(&self, sent: &mut Vec<Value>) -> Result<(), Failure> {
        let mut after: Option<String> = None;
        loop {
            let query = [
                ("notifier", self.notifier.as_deref()),
                ("status", Some("failed")),
                ("limit", Some("1000")),
                ("after", after.as_deref()),
            ];
            let answer = self.daemon.get(&["deliveries"], &query).await?;
            let listed = items(&answer.value, "items").iter();
            self.each(listed.filter_map(|delivery| field(delivery, "id").as_str()), sent).await?;
            match field(&answer.value, "next").as_str() {
                Some(next) => after = Some(next.to_owned()),
                None => return Ok(()),
            }
        }
    }

    async fn each(&self, ids: impl Iterator<Item = &str>, sent: &mut Vec<Value>) -> Result<(), Failure> {
        for id in ids {
            sent.push(self.daemon.post(&["deliveries", id, "retry"], &json!({})).await?.value);
        }
        Ok(())
    }
}
