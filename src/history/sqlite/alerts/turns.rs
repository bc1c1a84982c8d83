//! In which order deliveries go: of those to one notifier that are pending and tell of the same rule and channel, the one
//! with the lowest number goes first, and the others are blocked. Kept up to date as deliveries begin and finish, so that
//! what may be tried is found without looking at what is blocked.

use rusqlite::{Transaction, params};

use crate::history::Result;

/// Where deliveries wait for each other.
#[derive(Clone, Copy)]
pub(super) struct Turn<'a> {
    pub(super) notifier_id: i64,
    /// Empty for events.
    pub(super) rule: &'a str,
    pub(super) channel_id: i64,
}

/// Whether one is before the delivery, and the next after it.
fn around(tx: &Transaction<'_>, turn: Turn<'_>, delivery: i64) -> Result<(bool, Option<i64>)> {
    let here = "FROM turns WHERE notifier_id = ?1 AND rule = ?2 AND channel_id = ?3 AND delivery";
    let mut find = tx.prepare_cached(&format!(
        "SELECT EXISTS (SELECT 1 {here} < ?4), (SELECT min(delivery) {here} > ?4)"
    ))?;
    let Turn { notifier_id, rule, channel_id } = turn;
    let place = params![notifier_id, rule, channel_id, delivery];
    Ok(find.query_row(place, |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// The last delivery here.
pub(super) fn last(
    tx: &Transaction<'_>,
    Turn { notifier_id, rule, channel_id }: Turn<'_>,
) -> Result<Option<i64>> {
    let sql = "SELECT max(delivery) FROM turns WHERE notifier_id = ?1 AND rule = ?2 AND channel_id = ?3";
    let place = params![notifier_id, rule, channel_id];
    Ok(tx.prepare_cached(sql)?.query_row(place, |row| row.get(0))?)
}

/// A pending delivery tells of this.
pub(super) fn enter(tx: &Transaction<'_>, turn: Turn<'_>, delivery: i64) -> Result<()> {
    let sql = "INSERT OR IGNORE INTO turns (notifier_id, rule, channel_id, delivery) VALUES (?1, ?2, ?3, ?4)";
    let Turn { notifier_id, rule, channel_id } = turn;
    if tx.prepare_cached(sql)?.execute(params![notifier_id, rule, channel_id, delivery])? == 0 {
        return Ok(());
    }
    match around(tx, turn, delivery)? {
        (true, _) => block(tx, delivery, 1),
        (false, Some(next)) => block(tx, next, 1),
        (false, None) => Ok(()),
    }
}

/// A delivery is no longer pending: whatever waited for it and nothing else may be tried.
pub(super) fn leave(tx: &Transaction<'_>, delivery: i64) -> Result<()> {
    let mut list =
        tx.prepare_cached("SELECT notifier_id, rule, channel_id FROM turns WHERE delivery = ?1")?;
    let turns: Vec<(i64, String, i64)> = list
        .query_map([delivery], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (notifier_id, rule, channel_id) in &turns {
        let turn = Turn { notifier_id: *notifier_id, rule, channel_id: *channel_id };
        if let (false, Some(next)) = around(tx, turn, delivery)? {
            block(tx, next, -1)?;
        }
    }
    tx.prepare_cached("DELETE FROM turns WHERE delivery = ?1")?.execute([delivery])?;
    tx.prepare_cached("UPDATE deliveries SET blocked = 0, behind = NULL WHERE number = ?1")?
        .execute([delivery])?;
    tx.prepare_cached("UPDATE deliveries SET behind = NULL WHERE behind = ?1")?.execute([delivery])?;
    Ok(())
}

fn block(tx: &Transaction<'_>, delivery: i64, more: i64) -> Result<()> {
    let sql = "UPDATE deliveries SET blocked = blocked + ?2 WHERE number = ?1";
    tx.prepare_cached(sql)?.execute([delivery, more])?;
    Ok(())
}
