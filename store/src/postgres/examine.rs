//! What an operator would want to know of the databases on a server before they are served, and while they are. Nothing is changed.

use super::column::At;
use super::fault::describe;
use super::migration::{self, How, SCHEMAS};
use super::target::Target;
use super::{OpenError, Urls, transfer};
use crate::schema::{Applied, Schema};
use protocol::Timestamp;
use std::time::Duration;
use tokio_postgres::{Client, Error};

/// Tables whose rows the role may not write, or not read.
const FORBIDDEN: &str = "SELECT c.relname::text FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
                           AND NOT (has_table_privilege(c.oid, 'SELECT') AND (c.relname = 'schema_migration' OR
                             (has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))))
                         ORDER BY 1";
/// Indexes that no plan uses: their building was interrupted.
const INVALID: &str = "SELECT i.indexrelid::regclass::text FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
                       WHERE c.relnamespace = 'public'::regnamespace AND NOT i.indisvalid ORDER BY 1";
const SETTINGS: &str = "SELECT current_user::text, current_setting('server_version'), has_schema_privilege('public', 'CREATE'),
                          current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint,
                          coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false), current_setting('fsync')::boolean";
const CLOCK: &str = "SELECT clock_timestamp()";
/// Transactions that somebody left open for over a minute hold back vacuum. Of other roles' sessions only a monitor sees more than that they are there.
const LEFT_OPEN: &str = "SELECT count(*), coalesce(max(extract(epoch FROM now() - xact_start)), 0)::bigint FROM pg_stat_activity
                         WHERE datname = current_database() AND state LIKE 'idle in transaction%' AND xact_start < now() - interval '1 min'";
const LEASE: &str = "SELECT CASE WHEN holder IS NOT NULL THEN description END FROM instance_lease";

/// A database on a server, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// Which.
    pub database: &'static str,
    /// Host and port.
    pub server: String,
    /// Whether that is on this machine.
    pub is_local: bool,
    /// Who was let in.
    pub role: String,
    /// The server's release.
    pub version: String,
    /// Whether the way there is encrypted.
    pub is_encrypted: bool,
    /// Whether the server waits for its disk before it says that something is written.
    pub is_durable: bool,
    /// How far the server's clock is from this machine's, in milliseconds, either way.
    pub skew_ms: u64,
    /// Connections that the server gives to ordinary roles.
    pub connections_max: u64,
    /// Whether the role may make tables.
    pub may_define: bool,
    /// Tables that the role may not read and write.
    pub forbidden: Vec<String>,
    /// Migrations that are due.
    pub pending: Vec<Applied>,
    /// Indexes whose building was interrupted.
    pub invalid_indexes: Vec<String>,
    /// Whether an import is unfinished.
    pub is_unfinished: bool,
    /// How many transactions were left open for over a minute, and since when the oldest, in seconds.
    pub left_open: (u64, u64),
    /// Who has the instance lease, as they described themselves; of the users database only.
    pub holder: Option<String>,
}

/// Looks at each database.
///
/// # Errors
/// Of each database: see [`OpenError`]. Of all of them: where no URL can be read.
pub async fn examine(urls: &Urls, connect_max: Duration) -> Result<Vec<Result<Examined, OpenError>>, OpenError> {
    let mut found = Vec::new();
    for (mut target, schema) in urls.targets()?.into_iter().zip(&SCHEMAS) {
        target.configure(connect_max, Some(connect_max));
        found.push(one(&target, schema).await);
    }
    Ok(found)
}

async fn one(target: &Target, schema: &'static Schema) -> Result<Examined, OpenError> {
    let mut client = migration::connect_only(target).await?;
    let pending = migration::bring_up(&mut client, schema, How::Told).await?;
    let found = facts(&client, target, pending).await;
    found.map_err(|error| OpenError::Examine { database: target.database, reason: describe(&error) })
}

async fn facts(client: &Client, target: &Target, pending: Vec<Applied>) -> Result<Examined, Error> {
    let settings = client.query_one(SETTINGS, &[]).await?;
    let asked = Timestamp::now();
    let At(clock) = client.query_one(CLOCK, &[]).await?.try_get(0)?;
    // It said so at some instant between the two.
    let answered = Timestamp::now();
    let skew_ms = if clock < asked { asked.0.abs_diff(clock.0) } else { clock.0.saturating_sub(answered.0).max(0).unsigned_abs() };
    let open = client.query_one(LEFT_OPEN, &[]).await?;
    let number = |number: i64| number.unsigned_abs();
    // A database that was never migrated has none of this.
    let holder = match target.database {
        "users" if !pending.iter().any(|step| step.version == 1) => client.query_one(LEASE, &[]).await?.try_get(0)?,
        _ => None,
    };
    Ok(Examined {
        database: target.database,
        server: target.server(),
        is_local: target.is_local(),
        role: settings.try_get(0)?,
        version: settings.try_get(1)?,
        may_define: settings.try_get(2)?,
        connections_max: number(settings.try_get(3)?),
        is_encrypted: settings.try_get(4)?,
        is_durable: settings.try_get(5)?,
        skew_ms,
        forbidden: names(client, FORBIDDEN).await?,
        pending,
        invalid_indexes: names(client, INVALID).await?,
        is_unfinished: transfer::is_unfinished(client).await?,
        left_open: (number(open.try_get(0)?), number(open.try_get(1)?)),
        holder,
    })
}

async fn names(client: &Client, sql: &str) -> Result<Vec<String>, Error> {
    client.query(sql, &[]).await?.iter().map(|row| row.try_get(0)).collect()
}
