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
    /// Answered that it cannot be done, as this operation may be (409).
    Declined,
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
    /// Answered 2xx or 3xx, or declined.
    pub answered: u64,
    /// Of these, those that were declined.
    pub declined: u64,
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
    /// Arrivals that were due in it.
    pub offered: u64,
    /// Arrivals that ended in it.
    pub ended: u64,
    /// Those of them that were not answered as they should be.
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
    /// Of a staircase, per step.
    pub steps: Vec<Counts>,
    /// What was due, per second of the run.
    offered: Vec<u64>,
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
        Self { answered: 0, declined: 0, refused: 0, failed: 0, unanswered: 0, dropped: 0, latency_us: histogram() }
    }
}

impl Counts {
    fn record(&mut self, ending: Ending, latency_us: u64) {
        self.declined += u64::from(ending == Ending::Declined);
        *match ending {
            Ending::Answered | Ending::Declined => &mut self.answered,
            Ending::Refused => &mut self.refused,
            Ending::Failed => &mut self.failed,
            Ending::Unanswered => &mut self.unanswered,
            Ending::Dropped => &mut self.dropped,
        } += 1;
        self.latency_us.saturating_record(latency_us);
    }

    fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.declined += other.declined;
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

    /// Those not answered as they should be.
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

/// Changes what stands at a place, which is made if it is not there.
fn add_at<T: Default>(all: &mut Vec<T>, at: usize, change: impl FnOnce(&mut T)) {
    if all.len() <= at {
        all.resize_with(at + 1, T::default);
    }
    change(&mut all[at]);
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            operations: BTreeMap::new(),
            series: Vec::new(),
            wait_us: histogram(),
            steps: Vec::new(),
            offered: Vec::new(),
            second: Counts::default(),
        }
    }
}

impl Tally {
    /// Records that an arrival was due so long after the beginning of the run.
    pub fn offer(&mut self, after: Duration) {
        add_at(&mut self.offered, usize::try_from(after.as_secs()).expect("a run has fewer than 2^32 seconds"), |count| *count += 1);
    }

    /// Records the end of an arrival; `measured` is false in the warm-up, `step` is that of a staircase.
    pub fn record(&mut self, operation: Operation, ending: Ending, latency: Duration, measured: bool, step: Option<usize>) {
        let latency_us = micros(latency);
        self.second.record(ending, latency_us);
        if measured {
            self.operations.entry(operation).or_default().record(ending, latency_us);
        }
        if let Some(step) = step {
            add_at(&mut self.steps, step, |counts| counts.record(ending, latency_us));
        }
    }

    /// Records how long a measured arrival waited before it was sent.
    pub fn record_wait(&mut self, wait: Duration) {
        self.wait_us.saturating_record(micros(wait));
    }

    /// Closes the current second of the series and returns it.
    pub fn end_second(&mut self) -> Second {
        let counts = std::mem::take(&mut self.second);
        let number = self.series.len();
        let second = Second {
            second: number as u64,
            offered: self.offered.get(number).copied().unwrap_or(0),
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
        tally.record(Operation::Feed, Ending::Answered, Duration::from_millis(900), false, None);
        assert_eq!(tally.end_second().ended, 1);
        tally.record(Operation::Feed, Ending::Answered, Duration::from_millis(2), true, Some(1));
        tally.record(Operation::Post, Ending::Unanswered, Duration::from_millis(4), true, None);
        tally.record(Operation::Post, Ending::Dropped, Duration::from_secs(900), true, None);
        let total = tally.total();
        assert_eq!((total.arrivals(), total.answered, total.errors()), (3, 1, 2));
        assert!((2_000..2_003).contains(&total.percentile_us(10.0)), "{}", total.percentile_us(10.0));
        // Beyond the histogram's end a latency counts as the end, never as nothing.
        assert!(total.max_us() >= LATENCY_US_MAX);
        assert_eq!(tally.end_second().errors, 2);
        assert_eq!(tally.steps.iter().map(Counts::arrivals).collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn what_was_due_shows_in_its_own_second() {
        let mut tally = Tally::default();
        for tenths in 0..25 {
            tally.offer(Duration::from_millis(100 * tenths));
        }
        let offered: Vec<u64> = (0..4).map(|_| tally.end_second().offered).collect();
        assert_eq!(offered, [10, 10, 5, 0]);
    }

    #[test]
    fn who_is_declined_is_answered() {
        let mut tally = Tally::default();
        tally.record(Operation::Order, Ending::Declined, Duration::from_millis(1), true, None);
        let total = tally.total();
        assert_eq!((total.answered, total.declined, total.errors(), total.arrivals()), (1, 1, 0, 1));
    }
}
