//! Which channels are watched: what the scout, the API and the configuration say, followed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::prelude::*;
use tracing::{debug, warn};

use super::Supervisor;
use super::loading::{flatten, left_behind, watched_before};
use super::place::{Place, spawn_all};
use crate::actors::channel::{ChannelActor, LookForGap};
use crate::actors::live::{Discovery, Failed};
use crate::actors::watchlist::Difference;
use crate::domain::names::{ChannelName, GroupName, Pattern};
use crate::domain::time::Moment;
use crate::domain::watch::{Policies, Target};
use crate::history;

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
    /// No answer.
    Nothing(Arc<Failed>),
    /// A group's channels.
    InGroup {
        /// Which group.
        group: GroupName,
        /// All of them.
        channels: Vec<ChannelName>,
    },
}

/// The API added or removed a target; the history has it already.
#[derive(Message, Clone)]
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
    fn follow(&mut self, difference: Difference, ctx: &mut Context<Self>) {
        if self.stopping {
            return;
        }
        self.patterns.store(self.parts.watchlist.has_patterns(), Ordering::Relaxed);
        self.want(difference.begin, ctx);
        self.let_go(difference.end, ctx);
        let means = |name: &&ChannelName| self.parts.watchlist.means(name);
        let dormant = self.channels.iter().filter(|(_, place)| matches!(place, Place::Dormant { .. }));
        let meaningless = dormant.map(|(name, _)| name).filter(|name| !means(name)).cloned().collect();
        self.settle(meaningless, ctx);
    }

    fn discovered(&mut self, moment: Moment, channels: Vec<ChannelName>, ctx: &mut Context<Self>) {
        let registry = self.parts.registry.clone();
        let vacant =
            |name: &ChannelName| registry.get(name).is_some_and(|live| live.channel.read().is_vacant());
        let difference = self.parts.watchlist.discovered(&channels, vacant);
        // The channels that begin now were not in the discovery before this one.
        self.want(difference.begin, ctx);
        self.retire(difference.end, ctx);
        self.confirm_dormant(moment, &channels, ctx);
        let patterns: Vec<Pattern> = self.parts.watchlist.patterns().cloned().collect();
        self.note_discovery(moment, patterns.clone(), &channels, ctx);
        let discovery = Discovery { moment, channels: channels.into_iter().collect(), patterns };
        self.discovered = Some(Arc::new(discovery));
    }

    /// Has the history note a discovery. It goes on from the one before only if that was noted: what is not noted may have
    /// listed a channel of which nothing was recorded either.
    fn note_discovery(
        &self,
        moment: Moment,
        patterns: Vec<Pattern>,
        channels: &[ChannelName],
        ctx: &mut Context<Self>,
    ) {
        let matching = |name: &&ChannelName| patterns.iter().any(|pattern| pattern.matches(name));
        let mut listed: Vec<ChannelName> = channels.iter().filter(matching).cloned().collect();
        if !listed.iter().all(|name| self.parts.watchlist.wants(name)) {
            // More than can be watched: what has no record afterwards may have been listed.
            return;
        }
        listed.retain(|name| !self.channels.get(name).is_some_and(Place::has_begun));
        let last = self.discovered.as_ref().map(|discovery| discovery.moment);
        let patience = if last == self.noted { self.patience() } else { Duration::ZERO };
        let discovery = history::Discovery { moment, patterns, listed, patience };
        let history = Arc::clone(&self.parts.recorder.history);
        let work =
            async move { flatten(tokio::task::spawn_blocking(move || history.discovered(&discovery)).await) };
        ctx.spawn(work.into_actor(self).map(move |noted, supervisor, _| match noted {
            Ok(()) => supervisor.noted = Some(moment),
            // The recorder tells of a history that cannot be written.
            Err(error) => debug!(error, "a discovery was not noted in the history"),
        }));
    }

    fn listed(&mut self, group: &GroupName, channels: &[ChannelName], ctx: &mut Context<Self>) {
        if !self.parts.groups.read().contains(group) {
            // A configuration that was read again meanwhile names it no longer.
            return;
        }
        let difference = self.parts.watchlist.grouped(group, channels);
        self.follow(difference, ctx);
        if self.unlisted.remove(group) && self.unlisted.is_empty() {
            self.end_unwanted(ctx);
        }
    }

    /// Once every group was listed, what was watched before adsum started and is not meant any more is known. It is loaded,
    /// and ended like any other that nobody wants by the time it is.
    pub(super) fn end_unwanted(&self, ctx: &mut Context<Self>) {
        let (history, now) = (Arc::clone(&self.parts.recorder.history), self.clock().now());
        let work =
            async move { flatten(tokio::task::spawn_blocking(move || watched_before(&*history, now)).await) };
        ctx.spawn(work.into_actor(self).map(|found, supervisor, ctx| match found {
            Ok(_) if supervisor.stopping => {}
            Ok(mut names) => {
                names.retain(|name| !supervisor.channels.contains_key(name));
                supervisor.want(names, ctx);
            }
            Err(error) => {
                warn!(error, "the ends of old watches are not recorded; the next start tries again");
            }
        }));
    }
}

impl Supervisor {
    /// Takes up the channels that patterns mean again, as far as somebody was still there when their watch ended.
    fn take_up_left_behind(&self, patterns: Vec<Pattern>, ctx: &mut Context<Self>) {
        if patterns.is_empty() || self.stopping {
            return;
        }
        let (history, now) = (Arc::clone(&self.parts.recorder.history), self.clock().now());
        let work = move || left_behind(&*history, &patterns, now);
        let work = async move { flatten(tokio::task::spawn_blocking(work).await) };
        ctx.spawn(work.into_actor(self).map(|found, supervisor, ctx| match found {
            Ok(_) if supervisor.stopping => {}
            Ok(mut names) => {
                names.retain(|name| supervisor.parts.watchlist.take_up(name));
                supervisor.want(names, ctx);
            }
            Err(error) => {
                warn!(error, "what a pattern meant before is not looked at; the next start tries again");
            }
        }));
    }
}

impl Handler<Found> for Supervisor {
    type Result = ();

    fn handle(&mut self, found: Found, ctx: &mut Self::Context) {
        if self.stopping {
            return;
        }
        match found {
            Found::Nothing(failed) => self.blind_dormant(&failed, ctx),
            Found::Everywhere { moment, channels } => self.discovered(moment, channels, ctx),
            Found::InGroup { group, channels } => self.listed(&group, &channels, ctx),
        }
    }
}

impl Handler<Retarget> for Supervisor {
    type Result = ();

    fn handle(&mut self, retarget: Retarget, ctx: &mut Self::Context) {
        let difference = match retarget {
            Retarget::Add(target) => {
                if let Target::Pattern(pattern) = &target {
                    self.take_up_left_behind(vec![pattern.clone()], ctx);
                }
                self.parts.watchlist.add(&target)
            }
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
        self.take_up_left_behind(self.parts.watchlist.patterns().cloned().collect(), ctx);
        let waited = !self.unlisted.is_empty();
        self.unlisted.retain(|group| new.groups.contains(group));
        *self.parts.groups.write() = new.groups;
        self.follow(difference, ctx);
        if waited && self.unlisted.is_empty() {
            self.end_unwanted(ctx);
        }
        let (mut changed, mut looks) = (Vec::new(), Vec::new());
        for (name, place) in &self.channels {
            let Place::Watched(actor) = place else { continue };
            let Some(live) = self.parts.registry.get(name) else { continue };
            let policy = self.parts.policies.of(name);
            if *live.policy.read() != policy {
                *live.policy.write() = policy;
                live.channel.write().gap_after = policy.gap_after;
                looks.push(look_for_gap(actor.clone()));
                changed.push((live, actor.clone()));
            }
        }
        spawn_all(looks, self, ctx);
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

/// A channel that is gone looks when it starts again.
async fn look_for_gap(channel: Addr<ChannelActor>) {
    let _ = channel.send(LookForGap).await;
}
