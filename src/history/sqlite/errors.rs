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

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn what_may_pass_is_worth_trying_again_and_damage_is_not() {
        for (code, retryable) in [
            (ffi::SQLITE_FULL, true),
            (ffi::SQLITE_READONLY, true),
            (ffi::SQLITE_READONLY_DBMOVED, true),
            (ffi::SQLITE_BUSY, true),
            (ffi::SQLITE_BUSY_SNAPSHOT, true),
            (ffi::SQLITE_LOCKED, true),
            (ffi::SQLITE_IOERR, true),
            (ffi::SQLITE_IOERR_FSYNC, true),
            (ffi::SQLITE_CANTOPEN, true),
            (ffi::SQLITE_NOMEM, true),
            (ffi::SQLITE_CORRUPT, false),
            (ffi::SQLITE_CORRUPT_INDEX, false),
            (ffi::SQLITE_NOTADB, false),
            (ffi::SQLITE_CONSTRAINT, false),
            (ffi::SQLITE_ERROR, false),
        ] {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(HistoryError::from(error).is_retryable(), retryable, "{code}");
        }
        assert!(!HistoryError::from(rusqlite::Error::QueryReturnedNoRows).is_retryable());
    }
}
