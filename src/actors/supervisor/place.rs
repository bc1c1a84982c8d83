//! Where each channel stands with the supervisor. Every channel that was ever loaded is ended in order: what nobody wants any
//! more by the time it is loaded is started and ended like any other, so that the record says since when it is unwatched.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use futures_util::future::join_all;
use tokio::time::Instant;
use tracing::{info, warn};

use super::loading::{Kept, flatten, load};
use super::stop::end;
use super::{Child, Supervisor};
use crate::actors::alarms::Alarms;
use crate::actors::channel::ChannelActor;
use crate::actors::live::Live;
use crate::actors::poller::Watch;
use crate::domain::gap::GapReason;
use crate::domain::names::ChannelName;

/// A channel that cannot be loaded is tried again after so long.
const LOAD_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Where a channel stands.
#[derive(Debug)]
pub(super) enum Place {
    /// Its record is to be read in a moment: its actor died, or it could not be read before.
    ToLoad,
    /// Its record is being read.
    Loading,
    /// Its actor runs.
    Watched(Addr<ChannelActor>),
    /// Its actor was told to end; `dormant`, to go on without one.
    Ending {
        /// The actor.
        actor: Addr<ChannelActor>,
        /// Whether discoveries go on observing it.
        dormant: bool,
    },
    /// Nobody is there, and discoveries observe it. It has no actor and is not asked for by name.
    Dormant {
        /// Since when.
        since: Instant,
    },
    /// It is dormant, and what a discovery observed of it is being recorded.
    Recording {
        /// Since when it is dormant.
        since: Instant,
    },
}

impl Place {
    pub(super) fn is_dormant(&self) -> bool {
        matches!(self, Self::Dormant { .. } | Self::Recording { .. })
    }

    /// Whether the history has its watch, and goes on having it.
    pub(super) fn has_begun(&self) -> bool {
        match self {
            Self::Watched(_) | Self::Dormant { .. } | Self::Recording { .. } => true,
            Self::Ending { dormant, .. } => *dormant,
            Self::ToLoad | Self::Loading => false,
        }
    }
}

impl Supervisor {
    /// Watches channels, unless they are watched already.
    pub(super) fn want(&mut self, names: Vec<ChannelName>, ctx: &mut Context<Self>) {
        let (mut loading, mut woken) = (Vec::new(), Vec::new());
        for name in names {
            match self.channels.get(&name) {
                None => loading.push(name),
                Some(Place::Dormant { .. }) => woken.extend(self.wake(&name)),
                // What is loaded or ends is looked at again when it has.
                Some(
                    Place::ToLoad
                    | Place::Loading
                    | Place::Watched(_)
                    | Place::Ending { .. }
                    | Place::Recording { .. },
                ) => {}
            }
        }
        self.poll(woken, ctx);
        self.load(loading, ctx);
    }

    /// Ends the watch of channels.
    pub(super) fn let_go(&mut self, names: Vec<ChannelName>, ctx: &mut Context<Self>) {
        let mut ends = Vec::new();
        for name in names {
            let actor = match self.channels.get(&name) {
                Some(Place::Watched(actor)) => Some(actor.clone()),
                Some(Place::Dormant { .. }) => self.wake(&name).map(|(_, actor)| actor),
                // Nobody wants it: that is found out once it is loaded.
                Some(Place::ToLoad | Place::Loading | Place::Ending { .. } | Place::Recording { .. })
                | None => None,
            };
            if let Some(actor) = actor {
                info!(channel = ?name, "no longer watched");
                ends.push(end(actor.clone(), Some(GapReason::Unwatched)));
                self.channels.insert(name, Place::Ending { actor, dormant: false });
            }
        }
        spawn_all(ends, self, ctx);
    }

    /// A channel ended as it was told.
    pub(super) fn ended(&mut self, name: &ChannelName, ctx: &mut Context<Self>) {
        if let Some(Place::Ending { dormant: true, .. }) = self.channels.get(name) {
            self.channels.insert(name.clone(), Place::Dormant { since: Instant::now() });
            return self.settle(vec![name.clone()], ctx);
        }
        self.channels.remove(name);
        self.parts.registry.withdraw(name);
        // Somebody may want it again by now.
        if !self.stopping && self.parts.watchlist.wants(name) {
            self.want(vec![name.clone()], ctx);
        }
    }

    /// Decides what becomes of channels that are loaded and have no actor, each in [`Place::Dormant`]: what is wanted is
    /// watched, and so is what a pattern means until nobody is there; then it is left to the discoveries. All others are let
    /// go.
    pub(super) fn settle(&mut self, names: Vec<ChannelName>, ctx: &mut Context<Self>) {
        if self.stopping {
            return;
        }
        let (mut wanted, mut over) = (Vec::new(), Vec::new());
        for name in names {
            let Some(live) = self.parts.registry.get(&name) else { continue };
            if !live.channel.read().is_vacant() {
                self.parts.watchlist.take_up(&name);
            }
            if self.parts.watchlist.wants(&name) {
                wanted.push(name);
            } else if self.parts.watchlist.means(&name) {
                live.channel.write().be_patient(self.patience());
            } else {
                over.push(name);
            }
        }
        self.want(wanted, ctx);
        self.let_go(over, ctx);
    }

    /// Loads channels from the history, or begins them there.
    pub(super) fn load(&mut self, names: Vec<ChannelName>, ctx: &mut Context<Self>) {
        if names.is_empty() {
            return;
        }
        self.channels.extend(names.iter().map(|name| (name.clone(), Place::Loading)));
        let history = Arc::clone(&self.parts.recorder.history);
        let (clock, discovered, loading) = (self.clock(), self.discovered.clone(), names.clone());
        let work = move || load(&*history, &clock, loading, discovered.as_deref());
        let load = async move { flatten(tokio::task::spawn_blocking(work).await) };
        ctx.spawn(load.into_actor(self).map(move |loaded, supervisor, ctx| {
            let (loaded, failed) = loaded.unwrap_or_else(|error| (Vec::new(), Some((error, names))));
            if supervisor.stopping {
                supervisor.stop_loaded(loaded, ctx);
                return supervisor.give_up(failed.iter().flat_map(|(_, names)| names));
            }
            supervisor.loaded(loaded, ctx);
            if let Some((error, names)) = failed {
                let channels = names.len();
                warn!(error, channels, "channels cannot be loaded from the history; trying again");
                supervisor.channels.extend(names.iter().map(|name| (name.clone(), Place::ToLoad)));
                ctx.run_later(LOAD_AGAIN_AFTER, move |supervisor, ctx| {
                    // A stop has loaded them.
                    if !supervisor.stopping {
                        supervisor.load(names, ctx);
                    }
                });
            }
        }));
    }

    /// Whoever waits for these to be stopped waits in vain: it is not known how they stand.
    pub(super) fn give_up<'a>(&self, names: impl Iterator<Item = &'a ChannelName>) {
        for name in names {
            self.stopping_loads.borrow_mut().remove(name);
        }
    }

    /// Channels that were loaded while adsum stops have no actor any more.
    fn stop_loaded(&self, kept: Vec<Kept>, ctx: &mut Context<Self>) {
        for kept in kept {
            self.stop_late(&self.live(kept), ctx);
        }
    }

    /// What the history has of a channel without an actor is known now, and adsum stops.
    pub(super) fn stop_late(&self, live: &Live, ctx: &mut Context<Self>) {
        let done = self.stopping_loads.borrow_mut().remove(&live.name);
        let stop = self.record_stop(live);
        let stop = async move {
            stop.await;
            done.map(|done| done.send(()))
        };
        ctx.spawn(stop.into_actor(self).map(|_, _, _| ()));
    }

    fn live(&self, Kept { mut channel, standings }: Kept) -> Arc<Live> {
        let policy = self.parts.policies.of(&channel.name);
        channel.gap_after = policy.gap_after;
        if self.parts.registry.get(&channel.name).is_some() {
            // It takes the place of one that died, with what that had observed and not recorded.
            channel.unrecorded(self.clock().now());
        }
        let downtime = self.parts.downtime.filter(|_| !standings.is_empty());
        let live = Live::new(channel, policy);
        *live.alarms.write() = Alarms::loaded(standings, downtime);
        Arc::new(live)
    }

    fn loaded(&mut self, kept: Vec<Kept>, ctx: &mut Context<Self>) {
        self.quiet = None;
        let mut names = Vec::with_capacity(kept.len());
        for kept in kept {
            let live = self.live(kept);
            self.parts.registry.publish(Arc::clone(&live));
            self.leave_what_was_found(&live);
            self.channels.insert(live.name.clone(), Place::Dormant { since: Instant::now() });
            names.push(live.name.clone());
        }
        self.settle(names, ctx);
    }

    /// Starts an actor again for a dormant channel.
    fn wake(&mut self, name: &ChannelName) -> Option<(Arc<Live>, Addr<ChannelActor>)> {
        let live = self.parts.registry.get(name)?;
        // The configuration may have been read again meanwhile.
        let policy = self.parts.policies.of(name);
        *live.policy.write() = policy;
        live.channel.write().gap_after = policy.gap_after;
        Some(self.start(live))
    }

    fn start(&mut self, live: Arc<Live>) -> (Arc<Live>, Addr<ChannelActor>) {
        let obituary = self.obituary(Child::Channel(live.name.clone()));
        let (recorder, poller) = (self.recorder.clone(), self.poller.clone());
        let judge = self.parts.judge.clone();
        let actor = ChannelActor::new(Arc::clone(&live), judge, recorder, poller, obituary).start();
        self.channels.insert(live.name.clone(), Place::Watched(actor.clone()));
        (live, actor)
    }

    /// Has the poller ask for these channels from now on.
    pub(super) fn poll(&self, watched: Vec<(Arc<Live>, Addr<ChannelActor>)>, ctx: &mut Context<Self>) {
        if let Some(poller) = self.poller.get().filter(|_| !watched.is_empty()) {
            // A poller that is gone is told by its successor's start.
            let told = async move {
                let _ = poller.send(Watch(watched)).await;
            };
            ctx.spawn(told.into_actor(self));
        }
    }
}

/// Ends are waited for together; the deaths tell that they have ended.
pub(super) fn spawn_all(
    ends: Vec<impl Future<Output = ()> + 'static>,
    supervisor: &Supervisor,
    ctx: &mut Context<Supervisor>,
) {
    if !ends.is_empty() {
        ctx.spawn(join_all(ends).into_actor(supervisor).map(|_, _, _| ()));
    }
}
