//! A history that can be made to fail or to panic when it is written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use adsum::domain::channel::Checkpoint;
use adsum::domain::event::{EventId, Recorded};
use adsum::domain::gap::Gap;
use adsum::domain::names::{ChannelName, UserId};
use adsum::domain::occupancy::Run;
use adsum::domain::time::Time;
use adsum::domain::visit::Visit;
use adsum::history::{
    ChannelRecord, Discovery, Entry, EventQuery, History, HistoryError, Mark, Result, StateAt, Unlisted,
    VisitQuery,
};

/// What goes wrong.
#[derive(Default)]
pub(crate) struct Faults {
    /// Nothing can be written.
    pub(crate) unavailable: AtomicBool,
    /// The next commit panics before it does anything.
    pub(crate) panic_before: AtomicBool,
    /// The next commit panics after it is done.
    pub(crate) panic_after: AtomicBool,
}

pub(crate) struct Flaky {
    pub(crate) inner: Box<dyn History>,
    pub(crate) faults: Arc<Faults>,
}

impl Flaky {
    fn write<T>(&self, work: impl FnOnce(&dyn History) -> Result<T>) -> Result<T> {
        if self.faults.unavailable.load(Ordering::SeqCst) {
            return Err(HistoryError::Unavailable("as the test wants it".to_owned()));
        }
        work(&*self.inner)
    }
}

macro_rules! pass {
    ($($method:ident($($name:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $method(&self, $($name: $type),*) -> Result<$result> { self.inner.$method($($name),*) })*
    };
}

impl History for Flaky {
    fn id(&self) -> &str {
        self.inner.id()
    }

    fn commit(&self, entries: &[Entry]) -> Result<Vec<Recorded>> {
        assert!(!self.faults.panic_before.swap(false, Ordering::SeqCst), "as the test wants it");
        let recorded = self.write(|history| history.commit(entries));
        assert!(!self.faults.panic_after.swap(false, Ordering::SeqCst), "as the test wants it");
        recorded
    }

    fn begin(&self, channels: &[ChannelName], began: Time) -> Result<()> {
        self.write(|history| history.begin(channels, began))
    }

    fn discovered(&self, discovery: &Discovery) -> Result<()> {
        self.write(|history| history.discovered(discovery))
    }

    fn mark(&self, mark: &Mark) -> Result<()> {
        self.write(|history| history.mark(mark))
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
        recover() -> usize;
        channels(after: Option<&ChannelName>, limit: usize) -> Vec<ChannelName>;
        channel(channel: &ChannelName) -> Option<ChannelRecord>;
        knows_user(user: &UserId) -> bool;
        events(query: &EventQuery) -> Vec<Recorded>;
        event_ids() -> (EventId, EventId);
        newest() -> Option<Time>;
        visits(query: &VisitQuery) -> Vec<Visit>;
        visit_before(visit: &Visit) -> Option<Visit>;
        state_at(visit: &Visit, at: Time) -> StateAt;
        runs(channel: &ChannelName, from: Time, to: Time) -> Vec<Run>;
        watches() -> Vec<String>;
        add_watch(watch: &str) -> bool;
        remove_watch(watch: &str) -> bool;
        expire(before: Time, limit: usize) -> bool;
        kept_since() -> Option<Time>;
    }
}
