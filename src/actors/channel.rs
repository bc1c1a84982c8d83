//! The actor of one watched channel: it hears of what changed, has it recorded, and notices when nothing is seen.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;
use tracing::warn;

use super::clock::Clock;
use super::judge::{Judge, Proposal};
use super::live::Live;
use super::poller::{Poller, Release, Unwatch};
use super::recorder::{RecordError, Recorder, record};
use super::seat::{Ended, Obituary, Seat};
use super::supervisor::Child;
use crate::domain::channel::Changes;
use crate::domain::gap::GapReason;
use crate::domain::observation::Observation;

/// The end of a watch that could not be recorded is tried again after so long.
const END_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// One watched channel.
pub struct ChannelActor {
    live: Arc<Live>,
    judge: Judge,
    recorder: Seat<Recorder>,
    poller: Seat<Poller>,
    clock: Clock,
    committing: bool,
    /// What was observed while a gap was being committed.
    waiting: Option<Observation>,
    ending: Option<End>,
    /// Whether what is being committed is the end.
    end_is_recorded: bool,
    next_look: Option<SpawnHandle>,
    obituary: Obituary<Child>,
}

/// The channel was observed, and not as before. It is not asked for again until it releases itself at the poller.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Observed(pub Observation);

/// Look at once whether a gap has opened: how the channel is watched has changed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct LookForGap;

/// No longer look at the channel.
#[derive(Message)]
#[rtype(result = "()")]
pub struct End {
    /// Why, which is recorded as a gap: `Stopped` or `Unwatched`. `None`: discoveries go on observing it, and there is no
    /// gap.
    pub gap: Option<GapReason>,
    /// Hears when that is recorded, or cannot be.
    pub done: oneshot::Sender<()>,
}

/// Look whether time alone changes its alerts, or another edition of the rules.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Ring;

impl ChannelActor {
    /// The actor of `live`, whose channel the history has.
    pub fn new(
        live: Arc<Live>,
        judge: Judge,
        recorder: Seat<Recorder>,
        poller: Seat<Poller>,
        obituary: Obituary<Child>,
    ) -> Self {
        let clock = judge.clock.clone();
        Self {
            live,
            judge,
            recorder,
            poller,
            clock,
            committing: false,
            waiting: None,
            ending: None,
            end_is_recorded: false,
            next_look: None,
            obituary,
        }
    }

    /// Has changes recorded, and what they and the time do to the alerts. Where nothing is to be written they are taken at
    /// once.
    fn commit(&mut self, seen: Option<Observation>, changes: Changes, ctx: &mut Context<Self>) {
        let proposal = self.judge.propose(&self.live, seen, changes);
        if proposal.is_idle() {
            self.live.committed(&proposal);
            proposal.seen.iter().for_each(|seen| self.release(seen, ctx));
        } else {
            self.record(proposal, ctx);
        }
    }

    fn record(&mut self, proposal: Proposal, ctx: &mut Context<Self>) {
        self.set_committing(true);
        let (recorder, entry) = (self.recorder.clone(), proposal.entry.clone());
        let work = async move { record(&recorder, entry).await };
        ctx.spawn(work.into_actor(self).map(move |result, actor, ctx| {
            actor.set_committing(false);
            match result {
                Ok(()) => actor.live.committed(&proposal),
                Err(RecordError::Unavailable) => {
                    actor.live.uncommitted(&proposal);
                    if actor.end_is_recorded && actor.must_record_end() {
                        actor.end_is_recorded = false;
                        ctx.run_later(END_AGAIN_AFTER, Self::begin_end);
                        return;
                    }
                }
                Err(error @ (RecordError::Conflict | RecordError::Lost)) => {
                    warn!(channel = ?actor.live.name, %error, "loading the channel again from the history");
                    actor.obituary.ends(Ended::ToStartAgain);
                    return ctx.stop();
                }
            }
            actor.go_on(proposal.seen.as_ref(), ctx);
        }));
    }

    fn set_committing(&mut self, committing: bool) {
        self.committing = committing;
        self.live.committing.store(committing, Ordering::Relaxed);
    }

    /// A stop may go unrecorded: then it is a crash. The end of a watch may not: later marks would prove what nobody saw.
    fn must_record_end(&self) -> bool {
        self.ending.as_ref().is_some_and(|end| end.gap == Some(GapReason::Unwatched))
    }

    /// After a commit, or a failed one: what came meanwhile, or the next look.
    fn go_on(&mut self, seen: Option<&Observation>, ctx: &mut Context<Self>) {
        if self.end_is_recorded {
            self.end(ctx);
        } else if self.ending.is_some() {
            self.begin_end(ctx);
        } else if let Some(seen) = self.waiting.take() {
            self.observed(seen, ctx);
        } else if let Some(seen) = seen {
            self.release(seen, ctx);
        }
    }

    /// Lets the channel be asked for again. If the poller is gone, its successor will ask for it anyway.
    fn release(&self, seen: &Observation, ctx: &mut Context<Self>) {
        let Some(poller) = self.poller.get() else { return };
        let release = Release { channel: self.live.name.clone(), received: seen.moment.latest };
        let told = async move {
            let _ = poller.send(release).await;
        };
        ctx.spawn(told.into_actor(self));
    }

    fn observed(&mut self, seen: Observation, ctx: &mut Context<Self>) {
        if self.ending.is_some() {
            return self.forget(&seen);
        }
        if self.committing {
            if let Some(before) = self.waiting.replace(seen) {
                self.forget(&before);
            }
            return;
        }
        let found = self.live.channel.read().changes(&seen);
        match found {
            Ok(changes) => self.commit(Some(seen), changes, ctx),
            // It was not stale when the poller sent it, so what overtook it is a channel loaded anew.
            Err(_stale) => self.release(&seen, ctx),
        }
    }

    /// Judges the alerts though nothing was seen.
    fn ring(&mut self, ctx: &mut Context<Self>) {
        if !self.committing && self.ending.is_none() {
            let unchanged = self.live.channel.read().unchanged();
            self.commit(None, unchanged, ctx);
        }
    }

    /// An observation that nobody will record.
    fn forget(&self, seen: &Observation) {
        self.live.channel.write().unrecorded(seen.moment.latest);
    }

    /// Looks whether a gap has opened, and when to look again.
    fn look_for_gap(&mut self, ctx: &mut Context<Self>) {
        if let Some(look) = self.next_look.take() {
            ctx.cancel_future(look);
        }
        let now = self.clock.now();
        let (overdue, last) = {
            let channel = self.live.channel.read();
            (channel.overdue(now), channel.last().map_or(channel.began, |last| last.latest))
        };
        if let Some(changes) = overdue
            && !self.committing
        {
            self.commit(None, changes, ctx);
        }
        let gap_after = self.live.policy.read().gap_after;
        let left = gap_after.saturating_sub(now.since(last));
        // Just after the moment at which it opens; while one lasts, now and then.
        let wait = if left.is_zero() { gap_after } else { left + Duration::from_millis(1) };
        self.next_look = Some(ctx.run_later(wait, Self::look_for_gap));
    }

    fn begin_end(&mut self, ctx: &mut Context<Self>) {
        let Some(end) = self.ending.as_ref().filter(|_| !self.committing) else { return };
        match end.gap {
            Some(reason) => {
                let changes = self.live.channel.read().stop(self.clock.now(), reason);
                self.end_is_recorded = true;
                self.commit(None, changes, ctx);
            }
            None => self.end(ctx),
        }
    }

    fn end(&mut self, ctx: &mut Context<Self>) {
        if let Some(seen) = self.waiting.take() {
            self.forget(&seen);
        }
        if let Some(end) = self.ending.take() {
            // Who does not wait any more need not hear.
            let _ = end.done.send(());
        }
        self.obituary.ends(Ended::AsTold);
        ctx.stop();
    }
}

impl Actor for ChannelActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.look_for_gap(ctx);
    }
}

impl Handler<Observed> for ChannelActor {
    type Result = ();

    fn handle(&mut self, Observed(seen): Observed, ctx: &mut Self::Context) {
        self.observed(seen, ctx);
    }
}

impl Handler<LookForGap> for ChannelActor {
    type Result = ();

    fn handle(&mut self, _: LookForGap, ctx: &mut Self::Context) {
        self.look_for_gap(ctx);
    }
}

impl Handler<Ring> for ChannelActor {
    type Result = ();

    fn handle(&mut self, _: Ring, ctx: &mut Self::Context) {
        self.ring(ctx);
    }
}

impl Handler<End> for ChannelActor {
    type Result = ();

    fn handle(&mut self, end: End, ctx: &mut Self::Context) {
        self.ending = Some(end);
        let (poller, unwatch) = (self.poller.get(), Unwatch(self.live.name.clone()));
        // First the poller: once this actor has ended, another may have it ask for the channel again.
        let told = async move {
            if let Some(poller) = poller {
                let _ = poller.send(unwatch).await;
            }
        };
        ctx.spawn(told.into_actor(self).map(|(), actor, ctx| actor.begin_end(ctx)));
    }
}
