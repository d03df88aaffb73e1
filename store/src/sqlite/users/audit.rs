//! The audit log.

use crate::sqlite::column::{Columns, TOP, by_id, cut, execute, fetch, json, list, statements};
use protocol::audit::{Entry, Filter};
use protocol::{AuditId, Page, Position, UserId};
use rusqlite::{Connection, Result, Row, params};

statements! {
    // Delivered twice, it is one entry.
    INSERT_ENTRY = "INSERT INTO audit_log (id, actor_id, action, target_type, target_id, details, ip, created_at)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO NOTHING";
    ENTRIES = "SELECT id, actor_id, action, target_type, target_id, details, ip, created_at FROM audit_log WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
    ENTRIES_BY = "SELECT id, actor_id, action, target_type, target_id, details, ip, created_at FROM audit_log
                  WHERE actor_id = ?3 AND id < ?1 ORDER BY id DESC LIMIT ?2";
    ENTRIES_TO = "SELECT id, actor_id, action, target_type, target_id, details, ip, created_at FROM audit_log
                  WHERE target_id = ?3 AND id < ?1 ORDER BY id DESC LIMIT ?2";
    // Much is done by one moderator, little to one target.
    ENTRIES_BY_TO = "SELECT id, actor_id, action, target_type, target_id, details, ip, created_at FROM audit_log INDEXED BY audit_log_target
                     WHERE target_id = ?3 AND actor_id = ?4 AND id < ?1 ORDER BY id DESC LIMIT ?2";
}

/// Adds an entry, if it is not there yet.
pub(in crate::sqlite) fn note(db: &Connection, entry: &Entry) -> Result<()> {
    let actor = entry.actor_id.map(|id| *id.0.as_bytes());
    let (id, target, ip) = (entry.id.0.as_bytes(), entry.target_id.as_bytes(), entry.ip.map(|ip| ip.to_string()));
    let row = params![id, actor, entry.action, entry.target_type, target, json(&entry.details), ip, entry.created_at.0];
    execute(db, INSERT_ENTRY, row).map(drop)
}

/// A page of entries, newest first.
pub(super) fn page(db: &Connection, filter: Filter, page: Page) -> Result<(Vec<Entry>, Option<Position>)> {
    let (after, limit) = (page.after.unwrap_or(TOP).id, fetch(page));
    let after = after.as_bytes();
    let rows = match (filter.actor.map(|id| id.0), filter.target) {
        (None, None) => list(db, ENTRIES, (after, limit), entry),
        (Some(actor), None) => list(db, ENTRIES_BY, (after, limit, actor.as_bytes()), entry),
        (None, Some(target)) => list(db, ENTRIES_TO, (after, limit, target.as_bytes()), entry),
        (Some(actor), Some(target)) => list(db, ENTRIES_BY_TO, (after, limit, target.as_bytes(), actor.as_bytes()), entry),
    }?;
    Ok(cut(rows, page, |entry| by_id(entry.id.0)))
}

fn entry(row: &Row<'_>) -> Result<Entry> {
    let mut columns = Columns::of(row);
    Ok(Entry {
        id: AuditId(columns.id()?),
        actor_id: columns.id_or_none()?.map(UserId),
        action: columns.take()?,
        target_type: columns.take()?,
        target_id: columns.id()?,
        details: columns.json()?,
        ip: columns.word_or_none()?,
        created_at: columns.time()?,
    })
}
