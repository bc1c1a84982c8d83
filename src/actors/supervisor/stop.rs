//! Stopping everything in order.

use std::sync::Arc;

use actix::prelude::*;
use futures_util::future::join_all;
use tokio::sync::oneshot;
use tracing::warn;

use super::Supervisor;
use crate::actors::channel::{ChannelActor, End};
use crate::actors::poller::Halt;
use crate::domain::gap::GapReason;

/// Stop everything in order. Answers when the record is complete.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Stop;

/// Ends one channel; a channel that is gone has nothing to end.
pub(super) async fn end(channel: Addr<ChannelActor>, reason: GapReason) {
    let (done, ended) = oneshot::channel();
    if channel.send(End { reason, done }).await.is_ok() {
        let _ = ended.await;
    }
}

impl Handler<Stop> for Supervisor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Stop, _: &mut Self::Context) -> Self::Result {
        self.stopping = true;
        let poller = self.poller.get();
        let ends: Vec<_> =
            self.channels.values().map(|channel| end(channel.clone(), GapReason::Stopped)).collect();
        let states = Arc::clone(&self.parts.states);
        Box::pin(async move {
            if let Some(poller) = poller {
                let _ = poller.send(Halt).await;
            }
            join_all(ends).await;
            match tokio::task::spawn_blocking(move || states.flush()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    warn!(%error, "the known states were not flushed; they are rebuilt when needed");
                }
                Err(error) => {
                    warn!(%error, "the known states were not flushed; they are rebuilt when needed");
                }
            }
        })
    }
}
