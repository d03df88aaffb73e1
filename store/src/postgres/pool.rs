//! The connections of one database: those that one user has at a time, and those that look-ups share.

use super::PostgresOptions;
use super::connection::{Connection, Manager};
use super::fault::Fault;
use super::metric::{PoolCollector, PoolMetrics};
use super::shared::Shared;
use super::target::Target;
use bb8::{PooledConnection, RunError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// A bounded number of connections, made when they are needed, for a bounded number of those who wait for one.
pub(super) struct Pool {
    pool: bb8::Pool<Manager>,
    shared: Shared,
    /// Connections at most; a look at as many that turn out to have ended finds a new one.
    connections_max: u32,
    waiting_max: i64,
    metrics: PoolMetrics,
    last_failure: LastFailure,
}

/// Why the last connection could not be made, if it could not.
#[derive(Clone, Default)]
pub(super) struct LastFailure(Arc<Mutex<Option<String>>>);

impl LastFailure {
    pub(super) fn set(&self, failure: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    /// What it means that there was no connection in time.
    pub(super) fn fault(&self) -> Fault {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(reason) => Fault::Away(format!("no connection to the server: {reason}")),
            None => Fault::Overloaded,
        }
    }
}

impl Pool {
    pub(super) fn new(target: Target, options: &PostgresOptions, metrics: PoolMetrics) -> Self {
        let last_failure = LastFailure::default();
        let manager = Manager::new(target, options.statement_max, last_failure.clone());
        let shared = Shared::new(manager.clone(), options, last_failure.clone(), metrics.shared.clone());
        let connections_max = options.connections_max.max(1);
        let pool = bb8::Pool::builder()
            .max_size(connections_max)
            .connection_timeout(options.checkout_max)
            .idle_timeout(Some(options.idle_max))
            .max_lifetime(Some(options.lifetime_max))
            // A look at each connection before each use would double the round trips. One that ended says so by itself.
            .test_on_check_out(false)
            .build_unchecked(manager);
        let waiting_max = i64::try_from(options.waiting_max).unwrap_or(i64::MAX);
        Self { pool, shared, connections_max, waiting_max, metrics, last_failure }
    }

    /// A connection that is open as far as anybody knows.
    pub(super) async fn connection(&self) -> Result<PooledConnection<'_, Manager>, Fault> {
        let asked = Instant::now();
        let waiting = Waiting::begin(&self.metrics, self.waiting_max)?;
        let mut tries = 0;
        let taken = loop {
            let taken = self.pool.get().await;
            // After the server restarted, everything that is idle here has ended. Giving it back makes room for a new one.
            match taken {
                Ok(connection) if Connection::is_broken(&connection) && tries < self.connections_max => tries += 1,
                taken => break taken,
            }
        };
        drop(waiting);
        self.metrics.wait.observe(asked.elapsed().as_secs_f64());
        taken.map_err(|error| {
            self.metrics.timeouts.inc();
            match error {
                RunError::User(error) => Fault::Sql(error),
                RunError::TimedOut => self.last_failure.fault(),
            }
        })
    }

    /// The rows of a look-up by key, on a connection that others use as well.
    pub(super) async fn look_up(&self, sql: &'static str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Fault> {
        self.shared.query(sql, values).await
    }

    /// Shows how many connections there are.
    pub(super) fn collector(&self) -> PoolCollector {
        let pool = self.pool.clone();
        self.metrics.collector(move || {
            let state = pool.state();
            (state.connections, state.idle_connections)
        })
    }
}

/// Somebody who waits, for as long as they do.
struct Waiting<'a>(&'a PoolMetrics);

impl<'a> Waiting<'a> {
    fn begin(metrics: &'a PoolMetrics, waiting_max: i64) -> Result<Self, Fault> {
        metrics.waiting.inc();
        let waiting = Self(metrics);
        if metrics.waiting.get() > waiting_max { Err(Fault::Overloaded) } else { Ok(waiting) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.dec();
    }
}
