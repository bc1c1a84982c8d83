//! The shapes of answers (PROTOCOL.md 1.4, 2). Key order is free, unknown fields are ignored, a field given twice is an
//! error (serde's rule for structs).

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Unexpected, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::here_now::HereNowOccupant;

/// The longest state of one user that is taken, in bytes as it was written. Whoever sets one writes it into a URI, which
/// holds 32 KiB (PROTOCOL.md 1.6).
const MAX_STATE: usize = 64 * 1024;

/// A `T` that is written as a JSON object; an array is refused, where a derived struct would take it.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Object)
    }
}

/// An answer to here-now: flat for one channel, with `payload` for everything else.
#[derive(Deserialize)]
pub(super) struct HereNowBody {
    pub(super) payload: Option<Object<HereNowPayload>>,
    pub(super) occupancy: Option<u64>,
    pub(super) uuids: Option<Vec<HereNowOccupant>>,
}

#[derive(Deserialize)]
pub(super) struct HereNowPayload {
    pub(super) channels: Entries<Object<HereNowEntry>>,
    pub(super) total_channels: u64,
    pub(super) total_occupancy: u64,
}

#[derive(Deserialize)]
pub(super) struct HereNowEntry {
    pub(super) occupancy: u64,
    pub(super) uuids: Option<Vec<HereNowOccupant>>,
}

/// An object's entries in the order given, so that a key given twice can be seen.
pub(super) struct Entries<T>(pub(super) Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
            type Value = Vec<(String, T)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a channel in each key")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(entries)
            }
        }

        deserializer.deserialize_map(EntriesVisitor(PhantomData)).map(Entries)
    }
}

/// An occupant is written as its id or, where states were asked for, as an object; lists may mix both.
impl<'de> Deserialize<'de> for HereNowOccupant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct WithState<'a> {
            uuid: Name,
            #[serde(borrow)]
            state: Option<&'a RawValue>,
        }

        struct OccupantVisitor;

        impl<'de> Visitor<'de> for OccupantVisitor {
            type Value = HereNowOccupant;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an occupant: a non-empty id, or an object with one as `uuid`")
            }

            fn visit_str<E: serde::de::Error>(self, id: &str) -> Result<HereNowOccupant, E> {
                Name::new(id.to_owned()).map(|Name(uuid)| HereNowOccupant { uuid, state: None, bare: true })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<HereNowOccupant, A::Error> {
                let WithState { uuid: Name(uuid), state } =
                    WithState::deserialize(MapAccessDeserializer::new(map))?;
                let state = state.map(|state| one_state(state.get())).transpose()?;
                Ok(HereNowOccupant { uuid, state, bare: false })
            }
        }

        deserializer.deserialize_any(OccupantVisitor)
    }
}

/// A state, if it is not too long. Its length is looked at first: what it means may take a hundred times as much memory.
fn one_state<E: serde::de::Error>(written: &str) -> Result<Value, E> {
    if written.len() > MAX_STATE {
        let length = written.len();
        return Err(E::custom(format_args!("a state of {length} bytes, over the limit of {MAX_STATE}")));
    }
    serde_json::from_str(written).map_err(|error| E::custom(format_args!("a state: {error}")))
}

/// A name or id: a text that is not empty.
pub(super) struct Name(pub(super) String);

impl Name {
    fn new<E: serde::de::Error>(text: String) -> Result<Self, E> {
        if text.is_empty() {
            return Err(E::invalid_value(Unexpected::Str(""), &"a non-empty text"));
        }
        Ok(Self(text))
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?)
    }
}

/// `payload: {"channels": […]}`, as where-now and the channel-group listing answer.
#[derive(Deserialize)]
pub(super) struct ChannelListBody {
    pub(super) payload: Object<ChannelListPayload>,
}

#[derive(Deserialize)]
pub(super) struct ChannelListPayload {
    pub(super) channels: Vec<Name>,
    /// Only in the listing of a group: which it is.
    pub(super) group: Option<String>,
}

impl ChannelListBody {
    pub(super) fn into_channels(self) -> Vec<String> {
        self.payload.0.channels.into_iter().map(|Name(name)| name).collect()
    }
}

/// The state itself: set-state's answer, and the flat one of get-state.
#[derive(Deserialize)]
pub(super) struct SetStateBody {
    pub(super) payload: Value,
}

/// What tells get-state's two shapes apart: only the flat one has `channel`.
#[derive(Deserialize)]
pub(super) struct GetStateShape {
    pub(super) channel: Option<String>,
}

/// Get-state's answer about several channels.
#[derive(Deserialize)]
pub(super) struct GetStateBody {
    pub(super) payload: Object<GetStatePayload>,
}

#[derive(Deserialize)]
pub(super) struct GetStatePayload {
    pub(super) channels: Entries<Value>,
}

/// An object of which nothing is read.
#[derive(Deserialize)]
pub(super) struct AnyBody {}
