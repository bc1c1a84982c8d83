//! A history that fails when it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use adsum::domain::alert::{NotifierName, Silence};
use adsum::domain::names::ChannelName;
use adsum::domain::time::Time;
use adsum::history::alerts::{
    AlertChange, AlertHistory, AlertQuery, ChangeQuery, Delivery, DeliveryAttempt, DeliveryQuery,
    KeptSilence, Outcome, Outgoing, SilenceId, Standing, StandingAlert, Told,
};
use adsum::history::{HistoryError, Result};

#[derive(Default)]
pub(crate) struct Faults {
    /// It cannot be read.
    pub(crate) unreadable: AtomicBool,
    /// What came of tries cannot be noted.
    pub(crate) unwritable: AtomicBool,
    /// What it would tell of has expired.
    pub(crate) expired: AtomicBool,
    /// One notifier's deliveries cannot be read, ever.
    pub(crate) damaged: AtomicBool,
    /// How often it was to be read.
    pub(crate) reads: AtomicUsize,
}

pub(crate) struct Flaky {
    pub(crate) inner: Arc<dyn AlertHistory>,
    pub(crate) faults: Arc<Faults>,
}

/// The notifier whose deliveries are damaged.
pub(crate) const DAMAGED: &str = "damaged";

fn fails(now: &AtomicBool) -> Result<()> {
    if now.load(Ordering::SeqCst) {
        return Err(HistoryError::Unavailable("on purpose".to_owned()));
    }
    Ok(())
}

macro_rules! pass {
    ($($method:ident($($name:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $method(&self, $($name: $type),*) -> Result<$result> { self.inner.$method($($name),*) })*
    };
}

impl AlertHistory for Flaky {
    pass! {
        standings(channel: &ChannelName) -> Vec<Standing>;
        alerts(query: &AlertQuery) -> Vec<StandingAlert>;
        alert_changes(query: &ChangeQuery) -> Vec<AlertChange>;
        silences(over: Option<Time>) -> Vec<KeptSilence>;
        add_silence(silence: &Silence, created: Time) -> Option<KeptSilence>;
        end_silence(id: SilenceId, at: Time) -> bool;
        hasten(notifier: &NotifierName, since: Time, now: Time) -> usize;
        give_up(notifier: &NotifierName, at: Time, answer: &str) -> usize;
        deliveries(query: &DeliveryQuery) -> Vec<Delivery>;
        delivery(id: &str) -> Option<(Outgoing, Vec<DeliveryAttempt>)>;
        retry(id: &str, now: Time) -> Option<Delivery>;
    }

    fn waiting(&self) -> Result<Vec<(NotifierName, u64, Time)>> {
        self.faults.reads.fetch_add(1, Ordering::SeqCst);
        fails(&self.faults.unreadable)?;
        self.inner.waiting()
    }

    fn due(&self, notifier: &NotifierName, now: Time, limit: usize) -> Result<Vec<Outgoing>> {
        if notifier.as_str() == DAMAGED && self.faults.damaged.load(Ordering::SeqCst) {
            return Err(HistoryError::Damaged("on purpose".to_owned()));
        }
        let mut due = self.inner.due(notifier, now, limit)?;
        if self.faults.expired.load(Ordering::SeqCst) {
            for outgoing in &mut due {
                outgoing.told = Told::Event(None);
            }
        }
        Ok(due)
    }

    fn attempted(&self, number: i64, attempt: &DeliveryAttempt, outcome: Outcome) -> Result<()> {
        fails(&self.faults.unwritable)?;
        self.inner.attempted(number, attempt, outcome)
    }
}
