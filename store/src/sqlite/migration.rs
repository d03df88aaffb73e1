//! Migrations: embedded in the binary, applied in order, each in a transaction of its own, and never changed once released.

use super::{OpenError, connection, directory, users};
use protocol::Timestamp;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::time::Duration;

/// One step of a schema. Its version is its place in the list, from 1.
struct Migration {
    /// The file's name before the dialect.
    name: &'static str,
    sql: &'static str,
}

/// A database's migrations, in order.
pub(super) struct Schema {
    /// The database's name.
    pub(super) database: &'static str,
    migrations: &'static [Migration],
}

macro_rules! schema {
    ($database:literal: $($name:literal),* $(,)?) => {
        Schema { database: $database, migrations: &[$(Migration {
            name: $name,
            sql: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations/", $database, "/", $name, ".sqlite.sql")),
        }),*] }
    };
}

/// Every database of a data directory.
pub(super) static SCHEMAS: [Schema; 3] = [
    schema!("users": "0001_write_protocol", "0002_people", "0003_blocks_audit_search", "0004_accounts", "0005_moderation"),
    schema!("content": "0001_write_protocol", "0002_posts", "0003_reactions_and_threads", "0004_lists_of_posts", "0005_verdicts"),
    schema!("shop": "0001_write_protocol", "0002_products", "0003_verdicts"),
];

/// A migration that was applied, or that a dry run would apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// To which database.
    pub database: &'static str,
    /// The database's version after it.
    pub version: u32,
    /// Its name, as its file's.
    pub name: &'static str,
}

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
    if schema.database == users::DATABASE {
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
fn pending_in(dir: &Path, schema: &'static Schema) -> Result<Vec<Applied>, OpenError> {
    let path = directory::file(dir, schema.database);
    if !path.exists() {
        return Ok(steps(schema).collect());
    }
    let fault = OpenError::sqlite(schema.database);
    let db = connection::reader(&path, Duration::from_secs(1)).map_err(&fault)?;
    let known = db.query_row("SELECT 1 FROM sqlite_schema WHERE name = 'schema_migration'", [], |_| Ok(())).optional().map_err(&fault)?;
    if known.is_some() { pending(&db, schema) } else { Ok(steps(schema).collect()) }
}

/// The steps behind those that were applied, which must be the first of this release's.
fn pending(db: &Connection, schema: &'static Schema) -> Result<Vec<Applied>, OpenError> {
    let database = schema.database;
    let applied = applied(db).map_err(OpenError::sqlite(database))?;
    if let Some((version, ..)) = applied.get(schema.migrations.len()) {
        return Err(OpenError::Newer { database, found: *version, known: schema.migrations.len() });
    }
    for ((version, name, sum), (step, migration)) in applied.iter().zip(steps(schema).zip(schema.migrations)) {
        if *version != step.version || name != migration.name || checksum(migration.sql)[..] != sum[..] {
            return Err(OpenError::Edited { database, version: *version, name: name.clone() });
        }
    }
    Ok(steps(schema).skip(applied.len()).collect())
}

fn applied(db: &Connection) -> rusqlite::Result<Vec<(u32, String, Vec<u8>)>> {
    let mut statement = db.prepare("SELECT version, name, checksum FROM schema_migration ORDER BY version")?;
    let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
    rows.collect()
}

fn steps(schema: &'static Schema) -> impl Iterator<Item = Applied> {
    (1..).zip(schema.migrations).map(|(version, m)| Applied { database: schema.database, version, name: m.name })
}

fn checksum(sql: &str) -> [u8; 32] {
    Sha256::digest(sql.as_bytes()).into()
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
    fn a_files_number_is_its_place() {
        for step in SCHEMAS.iter().flat_map(steps) {
            assert!(step.name.starts_with(&format!("{:04}_", step.version)), "{step:?}");
        }
    }
}
