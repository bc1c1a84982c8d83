//! Dormant channels: nobody is there, and discoveries observe them. They have no actor and are not asked for by name.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::prelude::*;
use futures_util::future::join_all;

use super::Supervisor;
use super::place::{Place, spawn_all};
use super::stop::end;
use crate::actors::live::{Failed, Live};
use crate::actors::recorder::{RecordError, Recorder, record};
use crate::actors::seat::Seat;
use crate::domain::channel::Changes;
use crate::domain::names::ChannelName;
use crate::domain::observation::Observation;
use crate::domain::time::Moment;
use crate::history::Entry;

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
        let mut gaps = Vec::new();
        for (name, place) in &self.channels {
            let (Place::Dormant { .. }, Some(live)) = (place, self.parts.registry.get(name)) else {
                continue;
            };
            live.failed(failed);
            let overdue = live.channel.read().overdue(now);
            if let Some(changes) = overdue {
                gaps.push(record_gaps(self.recorder.clone(), live, changes));
            }
        }
        spawn_all(gaps, self, ctx);
    }

    /// A discovery did not list them: nobody is in the dormant channels. Where that must be recorded (a gap has opened
    /// meanwhile), it is; one that is long forgotten is let go.
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
        for (name, place) in &mut self.channels {
            let Place::Dormant { since } = place else { continue };
            if listed.contains(name) {
                continue;
            }
            let Some(live) = self.parts.registry.get(name) else { continue };
            if since.elapsed() > DORMANT_FOR {
                forget.push(name.clone());
                continue;
            }
            let mut channel = live.channel.write();
            match channel.observe(&nobody) {
                Ok(None) => {
                    channel.confirm(&nobody);
                    channel.be_patient(patience);
                }
                Ok(Some(changes)) => {
                    live.committing.store(true, Ordering::Relaxed);
                    *place = Place::Recording { since: *since };
                    drop(channel);
                    news.push(record_nobody(self.recorder.clone(), live, changes));
                }
                Err(_stale) => {}
            }
        }
        if !news.is_empty() {
            ctx.spawn(join_all(news).into_actor(self).map(move |done, supervisor, ctx| {
                for (live, result) in done {
                    supervisor.recorded(&live, &nobody, result.as_ref().map_err(|error| *error), ctx);
                }
            }));
        }
        self.let_go(forget, ctx);
    }

    /// What a discovery observed of a dormant channel is recorded, or cannot be: then the next discovery tries again.
    fn recorded(
        &mut self,
        live: &Live,
        nobody: &Observation,
        result: Result<&Changes, RecordError>,
        ctx: &mut Context<Self>,
    ) {
        live.committing.store(false, Ordering::Relaxed);
        let name = &live.name;
        if let Ok(changes) = result {
            live.channel.write().apply(nobody, changes);
        }
        let Some(Place::Recording { since }) = self.channels.get(name) else { return };
        let place = Place::Dormant { since: *since };
        self.channels.insert(name.clone(), place);
        if let (Err(RecordError::Conflict | RecordError::Lost), false) = (result, self.stopping) {
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

/// Has it recorded that nobody is in a channel without an actor.
async fn record_nobody(
    recorder: Seat<Recorder>,
    live: Arc<Live>,
    changes: Changes,
) -> (Arc<Live>, Result<Changes, RecordError>) {
    let entry = Entry::new(live.name.clone(), changes.clone());
    let result = record(&recorder, entry).await;
    (live, result.map(|()| changes))
}

/// Has the gaps of a channel without an actor recorded. If they cannot be, the next failure tries again.
async fn record_gaps(recorder: Seat<Recorder>, live: Arc<Live>, changes: Changes) {
    let gaps = changes.gaps.clone();
    if record(&recorder, Entry::new(live.name.clone(), changes)).await.is_ok() {
        live.channel.write().take_gaps(&gaps);
    }
}
