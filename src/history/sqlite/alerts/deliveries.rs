//! Questions about deliveries, and what is to be tried.

use rusqlite::{Row, Transaction, params};

use super::{changes, codes, outbox};
use crate::domain::alert::NotifierName;
use crate::domain::event::EventId;
use crate::domain::time::Time;
use crate::history::alerts::{
    AlertChange, Delivery, DeliveryAttempt, DeliveryKind, DeliveryQuery, Outgoing, Told,
};
use crate::history::sqlite::codes::{limit_code, span};
use crate::history::sqlite::events;
use crate::history::{HistoryError, Result};

/// What [`delivery_of`] reads, of `deliveries d` and `notifiers n`.
const COLUMNS: &str = "d.number, d.id, n.name, d.rule, d.kind, d.count, d.created, d.status, d.attempts, d.tried, \
    d.due, d.answer, d.attempts_before, d.event_id";

const FROM: &str = "FROM deliveries d JOIN notifiers n ON n.id = d.notifier_id";

/// `?1` is the notifier, `?2` the time, `?3` the limit. Both conditions are those of the index.
const DUE: &str = "SELECT d.number, d.joinable FROM deliveries d INDEXED BY deliveries_free \
    WHERE d.status = 0 AND d.blocked = 0 AND d.notifier_id = ?1 AND d.due <= ?2 ORDER BY d.number LIMIT ?3";

/// What may be tried.
pub(super) struct Due {
    /// The numbers of the deliveries.
    pub(super) numbers: Vec<i64>,
    /// Whether others may still join one of them.
    pub(super) joinable: bool,
}

/// What of a notifier's deliveries may be tried.
pub(super) fn due(tx: &Transaction<'_>, notifier: &NotifierName, now: Time, limit: usize) -> Result<Due> {
    let mut due = Due { numbers: Vec::new(), joinable: false };
    let Some(notifier_id) = outbox::notifier_id(tx, notifier)? else { return Ok(due) };
    let mut list = tx.prepare_cached(DUE)?;
    let mut rows = list.query(params![notifier_id, now, limit_code(limit)])?;
    while let Some(row) = rows.next()? {
        due.numbers.push(row.get(0)?);
        due.joinable |= row.get::<_, bool>(1)?;
    }
    Ok(due)
}

/// Nothing joins these from now on.
pub(super) fn seal(tx: &Transaction<'_>, numbers: &[i64]) -> Result<()> {
    let mut seal = tx.prepare_cached("UPDATE deliveries SET joinable = 0 WHERE number = ?1 AND joinable")?;
    for number in numbers {
        seal.execute([number])?;
    }
    Ok(())
}

/// These deliveries, with what they say.
pub(super) fn outgoing(tx: &Transaction<'_>, numbers: &[i64]) -> Result<Vec<Outgoing>> {
    let mut outgoing = Vec::with_capacity(numbers.len());
    for number in numbers {
        outgoing.extend(with_words(tx, *number)?);
    }
    Ok(outgoing)
}

fn with_words(tx: &Transaction<'_>, number: i64) -> Result<Option<Outgoing>> {
    let Some((delivery, event)) = find(tx, number)? else { return Ok(None) };
    let told = match (delivery.kind, event) {
        (DeliveryKind::Event, Some(event)) => Told::Event(events::event(tx, event)?),
        (DeliveryKind::Event, None) => return Err(codes::damaged("a delivery of an event", "without one")),
        _ => Told::Alerts(told(tx, number)?),
    };
    Ok(Some(Outgoing { delivery, told }))
}

/// The transitions that a delivery tells of.
fn told(tx: &Transaction<'_>, number: i64) -> Result<Vec<AlertChange>> {
    let mut list = tx.prepare_cached(&format!(
        "SELECT {} FROM notifications t JOIN alert_changes a ON a.id = t.change_id JOIN channels c ON c.id = a.channel_id \
         WHERE t.delivery = ?1 ORDER BY t.change_id",
        changes::COLUMNS
    ))?;
    let mut rows = list.query([number])?;
    let mut told = Vec::new();
    while let Some(row) = rows.next()? {
        told.push(changes::change(row)?);
    }
    Ok(told)
}

fn find(tx: &Transaction<'_>, number: i64) -> Result<Option<(Delivery, Option<EventId>)>> {
    let mut find = tx.prepare_cached(&format!("SELECT {COLUMNS} {FROM} WHERE d.number = ?1"))?;
    let mut rows = find.query([number])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some((delivery_of(row)?, row.get(13)?)))
}

/// The delivery with this number.
pub(super) fn of_number(tx: &Transaction<'_>, number: i64) -> Result<Option<Delivery>> {
    Ok(find(tx, number)?.map(|(delivery, _)| delivery))
}

/// See [`crate::history::alerts::AlertHistory::waiting`].
pub(super) fn waiting(tx: &Transaction<'_>) -> Result<Vec<(NotifierName, u64, Time)>> {
    // The oldest of them is never blocked, so there is always one that is due at some time.
    let mut list = tx.prepare_cached(
        "SELECT name, waiting, (SELECT min(due) FROM deliveries INDEXED BY deliveries_next \
                                WHERE status = 0 AND blocked = 0 AND notifier_id = notifiers.id) \
         FROM notifiers WHERE waiting > 0 ORDER BY name",
    )?;
    let mut rows = list.query([])?;
    let mut waiting = Vec::new();
    while let Some(row) = rows.next()? {
        waiting.push((codes::notifier(row, 0)?, unsigned(row, 1)?, row.get(2)?));
    }
    Ok(waiting)
}

/// `?1` is the number to go on after, `?2` to `?3` the span, `?4` the limit, `?5` the notifier, `?6` the status.
fn sql(query: &DeliveryQuery) -> String {
    let notifier = if query.notifier.is_some() { "d.notifier_id = ?5" } else { "?5 IS NULL" };
    let status = if query.status.is_some() { "d.status = ?6" } else { "?6 IS NULL" };
    let span = if query.from.is_some() || query.to.is_some() { SPAN } else { "" };
    format!(
        "SELECT {COLUMNS} {FROM} WHERE {notifier} AND {status} AND d.number > ?1 AND +d.created >= ?2 \
         AND +d.created < ?3 {span} ORDER BY d.number LIMIT ?4"
    )
}

/// Numbers follow times closely, so those of a span are close together.
const SPAN: &str = "AND d.number BETWEEN (SELECT min(number) FROM deliveries INDEXED BY deliveries_by_time \
                                          WHERE created >= ?2 AND created < ?3) \
                    AND (SELECT max(number) FROM deliveries INDEXED BY deliveries_by_time \
                         WHERE created >= ?2 AND created < ?3)";

/// See [`crate::history::alerts::AlertHistory::deliveries`].
pub(super) fn deliveries(tx: &Transaction<'_>, query: &DeliveryQuery) -> Result<Vec<Delivery>> {
    let notifier_id = match &query.notifier {
        None => None,
        Some(notifier) => match outbox::notifier_id(tx, notifier)? {
            None => return Ok(Vec::new()),
            found => found,
        },
    };
    let mut list = tx.prepare_cached(&sql(query))?;
    let mut rows = list.query(params![
        query.after,
        query.from.map_or(i64::MIN, Time::as_micros),
        query.to.map_or(i64::MAX, Time::as_micros),
        limit_code(query.limit),
        notifier_id,
        query.status.map(codes::status_code),
    ])?;
    let mut deliveries = Vec::new();
    while let Some(row) = rows.next()? {
        deliveries.push(delivery_of(row)?);
    }
    Ok(deliveries)
}

/// See [`crate::history::alerts::AlertHistory::delivery`].
pub(super) fn delivery(tx: &Transaction<'_>, id: &str) -> Result<Option<(Outgoing, Vec<DeliveryAttempt>)>> {
    let mut find = tx.prepare_cached("SELECT number FROM deliveries WHERE id = ?1")?;
    let mut rows = find.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let number = row.get(0)?;
    let Some(outgoing) = with_words(tx, number)? else { return Ok(None) };
    Ok(Some((outgoing, attempts(tx, number)?)))
}

fn attempts(tx: &Transaction<'_>, number: i64) -> Result<Vec<DeliveryAttempt>> {
    let mut list = tx.prepare_cached(
        "SELECT number, at, took, delivered, answer FROM attempts WHERE delivery = ?1 ORDER BY id",
    )?;
    let mut rows = list.query([number])?;
    let mut attempts = Vec::new();
    while let Some(row) = rows.next()? {
        attempts.push(DeliveryAttempt {
            number: row.get(0)?,
            at: row.get(1)?,
            took: span(row, 2)?,
            delivered: row.get(3)?,
            answer: row.get(4)?,
        });
    }
    Ok(attempts)
}

fn delivery_of(row: &Row<'_>) -> Result<Delivery> {
    let rule: &str = row.get_ref(3)?.as_str()?;
    let rule = if rule == outbox::NO_RULE { None } else { Some(codes::rule(row, 3)?) };
    Ok(Delivery {
        number: row.get(0)?,
        id: row.get(1)?,
        notifier: codes::notifier(row, 2)?,
        rule,
        kind: codes::kind(row, 4)?,
        count: unsigned(row, 5)?,
        created: row.get(6)?,
        status: codes::status(row, 7)?,
        attempts: row.get(8)?,
        tried: row.get(9)?,
        due: row.get(10)?,
        answer: row.get(11)?,
        attempts_before: row.get(12)?,
    })
}

fn unsigned(row: &Row<'_>, at: usize) -> Result<u64> {
    let number: i64 = row.get(at)?;
    u64::try_from(number).map_err(|_| HistoryError::Damaged(format!("{number} is no count")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::alerts::DeliveryStatus;
    use crate::history::sqlite::open::tests::plan;

    #[test]
    fn no_list_of_deliveries_is_sorted_or_searched_from_end_to_end() {
        for notifier in [None, Some(NotifierName::new("hook").unwrap())] {
            for status in [None, Some(DeliveryStatus::Failed)] {
                for from in [None, Some(Time::from_micros(1))] {
                    let query = DeliveryQuery {
                        notifier: notifier.clone(),
                        status,
                        from,
                        ..DeliveryQuery::default()
                    };
                    let steps = plan(&sql(&query));
                    let subquery = |step: &String| step.starts_with("SCALAR SUBQUERY");
                    assert!(
                        steps.iter().all(|step| step.starts_with("SEARCH") || subquery(step)),
                        "{query:?}: {steps:#?}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_may_be_tried_is_found_in_an_index_that_holds_nothing_else() {
        let steps = plan(DUE);
        assert_eq!(steps.len(), 1, "not sorted: {steps:#?}");
        assert!(steps.iter().all(|step| step.starts_with("SEARCH")), "{steps:#?}");
    }
}
