//! Plays a script to a rule, as the daemon would.

use adsum::domain::alert::{AlertId, AlertState, Input, Rule, Transition, step};
use adsum::domain::time::Time;

use crate::script::Entry;

/// How the rule hears of the script.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// Every observation is evaluated.
    Whole,
    /// Observations that repeat the last one are evaluated only when they may not be left out.
    Sparing,
    /// The state is stored and read again after each step.
    Stored,
}

/// The transitions, and how the alert stands in the end.
pub(crate) fn play(rule: &Rule, script: &[Entry], how: How) -> (Vec<Transition>, AlertState) {
    let mut player =
        Player { rule, how, state: AlertState::Inactive, transitions: Vec::new(), now: Time::default() };
    for (index, entry) in script.iter().enumerate() {
        player.clock(entry.clock_until());
        let skips = |seen| how == How::Sparing && player.state.may_skip(rule, seen);
        if !entry.repeated.as_ref().is_some_and(skips) {
            for (place, input) in entry.inputs.iter().enumerate() {
                player.step(input, (index * 8 + place) as u128);
            }
        }
        player.now = entry.at;
    }
    (player.transitions, player.state)
}

struct Player<'a> {
    rule: &'a Rule,
    how: How,
    state: AlertState,
    transitions: Vec<Transition>,
    now: Time,
}

impl Player<'_> {
    /// What is due by the clock until `now`, each at its time.
    fn clock(&mut self, now: Time) {
        while let Some(due) = self.state.due(self.rule).clock.filter(|due| *due <= now) {
            self.now = due.max(self.now);
            self.step(&Input::Time(self.now), u128::MAX);
        }
    }

    fn step(&mut self, input: &Input, fresh: u128) {
        let fresh = AlertId::new(uuid::Uuid::from_u128(fresh));
        let (state, transitions) = step(self.rule, self.state, input, fresh);
        self.state = match self.how {
            How::Stored => AlertState::from_json(&state.to_json()).unwrap(),
            How::Whole | How::Sparing => state,
        };
        self.transitions.extend(transitions);
    }
}
