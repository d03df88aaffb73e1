//! A connection with what it has prepared, and how the pool makes and keeps one.

use super::fault::{Fault, describe, is_of_the_plan};
use super::target::Target;
use futures_util::future::try_join_all;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

/// How long an answer is waited for beyond the time that the server gives a statement: then the server is not the one to end it.
const GRACE: Duration = Duration::from_secs(2);

/// A connection. What is prepared on it stays so: there are about a hundred statements in all.
pub(super) struct Connection {
    client: Client,
    prepared: HashMap<Cow<'static, str>, Statement>,
    patience: Duration,
    is_broken: bool,
}

impl Connection {
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// How long an answer is waited for.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Whether it is of no more use.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken || self.client.is_closed()
    }

    /// Uses it no more: what it was asked may be answered at any time, or never.
    pub(super) fn give_up(&mut self) {
        self.is_broken = true;
    }

    /// Learns from an error whether it is of further use.
    pub(super) fn note(&mut self, error: &Error) {
        self.is_broken |= error.code().is_none_or(is_of_the_plan);
    }

    /// The statements, prepared: those that are new on this connection are sent together.
    pub(super) async fn prepare_all(&mut self, statements: Vec<Cow<'static, str>>) -> Result<Vec<Statement>, Fault> {
        let mut missing: Vec<_> = statements.iter().filter(|sql| !self.prepared.contains_key(*sql)).cloned().collect();
        if !missing.is_empty() {
            missing.sort_unstable();
            missing.dedup();
            let client = &self.client;
            let preparing = try_join_all(missing.iter().map(|sql| client.prepare(sql)));
            let made = self.within(preparing).await?;
            self.prepared.extend(missing.into_iter().zip(made));
        }
        Ok(statements.iter().map(|sql| self.prepared[sql].clone()).collect())
    }

    /// The rows that a statement gives.
    pub(super) async fn query(&mut self, sql: Cow<'static, str>, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Fault> {
        let statement = self.prepare_all(vec![sql]).await?.remove(0);
        let answer = self.within(self.client.query(&statement, params)).await;
        if let Err(fault) = &answer {
            match fault {
                Fault::Sql(error) => self.note(error),
                _ => self.give_up(),
            }
        }
        answer
    }

    async fn within<T>(&self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Fault> {
        match tokio::time::timeout(self.patience, answer).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Fault::Silent),
        }
    }
}

/// Makes connections for a pool.
pub(super) struct Manager {
    target: Target,
    patience: Duration,
    last_failure: Arc<Mutex<Option<String>>>,
}

impl Manager {
    /// `statement_max` is the time that the target gives a statement. `last_failure` is told why the last connection could not be made.
    pub(super) fn new(target: Target, statement_max: Duration, last_failure: Arc<Mutex<Option<String>>>) -> Self {
        Self { target, patience: statement_max + GRACE, last_failure }
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
        *self.last_failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = failure;
        let client = connected?;
        Ok(Connection { client, prepared: HashMap::new(), patience: self.patience, is_broken: false })
    }

    async fn is_valid(&self, connection: &mut Connection) -> Result<(), Error> {
        connection.client.check_connection().await
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.is_broken()
    }
}
