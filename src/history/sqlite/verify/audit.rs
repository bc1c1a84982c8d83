//! What every check works with: the snapshot, what it says of itself, and what was found.

use hashbrown::HashMap;
use rusqlite::{OptionalExtension as _, Row, Rows, Transaction};

use super::law::Law;
use super::{Broken, Checked, Counts, MAX_LISTED};
use crate::domain::time::Time;
use crate::history::Result;

/// How often progress is told, in rows.
const TELL_EVERY: u64 = 4096;

/// A check under way.
pub(super) struct Audit<'a> {
    pub(super) tx: &'a Transaction<'a>,
    pub(super) meta: Meta,
    pub(super) counts: Counts,
    found: HashMap<Law, u64>,
    pub(super) broken: Vec<Broken>,
    heard: &'a mut dyn FnMut(Checked),
    rows: u64,
}

/// What the history says of itself.
pub(super) struct Meta {
    pub(super) last_event: i64,
    pub(super) expired_up_to: i64,
    /// What was over before may be missing, in microseconds.
    pub(super) kept_since: Option<i64>,
}

impl Meta {
    /// Whether what was over at this time may have expired.
    pub(super) fn may_miss(&self, over: i64) -> bool {
        self.kept_since.is_some_and(|kept| over < kept)
    }
}

/// What a finding is about.
#[derive(Clone, Copy, Default)]
pub(super) struct About<'a> {
    pub(super) channel: Option<&'a str>,
    /// The user's number.
    pub(super) user: Option<i64>,
}

impl<'a> About<'a> {
    /// A channel.
    pub(super) fn channel(name: &'a str) -> Self {
        Self { channel: Some(name), user: None }
    }

    /// A user in it.
    pub(super) fn user(self, user: i64) -> Self {
        Self { user: Some(user), ..self }
    }
}

impl<'a> Audit<'a> {
    pub(super) fn new(tx: &'a Transaction<'a>, meta: Meta, heard: &'a mut dyn FnMut(Checked)) -> Self {
        Self {
            tx,
            meta,
            counts: Counts::default(),
            found: HashMap::new(),
            broken: Vec::new(),
            heard,
            rows: 0,
        }
    }

    /// Notes that a law is broken. Of each law the first are listed and the rest is counted.
    pub(super) fn broken(&mut self, law: Law, about: About<'_>, what: impl FnOnce() -> String) {
        let found = self.found.entry(law).or_insert(0);
        *found += 1;
        if *found <= MAX_LISTED {
            let user = about.user.map(|user| self.user_name(user));
            self.broken.push(Broken { law, channel: about.channel.map(str::to_owned), user, what: what() });
        }
    }

    /// How often laws were broken, those that are not listed too.
    pub(super) fn found(&self) -> u64 {
        self.found.values().sum()
    }

    fn user_name(&self, user: i64) -> String {
        let find = self.tx.prepare_cached("SELECT name FROM users WHERE id = ?1");
        let name = find.and_then(|mut find| find.query_row([user], |row| row.get(0)).optional());
        name.ok().flatten().unwrap_or_else(|| format!("(user {user})"))
    }

    /// One more row was read.
    pub(super) fn row(&mut self, step: &'static str) {
        self.rows += 1;
        if self.rows.is_multiple_of(TELL_EVERY) {
            (self.heard)(Checked { step, rows: self.rows });
        }
    }

    /// A part begins.
    pub(super) fn begin(&mut self, step: &'static str) {
        (self.heard)(Checked { step, rows: self.rows });
    }
}

/// Rows in order, the next one known before it is taken.
pub(super) struct Ahead<'s, T> {
    rows: Rows<'s>,
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
    next: Option<T>,
}

impl<'s, T> Ahead<'s, T> {
    pub(super) fn new(rows: Rows<'s>, read: fn(&Row<'_>) -> rusqlite::Result<T>) -> Result<Self> {
        let mut ahead = Self { rows, read, next: None };
        ahead.take()?;
        Ok(ahead)
    }

    /// Takes the next row.
    pub(super) fn take(&mut self) -> Result<Option<T>> {
        let next = self.rows.next()?.map(self.read).transpose()?;
        Ok(std::mem::replace(&mut self.next, next))
    }

    /// Takes the next row if it is like this.
    pub(super) fn take_if(&mut self, is_next: impl FnOnce(&T) -> bool) -> Result<Option<T>> {
        if self.next.as_ref().is_some_and(is_next) { self.take() } else { Ok(None) }
    }
}

/// A window as kept, for comparing.
pub(super) type Span = (Option<i64>, Option<i64>);

/// Whether it does not end before it begins.
pub(super) fn is_ordered((from, to): Span) -> bool {
    from.zip(to).is_none_or(|(from, to)| from <= to)
}

/// As a report shows it.
pub(super) fn time(micros: i64) -> Time {
    Time::from_micros(micros)
}
