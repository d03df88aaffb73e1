//! Migrations: embedded in the binary, applied in order, each in a transaction of its own, and never changed once released.

use super::OpenError;
use super::fault::describe;
use super::target::Target;
use crate::schema::{Applied, Mismatch, Schema, checksum};
use protocol::Timestamp;
use std::time::Duration;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

macro_rules! schema {
    ($($migrations:tt)*) => {
        $crate::schema::schema!("postgres", $($migrations)*)
    };
}

mod online;

/// Every database.
pub(super) static SCHEMAS: [Schema; 4] = [
    schema!(
        "users": shared "0001_write_protocol", "0002_people", "0003_blocks_audit_search", "0004_accounts", "0005_moderation", "0006_words_by_place",
        shared "0007_foreign_writes", "0008_foreign_triggers", "0009_one_index_less", "0010_instance", "0011_membership"
    ),
    schema!(
        "content": shared "0001_write_protocol", "0002_posts", "0003_reactions_and_threads", "0004_lists_of_posts", "0005_by_person", "0006_verdicts",
        shared "0007_foreign_writes", "0008_foreign_triggers"
    ),
    schema!(
        "shop": shared "0001_write_protocol", "0002_products", "0003_carts_reviews_search", "0004_by_person", "0005_verdicts", "0006_words_by_place",
        shared "0007_foreign_writes", "0008_foreign_triggers"
    ),
    // Its third file is the shared seventh, by a link.
    schema!("media": shared "0001_write_protocol", "0002_files", "0003_foreign_writes", "0004_foreign_triggers", "0005_purges", "0006_usage"),
];

/// The oldest release that is tested.
const SERVER_MIN: u32 = 15;
/// How often a lock that another migration holds is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// The advisory lock under which a database is migrated: a number that nobody else is likely to use.
const LOCK: i64 = 0x6c65_7473_636f_6e6e;

/// Connects, and makes the database where the role may and it is missing.
pub(super) async fn connect(target: &Target) -> Result<Client, OpenError> {
    let client = match target.connect().await {
        Err(error) if error.code() == Some(&SqlState::INVALID_CATALOG_NAME) => {
            create(target).await?;
            target.connect().await
        }
        connected => connected,
    };
    supported(target, client.map_err(|error| unreachable(target, error))?).await
}

/// Connects to a database that is there.
pub(super) async fn connect_only(target: &Target) -> Result<Client, OpenError> {
    let client = target.connect().await.map_err(|error| match error.code() {
        Some(code) if *code == SqlState::INVALID_CATALOG_NAME => OpenError::Absent { database: target.database, server: target.server() },
        _ => unreachable(target, error),
    });
    supported(target, client?).await
}

/// Refuses a server that is too old.
async fn supported(target: &Target, client: Client) -> Result<Client, OpenError> {
    let sql = OpenError::sql(target.database);
    let version: i32 = client.query_one("SELECT current_setting('server_version_num')::integer", &[]).await.map_err(sql)?.get(0);
    let found = u32::try_from(version / 10_000).unwrap_or(0);
    if found < SERVER_MIN {
        return Err(OpenError::TooOld { database: target.database, server: target.server(), found, needed: SERVER_MIN });
    }
    Ok(client)
}

fn unreachable(target: &Target, error: Error) -> OpenError {
    let (database, server, role) = (target.database, target.server(), target.role().to_owned());
    let reason = describe(&error);
    match error.code() {
        Some(code) if *code == SqlState::INVALID_PASSWORD || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            OpenError::Refused { database, server, role, reason }
        }
        _ => OpenError::Unreachable { database, server, reason },
    }
}

/// Makes the database by the way of the one that every server has.
async fn create(target: &Target) -> Result<(), OpenError> {
    let name = target.name();
    let quoted = format!("\"{}\"", name.replace('"', "\"\""));
    let made = async { target.elsewhere("postgres").connect().await?.batch_execute(&format!("CREATE DATABASE {quoted}")).await };
    match made.await {
        Ok(()) => {
            tracing::info!(database = target.database, name, "created the database");
            Ok(())
        }
        // Another process was faster.
        Err(error) if [Some(&SqlState::DUPLICATE_DATABASE), Some(&SqlState::UNIQUE_VIOLATION)].contains(&error.code()) => Ok(()),
        Err(error) => Err(OpenError::Missing {
            database: target.database,
            server: target.server(),
            command: format!("CREATE DATABASE {quoted} OWNER \"{}\"", target.role()),
            reason: describe(&error),
        }),
    }
}

/// How a database is brought up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Only said, not done.
    Told,
    /// At once: while an index is built, nobody writes to its table.
    AtOnce,
    /// Beside a platform that writes: indexes concurrently, and no lock is waited for long, because whoever writes would wait behind it.
    Online,
}

/// Applies what a database lacks, or only says what it lacks. Processes that start at the same time do it one after the other.
pub(super) async fn bring_up(client: &mut Client, schema: &'static Schema, how: How) -> Result<Vec<Applied>, OpenError> {
    let sql = OpenError::sql(schema.database);
    if how == How::Told {
        return pending(client, schema).await;
    }
    // A statement that waits for the lock would have a snapshot, for which an index that is built concurrently waits: so it is asked for again and again.
    while !client.query_one("SELECT pg_try_advisory_lock($1)", &[&LOCK]).await.and_then(|row| row.try_get::<_, bool>(0)).map_err(sql)? {
        tokio::time::sleep(LOOK).await;
    }
    let applied = apply_all(client, schema, how).await;
    // The lock would end with the connection, too.
    client.execute("SELECT pg_advisory_unlock($1)", &[&LOCK]).await.map_err(sql)?;
    applied
}

async fn apply_all(client: &mut Client, schema: &'static Schema, how: How) -> Result<Vec<Applied>, OpenError> {
    let pending = pending(client, schema).await?;
    if pending.len() == schema.migrations.len() {
        let table = "CREATE TABLE IF NOT EXISTS schema_migration (
                       version integer PRIMARY KEY, name text NOT NULL, checksum bytea NOT NULL, applied_at timestamptz NOT NULL)";
        if let Err(error) = client.batch_execute(table).await {
            return Err(refused(client, schema.database, error).await);
        }
    }
    for (migration, step) in schema.migrations[schema.migrations.len() - pending.len()..].iter().zip(&pending) {
        let applied = match (how, migration.indexes()) {
            (How::Online, Some(Ok(indexes))) => online::build(client, &indexes, (step, migration.sql)).await,
            (How::Online, _) => online::apply(client, step, migration.sql).await,
            _ => apply(client, step, migration.sql, None).await,
        };
        if let Err(error) = applied {
            return Err(refused(client, schema.database, error).await);
        }
        tracing::info!(database = schema.database, version = step.version, name = step.name, "migrated");
    }
    Ok(pending)
}

/// Why a step was not applied.
async fn refused(client: &Client, database: &'static str, error: Error) -> OpenError {
    if error.code() != Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
        return OpenError::sql(database)(error);
    }
    match client.query_one("SELECT current_user::text", &[]).await.and_then(|row| row.try_get(0)) {
        Ok(role) => OpenError::NoRight { database, role },
        Err(error) => OpenError::sql(database)(error),
    }
}

/// Gives a role what a running platform needs, now and in tables to come. What was migrated is for it to read.
pub(super) async fn grant(client: &Client, database: &'static str, role: &str) -> Result<(), OpenError> {
    let role = format!("\"{}\"", role.replace('"', "\"\""));
    let grants = format!(
        "BEGIN;
         GRANT USAGE ON SCHEMA public TO {role};
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};
         REVOKE INSERT, UPDATE, DELETE ON schema_migration FROM {role};
         ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role};
         COMMIT"
    );
    client.batch_execute(&grants).await.map_err(OpenError::sql(database))
}

/// Applies a step in one transaction, which waits for each lock for so many milliseconds at most.
async fn apply(client: &mut Client, step: &Applied, sql: &str, lock_max_ms: Option<u32>) -> Result<(), Error> {
    let transaction = client.transaction().await?;
    if let Some(ms) = lock_max_ms {
        transaction.batch_execute(&format!("SET LOCAL lock_timeout = {ms}")).await?;
    }
    transaction.batch_execute(sql).await?;
    record(transaction.client(), step, sql).await?;
    transaction.commit().await
}

/// Writes down that a step was applied.
async fn record(client: &Client, step: &Applied, sql: &str) -> Result<(), Error> {
    let version = i32::try_from(step.version).expect("there are not that many migrations");
    let record = "INSERT INTO schema_migration (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)";
    client.execute(record, &[&version, &step.name, &&checksum(sql)[..], &super::column::At(Timestamp::now())]).await.map(drop)
}

/// The steps behind those that were applied, which must be the first of this release's.
async fn pending(client: &Client, schema: &'static Schema) -> Result<Vec<Applied>, OpenError> {
    let database = schema.database;
    let applied = applied(client).await.map_err(OpenError::sql(database))?;
    schema.pending(&applied).map_err(|mismatch| match mismatch {
        Mismatch::Newer { found } => OpenError::Newer { database, found, known: schema.migrations.len() },
        Mismatch::Edited { version, name } => OpenError::Edited { database, version, name },
    })
}

async fn applied(client: &Client) -> Result<Vec<(u32, String, Vec<u8>)>, Error> {
    let known = client.query_one("SELECT to_regclass('schema_migration') IS NOT NULL", &[]).await?;
    if !known.try_get::<_, bool>(0)? {
        return Ok(Vec::new());
    }
    let rows = client.query("SELECT version::bigint, name, checksum FROM schema_migration ORDER BY version", &[]).await?;
    rows.iter().map(|row| Ok((u32::try_from(row.try_get::<_, i64>(0)?).unwrap_or(u32::MAX), row.try_get(1)?, row.try_get(2)?))).collect()
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
