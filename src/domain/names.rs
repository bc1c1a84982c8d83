//! Names from outside: channels, users, patterns. Opaque UTF-8 and never trusted; a value of these types is valid.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The longest name or pattern, in bytes. `PubNub` documents 92 characters (PROTOCOL.md 1.6), up to 368 bytes; the
/// rest is room for what it may allow later.
pub const MAX_NAME_BYTES: usize = 1024;

/// Why a name is refused. The message names what is allowed, not the name: the caller knows which it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum NameError {
    /// No characters.
    #[error("must not be empty")]
    Empty,
    /// Over [`MAX_NAME_BYTES`].
    #[error("must not be longer than {MAX_NAME_BYTES} bytes")]
    TooLong,
    /// A comma separates channels in a request.
    #[error("must not contain ','")]
    Comma,
    /// A star makes a pattern, which is no name.
    #[error("must not contain '*': a pattern is no name")]
    Star,
    /// `PubNub` keeps these for presence events.
    #[error("must not end in '-pnpres': PubNub keeps these names for presence events")]
    Presence,
    /// `.` and `..` alone are dot segments, which URLs do not carry.
    #[error("must not be '.' or '..': an address cannot carry them")]
    Dots,
}

impl NameError {
    fn is_broken_by(self, text: &str) -> bool {
        match self {
            Self::Empty => text.is_empty(),
            Self::TooLong => text.len() > MAX_NAME_BYTES,
            Self::Comma => text.contains(','),
            Self::Star => text.contains('*'),
            Self::Presence => text.ends_with("-pnpres"),
            Self::Dots => matches!(text, "." | ".."),
        }
    }
}

/// A kind of name: its rules, after the two that hold for all.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident: $($rule:ident),*) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and takes a name.
            ///
            /// # Errors
            /// [`NameError`] says which rule it breaks.
            pub fn new(text: &str) -> Result<Self, NameError> {
                let rules = [NameError::Empty, NameError::TooLong, $(NameError::$rule),*];
                let broken = rules.into_iter().find(|rule| rule.is_broken_by(text));
                broken.map_or_else(|| Ok(Self(text.into())), Err)
            }

            /// The name as text, unescaped.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        /// As it is: escape it before it reaches a terminal or a page.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        /// Checked like any other.
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

name!(
    /// A `PubNub` channel name: any text but `,`, `*`, an ending `-pnpres`, or dots alone.
    ChannelName: Comma, Star, Presence, Dots
);

name!(
    /// A `PubNub` UUID, today called user id: any text that is not empty.
    UserId:
);

name!(
    /// A channel pattern: `*` matches any run of characters, also none; everything else matches itself. No `,` and no
    /// ending `-pnpres`: no channel would match.
    Pattern: Comma, Presence
);

name!(
    /// A channel group: any text but `,`, `*`, or dots alone.
    GroupName: Comma, Star, Dots
);

impl Pattern {
    /// Whether the whole name matches.
    pub fn matches(&self, channel: &ChannelName) -> bool {
        let mut parts = self.0.split('*');
        let mut rest = channel.as_str();
        let Some(first) = parts.next() else { return false };
        let Some(after) = rest.strip_prefix(first) else { return false };
        rest = after;
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            let Some((_, after)) = rest.split_once(part) else { return false };
            rest = after;
        }
        rest.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn channel_names_that_the_wire_cannot_carry_are_refused() {
        for (text, error) in [
            ("", NameError::Empty),
            ("a,b", NameError::Comma),
            ("room.*", NameError::Star),
            ("lobby-pnpres", NameError::Presence),
            (".", NameError::Dots),
            ("..", NameError::Dots),
        ] {
            assert_eq!(ChannelName::new(text), Err(error), "{text:?}");
        }
        assert_eq!(ChannelName::new(&"x".repeat(MAX_NAME_BYTES + 1)), Err(NameError::TooLong));
        assert!(ChannelName::new(&"x".repeat(MAX_NAME_BYTES)).is_ok());
    }

    #[test]
    fn groups_that_an_address_cannot_carry_and_patterns_of_groups_are_refused() {
        for (text, error) in [
            ("", NameError::Empty),
            ("a,b", NameError::Comma),
            ("team*", NameError::Star),
            (".", NameError::Dots),
            ("..", NameError::Dots),
        ] {
            assert_eq!(GroupName::new(text), Err(error), "{text:?}");
        }
        assert!(GroupName::new("team-pnpres").is_ok());
    }

    #[test]
    fn patterns_that_no_channel_can_match_are_refused() {
        for (text, error) in
            [("", NameError::Empty), ("a,*", NameError::Comma), ("room.*-pnpres", NameError::Presence)]
        {
            assert_eq!(Pattern::new(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn hostile_names_are_kept_as_they_are() {
        for text in [" ", "a b", "100%", "\"'", "😀", "\u{202e}abc", "\u{1b}[31m", "a/b", "\0"] {
            assert_eq!(ChannelName::new(text).unwrap().as_str(), text);
            assert_eq!(UserId::new(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_star_matches_any_run_of_characters() {
        for (pattern, name, expected) in [
            ("room.*", "room.1", true),
            ("room.*", "room.", true),
            ("room.*", "room", false),
            ("*", "x", true),
            ("*.eu", "a.eu", true),
            ("*.eu", "a.eu.x", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("ab*ba", "aba", false),
            ("**", "x", true),
            ("é*", "éa", true),
            ("lobby", "lobby", true),
            ("lobby", "lobby2", false),
        ] {
            let found = Pattern::new(pattern).unwrap().matches(&ChannelName::new(name).unwrap());
            assert_eq!(found, expected, "{pattern} {name}");
        }
    }

    /// The obvious matcher, exponential but plainly right.
    fn matches_by_definition(pattern: &[u8], name: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (0..=name.len()).any(|n| matches_by_definition(rest, &name[n..])),
            Some((c, rest)) => name.first() == Some(c) && matches_by_definition(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_its_definition(pattern in "[ab*]{1,8}", name in "[ab]{1,8}") {
            let expected = matches_by_definition(pattern.as_bytes(), name.as_bytes());
            let found = Pattern::new(&pattern).unwrap().matches(&ChannelName::new(&name).unwrap());
            prop_assert_eq!(found, expected);
        }
    }
}
