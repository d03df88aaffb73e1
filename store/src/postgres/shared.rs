//! Connections that many share: look-ups by key, sent as they come and answered in that order.
//!
//! What is ready to be sent at one time goes in one packet, and its answers come back in few, so that a look-up costs a fraction of what it does on
//! a connection of its own. The price is that an answer waits for those before it: only statements that find their rows by key are asked here.

use super::PostgresOptions;
use super::connection::{Connection, Manager};
use super::fault::Fault;
use super::pool::LastFailure;
use bb8::ManageConnection;
use prometheus::IntGauge;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// Look-ups that are under way on each connection before the next one is used: enough to fill packets.
const DEPTH: usize = 32;

/// A few connections for everybody.
pub(super) struct Shared {
    manager: Manager,
    places: Box<[Place]>,
    waiting_max: usize,
    checkout_max: Duration,
    lifetime_max: Duration,
    last_failure: LastFailure,
    count: IntGauge,
}

/// Where one connection is, or will be.
#[derive(Default)]
struct Place {
    under_way: AtomicUsize,
    current: RwLock<Option<Arc<Living>>>,
    /// Held by whoever makes the next connection.
    making: Mutex<()>,
}

struct Living {
    connection: Connection,
    born: Instant,
    count: IntGauge,
}

impl Drop for Living {
    fn drop(&mut self) {
        self.count.dec();
    }
}

impl Shared {
    pub(super) fn new(manager: Manager, options: &PostgresOptions, last_failure: LastFailure, count: IntGauge) -> Self {
        let places = (0..options.shared_connections.max(1)).map(|_| Place::default()).collect();
        let &PostgresOptions { waiting_max, checkout_max, lifetime_max, .. } = options;
        Self { manager, places, waiting_max, checkout_max, lifetime_max, last_failure, count }
    }

    /// The rows that a statement gives. Whoever stops waiting leaves the connection as it is.
    pub(super) async fn query(&self, sql: &'static str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Fault> {
        let place = self.place();
        let _under_way = UnderWay::begin(&place.under_way, self.waiting_max)?;
        let living = match place.living(self.lifetime_max) {
            Some(living) => living,
            None => match timeout(self.checkout_max, self.make(place)).await {
                Ok(made) => made?,
                Err(_) => return Err(self.last_failure.fault()),
            },
        };
        living.connection.query(sql.into(), values).await
    }

    /// The first with room in its packets; where all are full, the emptiest.
    fn place(&self) -> &Place {
        let under_way = |place: &&Place| place.under_way.load(Ordering::Relaxed);
        let with_room = self.places.iter().find(|place| under_way(place) < DEPTH);
        with_room.or_else(|| self.places.iter().min_by_key(under_way)).expect("there is one")
    }

    /// One connection, however many ask for it.
    async fn make(&self, place: &Place) -> Result<Arc<Living>, Fault> {
        let _making = place.making.lock().await;
        if let Some(living) = place.living(self.lifetime_max) {
            return Ok(living);
        }
        let connection = self.manager.connect().await?;
        self.count.inc();
        let living = Arc::new(Living { connection, born: Instant::now(), count: self.count.clone() });
        *place.current.write().unwrap_or_else(PoisonError::into_inner) = Some(living.clone());
        Ok(living)
    }
}

impl Place {
    /// Its connection, unless that is of no more use. One that grew old ends with the last look-up on it.
    fn living(&self, lifetime_max: Duration) -> Option<Arc<Living>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().filter(|living| !living.connection.is_broken() && living.born.elapsed() < lifetime_max).cloned()
    }
}

/// A look-up, for as long as somebody waits for it.
struct UnderWay<'a>(&'a AtomicUsize);

impl<'a> UnderWay<'a> {
    fn begin(count: &'a AtomicUsize, max: usize) -> Result<Self, Fault> {
        let under_way = Self(count);
        if count.fetch_add(1, Ordering::Relaxed) < max { Ok(under_way) } else { Err(Fault::Overloaded) }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
