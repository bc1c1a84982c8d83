//! How an alert changed, as it is recorded and told.

use serde::{Deserialize, Serialize};

use super::names::AlertId;
use super::rule::Condition;
use crate::domain::gap::GapReason;
use crate::domain::time::{Time, Window};

/// One change of an alert.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Transition {
    /// The alert.
    pub alert: AlertId,
    /// When adsum knew: the observation had arrived, the gap was recorded, the time had come.
    pub at: Time,
    /// What changed.
    #[serde(flatten)]
    pub change: Change,
    /// When the condition began to hold, or the gap began that the alert stands for.
    pub since: Window,
    /// What the rule looks for.
    pub condition: Condition,
    /// How many were there, as of the last good observation, if the rule is about that and there was one since it began.
    pub occupancy: Option<u32>,
    /// Why the channel is not observed, while it is not.
    pub gap: Option<GapReason>,
}

/// What changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// The condition began to hold; the alert fires once it has held long enough.
    Pending,
    /// It did not hold that long. Nobody is told.
    Inactive(End),
    /// It has held long enough.
    Firing,
    /// It is firing still, and it is time to say so again.
    Repeated,
    /// It fires no more.
    Resolved(End),
}

impl Change {
    /// As written in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Inactive(_) => "inactive",
            Self::Firing => "firing",
            Self::Repeated => "repeated",
            Self::Resolved(_) => "resolved",
        }
    }
}

/// How an alert ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct End {
    /// Why.
    pub why: Why,
    /// When the condition ceased to hold, where an observation shows that it did.
    pub ended: Option<Window>,
}

/// Why an alert ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// An observation says that it is over: the condition is clear, or the channel is observed again.
    Cleared,
    /// A cut list did not show whether the condition still held.
    Unproven,
    /// The channel is not observed.
    Gap,
    /// The channel is no longer watched.
    Unwatched,
    /// The rule was edited.
    RuleChanged,
    /// The rule was removed, or no longer names the channel.
    RuleRemoved,
}

impl Why {
    /// As written in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cleared => "cleared",
            Self::Unproven => "unproven",
            Self::Gap => "gap",
            Self::Unwatched => "unwatched",
            Self::RuleChanged => "rule_changed",
            Self::RuleRemoved => "rule_removed",
        }
    }
}
