//! Which channels are watched: what the scout, the API and the configuration say, followed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::prelude::*;
use futures_util::future::join_all;
use tracing::{info, warn};

use super::loading::{Discovery, flatten, load};
use super::stop::end;
use super::{Child, Supervisor};
use crate::actors::channel::ChannelActor;
use crate::actors::live::{Counters, Live};
use crate::actors::poller::Watch;
use crate::actors::watchlist::Difference;
use crate::domain::channel::Channel;
use crate::domain::gap::GapReason;
use crate::domain::names::{ChannelName, GroupName};
use crate::domain::time::Moment;
use crate::domain::watch::{Policies, Target};

/// A channel that cannot be loaded is tried again after so long.
const LOAD_AGAIN_AFTER: Duration = Duration::from_secs(5);

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

impl Supervisor {
    /// Has the poller ask for these channels from now on.
    pub(super) fn poll(&self, watched: Vec<(Arc<Live>, Addr<ChannelActor>)>, ctx: &mut Context<Self>) {
        if let Some(poller) = self.poller.get() {
            let watch = Watch(watched);
            // A poller that is gone is told by its successor's start.
            let told = async move {
                let _ = poller.send(watch).await;
            };
            ctx.spawn(told.into_actor(self));
        }
    }

    /// Loads channels from the history, or begins them there, and watches them.
    pub(super) fn begin(&self, names: Vec<ChannelName>, ctx: &mut Context<Self>) {
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
                let watched =
                    channels.into_iter().filter_map(|(name, channel)| supervisor.watch(name, channel));
                let watched = watched.collect();
                supervisor.poll(watched, ctx);
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
    fn watch(&mut self, name: ChannelName, channel: Channel) -> Option<(Arc<Live>, Addr<ChannelActor>)> {
        if self.stopping || !self.parts.watchlist.wants(&name) || self.channels.contains_key(&name) {
            return None;
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
        Some((live, actor))
    }

    fn follow(&mut self, difference: Difference, ctx: &mut Context<Self>) {
        self.patterns.store(self.parts.watchlist.has_patterns(), Ordering::Relaxed);
        self.begin(difference.begin, ctx);
        let mut ends = Vec::new();
        for name in difference.end {
            info!(channel = ?name, "no longer watched");
            if let Some(channel) = self.channels.get(&name) {
                ends.push(end(channel.clone(), GapReason::Unwatched));
                self.ending.insert(name);
            }
        }
        if !ends.is_empty() {
            // Their deaths tell that they have ended.
            ctx.spawn(join_all(ends).into_actor(self).map(|_, _, _| ()));
        }
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
        let mut changed = Vec::new();
        for (name, channel) in &self.channels {
            let Some(live) = self.parts.registry.get(name) else { continue };
            let policy = self.parts.policies.of(name);
            if *live.policy.read() != policy {
                *live.policy.write() = policy;
                live.channel.write().gap_after = policy.gap_after;
                changed.push((live, channel.clone()));
            }
        }
        self.poll(changed, ctx);
    }
}

impl Handler<GetTargets> for Supervisor {
    type Result = MessageResult<GetTargets>;

    fn handle(&mut self, _: GetTargets, _: &mut Self::Context) -> Self::Result {
        let (configured, added) = self.parts.watchlist.targets();
        MessageResult((configured.to_vec(), added.to_vec(), self.parts.groups.read().clone()))
    }
}
