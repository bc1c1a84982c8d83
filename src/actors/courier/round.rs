//! One look at the outbox, where blocking is allowed.

use hashbrown::HashMap;
use tracing::warn;

use super::desk::Ask;
use crate::domain::alert::NotifierName;
use crate::domain::time::Time;
use crate::history::HistoryError;
use crate::history::alerts::{AlertHistory, Outgoing};
use crate::telemetry::metrics;

/// What a look found.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// What may be tried now. Nothing of it is under way.
    pub(super) due: Vec<(NotifierName, Vec<Outgoing>)>,
    /// When the next is due of what is not yet.
    pub(super) next: Option<Time>,
    /// How many deliveries waited.
    pub(super) pending: u64,
    /// What of it cannot be read, and never will.
    pub(super) damage: Option<HistoryError>,
}

/// Looks for what is due, and gives up what can reach nobody. What cannot be read of one receiver's keeps no other from
/// hearing.
pub(super) fn look(
    history: &dyn AlertHistory,
    asks: &HashMap<NotifierName, Ask>,
    now: Time,
) -> Result<Round, HistoryError> {
    let mut round = Round::default();
    for (notifier, pending, due) in history.waiting()? {
        round.pending += pending;
        let looked = match asks.get(&notifier) {
            Some(Ask::Leave) => Ok(()),
            Some(Ask::Due(..)) if due > now => {
                round.next = Some(round.next.map_or(due, |next| next.min(due)));
                Ok(())
            }
            Some(Ask::Due(limit, under_way)) => history.due(&notifier, now, *limit).map(|mut found| {
                found.retain(|outgoing| !under_way.contains(&outgoing.delivery.number));
                round.due.push((notifier, found));
            }),
            Some(Ask::GiveUp(answer)) => {
                let answer = format!("not sent: it wants no more, and said {answer}");
                give_up(history, &notifier, now, &answer)
            }
            None => give_up(history, &notifier, now, "not sent: there is no notifier of this name"),
        };
        match looked {
            Err(error) if !error.is_retryable() => round.damage = Some(error),
            looked => looked?,
        }
    }
    Ok(round)
}

fn give_up(
    history: &dyn AlertHistory,
    notifier: &NotifierName,
    now: Time,
    answer: &str,
) -> Result<(), HistoryError> {
    let deliveries = history.give_up(notifier, now, answer)?;
    warn!(%notifier, deliveries, answer, "deliveries are given up");
    metrics::deliveries(notifier, metrics::FAILED, u64::try_from(deliveries).unwrap_or(u64::MAX));
    Ok(())
}
