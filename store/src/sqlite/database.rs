//! One database's handle: what every domain has, and the doors to its threads.

use super::column::{Columns, execute, list, optional};
use super::fault::{Fault, store_error};
use super::metric::{DatabaseMetrics, Operation};
use super::queue::Queue;
use super::reader::Read;
use super::transaction::{self, Rows};
use super::writer::{Job, Task};
use crate::trace;
use crate::{Commit, CommitError, Committed, Domain, Outboxed, Record, StoreError};
use async_trait::async_trait;
use protocol::{Epoch, Key, Slot, Timestamp, UserId};
use rusqlite::Connection;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;
use tracing::Instrument;
use uuid::Uuid;

super::column::statements! {
    PING = "SELECT max(version) FROM schema_migration";
    EPOCHS = "SELECT slot, epoch FROM slot_epoch";
    HIGHER = "SELECT epoch FROM slot_epoch WHERE slot = ?1 AND epoch > ?2";
    FENCE = "INSERT INTO slot_epoch (slot, epoch) VALUES (?1, ?2)
             ON CONFLICT (slot) DO UPDATE SET epoch = excluded.epoch WHERE slot_epoch.epoch < excluded.epoch";
    OUTBOX = "SELECT id, slot, at, effect FROM outbox ORDER BY id LIMIT ?1";
    OUTBOX_OF_WRITE = "SELECT id, slot, at, effect FROM outbox WHERE write_id = ?1 ORDER BY id LIMIT ?2";
    CONFIRM = "DELETE FROM outbox WHERE id = ?1";
    FORGET_RECORDS = "DELETE FROM idempotency WHERE rowid IN (SELECT rowid FROM idempotency WHERE at < ?1 ORDER BY at LIMIT ?2)";
}

/// What spans call it.
const SYSTEM: &str = "sqlite";

/// Idempotency records that one transaction forgets: other writes wait no longer than these take.
const FORGET_MAX: usize = 1000;

/// The database that carries out `W`.
pub(super) struct Database<W> {
    name: &'static str,
    reads: Queue<Read>,
    readers: usize,
    writes: Queue<Box<dyn Job>>,
    metrics: Arc<DatabaseMetrics>,
    carries_out: PhantomData<fn(W)>,
}

impl<W> Database<W> {
    pub(super) fn new(
        name: &'static str,
        reads: Queue<Read>,
        readers: usize,
        writes: Queue<Box<dyn Job>>,
        metrics: Arc<DatabaseMetrics>,
    ) -> Self {
        Self { name, reads, readers, writes, metrics, carries_out: PhantomData }
    }

    /// Ends the threads after what is queued.
    pub(super) fn close(&self) {
        self.reads.close(self.readers);
        self.writes.close(1);
    }

    /// Reads on a reader's thread. A read whose caller went away is not begun.
    pub(super) async fn read<T, R>(&self, operation: Operation, read: R) -> Result<T, StoreError>
    where
        T: Send + 'static,
        R: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let asked = Instant::now();
        let (tell, answer) = oneshot::channel();
        let metrics = self.metrics.clone();
        self.reads.submit(Box::new(move |db| {
            if !tell.is_closed() {
                let rows = read(db);
                metrics.observe(operation, asked.elapsed());
                // The caller may have gone away meanwhile.
                let _ = tell.send(rows);
            }
        }))?;
        match answer.instrument(trace::statement(SYSTEM, self.name, operation)).await {
            Ok(rows) => rows.map_err(|error| store_error(self.name, &error)),
            Err(_) => Err(StoreError::Unavailable { database: self.name, reason: "the read was given up".to_owned() }),
        }
    }

    /// Writes on the writer's thread. Carried out also if the caller goes away.
    async fn write<T, F>(&self, operation: Operation, write: F) -> Result<T, CommitError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        let asked = Instant::now();
        let (tell, answer) = oneshot::channel();
        let metrics = self.metrics.clone();
        let task = Task::new(self.name, write, move |outcome| {
            metrics.observe(operation, asked.elapsed());
            if matches!(operation, Operation::Commit) {
                metrics.count(&outcome);
            }
            // The caller may have gone away meanwhile.
            let _ = tell.send(outcome);
        });
        self.writes.submit(Box::new(task)).map_err(CommitError::Unavailable)?;
        answer.instrument(trace::statement(SYSTEM, self.name, operation)).await.unwrap_or_else(|_| {
            let reason = "the write was given up".to_owned();
            Err(CommitError::Unknown(StoreError::Unavailable { database: self.name, reason }))
        })
    }

    /// Writes what cannot be refused.
    pub(super) async fn maintain<T, F>(&self, operation: Operation, write: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.write(operation, |db| Ok(write(db)?)).await.map_err(|error| match error {
            CommitError::Unavailable(error) | CommitError::Unknown(error) => error,
            other => StoreError::Unavailable { database: self.name, reason: other.to_string() },
        })
    }
}

impl<W: Rows> Database<W> {
    /// Carries a commit out.
    pub(super) async fn carry_out(&self, commit: Commit<W>) -> Result<Committed, CommitError> {
        let database = self.name;
        self.write(Operation::Commit, move |db| transaction::carry_out(database, db, &commit)).await
    }
}

#[async_trait]
impl<W: Rows> Domain for Database<W> {
    fn database(&self) -> &'static str {
        self.name
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.read(Operation::Ping, |db| optional(db, PING, [], |_| Ok(())).map(drop)).await
    }

    async fn epochs(&self) -> Result<Vec<(Slot, Epoch)>, StoreError> {
        self.read(Operation::Epochs, |db| {
            list(db, EPOCHS, [], |row| {
                let mut columns = Columns::of(row);
                Ok((columns.slot()?, Epoch(columns.count()?)))
            })
        })
        .await
    }

    async fn fence(&self, epochs: Vec<(Slot, Epoch)>) -> Result<Vec<(Slot, Epoch)>, StoreError> {
        // The one writer does this after every commit that was handed over before, and none of those behind it passes the guard any more.
        self.maintain(Operation::Fence, move |db| {
            let mut higher = Vec::new();
            for (slot, epoch) in epochs.iter().filter(|(_, epoch)| *epoch > Epoch(0)) {
                let values = (slot.number(), super::column::int(epoch.0));
                // As a rule each is raised, and there is nothing to look for.
                if execute(db, FENCE, values)? == 0
                    && let Some(known) = optional(db, HIGHER, values, |row| Columns::of(row).count())?
                {
                    higher.push((*slot, Epoch(known)));
                }
            }
            Ok(higher)
        })
        .await
    }

    async fn key_version(&self, key: Key) -> Result<u64, StoreError> {
        self.read(Operation::KeyVersion, move |db| transaction::key_version(db, key)).await
    }

    async fn record(&self, subject: UserId, route: &str, key: &str) -> Result<Option<Record>, StoreError> {
        let (route, key) = (route.to_owned(), key.to_owned());
        self.read(Operation::Record, move |db| transaction::record(db, subject, &route, &key)).await
    }

    async fn outbox(&self, write: Option<Uuid>, limit: u32) -> Result<Vec<Outboxed>, StoreError> {
        self.read(Operation::Outbox, move |db| match write {
            Some(write) => list(db, OUTBOX_OF_WRITE, (write.as_bytes(), limit), transaction::outboxed),
            None => list(db, OUTBOX, [limit], transaction::outboxed),
        })
        .await
    }

    async fn confirm(&self, ids: Vec<i64>) -> Result<(), StoreError> {
        self.maintain(Operation::Confirm, move |db| ids.iter().try_for_each(|id| execute(db, CONFIRM, [id]).map(drop))).await
    }

    async fn forget_records(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut total = 0;
        loop {
            let forgotten =
                self.maintain(Operation::ForgetRecords, move |db| execute(db, FORGET_RECORDS, (before.0, FORGET_MAX as i64))).await?;
            total += forgotten as u64;
            if forgotten < FORGET_MAX {
                return Ok(total);
            }
        }
    }
}
