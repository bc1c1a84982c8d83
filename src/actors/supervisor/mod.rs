//! The supervisor: starts the children, replaces those that die, decides which channels are watched, and stops
//! everything in order.

mod dormant;
pub(in crate::actors) mod loading;
mod place;
mod ring;
mod stop;
mod watching;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use actix::prelude::*;
use futures_util::stream;
use hashbrown::{HashMap, HashSet};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::error;

use self::place::Place;
use self::ring::RING_EVERY;
pub use self::stop::Stop;
pub use self::watching::{Found, GetTargets, Reconfigure, Retarget};
use super::alarms::Downtime;
use super::clock::Clock;
use super::courier::{Courier, CourierParts};
use super::judge::Judge;
use super::keeper::Keeper;
use super::live::{Discovery, Registry};
use super::poller::{Poller, PollerParts};
use super::recorder::{Recorder, RecorderParts};
use super::scout::{Groups, Scout, ScoutParts};
use super::seat::{Ended, Obituary, Seat};
use super::watchlist::Watchlist;
use crate::domain::names::{ChannelName, GroupName};
use crate::domain::time::Moment;
use crate::domain::watch::Policies;
use crate::states::States;

/// So many deaths within [`DEATHS_WITHIN`] end adsum, for whoever runs it to start it again.
pub const MAX_DEATHS: usize = 20;

/// See [`MAX_DEATHS`].
pub const DEATHS_WITHIN: Duration = Duration::from_secs(60);

/// A dead child is replaced after so long, so that it cannot die in a tight loop.
const REPLACE_AFTER: Duration = Duration::from_millis(200);

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
    /// The courier.
    Courier,
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
    /// Who judges the alerts.
    pub judge: Judge,
    /// When adsum was down before, if it ever ran.
    pub downtime: Option<Downtime>,
    /// For the courier.
    pub courier: CourierParts,
    /// Told when adsum cannot go on.
    pub failed: Arc<tokio::sync::watch::Sender<bool>>,
}

/// Owns the children.
pub struct Supervisor {
    parts: SupervisorParts,
    channels: HashMap<ChannelName, Place>,
    recorder: Seat<Recorder>,
    poller: Seat<Poller>,
    courier: Seat<Courier>,
    patterns: Arc<AtomicBool>,
    deaths: mpsc::UnboundedSender<(Child, Ended)>,
    heard: Option<mpsc::UnboundedReceiver<(Child, Ended)>>,
    died: VecDeque<Instant>,
    /// What patterns had found before adsum started, until it is loaded.
    taken_up: HashSet<ChannelName>,
    /// Groups that were not listed yet since adsum started.
    unlisted: HashSet<GroupName>,
    stopping: bool,
    /// The edition of the rules by which nothing was due for any channel that is loaded.
    quiet: Option<u64>,
    /// The last good discovery since adsum started.
    discovered: Option<Arc<Discovery>>,
    /// When the last one was true that the history has noted.
    noted: Option<Moment>,
    /// Who waits for channels that were being loaded or recorded when adsum was to stop.
    stopping_loads: RefCell<HashMap<ChannelName, oneshot::Sender<()>>>,
}

impl Supervisor {
    /// A supervisor whose children start with it.
    pub fn new(parts: SupervisorParts) -> Self {
        let (deaths, heard) = mpsc::unbounded_channel();
        let unlisted = parts.groups.read().iter().cloned().collect();
        Self {
            channels: HashMap::new(),
            recorder: Seat::default(),
            poller: Seat::default(),
            courier: Seat::default(),
            patterns: Arc::new(AtomicBool::new(parts.watchlist.has_patterns())),
            deaths,
            heard: Some(heard),
            died: VecDeque::new(),
            taken_up: parts.watchlist.found().cloned().collect(),
            unlisted,
            stopping_loads: RefCell::default(),
            stopping: false,
            quiet: None,
            discovered: None,
            noted: None,
            parts,
        }
    }

    fn obituary(&self, whose: Child) -> Obituary<Child> {
        Obituary::new(whose, self.deaths.clone())
    }

    fn clock(&self) -> Clock {
        self.parts.recorder.clock.clone()
    }

    /// Makes a child of this kind. A channel is loaded first.
    fn start_child(&mut self, child: &Child, ctx: &mut Context<Self>) {
        // Made only for a child that starts now: dropping one tells of a death.
        let (whose, deaths) = (child.clone(), self.deaths.clone());
        let obituary = || Obituary::new(whose, deaths);
        match child {
            Child::Recorder => {
                self.recorder.put(Recorder::new(self.parts.recorder.clone(), obituary()).start());
            }
            Child::Poller => {
                self.poller.put(Poller::new(self.parts.poller.clone(), obituary()).start());
                let watched = self.channels.iter().filter_map(|(name, place)| match place {
                    Place::Watched(addr) => Some((self.parts.registry.get(name)?, addr.clone())),
                    _ => None,
                });
                self.poll(watched.collect(), ctx);
            }
            Child::Keeper => {
                let history = Arc::clone(&self.parts.recorder.history);
                let keeper = Keeper::new(Arc::clone(&self.parts.states), history, obituary());
                self.parts.recorder.keeper.put(keeper.start());
            }
            Child::Scout => {
                let parts = ScoutParts {
                    poller: self.parts.poller.clone(),
                    every: self.parts.discover_interval,
                    patterns: Arc::clone(&self.patterns),
                    groups: Arc::clone(&self.parts.groups),
                    supervisor: ctx.address(),
                };
                Scout::new(parts, obituary()).start();
            }
            Child::Courier => {
                self.courier.put(Courier::new(self.parts.courier.clone(), obituary()).start());
            }
            Child::Channel(name) => self.load(vec![name.clone()], ctx),
        }
    }

    fn died(&mut self, child: Child, ended: Ended, ctx: &mut Context<Self>) {
        if let Child::Channel(name) = &child {
            if ended == Ended::AsTold {
                return self.ended(name, ctx);
            }
            self.channels.insert(name.clone(), Place::ToLoad);
        }
        if self.stopping {
            return;
        }
        if ended == Ended::Suddenly && self.too_many_deaths(&child) {
            self.parts.failed.send_replace(true);
            return;
        }
        ctx.run_later(REPLACE_AFTER, move |supervisor, ctx| {
            if !supervisor.stopping {
                supervisor.start_child(&child, ctx);
            }
        });
    }

    fn too_many_deaths(&mut self, child: &Child) -> bool {
        error!(?child, "a part of adsum died; replacing it");
        let now = Instant::now();
        self.died.push_back(now);
        self.died.retain(|at| now.duration_since(*at) < DEATHS_WITHIN);
        let too_many = self.died.len() >= MAX_DEATHS;
        if too_many {
            error!(deaths = MAX_DEATHS, within = ?DEATHS_WITHIN, "too many parts died; giving up");
        }
        too_many
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(mut heard) = self.heard.take() {
            ctx.add_stream(stream::poll_fn(move |cx| heard.poll_recv(cx)));
        }
        for child in [Child::Recorder, Child::Poller, Child::Keeper, Child::Courier] {
            self.start_child(&child, ctx);
        }
        ctx.run_interval(RING_EVERY, Self::ring);
        self.want(self.parts.watchlist.channels().cloned().collect(), ctx);
        self.start_child(&Child::Scout, ctx);
        if self.unlisted.is_empty() {
            self.end_unwanted(ctx);
        }
    }
}

impl StreamHandler<(Child, Ended)> for Supervisor {
    fn handle(&mut self, (child, ended): (Child, Ended), ctx: &mut Self::Context) {
        self.died(child, ended, ctx);
    }

    fn finished(&mut self, _: &mut Self::Context) {
        // The default would stop the supervisor. It holds a sender itself, so this stream never ends.
    }
}
