//! The supervisor: starts the children, replaces those that die, decides which channels are watched, and stops
//! everything in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::prelude::*;
use futures_util::future::join_all;
use futures_util::stream;
use hashbrown::{HashMap, HashSet};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::channel::{ChannelActor, End};
use super::clock::Clock;
use super::keeper::Keeper;
use super::live::{Counters, Live, Registry};
use super::poller::{Halt, Poller, PollerParts, Watch};
use super::recorder::{Recorder, RecorderParts};
use super::scout::{Groups, Scout, ScoutParts};
use super::seat::{Obituary, Seat};
use super::watchlist::{Difference, Watchlist};
use crate::domain::channel::Channel;
use crate::domain::gap::GapReason;
use crate::domain::names::{ChannelName, GroupName};
use crate::domain::time::Moment;
use crate::domain::watch::{Policies, Target};
use crate::history::{History, HistoryError};
use crate::states::States;

/// So many deaths within [`DEATHS_WITHIN`] end adsum, for whoever runs it to start it again.
pub const MAX_DEATHS: usize = 20;

/// See [`MAX_DEATHS`].
pub const DEATHS_WITHIN: Duration = Duration::from_secs(60);

/// A dead child is replaced after so long, so that it cannot die in a tight loop.
const REPLACE_AFTER: Duration = Duration::from_millis(200);

/// A channel that cannot be loaded is tried again after so long.
const LOAD_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// A child of the supervisor.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Child {
    /// The recorder.
    Recorder,
    /// The poller.
    Poller,
    /// The keeper of the known states.
    Keeper,
    /// The scout.
    Scout,
    /// A channel's actor.
    Channel(ChannelName),
}

/// What a supervisor needs.
pub struct SupervisorParts {
    /// How channels are watched.
    pub policies: Policies,
    /// Groups whose channels are watched.
    pub groups: Groups,
    /// How often patterns and groups are looked at.
    pub discover_interval: Duration,
    /// What is watched.
    pub watchlist: Watchlist,
    /// Every watched channel.
    pub registry: Registry,
    /// The known states.
    pub states: Arc<States>,
    /// For the recorder.
    pub recorder: RecorderParts,
    /// For the poller and the scout.
    pub poller: PollerParts,
    /// Told when adsum cannot go on.
    pub failed: Arc<tokio::sync::watch::Sender<bool>>,
}

/// Owns the children.
pub struct Supervisor {
    parts: SupervisorParts,
    channels: HashMap<ChannelName, Addr<ChannelActor>>,
    recorder: Seat<Recorder>,
    poller: Seat<Poller>,
    patterns: Arc<AtomicBool>,
    deaths: mpsc::UnboundedSender<Child>,
    heard: Option<mpsc::UnboundedReceiver<Child>>,
    died: VecDeque<Instant>,
    /// The last good discovery. What it does not list had nobody.
    discovered: Option<Arc<Discovery>>,
    stopping: bool,
}

/// A good discovery.
struct Discovery {
    moment: Moment,
    channels: HashSet<ChannelName>,
}

/// What the scout found.
#[derive(Message)]
#[rtype(result = "()")]
pub enum Found {
    /// A good discovery: the channels that have occupants.
    Everywhere {
        /// When that was true.
        moment: Moment,
        /// All of them.
        channels: Vec<ChannelName>,
    },
    /// A group's channels.
    InGroup {
        /// Which group.
        group: GroupName,
        /// All of them.
        channels: Vec<ChannelName>,
    },
}

/// The API added or removed a target; the history has it already.
#[derive(Message)]
#[rtype(result = "()")]
pub enum Retarget {
    /// Watch it.
    Add(Target),
    /// Watch it no longer.
    Remove(Target),
}

/// The configuration was read again.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Reconfigure {
    /// What it wants watched.
    pub targets: Vec<Target>,
    /// Groups whose channels it wants watched.
    pub groups: Vec<GroupName>,
    /// How channels are watched.
    pub policies: Policies,
}

/// The targets of the configuration, those of the API, and the groups.
#[derive(Message)]
#[rtype(result = "(Vec<Target>, Vec<Target>, Vec<GroupName>)")]
pub struct GetTargets;

/// Stop everything in order. Answers when the record is complete.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Stop;

/// A channel as loaded from the history.
type Loaded = Result<Vec<(ChannelName, Channel)>, HistoryError>;

impl Supervisor {
    /// A supervisor whose children start with it.
    pub fn new(parts: SupervisorParts) -> Self {
        let (deaths, heard) = mpsc::unbounded_channel();
        Self {
            channels: HashMap::new(),
            recorder: Seat::default(),
            poller: Seat::default(),
            patterns: Arc::new(AtomicBool::new(parts.watchlist.has_patterns())),
            deaths,
            heard: Some(heard),
            died: VecDeque::new(),
            discovered: None,
            stopping: false,
            parts,
        }
    }

    fn obituary(&self, whose: Child) -> Obituary<Child> {
        Obituary::new(whose, self.deaths.clone())
    }

    fn clock(&self) -> Clock {
        self.parts.recorder.clock
    }

    /// Makes a child of this kind. A channel is loaded first.
    fn start_child(&mut self, child: Child, ctx: &mut Context<Self>) {
        let obituary = self.obituary(child.clone());
        match child {
            Child::Recorder => {
                self.recorder.put(Recorder::new(self.parts.recorder.clone(), obituary).start());
            }
            Child::Poller => {
                self.poller.put(Poller::new(self.parts.poller.clone(), obituary).start());
                let watched: Vec<_> =
                    self.channels.iter().map(|(name, addr)| (name.clone(), addr.clone())).collect();
                for (name, channel) in watched {
                    if let Some(live) = self.parts.registry.get(&name) {
                        self.poll(live, channel, ctx);
                    }
                }
            }
            Child::Keeper => {
                let history = Arc::clone(&self.parts.recorder.history);
                self.parts
                    .recorder
                    .keeper
                    .put(Keeper::new(Arc::clone(&self.parts.states), history, obituary).start());
            }
            Child::Scout => {
                let parts = ScoutParts {
                    poller: self.parts.poller.clone(),
                    every: self.parts.discover_interval,
                    patterns: Arc::clone(&self.patterns),
                    groups: Arc::clone(&self.parts.groups),
                    supervisor: ctx.address(),
                };
                Scout::new(parts, obituary).start();
            }
            Child::Channel(name) => self.begin(vec![name], ctx),
        }
    }

    fn poll(&self, live: Arc<Live>, channel: Addr<ChannelActor>, ctx: &mut Context<Self>) {
        if let Some(poller) = self.poller.get() {
            let watch = Watch { live, channel };
            ctx.spawn(
                async move {
                    let _ = poller.send(watch).await;
                }
                .into_actor(self),
            );
        }
    }

    /// Loads channels from the history, or begins them there, and watches them.
    fn begin(&self, names: Vec<ChannelName>, ctx: &mut Context<Self>) {
        if names.is_empty() {
            return;
        }
        let history = Arc::clone(&self.parts.recorder.history);
        let policies = self.parts.policies.clone();
        let clock = self.clock();
        let discovered = self.discovered.clone();
        let loading = names.clone();
        let work = move || load(&*history, &policies, clock, loading, discovered.as_deref());
        let load = async move { flatten(tokio::task::spawn_blocking(work).await) };
        ctx.spawn(load.into_actor(self).map(move |loaded, supervisor, ctx| match loaded {
            Ok(channels) => {
                for (name, channel) in channels {
                    supervisor.watch(name, channel, ctx);
                }
            }
            Err(error) => {
                warn!(
                    error,
                    channels = names.len(),
                    "channels cannot be loaded from the history; trying again"
                );
                ctx.run_later(LOAD_AGAIN_AFTER, move |supervisor, ctx| supervisor.begin(names, ctx));
            }
        }));
    }

    /// Starts the actor of a loaded channel, unless nobody wants it any more.
    fn watch(&mut self, name: ChannelName, channel: Channel, ctx: &mut Context<Self>) {
        if self.stopping || !self.parts.watchlist.wants(&name) || self.channels.contains_key(&name) {
            return;
        }
        let live = Arc::new(Live {
            policy: self.parts.policies.of(&name).into(),
            channel: channel.into(),
            polls: Counters::default(),
            name: name.clone(),
        });
        self.parts.registry.publish(Arc::clone(&live));
        let obituary = self.obituary(Child::Channel(name.clone()));
        let seats = (self.recorder.clone(), self.poller.clone());
        let actor = ChannelActor::new(Arc::clone(&live), seats.0, seats.1, self.clock(), obituary).start();
        self.channels.insert(name, actor.clone());
        self.poll(live, actor, ctx);
    }

    fn follow(&mut self, difference: Difference, ctx: &mut Context<Self>) {
        self.patterns.store(self.parts.watchlist.has_patterns(), Ordering::Relaxed);
        self.begin(difference.begin, ctx);
        for name in difference.end {
            info!(channel = ?name, "no longer watched");
            if let Some(channel) = self.channels.get(&name) {
                let end = end(channel.clone(), GapReason::Unwatched);
                // Its death tells that it has ended.
                ctx.spawn(end.into_actor(self));
            }
        }
    }

    fn died(&mut self, child: Child, ctx: &mut Context<Self>) {
        if let Child::Channel(name) = &child {
            self.channels.remove(name);
            if !self.parts.watchlist.wants(name) {
                self.parts.registry.withdraw(name);
                return;
            }
        }
        if self.stopping {
            return;
        }
        error!(?child, "a part of adsum died; replacing it");
        let now = Instant::now();
        self.died.push_back(now);
        self.died.retain(|at| now.duration_since(*at) < DEATHS_WITHIN);
        if self.died.len() >= MAX_DEATHS {
            error!(deaths = MAX_DEATHS, within = ?DEATHS_WITHIN, "too many parts died; giving up");
            self.parts.failed.send_replace(true);
            return;
        }
        ctx.run_later(REPLACE_AFTER, move |supervisor, ctx| {
            if !supervisor.stopping {
                supervisor.start_child(child, ctx);
            }
        });
    }
}

/// Ends one channel; a channel that is gone has nothing to end.
async fn end(channel: Addr<ChannelActor>, reason: GapReason) {
    let (done, ended) = oneshot::channel();
    if channel.send(End { reason, done }).await.is_ok() {
        let _ = ended.await;
    }
}

/// The work's own error, or that it was lost.
fn flatten<T>(work: Result<Result<T, HistoryError>, tokio::task::JoinError>) -> Result<T, String> {
    work.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

/// What the history has of the channels, or what they begin with.
fn load(
    history: &dyn History,
    policies: &Policies,
    clock: Clock,
    names: Vec<ChannelName>,
    discovered: Option<&Discovery>,
) -> Loaded {
    let mut loaded = Vec::with_capacity(names.len());
    let mut new = Vec::new();
    for name in names {
        let gap_after = policies.of(&name).gap_after;
        match history.checkpoint(&name)? {
            Some(kept) => loaded.push((name.clone(), Channel::resume(name, gap_after, kept))),
            None => new.push((name, gap_after)),
        }
    }
    if !new.is_empty() {
        let began = clock.now();
        let names: Vec<ChannelName> = new.iter().map(|(name, _)| name.clone()).collect();
        history.begin(&names, began)?;
        let fresh =
            new.into_iter().map(|(name, gap_after)| (name.clone(), Channel::begin(name, gap_after, began)));
        loaded.extend(fresh);
    }
    for (name, channel) in &mut loaded {
        if let Some(discovery) = discovered.filter(|discovery| !discovery.channels.contains(name)) {
            channel.absent(discovery.moment);
        }
    }
    Ok(loaded)
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(mut heard) = self.heard.take() {
            ctx.add_stream(stream::poll_fn(move |cx| heard.poll_recv(cx)));
        }
        for child in [Child::Recorder, Child::Poller, Child::Keeper] {
            self.start_child(child, ctx);
        }
        self.begin(self.parts.watchlist.channels().cloned().collect(), ctx);
        self.start_child(Child::Scout, ctx);
    }
}

impl StreamHandler<Child> for Supervisor {
    fn handle(&mut self, child: Child, ctx: &mut Self::Context) {
        self.died(child, ctx);
    }

    fn finished(&mut self, _: &mut Self::Context) {
        // The default would stop the supervisor. It holds a sender itself, so this stream never ends.
    }
}

impl Handler<Found> for Supervisor {
    type Result = ();

    fn handle(&mut self, found: Found, ctx: &mut Self::Context) {
        let registry = self.parts.registry.clone();
        let vacant = |name: &ChannelName| {
            let Some(live) = registry.get(name) else { return false };
            let channel = live.channel.read();
            channel.run().is_some_and(|run| run.occupancy == 0)
        };
        match found {
            Found::Everywhere { moment, channels } => {
                let difference = self.parts.watchlist.discovered(&channels, vacant);
                // The channels that begin now were not in the discovery before this one.
                self.follow(difference, ctx);
                self.discovered =
                    Some(Arc::new(Discovery { moment, channels: channels.into_iter().collect() }));
            }
            Found::InGroup { group, channels } => {
                let difference = self.parts.watchlist.grouped(&group, &channels);
                self.follow(difference, ctx);
            }
        }
    }
}

impl Handler<Retarget> for Supervisor {
    type Result = ();

    fn handle(&mut self, retarget: Retarget, ctx: &mut Self::Context) {
        let difference = match retarget {
            Retarget::Add(target) => self.parts.watchlist.add(&target),
            Retarget::Remove(target) => self.parts.watchlist.remove(&target),
        };
        self.follow(difference, ctx);
    }
}

impl Handler<Reconfigure> for Supervisor {
    type Result = ();

    fn handle(&mut self, new: Reconfigure, ctx: &mut Self::Context) {
        self.parts.policies = new.policies;
        let difference = self.parts.watchlist.configure(new.targets, &new.groups);
        *self.parts.groups.write() = new.groups;
        self.follow(difference, ctx);
        for (name, channel) in &self.channels {
            let Some(live) = self.parts.registry.get(name) else { continue };
            let policy = self.parts.policies.of(name);
            if *live.policy.read() != policy {
                *live.policy.write() = policy;
                live.channel.write().gap_after = policy.gap_after;
                self.poll(live, channel.clone(), ctx);
            }
        }
    }
}

impl Handler<GetTargets> for Supervisor {
    type Result = MessageResult<GetTargets>;

    fn handle(&mut self, _: GetTargets, _: &mut Self::Context) -> Self::Result {
        let (configured, added) = self.parts.watchlist.targets();
        MessageResult((configured.to_vec(), added.to_vec(), self.parts.groups.read().clone()))
    }
}

impl Handler<Stop> for Supervisor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        self.stopping = true;
        let poller = self.poller.get();
        let ends: Vec<_> =
            self.channels.values().map(|channel| end(channel.clone(), GapReason::Stopped)).collect();
        let states = Arc::clone(&self.parts.states);
        Box::pin(async move {
            if let Some(poller) = poller {
                let _ = poller.send(Halt).await;
            }
            join_all(ends).await;
            match tokio::task::spawn_blocking(move || states.flush()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    warn!(%error, "the known states were not flushed; they are rebuilt when needed");
                }
                Err(error) => {
                    warn!(%error, "the known states were not flushed; they are rebuilt when needed");
                }
            }
        })
    }
}
