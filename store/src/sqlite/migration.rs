//! Migrations: embedded in the binary, applied in order, each in a transaction of its own, and never changed once released.

use super::{OpenError, connection, directory, transfer, users};
use crate::schema::{Applied, Mismatch, Schema, checksum};
use protocol::Timestamp;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use std::path::Path;
use std::time::Duration;

macro_rules! schema {
    ($($migrations:tt)*) => {
        $crate::schema::schema!("sqlite", $($migrations)*)
    };
}

/// Every database of a data directory.
pub(super) static SCHEMAS: [Schema; 4] = [
    schema!("users": shared "0001_write_protocol", "0002_people", "0003_blocks_audit_search", "0004_accounts", "0005_moderation"),
    schema!(
        "content": shared "0001_write_protocol", "0002_posts", "0003_reactions_and_threads", "0004_lists_of_posts", "0005_by_person", "0006_verdicts"
    ),
    schema!("shop": shared "0001_write_protocol", "0002_products", "0003_carts_reviews_search", "0004_by_person", "0005_verdicts"),
    schema!("media": shared "0001_write_protocol", "0002_files", "0003_purges", "0004_usage"),
];

/// Brings the databases under `dir` to this release's schema, and answers what that took. `dry_run` only says what it would take, changes
/// nothing, and may be asked while another process uses the directory.
///
/// # Errors
/// When the directory is in use, a database is newer than this release, or an applied migration was changed. Safe to repeat: what was applied
/// before a failure stays applied.
pub fn migrate(dir: &Path, dry_run: bool) -> Result<Vec<Applied>, OpenError> {
    if dry_run {
        let pending = SCHEMAS.iter().map(|schema| pending_in(dir, schema)).collect::<Result<Vec<_>, _>>()?;
        return Ok(pending.concat());
    }
    let _lock = directory::take(dir)?;
    let mut applied = Vec::new();
    for schema in &SCHEMAS {
        let path = directory::make_file(dir, schema.database)?;
        let mut db = connection::writer(&path, Duration::ZERO).map_err(OpenError::sqlite(schema.database))?;
        applied.extend(bring_up(&mut db, schema)?);
    }
    Ok(applied)
}

/// Applies what a database lacks.
pub(super) fn bring_up(db: &mut Connection, schema: &'static Schema) -> Result<Vec<Applied>, OpenError> {
    let fault = OpenError::sqlite(schema.database);
    db.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_migration (
           version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum BLOB NOT NULL, applied_at INTEGER NOT NULL
         ) STRICT",
    )
    .map_err(&fault)?;
    let pending = pending(db, schema)?;
    for (migration, step) in schema.migrations[schema.migrations.len() - pending.len()..].iter().zip(&pending) {
        apply(db, step, migration.sql).map_err(&fault)?;
        tracing::info!(database = schema.database, version = step.version, name = step.name, "migrated");
    }
    if schema.database == users::DATABASE && !transfer::is_unfinished(db).map_err(&fault)? {
        users::search::complete(db).map_err(&fault)?;
    }
    Ok(pending)
}

fn apply(db: &mut Connection, step: &Applied, sql: &str) -> rusqlite::Result<()> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(sql)?;
    transaction.execute(
        "INSERT INTO schema_migration (version, name, checksum, applied_at) VALUES (?1, ?2, ?3, ?4)",
        (step.version, step.name, checksum(sql), Timestamp::now().0),
    )?;
    transaction.commit()
}

/// What a database lacks, read without changing it.
pub(super) fn pending_in(dir: &Path, schema: &'static Schema) -> Result<Vec<Applied>, OpenError> {
    let path = directory::file(dir, schema.database);
    if !path.exists() {
        return Ok(schema.steps().collect());
    }
    let fault = OpenError::sqlite(schema.database);
    let db = connection::reader(&path, Duration::from_secs(1)).map_err(&fault)?;
    let known = db.query_row("SELECT 1 FROM sqlite_schema WHERE name = 'schema_migration'", [], |_| Ok(())).optional().map_err(&fault)?;
    if known.is_some() { pending(&db, schema) } else { Ok(schema.steps().collect()) }
}

/// The steps behind those that were applied, which must be the first of this release's.
fn pending(db: &Connection, schema: &'static Schema) -> Result<Vec<Applied>, OpenError> {
    let database = schema.database;
    let applied = applied(db).map_err(OpenError::sqlite(database))?;
    schema.pending(&applied).map_err(|mismatch| match mismatch {
        Mismatch::Newer { found } => OpenError::Newer { database, found, known: schema.migrations.len() },
        Mismatch::Edited { version, name } => OpenError::Edited { database, version, name },
    })
}

fn applied(db: &Connection) -> rusqlite::Result<Vec<(u32, String, Vec<u8>)>> {
    let mut statement = db.prepare("SELECT version, name, checksum FROM schema_migration ORDER BY version")?;
    let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_database_begins_with_the_same_write_protocol() {
        for schema in &SCHEMAS {
            assert_eq!(schema.migrations[0].sql, SCHEMAS[0].migrations[0].sql, "{}", schema.database);
        }
    }

    #[test]
    fn a_files_number_is_its_place_and_what_is_online_is_indexes() {
        SCHEMAS.iter().for_each(Schema::assert_sound);
    }
}
