//! Whether the history does what is asked of it. Told once when it fails, and once when it does again.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinError;
use tracing::{info, warn};

use crate::history::HistoryError;

/// Work of the history that ended, or was lost.
pub(super) type Work<T> = Result<Result<T, HistoryError>, JoinError>;

/// One kind of work.
#[derive(Debug)]
pub(super) struct Reach {
    fails: AtomicBool,
    /// What it means when it fails.
    meaning: &'static str,
}

impl Reach {
    pub(super) fn new(meaning: &'static str) -> Self {
        Self { fails: AtomicBool::new(false), meaning }
    }

    /// Whether it failed the last time.
    pub(super) fn fails(&self) -> bool {
        self.fails.load(Ordering::Relaxed)
    }

    /// What the work gave, if it did.
    pub(super) fn take<T>(&self, work: Work<T>) -> Option<T> {
        let error = match work {
            Ok(Ok(done)) => {
                self.works();
                return Some(done);
            }
            Ok(Err(error)) => error.to_string(),
            Err(lost) => lost.to_string(),
        };
        self.failed(&error);
        None
    }

    /// It works.
    fn works(&self) {
        if self.fails.swap(false, Ordering::Relaxed) {
            info!(no_longer = self.meaning, "the history does what the courier asks again");
        }
    }

    /// It failed.
    pub(super) fn failed(&self, error: &str) {
        if !self.fails.swap(true, Ordering::Relaxed) {
            warn!(error, "{}", self.meaning);
        }
    }
}
