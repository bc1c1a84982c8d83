//! What an alert is judged by.

use crate::domain::channel::{Changes, Channel};
use crate::domain::gap::Gap;
use crate::domain::names::UserId;
use crate::domain::observation::{Grade, Observation};
use crate::domain::time::{Moment, Time};

use super::rule::Condition;
use super::transition::Why;

/// What a list says of one user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Listing {
    /// The user is in it.
    Listed,
    /// It is complete, and the user is not in it.
    NotListed,
    /// It is not complete, and the user is not in it; or nobody asked.
    Unknown,
}

/// What one good observation says, as far as a rule needs it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sighting {
    /// When it was true.
    pub moment: Moment,
    /// How many were there.
    pub occupancy: u32,
    /// Whether the rule's user was.
    pub user: Listing,
}

impl Sighting {
    /// What an observation says to a rule about `user`.
    pub fn of(seen: &Observation, user: Option<&UserId>) -> Self {
        let listed = |user: &UserId| seen.listed().iter().any(|occupant| occupant.user == *user);
        let user = match user {
            Some(user) if listed(user) => Listing::Listed,
            Some(_) if seen.grade() == Grade::Complete => Listing::NotListed,
            Some(_) | None => Listing::Unknown,
        };
        Self { moment: seen.moment, occupancy: seen.occupancy(), user }
    }

    /// What was known of a channel before: for a rule about a user the last observation that told of the user, for others
    /// the last good one.
    pub fn last_of(channel: &Channel, user: Option<&UserId>) -> Option<Self> {
        let run = channel.run();
        let occupancy = run.map_or(0, |run| run.occupancy);
        let Some(user) = user else {
            return run.map(|run| Self { moment: run.last, occupancy, user: Listing::Unknown });
        };
        let roster = channel.roster();
        let (moment, user) = match roster.members().get(user) {
            Some(member) => (roster.listed(member), Listing::Listed),
            None => (roster.complete(), Listing::NotListed),
        };
        moment.map(|moment| Self { moment, occupancy, user })
    }
}

/// One thing that an alert is judged by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    /// The channel was observed.
    Observed {
        /// What was seen.
        seen: Sighting,
        /// The last that was known before, gap or not; it bounds the windows.
        before: Option<Sighting>,
        /// The partial gap that lasts with this observation.
        partial: Option<Gap>,
    },
    /// The rule is new to the channel: what was seen last.
    New {
        /// That.
        seen: Sighting,
        /// The partial gap that lasts.
        partial: Option<Gap>,
        /// When the rule is first looked at.
        at: Time,
    },
    /// A full gap, as it is recorded: it opened, got another reason or was closed. Before the observation that closes it.
    /// To be told of the same gap again does no harm.
    Gap {
        /// The gap.
        gap: Gap,
        /// When that is recorded.
        at: Time,
    },
    /// It is now so late.
    Time(Time),
    /// It is now so late, and the silence that muted the alert is over: whoever was not told that it fires is told now.
    Unmuted(Time),
    /// adsum runs again, at `at`, after it had been down since `down_since` (after a crash: since it was last certainly
    /// alive). To be told of the same time again does no harm.
    Resumed {
        /// Since when it was down.
        down_since: Time,
        /// Since when it is up.
        at: Time,
    },
    /// The alert ends, for a reason other than what is seen: its rule was edited or removed, or its channel is no longer
    /// watched.
    Ended {
        /// When.
        at: Time,
        /// Why.
        why: Why,
    },
}

impl Input {
    /// What follows for a rule from what is committed of a channel: its full gaps, then the observation. `channel` is as it
    /// was before, `now` is when that is committed.
    pub fn of_commit(
        condition: &Condition,
        channel: &Channel,
        seen: Option<&Observation>,
        changes: &Changes,
        now: Time,
    ) -> Vec<Self> {
        let at = seen.map_or(now, |seen| seen.moment.latest);
        let full = changes.gaps.iter().filter(|gap| !gap.users_only);
        let mut inputs: Vec<Self> = full.map(|gap| Self::Gap { gap: *gap, at }).collect();
        inputs.extend(seen.map(|seen| {
            let user = condition.user();
            let recorded = changes.gaps.iter().rfind(|gap| gap.users_only).copied();
            let partial = recorded.or(channel.users_gap()).filter(|gap| gap.to.is_none());
            Self::Observed {
                seen: Sighting::of(seen, user),
                before: Sighting::last_of(channel, user),
                partial,
            }
        }));
        inputs
    }

    /// What a rule that is new to a watched channel (edited, added) has to hear first: the gap that lasts, or the last good
    /// observation. Without this a condition that held already would wait until something changes. `None`: nothing was
    /// observed yet.
    pub fn of_new_rule(condition: &Condition, channel: &Channel, now: Time) -> Option<Self> {
        if let Some(gap) = channel.open_gap(now).filter(|gap| !gap.users_only) {
            // Before it is recorded an observation may still be at hand that was made in time. It is heard of then.
            return channel.in_gap().then_some(Self::Gap { gap, at: now });
        }
        let last = Sighting::last_of(channel, None)?;
        let told = Sighting::last_of(channel, condition.user()).filter(|told| told.moment == last.moment);
        let user = told.map_or(Listing::Unknown, |told| told.user);
        Some(Self::New { seen: Sighting { user, ..last }, partial: channel.users_gap(), at: now })
    }
}
