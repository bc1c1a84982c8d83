//! Cursors: where a list goes on, as text that readers pass back as they got it.
//!
//! A cursor is base64url of a small JSON object whose one key names its list, so the cursor of one list is no cursor
//! of another. It holds nothing secret and is not signed: whoever makes one up reads on from there, no more.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::problem::{Code, Problem};
use crate::actors::handle::AlertCursor;
use crate::domain::alert::RuleName;
use crate::domain::event::EventId;
use crate::domain::names::{ChannelName, UserId};
use crate::domain::time::Time;
use crate::history::VisitCursor;

/// The longest cursor taken, in bytes: a name of the longest kind, escaped as JSON does at worst, fits.
pub(crate) const MAX_CURSOR_BYTES: usize = 16 * 1024;

/// A list that goes on at a position.
pub(crate) trait Cursor: Sized {
    /// As text.
    fn encode(&self) -> String;

    /// Back from text.
    ///
    /// # Errors
    /// [`Code::BadCursor`] if it is none of this list.
    fn decode(text: &str) -> Result<Self, Problem>;
}

fn bad_cursor() -> Problem {
    Problem::new(
        Code::BadCursor,
        "after: not a cursor of this list; pass on what its last answer gave, as it was",
    )
}

fn encode(value: &impl Serialize) -> String {
    // Numbers and texts under fixed keys: this cannot fail.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap_or_default())
}

fn decode<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    if text.len() > MAX_CURSOR_BYTES {
        return Err(bad_cursor());
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| bad_cursor())?;
    serde_json::from_slice(&bytes).map_err(|_| bad_cursor())
}

/// The id itself: an event's id goes on from there in the list and in the stream.
impl Cursor for EventId {
    fn encode(&self) -> String {
        self.to_string()
    }

    fn decode(text: &str) -> Result<Self, Problem> {
        // One text for each id: no sign, no leading zeros, nothing negative.
        let id = text.parse().ok().filter(|id: &Self| *id >= 0 && text == id.to_string());
        id.ok_or_else(|| Problem::new(Code::BadCursor, "after: must be the id of an event, a whole number"))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VisitText {
    visit: (i64, String, u64),
}

impl Cursor for VisitCursor {
    fn encode(&self) -> String {
        encode(&VisitText { visit: (self.joined.as_micros(), self.channel.as_str().to_owned(), self.opened) })
    }

    fn decode(text: &str) -> Result<Self, Problem> {
        let VisitText { visit: (joined, channel, opened) } = decode(text)?;
        let channel = ChannelName::new(&channel).map_err(|_| bad_cursor())?;
        Ok(Self { joined: Time::from_micros(joined), channel, opened })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GapText {
    gap: (i64, String),
}

impl Cursor for (Time, ChannelName) {
    fn encode(&self) -> String {
        encode(&GapText { gap: (self.0.as_micros(), self.1.as_str().to_owned()) })
    }

    fn decode(text: &str) -> Result<Self, Problem> {
        let GapText { gap: (from, channel) } = decode(text)?;
        Ok((Time::from_micros(from), ChannelName::new(&channel).map_err(|_| bad_cursor())?))
    }
}

/// Where a list of occupants goes on. A relative `at` would be another moment for every page, so the moment of the
/// first page goes with the cursor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct OccupantCursor {
    /// The moment, if one was asked about.
    pub(crate) at: Option<Time>,
    /// The last user listed.
    pub(crate) user: UserId,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OccupantText {
    occupant: (Option<i64>, String),
}

impl Cursor for OccupantCursor {
    fn encode(&self) -> String {
        encode(&OccupantText { occupant: (self.at.map(Time::as_micros), self.user.as_str().to_owned()) })
    }

    fn decode(text: &str) -> Result<Self, Problem> {
        let OccupantText { occupant: (at, user) } = decode(text)?;
        let user = UserId::new(&user).map_err(|_| bad_cursor())?;
        Ok(Self { at: at.map(Time::from_micros), user })
    }
}

/// Where a list of a user's channels goes on, with the moment of the first page as well.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct UserChannelCursor {
    /// The moment, if one was asked about.
    pub(crate) at: Option<Time>,
    /// The last channel listed.
    pub(crate) channel: ChannelName,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserChannelText {
    user_channel: (Option<i64>, String),
}

impl Cursor for UserChannelCursor {
    fn encode(&self) -> String {
        let at = self.at.map(Time::as_micros);
        encode(&UserChannelText { user_channel: (at, self.channel.as_str().to_owned()) })
    }

    fn decode(text: &str) -> Result<Self, Problem> {
        let UserChannelText { user_channel: (at, channel) } = decode(text)?;
        let channel = ChannelName::new(&channel).map_err(|_| bad_cursor())?;
        Ok(Self { at: at.map(Time::from_micros), channel })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AlertText {
    alert: (String, String),
}

impl Cursor for AlertCursor {
    fn encode(&self) -> String {
        encode(&AlertText { alert: (self.0.as_str().to_owned(), self.1.as_str().to_owned()) })
    }

    fn decode(text: &str) -> Result<Self, Problem> {
        let AlertText { alert: (rule, channel) } = decode(text)?;
        let rule = RuleName::new(&rule).map_err(|_| bad_cursor())?;
        Ok((rule, ChannelName::new(&channel).map_err(|_| bad_cursor())?))
    }
}

/// Where a list in order of a number goes on.
macro_rules! numbered {
    ($($(#[$doc:meta])* $name:ident: $text:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
            #[serde(deny_unknown_fields)]
            pub(crate) struct $name {
                /// The last number listed.
                #[serde(rename = $text)]
                pub(crate) last: i64,
            }

            impl Cursor for $name {
                fn encode(&self) -> String {
                    encode(self)
                }

                fn decode(text: &str) -> Result<Self, Problem> {
                    decode(text)
                }
            }
        )*
    };
}

numbered! {
    /// Where a list of changes of alerts goes on.
    ChangeCursor: "alert_change";
    /// Where a list of deliveries goes on.
    DeliveryCursor: "delivery";
    /// Where a list of silences goes on.
    SilenceCursor: "silence";
}

/// Where a list in order of text goes on: channels, watches.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TextCursor {
    /// The last one listed.
    pub(crate) text: Vec<String>,
}

impl Cursor for TextCursor {
    fn encode(&self) -> String {
        encode(self)
    }

    fn decode(text: &str) -> Result<Self, Problem> {
        decode(text)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    fn comes_back<C: Cursor + PartialEq + Debug>(cursor: &C) {
        let text = cursor.encode();
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{text}");
        assert_eq!(&C::decode(&text).unwrap(), cursor);
    }

    #[test]
    fn cursors_come_back_the_same_with_any_name_in_them() {
        let channel = ChannelName::new("a/b \"😀\"\u{202e}\0").unwrap();
        let joined = Time::from_micros(-5);
        comes_back(&42i64);
        comes_back(&VisitCursor { joined, channel: channel.clone(), opened: u64::MAX });
        comes_back(&UserChannelCursor { at: Some(joined), channel: channel.clone() });
        comes_back(&(joined, channel));
        comes_back(&OccupantCursor { at: Some(joined), user: UserId::new("\u{1b}[31m").unwrap() });
        comes_back(&(RuleName::new("crowded").unwrap(), ChannelName::new("a\u{202e}b").unwrap()));
        comes_back(&ChangeCursor { last: i64::MAX });
        comes_back(&TextCursor { text: vec!["lobby".to_owned()] });
    }

    #[test]
    fn the_longest_name_fits_however_it_is_escaped() {
        let user = UserId::new(&"\u{1}".repeat(crate::domain::names::MAX_NAME_BYTES)).unwrap();
        comes_back(&OccupantCursor { at: None, user });
    }

    #[test]
    fn what_a_list_did_not_give_is_no_cursor_of_it() {
        let gap = (Time::from_micros(1), ChannelName::new("lobby").unwrap()).encode();
        for text in ["", "x", "!", "{}", &gap, "eyJ2aXNpdCI6WzEsIiIsMV19", &"A".repeat(MAX_CURSOR_BYTES + 4)]
        {
            assert_eq!(VisitCursor::decode(text).unwrap_err().code, Code::BadCursor, "{text:?}");
        }
        let delivery = DeliveryCursor { last: 3 }.encode();
        assert_eq!(SilenceCursor::decode(&delivery).unwrap_err().code, Code::BadCursor);
        assert_eq!(ChangeCursor::decode("3").unwrap_err().code, Code::BadCursor);
        for text in ["", "-1", "+1", "01", "1.0", "9223372036854775808", "१"] {
            assert_eq!(EventId::decode(text).unwrap_err().code, Code::BadCursor, "{text:?}");
        }
    }
}
