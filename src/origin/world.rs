//! Who is where, for one subscribe key: a state machine without I/O and without a clock.
//!
//! Every change of presence is returned as a [`Change`]. Occupants are kept in the order of joining, one entry per
//! user id. Timeouts come out of an ordered set of alarms, never out of a scan: an occupant has at most one alarm,
//! set no later than its deadline, and put off only when it goes off too early, so a heartbeat costs two look-ups.

mod change;
mod groups;
mod limits;
mod room;
mod unseated;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use super::clock::Moment;
use super::name::Name;
use super::state::State;

pub(crate) use change::{Change, ChangeKind};
pub(crate) use groups::GroupRefusal;
use groups::Groups;
pub(crate) use limits::{Full, Limits};
use room::{Occupant, Room};
use unseated::Unseated;

/// A user who makes itself heard: a heartbeat, or a subscribe.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival<'a> {
    /// Who.
    pub(crate) user: &'a str,
    /// In which channels.
    pub(crate) channels: &'a [Name],
    /// The presence timeout the client asked for. Without one, the entry keeps the one it has.
    pub(crate) timeout: Option<Duration>,
    /// New states, by channel; those of channels not listed are ignored.
    pub(crate) states: &'a HashMap<Name, State>,
}

/// Numbers stays: the order of joining, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Seat(u64);

/// A stay that does not time out while this is held. To be given back with [`World::release`].
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    channel: Name,
    seat: Seat,
}

impl Hold {
    /// The channel of the stay.
    pub(crate) fn channel(&self) -> &Name {
        &self.channel
    }
}

/// Presence of one subscribe key.
#[derive(Debug)]
pub(crate) struct World {
    limits: Limits,
    default_timeout: Duration,
    rooms: HashMap<Name, Room>,
    whereabouts: HashMap<Name, BTreeSet<Name>>,
    alarms: BTreeMap<(Moment, Seat), Name>,
    unseated: Unseated,
    groups: Groups,
    last_seat: Seat,
    occupants: usize,
    state_bytes: usize,
}

impl World {
    /// An empty world. Clients that name no presence timeout get this one.
    pub(crate) fn new(default_timeout: Duration, limits: Limits) -> Self {
        Self {
            limits,
            default_timeout,
            rooms: HashMap::new(),
            whereabouts: HashMap::new(),
            alarms: BTreeMap::new(),
            unseated: Unseated::new(limits.unseated_states),
            groups: Groups::new(limits.groups, limits.group_channels),
            last_seat: Seat(0),
            occupants: 0,
            state_bytes: 0,
        }
    }

    /// Whether nobody is here and nothing is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.rooms.is_empty() && self.unseated.is_empty() && self.groups.is_empty()
    }

    /// How many users are in a channel.
    pub(crate) fn occupancy(&self, channel: &str) -> usize {
        self.rooms.get(channel).map_or(0, Room::occupancy)
    }

    /// Who is in a channel and with what state, in the order of joining.
    pub(crate) fn occupants(&self, channel: &str) -> impl Iterator<Item = (&Name, Option<&State>)> {
        self.rooms.get(channel).into_iter().flat_map(Room::occupants).map(|o| (&o.user, o.state.as_ref()))
    }

    /// Every channel that has an occupant, in no order.
    pub(crate) fn channels(&self) -> impl Iterator<Item = &Name> {
        self.rooms.keys()
    }

    /// The channels a user is in, by name.
    pub(crate) fn where_is(&self, user: &str) -> impl Iterator<Item = &Name> {
        self.whereabouts.get(user).into_iter().flatten()
    }

    /// A user's state in a channel, whether or not the user is there.
    pub(crate) fn state(&self, channel: &str, user: &str) -> Option<&State> {
        match self.rooms.get(channel).and_then(|room| room.by_user(user)) {
            Some((_, occupant)) => occupant.state.as_ref(),
            None => self.unseated.get(channel, user),
        }
    }

    /// The channel groups.
    pub(crate) fn groups(&self) -> &Groups {
        &self.groups
    }

    /// The channel groups, to be changed.
    pub(crate) fn groups_mut(&mut self) -> &mut Groups {
        &mut self.groups
    }

    /// The channels named and those of the groups, each once, in the order of naming.
    pub(crate) fn resolve(&self, channels: &[Name], groups: &[Name]) -> Result<Vec<Name>, Full> {
        let mut seen = HashSet::new();
        let grouped = groups.iter().flat_map(|group| self.groups.channels(group));
        let mut resolved = Vec::new();
        for channel in channels.iter().chain(grouped) {
            if seen.insert(channel) {
                if resolved.len() == self.limits.request_channels {
                    return Err(Full::Channels);
                }
                resolved.push(channel.clone());
            }
        }
        Ok(resolved)
    }

    /// Joins the user where it is not yet, puts off its timeout everywhere, and sets the states that came along.
    pub(crate) fn arrive(&mut self, now: Moment, arrival: Arrival<'_>) -> Result<Vec<Change>, Full> {
        self.check_room_for(arrival)?;
        let mut changes = Vec::new();
        for channel in arrival.channels {
            let known =
                self.rooms.get(channel).and_then(|room| room.by_user(arrival.user)).map(|(seat, _)| seat);
            let seat = known.unwrap_or_else(|| {
                let (seat, change) = self.seat(now, channel, arrival.user);
                changes.push(change);
                seat
            });
            self.refresh(now, channel, seat, arrival.timeout);
            if let Some(state) = arrival.states.get(channel) {
                changes.extend(self.change_state(now, channel, arrival.user, state));
            }
        }
        Ok(changes)
    }

    /// Takes the user out of the channels. Where it was not, nothing happens but that its state is forgotten.
    pub(crate) fn leave(&mut self, now: Moment, user: &str, channels: &[Name]) -> Vec<Change> {
        let mut changes = Vec::new();
        for channel in channels {
            match self.rooms.get(channel).and_then(|room| room.by_user(user)).map(|(seat, _)| seat) {
                Some(seat) => changes.extend(self.unseat(now, channel, seat, ChangeKind::Leave)),
                None => self.unseated.forget(channel, user),
            }
        }
        changes
    }

    /// Sets the user's state in the channels, replacing what was there (PROTOCOL.md 2.2).
    pub(crate) fn set_state(
        &mut self,
        now: Moment,
        user: &str,
        channels: &[Name],
        state: &State,
    ) -> Result<Vec<Change>, Full> {
        let room = self.limits.state_bytes.saturating_sub(self.state_bytes);
        if state.json().len().saturating_mul(channels.len()) > room {
            return Err(Full::State);
        }
        let mut changes = Vec::new();
        for channel in channels {
            if self.rooms.get(channel).is_some_and(|room| room.by_user(user).is_some()) {
                changes.extend(self.change_state(now, channel, user, state));
            } else {
                self.unseated.keep(channel, user, state.clone());
            }
        }
        Ok(changes)
    }

    /// Keeps the user's stays in the channels from timing out until they are released.
    pub(crate) fn hold(&mut self, user: &str, channels: &[Name]) -> Vec<Hold> {
        let mut holds = Vec::new();
        for channel in channels {
            if let Some((seat, occupant)) =
                self.rooms.get_mut(channel).and_then(|room| room.by_user_mut(user))
            {
                occupant.holds += 1;
                holds.push(Hold { channel: channel.clone(), seat });
            }
        }
        holds
    }

    /// Ends holds; the stays that still are count their timeouts from now.
    pub(crate) fn release(&mut self, now: Moment, holds: Vec<Hold>) {
        for Hold { channel, seat } in holds {
            if let Some(occupant) = self.rooms.get_mut(&channel).and_then(|room| room.get_mut(seat)) {
                occupant.holds = occupant.holds.saturating_sub(1);
                self.refresh(now, &channel, seat, None);
            }
        }
    }

    /// Times out everyone whose deadline has passed, in the order of the deadlines.
    pub(crate) fn expire(&mut self, now: Moment) -> Vec<Change> {
        let mut changes = Vec::new();
        while let Some(entry) = self.alarms.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((went_off, seat), channel) = entry.remove_entry();
            let Some(occupant) = self.rooms.get_mut(&channel).and_then(|room| room.get_mut(seat)) else {
                continue;
            };
            occupant.alarm = None;
            let deadline = occupant.deadline;
            if occupant.holds > 0 {
                continue;
            }
            if deadline > went_off {
                occupant.alarm = Some(deadline);
                self.alarms.insert((deadline, seat), channel);
            } else {
                changes.extend(self.unseat(deadline, &channel, seat, ChangeKind::Timeout));
            }
        }
        changes
    }

    /// When [`expire`](Self::expire) may next have something to do; never too late.
    pub(crate) fn next_alarm(&self) -> Option<Moment> {
        self.alarms.first_key_value().map(|((at, _), _)| *at)
    }

    fn check_room_for(&self, arrival: Arrival<'_>) -> Result<(), Full> {
        let here = self.whereabouts.get(arrival.user);
        let new =
            arrival.channels.iter().filter(|channel| here.is_none_or(|h| !h.contains(*channel))).count();
        if self.occupants.saturating_add(new) > self.limits.occupants {
            return Err(Full::Occupants);
        }
        let incoming: usize =
            arrival.channels.iter().filter_map(|c| arrival.states.get(c)).map(|s| s.json().len()).sum();
        if incoming > 0 && self.state_bytes.saturating_add(incoming) > self.limits.state_bytes {
            return Err(Full::State);
        }
        Ok(())
    }

    /// Gives a user who is not in the channel a seat there, with the state that was set beforehand.
    fn seat(&mut self, now: Moment, channel: &Name, user: &str) -> (Seat, Change) {
        let seat = Seat(self.last_seat.0 + 1);
        self.last_seat = seat;
        let channel = self.rooms.get_key_value(channel).map_or(channel, |(known, _)| known).clone();
        let user =
            self.whereabouts.get_key_value(user).map_or_else(|| user.into(), |(known, _)| known.clone());
        let state = self.unseated.take(&channel, &user);
        self.state_bytes += state.as_ref().map_or(0, |state| state.json().len());
        self.occupants += 1;
        self.whereabouts.entry(user.clone()).or_default().insert(channel.clone());
        let room = self.rooms.entry(channel.clone()).or_default();
        room.seat(
            seat,
            Occupant {
                user: user.clone(),
                state,
                timeout: self.default_timeout,
                deadline: now,
                alarm: None,
                holds: 0,
            },
        );
        let change = Change { channel, user, kind: ChangeKind::Join, occupancy: room.occupancy(), at: now };
        (seat, change)
    }

    /// Puts off an occupant's timeout, and sees to it that an alarm goes off no later than the deadline.
    fn refresh(&mut self, now: Moment, channel: &Name, seat: Seat, timeout: Option<Duration>) {
        let Some(occupant) = self.rooms.get_mut(channel).and_then(|room| room.get_mut(seat)) else { return };
        occupant.timeout = timeout.unwrap_or(occupant.timeout);
        occupant.deadline = now.after(occupant.timeout);
        let deadline = occupant.deadline;
        match occupant.alarm {
            Some(alarm) if alarm <= deadline => return,
            Some(alarm) => drop(self.alarms.remove(&(alarm, seat))),
            None => {}
        }
        occupant.alarm = Some(deadline);
        self.alarms.insert((deadline, seat), channel.clone());
    }

    /// Sets the state of a user who is there. The same state again is no change: clients repeat theirs with every
    /// heartbeat, and presence events are idempotent (PROTOCOL.md 3.3).
    fn change_state(&mut self, now: Moment, channel: &Name, user: &str, state: &State) -> Option<Change> {
        let room = self.rooms.get_mut(channel)?;
        let occupancy = room.occupancy();
        let (_, occupant) = room.by_user_mut(user)?;
        if occupant.state.as_ref().is_some_and(|old| old.same_as(state)) {
            return None;
        }
        let old = occupant.state.replace(state.clone());
        self.state_bytes += state.json().len();
        self.state_bytes -= old.map_or(0, |old| old.json().len());
        let user = occupant.user.clone();
        Some(Change {
            channel: channel.clone(),
            user,
            kind: ChangeKind::StateChange(state.clone()),
            occupancy,
            at: now,
        })
    }

    fn unseat(&mut self, at: Moment, channel: &Name, seat: Seat, kind: ChangeKind) -> Option<Change> {
        let room = self.rooms.get_mut(channel)?;
        let occupant = room.unseat(seat)?;
        let occupancy = room.occupancy();
        if occupancy == 0 {
            self.rooms.remove(channel);
        }
        if let Some(alarm) = occupant.alarm {
            self.alarms.remove(&(alarm, seat));
        }
        self.occupants -= 1;
        self.state_bytes -= occupant.state.map_or(0, |state| state.json().len());
        if let Some(channels) = self.whereabouts.get_mut(&occupant.user) {
            channels.remove(channel);
            if channels.is_empty() {
                self.whereabouts.remove(&occupant.user);
            }
        }
        Some(Change { channel: channel.clone(), user: occupant.user, kind, occupancy, at })
    }
}

#[cfg(test)]
mod tests;
