//! From a body to a value: what is wrong with a body is said in plain words, with where it is wrong.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::de::{Deserialize, DeserializeOwned};
use serde_json::error::Category;

use super::shown::{excerpt, shown};
use super::wire::Object;

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
