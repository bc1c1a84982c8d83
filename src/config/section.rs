//! Reads the keys of one section. Whatever is wrong becomes a finding and reading goes on, so that everything that is
//! wrong is found at once. (serde would stop at the first.)

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use config::{Map, Value, ValueKind};

use super::finding::{Finding, shown};
use super::layers::Layer;
use super::{duration, size};

/// The table of one section and the findings it adds to.
pub(super) struct Section<'a> {
    path: String,
    table: Map<String, Value>,
    known: Vec<&'static str>,
    findings: &'a RefCell<Vec<Finding>>,
}

impl<'a> Section<'a> {
    /// The whole configuration.
    pub(super) fn root(table: Map<String, Value>, findings: &'a RefCell<Vec<Finding>>) -> Self {
        Self { path: String::new(), table, known: Vec::new(), findings }
    }

    /// Findings are told with this name of the section from here on: `alert[0:crowded].for`.
    pub(super) fn called(&mut self, name: &str) {
        if let Some(path) = self.path.strip_suffix(']') {
            self.path = format!("{path}:{name}]");
        }
    }

    /// A section inside this one; an empty one where something else stands in its place.
    pub(super) fn section(&mut self, key: &'static str) -> Self {
        let table = match self.value(key).map(|value| value.kind) {
            Some(ValueKind::Table(table)) => table,
            Some(_) => {
                // Its value is not shown: it may be a secret that lost its key.
                self.add(key, None, "must be a section with keys of its own".to_owned());
                Map::new()
            }
            None => Map::new(),
        };
        Self { path: self.path_of(key), table, known: Vec::new(), findings: self.findings }
    }

    /// The tables of an array of tables, such as `[[watch.rule]]`.
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<Self> {
        let items = match self.value(key).map(|value| value.kind) {
            Some(ValueKind::Array(items)) => items,
            Some(_) => {
                self.add(key, None, format!("must be tables: [[{}]]", self.path_of(key)));
                Vec::new()
            }
            None => Vec::new(),
        };
        let mut sections = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            if let ValueKind::Table(table) = item.kind {
                let path = format!("{}[{index}]", self.path_of(key));
                sections.push(Self { path, table, known: Vec::new(), findings: self.findings });
            } else {
                self.add(key, None, format!("must be tables: [[{}]]", self.path_of(key)));
            }
        }
        sections
    }

    /// A value read by `parse`; `allowed` says what it may be. `None` where there is none or it is wrong.
    fn read<T>(
        &mut self,
        key: &'static str,
        allowed: &str,
        parse: impl FnOnce(&ValueKind) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(key)?;
        let parsed = parse(&value.kind);
        if parsed.is_none() {
            self.add(key, Some(&value), format!("must be {allowed}"));
        }
        parsed
    }

    /// A text that `parse` accepts.
    pub(super) fn text<T>(
        &mut self,
        key: &'static str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.read(key, allowed, |kind| match kind {
            ValueKind::String(text) => parse(text),
            _ => None,
        })
    }

    /// A path of a file or folder.
    pub(super) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        self.text(key, "the path of a file or folder", |text| (!text.is_empty()).then(|| PathBuf::from(text)))
    }

    /// A duration within bounds.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        bounds: &RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let (from, to) = (duration::text(*bounds.start()), duration::text(*bounds.end()));
        let allowed = format!("{} from {from} to {to}", duration::HOW);
        self.text(key, &allowed, |text| duration::parse(text).filter(|value| bounds.contains(value)))
    }

    /// A size in bytes within bounds.
    pub(super) fn size(&mut self, key: &'static str, bounds: &RangeInclusive<u64>) -> Option<u64> {
        let (from, to) = (size::text(*bounds.start()), size::text(*bounds.end()));
        let allowed = format!("a size such as \"64KiB\" or \"32MiB\" from {from} to {to}");
        self.text(key, &allowed, |text| size::parse(text).filter(|value| bounds.contains(value)))
    }

    /// A whole number within bounds. Text is read too: environment and flags know nothing else.
    pub(super) fn number(&mut self, key: &'static str, bounds: &RangeInclusive<u32>) -> Option<u32> {
        let allowed = format!("a whole number from {} to {}", bounds.start(), bounds.end());
        self.read(key, &allowed, |kind| {
            let number = match kind {
                ValueKind::I64(number) => u32::try_from(*number).ok(),
                ValueKind::U64(number) => u32::try_from(*number).ok(),
                ValueKind::String(text) => text.parse().ok(),
                _ => None,
            };
            number.filter(|number| bounds.contains(number))
        })
    }

    /// true or false.
    pub(super) fn boolean(&mut self, key: &'static str) -> Option<bool> {
        self.read(key, "true or false", |kind| match kind {
            ValueKind::Boolean(value) => Some(*value),
            ValueKind::String(text) => text.parse().ok(),
            _ => None,
        })
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        all: &[T],
        as_str: fn(T) -> &'static str,
    ) -> Option<T> {
        let words: Vec<String> = all.iter().map(|one| format!("{:?}", as_str(*one))).collect();
        let allowed = format!("one of {}", words.join(", "));
        self.text(key, &allowed, |text| all.iter().find(|one| as_str(**one) == text).copied())
    }

    /// A list of texts that `parse` accepts; each that it refuses is a finding that says why. `allowed` says what the
    /// texts are. `None` where any is wrong.
    pub(super) fn list<T, E: ToString>(
        &mut self,
        key: &'static str,
        allowed: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let value = self.value(key)?;
        let layer = Layer::of(&value);
        let items = match (&value.kind, &layer) {
            (ValueKind::Array(items), _) => items.clone(),
            // An environment variable holds text: commas separate.
            (ValueKind::String(text), Layer::Environment(_)) => {
                text.split(',').map(|item| Value::new(Some(&layer.to_string()), item.trim())).collect()
            }
            _ => {
                self.add(key, Some(&value), format!("must be a list; each item {allowed}"));
                return None;
            }
        };
        let mut parsed = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let result = match &item.kind {
                ValueKind::String(text) => parse(text).map_err(|why| why.to_string()),
                _ => Err(format!("must be {allowed}")),
            };
            match result {
                Ok(good) => parsed.push(good),
                Err(why) => self.add(&format!("{key}[{index}]"), Some(item), why),
            }
        }
        (parsed.len() == items.len()).then_some(parsed)
    }

    /// Whatever stands there, for a reader of its own, which says what is wrong with [`Self::refuse_inside`].
    pub(super) fn whatever(&mut self, key: &'static str) -> Option<Value> {
        self.value(key)
    }

    /// Refuses what stands somewhere inside the value of a key.
    pub(super) fn refuse_inside(&self, key: &str, inside: &str, value: Option<String>, allowed: String) {
        let first = inside.split(['.', '[']).next().unwrap_or(inside);
        let layer_inside = |whole: &Value| match &whole.kind {
            ValueKind::Table(table) => table.get(first).map(Layer::of),
            _ => None,
        };
        let whole = self.table.get(key);
        let layer = whole.and_then(layer_inside).or(whole.map(Layer::of)).unwrap_or(Layer::Default);
        let separator = if inside.is_empty() { "" } else { "." };
        let key = format!("{}{separator}{inside}", self.path_of(key));
        self.findings.borrow_mut().push(Finding { key, value, allowed, layer });
    }

    /// Refuses a value that was read well and is wrong beside others.
    pub(super) fn refuse(&self, key: &str, allowed: String) {
        self.add(key, self.table.get(key), allowed);
    }

    /// How many findings there are, of all sections.
    pub(super) fn found(&self) -> usize {
        self.findings.borrow().len()
    }

    /// Whether any layer sets the key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Every key that nobody asked for is unknown. Their values are not shown: a secret may stand behind a
    /// misspelt key.
    pub(super) fn finish(self) {
        let mut unknown: Vec<&String> =
            self.table.keys().filter(|key| !self.known.contains(&key.as_str())).collect();
        unknown.sort();
        for key in unknown {
            let value = self.table.get(key);
            let layer = value.map_or(Layer::Default, Layer::of);
            let allowed = format!("unknown key; known here are {}", self.known.join(", "));
            let finding = Finding { key: self.path_of(key), value: None, allowed, layer };
            self.findings.borrow_mut().push(finding);
        }
    }

    fn value(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.table.get(key).cloned()
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn add(&self, key: &str, value: Option<&Value>, allowed: String) {
        let name = key.split('[').next().unwrap_or(key);
        // What is missing is missing in the layer that began the section.
        let layer = self.table.get(name).or(self.table.values().next()).map_or(Layer::Default, Layer::of);
        let key = self.path_of(key);
        let value = value.and_then(|value| shown(&key, value));
        self.findings.borrow_mut().push(Finding { key, value, allowed, layer });
    }
}
