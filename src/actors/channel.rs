//! The actor of one watched channel: it hears of what changed, has it recorded, and notices when nothing is seen.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;
use tracing::warn;

use super::clock::Clock;
use super::live::Live;
use super::poller::{Poller, Release, Unwatch};
use super::recorder::{RecordError, Recorder, record};
use super::seat::{Obituary, Seat};
use super::supervisor::Child;
use crate::domain::channel::Changes;
use crate::domain::gap::GapReason;
use crate::domain::observation::Observation;
use crate::history::Entry;

/// One watched channel.
pub struct ChannelActor {
    live: Arc<Live>,
    recorder: Seat<Recorder>,
    poller: Seat<Poller>,
    clock: Clock,
    committing: bool,
    /// What was observed while a gap was being committed.
    waiting: Option<Observation>,
    ending: Option<(GapReason, oneshot::Sender<()>)>,
    _obituary: Obituary<Child>,
}

/// The channel was observed, and not as before. It is not asked for again until it releases itself at the poller.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Observed(pub Observation);

/// No longer look at the channel, for this reason. Answers once that is recorded, or cannot be.
#[derive(Message)]
#[rtype(result = "()")]
pub struct End {
    /// `Stopped` or `Unwatched`.
    pub reason: GapReason,
    /// Hears when it is done.
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
            _obituary: obituary,
        }
    }

    fn commit(&mut self, commit: Commit, ctx: &mut Context<Self>) {
        self.committing = true;
        let entry = Entry { channel: self.live.name.clone(), changes: commit.changes().clone() };
        let recorder = self.recorder.clone();
        let work = async move { record(&recorder, entry).await };
        ctx.spawn(work.into_actor(self).map(move |result, actor, ctx| {
            actor.committing = false;
            match result {
                Ok(()) => actor.committed(&commit),
                Err(RecordError::Unavailable) => {
                    actor.live.channel.write().failed(GapReason::HistoryUnavailable);
                }
                Err(error @ (RecordError::Conflict | RecordError::Lost)) => {
                    warn!(channel = %actor.live.name, %error, "loading the channel again from the history");
                    return ctx.stop();
                }
            }
            actor.go_on(&commit, ctx);
        }));
    }

    fn committed(&self, commit: &Commit) {
        let mut channel = self.live.channel.write();
        match commit {
            Commit::Observation(seen, changes) => channel.apply(seen, changes),
            Commit::Gap(changes) | Commit::End(changes) => channel.take_gaps(&changes.gaps),
        }
    }

    /// After a commit, or a failed one: what came meanwhile, or the next look.
    fn go_on(&mut self, commit: &Commit, ctx: &mut Context<Self>) {
        if let Commit::End(_) = commit {
            self.end(ctx);
        } else if self.ending.is_some() {
            self.begin_end(ctx);
        } else if let Some(seen) = self.waiting.take() {
            self.observed(seen, ctx);
        } else if let Commit::Observation(seen, _) = commit {
            self.release(seen, ctx);
        }
    }

    fn release(&self, seen: &Observation, ctx: &mut Context<Self>) {
        let release = Release { channel: self.live.name.clone(), received: seen.moment.latest };
        self.tell_poller(release, ctx);
    }

    /// Waits for room at the poller. If it is gone, its successor will ask for the channel anyway.
    fn tell_poller<M>(&self, message: M, ctx: &mut Context<Self>)
    where
        M: Message<Result = ()> + Send + 'static,
        Poller: Handler<M>,
    {
        if let Some(poller) = self.poller.get() {
            ctx.spawn(
                async move {
                    let _ = poller.send(message).await;
                }
                .into_actor(self),
            );
        }
    }

    fn observed(&mut self, seen: Observation, ctx: &mut Context<Self>) {
        if self.ending.is_some() {
            return;
        }
        if self.committing {
            self.waiting = Some(seen);
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

    /// Looks whether a gap has opened, and when to look again.
    fn look_for_gap(&mut self, ctx: &mut Context<Self>) {
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
        ctx.run_later(wait, Self::look_for_gap);
    }

    fn begin_end(&mut self, ctx: &mut Context<Self>) {
        let Some((reason, _)) = &self.ending else { return };
        let changes = self.live.channel.read().stop(self.clock.now(), *reason);
        self.commit(Commit::End(changes), ctx);
    }

    fn end(&mut self, ctx: &mut Context<Self>) {
        if let Some((_, done)) = self.ending.take() {
            // Who does not wait any more need not hear.
            let _ = done.send(());
        }
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

impl Handler<End> for ChannelActor {
    type Result = ();

    fn handle(&mut self, End { reason, done }: End, ctx: &mut Self::Context) {
        self.tell_poller(Unwatch(self.live.name.clone()), ctx);
        self.ending = Some((reason, done));
        if !self.committing {
            self.begin_end(ctx);
        }
    }
}
