//! Full gaps: when they were noticed, and what adsum being down has to do with them.

use std::time::Duration;

use super::PROMPT;
use super::outcome::Doubt;
use super::replay::{Replay, Then};
use crate::domain::alert::Input;
use crate::domain::gap::{Gap, GapReason};
use crate::domain::time::Time;

impl Replay<'_> {
    pub(super) fn gap(&mut self, gap: Gap) {
        let end = gap.to.unwrap_or(self.question.to).min(self.question.to);
        let last = self.last.map_or(self.began, |run| run.last.latest);
        let follows = self.last_gap.is_some_and(|last| passes_into(&last, &gap));
        let since = if follows { gap.from } else { last.max(gap.from) }.min(end);
        if gap.reason != GapReason::Crashed {
            let noticed = self.noticed(&gap, follows, since, end);
            if noticed.0 >= self.question.to {
                return;
            }
            self.opened(&gap, noticed);
        }
        let down = matches!(gap.reason, GapReason::Stopped | GapReason::Crashed);
        let downs = if down { vec![(since, end)] } else { self.question.downtime.within(gap.from, end) };
        for span in downs {
            self.down(span);
        }
        let over = gap.to.filter(|to| *to < self.question.to);
        let then = if down || over.is_none() { Then::GoesOn } else { Then::Fires };
        self.advance(end, then);
        self.over(gap, since, over);
    }

    /// The gap is over; or, if it is not, adsum may have been stopped meanwhile, and heard of it again.
    fn over(&mut self, gap: Gap, since: Time, over: Option<Time>) {
        let crashed = gap.reason == GapReason::Crashed;
        let Some(to) = over else {
            if crashed {
                let heard = Input::Gap { gap: Gap { to: None, ..gap }, at: since };
                self.take(&[vec![heard], Vec::new()], self.question.to, Doubt::Order);
            }
            return;
        };
        // Of the next gap, if no observation comes between, adsum hears at the same time.
        let next = self.waiting.front().copied().filter(|next| passes_into(&gap, next));
        let (from, by) = next.map_or((to, to), |next| {
            self.noticed(&next, true, next.from, next.to.unwrap_or(self.question.to))
        });
        // Of a crash it hears afterwards: now, or when it is stopped meanwhile.
        let from = if crashed { since } else { from };
        self.take(&[vec![Input::Gap { gap, at: from }]], by, Doubt::Order);
    }

    /// The gap was noticed at some time from the one to the other.
    fn opened(&mut self, gap: &Gap, (from, by): (Time, Time)) {
        // What a gap that goes before made pending goes on in it, but for the end of the watch.
        self.advance(if gap.reason == GapReason::Unwatched { by } else { from }, Then::MayEnd);
        self.noticed_by = Some(by);
        let open = Input::Gap { gap: Gap { to: None, ..*gap }, at: from };
        self.take(&[vec![open]], by, Doubt::Order);
    }

    /// Adsum was down, or may have been, at some time within the span.
    fn down(&mut self, (from, to): (Time, Time)) {
        self.advance(from, Then::GoesOn);
        let resumed = Input::Resumed { down_since: from, at: to };
        self.take(&[Vec::new(), vec![resumed]], to, Doubt::Downtime);
        self.ledger.down(to.since(from));
        self.advance(to, Then::IsUpAgain);
    }

    /// From when to when a gap may have been noticed that begins to count at `since` and ends at `end`. `follows`: it goes on
    /// from another gap.
    fn noticed(&self, gap: &Gap, follows: bool, since: Time, end: Time) -> (Time, Time) {
        let due = since.plus(self.question.opens_after);
        let (from, by) = match gap.reason {
            GapReason::Unwatched if follows => (gap.from, gap.from),
            GapReason::Stopped | GapReason::Unwatched => (since, due.plus(PROMPT)),
            GapReason::HistoryUnavailable => (since, end),
            GapReason::Clock => (due, end),
            _ => (due, due.plus(PROMPT)),
        };
        // It was there before it should have been: how it was watched has changed.
        let from = if from > end { since } else { from };
        (from, by.min(end).max(from))
    }
}

/// Whether one gap goes on in the other, and no observation stands between them ([`Gap::followed_by`]).
fn passes_into(gap: &Gap, next: &Gap) -> bool {
    gap.to == Some(next.from.plus(Duration::from_micros(1)))
}
