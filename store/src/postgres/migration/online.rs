//! Migrating beside a platform that goes on writing.

use super::{apply as apply_once, record};
use crate::schema::{Applied, Index};
use std::time::Duration;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

/// How long a step waits for a lock. Whoever writes to the table waits behind it for as long.
const LOCK_MAX_MS: u32 = 1000;
/// How often a step is tried, and how long the platform has to itself in between.
const TRIES_MAX: u32 = 60;
const PAUSE: Duration = Duration::from_secs(1);

/// Whether there is an index of this name, and whether it was built to its end.
const STATE: &str = "SELECT i.indisvalid FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
                     WHERE c.relname = $1 AND c.relnamespace = current_schema()::regnamespace";

/// Builds what is missing of a step's indexes, one after the other, outside of a transaction; then the step is applied. An interrupted one left an index that
/// nothing uses and every write pays for: it is dropped and built anew.
pub(super) async fn build(client: &Client, indexes: &[Index], (step, sql): (&Applied, &str)) -> Result<(), Error> {
    for Index { name, is_unique, rest } in indexes {
        let is_valid: Option<bool> = client.query_opt(STATE, &[name]).await?.map(|row| row.try_get(0)).transpose()?;
        if is_valid == Some(true) {
            continue;
        }
        if is_valid.is_some() {
            tracing::warn!(index = name, "an earlier migration was interrupted: the index is built anew");
            client.batch_execute(&format!("DROP INDEX CONCURRENTLY {name}")).await?;
        }
        let unique = if *is_unique { "UNIQUE " } else { "" };
        client.batch_execute(&format!("CREATE {unique}INDEX CONCURRENTLY {name} {rest}")).await?;
    }
    record(client, step, sql).await
}

/// Applies a step in one transaction, again and again until it gets its locks at once.
pub(super) async fn apply(client: &mut Client, step: &Applied, sql: &str) -> Result<(), Error> {
    for _ in 1..TRIES_MAX {
        match apply_once(client, step, sql, Some(LOCK_MAX_MS)).await {
            Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                tracing::info!(step = step.name, "somebody has a lock that it needs: tried again");
                tokio::time::sleep(PAUSE).await;
            }
            applied => return applied,
        }
    }
    apply_once(client, step, sql, Some(LOCK_MAX_MS)).await
}

#[cfg(test)]
mod tests {
    use super::super::{How, bring_up};
    use crate::postgres::{OpenError, Urls, target::Target};
    use crate::schema::{Migration, Schema};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};
    use testbed::postgres::Databases;
    use tokio_postgres::Client;

    /// A table with rows, and indexes on it that a later release wants.
    static SCHEMA: Schema = Schema {
        database: "users",
        migrations: &[
            Migration {
                name: "0001_table",
                sql: "CREATE TABLE thing (id bigint GENERATED ALWAYS AS IDENTITY, n integer NOT NULL);
                      INSERT INTO thing (n) SELECT g % 1000 FROM generate_series(1, 50000) AS g",
            },
            Migration {
                name: "0002_indexes",
                sql: "-- online\n-- Found by number.\nCREATE INDEX thing_n ON thing (n, id) WHERE n > 3;\nCREATE UNIQUE INDEX thing_id ON thing (id);\n",
            },
            Migration { name: "0003_column", sql: "ALTER TABLE thing ADD COLUMN m integer" },
        ],
    };
    static FIRST: Schema = Schema { database: "users", migrations: SCHEMA.migrations.first_chunk::<1>().expect("a step") };

    const INDEXES: &str = "SELECT string_agg(indexdef, '; ' ORDER BY indexdef) FROM pg_indexes WHERE tablename = 'thing'";
    const INVALID: &str = "SELECT count(*) FROM pg_index WHERE NOT indisvalid";
    /// Of this database alone: the server is other tests', too.
    const BUILDING: &str = "SELECT pid FROM pg_stat_activity
                            WHERE datname = current_database() AND query ~ '^(CREATE|DROP) (UNIQUE )?INDEX CONCURRENTLY' AND state = 'active'";
    const ASKING: &str = "SELECT pid FROM pg_stat_activity
                          WHERE datname = current_database() AND query ~ '^SELECT pg_(try_)?advisory_lock' LIMIT 1";
    const WAITING: &str = "SELECT DISTINCT 1 FROM pg_locks WHERE relation = 'thing'::regclass AND NOT granted";
    const NOT_WAITING: &str = "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM pg_locks WHERE relation = 'thing'::regclass AND NOT granted)";

    fn target(databases: &Databases) -> Target {
        let urls = Urls { all: Some(databases.url().to_owned()), ..Urls::default() };
        let [users, ..] = urls.targets().expect("URLs");
        users
    }

    async fn connect(databases: &Databases) -> Client {
        target(databases).connect().await.expect("a connection")
    }

    /// Commits a row after the other until it is told to stop; gives how many, and the longest that one took.
    fn writer(client: Client, stop: Arc<AtomicBool>) -> tokio::task::JoinHandle<(u32, Duration)> {
        tokio::spawn(async move {
            let (mut rows, mut longest) = (0, Duration::ZERO);
            while !stop.load(Ordering::Relaxed) {
                let began = Instant::now();
                client.execute("INSERT INTO thing (n) VALUES (7)", &[]).await.expect("written");
                longest = longest.max(began.elapsed());
                rows += 1;
            }
            (rows, longest)
        })
    }

    async fn until(what: &str, databases: &Databases, sql: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let answer = databases.sql("users", &[sql]).trim().to_owned();
            if !answer.is_empty() {
                return answer;
            }
            assert!(Instant::now() < deadline, "not in time: {what}");
            // paced: between two looks at the server.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn indexes_are_built_beside_a_writer_and_again_after_an_interruption() {
        let databases = Databases::empty();
        let mut client = connect(&databases).await;
        assert_eq!(bring_up(&mut client, &FIRST, How::AtOnce).await.expect("migrated").len(), 1);
        let stop = Arc::<AtomicBool>::default();
        let writing = writer(connect(&databases).await, stop.clone());

        // A write that somebody does not end: an index that is built at once would wait for it, and everybody else behind that.
        let held = databases.hold("users", "INSERT INTO thing (n) VALUES (7)");
        let mut migrating = connect(&databases).await;
        let migration = tokio::spawn(async move { bring_up(&mut migrating, &SCHEMA, How::Online).await.map(drop) });
        let pid = until("it builds", &databases, BUILDING).await;
        let before = databases.sql("users", &["SELECT count(*) FROM thing"]);
        assert_ne!(until("rows are written", &databases, &format!("SELECT count(*) FROM thing HAVING count(*) > {before} + 10")).await, "");
        databases.sql("users", &[&format!("SELECT pg_terminate_backend({pid})")]);
        let interrupted = migration.await.expect("no panic").expect_err("its connection is gone");
        assert!(matches!(interrupted, OpenError::Sql { .. }), "{interrupted}");
        assert_eq!(databases.sql("users", &[INVALID]).trim(), "1", "it leaves an index that nothing uses");

        let mut migrating = connect(&databases).await;
        let migration = tokio::spawn(async move { bring_up(&mut migrating, &SCHEMA, How::Online).await });
        until("it builds again", &databases, BUILDING).await;
        // A second process that starts meanwhile waits, and the index does not wait for that.
        let mut second = connect(&databases).await;
        let waiting = tokio::spawn(async move { bring_up(&mut second, &SCHEMA, How::AtOnce).await });
        until("it waits for its turn", &databases, ASKING).await;
        drop(held);
        let applied = tokio::time::timeout(Duration::from_secs(30), migration).await.expect("nobody waits for the other");
        let applied = applied.expect("no panic").expect("migrated");
        assert_eq!(applied.iter().map(|step| step.version).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(waiting.await.expect("no panic").expect("nothing is left"), []);
        stop.store(true, Ordering::Relaxed);
        let (rows, longest) = writing.await.expect("no panic");
        assert!(rows > 20 && longest < Duration::from_secs(5), "{rows} rows, one of them took {longest:?}");
        assert_eq!(databases.sql("users", &[INVALID]).trim(), "0");

        // The same file makes the same schema where nobody writes.
        let other = Databases::empty();
        bring_up(&mut connect(&other).await, &SCHEMA, How::AtOnce).await.expect("migrated");
        assert_eq!(other.sql("users", &[INDEXES]), databases.sql("users", &[INDEXES]));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_step_that_needs_a_lock_lets_writers_pass_until_it_gets_it() {
        let databases = Databases::empty();
        let mut client = connect(&databases).await;
        bring_up(&mut client, &FIRST, How::AtOnce).await.expect("migrated");
        client
            .batch_execute("CREATE INDEX thing_n ON thing (n, id) WHERE n > 3; CREATE UNIQUE INDEX thing_id ON thing (id)")
            .await
            .expect("made");
        let stop = Arc::<AtomicBool>::default();
        let writing = writer(connect(&databases).await, stop.clone());
        let held = databases.hold("users", "INSERT INTO thing (n) VALUES (7)");
        let migration = tokio::spawn(async move { bring_up(&mut client, &SCHEMA, How::Online).await });
        until("it waits for the lock", &databases, WAITING).await;
        until("it was let go", &databases, NOT_WAITING).await;
        drop(held);
        assert_eq!(migration.await.expect("no panic").expect("migrated").len(), 2);
        stop.store(true, Ordering::Relaxed);
        let (rows, longest) = writing.await.expect("no panic");
        assert!(rows > 20 && longest < Duration::from_secs(5), "{rows} rows, one of them took {longest:?}");
    }
}
