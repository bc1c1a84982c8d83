//! The one clock of a running adsum: the wall time read at start, and the monotonic clock from then on. It never goes
//! back, whatever is done to the wall clock (SPEC section 2, Clock).

use tokio::time::Instant;

use crate::domain::time::Time;

/// Gives the time. Clones share one clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Time,
    instant: Instant,
}

impl Clock {
    /// A clock that shows `start` now and goes on from there.
    pub fn starting_at(start: Time) -> Self {
        Self { start, instant: Instant::now() }
    }

    /// A clock that shows the system's wall time.
    pub fn system() -> Self {
        Self::starting_at(wall_time())
    }

    /// What time it is.
    pub fn now(&self) -> Time {
        self.start.plus(self.instant.elapsed())
    }
}

/// The system's wall time.
#[expect(clippy::disallowed_methods, reason = "here is where wall time enters")]
fn wall_time() -> Time {
    Time::from_micros(jiff::Timestamp::now().as_microsecond())
}
