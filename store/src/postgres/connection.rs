//! A connection with what it has prepared, and how the pool makes and keeps one.

use super::column::Asked;
use super::fault::{Fault, describe, is_of_the_connection, is_of_the_plan};
use super::pool::LastFailure;
use super::target::Target;
use futures_util::future::try_join_all;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

/// How long an answer is waited for beyond the time that the server gives a statement: then the server is not the one to end it.
const GRACE: Duration = Duration::from_secs(2);

/// A connection. What is prepared on it stays so: there are about a hundred statements in all.
pub(super) struct Connection {
    client: Client,
    prepared: RwLock<HashMap<Cow<'static, str>, Statement>>,
    patience: Duration,
    is_given_up: AtomicBool,
}

impl Connection {
    /// `patience` is how long an answer is waited for.
    pub(super) fn new(client: Client, patience: Duration) -> Self {
        Self { client, prepared: RwLock::default(), patience, is_given_up: AtomicBool::new(false) }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// How long an answer is waited for.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Whether it is of no more use.
    pub(super) fn is_broken(&self) -> bool {
        self.is_given_up.load(Ordering::Relaxed) || self.client.is_closed()
    }

    /// Uses it no more: what it was asked may be answered at any time, or never.
    pub(super) fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Relaxed);
    }

    /// Learns from an error whether it is of further use.
    pub(super) fn note(&self, error: &Error) {
        if error.code().is_none_or(|code| is_of_the_plan(code) || is_of_the_connection(code)) {
            self.give_up();
        }
    }

    /// The statements, prepared: those that are new on this connection are sent together.
    pub(super) async fn prepare_all(&self, statements: &[Cow<'static, str>]) -> Result<Vec<Statement>, Fault> {
        let found: Vec<_> = statements.iter().map(|sql| self.prepared(sql)).collect();
        let mut missing: Vec<_> = statements.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(sql, _)| sql.clone()).collect();
        if missing.is_empty() {
            return Ok(found.into_iter().flatten().collect());
        }
        missing.sort_unstable();
        missing.dedup();
        let made = self.within(try_join_all(missing.iter().map(|sql| self.client.prepare(sql)))).await?;
        let mut prepared = self.prepared.write().unwrap_or_else(PoisonError::into_inner);
        prepared.extend(missing.into_iter().zip(made));
        Ok(statements.iter().map(|sql| prepared[sql].clone()).collect())
    }

    fn prepared(&self, sql: &str) -> Option<Statement> {
        self.prepared.read().unwrap_or_else(PoisonError::into_inner).get(sql).cloned()
    }

    /// The rows that a statement gives.
    pub(super) async fn query(&self, sql: Cow<'static, str>, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Fault> {
        let statement = match self.prepared(&sql) {
            Some(statement) => statement,
            None => self.prepare_all(&[sql]).await?.remove(0),
        };
        self.noted(self.client.query(&statement, params)).await
    }

    /// The rows of a search, which is not prepared: it is sent with its values, and planned for them.
    pub(super) async fn search(&self, asked: &Asked) -> Result<Vec<Row>, Fault> {
        self.noted(self.client.query_typed(&asked.sql, &asked.values())).await
    }

    async fn noted<T>(&self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Fault> {
        let answer = self.within(answer).await;
        if let Err(Fault::Sql(error)) = &answer {
            self.note(error);
        }
        answer
    }

    async fn within<T>(&self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Fault> {
        match tokio::time::timeout(self.patience, answer).await {
            Ok(answer) => Ok(answer?),
            Err(_) => {
                self.give_up();
                Err(Fault::Silent)
            }
        }
    }
}

/// Makes connections.
#[derive(Clone)]
pub(super) struct Manager {
    target: Arc<Target>,
    patience: Duration,
    last_failure: LastFailure,
}

impl Manager {
    /// `statement_max` is the time that the target gives a statement. `last_failure` is told why the last connection could not be made.
    pub(super) fn new(target: Target, statement_max: Duration, last_failure: LastFailure) -> Self {
        Self { target: Arc::new(target), patience: statement_max + GRACE, last_failure }
    }
}

impl bb8::ManageConnection for Manager {
    type Connection = Connection;
    type Error = Error;

    async fn connect(&self) -> Result<Connection, Error> {
        let connected = self.target.connect().await;
        let failure = connected.as_ref().err().map(|error| describe(error));
        if let Some(reason) = &failure {
            tracing::warn!(database = self.target.database, server = self.target.server(), reason, "no connection to the server");
        }
        self.last_failure.set(failure);
        let client = connected?;
        Ok(Connection::new(client, self.patience))
    }

    async fn is_valid(&self, connection: &mut Connection) -> Result<(), Error> {
        connection.client.check_connection().await
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.is_broken()
    }
}
