//! `adsum run`: the daemon.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use super::lock::Lock;
use super::parts;
use super::reach::warn_of_unreachable;
use super::secrets;
use super::until::Signals;
use crate::actors::clock::{Clock, wall_time};
use crate::actors::handle::{self, Adsum, Parts};
use crate::api::{Api, ApiHandle, ApiSettings};
use crate::config::{Config, Findings};
use crate::history::sqlite::Sqlite;
use crate::history::{History, HistoryError};
use crate::pubnub::Client;
use crate::states::States;

/// A wall clock that is behind the record by no more than this is taken to have been slewed.
const CLOCK_BEHIND: std::time::Duration = std::time::Duration::from_secs(5);

/// A running daemon: its moving parts and its API.
pub struct Daemon {
    adsum: Adsum,
    client: Client,
    config: Config,
    api: ApiHandle,
    address: SocketAddr,
    serving: JoinHandle<std::io::Result<()>>,
    _lock: Lock,
}

/// Runs the daemon until a signal stops it. `reload` reads the configuration again when a SIGHUP asks for it.
///
/// # Errors
/// It cannot start, cannot go on, or cannot stop in order.
pub async fn run(config: Config, reload: impl Fn() -> Result<Config, Findings>) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let mut daemon = Daemon::start(config).await?;
    println!("adsum: http://{}", daemon.address());
    let mut look = tokio::time::interval(secrets::EVERY);
    loop {
        tokio::select! {
            ended = daemon.ended() => return ended,
            hangup = signals.reload_or_stop() => {
                if !hangup {
                    return daemon.stop(signals).await;
                }
                match reload() {
                    Ok(config) => daemon.reconfigure(config).await,
                    Err(findings) => refused(&findings),
                }
            }
            _ = look.tick() => daemon.read_secrets_again(),
        }
    }
}

fn refused(why: &dyn std::fmt::Display) {
    let why = why.to_string().lines().collect::<Vec<_>>().join("; ");
    error!(why, "the configuration was read again and is refused; nothing changes");
}

impl Daemon {
    /// Starts every part.
    ///
    /// # Errors
    /// The history is in use or unreadable, or the API cannot listen. Nothing is left running.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let listen = config.server.listen;
        // Before anything is made on disk; the API itself listens once it has something to say.
        drop(TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?);
        let lock = Lock::take(&config.history.path)?;
        let client = Client::new(parts::client_config(&config)?)?;
        let alerting = parts::alerting(&config, listen)?;
        let settings = parts::settings(&config, client.channel_budget(), alerting);
        let (history, states) = open(&config).await?;
        let source = Arc::new(client.clone());
        let clock = clock(&history)?;
        let adsum = handle::start(settings, Parts { source, history, states, clock }).await?;
        let api = match listening(&config, &adsum) {
            Ok(api) => api,
            Err(error) => {
                adsum.stop().await;
                return Err(error);
            }
        };
        info!(address = %api.local_addr(), "serving");
        let (address, handle) = (api.local_addr(), api.handle());
        let serving = tokio::task::spawn_local(api.run());
        tokio::task::spawn_local(warn_of_unreachable(config.alerting.notifiers.clone()));
        Ok(Self { adsum, client, config, api: handle, address, serving, _lock: lock })
    }

    /// Takes a configuration that was read again: what is watched and how, the alerts and who is told, and the token.
    /// Channels that stay have no gap. Everything else waits for a restart, and the log says so.
    async fn reconfigure(&mut self, config: Config) {
        let alerting = match parts::alerting(&config, self.address) {
            Ok(alerting) => alerting,
            Err(error) => return refused(&error),
        };
        let watch = config.watch.clone();
        if let Err(error) = self.adsum.reconfigure(watch.channels, watch.groups, watch.policies).await {
            return refused(&error);
        }
        self.adsum.set_alerting(alerting);
        self.client.set_auth_token(config.pubnub.auth_token.as_ref().map(|token| token.value().clone()));
        if parts::differ_for_good(&config, &self.config) {
            warn!(
                "what is watched, the alerts and the PubNub token are taken at once; the rest of the change waits for a \
                 restart"
            );
        }
        info!("the configuration was read again");
        let known = &self.config.alerting.notifiers;
        let new = config.alerting.notifiers.iter().filter(|notifier| !known.contains(notifier)).cloned();
        tokio::task::spawn_local(warn_of_unreachable(new.collect()));
        self.config = config;
    }

    /// Tokens live 30 days at most, and receivers change their secrets, so their files are looked at again and again.
    fn read_secrets_again(&mut self) {
        let token = secrets::again(self.config.pubnub.auth_token.as_ref());
        self.client.set_auth_token(token.as_ref().map(|token| token.value().clone()));
        self.config.pubnub.auth_token = token;
        let notifiers = secrets::again_of_all(&self.config.alerting.notifiers);
        if notifiers == self.config.alerting.notifiers {
            return;
        }
        self.config.alerting.notifiers = notifiers;
        match parts::alerting(&self.config, self.address) {
            Ok(alerting) => {
                self.adsum.set_alerting(alerting);
                info!("the secrets of notifiers were read again");
            }
            Err(error) => error!(%error, "the secrets of notifiers cannot be taken"),
        }
    }

    /// The way to the record.
    pub fn adsum(&self) -> &Adsum {
        &self.adsum
    }

    /// Where the API listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the daemon cannot go on, which need never be.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn ended(&mut self) -> anyhow::Result<()> {
        tokio::select! {
            ended = &mut self.serving => {
                ended??;
                bail!("the API ended by itself")
            }
            () = self.adsum.failure() => bail!("too many parts of adsum died"),
        }
    }

    /// Stops in order: the API first, then observing, then the record.
    ///
    /// # Errors
    /// It took too long, or a second signal forced the end.
    pub async fn stop(self, signals: Signals) -> anyhow::Result<()> {
        info!("stopping");
        self.api.stop();
        signals.while_stopping(self.adsum.stop()).await
    }
}

/// Listens. Which port is a free one is known only then, and messages about alerts say how to come here.
fn listening(config: &Config, adsum: &Adsum) -> anyhow::Result<Api> {
    let listen = config.server.listen;
    let api = ApiSettings { listen, tokens: config.server.tokens.values().to_vec() };
    let api = Api::bind(&api, adsum.clone()).with_context(|| format!("cannot listen on {listen}"))?;
    if api.local_addr() != listen {
        adsum.set_alerting(parts::alerting(config, api.local_addr())?);
    }
    Ok(api)
}

/// Opens the history and the known states, where blocking is allowed.
async fn open(config: &Config) -> anyhow::Result<(Arc<dyn History>, Arc<States>)> {
    let (history, states) = (config.history.path.clone(), config.state.path.clone());
    tokio::task::spawn_blocking(move || {
        let opened = Sqlite::open(&history).map_err(|error| match error {
            // The only one that does not name the file itself.
            HistoryError::TooNew { .. } => anyhow::Error::new(error).context(history.display().to_string()),
            error => error.into(),
        });
        let history: Arc<dyn History> = Arc::new(opened?);
        let (states, _rebuilt) = States::open_or_rebuild(&states)?;
        Ok((history, Arc::new(states)))
    })
    .await?
}

/// A clock that goes on from the newest of the record.
///
/// # Errors
/// The wall clock is behind the record: it is wrong, or was when the record was made. Nothing could be compared.
fn clock(history: &Arc<dyn History>) -> anyhow::Result<Clock> {
    let (newest, now) = (history.newest()?, wall_time());
    if let Some(newest) = newest.filter(|newest| newest.since(now) > CLOCK_BEHIND) {
        bail!("the clock says {now}, but the history goes on to {newest}: set the clock");
    }
    Ok(Clock::system(newest))
}
