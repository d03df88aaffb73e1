//! How much the databases' threads have to do.

use crate::metric::add;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntGauge, IntGaugeVec, Opts, Registry, exponential_buckets};

/// The families, shared by the databases.
pub(super) struct Loads {
    batches: HistogramVec,
    depths: IntGaugeVec,
}

/// One database's part.
pub(super) struct Load {
    pub(super) batch: Histogram,
    pub(super) read_depth: IntGauge,
    pub(super) write_depth: IntGauge,
}

impl Loads {
    /// Makes the families and registers them; refused where they are registered already.
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let batch = HistogramOpts::new("store_commit_batch_size", "SQLite: writes that became durable, or failed, by one COMMIT.");
        let depth = Opts::new("store_queue_depth", "SQLite: jobs that wait for a database's threads.");
        Ok(Self {
            batches: add(registry, HistogramVec::new(batch.buckets(exponential_buckets(1.0, 2.0, 10)?), &["database"]))?,
            depths: add(registry, IntGaugeVec::new(depth, &["database", "queue"]))?,
        })
    }

    /// One database's part.
    pub(super) fn database(&self, database: &str) -> Load {
        Load {
            batch: self.batches.with_label_values(&[database]),
            read_depth: self.depths.with_label_values(&[database, "read"]),
            write_depth: self.depths.with_label_values(&[database, "write"]),
        }
    }
}
