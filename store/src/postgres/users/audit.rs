//! The audit log.

use crate::StoreError;
use crate::UsersWrite;
use crate::metric::Operation;
use crate::postgres::column::{At, Columns, Param, TOP, by_id, cut, fetch, params, statements};
use crate::postgres::database::Database;
use crate::postgres::fault::Fault;
use crate::postgres::transaction::Step;
use protocol::audit::{Entry, Filter};
use protocol::{AuditId, Page, Position, UserId};
use tokio_postgres::Row;
use tokio_postgres::types::Json;

statements! {
    INSERT_ENTRY = "INSERT INTO audit_log (id, actor_id, action, target_type, target_id, details, ip, created_at)
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING";
    ENTRIES = "SELECT id, actor_id, action, target_type, target_id, details, ip, created_at FROM audit_log WHERE id < $1 ORDER BY id DESC LIMIT $2";
    ENTRIES_BY = "SELECT id, actor_id, action, target_type, target_id, details, ip, created_at FROM audit_log
                  WHERE actor_id = $3 AND id < $1 ORDER BY id DESC LIMIT $2";
    ENTRIES_TO = "SELECT id, actor_id, action, target_type, target_id, details, ip, created_at FROM audit_log
                  WHERE target_id = $3 AND id < $1 ORDER BY id DESC LIMIT $2";
    ENTRIES_BY_TO = "SELECT id, actor_id, action, target_type, target_id, details, ip, created_at FROM audit_log
                     WHERE target_id = $3 AND actor_id = $4 AND id < $1 ORDER BY id DESC LIMIT $2";
}

/// An entry's columns.
pub(super) fn row(entry: &Entry) -> Vec<Param<'_>> {
    params![
        entry.id.0,
        entry.actor_id.map(|id| id.0),
        &*entry.action,
        &*entry.target_type,
        entry.target_id,
        Json(&entry.details),
        entry.ip.map(|ip| ip.to_string()),
        At(entry.created_at)
    ]
}

/// Adds an entry, if it is not there yet.
pub(in crate::postgres) fn note(entry: &Entry) -> Step<'_> {
    Step::new(INSERT_ENTRY, row(entry))
}

/// A page of entries, newest first.
pub(super) async fn page(db: &Database<UsersWrite>, filter: Filter, page: Page) -> Result<(Vec<Entry>, Option<Position>), StoreError> {
    let (after, limit) = (page.after.unwrap_or(TOP).id, fetch(page));
    let rows = match (filter.actor.map(|id| id.0), filter.target) {
        (None, None) => db.list(Operation::Audit, ENTRIES, &[&after, &limit], entry).await,
        (Some(actor), None) => db.list(Operation::Audit, ENTRIES_BY, &[&after, &limit, &actor], entry).await,
        (None, Some(target)) => db.list(Operation::Audit, ENTRIES_TO, &[&after, &limit, &target], entry).await,
        (Some(actor), Some(target)) => db.list(Operation::Audit, ENTRIES_BY_TO, &[&after, &limit, &target, &actor], entry).await,
    }?;
    Ok(cut(rows, page, |entry| by_id(entry.id.0)))
}

fn entry(row: &Row) -> Result<Entry, Fault> {
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
