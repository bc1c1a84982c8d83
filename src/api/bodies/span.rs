//! Times, windows and lengths.

use std::time::Duration;

use serde::{Serialize, Serializer};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{KnownFormat, RefOr, Schema, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::time::{Time, Window};
use crate::domain::visit::Length;

/// A time, rounded down to milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Instant(pub Time);

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl PartialSchema for Instant {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("A time: RFC 3339, UTC, with milliseconds."))
            .examples(["2026-11-24T06:00:00.123Z"])
            .into()
    }
}

impl ToSchema for Instant {
    fn name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }
}

impl From<Time> for Instant {
    fn from(time: Time) -> Self {
        Self(time)
    }
}

/// When a change happened: in the presence service's view certainly within these bounds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(as = Window)]
pub struct WindowBody {
    /// Not before this, rounded down; null where nothing proves an earlier absence.
    #[schema(required = true)]
    pub not_before: Option<Instant>,
    /// Not after this, rounded up.
    pub not_after: Instant,
}

impl From<Window> for WindowBody {
    fn from(window: Window) -> Self {
        Self {
            not_before: window.not_before.map(|time| Instant(time.floor_ms())),
            not_after: Instant(window.not_after.ceil_ms()),
        }
    }
}

/// How long something was, in seconds.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, ToSchema)]
#[schema(as = Length)]
pub struct LengthBody {
    /// The time that is proven.
    #[schema(minimum = 0)]
    pub min: f64,
    /// The longest possible; null where nothing bounds it.
    #[schema(required = true, minimum = 0)]
    pub max: Option<f64>,
}

impl From<Length> for LengthBody {
    fn from(length: Length) -> Self {
        Self { min: seconds(length.min), max: length.max.map(seconds) }
    }
}

/// A length in seconds.
pub(crate) fn seconds(length: Duration) -> f64 {
    length.as_secs_f64()
}
