//! How domain values are kept in columns, and read back. What cannot be read back is damage, never a guess.

use std::time::Duration;

use rusqlite::Row;
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::domain::event::{EventKind, Seq};
use crate::domain::gap::GapReason;
use crate::domain::names::{ChannelName, UserId};
use crate::domain::observation::Grade;
use crate::domain::state::{Shown, State};
use crate::domain::time::{Moment, Time, Window};
use crate::history::{HistoryError, Result};

/// A kind's place in this list is its number in the file: add at the end, never move.
const KINDS: [EventKind; 5] =
    [EventKind::Join, EventKind::Leave, EventKind::State, EventKind::Present, EventKind::Settled];

/// A reason's place in this list is its number in the file: add at the end, never move.
const REASONS: [GapReason; 15] = [
    GapReason::Unreachable,
    GapReason::Timeout,
    GapReason::Throttled,
    GapReason::ServerError,
    GapReason::Forbidden,
    GapReason::Refused,
    GapReason::BadAnswer,
    GapReason::Overrun,
    GapReason::HistoryUnavailable,
    GapReason::Clock,
    GapReason::Stopped,
    GapReason::Crashed,
    GapReason::Unwatched,
    GapReason::Truncated,
    GapReason::CountOnly,
];

/// A grade's place in this list is its number in the file: add at the end, never move.
const GRADES: [Grade; 3] = [Grade::Complete, Grade::Truncated, Grade::Count];

/// A value's number in its list.
pub(super) fn code<T: PartialEq>(list: &[T], value: &T) -> i64 {
    // Every value is in its list: a test holds that.
    list.iter().position(|other| other == value).and_then(|at| i64::try_from(at).ok()).unwrap_or(-1)
}

/// The value that has this number in its list.
pub(super) fn value<T: Copy>(list: &[T], code: i64, what: &str) -> Result<T> {
    let found = usize::try_from(code).ok().and_then(|at| list.get(at)).copied();
    found.ok_or_else(|| HistoryError::Damaged(format!("{code} is no {what}")))
}

/// The number of an event's kind.
pub(super) fn kind_code(kind: EventKind) -> i64 {
    code(&KINDS, &kind)
}

/// The number of a gap's reason.
pub(super) fn reason_code(reason: GapReason) -> i64 {
    code(&REASONS, &reason)
}

/// The number of a grade.
pub(super) fn grade_code(grade: Grade) -> i64 {
    code(&GRADES, &grade)
}

/// A channel's number of an event, as kept.
pub(super) fn seq_code(seq: Seq) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// A span in microseconds.
pub(super) fn span_code(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// How many rows, as a limit.
pub(super) fn limit_code(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A state as kept: NULL is unknown, no text is none. (JSON text is never empty.)
pub(super) fn shown_code(shown: &Shown) -> Option<&str> {
    match shown {
        Shown::Unknown => None,
        Shown::Empty => Some(""),
        Shown::Value(state) => Some(state.as_str()),
    }
}

/// The two columns of a moment that may be missing.
pub(super) fn moment_codes(moment: Option<Moment>) -> (Option<i64>, Option<i64>) {
    (moment.map(|m| m.earliest.as_micros()), moment.map(|m| m.latest.as_micros()))
}

impl rusqlite::ToSql for Time {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.as_micros()))
    }
}

impl rusqlite::types::FromSql for Time {
    fn column_result(value: ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
        value.as_i64().map(Self::from_micros)
    }
}

/// A channel's name.
pub(super) fn channel_name(row: &Row<'_>, at: usize) -> Result<ChannelName> {
    let text = row.get_ref(at)?.as_str()?;
    ChannelName::new(text).map_err(|error| HistoryError::Damaged(format!("channel {text:?} {error}")))
}

/// A user's id.
pub(super) fn user_id(row: &Row<'_>, at: usize) -> Result<UserId> {
    let text = row.get_ref(at)?.as_str()?;
    UserId::new(text).map_err(|error| HistoryError::Damaged(format!("user {text:?} {error}")))
}

/// A channel's number of an event.
pub(super) fn seq(row: &Row<'_>, at: usize) -> Result<Seq> {
    let number: i64 = row.get(at)?;
    Seq::try_from(number).map_err(|_| HistoryError::Damaged(format!("{number} is no event's number")))
}

/// The kind of an event with this number.
pub(super) fn kind_of(code: i64) -> Result<EventKind> {
    value(&KINDS, code, "kind of event")
}

/// An event's kind.
pub(super) fn kind(row: &Row<'_>, at: usize) -> Result<EventKind> {
    kind_of(row.get(at)?)
}

/// The reason of a gap with this number.
pub(super) fn reason_of(code: i64) -> Result<GapReason> {
    value(&REASONS, code, "reason of a gap")
}

/// A gap's reason.
pub(super) fn reason(row: &Row<'_>, at: usize) -> Result<GapReason> {
    reason_of(row.get(at)?)
}

/// The grade with this number.
pub(super) fn grade_of(code: i64) -> Result<Grade> {
    value(&GRADES, code, "grade")
}

/// A grade.
pub(super) fn grade(row: &Row<'_>, at: usize) -> Result<Grade> {
    grade_of(row.get(at)?)
}

/// A span.
pub(super) fn span(row: &Row<'_>, at: usize) -> Result<Duration> {
    let micros: i64 = row.get(at)?;
    let micros =
        u64::try_from(micros).map_err(|_| HistoryError::Damaged(format!("{micros} µs is no span")))?;
    Ok(Duration::from_micros(micros))
}

/// The moment in this column and the next, if there is one.
pub(super) fn moment(row: &Row<'_>, at: usize) -> Result<Option<Moment>> {
    let (earliest, latest): (Option<Time>, Option<Time>) = (row.get(at)?, row.get(at + 1)?);
    Ok(earliest.zip(latest).map(|(earliest, latest)| Moment { earliest, latest }))
}

/// The window in this column and the next, if there is one.
pub(super) fn window(row: &Row<'_>, at: usize) -> Result<Option<Window>> {
    let (not_before, not_after): (Option<Time>, Option<Time>) = (row.get(at)?, row.get(at + 1)?);
    Ok(not_after.map(|not_after| Window { not_before, not_after }))
}

/// A window that must be there.
pub(super) fn some_window(row: &Row<'_>, at: usize) -> Result<Window> {
    window(row, at)?.ok_or_else(|| HistoryError::Damaged("a window has no end".to_owned()))
}

/// A state.
pub(super) fn shown(row: &Row<'_>, at: usize) -> Result<Shown> {
    match row.get_ref(at)?.as_str_or_null()? {
        None => Ok(Shown::Unknown),
        Some("") => Ok(Shown::Empty),
        Some(text) => State::from_stored(text)
            .map(Shown::Value)
            .map_err(|error| HistoryError::Damaged(format!("a state is no JSON: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_number_that_reads_back() {
        for reason in GapReason::ALL {
            assert_eq!(value(&REASONS, reason_code(reason), "reason").unwrap(), reason);
        }
    }

    #[test]
    fn a_number_that_means_nothing_is_damage() {
        for code in [-1, 15, i64::MAX] {
            assert!(matches!(value(&REASONS, code, "reason"), Err(HistoryError::Damaged(_))));
        }
    }
}
