//! JSON as it is written, so that a test can write what no JSON library would: keys twice, numbers out of range, texts that
//! are none.

use proptest::prelude::*;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::pubnub::wire::Entries;

/// A JSON value in the order in which it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    /// As it stands there: a number, a literal, a text in quotes, or what is no JSON at all.
    Raw(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

/// One change to one node of a tree.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// This stands there instead.
    Replace(String),
    /// One of the things in it is not there.
    Drop(usize),
    /// One of the things in it is there twice.
    Repeat(usize),
    /// Two of the things in it change places, or values.
    Swap(usize, usize),
    /// One of the keys is another.
    Rename(usize, String),
}

impl Tree {
    pub(super) fn read(text: &str) -> Self {
        let read = |raw: &RawValue| Self::read(raw.get());
        match text.as_bytes()[0] {
            b'{' => {
                let Entries(entries) = serde_json::from_str::<Entries<Box<RawValue>>>(text).unwrap();
                Self::Object(entries.into_iter().map(|(key, value)| (key, read(&value))).collect())
            }
            b'[' => {
                let items = serde_json::from_str::<Vec<Box<RawValue>>>(text).unwrap();
                Self::List(items.iter().map(|item| read(item)).collect())
            }
            _ => Self::Raw(text.to_owned()),
        }
    }

    pub(super) fn write(&self) -> String {
        match self {
            Self::Raw(text) => text.clone(),
            Self::List(items) => format!("[{}]", items.iter().map(Self::write).collect::<Vec<_>>().join(",")),
            Self::Object(entries) => {
                let entry = |(key, value): &(String, Self)| {
                    format!("{}:{}", Value::from(key.as_str()), value.write())
                };
                format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(","))
            }
        }
    }

    /// The only value under a key; `None` also where it is there twice.
    pub(super) fn only(&self, key: &str) -> Option<&Self> {
        let Self::Object(entries) = self else { return None };
        let mut found = entries.iter().filter(|(name, _)| name == key);
        found.next().filter(|_| found.next().is_none()).map(|(_, value)| value)
    }

    /// A whole number from 0 on.
    pub(super) fn number(&self) -> Option<u64> {
        let Self::Raw(text) = self else { return None };
        serde_json::from_str(text).ok()
    }

    /// A text that is not empty.
    pub(super) fn name(&self) -> Option<String> {
        let Self::Raw(text) = self else { return None };
        serde_json::from_str(text).ok().filter(|name: &String| !name.is_empty())
    }

    /// Changes one of its nodes, counted from the root on.
    pub(super) fn change(&mut self, node: usize, change: &Change) {
        let count = self.count();
        self.descend(&mut (node % count), change);
    }

    fn count(&self) -> usize {
        1 + match self {
            Self::Raw(_) => 0,
            Self::List(items) => items.iter().map(Self::count).sum(),
            Self::Object(entries) => entries.iter().map(|(_, value)| value.count()).sum(),
        }
    }

    fn descend(&mut self, before: &mut usize, change: &Change) {
        if *before == 0 {
            self.apply(change);
        }
        *before = before.wrapping_sub(1);
        match self {
            Self::Raw(_) => {}
            Self::List(items) => items.iter_mut().for_each(|item| item.descend(before, change)),
            Self::Object(entries) => entries.iter_mut().for_each(|(_, value)| value.descend(before, change)),
        }
    }

    fn apply(&mut self, change: &Change) {
        let full = |count: usize| (count > 0).then_some(count);
        match (self, change) {
            (tree, Change::Replace(raw)) => *tree = Self::Raw(raw.clone()),
            (Self::List(items), change) => {
                let Some(count) = full(items.len()) else { return };
                match change {
                    Change::Drop(n) => drop(items.remove(n % count)),
                    Change::Repeat(n) => items.push(items[n % count].clone()),
                    Change::Swap(a, b) => items.swap(a % count, b % count),
                    Change::Replace(_) | Change::Rename(..) => {}
                }
            }
            (Self::Object(entries), change) => {
                let Some(count) = full(entries.len()) else { return };
                match change {
                    Change::Drop(n) => drop(entries.remove(n % count)),
                    Change::Repeat(n) => entries.push(entries[n % count].clone()),
                    Change::Swap(a, b) => {
                        let (one, other) = (entries[a % count].1.clone(), entries[b % count].1.clone());
                        (entries[a % count].1, entries[b % count].1) = (other, one);
                    }
                    Change::Rename(n, key) => entries[n % count].0.clone_from(key),
                    Change::Replace(_) => {}
                }
            }
            (Self::Raw(_), _) => {}
        }
    }
}

/// What may stand where something else belongs.
fn raw() -> impl Strategy<Value = String> {
    const ODD: [&str; 26] = [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1",
        "2",
        "-1",
        "1.0",
        "1.5",
        "1e2",
        "1e400",
        "-1e400",
        "18446744073709551615",
        "18446744073709551616",
        "4294967296",
        "\"\"",
        "\"a\"",
        "\"1\"",
        "\"\\ud800\"",
        "\"\\u0000\"",
        "\"\\u202e\\u001b[31m\"",
        "[]",
        "{}",
        "",
        "\u{feff}",
    ];
    prop_oneof![
        proptest::sample::select(ODD.as_slice()).prop_map(str::to_owned),
        (1_usize..400).prop_map(|depth| "[".repeat(depth) + &"]".repeat(depth)),
        (1_usize..200).prop_map(|depth| "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth)),
        ".{0,8}".prop_map(|text| Value::from(text).to_string()),
    ]
}

pub(super) fn change() -> impl Strategy<Value = Change> {
    const KEYS: [&str; 12] = [
        "",
        "a",
        "b",
        "c",
        "occupancy",
        "uuids",
        "uuid",
        "payload",
        "channels",
        "total_channels",
        "status",
        "error",
    ];
    let key = || proptest::sample::select(KEYS.as_slice()).prop_map(str::to_owned);
    let n = || 0_usize..8;
    prop_oneof![
        3 => raw().prop_map(Change::Replace),
        1 => n().prop_map(Change::Drop),
        1 => n().prop_map(Change::Repeat),
        1 => (n(), n()).prop_map(|(a, b)| Change::Swap(a, b)),
        1 => (n(), key()).prop_map(|(n, key)| Change::Rename(n, key)),
    ]
}
