//! What is wrong with a configuration.

use std::fmt;

use config::{Value, ValueKind};

use super::layers::Layer;

/// Keys whose values are never shown.
const SECRETS: [&str; 5] = ["secret_key", "auth_token", "tokens", "secret", "password"];

/// Keys of a notifier whose values are never shown: who knows the address of a channel at Slack or Discord can write there.
const NOTIFIER_SECRETS: [&str; 2] = ["url", "headers"];

/// Longest piece of a refused value that is shown, in characters.
const SHOWN_CHARACTERS: usize = 80;

/// One thing that is wrong: where, what stands there, what is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The key, such as `watch.interval` or `watch.rule[0].channels[2]`. Empty if the layer as a whole is wrong.
    pub key: String,
    /// The value as it stands there. Never a secret; `None` where there is none or it may not be shown.
    pub value: Option<String>,
    /// What is wrong or what is allowed, in plain words.
    pub allowed: String,
    /// The layer the value came from.
    pub layer: Layer,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            f.write_str(&self.key)?;
            if let Some(value) = &self.value {
                write!(f, " = {value}")?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{} ({})", self.allowed, self.layer)
    }
}

/// Everything that is wrong with a configuration, never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings(pub Vec<Finding>);

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{finding}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Findings {}

/// A value as it may be shown beside its key: nothing for secrets and for tables, the rest cut to a line.
pub(super) fn shown(key: &str, value: &Value) -> Option<String> {
    let name = key.rsplit('.').next().unwrap_or(key);
    let is = |secret: &&str| name.split('[').next() == Some(*secret);
    if SECRETS.iter().any(is) || key.starts_with("notifier[") && NOTIFIER_SECRETS.iter().any(is) {
        return Some("(hidden)".to_owned());
    }
    let text = match &value.kind {
        ValueKind::Nil | ValueKind::Table(_) => return None,
        ValueKind::Array(items) => format!("[{}]", items.iter().map(scalar).collect::<Vec<_>>().join(", ")),
        _ => scalar(value),
    };
    // A password in a URL is a secret as well.
    if text.contains("://") && text.contains('@') {
        return Some("(hidden)".to_owned());
    }
    if text.chars().count() <= SHOWN_CHARACTERS {
        return Some(text);
    }
    Some(text.chars().take(SHOWN_CHARACTERS).chain(['…']).collect())
}

fn scalar(value: &Value) -> String {
    match &value.kind {
        ValueKind::String(text) => format!("{text:?}"),
        ValueKind::Array(_) => "[…]".to_owned(),
        ValueKind::Table(_) => "{…}".to_owned(),
        _ => value.to_string(),
    }
}
