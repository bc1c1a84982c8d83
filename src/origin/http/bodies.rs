//! Answers as JSON. Keys are in alphabetical order, as the service sends them since 2025 (PROTOCOL.md 1.4).

use std::collections::BTreeMap;

use actix_web::web::Bytes;
use serde::Serialize;

use super::super::clock::Moment;
use super::super::state::{State, StateOrEmpty};
use super::refusal::{Refusal, name};

/// An answer of the Presence service.
#[derive(Debug, Serialize)]
pub(super) struct Presence<P> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) action: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) channel: Option<String>,
    pub(super) message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payload: Option<P>,
    pub(super) service: &'static str,
    pub(super) status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) uuid: Option<String>,
}

impl<P> Presence<P> {
    /// "OK", with or without more.
    pub(super) fn ok(payload: Option<P>) -> Self {
        Self {
            action: None,
            channel: None,
            message: "OK",
            payload,
            service: name::PRESENCE,
            status: 200,
            uuid: None,
        }
    }
}

/// The answer to a here-now of one channel.
#[derive(Debug, Serialize)]
pub(super) struct OneChannel<'a> {
    pub(super) message: &'static str,
    pub(super) occupancy: usize,
    pub(super) service: &'static str,
    pub(super) status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) uuids: Option<Vec<Uuid<'a>>>,
}

/// What a here-now of several channels carries.
#[derive(Debug, Serialize)]
pub(super) struct ManyChannels<'a> {
    pub(super) channels: BTreeMap<&'a str, Occupancy<'a>>,
    pub(super) total_channels: usize,
    pub(super) total_occupancy: usize,
}

/// One channel in a here-now.
#[derive(Debug, Serialize)]
pub(super) struct Occupancy<'a> {
    pub(super) occupancy: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) uuids: Option<Vec<Uuid<'a>>>,
}

/// One occupant in a here-now.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Uuid<'a> {
    /// Without states.
    Plain(&'a str),
    /// With them.
    WithState {
        /// The state, where one is set.
        #[serde(skip_serializing_if = "Option::is_none")]
        state: Option<&'a State>,
        /// The user.
        uuid: &'a str,
    },
}

/// A list of channels.
#[derive(Debug, Serialize)]
pub(super) struct ChannelList<'a> {
    pub(super) channels: Vec<&'a str>,
}

/// The states of a user, one or by channel.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum States<'a> {
    /// In the one channel asked for.
    One(StateOrEmpty<'a>),
    /// In several.
    Many {
        /// By channel.
        channels: BTreeMap<&'a str, StateOrEmpty<'a>>,
    },
}

/// An answer of the channel registry.
#[derive(Debug, Serialize)]
pub(super) struct Registry<P> {
    pub(super) error: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payload: Option<P>,
    pub(super) service: &'static str,
    pub(super) status: u16,
}

/// The channels of a group.
#[derive(Debug, Serialize)]
pub(super) struct GroupChannels<'a> {
    pub(super) channels: Vec<&'a str>,
    pub(super) group: &'a str,
}

/// The groups of a key.
#[derive(Debug, Serialize)]
pub(super) struct GroupNames<'a> {
    pub(super) groups: Vec<&'a str>,
    pub(super) namespace: &'static str,
}

/// An error answer.
#[derive(Debug, Serialize)]
pub(super) struct Failed<'a> {
    pub(super) error: bool,
    pub(super) message: &'a str,
    pub(super) service: &'static str,
    pub(super) status: u16,
}

/// The answer to a time request: one timetoken (PROTOCOL.md 2.8).
pub(super) fn time(now: Moment) -> Result<Bytes, Refusal> {
    write(&[now.micros().saturating_mul(10)])
}

/// Writes an answer.
pub(super) fn write(answer: &impl Serialize) -> Result<Bytes, Refusal> {
    serde_json::to_vec(answer).map(Bytes::from).map_err(|error| Refusal::unwritable(&error))
}
