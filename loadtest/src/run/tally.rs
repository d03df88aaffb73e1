//! What was measured: latencies and outcomes, per operation and per second.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::Operation;

/// Latencies up to a minute are kept with three digits; longer ones count as a minute.
const LATENCY_US_MAX: u64 = 60_000_000;

/// How an arrival ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Answered 2xx or 3xx.
    Answered,
    /// Answered 429 or 503: the server shed it.
    Refused,
    /// Answered otherwise.
    Failed,
    /// The connection broke or the deadline passed.
    Unanswered,
    /// Never sent: the backlog was full.
    Dropped,
}

/// Outcomes and latencies of arrivals. Each arrival counts, whatever its ending: the latency of one that was not
/// answered is the time until the driver knew.
#[derive(Clone, Debug)]
pub struct Counts {
    /// Answered 2xx or 3xx.
    pub answered: u64,
    /// Answered 429 or 503.
    pub refused: u64,
    /// Answered otherwise.
    pub failed: u64,
    /// Not answered.
    pub unanswered: u64,
    /// Not sent.
    pub dropped: u64,
    latency_us: Histogram<u64>,
}

/// One second of a run.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Second {
    /// Seconds since the run began.
    pub second: u64,
    /// Arrivals that ended in it.
    pub ended: u64,
    /// Those not answered 2xx or 3xx.
    pub errors: u64,
    /// Median latency in µs.
    pub p50_us: u64,
    /// 99th percentile in µs.
    pub p99_us: u64,
    /// The longest, in µs.
    pub max_us: u64,
}

/// Everything that a run measured.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Per operation.
    pub operations: BTreeMap<Operation, Counts>,
    /// Per second, the warm-up included.
    pub series: Vec<Second>,
    /// The time from due to sent: the driver's own lateness and the wait for a free connection.
    pub wait_us: Histogram<u64>,
    second: Counts,
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("the bounds are sound")
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Default for Counts {
    fn default() -> Self {
        Self { answered: 0, refused: 0, failed: 0, unanswered: 0, dropped: 0, latency_us: histogram() }
    }
}

impl Counts {
    fn record(&mut self, ending: Ending, latency_us: u64) {
        *match ending {
            Ending::Answered => &mut self.answered,
            Ending::Refused => &mut self.refused,
            Ending::Failed => &mut self.failed,
            Ending::Unanswered => &mut self.unanswered,
            Ending::Dropped => &mut self.dropped,
        } += 1;
        self.latency_us.saturating_record(latency_us);
    }

    fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.refused += other.refused;
        self.failed += other.failed;
        self.unanswered += other.unanswered;
        self.dropped += other.dropped;
        self.latency_us.add(&other.latency_us).expect("all histograms have the same bounds");
    }

    /// All arrivals.
    pub fn arrivals(&self) -> u64 {
        self.answered + self.errors()
    }

    /// Those not answered 2xx or 3xx.
    pub fn errors(&self) -> u64 {
        self.refused + self.failed + self.unanswered + self.dropped
    }

    /// The share of errors, 0 to 1.
    pub fn error_share(&self) -> f64 {
        if self.arrivals() == 0 { 0.0 } else { self.errors() as f64 / self.arrivals() as f64 }
    }

    /// A latency percentile, 0 to 100, in µs.
    pub fn percentile_us(&self, percentile: f64) -> u64 {
        self.latency_us.value_at_percentile(percentile)
    }

    /// The longest latency in µs.
    pub fn max_us(&self) -> u64 {
        self.latency_us.max()
    }

    /// The mean latency in µs.
    pub fn mean_us(&self) -> f64 {
        self.latency_us.mean()
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self { operations: BTreeMap::new(), series: Vec::new(), wait_us: histogram(), second: Counts::default() }
    }
}

impl Tally {
    /// Records the end of an arrival; `measured` is false in the warm-up.
    pub fn record(&mut self, operation: Operation, ending: Ending, latency: Duration, measured: bool) {
        let latency_us = micros(latency);
        self.second.record(ending, latency_us);
        if measured {
            self.operations.entry(operation).or_default().record(ending, latency_us);
        }
    }

    /// Records how long a measured arrival waited before it was sent.
    pub fn record_wait(&mut self, wait: Duration) {
        self.wait_us.saturating_record(micros(wait));
    }

    /// Closes the current second of the series and returns it.
    pub fn end_second(&mut self) -> Second {
        let counts = std::mem::take(&mut self.second);
        let second = Second {
            second: self.series.len() as u64,
            ended: counts.arrivals(),
            errors: counts.errors(),
            p50_us: counts.percentile_us(50.0),
            p99_us: counts.percentile_us(99.0),
            max_us: counts.max_us(),
        };
        self.series.push(second);
        second
    }

    /// All operations together.
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        self.operations.values().for_each(|counts| total.add(counts));
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_warmup_shows_in_the_series_only() {
        let mut tally = Tally::default();
        tally.record(Operation::Feed, Ending::Answered, Duration::from_millis(900), false);
        assert_eq!(tally.end_second().ended, 1);
        tally.record(Operation::Feed, Ending::Answered, Duration::from_millis(2), true);
        tally.record(Operation::Post, Ending::Unanswered, Duration::from_millis(4), true);
        tally.record(Operation::Post, Ending::Dropped, Duration::from_secs(900), true);
        let total = tally.total();
        assert_eq!((total.arrivals(), total.answered, total.errors()), (3, 1, 2));
        assert!((2_000..2_003).contains(&total.percentile_us(10.0)), "{}", total.percentile_us(10.0));
        // Beyond the histogram's end a latency counts as the end, never as nothing.
        assert!(total.max_us() >= LATENCY_US_MAX);
        assert_eq!(tally.end_second().errors, 2);
    }
}
