//! Why a statement failed, and what that means to the caller.

use crate::StoreError;
use std::error::Error;
use tokio_postgres::error::SqlState;

/// What `refuse` of the migrations raises: an expectation of the write does not hold.
pub(super) const REFUSED: &str = "LC001";

/// Why a query failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server refused it, or the connection ended.
    Sql(tokio_postgres::Error),
    /// A row holds what this release cannot read.
    Corrupt(String),
    /// No connection was free in time, or as many as may wait do so already.
    Overloaded,
    /// There is no connection to be had.
    Away(String),
    /// The server did not answer in time. What it was asked to do may still be under way.
    Silent,
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error)
    }
}

impl Fault {
    /// What it means to a reader.
    pub(super) fn store_error(self, database: &'static str) -> StoreError {
        match self {
            Self::Sql(error) => StoreError::Unavailable { database, reason: describe(&error) },
            Self::Corrupt(reason) => StoreError::Corrupt { database, reason },
            Self::Overloaded => StoreError::Overloaded { database },
            Self::Away(reason) => StoreError::Unavailable { database, reason },
            Self::Silent => StoreError::Unavailable { database, reason: "the server does not answer".to_owned() },
        }
    }

    /// Whether the same read may well succeed on another connection: this one ended, or the server is coming or going.
    pub(super) fn is_of_the_connection(&self) -> bool {
        matches!(self, Self::Sql(error) if error.code().is_none_or(|code| is_of_the_connection(code) || is_of_the_plan(code)))
    }
}

/// Whether the server says that it, or this connection, is on its way out or in.
pub(super) fn is_of_the_connection(code: &SqlState) -> bool {
    [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW, SqlState::IDLE_SESSION_TIMEOUT].contains(code)
        || code.code().starts_with("08")
}

/// Whether a statement that was prepared fits the schema no more, or is known no more: a new connection prepares it again.
pub(super) fn is_of_the_plan(code: &SqlState) -> bool {
    *code == SqlState::FEATURE_NOT_SUPPORTED || *code == SqlState::INVALID_SQL_STATEMENT_NAME
}

/// Whether a transaction that failed so was rolled back for a reason that is likely gone when it is tried again.
pub(super) fn is_transient(code: &SqlState) -> bool {
    *code == SqlState::T_R_SERIALIZATION_FAILURE
        || *code == SqlState::T_R_DEADLOCK_DETECTED
        || is_of_the_connection(code)
        || is_of_the_plan(code)
}

/// Whether a COMMIT that failed so has certainly written nothing: a check that it had to wait for until then did not hold. Anything else may be
/// said of a transaction that is written already, such as the end of the connection while a standby was waited for.
pub(super) fn certainly_not_written(code: &SqlState) -> bool {
    code.code().starts_with("23") || *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED
}

/// An error with its causes, for logs. The library's own text only says of which sort it is.
pub(super) fn describe(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source()).map(ToString::to_string);
    causes.collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_connection_at_commit_leaves_the_outcome_open() {
        for code in [SqlState::UNIQUE_VIOLATION, SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED] {
            assert!(certainly_not_written(&code), "{code:?}");
        }
        for code in
            [SqlState::ADMIN_SHUTDOWN, SqlState::QUERY_CANCELED, SqlState::DISK_FULL, SqlState::IO_ERROR, SqlState::CONNECTION_FAILURE]
        {
            assert!(!certainly_not_written(&code), "{code:?}");
        }
    }
}
