//! Reading parameters: raw or encoded, in any order, unknown ones ignored (PROTOCOL.md 1.2, 1.3).

use percent_encoding::percent_decode_str;

use super::super::name::Name;
use super::address::{checked, distinct};
use super::refusal::Refusal;

/// The parameters of a request, decoded. Of several with one name the first counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query as it was sent. A `+` is a plus; a parameter without `=` is empty.
    pub(super) fn parse(raw: &str) -> Result<Self, Refusal> {
        let decode = |text: &str| match percent_decode_str(text).decode_utf8() {
            Ok(text) => Ok(text.into_owned()),
            Err(_) => Err(Refusal::unparsable()),
        };
        let pair = |piece: &str| {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            Ok((decode(name)?, decode(value)?))
        };
        raw.split('&').filter(|piece| !piece.is_empty()).map(pair).collect::<Result<_, _>>().map(Self)
    }

    /// A parameter that is there, even empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is there and says something.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Whether a switch is on: `1` is, `0` and nothing are not.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.get(name) == Some("1")
    }

    /// A comma list of names, each once.
    pub(super) fn names(&self, name: &str) -> Result<Vec<Name>, Refusal> {
        distinct(self.get(name).unwrap_or_default().split(',').map(checked))
    }

    /// The user a presence call is about.
    pub(super) fn user(&self) -> Result<Name, Refusal> {
        checked(self.filled("uuid").ok_or_else(Refusal::no_uuid)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_a_plus_is_a_plus() {
        let query = Query::parse("uuid=my%20uuid/1&a+b=c+d&ee&tt=&x=1=2&&uuid=other").unwrap();
        assert_eq!(query.get("uuid"), Some("my uuid/1"));
        assert_eq!(query.get("a+b"), Some("c+d"));
        assert_eq!((query.get("ee"), query.filled("ee")), (Some(""), None));
        assert_eq!(query.filled("tt"), None);
        assert_eq!(query.get("x"), Some("1=2"));
        assert_eq!(query.get("none"), None);
    }

    #[test]
    fn lists_take_raw_and_encoded_commas() {
        let query = Query::parse("a=x,y%20z,x&b=x%2Cy").unwrap();
        assert_eq!(query.names("a").unwrap(), ["x".into(), "y z".into()] as [Name; 2]);
        assert_eq!(query.names("b").unwrap(), ["x".into(), "y".into()] as [Name; 2]);
        assert_eq!(query.names("c").unwrap(), [] as [Name; 0]);
    }

    #[test]
    fn only_one_turns_a_switch_on() {
        let query = Query::parse("on=1&off=0&empty=").unwrap();
        assert_eq!(["on", "off", "empty", "none"].map(|name| query.is_on(name)), [true, false, false, false]);
    }

    #[test]
    fn what_is_not_text_is_refused() {
        assert_eq!(Query::parse("uuid=%FF"), Err(Refusal::unparsable()));
    }

    #[test]
    fn a_presence_call_needs_a_user() {
        assert_eq!(Query::parse("uuid=").unwrap().user(), Err(Refusal::no_uuid()));
        assert_eq!(Query::parse("uuid=u").unwrap().user(), Ok("u".into()));
    }
}
