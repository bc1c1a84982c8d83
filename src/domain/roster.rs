//! Who is in a channel, and what an observation changes about it.

use hashbrown::{HashMap, HashSet};

use super::event::{Event, EventKind, Seq};
use super::names::UserId;
use super::observation::{Grade, Observation, Occupant};
use super::state::Shown;
use super::time::{Moment, Window};

/// One user who is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// The number of the event that opened the visit.
    pub opened: Seq,
    /// When the visit began.
    pub joined: Window,
    /// The last state known.
    pub state: Shown,
    /// When the user came to have it; `None` while it is unknown.
    pub state_since: Option<Window>,
    /// The last observation that listed the user, where that is later than the roster's last complete one.
    pub listed: Option<Moment>,
    /// The last observation that showed the user's state, where that is later than the roster's `shown`.
    pub shown: Option<Moment>,
}

/// Who is in a channel as of its last committed observation.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Roster {
    members: HashMap<UserId, Member>,
    /// The last complete observation. It listed every member who joined up to then and nobody else.
    complete: Option<Moment>,
    /// The last complete observation that showed states.
    shown: Option<Moment>,
    /// The last event's number.
    seq: Seq,
}

impl Roster {
    /// A roster as the history kept it.
    pub fn restore(
        members: HashMap<UserId, Member>,
        complete: Option<Moment>,
        shown: Option<Moment>,
        seq: Seq,
    ) -> Self {
        Self { members, complete, shown, seq }
    }

    /// Who is there.
    pub fn members(&self) -> &HashMap<UserId, Member> {
        &self.members
    }

    /// The last complete observation.
    pub fn complete(&self) -> Option<Moment> {
        self.complete
    }

    /// The last complete observation that showed states.
    pub fn shown(&self) -> Option<Moment> {
        self.shown
    }

    /// The last event's number.
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// The last observation that listed this member.
    pub fn listed(&self, member: &Member) -> Option<Moment> {
        later(self.complete, member.listed)
    }

    /// Whether [`Roster::diff`] would find nothing.
    pub fn repeats(&self, seen: &Observation) -> bool {
        let same = |occupant: &Occupant| {
            let member = self.members.get(&occupant.user);
            member.is_some_and(|member| !occupant.state.is_known() || occupant.state == member.state)
        };
        let listed = seen.listed();
        listed.iter().all(same) && (seen.grade() != Grade::Complete || listed.len() == self.members.len())
    }

    /// What the observation changes: leaves (in order of user id), then states, then joins (in the order listed). It
    /// must be certainly later than all that the roster was given before; [`super::channel::Channel`] sees to that.
    pub fn diff(&self, seen: &Observation) -> Vec<Event> {
        let mut events = Vec::new();
        let mut arrived = Vec::new();
        let mut found = 0;
        for occupant in seen.listed() {
            match self.members.get(&occupant.user) {
                Some(member) => {
                    found += 1;
                    events.extend(self.state_change(member, occupant, seen));
                }
                None => arrived.push(self.arrival(occupant, seen)),
            }
        }
        if seen.grade() == Grade::Complete && found < self.members.len() {
            events.splice(0..0, self.departures(seen));
        }
        events.append(&mut arrived);
        for (event, seq) in events.iter_mut().zip(self.seq + 1..) {
            event.seq = seq;
        }
        events
    }

    /// A join where the last complete observation did not list the user; otherwise nothing proves an absence.
    fn arrival(&self, occupant: &Occupant, seen: &Observation) -> Event {
        let kind = if self.complete.is_some() { EventKind::Join } else { EventKind::Present };
        event(kind, &occupant.user, self.complete, seen, occupant.state.clone())
    }

    /// Everybody whom a complete observation does not list has left since they were last listed.
    fn departures(&self, seen: &Observation) -> Vec<Event> {
        let listed: HashSet<&UserId> = seen.listed().iter().map(|occupant| &occupant.user).collect();
        let mut gone: Vec<_> = self.members.iter().filter(|(user, _)| !listed.contains(user)).collect();
        gone.sort_unstable_by_key(|(user, _)| *user);
        gone.into_iter()
            .map(|(user, member)| {
                event(EventKind::Leave, user, self.listed(member), seen, member.state.clone())
            })
            .collect()
    }

    /// A change between two known states, or a state that became known.
    fn state_change(&self, member: &Member, occupant: &Occupant, seen: &Observation) -> Option<Event> {
        if !occupant.state.is_known() || occupant.state == member.state {
            return None;
        }
        let (kind, since) = if member.state.is_known() {
            (EventKind::State, Window::between(later(self.shown, member.shown), seen.moment))
        } else {
            let since = Window { not_before: member.joined.not_before, not_after: seen.moment.latest };
            (EventKind::Settled, since)
        };
        Some(Event { window: since, ..event(kind, &occupant.user, None, seen, occupant.state.clone()) })
    }

    /// Takes what [`Roster::diff`] found, once the history has it, and the observation itself.
    pub fn apply(&mut self, seen: &Observation, events: &[Event]) {
        for event in events {
            self.seq = self.seq.max(event.seq);
            match event.kind {
                EventKind::Leave => {
                    self.members.remove(&event.user);
                }
                EventKind::Join | EventKind::Present => {
                    self.members.insert(event.user.clone(), Member::arrived(event, seen.moment));
                }
                EventKind::State | EventKind::Settled => {
                    if let Some(member) = self.members.get_mut(&event.user) {
                        member.state = event.state.clone();
                        member.state_since = Some(event.window);
                    }
                }
            }
        }
        self.confirm(seen);
    }

    /// Takes an observation that changes nothing, or whose changes were applied.
    pub fn confirm(&mut self, seen: &Observation) {
        (self.complete, self.shown) = (self.complete_with(seen), self.shown_with(seen));
        if seen.grade() != Grade::Truncated {
            return;
        }
        for occupant in seen.listed() {
            if let Some(member) = self.members.get_mut(&occupant.user) {
                member.listed = Some(seen.moment);
                if occupant.state.is_known() {
                    member.shown = Some(seen.moment);
                }
            }
        }
    }

    /// The last complete observation, once this one is taken.
    pub fn complete_with(&self, seen: &Observation) -> Option<Moment> {
        if seen.grade() == Grade::Complete { Some(seen.moment) } else { self.complete }
    }

    /// The last complete observation that showed states, once this one is taken.
    pub fn shown_with(&self, seen: &Observation) -> Option<Moment> {
        let shown = seen.listed().first().is_some_and(|occupant| occupant.state.is_known());
        if shown && seen.grade() == Grade::Complete { Some(seen.moment) } else { self.shown }
    }
}

impl Member {
    fn arrived(event: &Event, moment: Moment) -> Self {
        let known = event.state.is_known();
        Self {
            opened: event.seq,
            joined: event.window,
            state: event.state.clone(),
            state_since: known.then_some(event.window),
            listed: Some(moment),
            shown: known.then_some(moment),
        }
    }
}

fn later(one: Option<Moment>, other: Option<Moment>) -> Option<Moment> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.later(other)),
        (one, other) => one.or(other),
    }
}

/// An event that is numbered later.
fn event(kind: EventKind, user: &UserId, before: Option<Moment>, seen: &Observation, state: Shown) -> Event {
    let window = Window::between(before, seen.moment);
    Event { seq: 0, user: user.clone(), kind, window, occupancy: seen.occupancy(), state }
}
