//! `adsum silence end`: ends silences.

use clap::Args;
use serde::Serialize;

use crate::cli::daemon::Daemon;
use crate::cli::failure::Failure;
use crate::cli::output::Format;

/// End silences now
///
/// One that has not begun is gone.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum silence end 3
  adsum silence end 3 4 --json")]
pub(super) struct End {
    /// Their numbers, as `adsum silence list` lists them
    #[arg(value_name = "ID", required = true)]
    ids: Vec<u64>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    daemon: Daemon,
}

/// The silences that were ended.
#[derive(Debug, Default, Serialize)]
struct Ended {
    ended: Vec<u64>,
}

impl End {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let mut done = Ended::default();
        let result = self.each(&mut done).await;
        // What was done is told, whatever ended it.
        if !done.ended.is_empty() {
            self.format.result(&done, |done, page| {
                for id in &done.ended {
                    page.line(&format!("Silence {id} is over."));
                }
            })?;
        }
        result
    }

    async fn each(&self, done: &mut Ended) -> Result<(), Failure> {
        for id in &self.ids {
            self.daemon.delete(&["silences", &id.to_string()]).await?;
            done.ended.push(*id);
        }
        Ok(())
    }
}
