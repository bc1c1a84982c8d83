//! A user's state in a channel.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A user's state in a channel: a JSON object, kept as the client wrote it.
#[derive(Debug, Clone)]
pub(crate) struct State(Arc<RawValue>);

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().serialize(serializer)
    }
}

impl State {
    /// Takes the text of a JSON object; anything else is `None` (PROTOCOL.md 2.2: "Invalid JSON specified.").
    pub(crate) fn parse(json: &str) -> Option<Self> {
        // Read in full first: raw text alone would let through numbers and depths that readers refuse.
        serde_json::from_str::<Map<String, Value>>(json).ok()?;
        let raw: Box<RawValue> = serde_json::from_str(json).ok()?;
        Some(Self(raw.into()))
    }

    /// The JSON text.
    pub(crate) fn json(&self) -> &str {
        self.0.get()
    }

    /// Whether both hold the same value, whatever the order of keys or the spaces.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        let value = |state: &Self| serde_json::from_str::<Value>(state.json()).ok();
        self.json() == other.json() || value(self) == value(other)
    }
}

/// A state where one is wanted whether or not there is one: `{}` stands for none.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub(crate) enum StateOrEmpty<'a> {
    /// The state that is set.
    Set(&'a State),
    /// Serialized as `{}`.
    Empty {},
}

impl<'a> From<Option<&'a State>> for StateOrEmpty<'a> {
    fn from(state: Option<&'a State>) -> Self {
        state.map_or(Self::Empty {}, Self::Set)
    }
}

#[cfg(test)]
mod tests {
    use super::{State, StateOrEmpty};

    #[test]
    fn a_state_is_a_json_object_and_nothing_else() {
        for good in ["{}", r#"{"a":[1,{"b":null}]}"#, " {\"a\" : 1} "] {
            assert!(State::parse(good).is_some(), "{good}");
        }
        let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        for bad in
            ["", "null", "1", "[]", "\"x\"", "{", "{}x", r#"{"a":1e999}"#, &format!("{{\"a\":{deep}}}")]
        {
            assert!(State::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn states_are_compared_as_values() {
        let state = |json| State::parse(json).unwrap();
        assert!(state(r#"{"a":1,"b":2}"#).same_as(&state(r#"{ "b": 2, "a": 1 }"#)));
        assert!(!state(r#"{"a":1}"#).same_as(&state(r#"{"a":2}"#)));
    }

    #[test]
    fn no_state_reads_as_the_empty_object() {
        let json = |state: Option<&State>| serde_json::to_string(&StateOrEmpty::from(state)).unwrap();
        assert_eq!(json(None), "{}");
        assert_eq!(json(State::parse(r#"{"a":1.0}"#).as_ref()), r#"{"a":1.0}"#);
    }
}
