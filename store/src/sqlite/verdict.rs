//! What moderation's cases say of a database's things. Each database that has such things has the table.

use super::column::{execute, int, statements};
use super::fault::Fault;
use crate::CommitError;
use protocol::moderation::Verdict;
use rusqlite::Connection;
use uuid::Uuid;

statements! {
    HEAR = "INSERT INTO verdict (id, hidden, case_version) VALUES (?1, ?2, ?3)
            ON CONFLICT (id) DO UPDATE SET hidden = excluded.hidden, case_version = excluded.case_version
            WHERE verdict.case_version < excluded.case_version";
}

/// Takes a verdict down, unless one of this version of the case or a newer one was heard already.
pub(super) fn hear(db: &Connection, id: Uuid, verdict: Verdict) -> Result<(), Fault> {
    let heard = execute(db, HEAR, (id.as_bytes(), verdict.hidden, int(verdict.case_version)))?;
    if heard == 0 { Err(CommitError::Unchanged.into()) } else { Ok(()) }
}
