//! The commands, one file each. What a command prints from outside (names, states, messages) is escaped: [`escape`].
#![allow(clippy::doc_markdown, reason = "the doc comments of flags are the help a terminal shows")]

mod alerts;
mod backtest;
mod backup;
mod channels;
mod check;
mod completions;
mod connection;
mod daemon;
mod demo;
mod escape;
mod events;
mod failure;
mod gaps;
mod get_state;
mod here_now;
mod json;
mod occupancy;
mod origin;
mod output;
mod paging;
mod progress;
mod run;
mod set_state;
mod show;
mod silence;
mod sse;
mod table;
mod tail;
mod targets;
mod terminal;
mod test_notify;
mod verify;
mod visits;
mod was;
mod r#where;
mod where_now;
mod who;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use escape::escape;
pub use failure::Failure;

use crate::telemetry::Verbosity;

/// A trustworthy record of presence on PubNub channels
///
/// adsum asks the Presence API who is here now, works out who joined and who left, keeps the history and answers questions about
/// any moment in the past. It never states more than it saw.
#[derive(Debug, Parser)]
#[command(
    name = "adsum",
    version,
    max_term_width = 120,
    after_help = "Environment:
  ADSUM__SECTION__KEY        sets a key of the configuration (ADSUM__PUBNUB__SUBSCRIBE_KEY)
  ADSUM_SERVER, ADSUM_TOKEN  the daemon to ask, and the token that lets you in
  ADSUM_LOG                  what is logged to standard error: error, warn, info, debug, off
  NO_COLOR                   no colours

Exit status: 0 done, 1 failed, 2 wrong usage or configuration.

Try it with no account: adsum demo"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Run(Box<run::Run>),
    Origin(origin::Origin),
    Check(Box<check::Check>),
    HereNow(Box<here_now::HereNow>),
    WhereNow(where_now::WhereNow),
    SetState(Box<set_state::SetState>),
    GetState(Box<get_state::GetState>),
    Channels(channels::Channels),
    Who(who::Who),
    Where(r#where::Where),
    Was(was::Was),
    Events(events::Events),
    Visits(visits::Visits),
    Gaps(gaps::Gaps),
    Occupancy(occupancy::Occupancy),
    Tail(tail::Tail),
    Alerts(Box<alerts::Alerts>),
    Silence(Box<silence::Silence>),
    TestNotify(test_notify::TestNotify),
    Backup(backup::Backup),
    Verify(verify::Verify),
    Completions(completions::Completions),
}

impl Cli {
    /// Reads the arguments of this process.
    ///
    /// # Errors
    ///
    /// The exit status, after help, the version or what is wrong was printed.
    pub fn from_arguments() -> Result<Self, ExitCode> {
        Self::try_parse().map_err(|error| {
            let status = u8::try_from(error.exit_code()).unwrap_or(u8::MAX);
            if error.use_stderr() {
                // It quotes arguments, and they may be names from outside.
                for line in error.render().to_string().lines() {
                    eprintln!("{}", escape(line));
                }
            } else {
                // Where nobody reads the help, nothing is lost.
                drop(error.print());
            }
            ExitCode::from(status)
        })
    }

    /// How much the command logs unless `ADSUM_LOG` says otherwise: servers tell what they do, the rest only what is wrong.
    pub fn verbosity(&self) -> Verbosity {
        match self.command {
            Command::Demo(_) | Command::Run(_) | Command::Origin(_) => Verbosity::Info,
            _ => Verbosity::Warn,
        }
    }

    /// Runs the command to its end.
    ///
    /// # Errors
    ///
    /// [`Failure`], which knows the exit status.
    pub async fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Demo(command) => command.run().await,
            Command::Run(command) => command.run().await,
            Command::Origin(command) => command.run().await,
            Command::Check(command) => command.run().await,
            Command::HereNow(command) => command.run().await,
            Command::WhereNow(command) => command.run().await,
            Command::SetState(command) => command.run().await,
            Command::GetState(command) => command.run().await,
            Command::Channels(command) => command.run().await,
            Command::Who(command) => command.run().await,
            Command::Where(command) => command.run().await,
            Command::Was(command) => command.run().await,
            Command::Events(command) => command.run().await,
            Command::Visits(command) => command.run().await,
            Command::Gaps(command) => command.run().await,
            Command::Occupancy(command) => command.run().await,
            Command::Tail(command) => command.run().await,
            Command::Alerts(command) => command.run().await,
            Command::Silence(command) => command.run().await,
            Command::TestNotify(command) => command.run().await,
            Command::Backup(command) => command.run().await,
            Command::Verify(command) => command.run(),
            Command::Completions(command) => command.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn flags_and_commands_do_not_contradict_each_other() {
        super::Cli::command().debug_assert();
    }
}
