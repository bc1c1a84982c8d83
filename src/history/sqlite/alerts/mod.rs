//! What the history keeps of alerts (see [`crate::history::alerts`]).

mod changes;
mod codes;
mod deliveries;
mod expire;
mod outbox;
mod silences;
mod standings;
mod tries;
mod turns;

use rusqlite::Transaction;

use super::Sqlite;
use crate::domain::alert::{Change, NotifierName, Silence};
use crate::domain::event::Recorded;
use crate::domain::names::ChannelName;
use crate::domain::time::Time;
use crate::history::alerts::{
    AlertChange, AlertHistory, AlertQuery, ChangeQuery, Delivery, DeliveryAttempt, DeliveryKind,
    DeliveryQuery, KeptSilence, Outcome, Outgoing, SilenceId, Standing, StandingAlert,
};
use crate::history::{Entry, Result};
pub(super) use changes::alert_changes;
pub(super) use expire::expire;
use outbox::Outbox;
pub(super) use standings::alerts;

/// Writes the alerts' part of an entry, and of its events what is to be told. `events` are the entry's, as recorded.
pub(super) fn write(tx: &Transaction<'_>, channel_id: i64, entry: &Entry, events: &[Recorded]) -> Result<()> {
    let outbox = Outbox { tx, at: entry.at };
    for alert in &entry.alerts {
        standings::stand(tx, &entry.channel, &alert.standing)?;
        for notice in &alert.notices {
            let change_id = changes::note(tx, channel_id, &alert.standing, notice)?;
            let Some(kind) = kind(notice.transition.change) else { continue };
            let named = notice.notify.iter().enumerate();
            // Somebody may be named twice.
            let first = named
                .filter(|(place, notifier)| !notice.notify.iter().take(*place).any(|it| it == *notifier));
            for (_, notifier) in first {
                outbox.tell(notifier, &alert.standing.rule, kind, channel_id, change_id)?;
            }
        }
    }
    for event in events {
        for subscriber in entry.subscribers.iter().filter(|subscriber| subscriber.wants(event.kind)) {
            outbox.tell_event(&subscriber.notifier, event.id, channel_id)?;
        }
    }
    Ok(())
}

/// What is told of a change; of some nobody is.
fn kind(change: Change) -> Option<DeliveryKind> {
    match change {
        Change::Pending | Change::Inactive(_) => None,
        Change::Firing => Some(DeliveryKind::Firing),
        Change::Repeated => Some(DeliveryKind::Repeated),
        Change::Resolved(_) => Some(DeliveryKind::Resolved),
    }
}

impl AlertHistory for Sqlite {
    fn standings(&self, channel: &ChannelName) -> Result<Vec<Standing>> {
        self.read(|tx| standings::standings(tx, channel))
    }

    fn alerts(&self, query: &AlertQuery) -> Result<Vec<StandingAlert>> {
        self.read(|tx| standings::alerts(tx, query))
    }

    fn alert_changes(&self, query: &ChangeQuery) -> Result<Vec<AlertChange>> {
        self.read(|tx| changes::alert_changes(tx, query))
    }

    fn silences(&self, over: Option<Time>) -> Result<Vec<KeptSilence>> {
        self.read(|tx| silences::silences(tx, over))
    }

    fn add_silence(&self, silence: &Silence, created: Time) -> Result<Option<KeptSilence>> {
        self.write(|tx, _| silences::add(tx, silence, created))
    }

    fn end_silence(&self, id: SilenceId, at: Time) -> Result<bool> {
        self.write(|tx, _| silences::end(tx, id, at))
    }

    fn due(&self, notifier: &NotifierName, now: Time, limit: usize) -> Result<Vec<Outgoing>> {
        let sealed = self.read(|tx| {
            let due = deliveries::due(tx, notifier, now, limit)?;
            if due.joinable { Ok(None) } else { deliveries::outgoing(tx, &due.numbers).map(Some) }
        })?;
        if let Some(sealed) = sealed {
            return Ok(sealed);
        }
        self.write(|tx, _| {
            let due = deliveries::due(tx, notifier, now, limit)?;
            deliveries::seal(tx, &due.numbers)?;
            deliveries::outgoing(tx, &due.numbers)
        })
    }

    fn waiting(&self) -> Result<Vec<(NotifierName, u64, Time)>> {
        self.read(deliveries::waiting)
    }

    fn attempted(&self, number: i64, attempt: &DeliveryAttempt, outcome: Outcome) -> Result<()> {
        self.write(|tx, _| tries::attempted(tx, number, attempt, outcome))
    }

    fn hasten(&self, notifier: &NotifierName, since: Time, now: Time) -> Result<usize> {
        self.write(|tx, _| tries::hasten(tx, notifier, since, now))
    }

    fn give_up(&self, notifier: &NotifierName, at: Time, answer: &str) -> Result<usize> {
        self.write(|tx, _| tries::give_up(tx, notifier, at, answer))
    }

    fn deliveries(&self, query: &DeliveryQuery) -> Result<Vec<Delivery>> {
        self.read(|tx| deliveries::deliveries(tx, query))
    }

    fn delivery(&self, id: &str) -> Result<Option<(Outgoing, Vec<DeliveryAttempt>)>> {
        self.read(|tx| deliveries::delivery(tx, id))
    }

    fn retry(&self, id: &str, now: Time) -> Result<Option<Delivery>> {
        self.write(|tx, _| tries::retry(tx, id, now))
    }
}
