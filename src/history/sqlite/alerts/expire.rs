//! Forgetting what is older than is kept of alerts, a bounded number of rows at a time.

use rusqlite::{Params, Transaction, params};

use crate::domain::time::Time;
use crate::history::Result;
use crate::history::sqlite::codes::limit_code;

/// Forgets what was over before `before`: deliveries that finished, transitions that no delivery tells of any more, and
/// silences. Gives how many rows went, `limit` at most. How alerts stand is never forgotten, nor what is pending.
pub(in crate::history::sqlite) fn expire(tx: &Transaction<'_>, before: Time, limit: usize) -> Result<usize> {
    let mut share = Share { tx, left: limit };
    share.deliveries(before)?;
    share.rows(CHANGES, before)?;
    share.rows(SILENCES, before)?;
    Ok(limit - share.left)
}

const FINISHED: &str = "SELECT number FROM deliveries WHERE finished < ?1 ORDER BY finished LIMIT ?2";

/// The transitions that a delivery lists go last, so that it says what it can for as long as it is there.
const TOLD: &str = "DELETE FROM notifications WHERE (delivery, change_id) IN \
    (SELECT delivery, change_id FROM notifications WHERE delivery = ?1 ORDER BY change_id DESC LIMIT ?2)";

const ATTEMPTS: &str =
    "DELETE FROM attempts WHERE id IN (SELECT id FROM attempts WHERE delivery = ?1 ORDER BY id LIMIT ?2)";

const CHANGES: &str = "DELETE FROM alert_changes WHERE id IN (SELECT id FROM alert_changes a WHERE at < ?1 \
    AND NOT EXISTS (SELECT 1 FROM notifications WHERE change_id = a.id) ORDER BY at LIMIT ?2)";

const SILENCES: &str = "DELETE FROM silences WHERE id IN (SELECT id FROM silences WHERE ends < ?1 LIMIT ?2)";

/// How much may be done.
struct Share<'tx> {
    tx: &'tx Transaction<'tx>,
    /// How many more rows may go.
    left: usize,
}

impl Share<'_> {
    fn deliveries(&mut self, before: Time) -> Result<()> {
        let finished: Vec<i64> = self
            .tx
            .prepare_cached(FINISHED)?
            .query_map(params![before, limit_code(self.left)], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for delivery in finished {
            self.rows(TOLD, delivery)?;
            self.rows(ATTEMPTS, delivery)?;
            if self.left == 0 {
                break;
            }
            self.some("DELETE FROM deliveries WHERE number = ?1", [delivery])?;
        }
        Ok(())
    }

    /// `?1` is of what, `?2` how many.
    fn rows(&mut self, sql: &str, of: impl rusqlite::ToSql) -> Result<()> {
        self.some(sql, params![of, limit_code(self.left)])
    }

    fn some(&mut self, sql: &str, params: impl Params) -> Result<()> {
        let gone = self.tx.prepare_cached(sql)?.execute(params)?;
        self.left = self.left.saturating_sub(gone);
        Ok(())
    }
}
