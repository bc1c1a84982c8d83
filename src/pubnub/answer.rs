//! From a body to a value: what is wrong with a body is said in plain words, with where it is wrong.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::de::{Deserialize, DeserializeOwned};
use serde_json::error::Category;

use super::shown::{excerpt, shown};
use super::wire::Object;

/// What an answer may take in memory once it is understood, in bytes. A body of 32 MiB may mean gigabytes: `{"":0}` alone
/// is a map of 640 bytes. 800,000 users with small states, or a million channels, fit.
const MAX_MEMORY: usize = 1024 * 1024 * 1024;

/// What is wrong with a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    what: String,
    /// The byte of the body to look at.
    at: usize,
}

impl Flaw {
    /// A flaw of the answer as a whole.
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), at: 0 }
    }

    /// The flaw and the part of the body that has it.
    pub(super) fn describe(&self, body: &str) -> String {
        const MAX_WHAT: usize = 300;
        let what = shown(&self.what, MAX_WHAT);
        if body.trim().is_empty() { what } else { format!("{what}; it reads: {}", excerpt(body, self.at)) }
    }
}

/// The body as text.
pub(super) fn text(body: &[u8]) -> Result<Cow<'_, str>, (Flaw, Cow<'_, str>)> {
    match std::str::from_utf8(body) {
        Ok(text) => Ok(text.into()),
        Err(error) => {
            let at = error.valid_up_to();
            Err((Flaw { what: format!("not UTF-8 from byte {at} on"), at }, String::from_utf8_lossy(body)))
        }
    }
}

/// That what the body means fits into memory, whatever it means.
pub(super) fn check_memory(text: &str) -> Result<(), Flaw> {
    let memory = memory(text);
    if memory > MAX_MEMORY {
        return Err(Flaw::new(format!(
            "would take some {memory} bytes of memory, over the limit of {MAX_MEMORY}"
        )));
    }
    Ok(())
}

/// At most so much does a JSON text take in memory, in bytes: what a map, a list, one more in either, and a text cost.
fn memory(text: &str) -> usize {
    const MAP: usize = 640;
    const LIST: usize = 160;
    const ITEM: usize = 128;
    const TEXT: usize = 32;
    let (mut memory, mut in_text, mut escaped) = (text.len(), false, false);
    for byte in text.bytes() {
        let costs = match byte {
            _ if escaped => {
                escaped = false;
                0
            }
            b'"' => {
                in_text = !in_text;
                if in_text { TEXT } else { 0 }
            }
            _ if in_text => {
                escaped = byte == b'\\';
                0
            }
            b'{' => MAP,
            b'[' => LIST,
            b',' => ITEM,
            _ => 0,
        };
        memory = memory.saturating_add(costs);
    }
    memory
}

/// The body as a JSON object of this shape. Arrays are refused where objects belong; serde alone would take both.
pub(super) fn object<T: DeserializeOwned>(text: &str) -> Result<T, Flaw> {
    json(text).map(|Object(value)| value)
}

/// The body as JSON.
pub(super) fn json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Flaw> {
    serde_json::from_str(text).map_err(|error| flaw(text, &error))
}

/// Each channel an answer lists has a name, is listed once and was asked about; `asked` is `None` where any may come.
pub(super) fn check_channels<'a>(
    listed: impl Iterator<Item = &'a str>,
    asked: Option<&[String]>,
) -> Result<(), Flaw> {
    let asked: Option<HashSet<&str>> = asked.map(|asked| asked.iter().map(String::as_str).collect());
    let mut seen = HashSet::new();
    for name in listed {
        if name.is_empty() {
            return Err(Flaw::new("a channel without a name"));
        }
        if !seen.insert(name) {
            return Err(Flaw::new(format!("channel \"{name}\" is listed twice")));
        }
        if asked.as_ref().is_some_and(|asked| !asked.contains(name)) {
            return Err(Flaw::new(format!("channel \"{name}\" was not asked about")));
        }
    }
    Ok(())
}

fn flaw(text: &str, error: &serde_json::Error) -> Flaw {
    let what = match error.classify() {
        _ if text.trim().is_empty() => "empty".to_owned(),
        _ if text.trim_start().starts_with('<') => "HTML or XML, not JSON".to_owned(),
        Category::Eof => format!("cut off: {error}"),
        Category::Syntax | Category::Io => format!("not JSON: {error}"),
        Category::Data => error.to_string(),
    };
    Flaw { what, at: position(text, error) }
}

/// The byte a serde error points at; its columns count bytes, from 1.
fn position(text: &str, error: &serde_json::Error) -> usize {
    let lines_before = error.line().saturating_sub(1);
    let before: usize = text.split_inclusive('\n').take(lines_before).map(str::len).sum();
    before + error.column().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_text_is_no_structure() {
        assert_eq!(memory(r#""{[,\\\"{[,""#), 32 + r#""{[,\\\"{[,""#.len());
        assert_eq!(memory("{}"), 640 + 2);
        assert_eq!(memory("[1,2]"), 160 + 128 + 5);
    }

    #[test]
    fn a_full_answer_of_people_fits_and_one_of_maps_does_not() {
        const FULL: usize = 32 * 1024 * 1024;
        let full = |item: &str| item.repeat(FULL / item.len());
        let id = "0123456789abcdef0123456789abcdef0123";
        assert_eq!(check_memory(&full(&format!("\"{id}\","))), Ok(()));
        assert_eq!(
            check_memory(&full(&format!("{{\"uuid\":\"{id}\",\"state\":{{\"mood\":\"ok\"}}}},"))),
            Ok(())
        );
        assert!(check_memory(&full("{\"\":0},")).is_err());
        assert!(check_memory(&full("\"u\",")).is_err());
    }
}
