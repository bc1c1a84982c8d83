//! One try of one delivery, until what came of it is noted.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, error};

use super::backoff::pause;
use super::message::message;
use super::{AGAIN, CourierParts, Reach};
use crate::actors::alerting::Receiver;
use crate::domain::time::Time;
use crate::history::alerts::{DeliveryAttempt, Outcome, Outgoing};
use crate::notify::{Attempt, Message, Receipt, Remedy, Undelivered};
use crate::telemetry::metrics;

/// No try takes longer, whatever a notifier does: its own time-out is 5 min at most.
pub const LONGEST_TRY: Duration = Duration::from_secs(6 * 60);

/// A delivery that is tried.
pub(super) struct Errand {
    pub(super) parts: CourierParts,
    pub(super) notes: Arc<Reach>,
    pub(super) receiver: Receiver,
    /// The number of the edition that has this receiver.
    pub(super) edition: u64,
    /// Links begin so.
    pub(super) base: Option<Arc<str>>,
    pub(super) outgoing: Outgoing,
}

/// What the courier must know of a try that is noted.
pub(super) struct Done {
    pub(super) receiver: Receiver,
    pub(super) edition: u64,
    pub(super) number: i64,
    pub(super) attempt: DeliveryAttempt,
    pub(super) outcome: Outcome,
    pub(super) wish: Wish,
}

/// What the receiver wants besides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wish {
    /// Nothing.
    None,
    /// To be left alone for so long.
    Rest(Duration),
    /// No more.
    NoMore,
}

impl Errand {
    /// Tries, and notes what came of it. As long as that cannot be noted this does not end: the delivery counts as under
    /// way and is not tried again, nor is a later one about the same alert.
    pub(super) async fn run(self) -> Done {
        let (attempt, outcome, wish) = self.attempt().await;
        let number = self.outgoing.delivery.number;
        self.tell(&attempt, outcome);
        loop {
            let (history, attempt) = (Arc::clone(&self.parts.history), attempt.clone());
            let noting = move || history.attempted(number, &attempt, outcome);
            match tokio::task::spawn_blocking(noting).await {
                // This one alone: it holds its place, and nothing else waits for it.
                Ok(Err(error)) if !error.is_retryable() => {
                    let delivery = &self.outgoing.delivery.id;
                    error!(delivery, %error, "what came of a delivery is refused by the history");
                    sleep(LONGEST_TRY).await;
                }
                noted => {
                    if self.notes.take(noted).is_some() {
                        break;
                    }
                    sleep(AGAIN).await;
                }
            }
        }
        Done { receiver: self.receiver, edition: self.edition, number, attempt, outcome, wish }
    }

    async fn attempt(&self) -> (DeliveryAttempt, Outcome, Wish) {
        let (at, began) = (self.parts.clock.now(), Instant::now());
        let number = self.outgoing.delivery.attempts.saturating_add(1);
        let Some(message) = message(&self.outgoing, self.base.as_deref()) else {
            let answer = "what it tells of has expired".to_owned();
            let given_up = DeliveryAttempt { number: 0, at, took: Duration::ZERO, delivered: false, answer };
            return (given_up, Outcome::Failed, Wish::None);
        };
        let result = self.deliver(&message, Attempt { number, now: at }).await;
        let took = began.elapsed();
        let (answer, outcome, wish) = match &result {
            Ok(receipt) => (&receipt.answer, Outcome::Delivered, Wish::None),
            Err(refusal) => {
                let outcome = self.after(refusal.remedy, self.parts.clock.now(), fastrand::f64());
                (&refusal.answer, outcome, wish(refusal.remedy))
            }
        };
        let answer = answer.clone();
        (DeliveryAttempt { number, at, took, delivered: result.is_ok(), answer }, outcome, wish)
    }

    /// A notifier that panics, or does not end, is one that did not deliver.
    async fn deliver(&self, message: &Message, attempt: Attempt) -> Result<Receipt, Undelivered> {
        let again = |answer: String| Err(Undelivered { remedy: Remedy::Retry { after: None }, answer });
        let delivery = async { self.receiver.notifier.deliver(message, attempt).await };
        match timeout(LONGEST_TRY, AssertUnwindSafe(delivery).catch_unwind()).await {
            Ok(Ok(result)) => result,
            Ok(Err(_panic)) => again("adsum failed while it was sending this".to_owned()),
            Err(_elapsed) => again(format!("it was not done within {LONGEST_TRY:?}")),
        }
    }

    fn after(&self, remedy: Remedy, now: Time, chance: f64) -> Outcome {
        let delivery = &self.outgoing.delivery;
        let tries = delivery.attempts.saturating_add(1).saturating_sub(delivery.attempts_before);
        match remedy {
            Remedy::Retry { after } => {
                pause(tries, chance, after).map_or(Outcome::Failed, |pause| Outcome::Again(now.plus(pause)))
            }
            Remedy::Fail | Remedy::Disable => Outcome::Failed,
        }
    }

    /// Says what came of it. That a receiver fails is said once by the courier, not for each delivery.
    fn tell(&self, attempt: &DeliveryAttempt, outcome: Outcome) {
        let (notifier, delivery) = (&self.receiver.name, &self.outgoing.delivery.id);
        let (number, answer) = (attempt.number, &attempt.answer);
        let outcome = match outcome {
            Outcome::Delivered => {
                debug!(%notifier, delivery, number, answer, "delivered");
                metrics::DELIVERED
            }
            Outcome::Again(at) => {
                debug!(%notifier, delivery, number, answer, %at, "not delivered; trying again");
                metrics::RETRIED
            }
            Outcome::Failed => {
                error!(%notifier, delivery, number, answer, "not delivered, and given up");
                metrics::FAILED
            }
        };
        metrics::deliveries(notifier, outcome, 1);
    }
}

fn wish(remedy: Remedy) -> Wish {
    match remedy {
        Remedy::Retry { after: Some(after) } => Wish::Rest(after),
        Remedy::Disable => Wish::NoMore,
        Remedy::Retry { after: None } | Remedy::Fail => Wish::None,
    }
}
