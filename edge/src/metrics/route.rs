//! One route's counters: what a request pays for.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use http::StatusCode;
use prometheus::proto::{Bucket, Histogram};

const MICROSECOND: u64 = 1_000;
pub(super) const MILLISECOND: u64 = 1_000 * MICROSECOND;
const SECOND: u64 = 1_000 * MILLISECOND;

/// Upper bounds of the duration buckets in nanoseconds, from what a cached read takes to the limit of a request; steps of 2 to 3, so
/// that a quantile read from them is at most that factor off.
const BOUNDS_NANOS: [u64; 18] = [
    50 * MICROSECOND,
    100 * MICROSECOND,
    250 * MICROSECOND,
    500 * MICROSECOND,
    MILLISECOND,
    2_500 * MICROSECOND,
    5 * MILLISECOND,
    10 * MILLISECOND,
    25 * MILLISECOND,
    50 * MILLISECOND,
    100 * MILLISECOND,
    250 * MILLISECOND,
    500 * MILLISECOND,
    SECOND,
    2_500 * MILLISECOND,
    5 * SECOND,
    10 * SECOND,
    30 * SECOND,
];

pub(super) const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
pub(super) const SUCCESS: usize = 1;
pub(super) const SERVER_ERROR: usize = 4;

/// One route's counters.
pub struct RouteMetrics {
    pub(super) service: String,
    pub(super) route: String,
    pub(super) method: String,
    shards: Box<[Shard]>,
}

/// The counters that one worker raises; apart from its neighbours', since two workers raising counters in one cache line wait for
/// each other. 128 bytes, because processors fetch lines in pairs.
#[derive(Default)]
#[repr(align(128))]
struct Shard {
    classes: [Cells; CLASSES.len()],
}

#[derive(Default)]
struct Cells {
    buckets: [AtomicU64; BOUNDS_NANOS.len() + 1],
    sum_nanos: AtomicU64,
}

/// Counts read off at one moment.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    buckets: [u64; BOUNDS_NANOS.len() + 1],
    pub(super) sum_nanos: u64,
}

thread_local! {
    static SHARD: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Gives this thread's number, counted from 0 in order of first use.
fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    SHARD.with(|shard| match shard.get() {
        Some(number) => number,
        None => {
            let number = NEXT.fetch_add(1, Relaxed);
            shard.set(Some(number));
            number
        }
    })
}

impl RouteMetrics {
    pub(super) fn new(service: &str, route: &str, method: &str, shards: usize) -> Self {
        Self {
            service: service.to_owned(),
            route: route.to_owned(),
            method: method.to_owned(),
            shards: (0..shards).map(|_| Shard::default()).collect(),
        }
    }

    /// Counts one answered request.
    #[inline]
    pub fn observe(&self, status: StatusCode, elapsed: Duration) {
        // `http` admits 100 to 999; what is beyond 5xx counts as an error.
        let class = usize::from(status.as_u16() / 100 - 1).min(SERVER_ERROR);
        let nanos = elapsed.as_secs().saturating_mul(SECOND).saturating_add(u64::from(elapsed.subsec_nanos()));
        let bucket = BOUNDS_NANOS.partition_point(|bound| *bound < nanos);
        // The number of shards is a power of two.
        let shard = &self.shards[thread_number() & (self.shards.len() - 1)];
        let cells = &shard.classes[class];
        cells.buckets[bucket].fetch_add(1, Relaxed);
        cells.sum_nanos.fetch_add(nanos, Relaxed);
    }

    pub(super) fn counts(&self, class: usize) -> Counts {
        let mut counts = Counts::default();
        for shard in &self.shards {
            let cells = &shard.classes[class];
            for (count, cell) in counts.buckets.iter_mut().zip(&cells.buckets) {
                *count += cell.load(Relaxed);
            }
            counts.sum_nanos = counts.sum_nanos.wrapping_add(cells.sum_nanos.load(Relaxed));
        }
        counts
    }
}

impl fmt::Debug for RouteMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.service, self.method, self.route)
    }
}

impl Counts {
    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    pub(super) fn histogram(&self) -> Histogram {
        let mut cumulative = 0;
        let buckets = BOUNDS_NANOS
            .iter()
            .zip(&self.buckets)
            .map(|(bound, count)| {
                cumulative += count;
                let mut bucket = Bucket::default();
                bucket.set_upper_bound(*bound as f64 / SECOND as f64);
                bucket.set_cumulative_count(cumulative);
                bucket
            })
            .collect();
        let mut histogram = Histogram::default();
        histogram.set_bucket(buckets);
        histogram.set_sample_count(self.count());
        histogram.set_sample_sum(self.sum_nanos as f64 / SECOND as f64);
        histogram
    }
}
