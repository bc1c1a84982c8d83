//! What one poll saw of one channel.

use hashbrown::HashSet;
use serde::Serialize;
use thiserror::Error;

use super::names::UserId;
use super::state::Shown;
use super::time::Moment;

/// One user in a list of occupants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Occupant {
    /// Who.
    pub user: UserId,
    /// What was shown of the user's state.
    pub state: Shown,
}

/// What was seen. Make one with [`Observation::new`], which holds the rules.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Seen {
    /// Every occupant, each once.
    Complete(Vec<Occupant>),
    /// Some of the occupants, each once, and how many there are.
    Truncated {
        /// The true total.
        occupancy: u32,
        /// Fewer than that.
        listed: Vec<Occupant>,
    },
    /// How many there are, at least one, and no user ids.
    Count(u32),
}

/// How much an observation saw.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// All occupants.
    Complete,
    /// Some occupants and the count.
    Truncated,
    /// The count.
    Count,
}

/// What one poll saw of one channel, and when that was true.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Observation {
    /// When it was true.
    pub moment: Moment,
    /// What was seen.
    pub seen: Seen,
}

/// An entry of an answer that contradicts itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum BadEntry {
    /// More ids than occupants.
    #[error("lists {listed} user ids with an occupancy of {occupancy}")]
    TooMany {
        /// How many ids.
        listed: usize,
        /// How many occupants.
        occupancy: u64,
    },
    /// More than can be counted.
    #[error("has an occupancy of {0}, more than {max}", max = u32::MAX)]
    Uncountable(u64),
}

impl Observation {
    /// Grades an entry: a list of exactly `occupancy` distinct ids is complete, a shorter one (also through
    /// duplicates) is truncated, no list is a count, and a count of 0 is a complete observation of nobody.
    ///
    /// # Errors
    /// [`BadEntry`] if the entry contradicts itself.
    pub fn new(moment: Moment, occupancy: u64, listed: Option<Vec<Occupant>>) -> Result<Self, BadEntry> {
        let count = u32::try_from(occupancy).map_err(|_| BadEntry::Uncountable(occupancy))?;
        let seen = match listed {
            Some(listed) if listed.len() as u64 > occupancy => {
                return Err(BadEntry::TooMany { listed: listed.len(), occupancy });
            }
            Some(listed) => {
                let listed = distinct(listed);
                if listed.len() as u64 == occupancy {
                    Seen::Complete(listed)
                } else {
                    Seen::Truncated { occupancy: count, listed }
                }
            }
            None if occupancy == 0 => Seen::Complete(Vec::new()),
            None => Seen::Count(count),
        };
        Ok(Self { moment, seen })
    }

    /// A complete observation of nobody.
    pub fn of_nobody(moment: Moment) -> Self {
        Self { moment, seen: Seen::Complete(Vec::new()) }
    }

    /// The true number of occupants.
    pub fn occupancy(&self) -> u32 {
        match &self.seen {
            // As many as `occupancy` said, so this never cuts.
            Seen::Complete(listed) => u32::try_from(listed.len()).unwrap_or(u32::MAX),
            Seen::Truncated { occupancy, .. } | Seen::Count(occupancy) => *occupancy,
        }
    }

    /// How much it saw.
    pub fn grade(&self) -> Grade {
        match self.seen {
            Seen::Complete(_) => Grade::Complete,
            Seen::Truncated { .. } => Grade::Truncated,
            Seen::Count(_) => Grade::Count,
        }
    }

    /// The users it lists.
    pub fn listed(&self) -> &[Occupant] {
        match &self.seen {
            Seen::Complete(listed) | Seen::Truncated { listed, .. } => listed,
            Seen::Count(_) => &[],
        }
    }
}

/// The first entry of each user.
fn distinct(mut listed: Vec<Occupant>) -> Vec<Occupant> {
    let mut seen = HashSet::with_capacity(listed.len());
    listed.retain(|occupant| seen.insert(occupant.user.clone()));
    listed
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::time::Time;

    /// Somebody whose state was not asked for.
    pub(crate) fn occupant(user: &str) -> Occupant {
        Occupant { user: UserId::new(user).unwrap(), state: Shown::Unknown }
    }

    /// True between these microseconds.
    pub(crate) fn moment(earliest: i64, latest: i64) -> Moment {
        Moment { earliest: Time::from_micros(earliest), latest: Time::from_micros(latest) }
    }

    #[test]
    fn a_list_is_complete_only_with_exactly_as_many_distinct_ids_as_occupants() {
        let grade = |occupancy, users: &[&str]| {
            let listed = users.iter().map(|user| occupant(user)).collect();
            Observation::new(moment(0, 1), occupancy, Some(listed))
                .map(|seen| (seen.grade(), seen.listed().len()))
        };
        assert_eq!(grade(2, &["a", "b"]), Ok((Grade::Complete, 2)));
        assert_eq!(grade(3, &["a", "b"]), Ok((Grade::Truncated, 2)));
        assert_eq!(grade(3, &["a", "b", "a"]), Ok((Grade::Truncated, 2)));
        assert_eq!(grade(0, &[]), Ok((Grade::Complete, 0)));
        assert_eq!(grade(1, &["a", "b"]), Err(BadEntry::TooMany { listed: 2, occupancy: 1 }));
    }

    #[test]
    fn a_count_of_nobody_is_complete_and_any_other_count_is_not() {
        let seen = |occupancy| Observation::new(moment(0, 1), occupancy, None).unwrap();
        assert_eq!(seen(0), Observation::of_nobody(moment(0, 1)));
        assert_eq!((seen(7).grade(), seen(7).occupancy()), (Grade::Count, 7));
        assert!(Observation::new(moment(0, 1), u64::MAX, None).is_err());
    }
}
