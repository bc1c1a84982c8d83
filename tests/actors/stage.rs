//! An adsum whose service answers as a function of the time says, and whose history can be written to between reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use adsum::actors::clock::Clock;
use adsum::actors::handle::{Adsum, Parts, Settings, start};
use adsum::actors::source::{HereNow, Listing, Source, Trouble};
use adsum::domain::names::{GroupName, UserId};
use adsum::domain::observation::Occupant;
use adsum::domain::state::Shown;
use adsum::domain::time::Time;
use adsum::history::History;
use adsum::history::sqlite::Sqlite;
use adsum::states::States;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::flaky::{self, Flaky};

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
type Happening = Box<dyn FnOnce(&dyn History) + Send>;

/// So many seconds after the start.
pub(crate) fn time(seconds: f64) -> Time {
    START.plus(Duration::from_secs_f64(seconds))
}

pub(crate) struct Stage {
    pub(crate) adsum: Adsum,
    pub(crate) history: Arc<dyn History>,
    pub(crate) meanwhile: Arc<Meanwhile>,
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
        let meanwhile = Arc::<Meanwhile>::default();
        let inner = Box::new(Sqlite::open(&folder.path().join("history.db")).unwrap());
        let history: Arc<dyn History> = Arc::new(Flaky { inner, faults: Arc::clone(&meanwhile) });
        let states = tempfile::tempdir_in(folder.path()).unwrap().keep();
        let parts = Parts {
            source: Arc::clone(&source) as Arc<dyn Source>,
            history: Arc::clone(&history),
            states: Arc::new(States::open(&states).unwrap()),
            clock: Clock::starting_at(START.plus(since.elapsed())),
        };
        let adsum = start(settings, parts).await.unwrap();
        Self { adsum, history, meanwhile, source, folder }
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

/// What may happen between two reads.
#[derive(Default)]
pub(crate) struct Meanwhile(Mutex<Option<Happening>>);

impl Meanwhile {
    pub(crate) fn happens(&self, what: impl FnOnce(&dyn History) + Send + 'static) {
        *self.0.lock() = Some(Box::new(what));
    }
}

impl flaky::Trouble for Meanwhile {
    fn before_visits(&self, history: &dyn History) {
        if let Some(happen) = self.0.lock().take() {
            happen(history);
        }
    }
}
