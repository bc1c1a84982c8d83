//! The only way in for the API and the command line: questions about the record, the stream of events, what is watched.
//!
//! Every question reads what is published in memory first and the history after it, so that an answer never claims more
//! than the history had when it was asked.

mod alerts;
mod channels;
mod deliveries;
mod events;
mod facts;
mod merged;
mod moment;
mod occupancy;
mod occupants;
mod presence;
mod silences;
mod start;
mod users;
mod visits;
mod watches;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use thiserror::Error;
use tokio::sync::{Semaphore, broadcast, watch};

pub use self::alerts::{AlertCounts, AlertCursor, AlertNow, AlertPhase};
pub use self::events::GapCursor;
pub use self::merged::MAX_LOOKED_AT;
pub use self::start::{Parts, Settings, StartError, start};
pub use self::users::MAX_STATES;
use super::alerting::{Alerting, Editions, Silences};
use super::clock::Clock;
use super::live::{Failed, Registry};
use super::recorder::{Committed, HistoryHealth};
use super::supervisor::{Stop, Supervisor};

use crate::domain::alert::{NotifierName, RuleName};
use crate::domain::answer::{Answer, Present};
use crate::domain::channel::Status;
use crate::domain::event::Recorded;
use crate::domain::gap::Gap;
use crate::domain::names::{ChannelName, UserId};
use crate::domain::occupancy::{Bounds, Bucket};
use crate::domain::state::Shown;
use crate::domain::time::{Moment, Time, Window};
use crate::domain::visit::{Length, Visit};
use crate::domain::watch::Policy;
use crate::history::alerts::MAX_SILENCES;
use crate::history::{History, HistoryError};
use crate::states::States;

/// A running adsum. Clones are the same one.
#[derive(Clone)]
pub struct Adsum {
    registry: Registry,
    history: Arc<dyn History>,
    states: Arc<States>,
    clock: Clock,
    committed: Committed,
    health: Arc<HistoryHealth>,
    failed: watch::Receiver<bool>,
    supervisor: Addr<Supervisor>,
    editions: Editions,
    silences: Silences,
    /// Questions that may be asked of the history at once.
    questions: Arc<Semaphore>,
    /// Held while what is watched is changed.
    retargeting: Arc<tokio::sync::Mutex<()>>,
    /// Held while silences are changed.
    silencing: Arc<tokio::sync::Mutex<()>>,
}

/// Questions that are asked of the history at once; more wait, so that they never take the threads that the record needs.
pub const QUESTIONS: usize = 8;

impl Adsum {
    /// What time it is, by the clock of the record.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Committed events from now on, in order of id, [`crate::domain::event::EventKind::Settled`] ones too. Who is slow
    /// misses some, is told so, and reads on with [`Adsum::events`].
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<[Recorded]>> {
        self.committed.subscribe()
    }

    /// Whether the record is being kept.
    ///
    /// # Errors
    /// Why not, in one sentence.
    pub fn readiness(&self) -> Result<(), String> {
        self.health.borrow().clone().map_or(Ok(()), Err)
    }

    /// Waits until adsum cannot go on, which need never be.
    pub async fn failure(&self) {
        let mut failed = self.failed.clone();
        if failed.wait_for(|failed| *failed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Takes what a configuration that was read again says about alerts. An alert whose rule was removed, or decides
    /// otherwise now, ends within a second or so ([`crate::domain::alert`]).
    pub fn set_alerting(&self, alerting: Alerting) {
        self.editions.publish(alerting);
    }

    /// Stops observing, records that, and returns when the record is complete.
    pub async fn stop(&self) {
        // A supervisor that is gone has nothing left to stop.
        let _ = self.supervisor.send(Stop).await;
    }

    /// Asks the history, where blocking is allowed.
    async fn ask<T, F>(&self, question: F) -> Result<T, AskError>
    where
        T: Send + 'static,
        F: FnOnce(&dyn History) -> Result<T, AskError> + Send + 'static,
    {
        let history = Arc::clone(&self.history);
        let _turn = self.questions.acquire().await.map_err(|_| AskError::Stopping)?;
        tokio::task::spawn_blocking(move || question(&*history)).await.map_err(|_| AskError::Stopping)?
    }
}

/// Why a question has no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// The channel is in no record and not watched.
    #[error("channel {0:?} is not known")]
    UnknownChannel(ChannelName),
    /// The user is in no record.
    #[error("user {0:?} is not known")]
    UnknownUser(UserId),
    /// The question is about the future.
    #[error("{at} is in the future (it is {now})")]
    Future {
        /// What was asked about.
        at: Time,
        /// What time it is.
        now: Time,
    },
    /// The rule is neither in the configuration nor in the record.
    #[error("rule {rule} is not known; {}", those_known(.known))]
    UnknownRule {
        /// Which.
        rule: RuleName,
        /// Those of the configuration.
        known: Vec<RuleName>,
    },
    /// The notifier is neither in the configuration nor in the record.
    #[error("notifier {notifier} is not known; {}", those_known(.known))]
    UnknownNotifier {
        /// Which.
        notifier: NotifierName,
        /// Those of the configuration.
        known: Vec<NotifierName>,
    },
    /// There is no delivery of this id.
    #[error("delivery {0:?} is not known")]
    UnknownDelivery(String),
    /// There is no silence of this number that is not over.
    #[error("there is no silence {0:?}, or it is over")]
    UnknownSilence(String),
    /// As many silences are kept as may be.
    #[error("{MAX_SILENCES} silences are kept, no more can be until old ones have expired")]
    TooManySilences,
    /// The cursor is older than what is kept.
    #[error("the cursor is older than what is kept")]
    CursorExpired,
    /// The history does not answer.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// adsum is stopping.
    #[error("adsum is stopping")]
    Stopping,
}

/// The most names that a message lists.
const NAMED: usize = 20;

/// What there is instead of what was asked for.
fn those_known(names: &[impl fmt::Display]) -> String {
    let listed: Vec<String> = names.iter().take(NAMED).map(ToString::to_string).collect();
    match names.len() {
        0 => "the configuration has none".to_owned(),
        count if count > NAMED => {
            format!("the configuration has {} and {} more", listed.join(", "), count - NAMED)
        }
        _ => format!("the configuration has {}", listed.join(", ")),
    }
}

/// A channel as it is now.
#[derive(Clone, Debug)]
pub struct ChannelNow {
    /// Its name.
    pub channel: ChannelName,
    /// How it stands.
    pub status: Status,
    /// How many were there at the last good observation.
    pub occupancy: Option<u32>,
    /// The last good observation.
    pub last_observed: Option<Moment>,
    /// How it is watched; `None` if it is not any more.
    pub policy: Option<Policy>,
    /// Whether the last good observation was complete.
    pub complete: bool,
    /// The gap that lasts.
    pub gap: Option<Gap>,
    /// When its watch first began.
    pub began: Time,
    /// Polls since adsum started, by outcome: `complete`, `truncated`, `count`, `stale` or a gap's reason. Without zeros.
    pub polls: Vec<(&'static str, u64)>,
    /// How the last poll that failed did, if one has since adsum started; for a channel that is left to the discoveries, the
    /// last discovery that failed.
    pub last_failure: Option<Arc<Failed>>,
}

/// How much of a span was observed, 0 to 1.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Coverage {
    /// The share in which occupancy was.
    pub occupancy: f64,
    /// The share in which users were.
    pub users: f64,
}

/// Somebody who was, or may have been, in a channel at a moment.
#[derive(Clone, Debug)]
pub struct OccupantAt {
    /// Who.
    pub user: UserId,
    /// `Yes` or `Unknown`.
    pub present: Present,
    /// When the visit began.
    pub since: Window,
    /// The state that had settled by then.
    pub state: Shown,
    /// When the user came to have it; `None` while it is unknown.
    pub state_since: Option<Window>,
}

/// Who was in a channel at a moment.
#[derive(Clone, Debug)]
pub struct Occupants {
    /// The moment: as asked, or that of the last good observation.
    pub at: Time,
    /// How old that is.
    pub age: Duration,
    /// How many there were; `None` where nothing was observed.
    pub occupancy: Option<Bounds>,
    /// Whether the channel's users were observed at that moment.
    pub observed: bool,
    /// In order of user id.
    pub items: Vec<OccupantAt>,
    /// The last user id listed, if there are more.
    pub next: Option<UserId>,
}

/// Occupancy over a span.
#[derive(Clone, Debug)]
pub struct OccupancySeries {
    /// In order of time.
    pub buckets: Vec<Bucket>,
    /// How much of the span was observed.
    pub coverage: Coverage,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page<T, C> {
    /// In the list's order.
    pub items: Vec<T>,
    /// Where to go on; `None` at the end.
    pub next: Option<C>,
    /// How much of the span was observed, if the list is about one channel.
    pub coverage: Option<Coverage>,
}

impl<T, C> Page<T, C> {
    /// A page of at most `limit` items; one more than that tells that the list goes on.
    fn of(mut items: Vec<T>, limit: usize, cursor: impl FnOnce(&T) -> C) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(cursor);
        Self { items, next, coverage: None }
    }
}

/// A visit and what is known about its length.
#[derive(Clone, Debug)]
pub struct VisitItem {
    /// The visit.
    pub visit: Visit,
    /// How long it was.
    pub length: Length,
    /// The channel's gaps inside it.
    pub gaps: Vec<Gap>,
}

/// Whether a user was in a channel.
#[derive(Clone, Debug)]
pub struct PresenceAnswer {
    /// Yes, no or unknown, and why.
    pub answer: Answer,
    /// The moment: as asked, or that of the last good observation (now, if there is none).
    pub at: Time,
    /// How old that is.
    pub age: Duration,
    /// An absence or stay shorter than this may have gone unseen; `None` if nothing was observed.
    pub resolution: Option<Duration>,
}

/// A user in short.
#[derive(Clone, Debug)]
pub struct UserNow {
    /// Who.
    pub user: UserId,
    /// The visits that last, in order of channel name.
    pub here: Vec<Staying>,
    /// Up to when the user was proven to be anywhere.
    pub last_seen: Option<Time>,
    /// How many visits the record holds.
    pub visits: u64,
    /// How long they were together.
    pub total: Length,
}

/// A visit that lasts.
#[derive(Clone, Debug)]
pub struct Staying {
    /// The visit.
    pub visit: Visit,
    /// Up to when it is known: the channel's last good observation.
    pub at: Time,
    /// `Yes` or `Unknown`: whether that observation lists the user.
    pub answer: Answer,
}

/// A channel in which a user was, or may have been, at a moment.
#[derive(Clone, Debug)]
pub struct ChannelAt {
    /// Which.
    pub channel: ChannelName,
    /// The moment: as asked, or that of the channel's last good observation.
    pub at: Time,
    /// `Yes` or `Unknown`.
    pub present: Present,
    /// When the visit began.
    pub since: Window,
    /// Why it is unknown.
    pub because: Option<String>,
}

/// Something that is watched, and why.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct WatchItem {
    /// The channel, pattern or group, as written.
    pub target: String,
    /// `channel`, `pattern` or `group`.
    pub kind: &'static str,
    /// `configuration` or `api`.
    pub source: &'static str,
}
