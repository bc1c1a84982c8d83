//! Deliveries: what people and programs were told, or could not be.

use serde::Serialize;
use utoipa::ToSchema;

use super::alert::AlertChangeBody;
use super::event::EventBody;
use super::span::{Instant, seconds};
use super::words;
use crate::history::alerts::{self, Delivery, DeliveryAttempt, Outgoing, Told};

words! {
    /// What a delivery is about.
    DeliveryKind from alerts::DeliveryKind {
        /// Alerts that began to fire.
        Firing,
        /// Alerts that fire still.
        Repeated,
        /// Alerts that were resolved.
        Resolved,
        /// A presence event.
        Event,
    }
}

words! {
    /// How a delivery stands.
    DeliveryStatus from alerts::DeliveryStatus {
        /// It is to be tried, for the first time or again.
        Pending,
        /// The receiver took it.
        Delivered,
        /// It was given up. It may be sent again on request.
        Failed,
    }
}

/// Something that somebody is told.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryBody {
    /// The same on every try: the receiver's `webhook-id`.
    pub id: String,
    /// Who is told.
    pub notifier: String,
    /// Of which rule; null for a presence event.
    #[schema(required = true)]
    pub rule: Option<String>,
    /// What it is about.
    pub kind: DeliveryKind,
    /// How many alerts, or 1 event.
    pub count: u64,
    /// When it was written.
    pub created: Instant,
    /// How it stands.
    pub status: DeliveryStatus,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was last tried; null if it was not yet.
    #[schema(required = true)]
    pub tried: Option<Instant>,
    /// When it is tried next; null unless it is pending.
    #[schema(required = true)]
    pub due: Option<Instant>,
    /// What came of the last try, or why it was given up without one; null if neither is so. It may hold text of the
    /// receiver's.
    #[schema(required = true)]
    pub answer: Option<String>,
}

impl From<Delivery> for DeliveryBody {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            notifier: delivery.notifier.to_string(),
            rule: delivery.rule.map(|rule| rule.to_string()),
            kind: delivery.kind.into(),
            count: delivery.count,
            created: delivery.created.into(),
            status: delivery.status.into(),
            attempts: delivery.attempts,
            tried: delivery.tried.map(Into::into),
            due: delivery.due.map(Into::into),
            answer: delivery.answer,
        }
    }
}

/// One try of a delivery.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Try)]
pub struct TryBody {
    /// 1, 2, 3 …; 0 for what was given up without a try.
    pub number: u32,
    /// When it began.
    pub at: Instant,
    /// How long it took, in seconds.
    #[schema(minimum = 0)]
    pub took_s: f64,
    /// Whether the receiver took it.
    pub delivered: bool,
    /// What the receiver answered, or why there was no answer. It may hold text of the receiver's.
    pub answer: String,
}

impl From<DeliveryAttempt> for TryBody {
    fn from(attempt: DeliveryAttempt) -> Self {
        Self {
            number: attempt.number,
            at: attempt.at.into(),
            took_s: seconds(attempt.took),
            delivered: attempt.delivered,
            answer: attempt.answer,
        }
    }
}

/// A delivery in full.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = DeliveryDetail)]
pub struct DeliveryDetailBody {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: DeliveryBody,
    /// Its alerts, in order; none for a presence event.
    pub alerts: Vec<AlertChangeBody>,
    /// The presence event that it is about; null if it is about alerts, or if the event has expired.
    #[schema(required = true)]
    pub event: Option<EventBody>,
    /// Every try, in order.
    pub tries: Vec<TryBody>,
}

impl DeliveryDetailBody {
    pub(crate) fn of(Outgoing { delivery, told }: Outgoing, tries: Vec<DeliveryAttempt>) -> Self {
        let (alerts, event) = match told {
            Told::Alerts(changes) => (changes.into_iter().map(Into::into).collect(), None),
            Told::Event(event) => (Vec::new(), event.as_ref().and_then(EventBody::of)),
        };
        Self { delivery: delivery.into(), alerts, event, tries: tries.into_iter().map(Into::into).collect() }
    }
}
