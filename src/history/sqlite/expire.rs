//! Forgetting what is older than is kept, a bounded number of rows at a time.

use hashbrown::HashSet;
use rusqlite::{Params, Transaction, params};

use super::names::Users;
use super::write::BLOCK;
use super::{alerts, codes, discoveries};
use crate::domain::gap::GapReason;
use crate::domain::time::Time;
use crate::history::Result;

/// See [`crate::history::History::expire`].
pub(super) fn expire(tx: &Transaction<'_>, users: &mut Users, before: Time, limit: usize) -> Result<bool> {
    let mut chunk = Chunk { tx, left: limit, users: HashSet::new() };
    chunk.left -= alerts::expire(tx, before, limit)?;
    chunk.channels(before)?;
    chunk.events(before)?;
    chunk.visits(before)?;
    chunk.spans(before)?;
    discoveries::expire(tx, before)?;
    let more = chunk.left == 0;
    if chunk.left < limit {
        chunk.forget_users()?;
        users.forget();
        let sql = "UPDATE meta SET kept_since = max(coalesce(kept_since, ?1), ?1)";
        tx.prepare_cached(sql)?.execute([before])?;
    }
    Ok(more)
}

/// One call's share of the work.
struct Chunk<'tx> {
    tx: &'tx Transaction<'tx>,
    /// How many more rows may go.
    left: usize,
    /// Whose rows went.
    users: HashSet<i64>,
}

/// Channels unwatched since before `?1` that are still there, and are not watched again and about to be observed; and
/// nothing that is kept of alerts is about them.
const GONE: &str = "SELECT gaps.channel_id FROM gaps JOIN channels c ON c.id = gaps.channel_id \
    WHERE ended IS NULL AND users_only = 0 AND reason = ?2 AND gaps.began < ?1 AND coalesce(c.resumed, ?1 - 1) < ?1 \
    AND NOT EXISTS (SELECT 1 FROM alerts WHERE channel = c.name) \
    AND NOT EXISTS (SELECT 1 FROM alert_changes WHERE channel_id = c.id) \
    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE channel_id = c.id)";

impl Chunk<'_> {
    /// All of the channels whose watch ended before `before`.
    fn channels(&mut self, before: Time) -> Result<()> {
        let gone: Vec<i64> = self
            .tx
            .prepare_cached(&format!("{GONE} LIMIT ?3"))?
            .query_map(
                params![before, codes::reason_code(GapReason::Unwatched), codes::limit_code(self.left)],
                |row| row.get(0),
            )?
            .collect::<rusqlite::Result<_>>()?;
        for channel in gone {
            self.channel(channel)?;
        }
        Ok(())
    }

    /// A channel's gaps go last: as long as they are there it is known to be unwatched.
    fn channel(&mut self, id: i64) -> Result<()> {
        self.rows_of_users(
            "DELETE FROM visits WHERE (channel_id, opened) IN \
             (SELECT channel_id, opened FROM visits WHERE channel_id = ?1 LIMIT ?2) RETURNING user_id",
            id,
        )?;
        self.rows_of_users(
            "DELETE FROM events WHERE (channel_id, seq) IN \
             (SELECT channel_id, seq FROM events WHERE channel_id = ?1 ORDER BY seq LIMIT ?2) RETURNING user_id",
            id,
        )?;
        let left = codes::limit_code(self.left);
        self.rows(
            "DELETE FROM runs WHERE (channel_id, first_latest) IN \
             (SELECT channel_id, first_latest FROM runs WHERE channel_id = ?1 LIMIT ?2)",
            params![id, left],
        )?;
        let left = codes::limit_code(self.left);
        self.rows(
            "DELETE FROM gaps WHERE (channel_id, began, users_only) IN \
             (SELECT channel_id, began, users_only FROM gaps WHERE channel_id = ?1 AND ended IS NOT NULL LIMIT ?2)",
            params![id, left],
        )?;
        if self.left > 1 {
            self.rows("DELETE FROM gaps WHERE channel_id = ?1", params![id])?;
            self.rows("DELETE FROM channels WHERE id = ?1", params![id])?;
        } else {
            self.left = 0;
        }
        Ok(())
    }

    /// Events go in order of id, up to the first that is not over.
    fn events(&mut self, before: Time) -> Result<()> {
        let kept: i64 = self.tx.query_row(
            "SELECT coalesce((SELECT id FROM (SELECT id, not_after FROM events ORDER BY id LIMIT ?2) \
                              WHERE not_after >= ?1 ORDER BY id LIMIT 1), last_event + 1) FROM meta",
            params![before, codes::limit_code(self.left)],
            |row| row.get(0),
        )?;
        self.rows_of_users(
            "DELETE FROM events WHERE (channel_id, seq) IN \
             (SELECT channel_id, seq FROM events WHERE id < ?1 ORDER BY id LIMIT ?2) RETURNING user_id",
            kept,
        )?;
        let first = "SELECT coalesce((SELECT id FROM events ORDER BY id LIMIT 1), last_event + 1) FROM meta";
        let first: i64 = self.tx.query_row(first, [], |row| row.get(0))?;
        let expired = "UPDATE meta SET expired_up_to = max(expired_up_to, ?1)";
        self.tx.prepare_cached(expired)?.execute([first - 1])?;
        self.tx.prepare_cached("DELETE FROM event_blocks WHERE block < ?1")?.execute([first / BLOCK])?;
        Ok(())
    }

    fn visits(&mut self, before: Time) -> Result<()> {
        self.rows_of_users(
            "DELETE FROM visits WHERE (channel_id, opened) IN \
             (SELECT channel_id, opened FROM visits WHERE joined_to < ?1 AND left_to < ?1 ORDER BY joined_to LIMIT ?2) \
             RETURNING user_id",
            before.as_micros(),
        )
    }

    /// Gaps, and runs save a channel's last one, from which it goes on.
    fn spans(&mut self, before: Time) -> Result<()> {
        let left = codes::limit_code(self.left);
        self.rows(
            "DELETE FROM gaps WHERE (channel_id, began, users_only) IN \
             (SELECT channel_id, began, users_only FROM gaps WHERE began < ?1 AND ended < ?1 LIMIT ?2)",
            params![before, left],
        )?;
        let left = codes::limit_code(self.left);
        self.rows(
            "DELETE FROM runs WHERE (channel_id, first_latest) IN \
             (SELECT r.channel_id, r.first_latest FROM channels c CROSS JOIN runs r ON r.channel_id = c.id \
              WHERE r.first_latest < ?1 AND r.last_latest < ?1 \
              AND r.first_latest < (SELECT max(first_latest) FROM runs WHERE channel_id = c.id) LIMIT ?2)",
            params![before, left],
        )
    }

    /// Users without any row left are forgotten too.
    fn forget_users(&self) -> Result<()> {
        let mut forget = self.tx.prepare_cached(
            "DELETE FROM users WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM events WHERE user_id = ?1) \
             AND NOT EXISTS (SELECT 1 FROM visits WHERE user_id = ?1)",
        )?;
        for user in &self.users {
            forget.execute([user])?;
        }
        Ok(())
    }

    fn rows(&mut self, sql: &str, params: impl Params) -> Result<()> {
        let gone = self.tx.prepare_cached(sql)?.execute(params)?;
        self.left = self.left.saturating_sub(gone);
        Ok(())
    }

    /// The same for rows of users: `?1` is `of`, `?2` how many.
    fn rows_of_users(&mut self, sql: &str, of: i64) -> Result<()> {
        let mut delete = self.tx.prepare_cached(sql)?;
        let mut rows = delete.query(params![of, codes::limit_code(self.left)])?;
        while let Some(row) = rows.next()? {
            self.left = self.left.saturating_sub(1);
            self.users.insert(row.get(0)?);
        }
        Ok(())
    }
}
