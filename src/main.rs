//! The adsum command: parse, start the logs, run, map to the exit status.

use std::process::ExitCode;

use adsum::cli::{Cli, Failure};
use adsum::telemetry::start_logs;
use clap::Parser as _;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    start_logs(cli.verbosity()).map_err(|error| Failure::Usage(error.into()))?;
    actix_web::rt::System::new().block_on(cli.run())
}
