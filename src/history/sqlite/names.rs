//! User ids as numbers: each is in the file once, and the most recently used numbers are in memory.

use hashbrown::HashMap;
use rusqlite::{Connection, OptionalExtension, params};

use crate::domain::names::{ChannelName, UserId};
use crate::history::Result;

/// How many bytes of user ids, and what keeping each costs, stay in memory.
const MAX_BYTES: usize = 32 << 20;

/// What keeping one costs beyond its text: its entry in the table and its allocation.
const ENTRY_BYTES: usize = 64;

/// The numbers of users that were needed lately. Only the writer has one, and only of what is committed.
#[derive(Default)]
pub(super) struct Users {
    known: HashMap<UserId, i64>,
    bytes: usize,
}

impl Users {
    /// The user's number; a new user gets one.
    pub(super) fn number(&mut self, connection: &Connection, user: &UserId) -> Result<i64> {
        if let Some(&number) = self.known.get(user) {
            return Ok(number);
        }
        let number = match user_number(connection, user)? {
            Some(number) => number,
            None => {
                connection.prepare_cached("INSERT INTO users (name) VALUES (?1)")?.insert([user.as_str()])?
            }
        };
        self.keep(user, number);
        Ok(number)
    }

    fn keep(&mut self, user: &UserId, number: i64) {
        let bytes = user.as_str().len() + ENTRY_BYTES;
        // Forgetting everything now and then costs a look-up each, and no bookkeeping on every use.
        if self.bytes + bytes > MAX_BYTES {
            self.forget();
        }
        self.bytes += bytes;
        self.known.insert(user.clone(), number);
    }

    /// Forgets all that is in memory.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// A user's number, if there ever was an event of theirs.
pub(super) fn user_number(connection: &Connection, user: &UserId) -> Result<Option<i64>> {
    let mut find = connection.prepare_cached("SELECT id FROM users WHERE name = ?1")?;
    Ok(find.query_row([user.as_str()], |row| row.get(0)).optional()?)
}

/// A channel's number, if it was ever watched.
pub(super) fn channel_number(connection: &Connection, channel: &ChannelName) -> Result<Option<i64>> {
    let mut find = connection.prepare_cached("SELECT id FROM channels WHERE name = ?1")?;
    Ok(find.query_row(params![channel.as_str()], |row| row.get(0)).optional()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_in_memory_are_bounded() {
        let mut users = Users::default();
        let long = "x".repeat(1000);
        for number in 0..100_000 {
            users.keep(&UserId::new(&format!("{long}{number}")).unwrap(), number);
            assert!(users.bytes <= MAX_BYTES);
        }
        assert!(!users.known.is_empty());
    }
}
