//! The metrics of the pools.

use crate::metric::add;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, exponential_buckets,
};

/// The families, shared by the databases.
pub(super) struct Metrics {
    waiting: IntGaugeVec,
    wait: HistogramVec,
    timeouts: IntCounterVec,
    connections: IntGaugeVec,
}

impl Metrics {
    /// Makes the families and registers all but the one that [`PoolCollectors`] fills.
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let wait = HistogramOpts::new("store_pool_wait_seconds", "PostgreSQL: from when a connection was asked for until there was one.");
        let waiting = Opts::new("store_pool_waiting", "PostgreSQL: operations that wait for a connection.");
        let timeouts = Opts::new("store_pool_timeouts_total", "PostgreSQL: operations that got no connection in time.");
        let connections = Opts::new(
            "store_pool_connections",
            "PostgreSQL: connections: `busy`, `idle`, and those that look-ups by key share (`shared`).",
        );
        Ok(Self {
            waiting: add(registry, IntGaugeVec::new(waiting, &["database"]))?,
            wait: add(registry, HistogramVec::new(wait.buckets(exponential_buckets(0.000_01, 4.0, 10)?), &["database"]))?,
            timeouts: add(registry, IntCounterVec::new(timeouts, &["database"]))?,
            connections: IntGaugeVec::new(connections, &["database", "state"])?,
        })
    }

    /// One pool's part.
    pub(super) fn pool(&self, database: &'static str) -> PoolMetrics {
        PoolMetrics {
            waiting: self.waiting.with_label_values(&[database]),
            wait: self.wait.with_label_values(&[database]),
            timeouts: self.timeouts.with_label_values(&[database]),
            idle: self.connections.with_label_values(&[database, "idle"]),
            busy: self.connections.with_label_values(&[database, "busy"]),
            shared: self.connections.with_label_values(&[database, "shared"]),
        }
    }

    /// Registers the gauges that are read off the pools when somebody looks.
    pub(super) fn watch(self, registry: &Registry, pools: Vec<PoolCollector>) -> prometheus::Result<()> {
        registry.register(Box::new(PoolCollectors { family: self.connections, pools }))
    }
}

/// One pool's metrics.
pub(super) struct PoolMetrics {
    pub(super) waiting: IntGauge,
    pub(super) wait: Histogram,
    pub(super) timeouts: IntCounter,
    idle: IntGauge,
    busy: IntGauge,
    /// Connections that look-ups share.
    pub(super) shared: IntGauge,
}

impl PoolMetrics {
    /// Reads off connections (all, idle ones) when somebody looks.
    pub(super) fn collector(&self, read: impl Fn() -> (u32, u32) + Send + Sync + 'static) -> PoolCollector {
        PoolCollector { idle: self.idle.clone(), busy: self.busy.clone(), read: Box::new(read) }
    }
}

/// Reads one pool.
pub(super) struct PoolCollector {
    idle: IntGauge,
    busy: IntGauge,
    read: Box<dyn Fn() -> (u32, u32) + Send + Sync>,
}

/// Reads all pools.
struct PoolCollectors {
    family: IntGaugeVec,
    pools: Vec<PoolCollector>,
}

impl Collector for PoolCollectors {
    fn desc(&self) -> Vec<&Desc> {
        self.family.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        for pool in &self.pools {
            let (all, idle) = (pool.read)();
            pool.idle.set(idle.into());
            pool.busy.set(all.saturating_sub(idle).into());
        }
        self.family.collect()
    }
}
