//! How the values of the API's answers are shown. Answers are read leniently: what is missing is shown as missing, and a
//! field of another shape than expected as the JSON it is.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::table::{Cell, Table};
use super::terminal::Tone;

/// What a field of an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name, a number, a word.
    Text,
    /// JSON from outside: a state.
    Json,
    /// true or false.
    Flag,
    /// A word with a colour: yes, no, unknown, a kind of event, a status.
    Word,
    /// A time.
    Time,
    /// `{not_before, not_after}`: when a change happened.
    Window,
    /// `{min, max}`.
    Range,
    /// Seconds, or `{min, max}` of seconds.
    Seconds,
    /// A share from 0 to 1.
    Share,
    /// A mean.
    Mean,
}

/// A column: its heading, the field of each item (`a.b` for a field of a field) and what it means.
pub(super) type Column = (&'static str, &'static str, Kind);

/// The items of a list as a table.
pub(super) fn table(items: &[Value], columns: &[Column]) -> Table {
    let headings: Vec<&str> = columns.iter().map(|(heading, _, _)| *heading).collect();
    let mut table = Table::new(&headings);
    for item in items {
        table.row(columns.iter().map(|(_, name, kind)| cell(field(item, name), *kind)).collect());
    }
    table
}

/// The items of an answer; none where it has none.
pub(super) fn items<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    field(answer, name).as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A field by its path; null where it is missing.
pub(super) fn field<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').try_fold(value, |value, name| value.get(name)).unwrap_or(&Value::Null)
}

/// One value as a table shows it.
pub(super) fn cell(value: &Value, kind: Kind) -> Cell {
    if value.is_null() {
        return Cell::none();
    }
    match kind {
        Kind::Word => word(&text(value)),
        Kind::Text | Kind::Json if !value.is_number() => Cell::plain(&sentence(value, kind)),
        _ => Cell::plain(&sentence(value, kind)).whole(),
    }
}

/// One value in the middle of a sentence, not escaped.
pub(super) fn sentence(value: &Value, kind: Kind) -> String {
    let shown = match kind {
        Kind::Text | Kind::Json | Kind::Word => None,
        Kind::Flag => value.as_bool().map(|yes| if yes { "yes" } else { "no" }.to_owned()),
        Kind::Time => value.as_str().and_then(time),
        Kind::Window => window(value),
        Kind::Range => range(value, text, text),
        Kind::Seconds => range(value, seconds_down, seconds_up),
        Kind::Share => value.as_f64().map(share),
        Kind::Mean => mean(value),
    };
    shown.unwrap_or_else(|| if kind == Kind::Json { value.to_string() } else { text(value) })
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        _ => value.to_string(),
    }
}

fn word(text: &str) -> Cell {
    let tone = match text {
        "yes" | "ok" | "join" | "present" | "resolved" | "delivered" => Tone::Good,
        "no" | "leave" | "firing" | "repeated" | "critical" | "failed" => Tone::Bad,
        "unknown" | "partial" | "gap" | "starting" | "pending" | "warning" | "active" => Tone::Doubt,
        "unwatched" | "inactive" | "expired" => Tone::Faint,
        _ => Tone::Plain,
    };
    Cell::new(tone, text)
}

/// An RFC 3339 time in UTC: `2026-11-24 14:03:05.120`.
fn time(text: &str) -> Option<String> {
    let (date, clock) = date_and_clock(text)?;
    Some(format!("{date} {clock}"))
}

fn date_and_clock(text: &str) -> Option<(String, String)> {
    let time: Timestamp = text.parse().ok()?;
    Some((time.strftime("%Y-%m-%d").to_string(), time.strftime("%H:%M:%S%.3f").to_string()))
}

/// `2026-11-24 14:03:05.120 … 14:03:07.300`; `by …` where nothing says when it was not yet so.
fn window(value: &Value) -> Option<String> {
    let side = |name| value.get(name).and_then(Value::as_str).and_then(date_and_clock);
    match (side("not_before"), side("not_after")) {
        (Some((first, from)), Some((last, to))) if first == last => Some(format!("{first} {from} … {to}")),
        (Some((first, from)), Some((last, to))) => Some(format!("{first} {from} … {last} {to}")),
        (None, Some((last, to))) => Some(format!("by {last} {to}")),
        (Some((first, from)), None) => Some(format!("from {first} {from}")),
        (None, None) => None,
    }
}

/// `3`, `3 … 5`, `at least 3`; also a plain value. `down` shows a lower bound, `up` an upper one or a plain value.
fn range(value: &Value, down: fn(&Value) -> String, up: fn(&Value) -> String) -> Option<String> {
    let Value::Object(ends) = value else { return Some(up(value)) };
    let end = |name| ends.get(name).filter(|end| !end.is_null());
    match (end("min"), end("max")) {
        (Some(min), Some(max)) if min == max => Some(up(max)),
        (Some(min), Some(max)) => Some(format!("{} … {}", down(min), up(max))),
        (Some(min), None) => Some(format!("at least {}", down(min))),
        (None, Some(max)) => Some(format!("at most {}", up(max))),
        (None, None) => None,
    }
}

/// Seconds, rounded down: a lower bound must not say more than was proven.
fn seconds_down(value: &Value) -> String {
    seconds(value, u128::div_euclid)
}

/// Seconds, rounded up.
fn seconds_up(value: &Value) -> String {
    seconds(value, u128::div_ceil)
}

/// A span for people, in as many units as matter: `3.001s`, `21.5s`, `4m05s`, `3h02m`, `5d03h`.
fn seconds(value: &Value, round: fn(u128, u128) -> u128) -> String {
    let span = value.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let Some(span) = span else { return text(value) };
    // A float is off by less than a microsecond.
    let micros = (span.as_nanos() + 500) / 1000;
    let whole = |unit: u128| round(micros, unit);
    match span.as_secs() {
        0..10 => format!("{}s", decimal(whole(1_000), 3)),
        10..60 => format!("{}s", decimal(whole(100_000), 1)),
        60..3_600 => format!("{}m{:02}s", whole(1_000_000) / 60, whole(1_000_000) % 60),
        3_600..86_400 => format!("{}h{:02}m", whole(60_000_000) / 60, whole(60_000_000) % 60),
        _ => format!("{}d{:02}h", whole(3_600_000_000) / 24, whole(3_600_000_000) % 24),
    }
}

/// `units` of 10^-digits, without zeros at the end.
fn decimal(units: u128, digits: usize) -> String {
    let scale = 10_u128.pow(u32::try_from(digits).unwrap_or(0));
    let text = format!("{}.{:0digits$}", units / scale, units % scale);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A mean: two decimals say enough.
fn mean(value: &Value) -> Option<String> {
    value.as_f64().map(|mean| format!("{mean:.2}"))
}

/// `98.5 %`. Never rounded up to a full 100: that would state more than was seen.
fn share(share: f64) -> String {
    let tenths = (share * 1_000.0 + 1e-9).floor() / 10.0;
    format!("{tenths} %")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_window_names_its_day_once() {
        let window = |value: Value| sentence(&value, Kind::Window);
        let not_before = "2026-11-24T14:03:05.120Z";
        assert_eq!(
            window(json!({"not_before": not_before, "not_after": "2026-11-24T14:03:07.300Z"})),
            "2026-11-24 14:03:05.120 … 14:03:07.300"
        );
        assert_eq!(
            window(json!({"not_before": not_before, "not_after": "2026-11-25T00:00:00.000Z"})),
            "2026-11-24 14:03:05.120 … 2026-11-25 00:00:00.000"
        );
        assert_eq!(
            window(json!({"not_before": null, "not_after": not_before})),
            "by 2026-11-24 14:03:05.120"
        );
    }

    #[test]
    fn a_range_of_one_value_is_that_value() {
        assert_eq!(sentence(&json!({"min": 3, "max": 3}), Kind::Range), "3");
        assert_eq!(sentence(&json!({"min": 3, "max": 5}), Kind::Range), "3 … 5");
        assert_eq!(sentence(&json!({"min": 90.5, "max": null}), Kind::Seconds), "at least 1m30s");
        assert_eq!(sentence(&json!(5.0), Kind::Seconds), "5s");
    }

    #[test]
    fn a_span_says_no_more_than_was_proven() {
        for (min, max, expected) in [
            (0.0, 3.0008, "0s … 3.001s"),
            (29.96, 29.96001, "29.9s … 30s"),
            (59.99, 60.01, "59.9s … 1m01s"),
            (3_659.9, 3_660.1, "1h00m … 1h02m"),
            (90_000.0, 90_001.0, "1d01h … 1d02h"),
        ] {
            assert_eq!(sentence(&json!({"min": min, "max": max}), Kind::Seconds), expected);
        }
    }

    #[test]
    fn a_share_is_never_rounded_up() {
        assert_eq!(sentence(&json!(1.0), Kind::Share), "100 %");
        assert_eq!(sentence(&json!(0.99999), Kind::Share), "99.9 %");
        assert_eq!(sentence(&json!(0.985), Kind::Share), "98.5 %");
    }

    #[test]
    fn a_name_that_looks_like_a_time_stays_a_name() {
        assert_eq!(sentence(&json!("2026-11-24T14:03:05Z"), Kind::Text), "2026-11-24T14:03:05Z");
    }

    #[test]
    fn what_has_another_shape_is_shown_as_it_is() {
        assert_eq!(sentence(&json!("soon"), Kind::Time), "soon");
        assert_eq!(sentence(&json!({"x": 1}), Kind::Window), "{\"x\":1}");
        assert_eq!(sentence(&json!("many"), Kind::Share), "many");
        assert_eq!(cell(&Value::Null, Kind::Time), Cell::none());
    }
}
