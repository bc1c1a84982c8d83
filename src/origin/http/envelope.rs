//! Presence events as they are delivered (PROTOCOL.md 3.1, 3.2).

use serde::Serialize;

use super::super::events::{Event, Interval};
use super::super::feed::{Delivery, Timetoken};
use super::super::name::Name;
use super::super::state::StateOrEmpty;
use super::super::world::{Change, ChangeKind};
use super::presence::PRESENCE_SUFFIX;

/// The region this server says it is in.
const REGION: u8 = 1;
/// The shard it says it is.
const SHARD: &str = "1";

/// A timetoken and a region.
#[derive(Debug, Serialize)]
pub(super) struct Position {
    t: String,
    r: u8,
}

impl From<Timetoken> for Position {
    fn from(timetoken: Timetoken) -> Self {
        Self { t: timetoken.0.to_string(), r: REGION }
    }
}

/// A delivered event.
#[derive(Debug, Serialize)]
pub(super) struct Envelope<'a> {
    a: &'static str,
    f: u8,
    p: Position,
    k: &'a str,
    c: String,
    u: ForFilters<'a>,
    d: Told<'a>,
    b: String,
}

/// The event itself.
#[derive(Debug, Clone, Default, Serialize)]
struct Told<'a> {
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<&'a str>,
    /// Unix seconds.
    timestamp: u64,
    /// Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    precise_timestamp: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<StateOrEmpty<'a>>,
    occupancy: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    join: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    leave: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    timeout: Vec<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    here_now_refresh: bool,
}

/// The same once more, for stream filters.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are the wire's")]
struct ForFilters<'a> {
    pn_action: &'static str,
    pn_channel: &'a str,
    pn_ispresence: u8,
    pn_occupancy: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pn_precise_timestamp: Option<u64>,
    pn_timestamp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pn_uuid: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pn_join: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pn_leave: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pn_timeout: Vec<&'a str>,
}

impl<'a> Envelope<'a> {
    /// The envelope of a delivery. One that a wildcard matched is on the wildcard's own channel (PROTOCOL.md 2.6);
    /// `u.pn_channel` says where it happened.
    pub(super) fn new(key: &'a str, delivery: &'a Delivery) -> Self {
        let event = &delivery.message.event;
        let told = match event {
            Event::One(change) => Told::one(change),
            Event::Interval(interval) => Told::interval(interval),
        };
        Self {
            a: SHARD,
            f: 0,
            p: delivery.message.timetoken.into(),
            k: key,
            c: format!("{}{PRESENCE_SUFFIX}", delivery.topic),
            u: ForFilters::new(event.channel(), &told),
            d: told,
            b: format!("{}{PRESENCE_SUFFIX}", delivery.matched),
        }
    }
}

impl<'a> Told<'a> {
    fn one(change: &'a Change) -> Self {
        let (action, precise, data) = match &change.kind {
            ChangeKind::Join => ("join", true, None),
            ChangeKind::Leave => ("leave", true, None),
            ChangeKind::Timeout => ("timeout", true, Some(StateOrEmpty::Empty {})),
            ChangeKind::StateChange(state) => ("state-change", false, Some(StateOrEmpty::Set(state))),
        };
        Self {
            action,
            uuid: Some(&change.user),
            timestamp: change.at.seconds(),
            precise_timestamp: precise.then(|| change.at.millis()),
            data,
            occupancy: change.occupancy,
            ..Self::default()
        }
    }

    fn interval(interval: &'a Interval) -> Self {
        let plain = Self {
            action: "interval",
            timestamp: interval.at.seconds(),
            occupancy: interval.occupancy,
            ..Self::default()
        };
        match &interval.deltas {
            Some(deltas) => Self {
                join: names(&deltas.join),
                leave: names(&deltas.leave),
                timeout: names(&deltas.timeout),
                ..plain
            },
            None => Self { here_now_refresh: true, ..plain },
        }
    }
}

fn names(users: &[Name]) -> Vec<&str> {
    users.iter().map(|user| &**user).collect()
}

impl<'a> ForFilters<'a> {
    fn new(channel: &'a str, told: &Told<'a>) -> Self {
        Self {
            pn_action: told.action,
            pn_channel: channel,
            pn_ispresence: 1,
            pn_occupancy: told.occupancy,
            pn_precise_timestamp: told.precise_timestamp,
            pn_timestamp: told.timestamp,
            pn_uuid: told.uuid,
            pn_join: told.join.clone(),
            pn_leave: told.leave.clone(),
            pn_timeout: told.timeout.clone(),
        }
    }
}
