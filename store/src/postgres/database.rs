//! One database's handle: what every domain has, and how all of them ask.

use super::column::{Asked, At, Columns, int, statements};
use super::fault::Fault;
use super::pool::Pool;
use super::transaction::{self, Failure, Rows};
use crate::cause::WithCause;
use crate::metric::{DatabaseMetrics, Operation};
use crate::trace;
use crate::{Commit, CommitError, Committed, Domain, ForeignWrite, Outboxed, Record, StoreError};
use async_trait::async_trait;
use protocol::{Epoch, Key, Kind, Slot, Timestamp, UserId};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::iter;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use tracing::Instrument;
use uuid::Uuid;

statements! {
    PING = "SELECT max(version) FROM schema_migration";
    EPOCHS = "SELECT slot, epoch FROM slot_epoch WHERE epoch > 0";
    /// Locks in the order of the slots, so that two who raise the same ones wait and do not deadlock. A lock here waits for the commits that have
    /// passed the guard of their slot, and those behind it see the new epoch.
    FENCE = "WITH lower AS (
               SELECT s.slot, w.epoch FROM unnest($1::smallint[], $2::bigint[]) AS w (slot, epoch) JOIN slot_epoch AS s ON s.slot = w.slot WHERE s.epoch < w.epoch
               ORDER BY s.slot FOR NO KEY UPDATE OF s
             )
             UPDATE slot_epoch AS s SET epoch = lower.epoch FROM lower WHERE s.slot = lower.slot AND s.epoch < lower.epoch";
    EPOCHS_OF = "SELECT slot, epoch FROM slot_epoch WHERE slot = ANY ($1)";
    KEY_VERSION = "SELECT version FROM key_version WHERE kind = $1 AND id = $2";
    KEY_VERSIONS = "SELECT id, version FROM key_version WHERE kind = $1 AND id = ANY($2)";
    OUTBOX = "SELECT id, slot, at, effect, version FROM outbox ORDER BY id LIMIT $1";
    OUTBOX_OF_WRITE = "SELECT id, slot, at, effect, version FROM outbox WHERE write_id = $1 ORDER BY id LIMIT $2";
    /// The kind is kept as it was noted: one that this release does not know is for the next one to heed.
    FOREIGN_WRITES = "SELECT id, kind, key_id, version FROM foreign_write ORDER BY id LIMIT $1";
    HEEDED = "DELETE FROM foreign_write WHERE id = ANY($1)";
    CONFIRM = "DELETE FROM outbox WHERE id = ANY($1)";
    FORGET_RECORDS = "WITH forgotten AS (
                        DELETE FROM idempotency WHERE ctid = ANY (ARRAY (
                          SELECT ctid FROM idempotency WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED))
                        RETURNING 1
                      ) SELECT count(*) FROM forgotten";
}

/// Idempotency records that one transaction forgets: other writes wait no longer than these take.
const FORGET_MAX: i64 = 1000;
/// Times that a write, or a read, is sent again when the server says that nothing came of it for a reason that passes.
const REPETITIONS_MAX: u32 = 3;
/// What spans call it.
const SYSTEM: &str = "postgresql";

/// The database that carries out `W`. Cheap to clone.
pub(super) struct Database<W> {
    name: &'static str,
    pool: Arc<Pool>,
    metrics: Arc<DatabaseMetrics>,
    carries_out: PhantomData<fn(W)>,
}

impl<W> Clone for Database<W> {
    fn clone(&self) -> Self {
        Self { name: self.name, pool: self.pool.clone(), metrics: self.metrics.clone(), carries_out: PhantomData }
    }
}

/// Values for a query.
pub(super) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// How a statement is asked.
enum Question<'q> {
    /// Prepared, on a connection that nobody else uses meanwhile.
    Alone(Cow<'static, str>, Values<'q>),
    /// Prepared, on a connection where its answer comes after those to earlier ones.
    Shared(&'static str, Values<'q>),
    /// Planned for its values, on a connection that nobody else uses meanwhile.
    Search(&'q Asked),
}

impl Question<'_> {
    fn sql(&self) -> &str {
        match self {
            Self::Alone(sql, _) => sql,
            Self::Shared(sql, _) => sql,
            Self::Search(asked) => &asked.sql,
        }
    }
}

/// What the first row says, if there is one.
pub(super) fn first<T>(map: impl FnOnce(&Row) -> Result<T, Fault>) -> impl FnOnce(&[Row]) -> Result<Option<T>, Fault> {
    |rows| rows.first().map(map).transpose()
}

/// The count that one row says.
pub(super) fn count(rows: &[Row]) -> Result<u64, Fault> {
    rows.first().map_or(Ok(0), |row| Columns::of(row).count())
}

impl<W> Database<W> {
    pub(super) fn new(name: &'static str, pool: Arc<Pool>, metrics: Arc<DatabaseMetrics>) -> Self {
        Self { name, pool, metrics, carries_out: PhantomData }
    }

    /// Asks one statement, and reads its rows.
    pub(super) async fn read<T>(
        &self,
        operation: Operation,
        sql: impl Into<Cow<'static, str>>,
        values: Values<'_>,
        map: impl FnOnce(&[Row]) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.ask(operation, Question::Alone(sql.into(), values), map).await
    }

    /// As [`Self::read`], for statements that find their rows by key and change nothing: many of them share a connection.
    pub(super) async fn look_up<T>(
        &self,
        operation: Operation,
        sql: &'static str,
        values: Values<'_>,
        map: impl FnOnce(&[Row]) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.ask(operation, Question::Shared(sql, values), map).await
    }

    /// A connection that turns out to have ended is replaced: reading again is safe.
    async fn ask<T>(
        &self,
        operation: Operation,
        question: Question<'_>,
        map: impl FnOnce(&[Row]) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let asked = Instant::now();
        let span = trace::statement(SYSTEM, self.name, operation);
        span.in_scope(|| trace::sql(iter::once(question.sql())));
        let mut repetitions = 0;
        let answer = loop {
            match self.query(&question).instrument(span.clone()).await {
                Err(fault) if fault.is_of_the_connection() && repetitions < REPETITIONS_MAX => repetitions += 1,
                answer => break answer,
            }
        };
        self.metrics.observe(operation, asked.elapsed());
        answer.and_then(|rows| map(&rows)).map_err(|fault| fault.store_error(self.name))
    }

    async fn query(&self, question: &Question<'_>) -> Result<Vec<Row>, Fault> {
        match question {
            Question::Alone(sql, values) => self.pool.connection().await?.query(sql.clone(), values).await,
            Question::Shared(sql, values) => self.pool.look_up(sql, values).await,
            Question::Search(asked) => self.pool.connection().await?.search(asked).await,
        }
    }

    /// As [`Self::read`], for searches.
    pub(super) async fn search<T>(
        &self,
        operation: Operation,
        asked: &Asked,
        map: impl FnMut(&Row) -> Result<T, Fault>,
    ) -> Result<Vec<T>, StoreError> {
        self.ask(operation, Question::Search(asked), |rows| rows.iter().map(map).collect()).await
    }

    /// Looks up one row, or none.
    pub(super) async fn optional<T>(
        &self,
        operation: Operation,
        sql: &'static str,
        values: Values<'_>,
        map: impl FnOnce(&Row) -> Result<T, Fault>,
    ) -> Result<Option<T>, StoreError> {
        self.look_up(operation, sql, values, first(map)).await
    }

    /// Asks for all rows.
    pub(super) async fn list<T>(
        &self,
        operation: Operation,
        sql: impl Into<Cow<'static, str>>,
        values: Values<'_>,
        map: impl FnMut(&Row) -> Result<T, Fault>,
    ) -> Result<Vec<T>, StoreError> {
        self.read(operation, sql, values, |rows| rows.iter().map(map).collect()).await
    }
}

impl<W: Rows> Database<W> {
    /// Carries a commit out, also if the caller goes away.
    pub(super) async fn carry_out(&self, commit: Commit<W>) -> Result<Committed, CommitError> {
        let (database, asked) = (self.clone(), Instant::now());
        let span = trace::statement(SYSTEM, self.name, Operation::Commit);
        let carry_out = async move {
            let outcome = database.attempts(&commit).await;
            database.metrics.observe(Operation::Commit, asked.elapsed());
            database.metrics.count(&outcome);
            outcome
        };
        tokio::spawn(carry_out.instrument(span).for_the_same()).await.unwrap_or_else(|_| {
            let reason = "the write was given up".to_owned();
            Err(CommitError::Unknown(StoreError::Unavailable { database: self.name, reason }))
        })
    }

    async fn attempts(&self, commit: &Commit<W>) -> Result<Committed, CommitError> {
        let unavailable = |fault: Fault| CommitError::Unavailable(fault.store_error(self.name));
        let mut repetitions = 0;
        loop {
            let failure = {
                let connection = self.pool.connection().await.map_err(unavailable)?;
                match transaction::carry_out(self.name, &connection, commit, repetitions == 0).await {
                    Ok(committed) => return Ok(committed),
                    Err(failure) => failure,
                }
            };
            match failure {
                Failure::Refused(error) => return Err(error),
                Failure::Transient(error) if repetitions == REPETITIONS_MAX => return Err(unavailable(error.into())),
                Failure::Stale if repetitions == REPETITIONS_MAX => return Err(CommitError::Conflict),
                Failure::Transient(_) | Failure::Stale => {}
                Failure::Replayed => match self.replayed(commit).await.map_err(CommitError::Unavailable)? {
                    Some(record) => return Err(CommitError::Replay(Box::new(record))),
                    None if repetitions == REPETITIONS_MAX => return Err(CommitError::Conflict),
                    // It was forgotten in between.
                    None => {}
                },
            }
            repetitions += 1;
        }
    }

    async fn replayed(&self, commit: &Commit<W>) -> Result<Option<Record>, StoreError> {
        let Some(new) = &commit.record else { return Ok(None) };
        self.record(new.subject, &new.idempotency.route, &new.idempotency.key).await
    }
}

fn epoch(row: &Row) -> Result<(Slot, Epoch), Fault> {
    let mut columns = Columns::of(row);
    Ok((columns.slot()?, Epoch(columns.count()?)))
}

#[async_trait]
impl<W: Rows> Domain for Database<W> {
    fn database(&self) -> &'static str {
        self.name
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.read(Operation::Ping, PING, &[], |_| Ok(())).await
    }

    async fn epochs(&self) -> Result<Vec<(Slot, Epoch)>, StoreError> {
        self.list(Operation::Epochs, EPOCHS, &[], epoch).await
    }

    async fn fence(&self, epochs: Vec<(Slot, Epoch)>) -> Result<Vec<(Slot, Epoch)>, StoreError> {
        let slots: Vec<_> = epochs.iter().map(|(slot, _)| super::column::slot(*slot)).collect();
        let mut wanted = HashMap::new();
        for (slot, epoch) in epochs {
            wanted.entry(slot).and_modify(|highest: &mut Epoch| *highest = epoch.max(*highest)).or_insert(epoch);
        }
        let is = |known: &(Slot, Epoch), order| wanted.get(&known.0).is_some_and(|wanted| known.1.cmp(wanted) == order);
        // As a rule the owner before has raised them. What is raised between this look and the next statement refuses the commits that it fences.
        let mut known = self.list(Operation::Epochs, EPOCHS_OF, &[&slots], epoch).await?;
        if known.iter().any(|known| is(known, Ordering::Less)) {
            let (slots, epochs): (Vec<_>, Vec<_>) = wanted.iter().map(|(slot, epoch)| (super::column::slot(*slot), int(epoch.0))).unzip();
            self.read(Operation::Fence, FENCE, &[&slots, &epochs], |_| Ok(())).await?;
        }
        known.retain(|known| is(known, Ordering::Greater));
        Ok(known)
    }

    async fn key_version(&self, key: Key) -> Result<u64, StoreError> {
        let kind = i16::from(u8::from(key.kind));
        self.look_up(Operation::KeyVersion, KEY_VERSION, &[&kind, &key.id], count).await
    }

    async fn record(&self, subject: UserId, route: &str, key: &str) -> Result<Option<Record>, StoreError> {
        self.optional(Operation::Record, transaction::FIND_RECORD, &[&subject.0, &route, &key], transaction::record).await
    }

    async fn outbox(&self, write: Option<Uuid>, limit: u32) -> Result<Vec<Outboxed>, StoreError> {
        let limit = i64::from(limit);
        match write {
            Some(write) => self.list(Operation::Outbox, OUTBOX_OF_WRITE, &[&write, &limit], transaction::outboxed).await,
            None => self.list(Operation::Outbox, OUTBOX, &[&limit], transaction::outboxed).await,
        }
    }

    async fn confirm(&self, ids: Vec<i64>) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        self.read(Operation::Confirm, CONFIRM, &[&ids], |_| Ok(())).await
    }

    async fn foreign_writes(&self, limit: u32) -> Result<Vec<ForeignWrite>, StoreError> {
        let limit = i64::from(limit);
        let values: Values<'_> = &[&limit];
        let noted = self.list(Operation::ForeignWrites, FOREIGN_WRITES, values, |row| {
            let mut columns = Columns::of(row);
            let (id, kind): (i64, i16) = (columns.take()?, columns.take()?);
            let (key, version) = (columns.id()?, columns.count_or_none()?);
            let kind = u8::try_from(kind).ok().and_then(|code| Kind::try_from(code).ok());
            Ok(kind.map(|kind| ForeignWrite { id, key: Key::new(kind, key), version }))
        });
        Ok(noted.await?.into_iter().flatten().collect())
    }

    async fn heeded(&self, ids: Vec<i64>) -> Result<(), StoreError> {
        self.read(Operation::Heeded, HEEDED, &[&ids], |_| Ok(())).await
    }

    async fn versions(&self, kind: Kind, ids: Vec<Uuid>) -> Result<Vec<(Uuid, u64)>, StoreError> {
        let (of, sql) = W::VERSIONS;
        let version = |row: &Row| {
            let mut columns = Columns::of(row);
            Ok((columns.id()?, columns.count()?))
        };
        if kind == of {
            return self.list(Operation::Versions, sql, &[&ids], version).await;
        }
        let code = i16::from(u8::from(kind));
        let known: HashMap<_, _> = self.list(Operation::Versions, KEY_VERSIONS, &[&code, &ids], version).await?.into_iter().collect();
        // What was never raised has no row.
        Ok(ids.into_iter().map(|id| (id, known.get(&id).copied().unwrap_or_default())).collect())
    }

    async fn forget_records(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut total = 0;
        loop {
            let values: Values<'_> = &[&At(before), &FORGET_MAX];
            let forgotten = self.read(Operation::ForgetRecords, FORGET_RECORDS, values, count).await?;
            total += forgotten;
            if forgotten < FORGET_MAX.unsigned_abs() {
                return Ok(total);
            }
        }
    }
}
