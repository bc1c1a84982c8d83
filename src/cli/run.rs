//! `adsum run`: the daemon.

use clap::Args;

use super::connection::Connection;
use super::failure::Failure;
use crate::config::{Config, Findings, Override};

/// What the daemon is told by flags.
#[derive(Debug, Args)]
pub(super) struct DaemonFlags {
    /// A channel or pattern to watch; may be given more than once, and replaces watch.channels
    #[arg(long = "channel", value_name = "CHANNEL")]
    channels: Vec<String>,
    /// A channel group to watch; may be given more than once, and replaces watch.groups
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// How often each channel is observed [default: watch.interval, 5s]
    #[arg(long, value_name = "DURATION")]
    interval: Option<String>,
    /// The address the API listens on [default: server.listen, 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

/// Watch channels, keep the record, answer questions
///
/// Runs until Ctrl-C or SIGTERM; SIGHUP reads the configuration again. `adsum check` says beforehand what it would do and
/// cost.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum run --config adsum.toml
  ADSUM__PUBNUB__SUBSCRIBE_KEY=sub-c-… adsum run --channel lobby --channel 'room.*'")]
pub(super) struct Run {
    #[command(flatten)]
    flags: DaemonFlags,
}

impl DaemonFlags {
    /// The configuration with these flags over it, with all that the daemon needs.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, or a missing subscribe key.
    pub(super) fn load(&self) -> Result<Config, Findings> {
        let mut flags = Vec::new();
        if !self.channels.is_empty() {
            flags.push(Override::list("--channel", "watch.channels", &self.channels));
        }
        if !self.groups.is_empty() {
            flags.push(Override::list("--group", "watch.groups", &self.groups));
        }
        let interval =
            self.interval.as_deref().map(|text| Override::text("--interval", "watch.interval", text));
        let listen = self.listen.as_deref().map(|text| Override::text("--listen", "server.listen", text));
        flags.extend(interval.into_iter().chain(listen));
        let config = crate::app::load(&self.connection.sources(flags))?;
        config.subscribe_key()?;
        Ok(config)
    }
}

impl Run {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let load = || self.flags.load();
        Ok(crate::app::run(load()?, load).await?)
    }
}
