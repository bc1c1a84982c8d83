//! What a courier remembers of its receivers while it runs. The rest is in the history.

use std::time::Duration;

use hashbrown::{HashMap, HashSet};

use crate::actors::alerting::{Edition, Receiver};
use crate::domain::alert::NotifierName;
use crate::domain::time::Time;

/// One receiver's.
#[derive(Debug, Default)]
struct Desk {
    /// The numbers of the deliveries under way: being tried, or tried and not noted yet.
    under_way: HashSet<i64>,
    /// It wants to be left alone until then (`Retry-After`).
    rests: Option<Time>,
    /// It wants no more, and said so.
    disabled: Option<String>,
    /// Since when it does not take what it is sent.
    fails: Option<Time>,
}

/// All receivers'.
#[derive(Debug, Default)]
pub(super) struct Desks {
    edition: u64,
    desks: HashMap<NotifierName, Desk>,
}

/// What is to be done about the pending deliveries to one receiver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Ask {
    /// So many may be looked for, those under way among them: their numbers.
    Due(usize, HashSet<i64>),
    /// Nothing now.
    Leave,
    /// They are given up: why.
    GiveUp(String),
}

impl Desks {
    /// In another edition who rested, or wanted no more, may be somebody else by now.
    pub(super) fn take(&mut self, edition: &Edition) {
        if self.edition != edition.number {
            self.edition = edition.number;
            for desk in self.desks.values_mut() {
                (desk.rests, desk.disabled, desk.fails) = (None, None, None);
            }
        }
        self.desks.retain(|_, desk| {
            let known = desk.rests.is_some() || desk.disabled.is_some() || desk.fails.is_some();
            known || !desk.under_way.is_empty()
        });
    }

    /// What to do about each receiver that is known.
    pub(super) fn ask(&self, receivers: &[Receiver], now: Time) -> HashMap<NotifierName, Ask> {
        // Under way to somebody who is not there any more: wait for that.
        let busy = self.desks.iter().filter(|(_, desk)| !desk.under_way.is_empty());
        let mut asks: HashMap<NotifierName, Ask> = busy.map(|(name, _)| (name.clone(), Ask::Leave)).collect();
        asks.extend(receivers.iter().map(|receiver| (receiver.name.clone(), self.ask_one(receiver, now))));
        asks
    }

    fn ask_one(&self, receiver: &Receiver, now: Time) -> Ask {
        let Some(desk) = self.desks.get(&receiver.name) else {
            return Ask::Due(receiver.at_once, HashSet::new());
        };
        if let Some(answer) = &desk.disabled {
            // What is under way has an answer of its own coming.
            return if desk.under_way.is_empty() { Ask::GiveUp(answer.clone()) } else { Ask::Leave };
        }
        let rests = desk.rests.is_some_and(|until| now < until);
        if rests || desk.under_way.len() >= receiver.at_once {
            return Ask::Leave;
        }
        Ask::Due(receiver.at_once, desk.under_way.clone())
    }

    /// How many more may be under way to a receiver now.
    pub(super) fn room(&self, receiver: &Receiver, now: Time) -> usize {
        match self.ask_one(receiver, now) {
            Ask::Due(at_once, busy) => at_once.saturating_sub(busy.len()),
            Ask::Leave | Ask::GiveUp(_) => 0,
        }
    }

    pub(super) fn begin(&mut self, notifier: &NotifierName, number: i64) {
        self.desks.entry(notifier.clone()).or_default().under_way.insert(number);
    }

    pub(super) fn end(&mut self, notifier: &NotifierName, number: i64) {
        if let Some(desk) = self.desks.get_mut(notifier) {
            desk.under_way.remove(&number);
        }
    }

    /// How many are under way.
    pub(super) fn under_way(&self) -> usize {
        self.desks.values().map(|desk| desk.under_way.len()).sum()
    }

    /// The receiver said so in answer to what was sent in `edition`.
    pub(super) fn rest(&mut self, notifier: &NotifierName, edition: u64, now: Time, span: Duration) {
        if edition == self.edition {
            let rests = &mut self.desks.entry(notifier.clone()).or_default().rests;
            *rests = (*rests).max(Some(now.plus(span)));
        }
    }

    /// Notes that a receiver fails to take what it is sent. Whether that is news.
    pub(super) fn fails(&mut self, notifier: &NotifierName, now: Time) -> bool {
        let desk = self.desks.entry(notifier.clone()).or_default();
        let news = desk.fails.is_none();
        desk.fails.get_or_insert(now);
        news
    }

    /// Notes that a receiver takes what it is sent. For how long it did not, if that is news.
    pub(super) fn takes(&mut self, notifier: &NotifierName, now: Time) -> Option<Duration> {
        let since = self.desks.get_mut(notifier)?.fails.take()?;
        Some(now.since(since))
    }

    /// The receiver said so in answer to what was sent in `edition`. Whether that is news.
    pub(super) fn disable(&mut self, notifier: &NotifierName, edition: u64, answer: &str) -> bool {
        if edition != self.edition {
            return false;
        }
        let disabled = &mut self.desks.entry(notifier.clone()).or_default().disabled;
        let news = disabled.is_none();
        disabled.get_or_insert_with(|| answer.to_owned());
        news
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt as _;
    use futures_util::future::BoxFuture;

    use super::*;
    use crate::actors::alerting::{Alerting, Editions};
    use crate::notify::{Attempt, Message, Notifier, Receipt, Undelivered};

    const NOW: Time = Time::from_micros(1_800_000_000_000_000);

    struct Nobody;

    impl Notifier for Nobody {
        fn deliver<'a>(&'a self, _: &'a Message, _: Attempt) -> BoxFuture<'a, Result<Receipt, Undelivered>> {
            std::future::pending().boxed()
        }
    }

    fn ops() -> Receiver {
        let name = NotifierName::new("ops").unwrap();
        Receiver { name, notifier: Arc::new(Nobody), at_once: 2, events: Vec::new() }
    }

    fn desks() -> (Desks, Editions) {
        let editions = Editions::new(Alerting::default());
        let mut desks = Desks::default();
        desks.take(&editions.current());
        (desks, editions)
    }

    fn asked(desks: &Desks, after: Duration) -> Ask {
        desks.ask(&[ops()], NOW.plus(after)).remove(&ops().name).unwrap()
    }

    #[test]
    fn as_many_are_asked_for_as_may_be_under_way() {
        let (mut desks, _) = desks();
        assert_eq!(asked(&desks, Duration::ZERO), Ask::Due(2, [].into()));
        desks.begin(&ops().name, 7);
        assert_eq!(asked(&desks, Duration::ZERO), Ask::Due(2, [7].into()));
        assert_eq!(desks.room(&ops(), NOW), 1);
        desks.begin(&ops().name, 8);
        assert_eq!((asked(&desks, Duration::ZERO), desks.under_way()), (Ask::Leave, 2));
        desks.end(&ops().name, 7);
        assert_eq!(asked(&desks, Duration::ZERO), Ask::Due(2, [8].into()));
    }

    #[test]
    fn the_longest_rest_that_was_asked_for_counts() {
        let (mut desks, editions) = desks();
        desks.rest(&ops().name, 1, NOW, Duration::from_secs(60));
        desks.rest(&ops().name, 1, NOW, Duration::from_secs(5));
        assert_eq!(asked(&desks, Duration::from_secs(59)), Ask::Leave);
        assert_eq!(desks.room(&ops(), NOW), 0);
        assert_eq!(asked(&desks, Duration::from_secs(60)), Ask::Due(2, [].into()));
        editions.publish(Alerting::default());
        desks.take(&editions.current());
        assert_eq!(asked(&desks, Duration::ZERO), Ask::Due(2, [].into()));
        // Said to somebody of the edition before.
        desks.rest(&ops().name, 1, NOW, Duration::from_secs(60));
        assert!(!desks.disable(&ops().name, 1, "410 Gone"));
        assert_eq!(asked(&desks, Duration::ZERO), Ask::Due(2, [].into()));
    }

    #[test]
    fn who_wants_no_more_is_given_up_when_nothing_is_under_way() {
        let (mut desks, editions) = desks();
        desks.begin(&ops().name, 7);
        assert!(desks.disable(&ops().name, 1, "410 Gone"));
        assert!(!desks.disable(&ops().name, 1, "410 Gone, as I said"));
        assert_eq!(asked(&desks, Duration::ZERO), Ask::Leave);
        desks.end(&ops().name, 7);
        desks.take(&editions.current());
        assert_eq!(asked(&desks, Duration::ZERO), Ask::GiveUp("410 Gone".to_owned()));
        editions.publish(Alerting::default());
        desks.take(&editions.current());
        assert_eq!(asked(&desks, Duration::ZERO), Ask::Due(2, [].into()));
    }

    #[test]
    fn that_a_receiver_fails_is_news_once_and_so_is_that_it_does_not() {
        let (mut desks, editions) = desks();
        let mut told = |seconds, takes: bool| {
            desks.take(&editions.current());
            let now = NOW.plus(Duration::from_secs(seconds));
            if takes {
                desks.takes(&ops().name, now).map(|span| span.as_secs())
            } else {
                desks.fails(&ops().name, now).then_some(0)
            }
        };
        let news = [(0, true), (1, false), (5, false), (9, true), (10, true), (12, false)]
            .map(|(seconds, takes)| told(seconds, takes));
        assert_eq!(news, [None, Some(0), None, Some(8), None, Some(0)]);
    }

    #[test]
    fn what_is_under_way_to_somebody_who_was_removed_is_waited_for() {
        let (mut desks, _) = desks();
        desks.begin(&ops().name, 7);
        assert_eq!(desks.ask(&[], NOW).get(&ops().name), Some(&Ask::Leave));
        desks.end(&ops().name, 7);
        assert_eq!(desks.ask(&[], NOW).get(&ops().name), None);
    }
}
