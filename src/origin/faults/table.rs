//! Reads the keys of a JSON object. Whatever is wrong becomes a finding and reading goes on, so that everything that is
//! wrong is found at once.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::domain::duration;

/// The longest piece of a refused value that is shown, in characters.
const SHOWN_CHARACTERS: usize = 80;

/// One thing that is wrong with [`Faults`](super::Faults).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FaultFinding {
    /// Where, such as `rule[0].status`; empty if it is the whole.
    pub key: String,
    /// What stands there, cut to a line; `None` where nothing does, or a whole object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What is wrong or what is allowed, in plain words.
    pub allowed: String,
}

impl fmt::Display for FaultFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.key.as_str(), &self.value) {
            ("", _) => write!(f, "{}", self.allowed),
            (key, None) => write!(f, "{key}: {}", self.allowed),
            (key, Some(value)) => write!(f, "{key} = {value}: {}", self.allowed),
        }
    }
}

/// An object, where it stands, and the findings it adds to. What is wrong reads as if it were not there.
pub(super) struct Table<'a> {
    path: String,
    keys: &'a Map<String, Value>,
    known: Vec<&'static str>,
    findings: &'a mut Vec<FaultFinding>,
}

impl<'a> Table<'a> {
    /// The whole.
    pub(super) fn root(value: &'a Value, findings: &'a mut Vec<FaultFinding>) -> Option<Self> {
        Self::new(String::new(), value, findings)
    }

    fn new(path: String, value: &'a Value, findings: &'a mut Vec<FaultFinding>) -> Option<Self> {
        if let Value::Object(keys) = value {
            return Some(Self { path, keys, known: Vec::new(), findings });
        }
        findings.push(FaultFinding {
            key: path,
            value: shown(value),
            allowed: "must be an object".to_owned(),
        });
        None
    }

    /// The objects of a list of at most `most`, each read by `read`.
    pub(super) fn tables<T>(
        &mut self,
        key: &'static str,
        most: usize,
        read: impl Fn(Table<'_>) -> Option<T>,
    ) -> Vec<T> {
        let allowed = format!("must be a list of at most {most} objects");
        let items = match self.value(key) {
            None => return Vec::new(),
            Some(Value::Array(items)) if items.len() <= most => items,
            Some(Value::Array(items)) => {
                let found = format!("{} of them", items.len());
                self.refuse(key, Some(found), allowed);
                return Vec::new();
            }
            Some(value) => {
                self.refuse(key, shown(value), allowed);
                return Vec::new();
            }
        };
        let path = self.path_of(key);
        let table =
            |(index, item)| Table::new(format!("{path}[{index}]"), item, &mut *self.findings).and_then(&read);
        items.iter().enumerate().filter_map(table).collect()
    }

    /// A value that `parse` accepts; `allowed` says what it may be.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        allowed: &str,
        parse: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(key)?;
        let parsed = parse(value);
        if parsed.is_none() {
            self.refuse(key, shown(value), format!("must be {allowed}"));
        }
        parsed
    }

    /// A whole number within bounds. Text is read too: environment variables know nothing else.
    pub(super) fn number<N>(&mut self, key: &'static str, bounds: RangeInclusive<N>) -> Option<N>
    where
        N: TryFrom<u64> + PartialOrd + fmt::Display,
    {
        let allowed = format!("a whole number from {} to {}", bounds.start(), bounds.end());
        self.read(key, &allowed, |value| {
            let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
            N::try_from(number).ok().filter(|number| bounds.contains(number))
        })
    }

    /// A duration within bounds.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        bounds: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let (from, to) = (duration::text(*bounds.start()), duration::text(*bounds.end()));
        let allowed = format!("{} from {from} to {to}", duration::HOW);
        self.read(key, &allowed, |value| {
            duration::parse(value.as_str()?).filter(|value| bounds.contains(value))
        })
    }

    /// One of some names.
    pub(super) fn one_of<T: Copy>(&mut self, key: &'static str, all: &[(&str, T)]) -> Option<T> {
        self.read(key, &names(all), |value| named(value, all))
    }

    /// A list of one to `most` items that `parse` accepts; each that it refuses is a finding that says why.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        most: usize,
        parse: impl Fn(&Value) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let allowed = format!("a list of 1 to {most} texts");
        let items = self.read(key, &allowed, |value| {
            value.as_array().filter(|items| (1..=most).contains(&items.len())).cloned()
        })?;
        let mut parsed = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match parse(item) {
                Ok(good) => parsed.push(good),
                Err(why) => self.refuse(&format!("{key}[{index}]"), shown(item), why),
            }
        }
        Some(parsed)
    }

    /// Says that a key must be there.
    pub(super) fn require<T>(&mut self, key: &'static str, value: Option<T>) -> Option<T> {
        if value.is_none() && !self.keys.contains_key(key) {
            self.refuse(key, None, "must be set".to_owned());
        }
        value
    }

    /// Every key that nobody asked for is unknown.
    pub(super) fn finish(mut self) {
        let unknown: Vec<&String> =
            self.keys.keys().filter(|key| !self.known.contains(&key.as_str())).collect();
        let allowed = format!("unknown key; known here are {}", self.known.join(", "));
        for key in unknown {
            self.refuse(key, None, allowed.clone());
        }
    }

    fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        self.keys.get(key)
    }

    fn refuse(&mut self, key: &str, value: Option<String>, allowed: String) {
        self.findings.push(FaultFinding { key: self.path_of(&cut(key)), value, allowed });
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

/// What a named value is called by, for messages.
pub(super) fn names<T>(all: &[(&str, T)]) -> String {
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    format!("one of {}", names.join(", "))
}

/// The value of a name.
pub(super) fn named<T: Copy>(value: &Value, all: &[(&str, T)]) -> Option<T> {
    all.iter().find(|(name, _)| value.as_str() == Some(name)).map(|(_, value)| *value)
}

/// A value as it may be shown beside its key: nothing for an object, the rest cut to a line.
fn shown(value: &Value) -> Option<String> {
    (!value.is_object()).then(|| cut(&value.to_string()))
}

fn cut(text: &str) -> String {
    if text.chars().count() <= SHOWN_CHARACTERS {
        return text.to_owned();
    }
    text.chars().take(SHOWN_CHARACTERS).chain(['…']).collect()
}
