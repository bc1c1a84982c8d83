//! What `SQLite`'s errors mean to the callers of a history.

use rusqlite::ErrorCode;
use rusqlite::types::FromSqlError;

use crate::history::HistoryError;

impl From<rusqlite::Error> for HistoryError {
    fn from(error: rusqlite::Error) -> Self {
        if is_damage(&error) {
            Self::Damaged(error.to_string())
        } else {
            Self::Unavailable(error.to_string())
        }
    }
}

impl From<FromSqlError> for HistoryError {
    fn from(error: FromSqlError) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// Whether trying again is in vain: what was read is not what adsum wrote. All else (full, locked, read-only, an I/O
/// error, a file that cannot be opened) may pass.
fn is_damage(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(failure, _)
        | rusqlite::Error::SqlInputError { error: failure, .. } => {
            matches!(
                failure.code,
                ErrorCode::DatabaseCorrupt
                    | ErrorCode::NotADatabase
                    | ErrorCode::ConstraintViolation
                    | ErrorCode::TypeMismatch
                    | ErrorCode::Unknown
            )
        }
        _ => true,
    }
}

impl HistoryError {
    /// The same error, saying of which file.
    pub(super) fn of_file(self, path: &std::path::Path) -> Self {
        let at = |text| format!("{}: {text}", path.display());
        match self {
            Self::Unavailable(text) => Self::Unavailable(at(text)),
            Self::Damaged(text) => Self::Damaged(at(text)),
            other => other,
        }
    }
}
