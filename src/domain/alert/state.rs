//! How an alert stands.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::names::AlertId;
use super::rule::Rule;
use super::stored;
use crate::domain::gap::GapReason;
use crate::domain::observation::{Grade, Observation};
use crate::domain::time::{Moment, Time, Window};

/// How the alert of a rule and a channel stands. With the rule it decides what comes next; nothing else is remembered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AlertState {
    /// Nothing to tell.
    #[default]
    Inactive,
    /// The condition holds, not yet long enough.
    Pending(Pending),
    /// It has held long enough, and has not been clear long enough since.
    Firing(Firing),
}

/// An alert that may come to fire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Pending {
    /// Its id.
    #[serde(with = "stored")]
    pub id: AlertId,
    /// When the condition, or the gap, began.
    #[serde(with = "stored")]
    pub since: Window,
    /// What holds, and since when it counts.
    pub ground: Ground,
}

/// What a pending alert rests on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ground {
    /// The condition holds in every good observation since.
    Observed {
        /// The first of them.
        #[serde(with = "stored")]
        first: Moment,
    },
    /// The channel is not observed.
    Gap {
        /// Since when that counts.
        #[serde(with = "stored")]
        from: Time,
        /// How long adsum was down meanwhile, which does not count. In whole microseconds.
        #[serde(with = "stored")]
        down: Duration,
        /// The last time since when it ran again, of those that do not count.
        #[serde(with = "stored", default)]
        resumed: Option<Time>,
        /// Why the channel is not observed.
        #[serde(with = "stored")]
        reason: GapReason,
    },
}

/// An alert that fires.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Firing {
    /// Its id.
    #[serde(with = "stored")]
    pub id: AlertId,
    /// When the condition, or the gap, began.
    #[serde(with = "stored")]
    pub since: Window,
    /// When it fired.
    #[serde(with = "stored")]
    pub fired: Time,
    /// When it was last told.
    #[serde(with = "stored")]
    pub told: Time,
    /// How many are there, as of the last good observation; `None` if the rule is not about that, or if nothing was
    /// observed since a gap made it fire.
    pub occupancy: Option<u32>,
    /// Why the channel is not observed, while it is not.
    #[serde(with = "stored")]
    pub gap: Option<GapReason>,
    /// Every good observation since is clear.
    pub clear: Option<Clear>,
}

/// A firing alert whose condition is clear, not yet long enough.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Clear {
    /// The first clear observation.
    #[serde(with = "stored")]
    pub first: Moment,
    /// When the condition ceased to hold.
    #[serde(with = "stored")]
    pub ended: Window,
}

/// What must not be left out, though nothing new is seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Due {
    /// A good observation that is true at this time or later must be evaluated (its `moment.earliest`), though it repeats
    /// the last one.
    pub observation: Option<Time>,
    /// [`super::Input::Time`] must be evaluated at this time, or soon after.
    pub clock: Option<Time>,
}

impl AlertState {
    /// The alert's id, while there is one.
    pub fn id(&self) -> Option<AlertId> {
        match self {
            Self::Inactive => None,
            Self::Pending(pending) => Some(pending.id),
            Self::Firing(firing) => Some(firing.id),
        }
    }

    /// When something happens though nothing new is seen.
    pub fn due(&self, rule: &Rule) -> Due {
        match self {
            Self::Inactive => Due::default(),
            Self::Pending(pending) => match pending.ground {
                Ground::Observed { first } => {
                    Due { observation: Some(first.latest.plus(rule.hold_for)), clock: None }
                }
                Ground::Gap { from, down, .. } => {
                    Due { observation: None, clock: Some(from.plus(down).plus(rule.hold_for)) }
                }
            },
            Self::Firing(firing) => Due {
                observation: firing.clear.map(|clear| clear.first.latest.plus(rule.keep_firing_for)),
                clock: rule.repeat_every.map(|every| firing.told.plus(every)),
            },
        }
    }

    /// Whether an observation that changes nothing of its channel ([`crate::domain::channel::Channel::repeats`]) can be left
    /// out, because nothing would come of it. A cut list that repeats may still list other users than the last.
    pub fn may_skip(&self, rule: &Rule, repeated: &Observation) -> bool {
        let cut = rule.condition.user().is_some() && repeated.grade() == Grade::Truncated;
        let Due { observation, clock } = self.due(rule);
        let due = observation.is_some_and(|due| repeated.moment.earliest >= due)
            || clock.is_some_and(|due| repeated.moment.latest >= due);
        !cut && !due
    }
}
