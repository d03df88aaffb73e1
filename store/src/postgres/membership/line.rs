//! A connection of one's own: no pool, made when it is needed and again when it ended.

use super::reason;
use crate::postgres::column::Param;
use crate::postgres::connection::Connection;
use crate::postgres::fault::Fault;
use crate::postgres::pipeline::{self, Lost};
use crate::postgres::target::Target;
use crate::postgres::transaction::borrowed;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_postgres::Row;

/// A statement with its values.
pub(super) struct Step {
    sql: &'static str,
    values: Vec<Param<'static>>,
}

impl Step {
    pub(super) fn new(sql: &'static str, values: Vec<Param<'static>>) -> Self {
        Self { sql, values }
    }
}

/// The connection, and how long each of its transactions may take.
pub(super) struct Line {
    /// What it is for, in logs.
    purpose: &'static str,
    target: Target,
    answer_max: Duration,
    connection: Mutex<Option<Arc<Connection>>>,
    /// Whether it was said that it does not answer.
    is_mute: AtomicBool,
}

impl Line {
    pub(super) fn new(target: &Target, purpose: &'static str, answer_max: Duration) -> Self {
        let mut target = target.clone();
        // What was given up here is not to wait there for much longer. Nor is a transaction to stay open, with the lock that every change needs, whose
        // end was cut off on its way.
        target.configure(answer_max, Some(answer_max));
        target.limit_idle_transactions(answer_max);
        Self { purpose, target, answer_max, connection: Mutex::default(), is_mute: AtomicBool::new(false) }
    }

    /// Waits for what is asked on this connection; `None` if it fails or takes too long, which is said once until it is otherwise.
    pub(super) async fn answer<T>(&self, asked: impl Future<Output = Result<T, Fault>>) -> Option<T> {
        let fault = match timeout(self.answer_max, asked).await {
            Ok(Ok(answer)) => {
                if self.is_mute.swap(false, Ordering::Relaxed) {
                    tracing::info!(purpose = self.purpose, server = self.target.server(), "the cluster's database answers again");
                }
                return Some(answer);
            }
            Ok(Err(fault)) => fault,
            Err(_) => Fault::Silent,
        };
        if !self.is_mute.swap(true, Ordering::Relaxed) {
            let (purpose, server, reason) = (self.purpose, self.target.server(), reason(fault));
            tracing::warn!(purpose, server, reason, "the cluster's database does not answer");
        }
        None
    }

    /// Carries the steps out as one transaction, which `begin` begins; answers the rows of each.
    pub(super) async fn transact<const N: usize>(&self, begin: &'static str, steps: &[Step; N]) -> Result<[Vec<Row>; N], Fault> {
        let connection = self.connection().await?;
        let statements = connection.prepare_all(&steps.each_ref().map(|step| Cow::Borrowed(step.sql))).await?;
        let values: Vec<_> = steps.iter().map(|step| borrowed(&step.values)).collect();
        let until_answered = Unanswered(&connection);
        let answers = pipeline::transact(&connection, begin, statements.iter().zip(&values)).await;
        until_answered.end();
        let mut answers = answers.map_err(|lost| match lost {
            Lost::NotSent(error) => Fault::Sql(error),
            Lost::Silent => Fault::Silent,
        })?;
        // If one failed, those behind it say only that it did.
        if let Some(place) = answers.iter().position(Result::is_err) {
            return Err(answers.swap_remove(place).expect_err("it is one").into());
        }
        let rows: Vec<_> = answers.into_iter().flatten().skip(1).take(N).collect();
        Ok(<[_; N]>::try_from(rows).unwrap_or_else(|_| unreachable!("each step was answered, between BEGIN and COMMIT")))
    }

    async fn connection(&self) -> Result<Arc<Connection>, Fault> {
        let mut connection = self.connection.lock().await;
        if let Some(living) = connection.as_ref().filter(|connection| !connection.is_broken()) {
            return Ok(living.clone());
        }
        let client = self.target.connect().await?;
        Ok(connection.insert(Arc::new(Connection::new(client, self.answer_max))).clone())
    }
}

/// A transaction for whose answers nobody waits any more has given its connection up: the next one would have to wait for it.
struct Unanswered<'c>(&'c Connection);

impl Unanswered<'_> {
    fn end(self) {
        std::mem::forget(self);
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.0.give_up();
    }
}
