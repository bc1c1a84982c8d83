//! The adsum command: parse, start the logs, run, map to the exit status.

use std::process::ExitCode;

use adsum::cli::{Cli, Failure};
use adsum::telemetry::start_logs;

fn main() -> ExitCode {
    match Cli::from_arguments() {
        Ok(cli) => run(cli).map_or_else(|failure| failure.report(), |()| ExitCode::SUCCESS),
        Err(status) => status,
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    start_logs(cli.verbosity()).map_err(|error| Failure::Usage(error.into()))?;
    actix_web::rt::System::new().block_on(cli.run())
}
