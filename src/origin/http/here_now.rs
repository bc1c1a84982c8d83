//! Who is here now (PROTOCOL.md 1).

use std::collections::BTreeMap;

use actix_web::web::Bytes;

use super::super::clock::Moment;
use super::super::faults::Blow;
use super::super::name::Name;
use super::super::world::World;
use super::Service;
use super::address::Call;
use super::bodies::{self, ManyChannels, Occupancy, OneChannel, Presence, Uuid};
use super::query::Query;
use super::refusal::{Refusal, name};

/// The most user ids of one channel that can be asked for by number (PROTOCOL.md 1.6).
const MOST_USERS: usize = 1_000;

/// Which occupants of a channel to list, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listing {
    /// None: only how many.
    Count,
    /// Some.
    Users { skip: usize, most: usize, states: bool },
}

impl Listing {
    fn parse(asked: &Query) -> Result<Self, Refusal> {
        let limit = number(asked, "limit")?;
        let skip = number(asked, "offset")?.unwrap_or(0);
        if limit.is_some_and(|limit| limit > MOST_USERS) {
            return Err(Refusal::bad_request("Cannot return more than 1000 uuids at a time"));
        }
        if limit == Some(0) || asked.is_on("disable_uuids") || asked.is_on("disable-uuids") {
            return Ok(Self::Count);
        }
        Ok(Self::Users { skip, most: limit.unwrap_or(usize::MAX), states: asked.is_on("state") })
    }

    fn is_later_page(self) -> bool {
        matches!(self, Self::Users { skip, .. } if skip > 0)
    }

    /// The list begins `moved` users later than it does: those have come again, and are its last.
    fn of<'a>(self, world: &'a World, channel: &str, moved: usize) -> Occupancy<'a> {
        let uuids = match self {
            Self::Count => None,
            Self::Users { skip, most, states } => {
                let users = world.occupants(channel).skip(moved).chain(world.occupants(channel).take(moved));
                let users = users.skip(skip).take(most);
                Some(
                    users
                        .map(
                            |(uuid, state)| {
                                if states { Uuid::WithState { state, uuid } } else { Uuid::Plain(uuid) }
                            },
                        )
                        .collect(),
                )
            }
        };
        Occupancy { occupancy: world.occupancy(channel), uuids }
    }
}

/// Answers a here-now in any of its forms: flat for exactly one channel without groups, else by channel, without
/// those that are empty (PROTOCOL.md 10 rule 3).
pub(super) fn here_now(
    service: &Service,
    key: &Name,
    call: &Call,
    asked: &Query,
    now: Moment,
    moved: Option<Blow>,
) -> Result<Bytes, Refusal> {
    let listing = Listing::parse(asked)?;
    // Who reads from the beginning sees the true order.
    let mut moved = moved.filter(|_| listing.is_later_page());
    let keyset = service.keysets.look_at(key);
    let keyset = keyset.at(now);
    let world = &keyset.world;
    let mut listed = |channel: &str| listing.of(world, channel, movement(world, channel, moved.as_mut()));
    let Call::HereNow { channels } = call else {
        return many(world.channels().map(|channel| (&**channel, listed(channel))));
    };
    let groups = asked.names("channel-group")?;
    match (channels.as_slice(), groups.as_slice()) {
        ([], []) => Err(Refusal::bad_request("No channels or channel groups specified")),
        ([channel], []) => one(listed(channel)),
        _ => {
            let channels = world.resolve(channels, &groups)?;
            many(channels.iter().map(|channel| (&**channel, listed(channel))))
        }
    }
}

/// How many users of a channel move: some, not all.
fn movement(world: &World, channel: &str, moved: Option<&mut Blow>) -> usize {
    let occupancy = world.occupancy(channel);
    match moved {
        Some(blow) if occupancy > 1 && blow.channels.contain(channel) => blow.chance.usize(1..occupancy),
        _ => 0,
    }
}

fn one(Occupancy { occupancy, uuids }: Occupancy<'_>) -> Result<Bytes, Refusal> {
    bodies::write(&OneChannel { message: "OK", occupancy, service: name::PRESENCE, status: 200, uuids })
}

fn many<'a>(channels: impl Iterator<Item = (&'a str, Occupancy<'a>)>) -> Result<Bytes, Refusal> {
    let channels: BTreeMap<_, _> = channels.filter(|(_, o)| o.occupancy > 0).collect();
    let total_occupancy = channels.values().map(|o| o.occupancy).sum();
    let payload = ManyChannels { total_channels: channels.len(), total_occupancy, channels };
    bodies::write(&Presence::ok(Some(payload)))
}

fn number(asked: &Query, name: &str) -> Result<Option<usize>, Refusal> {
    let Some(text) = asked.filled(name) else { return Ok(None) };
    text.parse()
        .map(Some)
        .map_err(|_| Refusal::bad_request(format!("Invalid {name}: not a number from 0 up")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read_from_the_parameters() {
        let all = Listing::Users { skip: 0, most: usize::MAX, states: false };
        for (query, listing) in [
            ("", all),
            ("disable_uuids=0&state=0&limit=&offset=", all),
            ("limit=1000&offset=3&state=1", Listing::Users { skip: 3, most: 1_000, states: true }),
            ("limit=0", Listing::Count),
            ("disable_uuids=1&state=1", Listing::Count),
            ("disable-uuids=1", Listing::Count),
        ] {
            assert_eq!(Listing::parse(&Query::parse(query).unwrap()), Ok(listing), "{query}");
        }
        for query in
            ["limit=1001", "limit=-1", "limit=x", "offset=-50", "offset=1.5", "limit=99999999999999999999"]
        {
            assert!(Listing::parse(&Query::parse(query).unwrap()).is_err(), "{query}");
        }
    }
}
