//! `adsum alerts`: alerts, what became of them, and who was told. One file for each of its commands.

mod deliveries;
mod delivery;
mod history;
mod list;
mod redeliver;

use clap::{Args, Subcommand};

use super::backtest::Backtest;
use super::failure::Failure;

/// List the alerts that are pending or fire, and what became of them
///
/// Without a command: as `adsum alerts list`. SINCE is the window in which the condition began to hold. MUTED is the silence
/// because of which nobody was told.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  adsum alerts
  adsum alerts --state firing --json
  adsum alerts history --rule crowded --from -24h
  adsum alerts deliveries --status failed
  adsum alerts redeliver --failed --notifier ops
  adsum alerts backtest crowded --config adsum.toml --from -7d"
)]
pub(super) struct Alerts {
    #[command(subcommand)]
    command: Option<AlertsCommand>,
    #[command(flatten)]
    list: list::List,
}

#[derive(Debug, Subcommand)]
enum AlertsCommand {
    List(list::List),
    History(history::History),
    Deliveries(deliveries::Deliveries),
    Delivery(delivery::Delivery),
    Redeliver(redeliver::Redeliver),
    Backtest(Backtest),
}

impl Alerts {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self.command {
            None => self.list.run().await,
            Some(AlertsCommand::List(command)) => command.run().await,
            Some(AlertsCommand::History(command)) => command.run().await,
            Some(AlertsCommand::Deliveries(command)) => command.run().await,
            Some(AlertsCommand::Delivery(command)) => command.run().await,
            Some(AlertsCommand::Redeliver(command)) => command.run().await,
            Some(AlertsCommand::Backtest(command)) => command.run(),
        }
    }
}
