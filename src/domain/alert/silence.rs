//! Silences: for a time nobody is told of some alerts. They go on as ever, and what was muted is recorded.

use std::time::Duration;

use serde::Serialize;
use thiserror::Error;

use super::names::RuleName;
use super::rule::{Rule, Severity};
use crate::domain::names::ChannelName;
use crate::domain::time::Time;
use crate::domain::watch::Target;

/// The longest author, in bytes.
pub const MAX_AUTHOR_BYTES: usize = 200;

/// The longest reason, in bytes.
pub const MAX_REASON_BYTES: usize = 2_000;

/// The longest silence.
pub const MAX_SILENCE: Duration = Duration::from_hours(366 * 24);

/// Which alerts a silence is for: those that match all that is given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Matcher {
    /// Of this rule.
    pub rule: Option<RuleName>,
    /// Of this channel, or of those like this pattern.
    pub channel: Option<Target>,
    /// Of this severity.
    pub severity: Option<Severity>,
}

impl Matcher {
    /// Whether the alert of a rule and a channel is meant.
    pub fn matches(&self, rule: &Rule, channel: &ChannelName) -> bool {
        self.rule.as_ref().is_none_or(|name| *name == rule.name)
            && self.channel.as_ref().is_none_or(|target| target.matches(channel))
            && self.severity.is_none_or(|severity| severity == rule.severity)
    }

    fn is_empty(&self) -> bool {
        self.rule.is_none() && self.channel.is_none() && self.severity.is_none()
    }
}

/// For a time nobody is told of the alerts that match. One that begins in the future is a maintenance window.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Silence {
    matcher: Matcher,
    from: Time,
    until: Time,
    author: String,
    reason: String,
}

/// A silence that is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SilenceError {
    /// It would mute everything, by oversight.
    #[error("a rule, a channel or a severity must be given; the channel `*` is all of them")]
    Everything,
    /// It would be over before it begins.
    #[error("must end after it begins")]
    Backwards,
    /// It would be forgotten while it mutes.
    #[error("must not be longer than {} days", MAX_SILENCE.as_secs() / 86_400)]
    TooLong,
    /// Nobody stands for it.
    #[error("the author must be a text of 1 to {MAX_AUTHOR_BYTES} bytes")]
    Author,
    /// Nobody will know why.
    #[error("the reason must be a text of 1 to {MAX_REASON_BYTES} bytes")]
    Reason,
}

impl Silence {
    /// A silence of what matches, from `from` until just before `until`.
    ///
    /// # Errors
    /// [`SilenceError`] says what is wrong with it.
    pub fn new(
        matcher: Matcher,
        from: Time,
        until: Time,
        author: &str,
        reason: &str,
    ) -> Result<Self, SilenceError> {
        let (author, reason) = (author.trim(), reason.trim());
        let wrong = [
            (matcher.is_empty(), SilenceError::Everything),
            (until <= from, SilenceError::Backwards),
            (until.since(from) > MAX_SILENCE, SilenceError::TooLong),
            (author.is_empty() || author.len() > MAX_AUTHOR_BYTES, SilenceError::Author),
            (reason.is_empty() || reason.len() > MAX_REASON_BYTES, SilenceError::Reason),
        ];
        match wrong.into_iter().find(|(is, _)| *is) {
            Some((_, error)) => Err(error),
            None => Ok(Self { matcher, from, until, author: author.to_owned(), reason: reason.to_owned() }),
        }
    }

    /// Which alerts.
    pub fn matcher(&self) -> &Matcher {
        &self.matcher
    }

    /// Since when it mutes.
    pub fn from(&self) -> Time {
        self.from
    }

    /// Until when; then no longer.
    pub fn until(&self) -> Time {
        self.until
    }

    /// Who wants it.
    pub fn author(&self) -> &str {
        &self.author
    }

    /// Why.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The same, ended at `at` if it would last longer. `None` if it has not begun by then: there is nothing left of it.
    #[must_use]
    pub fn ended(self, at: Time) -> Option<Self> {
        (self.from < at).then(|| Self { until: self.until.min(at), ..self })
    }

    /// Whether nobody is told at `at` of the alert of this rule and channel.
    pub fn mutes(&self, rule: &Rule, channel: &ChannelName, at: Time) -> bool {
        self.from <= at && at < self.until && self.matcher.matches(rule, channel)
    }
}
