//! The one connection, which everybody shares, and when Redis is left alone.
//!
//! A request that Redis does not answer in time costs its caller that time; after a few of them in a row nobody asks any more (the breaker is open),
//! and the keeper alone looks whether it answers again.

use super::{RedisOptions, metric::Metrics};
use arc_swap::ArcSwapOption;
use rand::Rng;
use redis::{AsyncConnectionConfig, Client, ErrorKind, FromRedisValue, Pipeline, RedisError, aio::MultiplexedConnection};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::{Notify, Semaphore},
    time::timeout,
};
use tracing::{Instrument, debug_span};

/// Answers in a row that did not come in time, after which Redis is left alone.
const STRIKES_MAX: u32 = 5;
/// Requests under way at once; a further one is not made.
const IN_FLIGHT_MAX: usize = 512;
/// How long making a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// How long Redis is left alone: at first, and at most when it stays away.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(8));
/// A connection that did well for so long makes the next pause a short one.
const SETTLED: Duration = Duration::from_secs(30);

pub(super) struct Link {
    connection: ArcSwapOption<MultiplexedConnection>,
    strikes: AtomicU32,
    /// Tells the keeper that the connection was given up, and whoever waits for one that there is one.
    given_up: Notify,
    made: Notify,
    /// Why it was given up, or could not be made.
    reason: Mutex<String>,
    permits: Semaphore,
    answer_max: Duration,
    /// How long the last answer took, in microseconds.
    last_us: AtomicU64,
    pub(super) metrics: Metrics,
}

/// Why something was not done. There is nothing that a caller could do about it.
#[derive(Debug)]
pub(super) enum Failure {
    /// Redis is away, or was not asked.
    Away,
    /// It answered that it will not, for example for want of memory.
    Refused,
}

impl Link {
    pub(super) fn new(options: &RedisOptions, metrics: Metrics) -> Self {
        Self {
            connection: ArcSwapOption::empty(),
            strikes: AtomicU32::new(0),
            given_up: Notify::new(),
            made: Notify::new(),
            reason: Mutex::new("it was not reached yet".to_owned()),
            permits: Semaphore::new(IN_FLIGHT_MAX),
            answer_max: options.answer_max,
            last_us: AtomicU64::new(0),
            metrics,
        }
    }

    /// Asks, for as long as an answer may take.
    pub(super) async fn ask<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, Failure> {
        let (Some(connection), Ok(_permit)) = (self.connection.load_full(), self.permits.try_acquire()) else {
            return Err(Failure::Away);
        };
        let asked = Instant::now();
        let mut connection_of_ours = MultiplexedConnection::clone(&connection);
        let answering = commands.query_async(&mut connection_of_ours);
        let span = debug_span!("redis", otel.kind = "client", db.system.name = "redis", db.operation.batch.size = commands.len());
        let answer = timeout(self.answer_max, answering).instrument(span).await;
        let took = asked.elapsed();
        self.metrics.duration.observe(took.as_secs_f64());
        match answer {
            Ok(Ok(answer)) => {
                self.strikes.store(0, Ordering::Relaxed);
                self.last_us.store(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
                Ok(answer)
            }
            Ok(Err(error)) if error.is_io_error() || error.is_unrecoverable_error() || error.kind() == ErrorKind::Parse => {
                self.give_up(&connection, describe(&error));
                Err(Failure::Away)
            }
            Ok(Err(error)) => {
                tracing::debug!(reason = describe(&error), "Redis refused a command");
                Err(Failure::Refused)
            }
            Err(_) => {
                if self.strikes.fetch_add(1, Ordering::Relaxed) + 1 >= STRIKES_MAX {
                    self.give_up(&connection, format!("it did not answer within {} ms, {STRIKES_MAX} times", self.answer_max.as_millis()));
                }
                Err(Failure::Away)
            }
        }
    }

    /// Leaves Redis alone, unless another connection was made meanwhile.
    fn give_up(&self, connection: &Arc<MultiplexedConnection>, reason: String) {
        let now = self.connection.compare_and_swap(connection, None);
        if now.as_ref().is_some_and(|now| Arc::ptr_eq(now, connection)) {
            self.metrics.up.set(0);
            tracing::debug!(reason, "Redis is left alone for a while");
            *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = reason;
            self.given_up.notify_one();
        }
    }

    /// How long Redis took for its last answer, if it answers as far as is known; else why not.
    pub(super) fn condition(&self) -> Result<Duration, String> {
        match self.connection.load().is_some() {
            true => Ok(Duration::from_micros(self.last_us.load(Ordering::Relaxed))),
            false => Err(self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()),
        }
    }

    /// Waits until it answers.
    pub(super) async fn reached(&self) {
        loop {
            let made = self.made.notified();
            if self.connection.load().is_some() {
                return;
            }
            made.await;
        }
    }

    /// Makes the connection, and another one whenever it was given up. Never ends.
    pub(super) async fn keep(&self, client: Client) {
        let mut pause = PAUSES.0;
        loop {
            match self.connect(&client).await {
                Ok(connection) => {
                    self.strikes.store(0, Ordering::Relaxed);
                    self.connection.store(Some(Arc::new(connection)));
                    self.metrics.up.set(1);
                    self.made.notify_waiters();
                    let since = Instant::now();
                    self.given_up.notified().await;
                    if since.elapsed() >= SETTLED {
                        pause = PAUSES.0;
                    }
                }
                Err(reason) => *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = reason,
            }
            // Up to a half longer: nodes that lost it together do not come back together.
            let longer = rand::rng().random_range(1.0..1.5);
            tokio::time::sleep(pause.mul_f64(longer)).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// A connection on which Redis answers in time.
    async fn connect(&self, client: &Client) -> Result<MultiplexedConnection, String> {
        // Answers are waited for by whoever asks.
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_MAX)).set_response_timeout(None);
        let made = timeout(CONNECT_MAX, client.get_multiplexed_async_connection_with_config(&config)).await;
        let mut connection = made.map_err(|_| "no connection within 2 s".to_owned())?.map_err(|error| describe(&error))?;
        let asked =
            timeout(self.answer_max.max(Duration::from_millis(200)), redis::cmd("PING").query_async::<String>(&mut connection)).await;
        match asked {
            Ok(Ok(_)) => Ok(connection),
            Ok(Err(error)) => Err(describe(&error)),
            Err(_) => Err("it takes connections, and does not answer".to_owned()),
        }
    }
}

/// What went wrong, for logs and operators; without the URL, which may hold a password.
fn describe(error: &RedisError) -> String {
    let code = error.code().map(|code| format!("{code}: ")).unwrap_or_default();
    format!("{code}{}", error.category())
}
