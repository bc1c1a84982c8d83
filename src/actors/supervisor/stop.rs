//! Stopping everything in order.

use std::sync::Arc;

use actix::prelude::*;
use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, join, join_all};
use tokio::sync::oneshot;
use tracing::warn;

use super::Supervisor;
use super::place::Place;
use crate::actors::channel::{ChannelActor, End};
use crate::actors::courier;
use crate::actors::live::Live;
use crate::actors::poller::Halt;
use crate::actors::recorder::record;
use crate::domain::gap::GapReason;
use crate::domain::names::ChannelName;

/// Stop everything in order. Answers when the record is complete.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Stop;

/// Ends one channel; a channel that is gone has nothing to end.
pub(super) async fn end(channel: Addr<ChannelActor>, gap: Option<GapReason>) {
    let (done, ended) = oneshot::channel();
    if channel.send(End { gap, done }).await.is_ok() {
        let _ = ended.await;
    }
}

impl Supervisor {
    /// Records that a channel without an actor is stopped. What is not recorded is told as after a crash.
    pub(super) fn record_stop(&self, live: &Live) -> impl Future<Output = ()> + use<> {
        let changes = live.channel.read().stop(self.clock().now(), GapReason::Stopped);
        let entry = self.parts.judge.propose(live, None, changes).entry;
        let recorder = self.recorder.clone();
        async move {
            let _ = record(&recorder, entry).await;
        }
    }

    /// What must happen to a channel before adsum ends.
    fn stop(&self, name: &ChannelName, place: &Place) -> Option<LocalBoxFuture<'static, ()>> {
        match place {
            // One that was told to end may wait for the history, and does not any more.
            Place::Watched(actor) | Place::Ending { actor, .. } => {
                Some(end(actor.clone(), Some(GapReason::Stopped)).boxed_local())
            }
            Place::Dormant { .. } => {
                let live = self.parts.registry.get(name)?;
                let stop = self.record_stop(&live);
                Some(stop.boxed_local())
            }
            // The history may have begun it, or recorded what became of its alerts: it is stopped when that is known.
            Place::ToLoad | Place::Loading | Place::Recording { .. } => {
                let (done, stopped) = oneshot::channel();
                self.stopping_loads.borrow_mut().insert(name.clone(), done);
                Some(async move { drop(stopped.await) }.boxed_local())
            }
        }
    }
}

impl Handler<Stop> for Supervisor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) -> Self::Result {
        self.stopping = true;
        // What was to be loaded later is loaded now, so that its stop can be recorded.
        let to_load = self.channels.iter().filter(|(_, place)| matches!(place, Place::ToLoad));
        self.load(to_load.map(|(name, _)| name.clone()).collect(), ctx);
        let poller = self.poller.get();
        let ends: Vec<_> = self.channels.iter().filter_map(|(name, place)| self.stop(name, place)).collect();
        let states = Arc::clone(&self.parts.states);
        let (history, clock) = (Arc::clone(&self.parts.recorder.history), self.clock());
        let courier = self.courier.get();
        Box::pin(async move {
            if let Some(poller) = poller {
                let _ = poller.send(Halt).await;
            }
            let ends = join_all(ends);
            match courier {
                Some(courier) => drop(join(ends, courier.send(courier::Halt)).await),
                None => drop(ends.await),
            }
            let finish = move || {
                // How long it is down is told from here. If this cannot be noted, it is told from the last mark.
                let _ = history.alive(clock.now());
                states.flush()
            };
            let flushed = tokio::task::spawn_blocking(finish).await;
            let lost = match flushed {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            warn!(lost, "the known states were not flushed; they are rebuilt when needed");
        })
    }
}
