//! What is counted of object storage. docs/metrics.md is generated from what is served.

use super::Operation;
use crate::metric::add;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, exponential_buckets};
use std::time::Duration;

pub(super) const OPERATIONS: [&str; 4] = ["put", "get", "look", "remove"];

pub(super) struct Metrics {
    durations: [Histogram; OPERATIONS.len()],
    failures: [IntCounter; OPERATIONS.len()],
}

impl Metrics {
    /// Makes the series, all of them from the start, and registers them; refused where they are registered already.
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let duration = HistogramOpts::new("object_storage_duration_seconds", "What object storage was asked, until it had answered.");
        let duration = duration.buckets(exponential_buckets(0.000_5, 3.0, 10)?);
        let durations = add(registry, HistogramVec::new(duration, &["operation"]))?;
        let failure = Opts::new("object_storage_failures_total", "What object storage was asked and did not do, or not in time.");
        let failures = add(registry, IntCounterVec::new(failure, &["operation"]))?;
        Ok(Self {
            durations: OPERATIONS.map(|operation| durations.with_label_values(&[operation])),
            failures: OPERATIONS.map(|operation| failures.with_label_values(&[operation])),
        })
    }

    pub(super) fn observe(&self, operation: Operation, took: Duration, is_done: bool) {
        self.durations[operation as usize].observe(took.as_secs_f64());
        if !is_done {
            self.failures[operation as usize].inc();
        }
    }
}
