//! Why a statement failed, and what that means to the caller.

use crate::{CommitError, StoreError};
use rusqlite::{ErrorCode, ffi};

/// Why a job in a transaction stopped.
#[derive(Debug)]
pub(super) enum Fault {
    /// The write was refused.
    Refused(CommitError),
    /// SQLite failed.
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<CommitError> for Fault {
    fn from(error: CommitError) -> Self {
        Self::Refused(error)
    }
}

impl Fault {
    /// The refusal of a write that cannot be meant: a fault of the caller's code.
    pub(super) fn incoherent(database: &'static str, reason: &str) -> Self {
        Self::Refused(CommitError::Unavailable(StoreError::Unavailable { database, reason: format!("incoherent commit: {reason}") }))
    }

    /// What the writer is told; the job was rolled back.
    pub(super) fn refusal(self, database: &'static str) -> CommitError {
        match self {
            Self::Refused(error) => error,
            Self::Sql(error) => CommitError::Unavailable(store_error(database, &error)),
        }
    }
}

/// What a failed statement means to a reader.
pub(super) fn store_error(database: &'static str, error: &rusqlite::Error) -> StoreError {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    let reason = error.to_string();
    match error {
        FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..) => {
            StoreError::Corrupt { database, reason }
        }
        _ => StoreError::Unavailable { database, reason },
    }
}

/// Whether a COMMIT that failed so has certainly written nothing. A full disk and a lock stop it before its last frame is in the log; anything
/// else (above all a failed sync) may come after that, and a crash before the next write would bring the frame back.
pub(super) fn certainly_not_written(error: &rusqlite::Error) -> bool {
    use ErrorCode::{ConstraintViolation, DatabaseBusy, DatabaseLocked, DiskFull, ReadOnly};
    matches!(error.sqlite_error_code(), Some(DiskFull | DatabaseBusy | DatabaseLocked | ConstraintViolation | ReadOnly))
}

/// What a failed insert means: a value of one of `unique` (column, name) is taken, or the row exists already, which is a conflict of versions.
pub(super) fn insert_refused(error: rusqlite::Error, unique: &[(&str, &'static str)]) -> Fault {
    let rusqlite::Error::SqliteFailure(ffi::Error { extended_code, .. }, Some(message)) = &error else { return error.into() };
    if ![ffi::SQLITE_CONSTRAINT_UNIQUE, ffi::SQLITE_CONSTRAINT_PRIMARYKEY].contains(extended_code) {
        return error.into();
    }
    // "UNIQUE constraint failed: person.email_folded", or several columns after commas.
    let taken = unique.iter().find(|(column, _)| message.rsplit('.').next() == Some(column));
    taken.map_or(CommitError::Conflict, |(_, name)| CommitError::Taken(name)).into()
}

/// Whether a statement failed because the row that it refers to does not exist.
pub(super) fn is_orphan(error: &rusqlite::Error) -> bool {
    matches!(error, rusqlite::Error::SqliteFailure(e, _) if e.extended_code == ffi::SQLITE_CONSTRAINT_FOREIGNKEY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: i32) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn a_failed_sync_leaves_the_outcome_open() {
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_BUSY, ffi::SQLITE_BUSY_SNAPSHOT, ffi::SQLITE_CONSTRAINT_FOREIGNKEY] {
            assert!(certainly_not_written(&failure(code)), "{code}");
        }
        for code in [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_SHMSIZE, ffi::SQLITE_NOMEM, ffi::SQLITE_CORRUPT] {
            assert!(!certainly_not_written(&failure(code)), "{code}");
        }
    }
}
