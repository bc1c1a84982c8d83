//! `adsum run`: the daemon.

use std::sync::Arc;

use anyhow::Context as _;
use tracing::{info, warn};

use super::lock::Lock;
use super::{parts, until};
use crate::actors::clock::Clock;
use crate::actors::handle::{self, Adsum, Parts};
use crate::api::{Api, ApiHandle, ApiSettings};
use crate::config::Config;
use crate::history::History;
use crate::history::sqlite::Sqlite;
use crate::pubnub::Client;
use crate::states::States;

/// A running daemon: its moving parts and its API.
pub struct Daemon {
    adsum: Adsum,
    api: ApiHandle,
    address: std::net::SocketAddr,
    serving: tokio::task::JoinHandle<std::io::Result<()>>,
    _lock: Lock,
}

/// Runs the daemon until a signal stops it.
///
/// # Errors
/// It cannot start, cannot go on, or cannot stop in order.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let mut daemon = Daemon::start(&config).await?;
    println!("adsum: http://{}/v1", daemon.address());
    daemon.wait().await?;
    daemon.stop().await
}

impl Daemon {
    /// Starts every part.
    ///
    /// # Errors
    /// The history is in use or unreadable, or the API cannot listen. Nothing is left running.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        let lock = Lock::take(&config.history.path)?;
        let client = Client::new(parts::client_config(config)?)?;
        let address = client.channel_budget().saturating_sub(parts::TOKEN_ROOM);
        let settings = parts::settings(config, address)?;
        let (history, states) = open(config).await?;
        let source = Arc::new(client);
        let adsum =
            handle::start(settings, Parts { source, history, states, clock: Clock::system() }).await?;
        let listen = config.server.listen;
        let api = ApiSettings { listen, tokens: config.server.tokens.values().to_vec() };
        let api = Api::bind(&api, adsum.clone()).with_context(|| format!("cannot listen on {listen}"));
        let api = match api {
            Ok(api) => api,
            Err(error) => {
                adsum.stop().await;
                return Err(error);
            }
        };
        info!(address = %api.local_addr(), "serving");
        let (address, handle) = (api.local_addr(), api.handle());
        Ok(Self { adsum, api: handle, address, serving: tokio::task::spawn_local(api.run()), _lock: lock })
    }

    /// The way to the record.
    pub fn adsum(&self) -> &Adsum {
        &self.adsum
    }

    /// Where the API listens.
    pub fn address(&self) -> std::net::SocketAddr {
        self.address
    }

    /// Waits for a signal.
    ///
    /// # Errors
    /// The daemon cannot go on.
    pub async fn wait(&mut self) -> anyhow::Result<()> {
        tokio::select! {
            signal = until::signalled() => signal,
            ended = &mut self.serving => {
                ended??;
                anyhow::bail!("the API ended by itself")
            }
            () = self.adsum.failure() => anyhow::bail!("too many parts of adsum died"),
        }
    }

    /// Stops in order: the API first, then observing, then the record.
    ///
    /// # Errors
    /// See [`until::stop`].
    pub async fn stop(self) -> anyhow::Result<()> {
        info!("stopping");
        self.api.stop();
        until::stop(self.adsum.stop()).await
    }
}

/// Opens the history and the known states, where blocking is allowed.
async fn open(config: &Config) -> anyhow::Result<(Arc<dyn History>, Arc<States>)> {
    let (history, states) = (config.history.path.clone(), config.state.path.clone());
    tokio::task::spawn_blocking(move || {
        let history: Arc<dyn History> = Arc::new(Sqlite::open(&history)?);
        let (states, rebuilt) = States::open_or_rebuild(&states)?;
        if rebuilt {
            warn!("the known states were damaged; they are made anew from the history");
        }
        Ok((history, Arc::new(states)))
    })
    .await?
}
