//! Names of rules and notifiers, and ids of alerts.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use thiserror::Error;

/// The longest name of a rule or notifier, in bytes.
pub const MAX_LABEL_BYTES: usize = 64;

/// A name of a rule or notifier that is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("must be 1 to {MAX_LABEL_BYTES} letters, digits, `-`, `_` and `.`, beginning with a letter or digit")]
pub struct LabelError;

/// What stands in addresses, subjects and headers as it is: visible ASCII that needs no escape anywhere.
fn label(text: &str) -> Result<Arc<str>, LabelError> {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let good = text.len() <= MAX_LABEL_BYTES
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && text.bytes().all(inner);
    if good { Ok(text.into()) } else { Err(LabelError) }
}

macro_rules! label {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and takes a name.
            ///
            /// # Errors
            /// [`LabelError`] says what is allowed.
            pub fn new(text: &str) -> Result<Self, LabelError> {
                label(text).map(Self)
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

label!(
    /// The name of an alert rule.
    RuleName
);

label!(
    /// The name of a notifier.
    NotifierName
);

/// The id of one alert, the same from pending to resolved. Chosen by whoever commits it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertId(uuid::Uuid);

impl AlertId {
    /// Of a UUID.
    pub const fn new(uuid: uuid::Uuid) -> Self {
        Self(uuid)
    }

    /// Reads an id as it was written.
    pub fn parse(text: &str) -> Option<Self> {
        uuid::Uuid::try_parse(text).ok().map(Self)
    }
}

/// Five groups of lower case hexadecimal digits.
impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.as_hyphenated(), f)
    }
}

impl fmt::Debug for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for AlertId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short_and_need_no_escape_anywhere() {
        for good in ["a", "crowded", "Room.1_x-y", "9", &"x".repeat(MAX_LABEL_BYTES)] {
            assert_eq!(RuleName::new(good).map(|name| name.to_string()).as_deref(), Ok(good));
        }
        for wrong in ["", "-a", ".", "a b", "a/b", "é", "a\n", &"x".repeat(MAX_LABEL_BYTES + 1)] {
            assert_eq!(NotifierName::new(wrong), Err(LabelError), "{wrong:?}");
        }
    }

    #[test]
    fn an_id_is_read_back_as_it_was_written() {
        let id = AlertId::new(uuid::Uuid::from_u128(0x1234_5678_9abc_def0_1234_5678_9abc_def0));
        assert_eq!(id.to_string(), "12345678-9abc-def0-1234-56789abcdef0");
        assert_eq!(AlertId::parse(&id.to_string()), Some(id));
        assert_eq!(AlertId::parse("x"), None);
    }
}
