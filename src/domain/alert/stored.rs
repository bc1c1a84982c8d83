//! How the state of an alert is stored: as JSON, times in whole microseconds. (Answers have milliseconds; a state must be
//! exact to go on as if nothing had been.)

use std::time::Duration;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use super::names::AlertId;
use super::state::AlertState;
use crate::domain::gap::GapReason;
use crate::domain::time::{Moment, Time, Window};

/// A stored state that cannot be read.
#[derive(Debug, Error)]
#[error("not the stored state of an alert: {0}")]
pub struct StoredError(#[from] serde_json::Error);

impl AlertState {
    /// As it is stored.
    pub fn to_json(&self) -> String {
        // Numbers, texts and fixed keys: it cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// As it was stored.
    ///
    /// # Errors
    /// [`StoredError`] if it is not what [`AlertState::to_json`] gave.
    pub fn from_json(text: &str) -> Result<Self, StoredError> {
        Ok(serde_json::from_str(text)?)
    }
}

/// A value that is stored exactly, as something plain.
pub(super) trait Exact: Sized {
    /// As what.
    type Plain: Serialize + DeserializeOwned;

    fn plain(&self) -> Self::Plain;

    /// `None` if it is no such value.
    fn exact(plain: Self::Plain) -> Option<Self>;
}

/// For `#[serde(with = "stored")]`.
pub(super) fn serialize<T: Exact, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    value.plain().serialize(serializer)
}

/// For `#[serde(with = "stored")]`.
pub(super) fn deserialize<'de, T: Exact, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::exact(T::Plain::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("unknown value"))
}

impl Exact for Time {
    type Plain = i64;

    fn plain(&self) -> i64 {
        self.as_micros()
    }

    fn exact(plain: i64) -> Option<Self> {
        Some(Self::from_micros(plain))
    }
}

/// `[earliest, latest]`.
impl Exact for Moment {
    type Plain = (i64, i64);

    fn plain(&self) -> (i64, i64) {
        (self.earliest.plain(), self.latest.plain())
    }

    fn exact((earliest, latest): (i64, i64)) -> Option<Self> {
        Some(Self { earliest: Time::from_micros(earliest), latest: Time::from_micros(latest) })
    }
}

/// `[not_before, not_after]`.
impl Exact for Window {
    type Plain = (Option<i64>, i64);

    fn plain(&self) -> (Option<i64>, i64) {
        (self.not_before.map(Time::as_micros), self.not_after.plain())
    }

    fn exact((not_before, not_after): (Option<i64>, i64)) -> Option<Self> {
        Some(Self { not_before: not_before.map(Time::from_micros), not_after: Time::from_micros(not_after) })
    }
}

/// Whole microseconds: it is the sum of differences between times.
impl Exact for Duration {
    type Plain = u64;

    fn plain(&self) -> u64 {
        u64::try_from(self.as_micros()).unwrap_or(u64::MAX)
    }

    fn exact(plain: u64) -> Option<Self> {
        Some(Self::from_micros(plain))
    }
}

impl Exact for GapReason {
    type Plain = String;

    fn plain(&self) -> String {
        self.as_str().to_owned()
    }

    fn exact(plain: String) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == plain)
    }
}

impl Exact for AlertId {
    type Plain = String;

    fn plain(&self) -> String {
        self.to_string()
    }

    fn exact(plain: String) -> Option<Self> {
        Self::parse(&plain)
    }
}

impl<T: Exact> Exact for Option<T> {
    type Plain = Option<T::Plain>;

    fn plain(&self) -> Self::Plain {
        self.as_ref().map(T::plain)
    }

    fn exact(plain: Self::Plain) -> Option<Self> {
        match plain {
            Some(plain) => T::exact(plain).map(Some),
            None => Some(None),
        }
    }
}
