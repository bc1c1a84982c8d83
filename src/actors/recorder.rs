//! The recorder: many channels' changes in one commit, marks for those that changed nothing, and what has expired.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use actix::prelude::*;
use thiserror::Error;
use tokio::sync::{broadcast, oneshot, watch};
use tracing::{debug, info, warn};

use super::clock::Clock;
use super::keeper::{CatchUp, Keeper};
use super::live::Registry;
use super::marks::mark_of;
use super::seat::{Obituary, Seat};
use super::supervisor::Child;
use crate::domain::event::{EventId, Recorded};
use crate::domain::time::Time;
use crate::history::alerts::AlertEntry;
use crate::history::{Entry, EventQuery, History, HistoryError, MAX_COMMIT_ROWS};
use crate::telemetry::metrics;

/// How often what has expired is looked for.
const EXPIRE_EVERY: Duration = Duration::from_secs(3600);

/// How many rows one transaction forgets, so that the recorder never waits long.
const EXPIRE_ROWS: usize = 1_000;

/// Between two such transactions, so that a commit that waits has its turn.
const EXPIRE_PAUSE: Duration = Duration::from_millis(50);

/// Committed events, in order of id. A slow listener misses some and reads on from the history.
pub type Committed = broadcast::Sender<Arc<[Recorded]>>;

/// The id of the last event that was told of. A commit may succeed without adsum hearing of it: its events are told with the
/// next.
pub type Told = AtomicI64;

/// Whether the history can be written; if not, why.
pub type HistoryHealth = watch::Sender<Option<String>>;

/// Why changes were not committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RecordError {
    /// They were not, and may be tried again.
    #[error("the history cannot be written")]
    Unavailable,
    /// They do not go on from what the history holds.
    #[error("the history holds something else")]
    Conflict,
    /// It is not known whether they were.
    #[error("the recorder was lost")]
    Lost,
}

/// What a recorder needs; kept by the supervisor to make another.
#[derive(Clone)]
pub struct RecorderParts {
    /// Where to.
    pub history: Arc<dyn History>,
    /// Whom to mark.
    pub registry: Registry,
    /// What time it is.
    pub clock: Clock,
    /// How often a mark is committed.
    pub mark_every: Duration,
    /// How long the record is kept.
    pub retain: Duration,
    /// The newest of the record when adsum started.
    pub newest: Option<Time>,
    /// Who hears of committed events.
    pub committed: Committed,
    /// The last event of which they heard.
    pub told: Arc<Told>,
    /// Who keeps the known states.
    pub keeper: Seat<Keeper>,
    /// Who hears how the history is.
    pub health: Arc<HistoryHealth>,
}

impl RecorderParts {
    /// The time by which the record expires. A wall clock that is wrong must not delete it, so this follows no step and
    /// goes on from the newest of the record: to forget late is harmless.
    fn expiry(&self) -> Time {
        let steady = self.clock.steady();
        self.newest.map_or(steady, |newest| newest.plus(self.clock.running()).min(steady))
    }
}

/// Writes the history.
pub struct Recorder {
    parts: RecorderParts,
    queue: VecDeque<Record>,
    /// So many at the head of the queue are committed one by one, to find the one that cannot be.
    alone: usize,
    committing: bool,
    marking: bool,
    /// Whether something may be committed that nobody was told of: a commit failed or was lost, or a recorder before this
    /// one died.
    unsure: bool,
    /// How many channels were not observed, and why, when that was last told.
    gaps: BTreeMap<&'static str, usize>,
    _obituary: Obituary<Child>,
}

/// Commit one channel's changes. A channel has at most one under way, which bounds the queue.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Record {
    /// What.
    entry: Entry,
    /// Hears of it.
    done: oneshot::Sender<Result<(), RecordError>>,
}

/// Commits changes through the recorder of the day.
///
/// # Errors
/// [`RecordError`] if they were, or may have been, not committed.
pub async fn record(recorder: &Seat<Recorder>, entry: Entry) -> Result<(), RecordError> {
    let (done, committed) = oneshot::channel();
    let recorder = recorder.get().ok_or(RecordError::Unavailable)?;
    recorder.send(Record { entry, done }).await.map_err(|_| RecordError::Lost)?;
    committed.await.map_err(|_| RecordError::Lost)?
}

impl Recorder {
    /// A recorder with nothing to do.
    pub fn new(parts: RecorderParts, obituary: Obituary<Child>) -> Self {
        Self {
            parts,
            queue: VecDeque::new(),
            alone: 0,
            committing: false,
            marking: false,
            unsure: true,
            gaps: BTreeMap::new(),
            _obituary: obituary,
        }
    }

    /// Takes what is queued, up to a commit's size.
    fn next_batch(&mut self) -> Vec<Record> {
        if self.alone > 0 {
            self.alone -= 1;
            return self.queue.pop_front().into_iter().collect();
        }
        let mut rows = 0;
        let fits = |record: &&Record| {
            rows += rows_of(&record.entry);
            rows <= MAX_COMMIT_ROWS
        };
        let count = self.queue.iter().take_while(fits).count().max(1).min(self.queue.len());
        self.queue.drain(..count).collect()
    }

    fn commit(&mut self, ctx: &mut Context<Self>) {
        if self.committing || self.queue.is_empty() {
            return;
        }
        self.commit_next(ctx);
    }

    /// Commits what is queued; with nothing queued it still tells of what was never told.
    fn commit_next(&mut self, ctx: &mut Context<Self>) {
        self.committing = true;
        let batch = self.next_batch();
        let history = Arc::clone(&self.parts.history);
        let told = self.parts.told.load(Ordering::Relaxed);
        let committed = async move {
            let (entries, waiting): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|record| (record.entry, record.done)).unzip();
            let work = tokio::task::spawn_blocking(move || {
                let start = std::time::Instant::now();
                let result = history.commit(&entries);
                metrics::history_commit(start.elapsed());
                (entries, result.map(|events| with_untold(&*history, told, events).ok()))
            });
            (waiting, work.await)
        };
        ctx.spawn(committed.into_actor(self).map(|(waiting, work), recorder, ctx| {
            recorder.committing = false;
            match work {
                Ok((entries, result)) => recorder.settle(entries, waiting, result),
                // It panicked: whoever waits hears that it was lost.
                Err(_panic) => recorder.unsure = true,
            }
            recorder.commit(ctx);
        }));
    }

    fn settle(
        &mut self,
        entries: Vec<Entry>,
        waiting: Vec<oneshot::Sender<Result<(), RecordError>>>,
        result: Result<Option<Vec<Recorded>>, HistoryError>,
    ) {
        self.unsure = !matches!(result, Ok(Some(_)));
        match result {
            Ok(events) => {
                self.well();
                self.tell(events.unwrap_or_default());
                answer(waiting, Ok(()));
            }
            Err(HistoryError::Conflict { channel }) => {
                // The others are innocent: they go again.
                for (entry, done) in entries.into_iter().zip(waiting) {
                    if entry.channel == channel {
                        warn!(%channel, "its changes do not go on from what the history holds");
                        answer([done], Err(RecordError::Conflict));
                    } else {
                        self.queue.push_back(Record { entry, done });
                    }
                }
            }
            Err(error) if error.is_retryable() => {
                self.ill(&error);
                answer(waiting, Err(RecordError::Unavailable));
            }
            Err(error) if entries.len() > 1 => {
                debug!(%error, "a commit was refused; trying its channels one by one");
                self.alone = entries.len();
                for (entry, done) in entries.into_iter().zip(waiting).rev() {
                    self.queue.push_front(Record { entry, done });
                }
            }
            Err(error) => {
                self.ill(&error);
                answer(waiting, Err(RecordError::Conflict));
            }
        }
    }

    fn tell(&self, events: Vec<Recorded>) {
        let Some(last) = events.last() else { return };
        self.parts.told.store(last.id, Ordering::Relaxed);
        for event in &events {
            metrics::event(event.kind);
        }
        // Nobody may be listening.
        let _ = self.parts.committed.send(events.into());
        self.tell_keeper();
    }

    /// A keeper whose mailbox is full has been told already; one that is gone starts by catching up.
    fn tell_keeper(&self) {
        if let Some(keeper) = self.parts.keeper.get() {
            let _ = keeper.try_send(CatchUp);
        }
    }

    fn well(&self) {
        let recovered = self.parts.health.send_if_modified(|health| health.take().is_some());
        if recovered {
            info!("the history can be written again");
        }
    }

    fn ill(&self, error: &HistoryError) {
        let text = error.to_string();
        let news = self.parts.health.send_if_modified(|health| health.replace(text.clone()).is_none());
        if news {
            warn!(%error, "the history cannot be written; observing goes on, nothing is recorded");
        }
    }

    /// Says in the log how many channels are not observed, whenever that has changed.
    fn tell_of_gaps(&mut self) {
        let now = self.parts.clock.now();
        let mut gaps = BTreeMap::new();
        let channels = self.parts.registry.all();
        for live in &channels {
            let gap = live.channel.read().open_gap(now).filter(|gap| !gap.users_only);
            if let Some(gap) = gap {
                *gaps.entry(gap.reason.as_str()).or_insert(0_usize) += 1;
            }
        }
        if gaps == self.gaps {
            return;
        }
        if gaps.is_empty() {
            info!(channels = channels.len(), "every channel is observed again");
        } else {
            warn!(channels = channels.len(), not_observed = ?gaps, "channels are not observed");
        }
        self.gaps = gaps;
    }

    fn mark(&mut self, ctx: &mut Context<Self>) {
        self.tell_of_gaps();
        if self.unsure && !self.committing {
            self.commit_next(ctx);
        }
        // While nothing can be written, one that tries is enough.
        if self.marking || (self.committing && self.parts.health.borrow().is_some()) {
            return;
        }
        let mark = mark_of(&self.parts.registry);
        self.marking = true;
        let (history, now) = (Arc::clone(&self.parts.history), self.parts.clock.now());
        let write = move || {
            mark.map_or(Ok(()), |mark| history.mark(&mark))?;
            history.alive(now)
        };
        let work = async move { tokio::task::spawn_blocking(write).await };
        ctx.spawn(work.into_actor(self).map(|result, recorder, _| {
            recorder.marking = false;
            match result {
                Ok(Err(error)) => recorder.ill(&error),
                Ok(Ok(())) => recorder.well(),
                Err(error) => warn!(%error, "a mark was lost"),
            }
        }));
    }

    fn expire(&mut self, ctx: &mut Context<Self>) {
        let history = Arc::clone(&self.parts.history);
        let before = self.parts.expiry().minus(self.parts.retain);
        let work =
            async move { tokio::task::spawn_blocking(move || history.expire(before, EXPIRE_ROWS)).await };
        ctx.spawn(work.into_actor(self).map(|result, _, ctx| {
            if let Ok(Err(error)) = &result {
                warn!(%error, "what has expired is still kept");
            }
            let more = matches!(result, Ok(Ok(true)));
            ctx.run_later(if more { EXPIRE_PAUSE } else { EXPIRE_EVERY }, Self::expire);
        }));
    }
}

/// How many rows an entry writes, about: its events and who is told of them, its gaps, what becomes of its alerts, and what
/// it says of its channel.
fn rows_of(entry: &Entry) -> usize {
    let told = |alert: &AlertEntry| alert.notices.iter().map(|notice| 1 + notice.notify.len()).sum::<usize>();
    let alerts: usize = entry.alerts.iter().map(|alert| 1 + told(alert)).sum();
    let events = entry.changes.events.len() * (1 + entry.subscribers.len());
    1 + events + entry.changes.gaps.len() + alerts
}

fn answer(
    waiting: impl IntoIterator<Item = oneshot::Sender<Result<(), RecordError>>>,
    result: Result<(), RecordError>,
) {
    for done in waiting {
        // Who does not wait any more need not hear.
        let _ = done.send(result);
    }
}

/// What was just committed, after what was committed before and never told. Ids leave none out, so that lies between.
fn with_untold(
    history: &dyn History,
    told: EventId,
    events: Vec<Recorded>,
) -> Result<Vec<Recorded>, HistoryError> {
    let next = match events.first() {
        Some(event) => event.id,
        None => history.event_ids()?.0.saturating_add(1),
    };
    let (mut all, mut after) = (Vec::new(), told);
    while after.saturating_add(1) < next {
        let query = EventQuery { after, limit: MAX_COMMIT_ROWS, ..EventQuery::default() };
        let page = history.events(&query)?;
        let Some(last) = page.last() else { break };
        after = last.id;
        all.extend(page.into_iter().filter(|event| event.id < next));
    }
    all.extend(events);
    Ok(all)
}

impl Actor for Recorder {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(self.parts.mark_every, Self::mark);
        self.expire(ctx);
    }
}

impl Handler<Record> for Recorder {
    type Result = ();

    fn handle(&mut self, record: Record, ctx: &mut Self::Context) {
        self.queue.push_back(record);
        self.commit(ctx);
    }
}
