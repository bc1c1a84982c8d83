//! How a running command ends: a first signal asks for an orderly stop, a second one or a deadline forces it.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::FutureExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::warn;

/// An orderly stop may take so long.
const STOP_WITHIN: Duration = Duration::from_secs(4);

/// A signal that is sent to a process and to its group arrives twice; within so long it is one.
const SAME_SIGNAL: Duration = Duration::from_millis(500);

/// The signals a command listens to, from the moment this is made on: none is missed between two waits.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// Listens.
    ///
    /// # Errors
    /// The system does not let signals be caught.
    pub fn listen() -> anyhow::Result<Self> {
        let catch = |kind| signal(kind).context("signals cannot be caught");
        Ok(Self {
            interrupt: catch(SignalKind::interrupt())?,
            terminate: catch(SignalKind::terminate())?,
            hangup: catch(SignalKind::hangup())?,
        })
    }

    /// Waits for SIGINT (Ctrl-C) or SIGTERM.
    pub async fn stop(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Waits for SIGHUP, or for what [`Signals::stop`] waits for; whether it was a SIGHUP.
    pub(super) async fn reload_or_stop(&mut self) -> bool {
        tokio::select! {
            _ = self.interrupt.recv() => false,
            _ = self.terminate.recv() => false,
            _ = self.hangup.recv() => true,
        }
    }

    /// Waits for a second signal.
    async fn again(&mut self) {
        tokio::time::sleep(SAME_SIGNAL).await;
        // Whatever came until now belongs to the first.
        let _ = self.stop().now_or_never();
        self.stop().await;
    }

    /// Carries out an orderly stop.
    ///
    /// # Errors
    /// It took too long, or a second signal forced the end. What was not recorded then is told as after a crash.
    pub(super) async fn while_stopping(mut self, orderly: impl Future<Output = ()>) -> anyhow::Result<()> {
        tokio::select! {
            () = orderly => Ok(()),
            () = tokio::time::sleep(STOP_WITHIN) => bail!("the stop took longer than {STOP_WITHIN:?}"),
            () = self.again() => {
                warn!("stopped at once");
                bail!("a second signal forced the end");
            }
        }
    }
}
