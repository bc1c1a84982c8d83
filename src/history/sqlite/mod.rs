//! The history in one `SQLite` file: write-ahead log, `synchronous = FULL`, one writer, a few readers.

mod alerts;
mod backup;
mod channels;
mod codes;
mod discoveries;
mod errors;
mod events;
mod expire;
mod mark;
mod names;
mod open;
mod place;
mod read_only;
mod spans;
mod verify;
mod visits;
mod write;

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{
    ChannelRecord, Discovery, Entry, EventQuery, History, HistoryError, Mark, Result, StateAt, Unlisted,
    VisitQuery,
};
use crate::domain::channel::Checkpoint;
use crate::domain::event::{EventId, Recorded};
use crate::domain::gap::Gap;
use crate::domain::names::{ChannelName, UserId};
use crate::domain::occupancy::Run;
use crate::domain::time::Time;
use crate::domain::visit::Visit;
use names::Users;
use place::Place;

pub use backup::{BackupError, Copied, Done, SPARE, backup};
pub use read_only::{ReadOnly, View};
pub use verify::{Broken, Checked, Counts, Law, MAX_LISTED, Verified, verify};

/// How many questions are answered at once; more wait for their turn.
const READERS: usize = 4;

/// The history in a file.
pub struct Sqlite {
    id: String,
    path: PathBuf,
    place: Place,
    // Readers go first when this is dropped: the last connection tidies the log up, and only a writer can.
    readers: Readers,
    writer: Mutex<Writer>,
}

struct Writer {
    connection: Connection,
    users: Users,
}

/// Reading connections, each with one question at a time.
struct Readers {
    idle: Mutex<Vec<Connection>>,
    returned: Condvar,
}

impl Sqlite {
    /// Opens the history in a file. Makes its folder and the file where they are missing; brings an old file up to date.
    ///
    /// # Errors
    /// [`HistoryError::TooNew`] if a newer adsum wrote it, [`HistoryError::Damaged`] if it is no history,
    /// [`HistoryError::Unavailable`] if it cannot be opened now. The messages name the file.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_path(path).map_err(|error| error.of_file(path))
    }

    fn open_path(path: &Path) -> Result<Self> {
        let connection = open::writer(path)?;
        let id = open::history_id(&connection)?;
        let idle = (0..READERS).map(|_| open::reader(path)).collect::<Result<_>>()?;
        Ok(Self {
            id,
            path: path.to_owned(),
            place: Place::of(path)?,
            readers: Readers { idle: Mutex::new(idle), returned: Condvar::new() },
            writer: Mutex::new(Writer { connection, users: Users::default() }),
        })
    }

    /// Does all of `work` or nothing of it.
    fn write<T>(&self, work: impl FnOnce(&Transaction<'_>, &mut Users) -> Result<T>) -> Result<T> {
        self.write_here(work).map_err(|error| error.of_file(&self.path))
    }

    fn write_here<T>(&self, work: impl FnOnce(&Transaction<'_>, &mut Users) -> Result<T>) -> Result<T> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.place.is_unchanged()?;
        let Writer { connection, users } = &mut *writer;
        if !connection.is_autocommit() {
            // A roll-back failed, or a panic came before it.
            connection.execute_batch("ROLLBACK")?;
        }
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // The numbers that a failed transaction gave do not exist, so names are only kept after the commit.
        let mut fresh = std::mem::take(users);
        let done = work(&tx, &mut fresh)?;
        tx.commit()?;
        *users = fresh;
        // If the files went away meanwhile it is not known whether this is in them: whoever is told so looks again.
        self.place.is_unchanged()?;
        Ok(done)
    }

    /// Answers from one consistent view.
    fn read<T>(&self, question: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let mut reader = self.readers.take();
        let tx = reader.connection()?.transaction()?;
        question(&tx)
    }
}

impl Readers {
    fn take(&self) -> Reader<'_> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(connection) = idle.pop() {
                return Reader { readers: self, connection: Some(connection) };
            }
            idle = self.returned.wait(idle).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A connection on loan; it goes back by itself, after a panic too.
struct Reader<'pool> {
    readers: &'pool Readers,
    connection: Option<Connection>,
}

impl Reader<'_> {
    fn connection(&mut self) -> Result<&mut Connection> {
        self.connection.as_mut().ok_or_else(|| HistoryError::Unavailable("no connection".to_owned()))
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let mut idle = self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.extend(self.connection.take());
        self.readers.returned.notify_one();
    }
}

impl History for Sqlite {
    fn id(&self) -> &str {
        &self.id
    }

    fn checkpoint(&self, channel: &ChannelName) -> Result<Option<Checkpoint>> {
        self.read(|tx| channels::checkpoint(tx, channel))
    }

    fn begin(&self, channels: &[ChannelName], began: Time) -> Result<()> {
        self.write(|tx, _| write::begin(tx, channels, began))
    }

    fn commit(&self, entries: &[Entry]) -> Result<Vec<Recorded>> {
        self.write(|tx, users| write::commit(tx, users, entries))
    }

    fn mark(&self, mark: &Mark) -> Result<()> {
        self.write(|tx, _| mark::mark(tx, mark))
    }

    fn alive(&self, at: Time) -> Result<()> {
        self.write(|tx, _| mark::alive(tx, at))
    }

    fn discovered(&self, discovery: &Discovery) -> Result<()> {
        self.write(|tx, _| discoveries::discovered(tx, discovery))
    }

    fn unlisted(&self, channel: &ChannelName, at: Time) -> Result<Option<Unlisted>> {
        self.read(|tx| discoveries::unlisted(tx, channel, at))
    }

    fn recover(&self) -> Result<usize> {
        self.write(|tx, _| mark::recover(tx))
    }

    fn channels(&self, after: Option<&ChannelName>, limit: usize) -> Result<Vec<ChannelName>> {
        self.read(|tx| channels::channels(tx, after, limit))
    }

    fn channel(&self, channel: &ChannelName) -> Result<Option<ChannelRecord>> {
        self.read(|tx| channels::channel(tx, channel))
    }

    fn knows_user(&self, user: &UserId) -> Result<bool> {
        self.read(|tx| Ok(names::user_number(tx, user)?.is_some()))
    }

    fn events(&self, query: &EventQuery) -> Result<Vec<Recorded>> {
        self.read(|tx| events::events(tx, query))
    }

    fn event_ids(&self) -> Result<(EventId, EventId)> {
        self.read(channels::event_ids)
    }

    fn newest(&self) -> Result<Option<Time>> {
        self.read(spans::newest)
    }

    fn visits(&self, query: &VisitQuery) -> Result<Vec<Visit>> {
        self.read(|tx| visits::visits(tx, query))
    }

    fn visit_before(&self, visit: &Visit) -> Result<Option<Visit>> {
        self.read(|tx| visits::before(tx, visit))
    }

    fn state_at(&self, visit: &Visit, at: Time) -> Result<StateAt> {
        self.read(|tx| events::state_at(tx, visit, at))
    }

    fn gaps(
        &self,
        channel: Option<&ChannelName>,
        span: (Option<Time>, Option<Time>),
        after: Option<&(Time, ChannelName)>,
        limit: usize,
    ) -> Result<Vec<(ChannelName, Gap)>> {
        self.read(|tx| spans::gaps(tx, channel, span, after, limit))
    }

    fn runs(&self, channel: &ChannelName, from: Time, to: Time) -> Result<Vec<Run>> {
        self.read(|tx| spans::runs(tx, channel, from, to))
    }

    fn watches(&self) -> Result<Vec<String>> {
        self.read(channels::watches)
    }

    fn add_watch(&self, watch: &str) -> Result<bool> {
        let sql = "INSERT INTO watches (target) VALUES (?1) ON CONFLICT (target) DO NOTHING";
        self.write(|tx, _| Ok(tx.prepare_cached(sql)?.execute([watch])? == 1))
    }

    fn remove_watch(&self, watch: &str) -> Result<bool> {
        let sql = "DELETE FROM watches WHERE target = ?1";
        self.write(|tx, _| Ok(tx.prepare_cached(sql)?.execute([watch])? == 1))
    }

    fn expire(&self, before: Time, limit: usize) -> Result<bool> {
        self.write(|tx, users| expire::expire(tx, users, before, limit))
    }

    fn kept_since(&self) -> Result<Option<Time>> {
        self.read(channels::kept_since)
    }
}
