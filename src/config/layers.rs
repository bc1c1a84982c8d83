//! The layers of a configuration, merged by the `config` crate; each value remembers the layer it came from.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use config::{ConfigError, FileFormat, Map, Source, Value, ValueKind};

use super::files::read_text;
use super::finding::Finding;

/// The defaults: every key with its meaning, the text of `config/default.toml`.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// Environment variables of the configuration begin so; `__` also separates the section from the key.
pub const ENVIRONMENT_PREFIX: &str = "ADSUM__";

/// Longest configuration file that is read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

const VARIABLE: &str = "environment variable ";
const FLAG: &str = "flag ";

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layer {
    /// `config/default.toml`, which is in the binary.
    Default,
    /// The file given, by the name it was given with.
    File(String),
    /// An environment variable, by its name.
    Environment(String),
    /// A flag of the command line, such as `--origin`.
    Flag(String),
}

impl Layer {
    /// The layer a value was stamped with.
    pub(super) fn of(value: &Value) -> Self {
        match value.origin() {
            Some(origin) => match (origin.strip_prefix(VARIABLE), origin.strip_prefix(FLAG)) {
                (Some(name), _) => Self::Environment(name.to_owned()),
                (_, Some(name)) => Self::Flag(name.to_owned()),
                _ => Self::File(origin.to_owned()),
            },
            // The merge makes tables anew, without an origin: what is in one knows better.
            None => match &value.kind {
                ValueKind::Table(table) => table
                    .values()
                    .map(Self::of)
                    .find(|layer| *layer != Self::Default)
                    .unwrap_or(Self::Default),
                _ => Self::Default,
            },
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(name) => f.write_str(name),
            Self::Environment(name) => write!(f, "{VARIABLE}{name}"),
            Self::Flag(name) => write!(f, "{FLAG}{name}"),
        }
    }
}

/// A value given on the command line. It may be a secret: no `Debug`.
#[derive(Clone)]
pub struct Override {
    key: &'static str,
    value: Value,
}

impl Override {
    /// `flag` (such as `--origin`) sets `key` (such as `pubnub.origin`) to a text.
    pub fn text(flag: &str, key: &'static str, value: &str) -> Self {
        Self { key, value: Value::new(Some(&Layer::Flag(flag.to_owned()).to_string()), value) }
    }

    /// `flag` sets `key` to a list of texts.
    pub fn list(flag: &str, key: &'static str, values: &[String]) -> Self {
        let layer = Layer::Flag(flag.to_owned()).to_string();
        let items: Vec<Value> = values.iter().map(|text| Value::new(Some(&layer), text.as_str())).collect();
        Self { key, value: Value::new(Some(&layer), items) }
    }
}

/// Where a configuration is read from, besides the defaults. It holds secrets: no `Debug`.
#[derive(Clone, Default)]
pub struct Sources {
    /// The configuration file.
    pub file: Option<PathBuf>,
    /// The environment; only what begins with [`ENVIRONMENT_PREFIX`] counts.
    pub environment: BTreeMap<OsString, OsString>,
    /// What the command line sets.
    pub flags: Vec<Override>,
}

impl Sources {
    /// A file, if one is given, the environment of this process, and flags.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<Override>) -> Self {
        Self { file, environment: std::env::vars_os().collect(), flags }
    }

    /// All layers merged into one table. What cannot be read at all is a finding, and the rest is merged.
    pub(super) fn merge(&self, findings: &mut Vec<Finding>) -> Map<String, Value> {
        let mut builder =
            config::Config::builder().add_source(config::File::from_str(DEFAULTS, FileFormat::Toml));
        if let Some(path) = &self.file {
            match read_file(path) {
                Ok(table) => builder = builder.add_source(Stamped(table)),
                Err(finding) => findings.push(finding),
            }
        }
        builder = builder.add_source(Stamped(self.read_environment(findings)));
        let flags = self.flags.iter().map(|flag| (flag.key.to_owned(), flag.value.clone())).collect();
        let merged = builder.add_source(Stamped(flags)).build().and_then(|merged| merged.collect());
        merged.unwrap_or_else(|error| {
            findings.push(whole(Layer::Default, error.to_string()));
            Map::new()
        })
    }

    fn read_environment(&self, findings: &mut Vec<Finding>) -> Map<String, Value> {
        let mut table = Map::new();
        for (name, value) in &self.environment {
            let name = name.to_string_lossy();
            let Some(key) = name.strip_prefix(ENVIRONMENT_PREFIX) else { continue };
            // Compose files and unit files set variables to nothing where they mean "not set".
            if value.is_empty() {
                continue;
            }
            let layer = Layer::Environment(name.clone().into_owned());
            match value.to_str() {
                Some(text) => {
                    let key = key.to_lowercase().replace("__", ".");
                    table.insert(key, Value::new(Some(&layer.to_string()), text));
                }
                None => findings.push(whole(layer, "must be UTF-8".to_owned())),
            }
        }
        table
    }
}

/// A table whose values already carry their layer.
#[derive(Clone)]
struct Stamped(Map<String, Value>);

/// `config` wants one; the values may be secrets.
impl fmt::Debug for Stamped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Source for Stamped {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

fn read_file(path: &Path) -> Result<Map<String, Value>, Finding> {
    let name = path.display().to_string();
    let layer = || Layer::File(name.clone());
    let text = read_text(path, MAX_FILE)
        .map_err(|error| whole(layer(), format!("the configuration file cannot be read: {error}")))?;
    let table = config::File::from_str(&text, FileFormat::Toml)
        .collect()
        .map_err(|error| whole(layer(), without_source_lines(&error.to_string())))?;
    Ok(table.into_iter().map(|(key, value)| (key, stamp(value, &name))).collect())
}

/// The same value, each part of it coming from `origin`.
fn stamp(value: Value, origin: &String) -> Value {
    match value.kind {
        ValueKind::Table(table) => {
            let table: Map<String, Value> =
                table.into_iter().map(|(key, value)| (key, stamp(value, origin))).collect();
            Value::new(Some(origin), table)
        }
        ValueKind::Array(items) => {
            let items: Vec<Value> = items.into_iter().map(|value| stamp(value, origin)).collect();
            Value::new(Some(origin), items)
        }
        kind => Value::new(Some(origin), kind),
    }
}

/// The message of a TOML error without the lines that quote the file: a secret may stand there.
fn without_source_lines(message: &str) -> String {
    let quotes = |line: &str| {
        line.trim_start_matches([' ', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']).starts_with('|')
    };
    message.lines().filter(|line| !line.is_empty() && !quotes(line)).collect::<Vec<_>>().join(": ")
}

fn whole(layer: Layer, allowed: String) -> Finding {
    Finding { key: String::new(), value: None, allowed, layer }
}
