//! When a delivery that was not taken is tried again.

use std::time::Duration;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// The pauses after the first try, the second and so on (SPEC section 4). After the last of them comes a last try; all are
/// 15 h 48 min 48 s together, and up to a fifth more with what chance adds.
pub const PAUSES: [Duration; 14] = [
    secs(1),
    secs(2),
    secs(5),
    secs(10),
    secs(30),
    secs(60),
    secs(2 * 60),
    secs(5 * 60),
    secs(10 * 60),
    secs(30 * 60),
    secs(3600),
    secs(2 * 3600),
    secs(4 * 3600),
    secs(8 * 3600),
];

/// How many times a delivery is tried before it is given up.
pub const TRIES: usize = PAUSES.len() + 1;

/// A pause is longer by up to this share of it, so that what failed together is not tried together.
pub const SPREAD: f64 = 0.2;

/// How long to wait after so many tries, the last request to send it again counted from; `None`: it is given up. `chance`
/// is from 0 to 1. The receiver may have asked for more (`Retry-After`), but a last try stays the last.
pub fn pause(tries: u32, chance: f64, asked: Option<Duration>) -> Option<Duration> {
    let index = usize::try_from(tries).ok()?.saturating_sub(1);
    let pause = PAUSES.get(index)?.mul_f64(1.0 + SPREAD * chance.clamp(0.0, 1.0));
    Some(pause.max(asked.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_those_of_the_specification_and_then_it_is_given_up() {
        let pauses: Vec<u64> =
            (1..).map_while(|tries| pause(tries, 0.0, None)).map(|p| p.as_secs()).collect();
        assert_eq!(
            pauses,
            [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400, 28_800],
            "1, 2, 5, 10, 30 s, then 1, 2, 5, 10, 30 min, then 1, 2, 4, 8 h"
        );
        assert_eq!(pauses.iter().sum::<u64>(), 15 * 3600 + 48 * 60 + 48);
        assert_eq!(pauses.len() + 1, TRIES);
        assert_eq!(pause(u32::MAX, 0.0, None), None);
    }

    #[test]
    fn chance_makes_a_pause_longer_by_a_fifth_at_most_and_never_shorter() {
        assert_eq!(pause(4, 0.0, None), Some(secs(10)));
        assert_eq!(pause(4, 0.5, None), Some(secs(11)));
        assert_eq!(pause(4, 1.0, None), Some(secs(12)));
        assert_eq!(pause(4, 7.0, None), Some(secs(12)));
    }

    #[test]
    fn what_the_receiver_asks_for_counts_where_it_is_longer() {
        assert_eq!(pause(1, 0.0, Some(secs(60))), Some(secs(60)));
        assert_eq!(pause(8, 0.0, Some(secs(60))), Some(secs(300)));
        assert_eq!(pause(15, 0.0, Some(secs(60))), None);
    }
}
