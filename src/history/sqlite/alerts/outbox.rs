//! Writing what is to be delivered, in the commit of what it tells of.

use rusqlite::{OptionalExtension, Transaction, params};

use super::codes;
use super::turns::{self, Turn};
use crate::domain::alert::{NotifierName, RuleName};
use crate::domain::event::EventId;
use crate::domain::time::Time;
use crate::history::Result;
use crate::history::alerts::{DeliveryKind, DeliveryStatus, GATHER, MAX_TOLD_TOGETHER, MAX_WAITING};
use crate::history::sqlite::codes::limit_code;

/// The outbox, open for a commit.
pub(super) struct Outbox<'tx> {
    /// The commit.
    pub(super) tx: &'tx Transaction<'tx>,
    /// When what is written was put together.
    pub(super) at: Time,
}

/// The rule that deliveries of events have: none.
pub(super) const NO_RULE: &str = "";

/// A delivery, as far as more is to be written of it.
struct Begun {
    number: i64,
    status: DeliveryStatus,
}

/// What a new delivery is.
struct New<'a> {
    notifier_id: i64,
    rule: &'a str,
    kind: DeliveryKind,
    /// The event and its channel.
    event: Option<(EventId, i64)>,
    /// What goes first in its channel.
    behind: Option<i64>,
    due: Time,
}

impl Outbox<'_> {
    /// A transition of a rule in a channel is to be told: with a delivery of the rule to the notifier that others may join,
    /// if there is one that waits for the same as this must, otherwise with another.
    pub(super) fn tell(
        &self,
        notifier: &NotifierName,
        rule: &RuleName,
        kind: DeliveryKind,
        channel_id: i64,
        change_id: i64,
    ) -> Result<()> {
        let notifier_id = self.notifier_id(notifier)?;
        let rule = rule.as_str();
        let turn = Turn { notifier_id, rule, channel_id };
        let behind = turns::last(self.tx, turn)?;
        let begun = match self.joinable(turn, kind, behind)? {
            Some(joinable) => joinable,
            None => {
                self.begin(&New { notifier_id, rule, kind, event: None, behind, due: self.at.plus(GATHER) })?
            }
        };
        let sql = "INSERT INTO notifications (delivery, change_id) VALUES (?1, ?2)";
        self.tx.prepare_cached(sql)?.execute([begun.number, change_id])?;
        let sql = "UPDATE deliveries SET count = count + 1 WHERE number = ?1";
        self.tx.prepare_cached(sql)?.execute([begun.number])?;
        self.queue(&begun, turn)
    }

    /// An event in a channel is to be told.
    pub(super) fn tell_event(&self, notifier: &NotifierName, event: EventId, channel_id: i64) -> Result<()> {
        let notifier_id = self.notifier_id(notifier)?;
        let begun = self.begin(&New {
            notifier_id,
            rule: NO_RULE,
            kind: DeliveryKind::Event,
            event: Some((event, channel_id)),
            behind: None,
            due: self.at,
        })?;
        self.queue(&begun, Turn { notifier_id, rule: NO_RULE, channel_id })
    }

    fn queue(&self, begun: &Begun, turn: Turn<'_>) -> Result<()> {
        if begun.status == DeliveryStatus::Pending {
            turns::enter(self.tx, turn, begun.number)?;
        }
        Ok(())
    }

    fn notifier_id(&self, notifier: &NotifierName) -> Result<i64> {
        if let Some(id) = notifier_id(self.tx, notifier)? {
            return Ok(id);
        }
        Ok(self.tx.prepare_cached("INSERT INTO notifiers (name) VALUES (?1)")?.insert([notifier.as_str()])?)
    }

    /// The delivery that a notification may join. It must wait for the same one (`behind`) in each of its channels as this
    /// notification must: otherwise one channel's would wait for another's. What was recorded as failed at once may be joined
    /// while too much waits still, and as long as others gather, so that many alerts at once do not fail one by one.
    fn joinable(&self, turn: Turn<'_>, kind: DeliveryKind, behind: Option<i64>) -> Result<Option<Begun>> {
        let sql = "SELECT number, status FROM deliveries WHERE notifier_id = ?1 AND rule = ?2 AND joinable \
                   AND kind = ?3 AND count < ?4 AND (status = ?5 AND behind IS ?8 AND (behind IS NOT NULL OR blocked = 0) \
                       OR status != ?5 AND created > ?6 AND (SELECT waiting FROM notifiers WHERE id = ?1) >= ?7) \
                   ORDER BY number DESC LIMIT 1";
        let mut find = self.tx.prepare_cached(sql)?;
        let mut rows = find.query(params![
            turn.notifier_id,
            turn.rule,
            codes::kind_code(kind),
            limit_code(MAX_TOLD_TOGETHER),
            codes::status_code(DeliveryStatus::Pending),
            self.at.minus(GATHER),
            limit_code(MAX_WAITING),
            behind,
        ])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(Begun { number: row.get(0)?, status: codes::status(row, 1)? }))
    }

    fn begin(&self, new: &New<'_>) -> Result<Begun> {
        let waiting: i64 = self
            .tx
            .prepare_cached("SELECT waiting FROM notifiers WHERE id = ?1")?
            .query_row([new.notifier_id], |row| row.get(0))?;
        let full = usize::try_from(waiting).is_ok_and(|waiting| waiting >= MAX_WAITING);
        let status = if full { DeliveryStatus::Failed } else { DeliveryStatus::Pending };
        let alerts = new.event.is_none();
        if alerts {
            let sql = "UPDATE deliveries SET joinable = 0 WHERE notifier_id = ?1 AND rule = ?2 AND joinable AND status = ?3";
            let failed = codes::status_code(DeliveryStatus::Failed);
            self.tx.prepare_cached(sql)?.execute(params![new.notifier_id, new.rule, failed])?;
        }
        let answer = format!("not sent: {MAX_WAITING} deliveries to this notifier were waiting already");
        let sql = "INSERT INTO deliveries (id, notifier_id, rule, kind, event_id, channel_id, count, created, joinable, \
                   status, due, finished, answer, behind) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
        let number = self.tx.prepare_cached(sql)?.insert(params![
            uuid::Uuid::new_v4().to_string(),
            new.notifier_id,
            new.rule,
            codes::kind_code(new.kind),
            new.event.map(|(event, _)| event),
            new.event.map(|(_, channel_id)| channel_id),
            i64::from(!alerts),
            self.at,
            alerts,
            codes::status_code(status),
            (!full).then_some(new.due),
            full.then_some(self.at),
            full.then_some(&answer),
            new.behind.filter(|_| !full),
        ])?;
        if full {
            let sql = "INSERT INTO attempts (delivery, number, at, took, delivered, answer) VALUES (?1, 0, ?2, 0, 0, ?3)";
            self.tx.prepare_cached(sql)?.execute(params![number, self.at, answer])?;
        } else {
            waits(self.tx, new.notifier_id, 1)?;
        }
        Ok(Begun { number, status })
    }
}

/// A notifier's number, if there ever was a delivery to it.
pub(super) fn notifier_id(tx: &Transaction<'_>, notifier: &NotifierName) -> Result<Option<i64>> {
    let mut find = tx.prepare_cached("SELECT id FROM notifiers WHERE name = ?1")?;
    Ok(find.query_row([notifier.as_str()], |row| row.get(0)).optional()?)
}

/// Notes that so many more deliveries to a notifier are pending.
pub(super) fn waits(tx: &Transaction<'_>, notifier_id: i64, more: i64) -> Result<()> {
    let sql = "UPDATE notifiers SET waiting = waiting + ?2 WHERE id = ?1";
    tx.prepare_cached(sql)?.execute([notifier_id, more])?;
    Ok(())
}
