//! The result of a run, for people and for programs.

use serde::Serialize;

use super::tally::{Counts, Second, Tally};
use super::{Options, Scenario};
use crate::report::{self, Stamp};

/// The result of a run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Where and when.
    pub stamp: Stamp,
    /// Whether every threshold held.
    pub passed: bool,
    /// The mix.
    pub scenario: Scenario,
    /// Arrivals per second, as asked for.
    pub rate_wanted: u32,
    /// Arrivals per second that were answered 2xx or 3xx.
    pub rate_answered: f64,
    /// Keep-alive connections.
    pub connections: u16,
    /// Zipf exponent of the keys.
    pub zipf: f64,
    /// All operations together.
    pub total: Figures,
    /// Each operation.
    pub operations: Vec<Figures>,
    /// The time from due to sent, 99th percentile in µs: what of the latency is the wait for the driver or for a connection.
    pub wait_us_p99: u64,
    /// Each threshold with what was measured.
    pub thresholds: Vec<Judged>,
    /// Each second of the run, the warm-up included.
    pub series: Vec<Second>,
}

/// Counts and latencies, the latter in µs from due to the answer's end.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Figures {
    pub operation: String,
    pub arrivals: u64,
    pub answered: u64,
    pub refused: u64,
    pub failed: u64,
    pub unanswered: u64,
    pub dropped: u64,
    pub mean_us: f64,
    pub p50_us: u64,
    pub p90_us: u64,
    pub p95_us: u64,
    pub p99_us: u64,
    pub p999_us: u64,
    pub max_us: u64,
}

/// A threshold and how it fared.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Judged {
    pub rule: String,
    pub measured: String,
    pub held: bool,
}

impl Figures {
    fn new(operation: String, counts: &Counts) -> Self {
        Self {
            operation,
            arrivals: counts.arrivals(),
            answered: counts.answered,
            refused: counts.refused,
            failed: counts.failed,
            unanswered: counts.unanswered,
            dropped: counts.dropped,
            mean_us: counts.mean_us(),
            p50_us: counts.percentile_us(50.0),
            p90_us: counts.percentile_us(90.0),
            p95_us: counts.percentile_us(95.0),
            p99_us: counts.percentile_us(99.0),
            p999_us: counts.percentile_us(99.9),
            max_us: counts.max_us(),
        }
    }

    fn row(&self) -> Vec<String> {
        let latencies = [self.p50_us, self.p90_us, self.p99_us, self.p999_us, self.max_us];
        let errors = self.arrivals - self.answered;
        let counts = [self.operation.clone(), self.arrivals.to_string(), errors.to_string()];
        counts.into_iter().chain(latencies.map(|us| report::show_us(us as f64))).collect()
    }
}

impl Summary {
    /// Sums up a tally.
    pub fn new(stamp: Stamp, options: &Options, tally: &Tally) -> Self {
        let judge = |threshold: &super::Threshold| {
            let (measured, held) = threshold.judge(tally);
            Judged { rule: threshold.text().to_owned(), measured, held }
        };
        let thresholds: Vec<Judged> = options.thresholds.iter().map(judge).collect();
        let total = Figures::new("all".to_owned(), &tally.total());
        Self {
            stamp,
            passed: total.answered > 0 && thresholds.iter().all(|threshold| threshold.held),
            scenario: options.scenario,
            rate_wanted: options.rate,
            rate_answered: total.answered as f64 / measured_seconds(options),
            connections: options.connections,
            zipf: options.zipf,
            operations: tally.operations.iter().map(|(name, counts)| Figures::new(name.to_string(), counts)).collect(),
            total,
            wait_us_p99: tally.wait_us.value_at_percentile(99.0),
            thresholds,
            series: tally.series.clone(),
        }
    }
}

/// The time in which measured arrivals were due: the duration, unless the count of requests ended the run before.
fn measured_seconds(options: &Options) -> f64 {
    let by_count = options.requests_max as f64 / f64::from(options.rate) - options.warmup.as_secs_f64();
    options.duration.as_secs_f64().min(by_count).max(f64::MIN_POSITIVE)
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "{:?}: {} arrivals/s wanted, {:.1}/s answered, {} connections",
            self.scenario, self.rate_wanted, self.rate_answered, self.connections
        )?;
        let rows: Vec<Vec<String>> = self.operations.iter().chain([&self.total]).map(Figures::row).collect();
        write!(f, "{}", report::table(&["operation", "arrivals", "errors", "p50", "p90", "p99", "p99.9", "max"], &rows))?;
        let total = &self.total;
        writeln!(
            f,
            "errors: {} refused (429, 503), {} failed, {} unanswered, {} dropped; waited to be sent: p99 {}",
            total.refused,
            total.failed,
            total.unanswered,
            total.dropped,
            report::show_us(self.wait_us_p99 as f64)
        )?;
        for Judged { rule, measured, held } in &self.thresholds {
            writeln!(f, "{}  {rule} (measured {measured})", if *held { "held  " } else { "BROKEN" })?;
        }
        writeln!(f, "{}", if self.passed { "PASS" } else { "FAIL" })
    }
}
