//! Secrets: given in the configuration itself or in a file, which can be read again.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::files::read_text;
use super::section::Section;

/// Longest file of secrets that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// What a secret may be, for messages.
const SECRET: &str = "a secret: visible ASCII characters, no spaces";

/// A secret and the file it came from, if it came from one.
#[derive(Debug, Clone)]
pub struct Secret {
    value: SecretString,
    file: Option<PathBuf>,
}

/// The tokens that let callers in, and the file they came from, if they came from one.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    values: Vec<SecretString>,
    file: Option<PathBuf>,
}

/// A file of secrets cannot be used. Its text is in no error.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It cannot be read.
    #[error("the file {} cannot be read: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// There is nothing in it, or more than one line where one secret is wanted.
    #[error("the file {} must hold {wanted}", file.display())]
    Unusable {
        /// The file.
        file: PathBuf,
        /// What it must hold.
        wanted: &'static str,
    },
}

impl Secret {
    /// The secret itself.
    pub fn value(&self) -> &SecretString {
        &self.value
    }

    /// The file it came from.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The secret as its file has it now; the same one if it came from no file.
    ///
    /// # Errors
    ///
    /// [`SecretError`] if the file cannot be used any more.
    pub fn read_again(&self) -> Result<Self, SecretError> {
        self.file.as_deref().map_or_else(|| Ok(self.clone()), Self::from_file)
    }

    fn from_file(file: &Path) -> Result<Self, SecretError> {
        let text = read(file)?;
        let value = secret(text.trim()).ok_or_else(|| SecretError::Unusable {
            file: file.to_owned(),
            wanted: "one secret: a line of visible ASCII characters",
        })?;
        Ok(Self { value, file: Some(file.to_owned()) })
    }
}

impl Tokens {
    /// The tokens themselves.
    pub fn values(&self) -> &[SecretString] {
        &self.values
    }

    /// The file they came from.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Whether there are none: then whoever can reach the address is let in.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The tokens as their file has them now; the same ones if they came from no file.
    ///
    /// # Errors
    ///
    /// [`SecretError`] if the file cannot be used any more.
    pub fn read_again(&self) -> Result<Self, SecretError> {
        self.file.as_deref().map_or_else(|| Ok(self.clone()), Self::from_file)
    }

    fn from_file(file: &Path) -> Result<Self, SecretError> {
        let text = read(file)?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let values: Option<Vec<SecretString>> = lines.map(secret).collect();
        // An empty file must not open the door.
        let values = values.filter(|values| !values.is_empty()).ok_or_else(|| SecretError::Unusable {
            file: file.to_owned(),
            wanted: "at least one token or secret, each a line of visible ASCII characters",
        })?;
        Ok(Self { values, file: Some(file.to_owned()) })
    }
}

/// `key`, or what the file of `file_key` holds; both at once are refused.
pub(super) fn one(section: &mut Section<'_>, key: &'static str, file_key: &'static str) -> Option<Secret> {
    let value = section.text(key, SECRET, secret);
    let file = section.path(file_key);
    if section.has(key) && section.has(file_key) {
        section.refuse(file_key, format!("give {key} or {file_key}, not both"));
        return None;
    }
    let from_file = file.and_then(|file| or_refuse(section, file_key, Secret::from_file(&file)));
    value.map(|value| Secret { value, file: None }).or(from_file)
}

/// One secret in `key`, or one in each line of the file of `file_key`; both at once are refused.
pub(super) fn several(
    section: &mut Section<'_>,
    key: &'static str,
    file_key: &'static str,
) -> Option<Tokens> {
    let values = section.text(key, SECRET, secret).map(|value| vec![value]);
    either(section, key, file_key, values)
}

/// `tokens`, or what the file of `tokens_file` holds; both at once are refused.
pub(super) fn tokens(section: &mut Section<'_>) -> Option<Tokens> {
    let values =
        section.list("tokens", SECRET, |text| secret(text).ok_or_else(|| format!("must be {SECRET}")));
    either(section, "tokens", "tokens_file", values)
}

/// The values of `key`, or those of the file of `file_key`.
fn either(
    section: &mut Section<'_>,
    key: &'static str,
    file_key: &'static str,
    values: Option<Vec<SecretString>>,
) -> Option<Tokens> {
    let file = section.path(file_key);
    match (section.has(key), section.has(file_key)) {
        (true, true) => {
            section.refuse(file_key, format!("give {key} or {file_key}, not both"));
            None
        }
        (true, false) => values.map(|values| Tokens { values, file: None }),
        (false, true) => file.and_then(|file| or_refuse(section, file_key, Tokens::from_file(&file))),
        (false, false) => Some(Tokens::default()),
    }
}

fn or_refuse<T>(section: &Section<'_>, key: &str, result: Result<T, SecretError>) -> Option<T> {
    result.map_err(|error| section.refuse(key, error.to_string())).ok()
}

fn read(file: &Path) -> Result<String, SecretError> {
    read_text(file, MAX_FILE).map_err(|source| SecretError::Unreadable { file: file.to_owned(), source })
}

/// Secrets travel in headers and query strings: visible ASCII only.
fn secret(text: &str) -> Option<SecretString> {
    let good = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    good.then(|| SecretString::from(text))
}

/// Two secrets are the same if their values are; where they came from does not count.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.value.expose_secret() == other.value.expose_secret()
    }
}

/// As with [`Secret`].
impl PartialEq for Tokens {
    fn eq(&self, other: &Self) -> bool {
        let plain = |tokens: &Self| -> Vec<String> {
            tokens.values.iter().map(|value| value.expose_secret().to_owned()).collect()
        };
        plain(self) == plain(other)
    }
}
