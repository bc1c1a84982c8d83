//! What a backtest finds in one channel, and the sum over several.

use std::time::Duration;

use serde::Serialize;

use crate::domain::alert::transition::Why;
use crate::domain::time::{Time, Window};

/// The most firings of a channel that are listed; the rest is counted.
pub const MAX_SPELLS: usize = 1000;

/// How often: `min` for certain, `max` at most (`None`: nothing bounds it).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Count {
    /// For certain.
    pub min: u64,
    /// At most.
    pub max: Option<u64>,
}

/// How long: `min` for certain, `max` at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lasting {
    /// For certain.
    pub min: Duration,
    /// At most.
    pub max: Duration,
}

/// What the record leaves open.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// Whether adsum ran all the time while nothing was observed.
    Downtime,
    /// Whether cut lists had the user.
    CutLists,
    /// Which of two things that happened at about the same time came first.
    Order,
}

/// What was known of the channel at an end of a firing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Edge {
    /// An observation shows it, and the one before was not long ago.
    Observed,
    /// The first observation after a gap shows it: it may have been so before, unseen.
    AfterGap,
    /// The gap itself is why.
    Gap,
}

/// How a firing ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Ended {
    /// When.
    pub at: Window,
    /// Why; more than one where the record leaves that open.
    pub why: Vec<Why>,
    /// What was known of the channel then.
    pub edge: Edge,
}

/// A stretch of time in which the alert fires, or may.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Spell {
    /// When that began which it stands for.
    pub since: Window,
    /// When it began to fire. If that is not certain, it began within this or not at all.
    pub fired: Window,
    /// What was known of the channel then.
    pub began: Edge,
    /// How it ended; `None` if it lasts as far as the record goes.
    pub ended: Option<Ended>,
    /// Whether it fired for certain.
    pub certain: bool,
    /// What the record left open meanwhile.
    pub doubts: Vec<Doubt>,
    /// How long it fired within the span asked about.
    #[serde(skip)]
    pub lasted: Lasting,
}

/// The share of the span that was observed, 0 to 1.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Coverage {
    /// How long the channel was observed, as far as the rule needs it.
    pub observed: Duration,
    /// Of so long.
    pub asked: Duration,
}

/// What a rule would have done.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Outcome {
    /// How often it would have been pending.
    pub pending: Count,
    /// How often it would have fired.
    pub fired: Count,
    /// How often it would have been resolved.
    pub resolved: Count,
    /// How often firing would have been told again.
    pub repeated: Count,
    /// How many notifications there would have been: so often would somebody have been told.
    pub notifications: Count,
    /// How many firings began because of a gap, or with the first observation after one.
    pub began_in_gap: Count,
    /// How many ended so.
    pub ended_in_gap: Count,
    /// For how long it would have been firing.
    pub firing: Lasting,
    /// The longest firing, within the span.
    pub longest: Lasting,
    /// The firings, in order of time, [`MAX_SPELLS`] at most.
    pub spells: Vec<Spell>,
    /// How many more there are.
    pub more: usize,
    /// How much of the span was observed.
    pub coverage: Coverage,
    /// The channel is known up to then: its last observation, or the end of what was asked.
    pub known_until: Option<Time>,
}

impl Count {
    /// Never.
    pub const NONE: Self = Self { min: 0, max: Some(0) };

    /// One more, for certain or perhaps.
    pub(super) fn add(&mut self, certain: bool) {
        self.min += u64::from(certain);
        self.max = self.max.map(|max| max + 1);
    }

    /// Both in one.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let max = self.max.zip(other.max).map(|(one, other)| one + other);
        Self { min: self.min + other.min, max }
    }

    /// So many times.
    #[must_use]
    pub fn times(self, factor: u64) -> Self {
        Self { min: self.min * factor, max: self.max.map(|max| max * factor) }
    }

    /// What holds of either.
    pub(super) fn either(self, other: Self) -> Self {
        let max = self.max.zip(other.max).map(|(one, other)| one.max(other));
        Self { min: self.min.min(other.min), max }
    }
}

impl Default for Count {
    fn default() -> Self {
        Self::NONE
    }
}

impl Lasting {
    /// Both in one.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { min: self.min.saturating_add(other.min), max: self.max.saturating_add(other.max) }
    }

    /// The longer of the two.
    #[must_use]
    pub fn longer(self, other: Self) -> Self {
        Self { min: self.min.max(other.min), max: self.max.max(other.max) }
    }
}

/// `{min, max}` in seconds.
impl Serialize for Lasting {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut range = serializer.serialize_struct("Lasting", 2)?;
        range.serialize_field("min", &self.min.as_secs_f64())?;
        range.serialize_field("max", &self.max.as_secs_f64())?;
        range.end()
    }
}

impl Coverage {
    /// The share, 0 to 1.
    pub fn share(self) -> f64 {
        if self.asked.is_zero() { 0.0 } else { self.observed.as_secs_f64() / self.asked.as_secs_f64() }
    }
}

impl Outcome {
    /// Takes the figures of one more channel; its firings are not listed again.
    pub fn add(&mut self, other: &Self) {
        self.pending = self.pending.plus(other.pending);
        self.fired = self.fired.plus(other.fired);
        self.resolved = self.resolved.plus(other.resolved);
        self.repeated = self.repeated.plus(other.repeated);
        self.notifications = self.notifications.plus(other.notifications);
        self.began_in_gap = self.began_in_gap.plus(other.began_in_gap);
        self.ended_in_gap = self.ended_in_gap.plus(other.ended_in_gap);
        self.firing = self.firing.plus(other.firing);
        self.longest = self.longest.longer(other.longest);
        self.more += other.more;
        self.coverage.observed += other.coverage.observed;
        self.coverage.asked += other.coverage.asked;
    }
}
