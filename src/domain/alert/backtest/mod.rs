//! What a rule would have done on the record: the same [`super::step`] as live, over what the history keeps of a channel.
//!
//! The record keeps less than live evaluation saw, so a backtest says less, and never something else:
//!
//! - Within a run of equal observations only the first, the last and the widest step are kept. A `for` or
//!   `keep_firing_for` that is met within a run was met at an observation between the time it was due and the widest step
//!   later. That it was met is certain: the last observation's moment is known.
//! - When a gap was noticed is not kept. It is taken that this was [`Question::opens_after`] after the last observation, or
//!   up to [`PROMPT`] later, as it is for channels that are watched as they are now; a gap with the reason
//!   `history_unavailable` or `clock`: at some time until it closed. A `stopped` gap or `unwatched` one began at some time
//!   before another gap would have; a `crashed` one is known of when the channel is seen again.
//! - What is due by the clock is taken to be looked at within [`PROMPT`], while adsum runs.
//! - A restart within a gap leaves no trace in the channel's record, and a clock that counts less what adsum was down
//!   depends on it. [`Downtime`] has what other channels' records leave of that. Where it matters, both are followed.
//! - Which users a cut list listed is kept only of those who were new in it: for a rule about a user who is there, each such
//!   list may have listed the user or not, and both are followed.
//! - The rule is new where the record to judge by begins: a little before the span ([`Question::begins`]).
//! - Silences are left out, and so are edits of the rule.
//!
//! Where two courses are possible both are followed, with all that may come of them ([`worlds`]), until they meet again. A
//! firing is certain if there was a time at which the alert fires in every one of them; its ends are windows.

mod down;
mod gaps;
mod ledger;
mod observations;
mod outcome;
mod replay;
mod seen;
mod sights;
mod worlds;

use std::time::Duration;

use super::rule::Rule;
use crate::domain::time::Time;

pub use down::Downtime;
pub use outcome::{Count, Coverage, Doubt, Edge, Ended, Lasting, MAX_SPELLS, Outcome, Spell};
pub use replay::{Facts, backtest};
pub use worlds::Heard;

/// Within so long what is due by the clock is looked at, while adsum runs.
pub const PROMPT: Duration = Duration::from_secs(2);

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What the rule would have done,
    pub rule: &'a Rule,
    /// from then on,
    pub from: Time,
    /// and before then: now at the latest.
    pub to: Time,
    /// How long after the last observation the channel's gaps open (`watch.gap_after`).
    pub opens_after: Duration,
    /// When adsum may have been down.
    pub downtime: &'a Downtime,
}

impl Question<'_> {
    /// From when on the record is wanted: far enough before the span that a `for` or `keep_firing_for` that lasts when it
    /// begins is known of.
    pub fn begins(&self) -> Time {
        self.from.minus(self.rule.hold_for.saturating_add(self.rule.keep_firing_for))
    }
}
