//! Logs: lines on standard error, filtered by `ADSUM_LOG`.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

/// The environment variable that says what is logged.
const VARIABLE: &str = "ADSUM_LOG";

/// What is logged where `ADSUM_LOG` says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Only what is wrong.
    Warn,
    /// What happens, too.
    Info,
}

/// `ADSUM_LOG` cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("ADSUM_LOG is no filter such as \"info\" or \"warn,adsum=debug\": {what}")]
pub struct LogFilterError {
    what: String,
}

/// Starts logging for the whole process. A second call changes nothing.
///
/// # Errors
///
/// `ADSUM_LOG` holds no filter.
pub fn start_logs(verbosity: Verbosity) -> Result<(), LogFilterError> {
    let default = match verbosity {
        Verbosity::Warn => "warn",
        // Servers start without a word: adsum says itself what it serves.
        // What actix-http calls errors is connections that break off, as the faults of the origin make them do.
        Verbosity::Info => "info,actix_server=warn,actix_http=off",
    };
    let text = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty());
    let filter = EnvFilter::try_new(text.as_deref().unwrap_or(default))
        .map_err(|error| LogFilterError { what: error.to_string() })?;
    let no_colours = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal() && !no_colours)
        .with_target(false)
        .try_init();
    // Somebody else's subscriber is already there: tests, or a program that uses the library.
    drop(started);
    Ok(())
}
