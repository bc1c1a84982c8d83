//! What becomes of deliveries: tries, giving up, and sending again.

use rusqlite::{OptionalExtension, Transaction, params};

use super::turns::{self, Turn};
use super::{codes, deliveries, outbox};
use crate::domain::alert::NotifierName;
use crate::domain::time::Time;
use crate::history::Result;
use crate::history::alerts::{Delivery, DeliveryAttempt, DeliveryStatus, Outcome};
use crate::history::sqlite::codes::span_code;

/// See [`crate::history::alerts::AlertHistory::attempted`].
pub(super) fn attempted(
    tx: &Transaction<'_>,
    number: i64,
    attempt: &DeliveryAttempt,
    outcome: Outcome,
) -> Result<()> {
    let Some(status) = status(tx, number)? else { return Ok(()) };
    if !note(tx, number, attempt)? {
        return Ok(());
    }
    match (status, outcome) {
        (DeliveryStatus::Pending, Outcome::Again(due)) => {
            let sql = "UPDATE deliveries SET due = ?2, joinable = 0 WHERE number = ?1";
            tx.prepare_cached(sql)?.execute(params![number, due])?;
            Ok(())
        }
        (DeliveryStatus::Pending, Outcome::Delivered) => {
            finish(tx, number, DeliveryStatus::Delivered, attempt.at)
        }
        (DeliveryStatus::Pending, Outcome::Failed) => finish(tx, number, DeliveryStatus::Failed, attempt.at),
        // It was given up while it was under way, and arrived all the same.
        (DeliveryStatus::Failed, Outcome::Delivered) => {
            let sql = "UPDATE deliveries SET status = ?2 WHERE number = ?1";
            let delivered = codes::status_code(DeliveryStatus::Delivered);
            tx.prepare_cached(sql)?.execute([number, delivered])?;
            Ok(())
        }
        (DeliveryStatus::Failed | DeliveryStatus::Delivered, _) => Ok(()),
    }
}

fn status(tx: &Transaction<'_>, number: i64) -> Result<Option<DeliveryStatus>> {
    let mut find = tx.prepare_cached("SELECT status FROM deliveries WHERE number = ?1")?;
    let mut rows = find.query([number])?;
    rows.next()?.map(|row| codes::status(row, 0)).transpose()
}

/// Whether this try was not noted before.
fn note(tx: &Transaction<'_>, number: i64, attempt: &DeliveryAttempt) -> Result<bool> {
    let sql = "INSERT INTO attempts (delivery, number, at, took, delivered, answer) SELECT ?1, ?2, ?3, ?4, ?5, ?6 \
               WHERE NOT EXISTS (SELECT 1 FROM attempts WHERE delivery = ?1 AND number = ?2 AND at = ?3)";
    let noted = tx.prepare_cached(sql)?.execute(params![
        number,
        attempt.number,
        attempt.at,
        span_code(attempt.took),
        attempt.delivered,
        attempt.answer,
    ])?;
    if noted == 0 {
        return Ok(false);
    }
    let tried = attempt.number != 0;
    let sql = "UPDATE deliveries SET attempts = attempts + ?2, tried = coalesce(?3, tried), answer = ?4 WHERE number = ?1";
    let at = tried.then_some(attempt.at);
    tx.prepare_cached(sql)?.execute(params![number, i64::from(tried), at, attempt.answer])?;
    Ok(true)
}

/// A pending delivery is pending no longer.
fn finish(tx: &Transaction<'_>, number: i64, status: DeliveryStatus, at: Time) -> Result<()> {
    turns::leave(tx, number)?;
    let sql = "UPDATE deliveries SET status = ?2, due = NULL, finished = ?3, joinable = 0 WHERE number = ?1 \
               RETURNING notifier_id";
    let notifier_id = tx
        .prepare_cached(sql)?
        .query_row(params![number, codes::status_code(status), at], |row| row.get(0))?;
    outbox::waits(tx, notifier_id, -1)
}

/// See [`crate::history::alerts::AlertHistory::hasten`].
pub(super) fn hasten(tx: &Transaction<'_>, notifier: &NotifierName, now: Time) -> Result<usize> {
    let Some(notifier_id) = outbox::notifier_id(tx, notifier)? else { return Ok(0) };
    let sql = "UPDATE deliveries SET due = ?2, attempts_before = attempts_before + 1 \
               WHERE notifier_id = ?1 AND status = 0 AND blocked = 0 AND due > ?2 AND attempts > attempts_before";
    Ok(tx.prepare_cached(sql)?.execute(params![notifier_id, now])?)
}

/// See [`crate::history::alerts::AlertHistory::give_up`].
pub(super) fn give_up(
    tx: &Transaction<'_>,
    notifier: &NotifierName,
    at: Time,
    answer: &str,
) -> Result<usize> {
    let Some(notifier_id) = outbox::notifier_id(tx, notifier)? else { return Ok(0) };
    // Nothing stays pending, so nothing waits for anything.
    tx.execute("DELETE FROM turns WHERE notifier_id = ?1", [notifier_id])?;
    let (pending, failed) =
        (codes::status_code(DeliveryStatus::Pending), codes::status_code(DeliveryStatus::Failed));
    tx.execute(
        "INSERT INTO attempts (delivery, number, at, took, delivered, answer) \
         SELECT number, 0, ?3, 0, 0, ?4 FROM deliveries WHERE notifier_id = ?1 AND status = ?2",
        params![notifier_id, pending, at, answer],
    )?;
    let given_up = tx.execute(
        "UPDATE deliveries SET status = ?3, due = NULL, finished = ?4, joinable = 0, blocked = 0, behind = NULL, answer = ?5 \
         WHERE notifier_id = ?1 AND status = ?2",
        params![notifier_id, pending, failed, at, answer],
    )?;
    tx.execute("UPDATE notifiers SET waiting = 0 WHERE id = ?1", [notifier_id])?;
    Ok(given_up)
}

/// See [`crate::history::alerts::AlertHistory::retry`].
pub(super) fn retry(tx: &Transaction<'_>, id: &str, now: Time) -> Result<Option<Delivery>> {
    let mut find = tx.prepare_cached("SELECT number FROM deliveries WHERE id = ?1")?;
    let Some(number) = find.query_row([id], |row| row.get(0)).optional()? else { return Ok(None) };
    match status(tx, number)? {
        Some(DeliveryStatus::Pending) => {
            let sql = "UPDATE deliveries SET due = ?2 WHERE number = ?1";
            tx.prepare_cached(sql)?.execute(params![number, now])?;
        }
        Some(DeliveryStatus::Failed) => reopen(tx, number, now)?,
        Some(DeliveryStatus::Delivered) | None => {}
    }
    deliveries::of_number(tx, number)
}

/// A failed delivery is pending again.
fn reopen(tx: &Transaction<'_>, number: i64, now: Time) -> Result<()> {
    let sql = "UPDATE deliveries SET status = ?2, due = ?3, finished = NULL, joinable = 0, attempts_before = attempts \
               WHERE number = ?1 RETURNING notifier_id, rule";
    let pending = codes::status_code(DeliveryStatus::Pending);
    let (notifier_id, rule): (i64, String) = tx
        .prepare_cached(sql)?
        .query_row(params![number, pending, now], |row| Ok((row.get(0)?, row.get(1)?)))?;
    outbox::waits(tx, notifier_id, 1)?;
    let mut list = tx.prepare_cached(
        "SELECT a.channel_id FROM notifications n JOIN alert_changes a ON a.id = n.change_id WHERE n.delivery = ?1 \
         UNION SELECT channel_id FROM deliveries WHERE number = ?1 AND channel_id IS NOT NULL",
    )?;
    let channels: Vec<i64> = list.query_map([number], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for channel_id in channels {
        turns::enter(tx, Turn { notifier_id, rule: &rule, channel_id }, number)?;
    }
    Ok(())
}
