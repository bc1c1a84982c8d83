//! What `SQLite`'s errors mean to the callers of a history.

use rusqlite::ErrorCode;
use rusqlite::types::FromSqlError;

use crate::history::HistoryError;

impl From<rusqlite::Error> for HistoryError {
    fn from(error: rusqlite::Error) -> Self {
        if is_damage(&error) {
            return Self::Damaged(error.to_string());
        }
        Self::Unavailable(match error.sqlite_error_code().and_then(plainly) {
            Some(words) => format!("{words} ({error})"),
            None => error.to_string(),
        })
    }
}

/// What may pass, in words that say what to do about it.
fn plainly(code: ErrorCode) -> Option<&'static str> {
    Some(match code {
        ErrorCode::DiskFull => "the disk is full: make room",
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
            "another process holds its lock: end that process, or wait until it is done"
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => {
            "it must not be written: let adsum write the file and its folder"
        }
        ErrorCode::SystemIoFailure => {
            "the disk refuses: see whether it is full, failing, or allows no larger file"
        }
        ErrorCode::CannotOpen => {
            "it cannot be opened: see that its folder is there and that adsum may write it"
        }
        ErrorCode::OutOfMemory => "there is not enough memory",
        _ => return None,
    })
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
    fn what_may_pass_is_said_in_plain_words_with_what_sqlite_says() {
        for (code, words) in [
            (ffi::SQLITE_FULL, "the disk is full: make room ("),
            (ffi::SQLITE_BUSY_SNAPSHOT, "another process holds its lock"),
            (ffi::SQLITE_READONLY_DIRECTORY, "it must not be written"),
            (ffi::SQLITE_IOERR_WRITE, "the disk refuses"),
            (ffi::SQLITE_CANTOPEN, "it cannot be opened"),
        ] {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            let path = std::path::Path::new("/some/history.db");
            let text = HistoryError::from(error).of_file(path).to_string();
            assert!(
                text.starts_with(&format!("the history is unavailable: /some/history.db: {words}")),
                "{text}"
            );
        }
    }

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
