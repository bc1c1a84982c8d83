//! Dormant channels: nobody is there, and discoveries observe them. They have no actor and are not asked for by name.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::prelude::*;
use futures_util::future::join_all;

use super::Supervisor;
use super::place::{Place, spawn_all};
use super::stop::end;
use crate::actors::judge::Proposal;
use crate::actors::live::{Failed, Live};
use crate::actors::recorder::{RecordError, record};
use crate::domain::names::ChannelName;
use crate::domain::observation::Observation;
use crate::domain::time::Moment;

/// A discovered channel that nobody has come to for so long is forgotten: it is unwatched until it is discovered again.
const DORMANT_FOR: Duration = Duration::from_secs(86_400);

/// So many channels may be dormant; what empties beyond is unwatched until it is discovered again.
const MAX_DORMANT: usize = 100_000;

/// A dormant channel is in a gap after so many intervals without a good discovery.
const DISCOVERIES: u32 = 3;

impl Supervisor {
    /// Leaves channels in which nobody is to the discoveries.
    pub(super) fn retire(&mut self, names: Vec<ChannelName>, ctx: &mut Context<Self>) {
        let dormant = self.channels.values().filter(|place| place.is_dormant()).count();
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
    pub(super) fn blind_dormant(&mut self, failed: &Arc<Failed>, ctx: &mut Context<Self>) {
        let now = self.clock().now();
        let mut news = Vec::new();
        for live in self.dormant() {
            live.failed(failed);
            let overdue = live.channel.read().overdue(now);
            news.extend(overdue.map(|changes| self.parts.judge.propose(&live, None, changes)));
        }
        self.record_dormant(news, ctx);
    }

    /// A discovery did not list them: nobody is in the dormant channels. Where that must be recorded (a gap has opened
    /// meanwhile, or something comes of it for an alert), it is; one that is long forgotten is let go.
    pub(super) fn confirm_dormant(
        &mut self,
        moment: Moment,
        listed: &[ChannelName],
        ctx: &mut Context<Self>,
    ) {
        let listed: hashbrown::HashSet<&ChannelName> = listed.iter().collect();
        let (mut news, mut forget) = (Vec::new(), Vec::new());
        let patience = self.patience();
        let nobody = Observation::of_nobody(moment);
        for live in self.dormant().filter(|live| !listed.contains(&live.name)) {
            if self.is_forgotten(&live.name) {
                forget.push(live.name.clone());
                continue;
            }
            let changes = live.channel.read().changes(&nobody);
            // A stale one changes nothing.
            let Ok(changes) = changes else { continue };
            if changes.is_repeat() && live.alarms.read().may_skip(&nobody) {
                let mut channel = live.channel.write();
                channel.confirm(&nobody);
                channel.be_patient(patience);
            } else {
                news.push(self.parts.judge.propose(&live, Some(nobody.clone()), changes));
            }
        }
        self.record_dormant(news, ctx);
        self.let_go(forget, ctx);
    }

    /// The dormant channels of which nothing is being recorded.
    fn dormant(&self) -> impl Iterator<Item = Arc<Live>> {
        let dormant = self.channels.iter().filter(|(_, place)| matches!(place, Place::Dormant { .. }));
        dormant.filter_map(|(name, _)| self.parts.registry.get(name))
    }

    /// Whether nobody has come to a dormant channel for very long.
    fn is_forgotten(&self, name: &ChannelName) -> bool {
        let place = self.channels.get(name);
        matches!(place, Some(Place::Dormant { since }) if since.elapsed() > DORMANT_FOR)
    }

    /// Has it recorded what became of channels without an actor.
    pub(super) fn record_dormant(&mut self, news: Vec<Proposal>, ctx: &mut Context<Self>) {
        let mut records = Vec::with_capacity(news.len());
        for proposal in news {
            let name = &proposal.entry.channel;
            let Some(live) = self.parts.registry.get(name) else { continue };
            let Some(Place::Dormant { since }) = self.channels.get(name) else { continue };
            if proposal.is_idle() {
                live.committed(&proposal);
                live.channel.write().be_patient(self.patience());
                continue;
            }
            let place = Place::Recording { since: *since };
            self.channels.insert(name.clone(), place);
            live.committing.store(true, Ordering::Relaxed);
            let (recorder, entry) = (self.recorder.clone(), proposal.entry.clone());
            records.push(async move { (live, record(&recorder, entry).await, proposal) });
        }
        if !records.is_empty() {
            ctx.spawn(join_all(records).into_actor(self).map(|done, supervisor, ctx| {
                for (live, result, proposal) in done {
                    supervisor.recorded(&live, result, &proposal, ctx);
                }
            }));
        }
    }

    /// What became of a dormant channel is recorded, or cannot be: then the next discovery tries again.
    fn recorded(
        &mut self,
        live: &Live,
        result: Result<(), RecordError>,
        proposal: &Proposal,
        ctx: &mut Context<Self>,
    ) {
        live.committing.store(false, Ordering::Relaxed);
        let name = &live.name;
        if result.is_ok() {
            live.committed(proposal);
        }
        if self.stopping {
            return match result {
                Ok(()) | Err(RecordError::Unavailable) => self.stop_late(live, ctx),
                // Told as after a crash.
                Err(RecordError::Conflict | RecordError::Lost) => self.give_up([name].into_iter()),
            };
        }
        let Some(Place::Recording { since }) = self.channels.get(name) else { return };
        let place = Place::Dormant { since: *since };
        self.channels.insert(name.clone(), place);
        if let Err(RecordError::Conflict | RecordError::Lost) = result {
            self.parts.watchlist.take_up(name);
            self.load(vec![name.clone()], ctx);
        } else {
            self.settle(vec![name.clone()], ctx);
        }
    }

    /// How long it may take until a discovery observes a dormant channel again.
    pub(super) fn patience(&self) -> Duration {
        self.parts.discover_interval.saturating_mul(DISCOVERIES)
    }

    /// A channel that was just loaded is left to the discoveries if a pattern had found it before adsum started, and nobody
    /// was there when it was last observed, nor at the first discovery since, if there was one.
    pub(super) fn leave_what_was_found(&mut self, live: &Live) {
        let taken_up = self.taken_up.remove(&live.name);
        let channel = live.channel.read();
        let vacant = channel.run().is_some() && channel.is_vacant();
        let listed = self.discovered.as_ref().is_some_and(|found| found.channels.contains(&live.name));
        if taken_up && vacant && !listed {
            self.parts.watchlist.leave_to_discoveries(&live.name);
        }
    }
}
