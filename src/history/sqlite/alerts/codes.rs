//! How the values of alerts are kept in columns, and read back. What cannot be read back is damage, never a guess.

use rusqlite::Row;
use serde::Deserialize;

use crate::domain::alert::{
    AlertId, AlertState, Change, Condition, End, NotifierName, RuleName, Severity, Why,
};
use crate::domain::gap::GapReason;
use crate::domain::names::UserId;
use crate::history::alerts::{DeliveryKind, DeliveryStatus};
use crate::history::sqlite::codes::{code, value, window};
use crate::history::{HistoryError, Result};

/// A severity's place in this list is its number in the file: add at the end, never move.
const SEVERITIES: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];

/// A reason's place in this list is its number in the file: add at the end, never move.
const WHYS: [Why; 6] =
    [Why::Cleared, Why::Unproven, Why::Gap, Why::Unwatched, Why::RuleChanged, Why::RuleRemoved];

/// A kind's place in this list is its number in the file: add at the end, never move.
const KINDS: [DeliveryKind; 4] =
    [DeliveryKind::Firing, DeliveryKind::Repeated, DeliveryKind::Resolved, DeliveryKind::Event];

/// A status' place in this list is its number in the file, which indexes of the schema name: never move.
const STATUSES: [DeliveryStatus; 3] =
    [DeliveryStatus::Pending, DeliveryStatus::Delivered, DeliveryStatus::Failed];

/// The number of a severity.
pub(super) fn severity_code(severity: Severity) -> i64 {
    code(&SEVERITIES, &severity)
}

/// The number of a delivery's kind.
pub(super) fn kind_code(kind: DeliveryKind) -> i64 {
    code(&KINDS, &kind)
}

/// The number of a delivery's status.
pub(super) fn status_code(status: DeliveryStatus) -> i64 {
    code(&STATUSES, &status)
}

/// The number of why an alert ended.
pub(super) fn why_code(why: Why) -> i64 {
    code(&WHYS, &why)
}

/// The number of a change, whichever end it is.
pub(super) fn change_code(change: Change) -> i64 {
    match change {
        Change::Pending => 0,
        Change::Inactive(_) => 1,
        Change::Firing => 2,
        Change::Repeated => 3,
        Change::Resolved(_) => 4,
    }
}

/// How an alert ended, if that is the change.
pub(super) fn end(change: Change) -> Option<End> {
    match change {
        Change::Inactive(end) | Change::Resolved(end) => Some(end),
        Change::Pending | Change::Firing | Change::Repeated => None,
    }
}

/// Names with commas between; there are none in them.
pub(super) fn names_code(names: &[NotifierName]) -> String {
    names.iter().map(NotifierName::as_str).collect::<Vec<_>>().join(",")
}

/// A condition as kept: its JSON.
pub(super) fn condition_code(condition: &Condition) -> String {
    // Numbers, texts and fixed keys: it cannot fail.
    serde_json::to_string(condition).unwrap_or_default()
}

/// The change in this column, with why an alert ended and when in the next three.
pub(super) fn change(row: &Row<'_>, at: usize) -> Result<Change> {
    let end = || -> Result<End> {
        let why: Option<i64> = row.get(at + 1)?;
        let why = why.ok_or_else(|| damaged("the end of an alert", "without a reason"))?;
        Ok(End { why: value(&WHYS, why, "reason of an end")?, ended: window(row, at + 2)? })
    };
    Ok(match row.get(at)? {
        0_i64 => Change::Pending,
        1 => Change::Inactive(end()?),
        2 => Change::Firing,
        3 => Change::Repeated,
        4 => Change::Resolved(end()?),
        other => return Err(damaged("the change of an alert", other)),
    })
}

/// A severity.
pub(super) fn severity(row: &Row<'_>, at: usize) -> Result<Severity> {
    value(&SEVERITIES, row.get(at)?, "severity")
}

/// A severity that may be missing.
pub(super) fn some_severity(row: &Row<'_>, at: usize) -> Result<Option<Severity>> {
    let code: Option<i64> = row.get(at)?;
    code.map(|code| value(&SEVERITIES, code, "severity")).transpose()
}

/// A gap's reason that may be missing.
pub(super) fn some_reason(row: &Row<'_>, at: usize) -> Result<Option<GapReason>> {
    let code: Option<i64> = row.get(at)?;
    code.map(|_| crate::history::sqlite::codes::reason(row, at)).transpose()
}

/// A delivery's kind.
pub(super) fn kind(row: &Row<'_>, at: usize) -> Result<DeliveryKind> {
    value(&KINDS, row.get(at)?, "kind of delivery")
}

/// A delivery's status.
pub(super) fn status(row: &Row<'_>, at: usize) -> Result<DeliveryStatus> {
    value(&STATUSES, row.get(at)?, "status of a delivery")
}

/// A rule's name.
pub(super) fn rule(row: &Row<'_>, at: usize) -> Result<RuleName> {
    let text = row.get_ref(at)?.as_str()?;
    RuleName::new(text).map_err(|_| damaged("the name of a rule", text))
}

/// A notifier's name.
pub(super) fn notifier(row: &Row<'_>, at: usize) -> Result<NotifierName> {
    notifier_name(row.get_ref(at)?.as_str()?)
}

/// Names of notifiers.
pub(super) fn notifiers(row: &Row<'_>, at: usize) -> Result<Vec<NotifierName>> {
    let text = row.get_ref(at)?.as_str()?;
    text.split(',').filter(|name| !name.is_empty()).map(notifier_name).collect()
}

fn notifier_name(text: &str) -> Result<NotifierName> {
    NotifierName::new(text).map_err(|_| damaged("the name of a notifier", text))
}

/// An alert's id.
pub(super) fn alert_id(row: &Row<'_>, at: usize) -> Result<AlertId> {
    let text = row.get_ref(at)?.as_str()?;
    AlertId::parse(text).ok_or_else(|| damaged("the id of an alert", text))
}

/// An alert's state.
pub(super) fn state(row: &Row<'_>, at: usize) -> Result<AlertState> {
    let text = row.get_ref(at)?.as_str()?;
    AlertState::from_json(text).map_err(|error| HistoryError::Damaged(error.to_string()))
}

/// What [`condition_code`] writes.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum StoredCondition {
    OccupancyAbove { bound: u32, clear_below: u32 },
    OccupancyBelow { bound: u32, clear_above: u32 },
    UserPresent { user: String },
    UserAbsent { user: String },
    Unobserved,
}

/// A condition.
pub(super) fn condition(row: &Row<'_>, at: usize) -> Result<Condition> {
    let stored = serde_json::from_str(row.get_ref(at)?.as_str()?);
    let user = |user: String| UserId::new(&user).map_err(|error| damaged("the user of a condition", error));
    Ok(match stored.map_err(|error| damaged("the condition of an alert", error))? {
        StoredCondition::OccupancyAbove { bound, clear_below } => {
            Condition::OccupancyAbove { bound, clear_below }
        }
        StoredCondition::OccupancyBelow { bound, clear_above } => {
            Condition::OccupancyBelow { bound, clear_above }
        }
        StoredCondition::UserPresent { user: text } => Condition::UserPresent { user: user(text)? },
        StoredCondition::UserAbsent { user: text } => Condition::UserAbsent { user: user(text)? },
        StoredCondition::Unobserved => Condition::Unobserved,
    })
}

/// What cannot be.
pub(super) fn damaged(what: &str, how: impl std::fmt::Display) -> HistoryError {
    HistoryError::Damaged(format!("{what}: {how}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_number_that_reads_back() {
        for severity in Severity::ALL {
            assert_eq!(value(&SEVERITIES, severity_code(severity), "severity").unwrap(), severity);
        }
        for kind in DeliveryKind::ALL {
            assert_eq!(value(&KINDS, kind_code(kind), "kind").unwrap(), kind);
        }
        for status in DeliveryStatus::ALL {
            assert_eq!(value(&STATUSES, status_code(status), "status").unwrap(), status);
        }
        assert_eq!(status_code(DeliveryStatus::Pending), 0, "as the schema's indexes say");
    }
}
