//! `adsum origin`: only the embedded Presence API server.

use anyhow::Context as _;
use tracing::info;

use super::parts;
use super::until::Signals;
use crate::config::Config;
use crate::origin::Origin;

/// Runs the embedded origin until a signal stops it.
///
/// # Errors
/// It cannot listen, or fails.
pub async fn origin(config: Config) -> anyhow::Result<()> {
    // Before anybody is told that it runs, so that whoever stops it at once stops it in order.
    let mut signals = Signals::listen()?;
    let listen = config.origin.listen;
    let origin = Origin::bind(parts::origin_settings(&config))
        .with_context(|| format!("cannot listen on {listen}"))?;
    println!("origin: http://{}", origin.local_addr());
    let handle = origin.handle();
    let mut running = tokio::task::spawn_local(origin.run());
    tokio::select! {
        ended = &mut running => return Ok(ended??),
        () = signals.stop() => {}
    }
    info!("stopping");
    handle.stop();
    signals.while_stopping(async { drop(running.await) }).await
}
