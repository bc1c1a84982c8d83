//! Times in whole microseconds, and the two ways adsum is unsure of one: a [`Moment`] (when an answer was true) and a
//! [`Window`] (when a change happened).

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// A point in time: microseconds since the Unix epoch, UTC. This is also how times are stored.
///
/// Arithmetic saturates, so no input can make it panic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(i64);

/// The earliest time that RFC 3339 can write: the beginning of year 0000.
const EARLIEST: i64 = -62_167_219_200_000_000;

impl Time {
    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This much later.
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(micros(span)))
    }

    /// This much earlier.
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(micros(span)))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Rounded down to whole milliseconds, the resolution of answers.
    pub fn floor_ms(self) -> Self {
        Self(self.0.div_euclid(1000).saturating_mul(1000))
    }

    /// Rounded up to whole milliseconds.
    pub fn ceil_ms(self) -> Self {
        Self(self.0.saturating_add(999)).floor_ms()
    }

    /// Reads RFC 3339 (any offset). Digits below a microsecond are cut off.
    pub fn parse(text: &str) -> Option<Self> {
        let timestamp: jiff::Timestamp = text.parse().ok()?;
        Some(Self(timestamp.as_microsecond()))
    }
}

/// The span in whole microseconds, rounded up: a span is used to widen or to wait, where too little would be a lie.
fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_nanos().div_ceil(1000)).unwrap_or(i64::MAX)
}

/// RFC 3339, UTC, with milliseconds, rounded down.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let latest = jiff::Timestamp::MAX.as_microsecond() - 999_999;
        let micros = self.0.clamp(EARLIEST, latest).div_euclid(1000) * 1000;
        match jiff::Timestamp::from_microsecond(micros) {
            Ok(timestamp) => write!(f, "{timestamp:.3}"),
            Err(_) => Err(fmt::Error),
        }
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}µs", self.0)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// When an answer of the service was true: at some instant from `earliest` to `latest`, both included.
///
/// A request sent at `s` and answered at `r` is true within `[s - cache_ttl, r]`, because the service may answer from
/// a cache (SPEC section 2, Order).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Moment {
    /// `s - cache_ttl`.
    pub earliest: Time,
    /// `r`.
    pub latest: Time,
}

impl Moment {
    /// Of a request sent at `sent`, whose answer had arrived at `received`, from a service that answers from a cache
    /// for at most `cache_ttl`, by a clock that was not set meanwhile.
    pub fn of_request(sent: Time, received: Time, cache_ttl: Duration) -> Self {
        Self { earliest: sent.minus(cache_ttl), latest: received.max(sent) }
    }

    /// Whether this is certainly not before `other`: only then may two observations be compared.
    pub fn certainly_after(self, other: Self) -> bool {
        self.earliest >= other.latest
    }

    /// The later of the two.
    pub fn later(self, other: Self) -> Self {
        if other.latest > self.latest { other } else { self }
    }
}

/// When a change happened: not before `not_before` (`None`: nothing bounds it) and not after `not_after`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// The change did not happen earlier than this.
    pub not_before: Option<Time>,
    /// The change did not happen later than this.
    pub not_after: Time,
}

impl Window {
    /// Of a change between the last observation that proves it had not happened (if any) and the one that shows it.
    pub fn between(before: Option<Moment>, after: Moment) -> Self {
        Self { not_before: before.map(|m| m.earliest), not_after: after.latest }
    }

    /// Whether the change may have happened at `time`.
    pub fn contains(self, time: Time) -> bool {
        self.not_before.is_none_or(|from| from <= time) && time <= self.not_after
    }
}

/// `not_before` is rounded down and `not_after` up, so that the written window still holds the change.
impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut window = serializer.serialize_struct("Window", 2)?;
        window.serialize_field("not_before", &self.not_before.map(Time::floor_ms))?;
        window.serialize_field("not_after", &self.not_after.ceil_ms())?;
        window.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_window_holds_the_exact_one() {
        let window = Window { not_before: Some(Time(1_001)), not_after: Time(2_001) };
        let json = serde_json::to_value(window).unwrap();
        assert_eq!(json["not_before"], "1970-01-01T00:00:00.001Z");
        assert_eq!(json["not_after"], "1970-01-01T00:00:00.003Z");
    }

    #[test]
    fn times_are_written_in_utc_with_milliseconds_and_read_with_any_offset() {
        let time = Time::parse("2026-11-24T07:00:00.1239+01:00").unwrap();
        assert_eq!(time.to_string(), "2026-11-24T06:00:00.123Z");
        assert_eq!(Time::parse("yesterday"), None);
        assert!(Time(i64::MAX).to_string().starts_with("9999-"));
        assert!(Time(i64::MIN).to_string().starts_with("0000-"));
    }

    #[test]
    fn an_answer_may_be_as_old_as_the_cache() {
        let moment = Moment::of_request(Time(10_000_000), Time(10_200_000), Duration::from_secs(3));
        assert_eq!(moment, Moment { earliest: Time(7_000_000), latest: Time(10_200_000) });
    }
}
