//! Blocks: who is hidden from whom.

use super::read::{newest, user_id};
use super::write::{changed, end_follow};
use crate::sqlite::column::{Columns, execute, list, optional, statements};
use crate::sqlite::fault::Fault;
use crate::{CommitError, Ids};
use protocol::{Page, Timestamp, UserId};
use rusqlite::{Connection, Result};

statements! {
    INSERT_BLOCK = "INSERT INTO block (blocker, blocked, created_at) VALUES (?1, ?2, ?3) ON CONFLICT (blocker, blocked) DO NOTHING";
    DELETE_BLOCK = "DELETE FROM block WHERE blocker = ?1 AND blocked = ?2";
    COUNT_BLOCKS = "UPDATE relation SET blocks = blocks + ?2 WHERE person_id = ?1";
    KNOWN = "SELECT 1 FROM relation WHERE person_id = ?1";
    BETWEEN = "SELECT EXISTS (SELECT 1 FROM block WHERE blocker = ?1 AND blocked = ?2) OR EXISTS (SELECT 1 FROM block WHERE blocker = ?2 AND blocked = ?1)";
    HIDDEN = "SELECT blocked FROM block WHERE blocker = ?1 UNION SELECT blocker FROM block WHERE blocked = ?1 ORDER BY 1";
    BLOCKS = "SELECT blocks FROM relation WHERE person_id = ?1";
    BLOCKED_PAGE = "SELECT created_at, blocked FROM block WHERE blocker = ?1 AND (created_at, blocked) < (?2, ?3)
                    ORDER BY created_at DESC, blocked DESC LIMIT ?4";
}

/// Begins a block, and ends the follows between the two.
pub(super) fn begin(db: &Connection, blocker: UserId, blocked: UserId, at: Timestamp) -> std::result::Result<(), Fault> {
    if optional(db, KNOWN, [blocked.0.as_bytes()], |_| Ok(()))?.is_none() {
        return Err(CommitError::Missing("user").into());
    }
    if execute(db, INSERT_BLOCK, (blocker.0.as_bytes(), blocked.0.as_bytes(), at.0))? == 0 {
        return Err(CommitError::Unchanged.into());
    }
    count(db, blocker, 1)?;
    end_follow(db, blocker, blocked)?;
    end_follow(db, blocked, blocker)?;
    Ok(())
}

/// Ends a block.
pub(super) fn end(db: &Connection, blocker: UserId, blocked: UserId) -> std::result::Result<(), Fault> {
    if execute(db, DELETE_BLOCK, (blocker.0.as_bytes(), blocked.0.as_bytes()))? == 0 {
        return Err(CommitError::Unchanged.into());
    }
    count(db, blocker, -1)
}

fn count(db: &Connection, blocker: UserId, step: i64) -> std::result::Result<(), Fault> {
    changed(execute(db, COUNT_BLOCKS, (blocker.0.as_bytes(), step))?, "user")
}

/// Whether one of the two blocks the other.
pub(super) fn between(db: &Connection, one: UserId, other: UserId) -> Result<bool> {
    db.prepare_cached(BETWEEN)?.query_row((one.0.as_bytes(), other.0.as_bytes()), |row| row.get(0))
}

/// Whom a person blocks and who blocks them, ascending, and how many the former are.
pub(super) fn hidden(db: &Connection, id: UserId) -> Result<(Vec<UserId>, u64)> {
    Ok((list(db, HIDDEN, [id.0.as_bytes()], user_id)?, blocks(db, id)?))
}

fn blocks(db: &Connection, id: UserId) -> Result<u64> {
    Ok(optional(db, BLOCKS, [id.0.as_bytes()], |row| Columns::of(row).count())?.unwrap_or(0))
}

/// Whom a person blocks, newest first, and how many there are.
pub(super) fn blocked(db: &Connection, id: UserId, page: Page) -> Result<(Ids, u64)> {
    Ok((newest(db, BLOCKED_PAGE, id.0, page)?, blocks(db, id)?))
}
