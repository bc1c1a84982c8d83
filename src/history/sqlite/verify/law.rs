//! The laws by name.

use serde::Serialize;

/// What holds in every history that adsum writes, at each of its commits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Law {
    /// The file is whole: what `SQLite` checks itself, indexes and references included.
    File,
    /// Every value can be read.
    Values,
    /// The numbers of a channel's events have no hole from the first that is kept to the channel's last.
    Numbers,
    /// Ids grow with the numbers, and lie between what has expired and the last that was given.
    Ids,
    /// The blocks that questions about a span skip hold the times of their events.
    Blocks,
    /// Windows, moments and spans begin before they end, and what comes later is not earlier.
    Times,
    /// Every visit was opened by the event with its number, and closed by a leave if it is over.
    Visits,
    /// Replaying the events gives who is there and in which state, one visit a user at a time.
    Roster,
    /// Runs follow each other, no two equal ones without a gap between.
    Runs,
    /// Every event was seen in a run with its occupancy; a complete run lists as many as there are visits.
    Occupancy,
    /// Gaps of a kind do not overlap, nothing was observed in them, and an observation ends them.
    Gaps,
    /// What is missing has expired: it was over before the time up to which the history says so.
    Expired,
    /// Discoveries for a pattern are one series at a time.
    Discoveries,
    /// An alert's transitions follow its automaton, with one id, one alert at a time of a rule and channel.
    Alerts,
    /// An alert stands as its last transition left it.
    Standings,
    /// A delivery tells of what there is, as often as it counts, and is pending or finished.
    Deliveries,
    /// What is pending waits for what is before it, and is counted.
    Turns,
}

impl Law {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::File,
        Self::Values,
        Self::Numbers,
        Self::Ids,
        Self::Blocks,
        Self::Times,
        Self::Visits,
        Self::Roster,
        Self::Runs,
        Self::Occupancy,
        Self::Gaps,
        Self::Expired,
        Self::Discoveries,
        Self::Alerts,
        Self::Standings,
        Self::Deliveries,
        Self::Turns,
    ];

    /// As written in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Values => "values",
            Self::Numbers => "numbers",
            Self::Ids => "ids",
            Self::Blocks => "blocks",
            Self::Times => "times",
            Self::Visits => "visits",
            Self::Roster => "roster",
            Self::Runs => "runs",
            Self::Occupancy => "occupancy",
            Self::Gaps => "gaps",
            Self::Expired => "expired",
            Self::Discoveries => "discoveries",
            Self::Alerts => "alerts",
            Self::Standings => "standings",
            Self::Deliveries => "deliveries",
            Self::Turns => "turns",
        }
    }
}
