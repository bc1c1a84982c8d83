//! The origin's time: wall time read once, and a monotonic clock since.

use std::time::{Duration, Instant};

/// An instant, in microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// The instant this many microseconds after the Unix epoch.
    pub(crate) const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub(crate) const fn micros(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch.
    pub(crate) const fn millis(self) -> u64 {
        self.0 / 1_000
    }

    /// Whole seconds since the Unix epoch.
    pub(crate) const fn seconds(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The instant a span later.
    pub(crate) fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }

    /// The instant a span earlier.
    pub(crate) fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }

    /// The span from here to a later instant; zero where that one has passed.
    pub(crate) fn until(self, later: Self) -> Duration {
        Duration::from_micros(later.0.saturating_sub(self.0))
    }
}

/// A clock that never goes back.
#[derive(Debug)]
pub(crate) struct Clock {
    wall_at_start: Moment,
    started: Instant,
}

impl Clock {
    /// Reads the wall clock, once.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub(crate) fn start() -> Self {
        let micros = u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap_or(0);
        Self { wall_at_start: Moment::from_micros(micros), started: Instant::now() }
    }

    /// The present instant.
    pub(crate) fn now(&self) -> Moment {
        self.wall_at_start.after(self.started.elapsed())
    }
}
