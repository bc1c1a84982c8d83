//! Starts adsum's moving parts.

use std::sync::Arc;
use std::time::Duration;

use actix::Actor as _;
use thiserror::Error;
use tokio::sync::{Semaphore, broadcast, watch};
use tracing::info;

use super::{Adsum, QUESTIONS};
use crate::actors::alarms::Downtime;
use crate::actors::alerting::{Alerting, Editions, Silences};
use crate::actors::clock::Clock;
use crate::actors::courier::CourierParts;
use crate::actors::judge::Judge;
use crate::actors::live::Registry;
use crate::actors::pace::Pace;
use crate::actors::poller::PollerParts;
use crate::actors::recorder::RecorderParts;
use crate::actors::seat::Seat;
use crate::actors::source::Source;
use crate::actors::supervisor::loading::{each_open_gap, left_behind};
use crate::actors::supervisor::{Supervisor, SupervisorParts};
use crate::actors::watchlist::Watchlist;
use crate::domain::event::EventId;
use crate::domain::gap::GapReason;
use crate::domain::names::{GroupName, Pattern};
use crate::domain::plan::Limits;
use crate::domain::time::Time;
use crate::domain::watch::{Policies, Target};
use crate::history::alerts::AlertHistory;
use crate::history::{History, HistoryError};
use crate::states::States;

/// Commits that a slow listener may be behind before it must read on from the history.
const COMMITS_KEPT: usize = 1024;

/// What adsum does.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the configuration wants watched.
    pub targets: Vec<Target>,
    /// Groups whose channels it wants watched.
    pub groups: Vec<GroupName>,
    /// How channels are watched.
    pub policies: Policies,
    /// How often patterns and groups are looked at.
    pub discover_interval: Duration,
    /// What bounds one request.
    pub limits: Limits,
    /// What bounds all of them.
    pub max_requests_per_second: f64,
    /// How often a mark is committed.
    pub mark_every: Duration,
    /// How long the record is kept.
    pub retain: Duration,
    /// The alert rules, and who is told.
    pub alerting: Alerting,
}

/// What adsum works with.
pub struct Parts {
    /// Whom to ask.
    pub source: Arc<dyn Source>,
    /// Where the record is.
    pub history: Arc<dyn History>,
    /// Where the known states are.
    pub states: Arc<States>,
    /// What time it is.
    pub clock: Clock,
}

/// Why adsum does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The history cannot be read or written.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A watch in the history is no name.
    #[error("the history holds a watch that is none: {0:?}")]
    Watch(String),
    /// The work was lost.
    #[error("starting was interrupted")]
    Interrupted,
}

/// Starts observing, on the actix system that this is called on.
///
/// # Errors
/// [`StartError`].
pub async fn start(settings: Settings, parts: Parts) -> Result<Adsum, StartError> {
    let history = Arc::clone(&parts.history);
    let (targets, now) = (settings.targets, parts.clock.now());
    let silences = Silences::default();
    let muting = silences.clone();
    let work = move || {
        muting.set(history.silences(Some(now))?);
        recover(&*history, targets, now)
    };
    let recovered = tokio::task::spawn_blocking(work).await;
    let (watchlist, newest, last_event) = recovered.map_err(|_| StartError::Interrupted)??;
    let registry = Registry::default();
    let committed = broadcast::Sender::new(COMMITS_KEPT);
    let health = Arc::new(watch::Sender::new(None));
    let (fail, failed) = watch::channel(false);
    let recorder = RecorderParts {
        history: Arc::clone(&parts.history),
        registry: registry.clone(),
        clock: parts.clock.clone(),
        mark_every: settings.mark_every,
        retain: settings.retain,
        newest,
        committed: committed.clone(),
        told: Arc::new(last_event.into()),
        keeper: Seat::default(),
        health: Arc::clone(&health),
    };
    let poller = PollerParts {
        source: parts.source,
        pace: Pace::per_second(settings.max_requests_per_second),
        clock: parts.clock.clone(),
        limits: settings.limits,
        registry: registry.clone(),
        rest: Arc::default(),
    };
    let editions = Editions::new(settings.alerting);
    let judge = Judge { editions: editions.clone(), silences: silences.clone(), clock: parts.clock.clone() };
    let courier = CourierParts {
        history: Arc::clone(&parts.history) as Arc<dyn AlertHistory>,
        clock: parts.clock.clone(),
        editions: editions.clone(),
    };
    let supervisor = Supervisor::new(SupervisorParts {
        policies: settings.policies,
        groups: Arc::new(settings.groups.into()),
        discover_interval: settings.discover_interval,
        watchlist,
        registry: registry.clone(),
        states: Arc::clone(&parts.states),
        recorder,
        poller,
        judge,
        downtime: newest.map(|from| Downtime { from, to: now }),
        courier,
        failed: Arc::new(fail),
    })
    .start();
    Ok(Adsum {
        registry,
        history: parts.history,
        states: parts.states,
        clock: parts.clock,
        committed,
        health,
        failed,
        supervisor,
        editions,
        silences,
        questions: Arc::new(Semaphore::new(QUESTIONS)),
        retargeting: Arc::default(),
        silencing: Arc::default(),
    })
}

/// Notices a crash, reads what the API had watched, and takes up again what patterns had found. Gives the newest of the
/// record too, and the last event.
fn recover(
    history: &dyn History,
    configured: Vec<Target>,
    now: Time,
) -> Result<(Watchlist, Option<Time>, EventId), StartError> {
    let crashed = history.recover()?;
    if crashed > 0 {
        info!(channels = crashed, "adsum ended without stopping; the gap is recorded as crashed");
    }
    let watches = history.watches()?.into_iter();
    let added = watches.map(|text| Target::new(&text).map_err(|_| StartError::Watch(text)));
    let mut watchlist = Watchlist::new(configured, added.collect::<Result<_, _>>()?);
    each_open_gap(history, now, |channel, gap| {
        if gap.reason != GapReason::Unwatched {
            watchlist.take_up(&channel);
        }
    })?;
    let patterns: Vec<Pattern> = watchlist.patterns().cloned().collect();
    for channel in left_behind(history, &patterns, now)? {
        watchlist.take_up(&channel);
    }
    Ok((watchlist, history.newest()?, history.event_ids()?.0))
}
