//! `[origin]`: the embedded Presence API server.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use config::{Value, ValueKind};

use super::section::Section;
use super::server::ADDRESS;
use crate::origin::faults::Faults;

const PRESENCE_TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24);
const ANNOUNCE_MAX: RangeInclusive<u32> = 0..=1_000_000;
const ANNOUNCE_INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24);
const HERE_NOW_CACHE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_hours(1);

/// The embedded Presence API server.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// The address it listens on; port 0 is any free one.
    pub listen: SocketAddr,
    /// After how long without a sign of life a user is gone, unless the client says otherwise.
    pub presence_timeout: Duration,
    /// Channels with more occupants announce intervals only.
    pub announce_max: u32,
    /// How often such a channel announces its occupancy.
    pub announce_interval: Duration,
    /// How long here-now answers are cached, per URL.
    pub here_now_cache: Duration,
    /// What it does wrong on purpose.
    pub faults: Faults,
}

pub(super) fn read(mut section: Section<'_>) -> Option<Origin> {
    let listen = section.text("listen", ADDRESS, |text| text.parse().ok());
    let presence_timeout = section.duration("presence_timeout", &PRESENCE_TIMEOUT);
    let announce_max = section.number("announce_max", &ANNOUNCE_MAX);
    let announce_interval = section.duration("announce_interval", &ANNOUNCE_INTERVAL);
    let here_now_cache = section.duration("here_now_cache", &HERE_NOW_CACHE);
    let faults = read_faults(&mut section);
    section.finish();
    Some(Origin {
        listen: listen?,
        presence_timeout: presence_timeout?,
        announce_max: announce_max?,
        announce_interval: announce_interval?,
        here_now_cache: here_now_cache?,
        faults: faults?,
    })
}

/// The origin reads its faults itself: `PUT /faults` takes the same.
fn read_faults(section: &mut Section<'_>) -> Option<Faults> {
    let Some(value) = section.whatever("faults") else { return Some(Faults::default()) };
    let faults = Faults::read(&json(value));
    for wrong in faults.as_ref().err().into_iter().flatten() {
        section.refuse_inside("faults", &wrong.key, wrong.value.clone(), wrong.allowed.clone());
    }
    faults.ok()
}

fn json(value: Value) -> serde_json::Value {
    match value.kind {
        ValueKind::Nil => serde_json::Value::Null,
        ValueKind::Boolean(value) => value.into(),
        ValueKind::I64(number) => number.into(),
        ValueKind::U64(number) => number.into(),
        ValueKind::Float(number) => number.into(),
        ValueKind::Array(items) => items.into_iter().map(json).collect(),
        ValueKind::Table(table) => table.into_iter().map(|(key, value)| (key, json(value))).collect(),
        // Larger numbers than JSON has are wrong anywhere.
        text => text.to_string().into(),
    }
}
