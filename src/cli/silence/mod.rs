//! `adsum silence`: for a time nobody is told of some alerts. One file for each of its commands.

mod add;
mod end;
mod list;

use clap::{Args, Subcommand};

use super::failure::Failure;

/// Silence alerts for a time, list silences, end them
///
/// Alerts that are silenced go on as ever, and what was muted is recorded. Without a command: as `adsum silence list`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  adsum silence
  adsum silence add --rule crowded --channel 'room.*' --for 2h --reason \"a fair\"
  adsum silence add --severity info --from 2026-12-01T20:00:00Z --for 8h --reason \"night shift\"
  adsum silence end 3"
)]
pub(super) struct Silence {
    #[command(subcommand)]
    command: Option<SilenceCommand>,
    #[command(flatten)]
    list: list::List,
}

#[derive(Debug, Subcommand)]
enum SilenceCommand {
    List(list::List),
    Add(add::Add),
    End(end::End),
}

impl Silence {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self.command {
            None => self.list.run().await,
            Some(SilenceCommand::List(command)) => command.run().await,
            Some(SilenceCommand::Add(command)) => command.run().await,
            Some(SilenceCommand::End(command)) => command.run().await,
        }
    }
}
