//! Reading a path: which call, of which subscribe key (PROTOCOL.md 0).
//!
//! The raw path is split at `/`, lists of names at `,`, and only then each piece is percent-decoded, so names may hold
//! both (PROTOCOL.md 1.3). A `+` is a plus.

use std::collections::HashSet;

use percent_encoding::percent_decode_str;

use super::super::name::Name;
use super::refusal::Refusal;

/// The longest name of a channel, user, group or key, in bytes. `PubNub` allows 92 characters (PROTOCOL.md 1.6).
pub(super) const LONGEST_NAME: usize = 1_000;

/// A call, and the subscribe key whose world it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// The subscribe key; empty where the call needs none.
    pub(super) key: Name,
    /// The call.
    pub(super) call: Call,
}

/// The calls of the service, with what their path says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    Time,
    HereNow { channels: Vec<Name> },
    GlobalHereNow,
    WhereNow { user: Name },
    GetState { channels: Vec<Name>, user: Name },
    SetState { channels: Vec<Name>, user: Name },
    Heartbeat { channels: Vec<Name> },
    Leave { channels: Vec<Name> },
    Subscribe { channels: Vec<Name> },
    ListGroups,
    Group { group: Name },
    DeleteGroup { group: Name },
}

impl Address {
    /// Reads a path as it was sent.
    pub(super) fn parse(path: &str) -> Result<Self, Refusal> {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let (key, call) = match segments.as_slice() {
            ["time", "0"] => return Ok(Self { key: Name::from(""), call: Call::Time }),
            ["v2", "presence", "sub-key" | "sub_key", key, rest @ ..] => (key, presence_call(rest)?),
            ["v2", "subscribe", key, channels, "0"] => {
                (key, Some(Call::Subscribe { channels: names(channels)? }))
            }
            ["v1", "channel-registration", "sub-key" | "sub_key", key, "channel-group", rest @ ..] => {
                (key, group_call(rest)?)
            }
            _ => (&"", None),
        };
        let call = call.ok_or_else(|| Refusal::not_found(path))?;
        let key = name(key)?;
        if key.is_empty() {
            return Err(Refusal::invalid_key());
        }
        Ok(Self { key, call })
    }
}

fn presence_call(segments: &[&str]) -> Result<Option<Call>, Refusal> {
    Ok(Some(match segments {
        [] => Call::GlobalHereNow,
        ["channel", channels] => Call::HereNow { channels: names(channels)? },
        ["uuid", user] => Call::WhereNow { user: user_id(user)? },
        ["channel", channels, "uuid", user] => {
            Call::GetState { channels: names(channels)?, user: user_id(user)? }
        }
        ["channel", channels, "uuid", user, "data"] => {
            Call::SetState { channels: names(channels)?, user: user_id(user)? }
        }
        ["channel", channels, "heartbeat"] => Call::Heartbeat { channels: names(channels)? },
        ["channel", channels, "leave"] => Call::Leave { channels: names(channels)? },
        _ => return Ok(None),
    }))
}

fn group_call(segments: &[&str]) -> Result<Option<Call>, Refusal> {
    Ok(match segments {
        [] => Some(Call::ListGroups),
        [group] => Some(Call::Group { group: group_name(group)? }),
        [group, "remove"] => Some(Call::DeleteGroup { group: group_name(group)? }),
        _ => None,
    })
}

fn user_id(raw: &str) -> Result<Name, Refusal> {
    let user = name(raw)?;
    if user.is_empty() { Err(Refusal::no_uuid()) } else { Ok(user) }
}

fn group_name(raw: &str) -> Result<Name, Refusal> {
    let group = name(raw)?;
    if group.is_empty() || group.contains([',', ':', '*', '/', '\\']) {
        return Err(Refusal::reserved_character());
    }
    Ok(group)
}

/// The names in a comma list, each once; empty ones are skipped, so `,` is an empty list.
fn names(raw: &str) -> Result<Vec<Name>, Refusal> {
    distinct(raw.split(',').map(name))
}

/// Names in the order given, each once, without empty ones.
pub(super) fn distinct(all: impl Iterator<Item = Result<Name, Refusal>>) -> Result<Vec<Name>, Refusal> {
    let mut seen = HashSet::new();
    let mut distinct = Vec::new();
    for name in all {
        let name = name?;
        if !name.is_empty() && seen.insert(name.clone()) {
            distinct.push(name);
        }
    }
    Ok(distinct)
}

/// Decodes one piece.
fn name(raw: &str) -> Result<Name, Refusal> {
    let decoded = percent_decode_str(raw).decode_utf8().map_err(|_| Refusal::unparsable())?;
    checked(&decoded)
}

/// A name that is not too long.
pub(super) fn checked(name: &str) -> Result<Name, Refusal> {
    if name.len() > LONGEST_NAME { Err(Refusal::unparsable()) } else { Ok(name.into()) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn list(names: &[&str]) -> Vec<Name> {
        names.iter().map(|&name| name.into()).collect()
    }

    #[rstest]
    #[case("/v2/presence/sub-key/k/channel/ch1,ch%202,c%2F3,a&b", Call::HereNow { channels: list(&["ch1", "ch 2", "c/3", "a&b"]) })]
    #[case("/v2/presence/sub_key/k/channel/,", Call::HereNow { channels: vec![] })]
    #[case("/v2/presence/sub-key/k/channel/a,a,,b", Call::HereNow { channels: list(&["a", "b"]) })]
    #[case("/v2/presence/sub-key/k/channel/a+b", Call::HereNow { channels: list(&["a+b"]) })]
    #[case("/v2/presence/sub-key/k", Call::GlobalHereNow)]
    #[case("/v2/presence/sub_key/k/uuid/my%20uuid%2F1", Call::WhereNow { user: "my uuid/1".into() })]
    #[case("/v2/presence/sub-key/k/channel/c/uuid/u%20%C3%A9", Call::GetState { channels: list(&["c"]), user: "u é".into() })]
    #[case("/v2/presence/sub-key/k/channel/c/uuid/u/data", Call::SetState { channels: list(&["c"]), user: "u".into() })]
    #[case("/v2/presence/sub_key/k/channel/c,c-pnpres/heartbeat", Call::Heartbeat { channels: list(&["c", "c-pnpres"]) })]
    #[case("/v2/presence/sub_key/k/channel/c/leave", Call::Leave { channels: list(&["c"]) })]
    #[case("/v2/subscribe/k/c,c-pnpres/0", Call::Subscribe { channels: list(&["c", "c-pnpres"]) })]
    #[case("/v1/channel-registration/sub-key/k/channel-group", Call::ListGroups)]
    #[case("/v1/channel-registration/sub-key/k/channel-group/g%201", Call::Group { group: "g 1".into() })]
    #[case("/v1/channel-registration/sub-key/k/channel-group/g/remove", Call::DeleteGroup { group: "g".into() })]
    fn every_path_of_the_service_is_read(#[case] path: &str, #[case] call: Call) {
        assert_eq!(Address::parse(path), Ok(Address { key: "k".into(), call }));
    }

    #[rstest]
    #[case("/")]
    #[case("")]
    #[case("/v2/presence/demo/demo/channel/channelSwift/heartbeat")]
    #[case("/v2/subscribe/k/c")]
    #[case("/v2/presence/sub-key/k/channel/c/heartbeat/x")]
    #[case("/time")]
    fn other_paths_are_not_found(#[case] path: &str) {
        assert_eq!(Address::parse(path), Err(Refusal::not_found(path)));
    }

    #[rstest]
    #[case("/v2/presence/sub-key//channel/c", Refusal::invalid_key())]
    #[case("/v2/presence/sub-key/k/channel/%FF", Refusal::unparsable())]
    #[case("/v2/presence/sub-key/k/uuid/", Refusal::no_uuid())]
    #[case("/v1/channel-registration/sub-key/k/channel-group/a:b", Refusal::reserved_character())]
    fn what_cannot_be_a_name_is_refused(#[case] path: &str, #[case] refusal: Refusal) {
        assert_eq!(Address::parse(path), Err(refusal));
    }

    #[test]
    fn a_name_may_be_long_but_not_endless() {
        assert!(checked(&"n".repeat(LONGEST_NAME)).is_ok());
        assert_eq!(checked(&"n".repeat(LONGEST_NAME + 1)), Err(Refusal::unparsable()));
    }
}
