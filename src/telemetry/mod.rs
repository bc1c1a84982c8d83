//! Logs and metrics.

mod logs;
pub mod metrics;

pub use logs::{LogFilterError, Verbosity, start_logs};
