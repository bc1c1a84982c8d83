//! A real history that fails or panics when it is written, as a test wants it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use adsum::domain::alert::{NotifierName, Silence};
use adsum::domain::channel::Checkpoint;
use adsum::domain::event::{EventId, Recorded};
use adsum::domain::gap::Gap;
use adsum::domain::names::{ChannelName, UserId};
use adsum::domain::occupancy::Run;
use adsum::domain::time::Time;
use adsum::domain::visit::Visit;
use adsum::history::alerts::{
    AlertChange, AlertHistory, AlertQuery, ChangeQuery, Delivery, DeliveryAttempt, DeliveryQuery,
    KeptSilence, Outcome, Outgoing, SilenceId, Standing, StandingAlert,
};
use adsum::history::{
    ChannelRecord, Discovery, Entry, EventQuery, History, HistoryError, Mark, Result, StateAt, Unlisted,
    VisitQuery,
};
use parking_lot::Mutex;

/// What goes wrong with a history.
pub(crate) trait Trouble: Send + Sync + 'static {
    /// Before anything is written.
    fn before_write(&self) -> Result<()> {
        Ok(())
    }

    /// Before visits are read.
    fn before_visits(&self, _: &dyn History) {}

    /// Before a commit.
    fn before_commit(&self) -> Result<()> {
        Ok(())
    }

    /// Is told of a commit, before anything.
    fn commits(&self, _: &[Entry]) {}

    /// Is told of a discovery, before anything.
    fn notes(&self, _: &Discovery) {}

    /// Is told of a commit that is done.
    fn committed(&self, _: &[Entry]) {}

    /// After a commit, which is done.
    fn after_commit(&self) -> Result<()> {
        Ok(())
    }
}

/// What goes wrong when a test says so.
#[derive(Default)]
#[allow(dead_code, reason = "the simulated world has troubles of its own")]
pub(crate) struct Faults {
    /// Nothing can be written.
    pub(crate) unavailable: AtomicBool,
    /// The next commit panics before it does anything.
    pub(crate) panic_before: AtomicBool,
    /// The next commit panics after it is done.
    pub(crate) panic_after: AtomicBool,
    /// Commits take as long as this lasts. Virtual time stands still meanwhile, unless it is advanced.
    pub(crate) slow: AtomicBool,
    /// How many channels and gaps the commits had.
    pub(crate) commits: Mutex<Vec<(usize, usize)>>,
    /// What the discoveries listed.
    pub(crate) listed: Mutex<Vec<Vec<ChannelName>>>,
}

impl Trouble for Faults {
    fn before_write(&self) -> Result<()> {
        if self.unavailable.load(Ordering::SeqCst) {
            return Err(HistoryError::Unavailable("as the test wants it".to_owned()));
        }
        Ok(())
    }

    fn before_commit(&self) -> Result<()> {
        while self.slow.load(Ordering::SeqCst) {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert!(!self.panic_before.swap(false, Ordering::SeqCst), "as the test wants it");
        Ok(())
    }

    fn commits(&self, entries: &[Entry]) {
        let gaps = entries.iter().map(|entry| entry.changes.gaps.len()).sum();
        self.commits.lock().push((entries.len(), gaps));
    }

    fn notes(&self, discovery: &Discovery) {
        self.listed.lock().push(discovery.listed.clone());
    }

    fn after_commit(&self) -> Result<()> {
        assert!(!self.panic_after.swap(false, Ordering::SeqCst), "as the test wants it");
        Ok(())
    }
}

pub(crate) struct Flaky<T> {
    pub(crate) inner: Box<dyn History>,
    pub(crate) faults: Arc<T>,
}

impl<F: Trouble> Flaky<F> {
    fn write<T>(&self, work: impl FnOnce(&dyn History) -> Result<T>) -> Result<T> {
        self.faults.before_write()?;
        work(&*self.inner)
    }
}

macro_rules! pass {
    ($($method:ident($($name:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $method(&self, $($name: $type),*) -> Result<$result> { self.inner.$method($($name),*) })*
    };
}

impl<F: Trouble> History for Flaky<F> {
    fn id(&self) -> &str {
        self.inner.id()
    }

    fn commit(&self, entries: &[Entry]) -> Result<Vec<Recorded>> {
        self.faults.commits(entries);
        self.faults.before_commit()?;
        let recorded = self.write(|history| history.commit(entries));
        if recorded.is_ok() {
            self.faults.committed(entries);
        }
        self.faults.after_commit()?;
        recorded
    }

    fn begin(&self, channels: &[ChannelName], began: Time) -> Result<()> {
        self.write(|history| history.begin(channels, began))
    }

    fn discovered(&self, discovery: &Discovery) -> Result<()> {
        self.faults.notes(discovery);
        self.write(|history| history.discovered(discovery))
    }

    fn mark(&self, mark: &Mark) -> Result<()> {
        self.write(|history| history.mark(mark))
    }

    fn alive(&self, at: Time) -> Result<()> {
        self.write(|history| history.alive(at))
    }

    fn add_watch(&self, watch: &str) -> Result<bool> {
        self.write(|history| history.add_watch(watch))
    }

    fn remove_watch(&self, watch: &str) -> Result<bool> {
        self.write(|history| history.remove_watch(watch))
    }

    fn recover(&self) -> Result<usize> {
        self.write(History::recover)
    }

    fn visits(&self, query: &VisitQuery) -> Result<Vec<Visit>> {
        self.faults.before_visits(&*self.inner);
        self.inner.visits(query)
    }

    fn gaps(
        &self,
        channel: Option<&ChannelName>,
        span: (Option<Time>, Option<Time>),
        after: Option<&(Time, ChannelName)>,
        limit: usize,
    ) -> Result<Vec<(ChannelName, Gap)>> {
        self.inner.gaps(channel, span, after, limit)
    }

    pass! {
        checkpoint(channel: &ChannelName) -> Option<Checkpoint>;
        unlisted(channel: &ChannelName, at: Time) -> Option<Unlisted>;
        channels(after: Option<&ChannelName>, limit: usize) -> Vec<ChannelName>;
        channel(channel: &ChannelName) -> Option<ChannelRecord>;
        knows_user(user: &UserId) -> bool;
        events(query: &EventQuery) -> Vec<Recorded>;
        event_ids() -> (EventId, EventId);
        newest() -> Option<Time>;
        visit_before(visit: &Visit) -> Option<Visit>;
        state_at(visit: &Visit, at: Time) -> StateAt;
        runs(channel: &ChannelName, from: Time, to: Time) -> Vec<Run>;
        watches() -> Vec<String>;
        expire(before: Time, limit: usize) -> bool;
        kept_since() -> Option<Time>;
    }
}

impl<F: Trouble> AlertHistory for Flaky<F> {
    fn add_silence(&self, silence: &Silence, created: Time) -> Result<Option<KeptSilence>> {
        self.write(|history| history.add_silence(silence, created))
    }

    fn end_silence(&self, id: SilenceId, at: Time) -> Result<bool> {
        self.write(|history| history.end_silence(id, at))
    }

    fn due(&self, notifier: &NotifierName, now: Time, limit: usize) -> Result<Vec<Outgoing>> {
        self.write(|history| history.due(notifier, now, limit))
    }

    fn attempted(&self, number: i64, attempt: &DeliveryAttempt, outcome: Outcome) -> Result<()> {
        self.write(|history| history.attempted(number, attempt, outcome))
    }

    fn hasten(&self, notifier: &NotifierName, now: Time) -> Result<usize> {
        self.write(|history| history.hasten(notifier, now))
    }

    fn give_up(&self, notifier: &NotifierName, at: Time, answer: &str) -> Result<usize> {
        self.write(|history| history.give_up(notifier, at, answer))
    }

    fn retry(&self, id: &str, now: Time) -> Result<Option<Delivery>> {
        self.write(|history| history.retry(id, now))
    }

    pass! {
        standings(channel: &ChannelName) -> Vec<Standing>;
        alerts(query: &AlertQuery) -> Vec<StandingAlert>;
        alert_changes(query: &ChangeQuery) -> Vec<AlertChange>;
        silences(over: Option<Time>) -> Vec<KeptSilence>;
        waiting() -> Vec<(NotifierName, u64, Time)>;
        deliveries(query: &DeliveryQuery) -> Vec<Delivery>;
        delivery(id: &str) -> Option<(Outgoing, Vec<DeliveryAttempt>)>;
    }
}
