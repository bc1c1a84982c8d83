//! How much of the span was observed.

use std::time::Duration;

use super::Question;
use super::outcome::Coverage;
use crate::domain::answer::Observed;
use crate::domain::gap::Gap;
use crate::domain::time::Time;

/// How much of the span was observed, as the gaps come.
pub(super) struct Seen {
    span: (Time, Time),
    reached: Time,
    unseen: Duration,
    asked: Duration,
}

impl Seen {
    pub(super) fn begin(question: &Question<'_>, observed: &Observed, kept_since: Option<Time>) -> Self {
        let about_users = question.rule.condition.user().is_some();
        let (since, last) = if about_users {
            (observed.complete_since, observed.last_complete)
        } else {
            (observed.since, observed.last)
        };
        let since = since.map_or(question.to, |since| kept_since.map_or(since, |kept| since.max(kept)));
        let start = since.max(question.from);
        let end = last.map_or(start, |last| last.earliest).min(question.to).max(start);
        let asked = question.to.since(question.from);
        Self { span: (start, end), reached: start, unseen: Duration::ZERO, asked }
    }

    pub(super) fn gap(&mut self, gap: &Gap) {
        let from = gap.from.max(self.reached);
        let to = gap.to.unwrap_or(self.span.1).min(self.span.1);
        self.unseen += to.since(from);
        self.reached = self.reached.max(to);
    }

    pub(super) fn coverage(&self) -> Coverage {
        let observed = self.span.1.since(self.span.0).saturating_sub(self.unseen);
        Coverage { observed, asked: self.asked }
    }
}
