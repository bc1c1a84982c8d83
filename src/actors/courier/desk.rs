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
                (desk.rests, desk.disabled) = (None, None);
            }
        }
        self.desks
            .retain(|_, desk| !desk.under_way.is_empty() || desk.rests.is_some() || desk.disabled.is_some());
    }

    /// What to do about each receiver that is known. About others see [`Desks::ask_nobody`].
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
