//! Names in URIs (PROTOCOL.md 1.3): every name is percent-encoded on its own, lists are joined by a literal comma.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::Error;
use super::shown::shown;

/// Everything but `[A-Za-z0-9-_.]`: the set of the signature's canonical query (PROTOCOL.md 5.1). Using it for
/// the path and the query alike means that what is sent is what is signed.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The most characters of a name that an error repeats.
const MAX_SHOWN: usize = 80;

/// `text` percent-encoded for a path piece or a query value.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// How many bytes `name` takes in a URI, for callers that bound a batch by [`MAX_URI`](super::MAX_URI).
pub fn encoded_len(name: &str) -> usize {
    utf8_percent_encode(name, ENCODED).map(str::len).sum()
}

/// One encoded path piece. Empty, `.` and `..` are refused: URL parsers take the first two away and climb with the third.
pub(super) fn path_piece(what: &str, name: &str) -> Result<String, Error> {
    if matches!(name, "" | "." | "..") {
        let what = format!("{what} {name:?} cannot be part of a URI path");
        return Err(Error::InvalidRequest { what });
    }
    Ok(encode(name))
}

/// The channel list of a path: each distinct name once, in the order given; a single `,` where there are none
/// (PROTOCOL.md 1.1).
pub(super) fn channel_list(channels: &[String]) -> Result<String, Error> {
    if channels.is_empty() {
        return Ok(",".to_owned());
    }
    let mut pieces = Vec::with_capacity(channels.len());
    for name in distinct(channels) {
        pieces.push(path_piece("channel", no_comma("channel", name)?)?);
    }
    Ok(pieces.join(","))
}

/// The value of a list parameter such as `channel-group`, not yet encoded.
pub(super) fn query_list(what: &str, names: &[String]) -> Result<String, Error> {
    let mut pieces = Vec::with_capacity(names.len());
    for name in distinct(names) {
        if name.is_empty() {
            return Err(Error::InvalidRequest { what: format!("a {what} without a name") });
        }
        pieces.push(no_comma(what, name)?);
    }
    Ok(pieces.join(","))
}

/// Each name once, in the order of first appearance.
pub(super) fn distinct(names: &[String]) -> impl Iterator<Item = &str> {
    let mut seen = std::collections::HashSet::new();
    names.iter().map(String::as_str).filter(move |name| seen.insert(*name))
}

/// The service splits lists at commas, so a name with one would be read as two.
fn no_comma<'a>(what: &str, name: &'a str) -> Result<&'a str, Error> {
    if name.contains(',') {
        return Err(Error::InvalidRequest {
            what: format!("{what} {:?} holds a comma", shown(name, MAX_SHOWN)),
        });
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    fn list(names: &[&str]) -> Result<String, Error> {
        channel_list(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn names_are_encoded_apart_and_joined_by_a_literal_comma() {
        assert_eq!(list(&["ch1", "ch 2", "c/3", "a&b~"]).unwrap(), "ch1,ch%202,c%2F3,a%26b%7E");
    }

    #[test]
    fn no_channels_are_a_single_comma() {
        assert_eq!(list(&[]).unwrap(), ",");
    }

    #[test]
    fn a_channel_named_twice_is_asked_for_once() {
        assert_eq!(list(&["b", "a", "b"]).unwrap(), "b,a");
    }

    #[test]
    fn names_that_would_change_the_path_or_the_list_are_refused() {
        for name in ["", ".", "..", "a,b"] {
            assert!(matches!(list(&[name]), Err(Error::InvalidRequest { .. })), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn a_name_survives_encoding(name in "\\PC*|[\\x00-\\x7f]*|.*") {
            let encoded = encode(&name);
            prop_assert_eq!(encoded_len(&name), encoded.len());
            prop_assert_eq!(percent_decode_str(&encoded).decode_utf8().unwrap(), name);
        }

        #[test]
        fn an_encoded_list_splits_into_its_names(names in proptest::collection::hash_set("[^,]{3,12}", 1..6)) {
            let names: Vec<String> = names.into_iter().collect();
            let list = channel_list(&names).unwrap();
            let back: Vec<String> =
                list.split(',').map(|piece| percent_decode_str(piece).decode_utf8().unwrap().into_owned()).collect();
            prop_assert_eq!(back, names);
        }
    }
}
