//! The occupants of one channel.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::super::clock::Moment;
use super::super::name::Name;
use super::super::state::State;
use super::Seat;

/// One user's entry in a channel.
#[derive(Debug)]
pub(super) struct Occupant {
    pub(super) user: Name,
    pub(super) state: Option<State>,
    pub(super) timeout: Duration,
    /// When the user times out unless it is heard of again.
    pub(super) deadline: Moment,
    /// The alarm that is set for this entry, at the deadline or before it.
    pub(super) alarm: Option<Moment>,
    /// Polls that keep the entry from timing out.
    pub(super) holds: u32,
}

/// The occupants of one channel, by seat, which is the order of joining, and by user.
#[derive(Debug, Default)]
pub(super) struct Room {
    seats: BTreeMap<Seat, Occupant>,
    users: HashMap<Name, Seat>,
}

impl Room {
    pub(super) fn occupancy(&self) -> usize {
        self.seats.len()
    }

    pub(super) fn occupants(&self) -> impl Iterator<Item = &Occupant> {
        self.seats.values()
    }

    pub(super) fn by_user(&self, user: &str) -> Option<(Seat, &Occupant)> {
        let seat = *self.users.get(user)?;
        self.seats.get(&seat).map(|occupant| (seat, occupant))
    }

    pub(super) fn by_user_mut(&mut self, user: &str) -> Option<(Seat, &mut Occupant)> {
        let seat = *self.users.get(user)?;
        self.seats.get_mut(&seat).map(|occupant| (seat, occupant))
    }

    pub(super) fn get_mut(&mut self, seat: Seat) -> Option<&mut Occupant> {
        self.seats.get_mut(&seat)
    }

    pub(super) fn seat(&mut self, seat: Seat, occupant: Occupant) {
        self.users.insert(occupant.user.clone(), seat);
        self.seats.insert(seat, occupant);
    }

    pub(super) fn unseat(&mut self, seat: Seat) -> Option<Occupant> {
        let occupant = self.seats.remove(&seat)?;
        self.users.remove(&occupant.user);
        Some(occupant)
    }
}
