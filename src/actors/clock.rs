//! The one clock of a running adsum: the wall time read at start, and the monotonic clock from then on. It never goes
//! back, whatever is done to the wall clock (SPEC section 2, Clock).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::domain::time::Time;

/// A wall clock that differs by less is not followed: clocks are slewed all the time.
pub const STEP: Duration = Duration::from_secs(2);

/// Steps that are closer are taken as one.
const STEPS_APART: Duration = Duration::from_secs(60);

/// Gives the time. Clones share one clock.
#[derive(Clone)]
pub struct Clock {
    start: Time,
    instant: Instant,
    wall: Option<Wall>,
    steps: Arc<Mutex<Steps>>,
}

/// How the wall clock was set, or went on without us.
#[derive(Default)]
struct Steps {
    /// By how much this clock was moved forward since it began.
    moved: Duration,
    /// So much of that has been told.
    told: Duration,
    /// By how much the wall clock was behind when that was last told.
    behind: Duration,
    /// What this clock showed before and after it was last moved.
    last: Option<(Time, Time)>,
}

/// Reads a wall clock.
pub type Wall = Arc<dyn Fn() -> Time + Send + Sync>;

/// The wall clock was set, or the machine slept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// It was set ahead by so much; this clock followed.
    Forward(Duration),
    /// It is behind by so much; this clock goes on.
    Back(Duration),
}

impl Clock {
    /// A clock that shows `start` now, goes on from there, and knows no wall clock.
    pub fn starting_at(start: Time) -> Self {
        Self::new(start, None)
    }

    /// A clock that shows the system's wall time, or `not_before` if that is later.
    pub fn system(not_before: Option<Time>) -> Self {
        Self::with_wall(not_before, Arc::new(wall_time))
    }

    /// A clock that shows what `wall` does, or `not_before` if that is later.
    pub fn with_wall(not_before: Option<Time>, wall: Wall) -> Self {
        let now = wall();
        Self::new(not_before.map_or(now, |earliest| now.max(earliest)), Some(wall))
    }

    fn new(start: Time, wall: Option<Wall>) -> Self {
        Self { start, instant: Instant::now(), wall, steps: Arc::default() }
    }

    /// How long it has been running.
    pub fn running(&self) -> Duration {
        self.instant.elapsed()
    }

    /// What time it would be had it followed no step.
    pub fn steady(&self) -> Time {
        self.start.plus(self.running())
    }

    /// What time it is. Follows the wall clock forward first where that was set ahead, or went on while the machine slept:
    /// nothing is ever stamped with a time that has passed.
    pub fn now(&self) -> Time {
        // The wall first: who is interrupted in between sees no step that was none.
        let wall = self.wall();
        self.steps.lock().follow(self.steady(), wall)
    }

    fn wall(&self) -> Option<Time> {
        self.wall.as_ref().map(|wall| wall())
    }

    /// The time that was `span` before `time`. Across a step it is unknown how much of it had really passed, so the earlier
    /// of both readings counts.
    pub fn before(&self, time: Time, span: Duration) -> Time {
        let earlier = time.minus(span);
        match self.steps.lock().last {
            Some((from, to)) if earlier < to && from < time => earlier.minus(to.since(from)),
            _ => earlier,
        }
    }

    /// A step of the wall clock that was not told yet.
    pub fn step(&self) -> Option<Step> {
        let wall = self.wall()?;
        let mut steps = self.steps.lock();
        let now = steps.follow(self.steady(), Some(wall));
        if steps.moved > steps.told {
            let ahead = steps.moved.saturating_sub(steps.told);
            (steps.told, steps.behind) = (steps.moved, Duration::ZERO);
            return Some(Step::Forward(ahead));
        }
        let behind = now.since(wall);
        if behind > steps.behind + STEP {
            steps.behind = behind;
            return Some(Step::Back(behind));
        }
        None
    }
}

impl Steps {
    fn follow(&mut self, steady: Time, wall: Option<Time>) -> Time {
        let now = steady.plus(self.moved);
        let Some(wall) = wall.filter(|wall| wall.since(now) > STEP) else { return now };
        self.moved = wall.since(steady);
        // Steps in quick succession are taken as one.
        let from = self.last.filter(|(_, to)| now.since(*to) < STEPS_APART).map_or(now, |(from, _)| from);
        self.last = Some((from, wall));
        wall
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
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

    fn hour_ahead() -> Clock {
        let instant = Instant::now();
        // Ten seconds on, the wall clock is an hour ahead of where this one began.
        Clock::with_wall(
            None,
            Arc::new(move || {
                let late = instant.elapsed() >= Duration::from_secs(10);
                START.plus(Duration::from_secs(if late { 3600 } else { 0 }))
            }),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn the_clock_follows_the_wall_clock_forward_before_it_gives_the_time() {
        let clock = hour_ahead();
        let clone = clock.clone();
        assert_eq!((clock.now(), clock.step()), (START, None));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(clone.now(), START.plus(Duration::from_secs(3600)));
        assert_eq!(clock.step(), Some(Step::Forward(Duration::from_secs(3590))));
        assert_eq!(clone.step(), None, "told once");
        assert_eq!(clock.steady(), START.plus(Duration::from_secs(10)));
    }

    /// An answer from the cache may be from before the step, by a clock that showed less.
    #[tokio::test(start_paused = true)]
    async fn a_span_that_reaches_back_over_a_step_is_as_long_as_it_may_have_been() {
        let clock = hour_ahead();
        tokio::time::advance(Duration::from_secs(10)).await;
        let (stepped, seconds) = (clock.now(), Duration::from_secs);
        tokio::time::advance(seconds(2)).await;
        assert_eq!(clock.before(clock.now(), seconds(2)), stepped);
        assert_eq!(clock.before(clock.now(), seconds(3)), START.plus(seconds(9)));
        let earlier = START.plus(seconds(5));
        assert_eq!(clock.before(earlier, seconds(1)), START.plus(seconds(4)), "it was not moved yet");
    }

    /// Steps in quick succession are one, also for what was asked between them.
    #[tokio::test(start_paused = true)]
    async fn a_span_that_reaches_back_over_the_first_of_two_steps_is_as_long_as_it_may_have_been() {
        let (instant, seconds) = (Instant::now(), Duration::from_secs);
        let set = move || match instant.elapsed().as_secs() {
            0..10 => 0,
            10..15 => 600,
            _ => 1200,
        };
        let wall = move || START.plus(instant.elapsed() + seconds(set()));
        let clock = Clock::with_wall(None, Arc::new(wall));
        tokio::time::advance(seconds(9)).await;
        let before_both = clock.now();
        tokio::time::advance(seconds(2)).await;
        let asked = clock.now();
        assert!(clock.before(asked, seconds(3)) <= before_both);
        tokio::time::advance(seconds(5)).await;
        assert_eq!(clock.now().since(before_both), seconds(1207));
        assert!(clock.before(asked, seconds(3)) <= before_both);
    }

    #[tokio::test(start_paused = true)]
    async fn the_clock_never_follows_back() {
        let clock = Clock::with_wall(None, Arc::new(|| START));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(clock.step(), Some(Step::Back(Duration::from_secs(10))));
        assert_eq!(clock.step(), None, "told once");
        assert_eq!(clock.now(), START.plus(Duration::from_secs(10)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_without_a_wall_has_no_steps() {
        let clock = Clock::starting_at(START);
        tokio::time::advance(Duration::from_secs(100)).await;
        assert_eq!((clock.step(), clock.now()), (None, START.plus(Duration::from_secs(100))));
    }
}
