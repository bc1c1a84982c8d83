//! `adsum origin`: only the embedded Presence API server.

use clap::Args;

use super::connection::ConfigFile;
use super::failure::Failure;
use crate::config::Override;

/// Serve a Presence API like PubNub's, for tests and trials
///
/// PubNub's SDKs work against it when they are given its address as their origin. It takes any subscribe key and keeps presence
/// in memory only.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum origin
  adsum origin --listen 127.0.0.1:9000
  ADSUM__ORIGIN__HERE_NOW_CACHE=0s adsum origin")]
pub(super) struct Origin {
    /// The address it listens on [default: origin.listen, 127.0.0.1:8090]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    #[command(flatten)]
    config: ConfigFile,
}

impl Origin {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let listen = self.listen.as_deref().map(|text| Override::text("--listen", "origin.listen", text));
        let config = self.config.load(listen.into_iter().collect())?;
        Ok(crate::app::origin(config).await?)
    }
}
