//! `adsum backup`: a copy of the history, while a daemon runs too. Reads the history itself, asks no daemon.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use super::connection::ConfigFile;
use super::failure::Failure;
use super::output::{Format, Page};
use super::progress::Progress;
use super::show::{Kind, sentence};
use crate::app::Signals;
use crate::history::sqlite::{self, BackupError, Copied, Done};

/// Copy the history to a file, while the daemon runs too
///
/// The history is the one the configuration names (history.url). The copy is what was committed when the command began, in one
/// file; it is there only once it is whole and on disk, and never replaces a file. It is the same history as the original:
/// to go back to it, stop the daemon, put the copy where history.url says, remove the files of the old one that end in
/// -wal and -shm, and start the daemon.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum backup /backups/history-$(date +%F).db --config adsum.toml
  adsum verify /backups/history-2026-11-24.db")]
pub(super) struct Backup {
    /// The file to make
    #[arg(value_name = "FILE")]
    target: PathBuf,
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    format: Format,
}

impl Backup {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let history = self.config.load(Vec::new())?.history.path;
        let mut signals = Signals::listen()?;
        let stop = Arc::new(AtomicBool::new(false));
        let (target, stopped) = (self.target.clone(), Arc::clone(&stop));
        let mut copying = tokio::task::spawn_blocking(move || {
            let mut progress = Progress::new();
            sqlite::backup(&history, &target, &mut |done| {
                progress.show(|| share(done));
                !stopped.load(Ordering::Relaxed)
            })
        });
        let copied = tokio::select! {
            copied = &mut copying => copied,
            () = signals.stop() => {
                stop.store(true, Ordering::Relaxed);
                copying.await
            }
        };
        match copied.context("the backup broke off")? {
            Ok(copied) => self.format.result(&copied, |copied, page| self.write(copied, page)),
            Err(error @ BackupError::Exists(_)) => Err(Failure::Usage(error.into())),
            Err(error) => Err(Failure::Failed(error.into())),
        }
    }

    fn write(&self, copied: &Copied, page: &mut Page) {
        page.line(&format!("{}: {} bytes", self.target.display(), copied.bytes));
        page.line(&format!("history {}, schema {}", copied.history, copied.schema));
        page.line(&format!("events: {}; channels: {}", copied.events, copied.channels));
        if let (Some(from), Some(to)) = (copied.from, copied.to) {
            let time = |time| sentence(&json!(time), Kind::Time);
            page.line(&format!("from {} to {} (UTC)", time(from), time(to)));
        }
    }
}

fn share(done: Done) -> String {
    let percent = done.bytes.saturating_mul(100).checked_div(done.of).unwrap_or(100);
    format!("copied {percent} % of {} MiB", done.of >> 20)
}
