//! When a channel is looked at next: evenly spread over the interval, never before the service's cache allows, and
//! after failures later and later.

use std::time::Duration;

use super::time::Time;

/// The longest back-off, whatever the interval.
pub const MAX_BACK_OFF: Duration = Duration::from_secs(60);

/// The longest back-off in intervals.
pub const MAX_BACK_OFF_INTERVALS: u32 = 10;

/// How far a back-off is stretched at random, as a share of it.
const JITTER: f64 = 0.2;

/// The beats of a rhythm: `phase`, `phase + interval`, …
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Beat {
    /// Any one beat.
    pub phase: Time,
    /// Between two beats.
    pub interval: Duration,
}

impl Beat {
    /// The `slot`-th of any number of beats that share an interval. However many slots there are, they are spread
    /// evenly (the golden ratio's multiples, modulo one).
    pub fn slot(start: Time, interval: Duration, slot: u32) -> Self {
        const GOLDEN: f64 = 0.618_033_988_749_894_9;
        let share = (f64::from(slot) * GOLDEN).fract();
        Self { phase: start.plus(interval.mul_f64(share)), interval }
    }

    /// The first beat after `time`.
    pub fn after(self, time: Time) -> Time {
        let interval = i64::try_from(self.interval.as_micros()).unwrap_or(i64::MAX).max(1);
        let phase = self.phase.as_micros().rem_euclid(interval);
        let late = (time.as_micros().saturating_sub(phase)).rem_euclid(interval);
        Time::from_micros(time.as_micros().saturating_add(interval - late))
    }

    /// When to look again after an answer to a request sent at `sent` that arrived at `received`: at the next beat,
    /// but not before the service's cache is certain to be younger than that answer.
    pub fn next(self, sent: Time, received: Time, cache_ttl: Duration) -> Time {
        self.after(sent).max(received.plus(cache_ttl))
    }
}

/// How long to wait after `failures` failures in a row: one interval, doubled with each, at most
/// [`MAX_BACK_OFF_INTERVALS`] intervals and [`MAX_BACK_OFF`], stretched by up to a fifth by `chance` (0 to 1).
pub fn back_off(interval: Duration, failures: u32, chance: f64) -> Duration {
    let doubled = interval.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
    let most = interval.saturating_mul(MAX_BACK_OFF_INTERVALS).min(MAX_BACK_OFF.max(interval));
    doubled.min(most).mul_f64(1.0 + JITTER * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn slots_are_spread_over_the_interval_however_many_there_are() {
        for slots in [2_u32, 7, 100] {
            let beats = (0..slots).map(|n| Beat::slot(Time::from_micros(0), Duration::from_secs(10), n));
            let mut phases: Vec<i64> = beats.map(|beat| beat.phase.as_micros()).collect();
            phases.sort_unstable();
            phases.push(phases[0] + 10 * SECOND);
            let widest = phases.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
            assert!(widest <= 10 * SECOND / i64::from(slots) * 2, "{slots}: {widest}");
        }
    }

    #[test]
    fn the_next_look_waits_for_the_cache() {
        let beat = Beat { phase: Time::from_micros(0), interval: Duration::from_secs(3) };
        let (sent, received) = (Time::from_micros(0), Time::from_micros(200_000));
        assert_eq!(beat.next(sent, received, Duration::from_secs(3)), Time::from_micros(3_200_000));
        assert_eq!(beat.next(sent, received, Duration::ZERO), Time::from_micros(3 * SECOND));
    }

    #[test]
    fn back_off_doubles_up_to_its_bounds() {
        let wait = |interval, failures| back_off(Duration::from_secs(interval), failures, 0.0).as_secs();
        assert_eq!([1, 2, 3, 4, 5, 99].map(|failures| wait(1, failures)), [1, 2, 4, 8, 10, 10]);
        assert_eq!(wait(20, 99), 60);
        assert_eq!(wait(300, 99), 300, "never more often than the interval asks");
        assert_eq!(back_off(Duration::from_secs(10), 1, 1.0), Duration::from_secs(12));
    }

    proptest! {
        #[test]
        fn beats_are_strictly_after_and_at_most_an_interval_away(
            phase in -1_000_000i64..1_000_000, interval in 1u64..100_000, time in -1_000_000i64..1_000_000
        ) {
            let beat = Beat { phase: Time::from_micros(phase), interval: Duration::from_micros(interval) };
            let next = beat.after(Time::from_micros(time)).as_micros();
            prop_assert!(next > time && next <= time + i64::try_from(interval).unwrap());
            prop_assert_eq!((next - phase).rem_euclid(i64::try_from(interval).unwrap()), 0);
        }
    }
}
