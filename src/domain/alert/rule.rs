//! What an alert rule says.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::input::{Listing, Sighting};
use super::names::{NotifierName, RuleName};
use super::stored::StoredError;
use crate::domain::names::{ChannelName, UserId};
use crate::domain::watch::Target;

/// An alert rule: one alert for each channel it names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Its name.
    pub name: RuleName,
    /// Which channels it is for, by name or pattern.
    pub channels: Vec<Target>,
    /// What it looks for.
    pub condition: Condition,
    /// The condition must hold for so long (`for`). Zero: one observation is enough.
    pub hold_for: Duration,
    /// A firing alert is resolved once the condition has been clear for so long. Zero: one observation is enough.
    pub keep_firing_for: Duration,
    /// What becomes of the alert when the channel is not observed.
    pub on_gap: OnGap,
    /// How grave it is.
    pub severity: Severity,
    /// Who is told.
    pub notify: Vec<NotifierName>,
    /// A firing alert is told again so often. `None`: never.
    pub repeat_every: Option<Duration>,
    /// Whether it is told that the alert is over.
    pub send_resolved: bool,
}

impl Rule {
    /// Whether the rule is for this channel.
    pub fn names(&self, channel: &ChannelName) -> bool {
        self.channels.iter().any(|target| target.matches(channel))
    }

    /// The rule that an alert was judged by, of its terms, to end the alert by: for no channel, and nobody is told.
    ///
    /// # Errors
    /// [`StoredError`] if they are not what [`Rule::terms`] gave.
    pub fn from_terms(name: RuleName, severity: Severity, terms: &str) -> Result<Self, StoredError> {
        let Terms { condition, for_ms, keep_firing_for_ms, on_gap } = serde_json::from_str(terms)?;
        Ok(Self {
            name,
            channels: Vec::new(),
            condition,
            hold_for: Duration::from_millis(for_ms),
            keep_firing_for: Duration::from_millis(keep_firing_for_ms),
            on_gap,
            severity,
            notify: Vec::new(),
            repeat_every: None,
            send_resolved: true,
        })
    }

    /// What the rule decides by, as a text: if it differs from the one that an alert was judged by, the rule was edited
    /// and the alert ends ([`super::Why::RuleChanged`]). Which channels are named is not in it: a channel that is no
    /// longer named has lost its rule ([`super::Why::RuleRemoved`]).
    pub fn terms(&self) -> String {
        let terms = Terms {
            condition: self.condition.clone(),
            for_ms: millis(self.hold_for),
            keep_firing_for_ms: millis(self.keep_firing_for),
            on_gap: self.on_gap,
        };
        // Numbers, texts and fixed keys: it cannot fail.
        serde_json::to_string(&terms).unwrap_or_default()
    }
}

/// What a rule decides by, as it is stored.
#[derive(Serialize, Deserialize)]
struct Terms {
    condition: Condition,
    for_ms: u64,
    keep_firing_for_ms: u64,
    on_gap: OnGap,
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// What a rule looks for, and when it is clear again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Condition {
    /// More than `bound` are there.
    OccupancyAbove {
        /// Holds with more than so many.
        bound: u32,
        /// Clear with fewer than so many; at most one more than `bound`, which leaves no band between.
        clear_below: u32,
    },
    /// Fewer than `bound` are there.
    OccupancyBelow {
        /// Holds with fewer than so many.
        bound: u32,
        /// Clear with more than so many; at least one less than `bound`, which leaves no band between.
        clear_above: u32,
    },
    /// The user is there, as a join or as one who was there before.
    UserPresent {
        /// Who.
        user: UserId,
    },
    /// The user is not there: only a complete observation says so.
    UserAbsent {
        /// Who.
        user: UserId,
    },
    /// The channel is in a full gap.
    Unobserved,
}

/// What one observation says about a condition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The condition holds.
    Holds,
    /// Neither: within the band of hysteresis, or the list was cut and does not tell.
    Neither,
    /// It is clear.
    Clears,
}

impl Condition {
    /// Whom it is about, if about a user.
    pub fn user(&self) -> Option<&UserId> {
        match self {
            Self::UserPresent { user } | Self::UserAbsent { user } => Some(user),
            Self::OccupancyAbove { .. } | Self::OccupancyBelow { .. } | Self::Unobserved => None,
        }
    }

    /// As it is called in configuration and answers.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::OccupancyAbove { .. } => "occupancy_above",
            Self::OccupancyBelow { .. } => "occupancy_below",
            Self::UserPresent { .. } => "user_present",
            Self::UserAbsent { .. } => "user_absent",
            Self::Unobserved => "unobserved",
        }
    }

    /// How many were there, if it is about that.
    pub fn counts(&self, seen: &Sighting) -> Option<u32> {
        matches!(self, Self::OccupancyAbove { .. } | Self::OccupancyBelow { .. }).then_some(seen.occupancy)
    }

    /// What an observation says about it.
    pub fn judge(&self, seen: &Sighting) -> Verdict {
        let (holds, clears) = match self {
            Self::OccupancyAbove { bound, clear_below } => {
                (seen.occupancy > *bound, seen.occupancy < *clear_below)
            }
            Self::OccupancyBelow { bound, clear_above } => {
                (seen.occupancy < *bound, seen.occupancy > *clear_above)
            }
            Self::UserPresent { .. } => (seen.user == Listing::Listed, seen.user == Listing::NotListed),
            Self::UserAbsent { .. } => (seen.user == Listing::NotListed, seen.user == Listing::Listed),
            Self::Unobserved => (false, true),
        };
        match (holds, clears) {
            (true, _) => Verdict::Holds,
            (false, true) => Verdict::Clears,
            (false, false) => Verdict::Neither,
        }
    }
}

/// What becomes of an alert when its channel is not observed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnGap {
    /// A firing one goes on firing.
    #[default]
    Keep,
    /// Not to see is as bad as the condition: it fires once the gap has lasted `for`.
    Fire,
    /// A firing one is resolved.
    Resolve,
}

impl OnGap {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Keep, Self::Fire, Self::Resolve];

    /// As written in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Fire => "fire",
            Self::Resolve => "resolve",
        }
    }
}

/// How grave an alert is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// To be looked at.
    #[default]
    Warning,
    /// To be acted on at once.
    Critical,
}

impl Severity {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// As written in configuration and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}
