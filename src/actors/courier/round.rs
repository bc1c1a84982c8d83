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
    /// How many deliveries wait.
    pub(super) pending: u64,
}

/// Looks for what is due, and gives up what can reach nobody.
pub(super) fn look(
    history: &dyn AlertHistory,
    asks: &HashMap<NotifierName, Ask>,
    now: Time,
) -> Result<Round, HistoryError> {
    let mut round = Round::default();
    for (notifier, pending, due) in history.waiting()? {
        let given_up = match asks.get(&notifier) {
            Some(Ask::Leave) => false,
            Some(Ask::Due(limit, under_way)) => {
                if due <= now {
                    let mut found = history.due(&notifier, now, *limit)?;
                    found.retain(|outgoing| !under_way.contains(&outgoing.delivery.number));
                    round.due.push((notifier, found));
                } else {
                    round.next = Some(round.next.map_or(due, |next| next.min(due)));
                }
                false
            }
            Some(Ask::GiveUp(answer)) => {
                give_up(history, &notifier, now, &format!("not sent: it wants no more, and said {answer}"))?;
                true
            }
            None => {
                give_up(history, &notifier, now, "not sent: there is no notifier of this name")?;
                true
            }
        };
        round.pending += if given_up { 0 } else { pending };
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
