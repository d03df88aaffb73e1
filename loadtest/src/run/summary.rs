//! The result of a run, for people and for programs.

use serde::Serialize;

use super::shape::{Shape, Spacing};
use super::tally::{Counts, Second, Tally};
use super::{Options, Scenario};
use crate::check;
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
    /// Arrivals per second, as asked for; of a rate that changes, their mean.
    pub rate_wanted: f64,
    /// The rate over time, as asked for.
    pub shape: Shape,
    /// How arrivals kept to it.
    pub spacing: Spacing,
    /// Arrivals per second that were answered as they should be.
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
    /// Of a staircase, each step.
    pub steps: Vec<Step>,
    /// What the history checker beside the load found, if it was asked.
    pub check: Option<check::Summary>,
}

/// One step of a staircase.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Step {
    pub rate_per_s: f64,
    pub answered_per_s: f64,
    pub arrivals: u64,
    pub errors: u64,
    pub p50_us: u64,
    pub p99_us: u64,
    pub max_us: u64,
}

/// Counts and latencies, the latter in µs from due to the answer's end.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Figures {
    pub operation: String,
    pub arrivals: u64,
    pub answered: u64,
    pub declined: u64,
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
            declined: counts.declined,
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

impl Step {
    fn new(rate_per_s: f64, seconds: f64, counts: &Counts) -> Self {
        Self {
            rate_per_s,
            answered_per_s: counts.answered as f64 / seconds,
            arrivals: counts.arrivals(),
            errors: counts.errors(),
            p50_us: counts.percentile_us(50.0),
            p99_us: counts.percentile_us(99.0),
            max_us: counts.max_us(),
        }
    }

    fn row(&self) -> Vec<String> {
        let counts = [format!("{}", self.rate_per_s), format!("{:.1}", self.answered_per_s), self.errors.to_string()];
        counts.into_iter().chain([self.p50_us, self.p99_us, self.max_us].map(|us| report::show_us(us as f64))).collect()
    }
}

impl Summary {
    /// Sums up a tally, and what the checker beside it found.
    pub fn new(stamp: Stamp, options: &Options, tally: &Tally, check: Option<check::Summary>) -> Self {
        let judge = |threshold: &super::Threshold| {
            let (measured, held) = threshold.judge(tally);
            Judged { rule: threshold.text().to_owned(), measured, held }
        };
        let thresholds: Vec<Judged> = options.thresholds.iter().map(judge).collect();
        let total = Figures::new("all".to_owned(), &tally.total());
        let shape = options.shape();
        let step_seconds = options.duration.as_secs_f64() / shape.steps().len().max(1) as f64;
        let held = total.answered > 0 && thresholds.iter().all(|threshold| threshold.held);
        Self {
            stamp,
            passed: held && check.as_ref().is_none_or(|check| check.passed),
            scenario: options.scenario,
            rate_wanted: shape.mean_per_s(),
            rate_answered: total.answered as f64 / measured_seconds(options, &shape),
            spacing: options.arrivals,
            connections: options.connections,
            zipf: options.zipf,
            operations: tally.operations.iter().map(|(name, counts)| Figures::new(name.to_string(), counts)).collect(),
            total,
            wait_us_p99: tally.wait_us.value_at_percentile(99.0),
            thresholds,
            series: tally.series.clone(),
            steps: shape.steps().iter().zip(&tally.steps).map(|(rate, counts)| Step::new(*rate, step_seconds, counts)).collect(),
            shape,
            check,
        }
    }
}

/// The time in which measured arrivals were due: the duration, unless the count of requests ended the run before.
fn measured_seconds(options: &Options, shape: &Shape) -> f64 {
    let ended_by_count = shape.curve(options.warmup, options.duration).due(options.requests_max as f64);
    let seconds = ended_by_count.map_or(options.duration, |last| last.after.saturating_sub(options.warmup)).as_secs_f64();
    seconds.max(f64::MIN_POSITIVE)
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "{:?}: {} arrivals/s wanted, {:.1}/s answered, {} connections",
            self.scenario, self.shape, self.rate_answered, self.connections
        )?;
        let rows: Vec<Vec<String>> = self.operations.iter().chain([&self.total]).map(Figures::row).collect();
        write!(f, "{}", report::table(&["operation", "arrivals", "errors", "p50", "p90", "p99", "p99.9", "max"], &rows))?;
        if !self.steps.is_empty() {
            let rows: Vec<Vec<String>> = self.steps.iter().map(Step::row).collect();
            write!(f, "{}", report::table(&["arrivals/s", "answered/s", "errors", "p50", "p99", "max"], &rows))?;
        }
        let total = &self.total;
        if total.declined > 0 {
            writeln!(f, "declined (409, sold out), which counts as answered: {}", total.declined)?;
        }
        writeln!(
            f,
            "errors: {} refused (429, 503), {} failed, {} unanswered, {} dropped; waited to be sent: p99 {}",
            total.refused,
            total.failed,
            total.unanswered,
            total.dropped,
            report::show_us(self.wait_us_p99 as f64)
        )?;
        if let Some(check) = &self.check {
            write!(f, "the history checker beside it: {check}")?;
        }
        for Judged { rule, measured, held } in &self.thresholds {
            writeln!(f, "{}  {rule} (measured {measured})", if *held { "held  " } else { "BROKEN" })?;
        }
        writeln!(f, "{}", if self.passed { "PASS" } else { "FAIL" })
    }
}
