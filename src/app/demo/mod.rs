//! `adsum demo`: everything at once with no account: an origin, people who come and go, the daemon and its API.

mod crowd;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::daemon::Daemon;
use super::until::Signals;
use crate::actors::handle::Adsum;
use crate::config::{Config, Override, Sources};
use crate::domain::alert::{Condition, OnGap, Rule, RuleName, Severity};
use crate::domain::watch::Target;
use crate::origin::{Origin, OriginHandle, OriginSettings};
use crowd::Crowd;

/// The subscribe key of the demo's world.
const SUBSCRIBE_KEY: &str = "demo";

/// How long the demo's origin answers from its cache; adsum is told.
const CACHE: &str = "1s";

/// How often the demo observes.
const INTERVAL: &str = "2s";

/// The name of the demo's rule.
const RULE: &str = "crowded";

/// What the demo is told.
#[derive(Debug, Clone, Default)]
pub struct DemoOptions {
    /// Where to keep the data; a temporary folder if none.
    pub data_dir: Option<PathBuf>,
    /// The address of the API; the default one or a free port if none.
    pub listen: Option<SocketAddr>,
    /// The address of the embedded origin; the default one or a free port if none.
    pub origin_listen: Option<SocketAddr>,
}

/// A running demo.
pub struct Demo {
    daemon: Daemon,
    origin: OriginHandle,
    origin_address: SocketAddr,
    serving: JoinHandle<io::Result<()>>,
    crowd: Crowd,
    data: PathBuf,
    temporary: Option<TempDir>,
}

impl Demo {
    /// Starts everything.
    ///
    /// # Errors
    /// An address that was asked for is taken, or the data folder cannot be used.
    pub async fn start(options: DemoOptions) -> anyhow::Result<Self> {
        let defaults = Config::load(&Sources::default())?;
        let (data, temporary) = data_folder(options.data_dir)?;
        let origin = bind_origin(options.origin_listen, defaults.origin.listen)?;
        let (origin_address, handle) = (origin.local_addr(), origin.handle());
        let serving = tokio::task::spawn_local(origin.run());
        let listen = options.listen.unwrap_or_else(|| free(defaults.server.listen));
        let daemon = Daemon::start(config(&data, origin_address, listen)?).await?;
        let crowd = Crowd::start(&format!("http://{origin_address}"), SUBSCRIBE_KEY)?;
        Ok(Self { daemon, origin: handle, origin_address, serving, crowd, data, temporary })
    }

    /// The way to the record.
    pub fn adsum(&self) -> &Adsum {
        self.daemon.adsum()
    }

    /// Where the API listens.
    pub fn address(&self) -> SocketAddr {
        self.daemon.address()
    }

    /// Where the embedded origin listens.
    pub fn origin_address(&self) -> SocketAddr {
        self.origin_address
    }

    /// The subscribe key of the demo's world.
    pub fn subscribe_key(&self) -> &'static str {
        SUBSCRIBE_KEY
    }

    /// Where the data is, and whether it is deleted in the end.
    pub fn data(&self) -> (&Path, bool) {
        (&self.data, self.temporary.is_some())
    }

    /// How many people there are, and in how many channels.
    pub fn crowd(&self) -> (usize, usize) {
        (crowd::PEOPLE, crowd::CHANNELS.len())
    }

    /// The rule that fires and is over again and again: its name, its channel, and with more than how many it fires.
    pub fn rule(&self) -> (&'static str, &'static str, u32) {
        (RULE, crowd::PARTY, crowd::QUIET)
    }

    /// Waits until a part cannot go on, which need never be.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn ended(&mut self) -> anyhow::Result<()> {
        tokio::select! {
            ended = self.daemon.ended() => ended,
            ended = &mut self.serving => {
                ended??;
                anyhow::bail!("the origin ended by itself")
            }
        }
    }

    /// Stops everything in order.
    ///
    /// # Errors
    /// It took too long, or a second signal forced the end.
    pub async fn stop(self, signals: Signals) -> anyhow::Result<()> {
        drop(self.crowd);
        let stopped = self.daemon.stop(signals).await;
        self.origin.stop();
        stopped
    }
}

fn data_folder(asked: Option<PathBuf>) -> anyhow::Result<(PathBuf, Option<TempDir>)> {
    if let Some(folder) = asked {
        return Ok((folder, None));
    }
    let temporary = tempfile::Builder::new().prefix("adsum-demo-").tempdir();
    let temporary = temporary.context("no temporary folder can be made; give one with --data-dir")?;
    Ok((temporary.path().to_owned(), Some(temporary)))
}

/// Listens where asked, or at the default address, or, if that is taken, at a free port.
fn bind_origin(asked: Option<SocketAddr>, default: SocketAddr) -> anyhow::Result<Origin> {
    let settings = |listen| OriginSettings {
        listen,
        here_now_cache: Duration::from_secs(1),
        ..OriginSettings::default()
    };
    let listen = asked.unwrap_or_else(|| free(default));
    Origin::bind(settings(listen)).with_context(|| format!("cannot listen on {listen}"))
}

/// The address, or one with any free port if it is taken.
fn free(address: SocketAddr) -> SocketAddr {
    let taken = std::net::TcpListener::bind(address).is_err();
    if taken { SocketAddr::new(address.ip(), 0) } else { address }
}

/// The defaults, and what the demo needs over them. The environment and files are none of its business.
fn config(data: &Path, origin: SocketAddr, listen: SocketAddr) -> anyhow::Result<Config> {
    let text = |key, value: &str| Override::text("the demo", key, value);
    let path = |name: &str| {
        let path = data.join(name);
        path.to_str().map(ToOwned::to_owned).with_context(|| format!("{} is not UTF-8", data.display()))
    };
    let channels: Vec<String> = crowd::CHANNELS.iter().map(|name| (*name).to_owned()).collect();
    let flags = vec![
        text("pubnub.subscribe_key", SUBSCRIBE_KEY),
        text("pubnub.origin", &format!("http://{origin}")),
        text("pubnub.cache_ttl", CACHE),
        text("watch.interval", INTERVAL),
        text("history.url", &format!("sqlite:{}", path("history.db")?)),
        text("state.path", &path("state.sled")?),
        text("server.listen", &listen.to_string()),
        Override::list("the demo", "watch.channels", &channels),
    ];
    let mut config = Config::load(&Sources { flags, ..Sources::default() })?;
    config.alerting.rules.push(rule()?);
    Ok(config)
}

/// Nobody is told: it is seen in the log and the API.
fn rule() -> anyhow::Result<Rule> {
    Ok(Rule {
        name: RuleName::new(RULE)?,
        channels: vec![Target::new(crowd::PARTY)?],
        condition: Condition::OccupancyAbove { bound: crowd::QUIET, clear_below: crowd::QUIET - 2 },
        hold_for: Duration::from_secs(4),
        keep_firing_for: Duration::ZERO,
        on_gap: OnGap::default(),
        severity: Severity::default(),
        notify: Vec::new(),
        repeat_every: None,
        send_resolved: true,
    })
}
