//! Logs.

mod logs;

pub use logs::{LogFilterError, Verbosity, start_logs};
