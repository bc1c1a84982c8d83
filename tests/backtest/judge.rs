//! The live evaluation of one rule in one channel, as the daemon's: judged with every commit, with observations that repeat
//! and may not be skipped, and when something is due.

use adsum::domain::alert::{AlertId, AlertState, Input, Rule, Transition, step};
use adsum::domain::channel::{Changes, Channel};
use adsum::domain::observation::Observation;
use adsum::domain::time::Time;

/// One alert.
pub(crate) struct Judge {
    pub(crate) rule: Rule,
    pub(crate) state: AlertState,
    pub(crate) transitions: Vec<Transition>,
    /// When adsum was down, until that is judged.
    pub(crate) down: Option<(Time, Time)>,
    /// Whether the rule is new to the channel as loaded.
    is_new: bool,
    ids: u128,
}

impl Judge {
    pub(crate) fn of(rule: &Rule) -> Self {
        let rule = rule.clone();
        let state = AlertState::Inactive;
        Self { rule, state, transitions: Vec::new(), down: None, is_new: true, ids: 0 }
    }

    /// adsum runs again.
    pub(crate) fn loaded(&mut self, down_since: Time, at: Time) {
        (self.down, self.is_new) = (Some((down_since, at)), true);
    }

    /// Judges what is committed; whether anything changed.
    pub(crate) fn judge(
        &mut self,
        channel: &Channel,
        seen: Option<&Observation>,
        changes: &Changes,
        now: Time,
    ) -> bool {
        let condition = self.rule.condition.clone();
        let before = (self.state, self.transitions.len());
        let mut inputs = Vec::new();
        let resumed = self.down.take();
        inputs.extend(resumed.map(|(down_since, at)| Input::Resumed { down_since, at }));
        if std::mem::take(&mut self.is_new) && self.state == AlertState::Inactive {
            inputs.extend(Input::of_new_rule(&condition, channel, now));
        }
        inputs.extend(Input::of_commit(&condition, channel, seen, changes, now));
        inputs.push(Input::Time(now));
        for input in inputs {
            self.ids += 1;
            let fresh = AlertId::new(uuid::Uuid::from_u128(self.ids));
            let (state, transitions) = step(&self.rule, self.state, &input, fresh);
            self.state = state;
            self.transitions.extend(transitions);
        }
        before != (self.state, self.transitions.len())
    }
}
