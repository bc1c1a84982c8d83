//! How far a long command is: one line on standard error that replaces itself, where a person looks on.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// It changes no more often than this.
const EVERY: Duration = Duration::from_millis(200);

/// A line that says how far it is. It is gone when this is.
#[derive(Debug)]
pub(super) struct Progress {
    seen: bool,
    shown: Option<Instant>,
}

impl Progress {
    /// Nothing is shown yet, and nothing ever where standard error is no terminal.
    pub(super) fn new() -> Self {
        Self { seen: io::stderr().is_terminal(), shown: None }
    }

    /// Shows a line, now and then. The text is our own.
    pub(super) fn show(&mut self, line: impl FnOnce() -> String) {
        if self.seen && self.shown.is_none_or(|shown| shown.elapsed() >= EVERY) {
            self.shown = Some(Instant::now());
            // Where it cannot be shown, nothing is lost.
            let _ = write!(io::stderr(), "\r\u{1b}[K{}", line());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = write!(io::stderr(), "\r\u{1b}[K");
        }
    }
}
