//! Times and spans as requests write them: RFC 3339, or back from now (`now`, `-90s`, `-1d12h`).

use std::time::Duration;

use crate::domain::time::Time;

/// What a time may look like, for error messages.
pub(crate) const TIME_FORMS: &str =
    "a time is RFC 3339 (2026-11-24T06:00:00Z), now, or back from now (-2h, -1d12h)";

/// What a span may look like, for error messages.
pub(crate) const SPAN_FORMS: &str = "a span is whole numbers with the units w, d, h, m, s, ms (90s, 1h30m)";

/// Every unit in milliseconds, the longest first: a span names each at most once and in this order.
const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a time; `None` if it is none.
pub(crate) fn parse_time(text: &str, now: Time) -> Option<Time> {
    if text == "now" {
        return Some(now);
    }
    match text.strip_prefix('-') {
        // Years before 0000 begin with a minus too, but no record does.
        Some(back) => parse_span(back).map(|span| now.minus(span)),
        None => Time::parse(text),
    }
}

/// Reads a span; `None` if it is none, or longer than can be counted.
pub(crate) fn parse_span(text: &str) -> Option<Duration> {
    let mut units = UNITS.iter();
    let mut rest = text;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (digits, after) = rest.split_at_checked(rest.find(|c: char| !c.is_ascii_digit())?)?;
        let (name, next) =
            after.split_at_checked(after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len()))?;
        let (_, millis) = units.find(|(unit, _)| *unit == name)?;
        let count: u64 = digits.parse().ok()?;
        total = total.checked_add(count.checked_mul(*millis)?)?;
        rest = next;
    }
    (!text.is_empty()).then(|| Duration::from_millis(total))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_rfc_3339_or_back_from_now() {
        let now = Time::parse("2026-11-24T06:00:00Z").unwrap();
        for (text, expected) in [
            ("now", Some("2026-11-24T06:00:00Z")),
            ("-2h", Some("2026-11-24T04:00:00Z")),
            ("-90s", Some("2026-11-24T05:58:30Z")),
            ("-1d12h", Some("2026-11-22T18:00:00Z")),
            ("-250ms", Some("2026-11-24T05:59:59.750Z")),
            ("2026-11-24T07:00:00+01:00", Some("2026-11-24T06:00:00Z")),
            ("2026-11-24T07:00:00 01:00", None),
            ("2026-11-24", None),
            ("yesterday", None),
            ("2h", None),
            ("-", None),
            ("", None),
            ("-2x", None),
            ("--2h", None),
        ] {
            assert_eq!(parse_time(text, now), expected.and_then(Time::parse), "{text:?}");
        }
    }

    #[test]
    fn spans_name_each_unit_once_and_the_longest_first() {
        for (text, expected) in [
            ("30s", Some(30_000)),
            ("1w", Some(604_800_000)),
            ("1m500ms", Some(60_500)),
            ("0s", Some(0)),
            ("30", None),
            ("s", None),
            ("1s1m", None),
            ("1s1s", None),
            ("1.5s", None),
            ("+1s", None),
            ("1 s", None),
            ("99999999999999999999s", None),
            ("18446744073709551615w", None),
        ] {
            assert_eq!(parse_span(text), expected.map(Duration::from_millis), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_a_time_panic(text in "\\PC{0,20}|-?[0-9wdhms.]{0,30}") {
            let now = Time::from_micros(0);
            let back = text.strip_prefix('-').and_then(parse_span).map(|span| now.minus(span));
            prop_assert!(back.is_none() || parse_time(&text, now) == back);
        }
    }
}
