//! A user's state in a channel: JSON that the application chose. Unknown (not asked for) is not empty.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::{Number, Value};

/// A state in canonical form: compact JSON text, keys sorted, whole numbers without a fraction. Two states are equal
/// as JSON values (key order free, 1 = 1.0) exactly when their texts are.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct State(Arc<str>);

/// Whole numbers up to here are exact in a double (RFC 7493 section 2.2).
const EXACT: f64 = 9_007_199_254_740_992.0;

impl State {
    /// The canonical form of a JSON value. `null` is a state too: whoever reads the wire decides what it means.
    pub fn new(value: Value) -> Self {
        Self(canonical(value).to_string().into())
    }

    /// Takes back a text that [`State::as_str`] gave, as the history stores it.
    ///
    /// # Errors
    /// The JSON error, if the text is none.
    pub fn from_stored(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text).map(Self::new)
    }

    /// The canonical JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The JSON value.
    pub fn to_value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or(Value::Null)
    }
}

fn canonical(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(whole(&number).unwrap_or(number)),
        Value::Array(items) => items.into_iter().map(canonical).collect(),
        // serde_json keeps the keys of an object sorted.
        Value::Object(entries) => entries.into_iter().map(|(key, value)| (key, canonical(value))).collect(),
        other => other,
    }
}

/// A double without a fraction as the whole number that it is.
fn whole(number: &Number) -> Option<Number> {
    let float = number.is_f64().then(|| number.as_f64()).flatten()?;
    if float.fract() != 0.0 || float.abs() > EXACT {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole and within the exact range")]
    let whole = float as i64;
    Some(whole.into())
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

/// What an observation, or all of them so far, showed of a user's state.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Shown {
    /// Not asked for: nothing is known.
    #[default]
    Unknown,
    /// Asked for, and the user had none.
    Empty,
    /// The user's state.
    Value(State),
}

impl Shown {
    /// The state if there is one.
    pub fn state(&self) -> Option<&State> {
        match self {
            Self::Value(state) => Some(state),
            Self::Unknown | Self::Empty => None,
        }
    }

    /// Whether it is known, be it empty.
    pub fn is_known(&self) -> bool {
        *self != Self::Unknown
    }
}

/// The state, or null: a reader who must tell unknown from empty looks at `state_since`, null only when unknown.
impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.state().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn states_are_compared_as_json_values() {
        let one: Value = serde_json::from_str(r#"{"b": [1.0, -0.0], "a": 10000000000000001}"#).unwrap();
        let other: Value = serde_json::from_str(r#"{"a":10000000000000001,"b":[1,0]}"#).unwrap();
        assert_eq!(State::new(one), State::new(other));
        assert_ne!(State::new(json!({"a": 1})), State::new(json!({"a": "1"})));
        assert_ne!(State::new(json!({"a": null})), State::new(json!({})));
        assert_ne!(State::new(json!(1.5)), State::new(json!(1)));
    }

    #[test]
    fn a_stored_state_comes_back_the_same() {
        let state = State::new(json!({"mood": "ok", "n": 3.0}));
        assert_eq!(State::from_stored(state.as_str()).unwrap(), state);
        assert!(State::from_stored("{").is_err());
    }
}
