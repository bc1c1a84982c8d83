//! The one clock of a running adsum: the wall time read at start, and the monotonic clock from then on. It never goes
//! back, whatever is done to the wall clock (SPEC section 2, Clock).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::time::Time;

/// A wall clock that differs by less is not followed: clocks are slewed all the time.
pub const STEP: Duration = Duration::from_secs(2);

/// Gives the time. Clones share one clock.
#[derive(Clone, Debug)]
pub struct Clock {
    start: Time,
    instant: Instant,
    /// Microseconds by which the clock was moved forward since.
    moved: Arc<AtomicI64>,
    /// Microseconds by which the wall clock was behind when that was last told.
    behind: Arc<AtomicI64>,
    wall: fn(&Clock) -> Time,
}

/// The wall clock was set, or the machine slept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// It is ahead by so much; this clock followed.
    Forward(Duration),
    /// It is behind by so much; this clock goes on.
    Back(Duration),
}

impl Clock {
    /// A clock that shows `start` now, goes on from there, and knows no wall clock.
    pub fn starting_at(start: Time) -> Self {
        Self::new(start, Self::now)
    }

    /// A clock that shows the system's wall time, or `not_before` if that is later.
    pub fn system(not_before: Option<Time>) -> Self {
        let now = wall_time();
        Self::new(not_before.map_or(now, |earliest| now.max(earliest)), |_| wall_time())
    }

    fn new(start: Time, wall: fn(&Self) -> Time) -> Self {
        let instant = Instant::now();
        Self { start, instant, moved: Arc::default(), behind: Arc::default(), wall }
    }

    /// How long it has been running.
    pub fn running(&self) -> Duration {
        self.instant.elapsed()
    }

    /// What time it would be had it followed no step.
    pub fn steady(&self) -> Time {
        self.start.plus(self.running())
    }

    /// What time it is.
    pub fn now(&self) -> Time {
        Time::from_micros(self.steady().as_micros().saturating_add(self.moved.load(Ordering::Relaxed)))
    }

    /// Follows the wall clock forward where it was set ahead, or went on while the machine slept. Tells each step once.
    pub fn follow_wall(&self) -> Option<Step> {
        let (now, wall) = (self.now(), (self.wall)(self));
        if wall.since(now) > STEP {
            let ahead = wall.since(now);
            self.moved.fetch_add(wall.as_micros().saturating_sub(now.as_micros()), Ordering::Relaxed);
            self.behind.store(0, Ordering::Relaxed);
            return Some(Step::Forward(ahead));
        }
        let behind = now.since(wall);
        let told = Duration::from_micros(u64::try_from(self.behind.load(Ordering::Relaxed)).unwrap_or(0));
        if behind > told + STEP {
            self.behind.store(i64::try_from(behind.as_micros()).unwrap_or(i64::MAX), Ordering::Relaxed);
            return Some(Step::Back(behind));
        }
        None
    }
}

/// The system's wall time.
#[expect(clippy::disallowed_methods, reason = "here is where wall time enters")]
pub fn wall_time() -> Time {
    Time::from_micros(jiff::Timestamp::now().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time::from_micros(1_800_000_000_000_000);

    #[tokio::test(start_paused = true)]
    async fn the_clock_follows_the_wall_clock_forward_and_never_back() {
        let ahead = Clock::new(START, |_| START.plus(Duration::from_secs(3600)));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(ahead.follow_wall(), Some(Step::Forward(Duration::from_secs(3590))));
        assert_eq!(ahead.now(), START.plus(Duration::from_secs(3600)));
        assert_eq!(ahead.follow_wall(), None);
        let behind = Clock::new(START, |_| START);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(behind.follow_wall(), Some(Step::Back(Duration::from_secs(10))));
        assert_eq!(behind.follow_wall(), None, "told once");
        assert_eq!(behind.now(), START.plus(Duration::from_secs(10)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_without_a_wall_has_no_steps() {
        let clock = Clock::starting_at(START);
        tokio::time::advance(Duration::from_secs(100)).await;
        assert_eq!((clock.follow_wall(), clock.now()), (None, START.plus(Duration::from_secs(100))));
    }
}
