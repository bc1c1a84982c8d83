//! What can be set from outside, for a smaller machine or a quick look. What is set is in the table's title.

use std::time::Duration;

/// A number from the environment, or the issue's own.
pub(crate) fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// For how long running parts are measured.
pub(crate) fn window() -> Duration {
    Duration::from_secs(number("BENCH_SECONDS", 30))
}
