//! Durations as text: `"5s"`, `"1m30s"`, `"250ms"`, `"365d"`.
//!
//! jiff's friendly format knows neither days in exact durations nor only one way to write each; this one does.

use std::time::Duration;

/// The units, from large to small, in milliseconds. A month or a year is no fixed span, so there is none.
const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// How to write a duration, for messages.
pub const HOW: &str = "a duration such as \"5s\", \"1m30s\", \"250ms\" or \"365d\"";

/// Reads a duration: numbers with units, each unit smaller than the one before. `None` if it is none, or too long.
pub fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total: u64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = split_at_first(rest, |c| !c.is_ascii_digit())?;
        let (name, after) = split_at_first(after, |c| c.is_ascii_digit()).unwrap_or((after, ""));
        // The iterator goes on where the last unit was found: large to small, each at most once.
        let (_, milliseconds) = units.find(|(unit, _)| *unit == name)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*milliseconds)?)?;
        rest = after;
    }
    Some(Duration::from_millis(total))
}

fn split_at_first(text: &str, is_border: impl Fn(char) -> bool) -> Option<(&str, &str)> {
    text.split_at_checked(text.find(is_border)?)
}

/// Writes a duration as [`parse`] reads it: `1m30s`. Less than a millisecond is left out.
pub fn text(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    // Weeks are read, not written: "365d" should come back as it was given.
    let days_and_smaller = UNITS.iter().skip(1);
    let parts = days_and_smaller.map(|(unit, milliseconds)| {
        let count = rest / milliseconds;
        rest %= milliseconds;
        if count > 0 { format!("{count}{unit}") } else { String::new() }
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_from_large_units_to_small() {
        for (text, milliseconds) in [
            ("5s", 5_000),
            ("0s", 0),
            ("250ms", 250),
            ("1m30s", 90_000),
            ("365d", 31_536_000_000),
            ("2w", 1_209_600_000),
            ("1h1ms", 3_600_001),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_none() {
        for text in [
            "",
            "5",
            "s",
            "5 s",
            "-5s",
            "1.5s",
            "30s1m",
            "1s1s",
            "1y",
            "1mo",
            "5S",
            "99999999999999w",
            "٣s",
            "5s ",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_written_duration_reads_back_the_same() {
        for written in ["0s", "5s", "1m30s", "250ms", "365d", "1d2h3m4s5ms"] {
            assert_eq!(parse(written).map(text).as_deref(), Some(written));
        }
    }
}
