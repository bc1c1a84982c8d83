//! The outbox: who was, is to be, or could not be told.

use super::{Adsum, AskError, Page};
use crate::history::alerts::{Delivery, DeliveryAttempt, DeliveryQuery, Outgoing};

impl Adsum {
    /// Deliveries, in the order in which they began.
    ///
    /// # Errors
    /// [`AskError::UnknownNotifier`], [`AskError::History`].
    pub async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery, i64>, AskError> {
        let edition = self.editions.current();
        self.ask(move |history| {
            let limit = query.limit;
            let deliveries =
                history.deliveries(&DeliveryQuery { limit: limit.saturating_add(1), ..query.clone() })?;
            if let Some(notifier) = query.notifier.as_ref().filter(|_| deliveries.is_empty()) {
                let any =
                    DeliveryQuery { notifier: query.notifier.clone(), limit: 1, ..DeliveryQuery::default() };
                let receivers = &edition.alerting.receivers;
                if receivers.iter().all(|receiver| receiver.name != *notifier)
                    && history.deliveries(&any)?.is_empty()
                {
                    let known = receivers.iter().map(|receiver| receiver.name.clone()).collect();
                    return Err(AskError::UnknownNotifier { notifier: notifier.clone(), known });
                }
            }
            Ok(Page::of(deliveries, limit, |delivery| delivery.number))
        })
        .await
    }

    /// A delivery with what it says and every try.
    ///
    /// # Errors
    /// [`AskError::UnknownDelivery`], [`AskError::History`].
    pub async fn delivery(&self, id: String) -> Result<(Outgoing, Vec<DeliveryAttempt>), AskError> {
        self.ask(move |history| history.delivery(&id)?.ok_or(AskError::UnknownDelivery(id))).await
    }

    /// Sends a delivery again that failed, and one that waits for its next try at once; one that was delivered stays as it
    /// is. Gives it as it stands then.
    ///
    /// # Errors
    /// [`AskError::UnknownDelivery`], [`AskError::History`].
    pub async fn retry(&self, id: String) -> Result<Delivery, AskError> {
        let now = self.now();
        self.ask(move |history| history.retry(&id, now)?.ok_or(AskError::UnknownDelivery(id))).await
    }
}
