//! An adsum whose service answers as a function of the time says, and whose history can be written to between reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use adsum::actors::clock::Clock;
use adsum::actors::handle::{Adsum, Parts, Settings, start};
use adsum::actors::source::{HereNow, Listing, Source, Trouble};
use adsum::domain::channel::Checkpoint;
use adsum::domain::event::{EventId, Recorded};
use adsum::domain::gap::Gap;
use adsum::domain::names::UserId;
use adsum::domain::names::{ChannelName, GroupName};
use adsum::domain::observation::Occupant;
use adsum::domain::occupancy::Run;
use adsum::domain::state::Shown;
use adsum::domain::time::Time;
use adsum::domain::visit::Visit;
use adsum::history::sqlite::Sqlite;
use adsum::history::{
    ChannelRecord, Discovery, Entry, EventQuery, History, Mark, Result, StateAt, Unlisted, VisitQuery,
};
use adsum::states::States;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::time::Instant;

/// The time at which every stage begins.
const START: Time = Time::from_micros(1_800_000_000_000_000);

type Answer = dyn Fn(f64, &HereNow) -> std::result::Result<Vec<Listing>, Trouble> + Send + Sync;

/// What the service says at so many seconds after the start.
pub(crate) struct Script {
    answer: Box<Answer>,
    start: Instant,
    requests: AtomicUsize,
}

impl Source for Script {
    fn here_now(&self, request: HereNow) -> BoxFuture<'static, std::result::Result<Vec<Listing>, Trouble>> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let answer = (self.answer)(self.start.elapsed().as_secs_f64(), &request);
        async move { answer }.boxed()
    }

    fn channels_of(&self, _: &GroupName) -> BoxFuture<'static, std::result::Result<Vec<String>, Trouble>> {
        async move { Ok(Vec::new()) }.boxed()
    }
}

/// A channel's entry, with a list if that was asked for.
pub(crate) fn listing(request: &HereNow, channel: &str, users: &[&str]) -> Listing {
    let occupant = |user: &&str| Occupant { user: UserId::new(user).unwrap(), state: Shown::Empty };
    Listing {
        channel: channel.to_owned(),
        occupancy: users.len() as u64,
        listed: request.include_uuids.then(|| users.iter().map(occupant).collect()),
    }
}

/// What happens to the history once, before the visits of a question are read.
pub(crate) type Happening = Box<dyn FnOnce(&dyn History) + Send>;

/// So many seconds after the start.
pub(crate) fn time(seconds: f64) -> Time {
    START.plus(Duration::from_secs_f64(seconds))
}

pub(crate) struct Stage {
    pub(crate) adsum: Adsum,
    pub(crate) history: Arc<dyn History>,
    pub(crate) before_visits: Arc<Mutex<Option<Happening>>>,
    source: Arc<Script>,
    folder: TempDir,
}

impl Stage {
    pub(crate) async fn start(
        settings: Settings,
        answer: impl Fn(f64, &HereNow) -> std::result::Result<Vec<Listing>, Trouble> + Send + Sync + 'static,
    ) -> Self {
        tokio::time::pause();
        let folder = crate::memory::folder();
        Self::open(settings, Box::new(answer), folder, Instant::now()).await
    }

    async fn open(settings: Settings, answer: Box<Answer>, folder: TempDir, since: Instant) -> Self {
        let source = Arc::new(Script { answer, start: since, requests: AtomicUsize::new(0) });
        let before_visits = Arc::default();
        let inner = Sqlite::open(&folder.path().join("history.db")).unwrap();
        let history: Arc<dyn History> =
            Arc::new(Watched { inner, before_visits: Arc::clone(&before_visits) });
        let states = tempfile::tempdir_in(folder.path()).unwrap().keep();
        let parts = Parts {
            source: Arc::clone(&source) as Arc<dyn Source>,
            history: Arc::clone(&history),
            states: Arc::new(States::open(&states).unwrap()),
            clock: Clock::starting_at(START.plus(since.elapsed())),
        };
        let adsum = start(settings, parts).await.unwrap();
        Self { adsum, history, before_visits, source, folder }
    }

    /// Lets virtual time pass.
    pub(crate) async fn pass(&self, seconds: f64) {
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    }

    pub(crate) fn requests(&self) -> usize {
        self.source.requests.load(Ordering::SeqCst)
    }

    /// What another process finds after this one was killed: its files, and nothing more.
    pub(crate) async fn crash(
        self,
        settings: Settings,
        answer: impl Fn(f64, &HereNow) -> std::result::Result<Vec<Listing>, Trouble> + Send + Sync + 'static,
    ) -> Self {
        let folder = crate::memory::folder();
        for name in ["history.db", "history.db-wal"] {
            std::fs::copy(self.folder.path().join(name), folder.path().join(name)).unwrap();
        }
        let since = self.source.start;
        let next = Self::open(settings, Box::new(answer), folder, since).await;
        self.adsum.stop().await;
        next
    }
}

/// A history in which something may happen between two reads.
struct Watched {
    inner: Sqlite,
    before_visits: Arc<Mutex<Option<Happening>>>,
}

macro_rules! pass {
    ($($method:ident($($name:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $method(&self, $($name: $type),*) -> Result<$result> { self.inner.$method($($name),*) })*
    };
}

impl History for Watched {
    fn id(&self) -> &str {
        self.inner.id()
    }

    fn visits(&self, query: &VisitQuery) -> Result<Vec<Visit>> {
        if let Some(happen) = self.before_visits.lock().take() {
            happen(&self.inner);
        }
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
        commit(entries: &[Entry]) -> Vec<Recorded>;
        begin(channels: &[ChannelName], began: Time) -> ();
        mark(mark: &Mark) -> ();
        checkpoint(channel: &ChannelName) -> Option<Checkpoint>;
        recover() -> usize;
        discovered(discovery: &Discovery) -> ();
        unlisted(channel: &ChannelName, at: Time) -> Option<Unlisted>;
        visit_before(visit: &Visit) -> Option<Visit>;
        channels(after: Option<&ChannelName>, limit: usize) -> Vec<ChannelName>;
        channel(channel: &ChannelName) -> Option<ChannelRecord>;
        knows_user(user: &UserId) -> bool;
        events(query: &EventQuery) -> Vec<Recorded>;
        event_ids() -> (EventId, EventId);
        newest() -> Option<Time>;
        state_at(visit: &Visit, at: Time) -> StateAt;
        runs(channel: &ChannelName, from: Time, to: Time) -> Vec<Run>;
        watches() -> Vec<String>;
        add_watch(watch: &str) -> bool;
        remove_watch(watch: &str) -> bool;
        expire(before: Time, limit: usize) -> bool;
        kept_since() -> Option<Time>;
    }
}
