//! Where each channel stands with the supervisor. Every channel that was ever loaded is ended in order: what nobody wants any
//! more by the time it is loaded is started and ended like any other, so that the record says since when it is unwatched.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use futures_util::future::join_all;
use tokio::time::Instant;
use tracing::{info, warn};

use super::loading::{flatten, load};
use super::stop::end;
use super::{Child, Supervisor};
use crate::actors::channel::ChannelActor;
use crate::actors::live::{Counters, Live};
use crate::actors::poller::Watch;
use crate::actors::recorder::{Recorder, record};
use crate::actors::seat::Seat;
use crate::domain::channel::{Changes, Channel};
use crate::domain::gap::GapReason;
use crate::domain::names::ChannelName;
use crate::domain::observation::Observation;
use crate::domain::time::Moment;
use crate::history::Entry;

/// A channel that cannot be loaded is tried again after so long.
const LOAD_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// A discovered channel that nobody has come to for so long is forgotten: it is unwatched until it is discovered again.
const DORMANT_FOR: Duration = Duration::from_secs(86_400);

/// So many channels may be dormant; what empties beyond is unwatched until it is discovered again.
const MAX_DORMANT: usize = 100_000;

/// A dormant channel is in a gap after so many intervals without a good discovery.
const DISCOVERIES: u32 = 3;

/// Where a channel stands.
#[derive(Debug)]
pub(super) enum Place {
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
}

impl Supervisor {
    /// Watches channels, unless they are watched already.
    pub(super) fn want(&mut self, names: Vec<ChannelName>, ctx: &mut Context<Self>) {
        let (mut loading, mut woken) = (Vec::new(), Vec::new());
        for name in names {
            match self.channels.get(&name) {
                None => {
                    self.channels.insert(name.clone(), Place::Loading);
                    loading.push(name);
                }
                Some(Place::Dormant { .. }) => woken.extend(self.wake(&name)),
                // What is loaded or ends is looked at again when it has.
                Some(Place::Loading | Place::Watched(_) | Place::Ending { .. }) => {}
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
                Some(Place::Loading | Place::Ending { .. }) | None => None,
            };
            if let Some(actor) = actor {
                info!(channel = ?name, "no longer watched");
                ends.push(end(actor.clone(), Some(GapReason::Unwatched)));
                self.channels.insert(name, Place::Ending { actor, dormant: false });
            }
        }
        spawn_all(ends, self, ctx);
    }

    /// Leaves channels in which nobody is to the discoveries.
    pub(super) fn retire(&mut self, names: Vec<ChannelName>, ctx: &mut Context<Self>) {
        let dormant = self.channels.values().filter(|place| matches!(place, Place::Dormant { .. })).count();
        let (mut ends, mut too_many) = (Vec::new(), Vec::new());
        for name in names {
            if dormant + ends.len() >= MAX_DORMANT {
                too_many.push(name);
            } else if let Some(Place::Watched(actor)) = self.channels.get(&name) {
                let actor = actor.clone();
                ends.push(end(actor.clone(), None));
                self.channels.insert(name, Place::Ending { actor, dormant: true });
            }
        }
        spawn_all(ends, self, ctx);
        self.let_go(too_many, ctx);
    }

    /// A discovery failed: that is why dormant channels are not observed. Their gaps are recorded as they open.
    pub(super) fn blind_dormant(&mut self, reason: GapReason, ctx: &mut Context<Self>) {
        let now = self.clock().now();
        let mut gaps = Vec::new();
        for (name, place) in &self.channels {
            let (Place::Dormant { .. }, Some(live)) = (place, self.parts.registry.get(name)) else {
                continue;
            };
            live.channel.write().failed(reason);
            let overdue = live.channel.read().overdue(now);
            if let Some(changes) = overdue {
                gaps.push(record_gaps(self.recorder.clone(), live, changes));
            }
        }
        spawn_all(gaps, self, ctx);
    }

    /// A discovery did not list them: nobody is in the dormant channels. One that must be recorded (a gap has opened
    /// meanwhile) is woken for that; one that is long forgotten is let go.
    pub(super) fn confirm_dormant(
        &mut self,
        moment: Moment,
        listed: &[ChannelName],
        ctx: &mut Context<Self>,
    ) {
        let listed: hashbrown::HashSet<&ChannelName> = listed.iter().collect();
        let (mut wake, mut forget) = (Vec::new(), Vec::new());
        let patience = self.patience();
        for (name, place) in &self.channels {
            let Place::Dormant { since } = place else { continue };
            if listed.contains(name) {
                continue;
            }
            let Some(live) = self.parts.registry.get(name) else { continue };
            let nobody = Observation::of_nobody(moment);
            let mut channel = live.channel.write();
            match channel.repeats(&nobody) {
                Ok(true) => {
                    channel.confirm(&nobody);
                    channel.be_patient(patience);
                }
                Ok(false) => wake.push(name.clone()),
                Err(_stale) => {}
            }
            if since.elapsed() > DORMANT_FOR {
                forget.push(name.clone());
            }
        }
        wake.retain(|name| !forget.contains(name));
        for name in &wake {
            // The next discovery retires it again.
            self.parts.watchlist.take_up(name);
        }
        let woken: Vec<_> = wake.iter().filter_map(|name| self.wake(name)).collect();
        self.poll(woken, ctx);
        self.let_go(forget, ctx);
    }

    /// How long it may take until a discovery observes a dormant channel again.
    fn patience(&self) -> Duration {
        self.parts.discover_interval.saturating_mul(DISCOVERIES)
    }

    /// A channel ended as it was told.
    pub(super) fn ended(&mut self, name: &ChannelName, ctx: &mut Context<Self>) {
        if let Some(Place::Ending { dormant: true, .. }) = self.channels.get(name) {
            self.channels.insert(name.clone(), Place::Dormant { since: Instant::now() });
            if let Some(live) = self.parts.registry.get(name) {
                live.channel.write().be_patient(self.patience());
            }
        } else {
            self.channels.remove(name);
            self.parts.registry.withdraw(name);
        }
        // Somebody may want it again by now.
        if !self.stopping && self.parts.watchlist.wants(name) {
            self.want(vec![name.clone()], ctx);
        }
    }

    /// Loads channels from the history, or begins them there.
    pub(super) fn load(&self, names: Vec<ChannelName>, ctx: &mut Context<Self>) {
        if names.is_empty() {
            return;
        }
        let history = Arc::clone(&self.parts.recorder.history);
        let (clock, discovered, loading) =
            (self.clock(), self.parts.discovered.read().clone(), names.clone());
        let work = move || load(&*history, &clock, loading, discovered.as_deref());
        let load = async move { flatten(tokio::task::spawn_blocking(work).await) };
        ctx.spawn(load.into_actor(self).map(move |loaded, supervisor, ctx| {
            let (loaded, failed) = loaded.unwrap_or_else(|error| (Vec::new(), Some((error, names))));
            if supervisor.stopping {
                supervisor.stop_loaded(&loaded, ctx);
                return supervisor.give_up(failed.iter().flat_map(|(_, names)| names));
            }
            supervisor.loaded(loaded, ctx);
            if let Some((error, names)) = failed {
                let channels = names.len();
                warn!(error, channels, "channels cannot be loaded from the history; trying again");
                ctx.run_later(LOAD_AGAIN_AFTER, move |supervisor, ctx| supervisor.load(names, ctx));
            }
        }));
    }

    /// Whoever waits for these to be stopped waits in vain: they could not be loaded.
    fn give_up<'a>(&self, names: impl Iterator<Item = &'a ChannelName>) {
        for name in names {
            self.stopping_loads.borrow_mut().remove(name);
        }
    }

    /// Channels that were loaded while adsum stops have no actor any more.
    fn stop_loaded(&self, channels: &[(ChannelName, Channel)], ctx: &mut Context<Self>) {
        for (name, channel) in channels {
            let (stop, done) = (self.record_stop(channel), self.stopping_loads.borrow_mut().remove(name));
            let stop = async move {
                stop.await;
                done.map(|done| done.send(()))
            };
            ctx.spawn(stop.into_actor(self).map(|_, _, _| ()));
        }
    }

    fn loaded(&mut self, channels: Vec<(ChannelName, Channel)>, ctx: &mut Context<Self>) {
        let mut watched = Vec::with_capacity(channels.len());
        let mut unwanted = Vec::new();
        for (name, mut channel) in channels {
            let policy = self.parts.policies.of(&name);
            channel.gap_after = policy.gap_after;
            if self.unsure.remove(&name) {
                channel.unrecorded();
            }
            let live = Arc::new(Live {
                policy: policy.into(),
                channel: channel.into(),
                committing: false.into(),
                polls: Counters::default(),
                name: name.clone(),
            });
            self.parts.registry.publish(Arc::clone(&live));
            if !self.parts.watchlist.wants(&name) {
                unwanted.push(name);
            }
            watched.push(self.start(live));
        }
        self.poll(watched, ctx);
        self.let_go(unwanted, ctx);
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
        let actor = ChannelActor::new(Arc::clone(&live), recorder, poller, self.clock(), obituary).start();
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

/// Has the gaps of a channel without an actor recorded. If they cannot be, the next failure tries again.
async fn record_gaps(recorder: Seat<Recorder>, live: Arc<Live>, changes: Changes) {
    let gaps = changes.gaps.clone();
    if record(&recorder, Entry { channel: live.name.clone(), changes }).await.is_ok() {
        live.channel.write().take_gaps(&gaps);
    }
}

/// Ends are waited for together; the deaths tell that they have ended.
fn spawn_all(
    ends: Vec<impl Future<Output = ()> + 'static>,
    supervisor: &Supervisor,
    ctx: &mut Context<Supervisor>,
) {
    if !ends.is_empty() {
        ctx.spawn(join_all(ends).into_actor(supervisor).map(|_, _, _| ()));
    }
}
