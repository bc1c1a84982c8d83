//! How a command ends badly, and the exit status that says so.

use std::process::ExitCode;
use std::{fmt, io};

use super::escape::escape;
use crate::config::{Finding, Findings, Layer};
use crate::pubnub;

/// Exit status of a command that failed.
const FAILED: u8 = 1;

/// Exit status of wrong usage or a wrong configuration; clap's own for wrong flags.
const USAGE: u8 = 2;

/// Why a command ended badly.
#[derive(Debug)]
pub enum Failure {
    /// It was called wrongly or is configured wrongly: exit status 2.
    Usage(anyhow::Error),
    /// It failed: exit status 1.
    Failed(anyhow::Error),
    /// Whoever read the output wants no more of it (`adsum events | head`): that is no failure.
    OutputClosed,
}

impl Failure {
    /// Wrong usage, in words.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage(anyhow::Error::msg(message.into()))
    }

    /// A failure, in words.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed(anyhow::Error::msg(message.into()))
    }

    /// Says on standard error what is wrong, a line each, and gives the exit status.
    pub fn report(&self) -> ExitCode {
        let status = match self {
            Self::OutputClosed => return ExitCode::SUCCESS,
            Self::Usage(_) => USAGE,
            Self::Failed(_) => FAILED,
        };
        for line in self.to_string().lines() {
            eprintln!("error: {}", escape(line));
        }
        ExitCode::from(status)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) | Self::Failed(error) => write!(f, "{error:#}"),
            Self::OutputClosed => f.write_str("nobody reads the output"),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Findings> for Failure {
    fn from(findings: Findings) -> Self {
        let lines: Vec<String> = findings.0.iter().map(finding).collect();
        Self::usage(lines.join("\n"))
    }
}

/// What is missing everywhere has no layer to look at.
fn finding(finding: &Finding) -> String {
    match finding {
        Finding { key, value: None, allowed, layer: Layer::Default } => format!("{key}: {allowed}"),
        _ => finding.to_string(),
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Failed(error.into()),
        }
    }
}

impl From<pubnub::ConfigError> for Failure {
    fn from(error: pubnub::ConfigError) -> Self {
        Self::Usage(error.into())
    }
}

impl From<pubnub::Error> for Failure {
    fn from(error: pubnub::Error) -> Self {
        match error {
            pubnub::Error::InvalidRequest { .. } => Self::Usage(error.into()),
            _ => Self::Failed(error.into()),
        }
    }
}
