//! The actor of one watched channel: it hears of what changed, has it recorded, and notices when nothing is seen.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;
use tracing::warn;

use super::clock::Clock;
use super::live::Live;
use super::poller::{Poller, Release, Unwatch};
use super::recorder::{RecordError, Recorder, record};
use super::seat::{Ended, Obituary, Seat};
use super::supervisor::Child;
use crate::domain::channel::Changes;
use crate::domain::gap::GapReason;
use crate::domain::observation::Observation;
use crate::history::Entry;

/// The end of a watch that could not be recorded is tried again after so long.
const END_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// One watched channel.
pub struct ChannelActor {
    live: Arc<Live>,
    recorder: Seat<Recorder>,
    poller: Seat<Poller>,
    clock: Clock,
    committing: bool,
    /// What was observed while a gap was being committed.
    waiting: Option<Observation>,
    ending: Option<End>,
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

/// What is being committed.
enum Commit {
    Observation(Observation, Changes),
    Gap(Changes),
    End(Changes),
}

impl Commit {
    fn changes(&self) -> &Changes {
        match self {
            Self::Observation(_, changes) | Self::Gap(changes) | Self::End(changes) => changes,
        }
    }
}

impl Commit {
    fn is_end(&self) -> bool {
        matches!(self, Self::End(_))
    }
}

impl ChannelActor {
    /// The actor of `live`, whose channel the history has.
    pub fn new(
        live: Arc<Live>,
        recorder: Seat<Recorder>,
        poller: Seat<Poller>,
        clock: Clock,
        obituary: Obituary<Child>,
    ) -> Self {
        Self {
            live,
            recorder,
            poller,
            clock,
            committing: false,
            waiting: None,
            ending: None,
            next_look: None,
            obituary,
        }
    }

    fn commit(&mut self, commit: Commit, ctx: &mut Context<Self>) {
        self.set_committing(true);
        let entry = Entry::new(self.live.name.clone(), commit.changes().clone());
        let recorder = self.recorder.clone();
        let work = async move { record(&recorder, entry).await };
        ctx.spawn(work.into_actor(self).map(move |result, actor, ctx| {
            actor.set_committing(false);
            match result {
                Ok(()) => actor.committed(&commit),
                Err(RecordError::Unavailable) => {
                    actor.unrecorded(&commit);
                    if commit.is_end() && actor.must_record_end() {
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
            actor.go_on(&commit, ctx);
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

    fn committed(&self, commit: &Commit) {
        let mut channel = self.live.channel.write();
        match commit {
            Commit::Observation(seen, changes) => channel.apply(seen, changes),
            Commit::Gap(changes) | Commit::End(changes) => channel.take_gaps(&changes.gaps),
        }
    }

    fn unrecorded(&self, commit: &Commit) {
        let mut channel = self.live.channel.write();
        match commit {
            Commit::Observation(seen, _) => channel.unrecorded(seen.moment.latest),
            Commit::Gap(_) | Commit::End(_) => channel.failed(GapReason::HistoryUnavailable),
        }
    }

    /// After a commit, or a failed one: what came meanwhile, or the next look.
    fn go_on(&mut self, commit: &Commit, ctx: &mut Context<Self>) {
        if commit.is_end() {
            self.end(ctx);
        } else if self.ending.is_some() {
            self.begin_end(ctx);
        } else if let Some(seen) = self.waiting.take() {
            self.observed(seen, ctx);
        } else if let Commit::Observation(seen, _) = commit {
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
        let found = self.live.channel.read().observe(&seen);
        match found {
            Ok(Some(changes)) => self.commit(Commit::Observation(seen, changes), ctx),
            Ok(None) => {
                self.live.channel.write().confirm(&seen);
                self.release(&seen, ctx);
            }
            // It was not stale when the poller sent it, so what overtook it is a channel loaded anew.
            Err(_stale) => self.release(&seen, ctx),
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
            self.commit(Commit::Gap(changes), ctx);
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
                self.commit(Commit::End(changes), ctx);
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
