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
    /// The time that is proven, rounded down.
    #[schema(minimum = 0)]
    pub min: f64,
    /// The longest possible, rounded up; null where nothing bounds it.
    #[schema(required = true, minimum = 0)]
    pub max: Option<f64>,
}

impl From<Length> for LengthBody {
    fn from(length: Length) -> Self {
        Self { min: whole_ms(length.min.as_millis()), max: length.max.map(seconds) }
    }
}

/// A length in seconds, rounded up to milliseconds: what is this old or this coarse is claimed to be no better.
pub(crate) fn seconds(length: Duration) -> f64 {
    whole_ms(length.as_nanos().div_ceil(1_000_000))
}

/// Milliseconds in seconds: the number nearest to them, so that no more than three decimals are written.
#[allow(clippy::cast_precision_loss, reason = "2^53 ms are 285,000 years")]
fn whole_ms(millis: u128) -> f64 {
    millis as f64 / 1_000.0
}

/// A share with four decimals, rounded down: never up to a full 1, which would state more than was seen.
pub(crate) fn share(share: f64) -> f64 {
    (share * 10_000.0).floor() / 10_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_to_the_side_that_claims_less() {
        let micros = Duration::from_micros;
        let length = |min, max| {
            let body = LengthBody::from(Length { min: micros(min), max: Some(micros(max)) });
            serde_json::to_string(&body).unwrap()
        };
        assert_eq!(length(1_811_565, 18_994_199), r#"{"min":1.811,"max":18.995}"#);
        assert_eq!(length(999, 7), r#"{"min":0.0,"max":0.001}"#);
        assert_eq!(length(1_811_000, 1_811_000), r#"{"min":1.811,"max":1.811}"#);
        for (given, expected) in [(0.977_822_024, 0.977_8), (1.0, 1.0), (1.0 - 1e-15, 0.999_9), (7e-6, 0.0)] {
            assert_eq!(share(given).to_string(), expected.to_string(), "{given}");
        }
    }
}
