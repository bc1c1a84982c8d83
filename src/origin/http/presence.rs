//! Where now, states, heartbeat and leave (PROTOCOL.md 2.1 to 2.5).

use std::collections::HashMap;
use std::time::Duration;

use actix_web::web::Bytes;
use serde_json::value::RawValue;

use super::super::name::Name;
use super::super::state::{State, StateOrEmpty};
use super::super::world::{Arrival, Full, World};
use super::Service;
use super::bodies::{self, ChannelList, Presence, States};
use super::query::Query;
use super::refusal::Refusal;

/// The end of the name of a channel's presence events, and of a group's.
pub(super) const PRESENCE_SUFFIX: &str = "-pnpres";
/// The longest presence timeout a client can ask for; what is longer counts as this.
const LONGEST_TIMEOUT: Duration = Duration::from_hours(24);

/// The channels a user is in.
pub(super) fn where_now(service: &Service, key: &Name, user: &str) -> Result<Bytes, Refusal> {
    let keyset = service.keysets.look_at(key);
    let keyset = keyset.at(service.now());
    let channels = keyset.world.where_is(user).map(|channel| &**channel).collect();
    bodies::write(&Presence::ok(Some(ChannelList { channels })))
}

/// A user's states: flat for exactly one channel without groups, else by channel.
pub(super) fn get_state(
    service: &Service,
    key: &Name,
    channels: &[Name],
    user: &Name,
    asked: &Query,
) -> Result<Bytes, Refusal> {
    let place = Place::parse(channels, asked)?;
    let keyset = service.keysets.look_at(key);
    let keyset = keyset.at(service.now());
    let world = &keyset.world;
    let resolved = place.resolve(world)?;
    let state = |channel: &Name| StateOrEmpty::from(world.state(channel, user));
    let flat = |channel: &Name| Presence {
        channel: Some(channel.to_string()),
        ..Presence::ok(Some(States::One(state(channel))))
    };
    let by_channel = || {
        let channels = resolved.iter().map(|channel| (&**channel, state(channel))).collect();
        Presence::ok(Some(States::Many { channels }))
    };
    let answer = if let ([channel], []) = (place.channels.as_slice(), place.groups.as_slice()) {
        flat(channel)
    } else {
        by_channel()
    };
    bodies::write(&Presence { uuid: Some(user.to_string()), ..answer })
}

/// Sets a user's state, whether or not the user is there.
pub(super) fn set_state(
    service: &Service,
    key: &Name,
    channels: &[Name],
    user: &Name,
    asked: &Query,
) -> Result<Bytes, Refusal> {
    let json = asked.filled("state").ok_or_else(|| Refusal::bad_request("No state specified."))?;
    let state = State::parse(json).ok_or_else(invalid_json)?;
    let place = Place::parse(channels, asked)?;
    let now = service.now();
    let keyset = service.keysets.open(key)?;
    let mut keyset = keyset.at(now);
    let channels = place.resolve(&keyset.world)?;
    let changes = keyset.world.set_state(now, user, &channels, &state)?;
    keyset.announce(changes);
    bodies::write(&Presence::ok(Some(&state)))
}

/// Joins a user, or keeps it from timing out.
pub(super) fn heartbeat(
    service: &Service,
    key: &Name,
    channels: &[Name],
    asked: &Query,
) -> Result<Bytes, Refusal> {
    let user = asked.user()?;
    let timeout = timeout(asked)?;
    let states = states(asked)?;
    let place = Place::parse(channels, asked)?;
    let now = service.now();
    let keyset = service.keysets.open(key)?;
    let mut keyset = keyset.at(now);
    let channels = place.resolve(&keyset.world)?;
    let arrival = Arrival { user: &user, channels: &channels, timeout, states: &states };
    let changes = keyset.world.arrive(now, arrival)?;
    keyset.announce(changes);
    bodies::write(&Presence::<()>::ok(None))
}

/// Takes a user out. Where it is not, that is fine too (PROTOCOL.md 2.5).
pub(super) fn leave(
    service: &Service,
    key: &Name,
    channels: &[Name],
    asked: &Query,
) -> Result<Bytes, Refusal> {
    let user = asked.user()?;
    let place = Place::parse(channels, asked)?;
    let now = service.now();
    let keyset = service.keysets.look_at(key);
    let mut keyset = keyset.at(now);
    let channels = place.resolve(&keyset.world)?;
    let changes = keyset.world.leave(now, &user, &channels);
    keyset.announce(changes);
    bodies::write(&Presence { action: Some("leave"), ..Presence::<()>::ok(None) })
}

/// Where a call applies: its channels and groups, without those of presence events (PROTOCOL.md 10 rule 2).
#[derive(Debug)]
struct Place {
    channels: Vec<Name>,
    groups: Vec<Name>,
}

impl Place {
    fn parse(channels: &[Name], asked: &Query) -> Result<Self, Refusal> {
        let groups = asked.names("channel-group")?;
        if channels.is_empty() && groups.is_empty() {
            return Err(Refusal::bad_request("No channels or channel groups specified"));
        }
        Ok(Self { channels: without_presence(channels), groups: without_presence(&groups) })
    }

    /// The channels, and those of the groups.
    fn resolve(&self, world: &World) -> Result<Vec<Name>, Full> {
        resolve(world, &self.channels, &self.groups)
    }
}

/// The channels named and those of the groups, as far as one can be present there: a group may hold `-pnpres` names too.
pub(super) fn resolve(world: &World, channels: &[Name], groups: &[Name]) -> Result<Vec<Name>, Full> {
    let resolved = world.resolve(&without_presence(channels), &without_presence(groups))?;
    Ok(without_presence(&resolved))
}

/// The names that are not of presence events.
fn without_presence(names: &[Name]) -> Vec<Name> {
    names.iter().filter(|name| !name.ends_with(PRESENCE_SUFFIX)).cloned().collect()
}

/// The presence timeout a client asks for, if it does.
pub(super) fn timeout(asked: &Query) -> Result<Option<Duration>, Refusal> {
    let Some(text) = asked.filled("heartbeat") else { return Ok(None) };
    let seconds: u64 =
        text.parse().map_err(|_| Refusal::bad_request("Invalid heartbeat: not a number of seconds"))?;
    Ok((seconds > 0).then(|| Duration::from_secs(seconds).min(LONGEST_TIMEOUT)))
}

/// The states by channel that come with a heartbeat or subscribe (PROTOCOL.md 2.4).
pub(super) fn states(asked: &Query) -> Result<HashMap<Name, State>, Refusal> {
    let Some(json) = asked.filled("state") else { return Ok(HashMap::new()) };
    let states: HashMap<String, Box<RawValue>> = serde_json::from_str(json).map_err(|_| invalid_json())?;
    let state = |(channel, raw): (String, Box<RawValue>)| {
        State::parse(raw.get()).map(|state| (Name::from(channel), state)).ok_or_else(invalid_json)
    };
    states.into_iter().map(state).collect()
}

fn invalid_json() -> Refusal {
    Refusal::bad_request("Invalid JSON specified.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(raw: &str) -> Query {
        Query::parse(raw).unwrap()
    }

    #[test]
    fn a_presence_timeout_is_whole_seconds_up_to_a_day() {
        assert_eq!(timeout(&query("heartbeat=20")), Ok(Some(Duration::from_secs(20))));
        assert_eq!(timeout(&query("heartbeat=86401")), Ok(Some(LONGEST_TIMEOUT)));
        for none in ["", "heartbeat=", "heartbeat=0"] {
            assert_eq!(timeout(&query(none)), Ok(None), "{none}");
        }
        for bad in ["heartbeat=-1", "heartbeat=x", "heartbeat=1.5"] {
            assert!(timeout(&query(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn states_come_by_channel() {
        let states = states(&query("state=%7B%22c%20h%22:%7B%22a%22:1%7D%7D")).unwrap();
        assert_eq!(states.get("c h").map(State::json), Some(r#"{"a":1}"#));
        for bad in ["state=x", "state=%7B%22c%22:1%7D", "state=[]"] {
            assert_eq!(super::states(&query(bad)).unwrap_err(), invalid_json(), "{bad}");
        }
        assert!(super::states(&query("state=%7B%7D")).unwrap().is_empty());
    }
}
