//! `adsum demo`: everything at once.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use crate::app::DemoOptions;

/// Try adsum with no account: a server, simulated users, the daemon and its API
///
/// Prints its addresses, commands to try in another terminal, and a live log. Runs until Ctrl-C.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  adsum demo
  adsum demo --data-dir demo-data     keeps the history, and goes on with it next time")]
pub struct Demo {
    /// Where to keep the history [default: a folder that is deleted in the end]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The address of the API [default: 127.0.0.1:8080, or a free port]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// The address of the Presence API server [default: 127.0.0.1:8090, or a free port]
    #[arg(long, value_name = "ADDRESS")]
    origin_listen: Option<SocketAddr>,
}

impl Demo {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let Self { data_dir, listen, origin_listen } = self;
        Ok(crate::app::demo(DemoOptions { data_dir, listen, origin_listen }).await?)
    }
}
