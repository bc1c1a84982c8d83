//! `[history]`: where the record is kept and for how long.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::section::Section;

const RETAIN: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(36_500 * 24);
const MARK_EVERY: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_hours(1);

/// The durable record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The `SQLite` file.
    pub path: PathBuf,
    /// How long the record is kept.
    pub retain: Duration,
    /// How often it is recorded that channels were observed and nothing changed.
    pub mark_every: Duration,
}

pub(super) fn read(mut section: Section<'_>) -> Option<History> {
    let path = section.text("url", "\"sqlite:\" and the path of a file", path);
    let retain = section.duration("retain", &RETAIN);
    let mark_every = section.duration("mark_every", &MARK_EVERY);
    section.finish();
    Some(History { path: path?, retain: retain?, mark_every: mark_every? })
}

fn path(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite:")?;
    // "sqlite://…" would be read in two ways; a database in memory would be no record.
    let good = !path.is_empty() && !path.starts_with("//") && !path.starts_with(':');
    good.then(|| PathBuf::from(path))
}
