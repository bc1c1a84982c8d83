//! Whether a history keeps the laws of the domain: what holds at each commit, read from one consistent view.
//!
//! Everything is read once, in the order of its key, a channel at a time: what is in memory at once is a channel's roster,
//! the blocks of events (24 bytes for each 1,024 of them), and the alerts of one rule.

mod alerts;
mod audit;
mod channels;
mod events;
mod file;
mod gaps;
mod law;
mod outbox;
mod replay;
mod runs;

use std::path::Path;

use rusqlite::Transaction;
use serde::Serialize;

use super::open;
use crate::history::{HistoryError, Result};
use audit::{About, Audit, Meta};

pub use law::Law;

/// Of each law so many breaches are listed; the rest is counted.
pub const MAX_LISTED: u64 = 20;

/// A breach of a law.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Broken {
    /// Which.
    pub law: Law,
    /// In which channel. From outside, unescaped, and so is the rest.
    pub channel: Option<String>,
    /// Of which user.
    pub user: Option<String>,
    /// What is wrong, with the numbers of the rows.
    pub what: String,
}

/// How much was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
pub struct Counts {
    /// Channels.
    pub channels: u64,
    /// Events.
    pub events: u64,
    /// Visits.
    pub visits: u64,
    /// Runs of equal observations.
    pub runs: u64,
    /// Gaps.
    pub gaps: u64,
    /// Transitions of alerts.
    pub transitions: u64,
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Verified {
    /// The history's own id.
    pub history: String,
    /// How much was looked at.
    #[serde(flatten)]
    pub counts: Counts,
    /// Breaches, at most [`MAX_LISTED`] of each law.
    pub broken: Vec<Broken>,
    /// Breaches that are not listed.
    pub more: u64,
}

impl Verified {
    /// Whether every law is kept.
    pub fn is_sound(&self) -> bool {
        self.broken.is_empty()
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub struct Checked {
    /// What is looked at.
    pub step: &'static str,
    /// So many rows were.
    pub rows: u64,
}

/// Checks a history file, which a daemon may go on writing meanwhile. `heard` hears now and then how far it is.
///
/// # Errors
/// As for [`super::ReadOnly::open`]. What cannot be read once it is open is a broken [`Law::File`].
pub fn verify(path: &Path, heard: &mut dyn FnMut(Checked)) -> Result<Verified> {
    let at_file = |error: HistoryError| error.of_file(path);
    let mut connection = open::existing(path).map_err(at_file)?;
    let tx = connection.transaction().map_err(|error| at_file(error.into()))?;
    let (history, meta) = meta(&tx).map_err(at_file)?;
    let mut audit = Audit::new(&tx, meta, heard);
    match laws(&mut audit) {
        Err(error @ HistoryError::Damaged(_)) => {
            audit.broken(Law::File, About::default(), || format!("it cannot be read further: {error}"));
        }
        checked => checked.map_err(at_file)?,
    }
    let more = audit.found().saturating_sub(u64::try_from(audit.broken.len()).unwrap_or(u64::MAX));
    Ok(Verified { history, counts: audit.counts, broken: audit.broken, more })
}

fn meta(tx: &Transaction<'_>) -> Result<(String, Meta)> {
    let sql = "SELECT history_id, last_event, expired_up_to, kept_since FROM meta";
    Ok(tx.query_row(sql, [], |row| {
        let meta = Meta { last_event: row.get(1)?, expired_up_to: row.get(2)?, kept_since: row.get(3)? };
        Ok((row.get(0)?, meta))
    })?)
}

fn laws(audit: &mut Audit<'_>) -> Result<()> {
    file::check(audit)?;
    channels::check(audit)?;
    alerts::check(audit)?;
    outbox::check(audit)
}
