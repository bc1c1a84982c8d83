//! How a delivery ended.

use std::time::Duration;

use super::escape::visible;

/// The longest a receiver may ask to be left alone: an alert that waits longer is of no use to anybody.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// The most characters of [`Receipt::answer`] and [`Undelivered::answer`].
pub const MAX_ANSWER: usize = 300;

/// The receiver took the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What it answered, in one bounded sentence fit for a log.
    pub answer: String,
}

/// The receiver did not take the message, or not certainly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{answer}")]
pub struct Undelivered {
    /// What to do about it.
    pub remedy: Remedy,
    /// What it answered, or why there was no answer, in one bounded sentence fit for a log. No secret and no address
    /// that holds one is in it.
    pub answer: String,
}

/// What to do about a message that was not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The same message may be taken later.
    Retry {
        /// Not sooner than this, if the receiver said so; at most [`MAX_RETRY_AFTER`].
        after: Option<Duration>,
    },
    /// This message will never be taken; others may be.
    Fail,
    /// The receiver is gone for good and wants no more: nothing more is to be sent to it until it is configured anew.
    Disable,
}

impl Receipt {
    pub(super) fn new(answer: &str) -> Self {
        Self { answer: visible(answer, MAX_ANSWER) }
    }
}

impl Undelivered {
    pub(super) fn retry(answer: &str) -> Self {
        Self::new(Remedy::Retry { after: None }, answer)
    }

    pub(super) fn new(remedy: Remedy, answer: &str) -> Self {
        let remedy = match remedy {
            Remedy::Retry { after } => Remedy::Retry { after: after.map(|after| after.min(MAX_RETRY_AFTER)) },
            other => other,
        };
        Self { remedy, answer: visible(answer, MAX_ANSWER) }
    }
}
