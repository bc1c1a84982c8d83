//! Reading a history without taking part in it: nothing is made, migrated, recovered or written, and a daemon may go on
//! writing meanwhile.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction};

use super::{channels, open, spans, visits};
use crate::domain::gap::Gap;
use crate::domain::names::ChannelName;
use crate::domain::occupancy::Run;
use crate::domain::time::Time;
use crate::domain::visit::Visit;
use crate::history::{ChannelRecord, HistoryError, Result, VisitQuery};

/// A history that is only read.
pub struct ReadOnly {
    path: PathBuf,
    connection: Connection,
}

/// The history as it is at one instant: what is committed later is not in it. Not to be held for long: meanwhile the
/// daemon's log grows.
pub struct View<'a> {
    path: &'a Path,
    tx: Transaction<'a>,
}

impl ReadOnly {
    /// Opens the history in a file.
    ///
    /// # Errors
    /// [`HistoryError::TooNew`] or [`HistoryError::TooOld`] if another version of adsum wrote it,
    /// [`HistoryError::Damaged`] if it is no history, [`HistoryError::Unavailable`] if it is not there or cannot be opened
    /// now. The messages name the file.
    pub fn open(path: &Path) -> Result<Self> {
        let connection = open::existing(path).map_err(|error| error.of_file(path))?;
        Ok(Self { path: path.to_owned(), connection })
    }

    /// The history as it is now.
    ///
    /// # Errors
    /// See [`HistoryError`]; so for every method here.
    pub fn view(&mut self) -> Result<View<'_>> {
        let tx =
            self.connection.transaction().map_err(|error| HistoryError::from(error).of_file(&self.path))?;
        Ok(View { path: &self.path, tx })
    }
}

impl View<'_> {
    fn read<T>(&self, question: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        question(&self.tx).map_err(|error| error.of_file(self.path))
    }

    /// See [`crate::history::History::channels`].
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub fn channels(&self, after: Option<&ChannelName>, limit: usize) -> Result<Vec<ChannelName>> {
        self.read(|tx| channels::channels(tx, after, limit))
    }

    /// See [`crate::history::History::channel`].
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub fn channel(&self, channel: &ChannelName) -> Result<Option<ChannelRecord>> {
        self.read(|tx| channels::channel(tx, channel))
    }

    /// See [`crate::history::History::runs`].
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub fn runs(&self, channel: &ChannelName, from: Time, to: Time) -> Result<Vec<Run>> {
        self.read(|tx| spans::runs(tx, channel, from, to))
    }

    /// See [`crate::history::History::gaps`].
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub fn gaps(
        &self,
        channel: &ChannelName,
        span: (Option<Time>, Option<Time>),
        after: Option<&(Time, ChannelName)>,
        limit: usize,
    ) -> Result<Vec<(ChannelName, Gap)>> {
        self.read(|tx| spans::gaps(tx, Some(channel), span, after, limit))
    }

    /// See [`crate::history::History::visits`].
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub fn visits(&self, query: &VisitQuery) -> Result<Vec<Visit>> {
        self.read(|tx| visits::visits(tx, query))
    }

    /// See [`crate::history::History::kept_since`].
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub fn kept_since(&self) -> Result<Option<Time>> {
        self.read(channels::kept_since)
    }
}
