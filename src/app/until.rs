//! How a running command ends: a first signal asks for an orderly stop, a second one or a deadline forces it.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};
use tracing::warn;

/// An orderly stop may take so long.
pub(super) const STOP_WITHIN: Duration = Duration::from_secs(4);

/// Waits for SIGINT (Ctrl-C) or SIGTERM.
///
/// # Errors
/// The system does not let signals be caught.
pub async fn signalled() -> anyhow::Result<()> {
    let catch = |kind| signal(kind).context("signals cannot be caught");
    let (mut interrupt, mut terminate) = (catch(SignalKind::interrupt())?, catch(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Carries out an orderly stop.
///
/// # Errors
/// It took too long, or a second signal forced the end. What was not recorded then is told as after a crash.
pub(super) async fn stop(orderly: impl Future<Output = ()>) -> anyhow::Result<()> {
    tokio::select! {
        () = orderly => Ok(()),
        () = tokio::time::sleep(STOP_WITHIN) => bail!("the stop took longer than {STOP_WITHIN:?}"),
        second = signalled() => {
            second?;
            warn!("stopped at once");
            bail!("a second signal forced the end");
        }
    }
}
