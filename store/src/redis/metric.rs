//! What is counted of the second level. docs/metrics.md is generated from what is served.

use super::strategy::Strategy;
use crate::metric::add;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, exponential_buckets};

/// What a read came to.
#[derive(Clone, Copy)]
pub(super) enum Read {
    /// It was there, at the version that was asked for.
    Hit,
    /// It was not there.
    Miss,
    /// It was there at another version.
    Stale,
    /// What was there is not what this release writes.
    Unreadable,
    /// Redis did not answer, or is left alone for a while because it did not.
    Away,
}

/// What a write came to.
#[derive(Clone, Copy)]
pub(super) enum Written {
    /// It is kept.
    Kept,
    /// Something newer is kept.
    Older,
    /// Too much waited already.
    Dropped,
    /// Redis refused it, did not answer, or is left alone.
    Failed,
}

/// What edges count together.
#[derive(Clone, Copy)]
pub(super) enum Shared {
    /// What callers spend of their limits, each time that an edge tells of it.
    Requests,
    /// Tries that may be guesses.
    Tries,
}

const READS: [&str; 5] = ["hit", "miss", "stale", "unreadable", "away"];
const WRITES: [&str; 4] = ["kept", "older", "dropped", "failed"];
const SHARED: [&str; 2] = ["requests", "tries"];

pub(super) struct Metrics {
    /// By strategy.
    reads: Vec<[IntCounter; READS.len()]>,
    writes: [IntCounter; WRITES.len()],
    /// By what is counted: what was shared, and what was not.
    counts: [[IntCounter; 2]; SHARED.len()],
    pub(super) duration: Histogram,
    pub(super) up: IntGauge,
}

impl Metrics {
    /// Makes the series, all of them from the start, and registers them; refused where they are registered already.
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let opts =
            Opts::new("redis_reads_total", "Reads of Redis: `hit`, `miss`, `stale` (there at another version), `unreadable`, `away`.");
        let reads = add(registry, IntCounterVec::new(opts, &["strategy", "outcome"]))?;
        let opts = Opts::new(
            "redis_writes_total",
            "Values given to Redis: `kept`, `older` (something newer was there), `dropped` (too much waited), `failed`.",
        );
        let writes = add(registry, IntCounterVec::new(opts, &["outcome"]))?;
        let opts = Opts::new(
            "redis_counts_total",
            "Counts that edges share: callers whose spending was told (`requests`) and tries to sign in (`tries`), `shared`, or `failed`: then each edge goes by its own.",
        );
        let counts = add(registry, IntCounterVec::new(opts, &["of", "outcome"]))?;
        let opts =
            HistogramOpts::new("redis_duration_seconds", "From when Redis was asked until it answered, or no longer was waited for.");
        let of = |strategy: &Strategy| READS.map(|outcome| reads.with_label_values(&[strategy.namespace(), outcome]));
        Ok(Self {
            reads: Strategy::ALL.iter().map(of).collect(),
            writes: WRITES.map(|outcome| writes.with_label_values(&[outcome])),
            counts: SHARED.map(|of| ["shared", "failed"].map(|outcome| counts.with_label_values(&[of, outcome]))),
            duration: add(registry, Histogram::with_opts(opts.buckets(exponential_buckets(0.000_05, 2.0, 12)?)))?,
            up: add(registry, IntGauge::new("redis_up", "Whether Redis is in use: 0 while it is left alone because it did not answer."))?,
        })
    }

    pub(super) fn read(&self, strategy: Strategy, outcome: Read) {
        self.reads[strategy as usize][outcome as usize].inc();
    }

    pub(super) fn written(&self, outcome: Written, values: usize) {
        self.writes[outcome as usize].inc_by(values as u64);
    }

    pub(super) fn counted(&self, of: Shared, shared: bool, counts: usize) {
        self.counts[of as usize][usize::from(!shared)].inc_by(counts as u64);
    }
}
