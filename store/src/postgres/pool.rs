//! The connections of one database.

use super::PostgresOptions;
use super::connection::{Connection, Manager};
use super::fault::Fault;
use super::metric::{PoolCollector, PoolMetrics};
use super::target::Target;
use bb8::{PooledConnection, RunError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// A bounded number of connections, made when they are needed, for a bounded number of those who wait for one.
pub(super) struct Pool {
    pool: bb8::Pool<Manager>,
    /// Connections at most; a look at as many that turn out to have ended finds a new one.
    connections_max: u32,
    waiting_max: i64,
    metrics: PoolMetrics,
    last_failure: Arc<Mutex<Option<String>>>,
}

impl Pool {
    pub(super) fn new(target: Target, options: &PostgresOptions, metrics: PoolMetrics) -> Self {
        let last_failure = Arc::default();
        let manager = Manager::new(target, options.statement_max, Arc::clone(&last_failure));
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
        Self { pool, connections_max, waiting_max, metrics, last_failure }
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
            let last_failure = self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match (error, last_failure) {
                (RunError::User(error), _) => Fault::Sql(error),
                (RunError::TimedOut, Some(reason)) => Fault::Away(format!("no connection to the server: {reason}")),
                (RunError::TimedOut, None) => Fault::Overloaded,
            }
        })
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
