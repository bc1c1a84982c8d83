//! `adsum verify`: whether a history keeps the laws of the domain. Reads the history itself, asks no daemon.

use std::path::PathBuf;

use clap::Args;

use super::connection::ConfigFile;
use super::failure::Failure;
use super::output::{Format, Page};
use super::progress::Progress;
use super::table::{Cell, Table};
use super::terminal::Tone;
use crate::history::sqlite::{self, Broken, Verified};

/// Check that a history keeps the laws of the record, while the daemon runs too
///
/// Checked are the file itself; each channel's event numbers, ids, windows, visits, runs, occupancy and gaps, and that replaying
/// its events gives who is there; how alerts changed and stand; deliveries and whom they wait for. It is one consistent view,
/// and nothing is written. Beside a busy daemon verify a backup instead: as long as this reads, the daemon's log grows.
#[derive(Debug, Args)]
#[command(after_help = "Exit status: 0 every law is kept, 1 one is broken, or the history cannot be read.

Examples:
  adsum verify --config adsum.toml
  adsum verify /backups/history-2026-11-24.db --json")]
pub(super) struct Verify {
    /// The history [default: history.url of the configuration]
    #[arg(value_name = "FILE")]
    history: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    format: Format,
}

impl Verify {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let path = match &self.history {
            Some(history) => history.clone(),
            None => self.config.load(Vec::new())?.history.path,
        };
        let mut progress = Progress::new();
        let verified = sqlite::verify(&path, &mut |checked| {
            progress.show(|| format!("{}: {} rows", checked.step, checked.rows));
        });
        drop(progress);
        let verified = verified.map_err(anyhow::Error::new)?;
        self.format.result(&verified, write)?;
        if verified.is_sound() {
            return Ok(());
        }
        let times = u64::try_from(verified.broken.len()).unwrap_or(u64::MAX).saturating_add(verified.more);
        Err(Failure::failed(format!(
            "{} does not keep the laws of the record: {times} breaches",
            path.display()
        )))
    }
}

fn write(verified: &Verified, page: &mut Page) {
    let Verified { history, counts, broken, more } = verified;
    if !broken.is_empty() {
        let mut table = Table::new(&["LAW", "CHANNEL", "USER", "WHAT"]);
        for breach in broken {
            table.row(row(breach));
        }
        page.add(&table);
    }
    if *more > 0 {
        page.line(&format!("And {more} more."));
    }
    page.line(&format!("history {history}"));
    page.line(&format!(
        "channels: {}; events: {}; visits: {}; runs: {}; gaps: {}; transitions of alerts: {}",
        counts.channels, counts.events, counts.visits, counts.runs, counts.gaps, counts.transitions
    ));
    if broken.is_empty() {
        page.line("Every law is kept.");
    }
}

fn row(breach: &Broken) -> Vec<Cell> {
    let Broken { law, channel, user, what } = breach;
    let name = |name: &Option<String>| name.as_ref().map_or_else(Cell::none, |name| Cell::plain(name));
    vec![Cell::new(Tone::Bad, law.as_str()), name(channel), name(user), Cell::plain(what)]
}
