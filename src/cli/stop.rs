//! Signals that end a command.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Waits until SIGINT (Ctrl-C) or SIGTERM asks the command to end.
///
/// # Errors
///
/// The system does not let signals be caught.
pub(super) async fn requested() -> io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
