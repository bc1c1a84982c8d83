//! How the alerts of one channel stand, as of what is committed, and the rules they are judged by.

use std::sync::Arc;

use super::alerting::Silences;
use crate::domain::alert::{AlertState, Rule, RuleName};
use crate::domain::names::ChannelName;
use crate::domain::observation::Observation;
use crate::domain::time::Time;
use crate::history::alerts::Standing;

/// The alerts of one channel.
#[derive(Clone, Debug, Default)]
pub struct Alarms {
    /// The edition whose rules these are; 0: none was looked at yet.
    pub(super) edition: u64,
    /// The rules that name the channel.
    pub(super) rules: Vec<Arc<Rule>>,
    /// The alerts that are not inactive; once the rules are known, in their order.
    pub(super) standings: Vec<Standing>,
    /// When adsum was down before, until that is judged.
    pub(super) downtime: Option<Downtime>,
}

/// The time in which adsum was down before this life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Downtime {
    /// When it was last certainly running.
    pub from: Time,
    /// When it ran again.
    pub to: Time,
}

impl Alarms {
    /// The alerts as the history has them; `downtime` if adsum was down before.
    pub fn loaded(standings: Vec<Standing>, downtime: Option<Downtime>) -> Self {
        Self { standings, downtime, ..Self::default() }
    }

    /// How the alert of a rule stands, unless it is inactive.
    pub(super) fn standing(&self, rule: &RuleName) -> Option<&Standing> {
        self.standings.iter().find(|standing| standing.rule == *rule)
    }

    /// The rules, each with how its alert stands. Both are in one order, so that this is cheap with many of them.
    fn pairs(&self) -> impl Iterator<Item = (&Arc<Rule>, Option<&Standing>)> {
        let mut standings = self.standings.iter().peekable();
        self.rules.iter().map(move |rule| (rule, standings.next_if(|standing| standing.rule == rule.name)))
    }

    /// Whether nothing would come of an observation that repeats the last one.
    pub fn may_skip(&self, repeated: &Observation) -> bool {
        self.pairs().all(|(rule, standing)| {
            let state = standing.map_or_else(AlertState::default, |standing| standing.state);
            state.may_skip(rule, repeated)
        })
    }

    /// Whether something may come of it being `now`: another edition of the rules, a time that a rule waits for, the end of
    /// a silence.
    pub(super) fn are_due(
        &self,
        edition: u64,
        silences: &Silences,
        channel: &ChannelName,
        now: Time,
    ) -> bool {
        let due = |(rule, standing): (&Arc<Rule>, Option<&Standing>)| {
            standing.is_some_and(|standing| {
                let clock = standing.state.due(rule).clock.is_some_and(|due| now >= due);
                clock || (standing.muted.is_some() && silences.mute(rule, channel, now).is_none())
            })
        };
        self.edition != edition || self.downtime.is_some() || self.pairs().any(due)
    }
}
