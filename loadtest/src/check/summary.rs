//! The result of a check, for people and for programs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::timeline::{AtEdge, Second};
use super::verdict::{self, Rule, Verdict};
use super::{Options, Record};
use crate::http::Edge;
use crate::report::{self, Stamp};

/// How many violations are shown one by one.
const SHOWN_MAX: usize = 20;

/// The result of a check.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Where and when.
    pub stamp: Stamp,
    /// Whether the result is the wished one.
    pub passed: bool,
    /// Seconds from the first operation to the last.
    pub elapsed_seconds: f64,
    /// Answered reads held to every rule.
    pub reads_checked: u64,
    /// Reads begun within 1 ms of an acknowledgement of their key.
    pub reads_fresh: u64,
    /// Reads labelled as stale by the server, held to the agreement of version and value only.
    pub reads_labelled_stale: u64,
    /// Reads answered 5xx or 429.
    pub reads_refused: u64,
    /// Reads without an answer.
    pub reads_unanswered: u64,
    /// Reads and writes that were not sent, because an edge was not there.
    pub not_connected: u64,
    /// Answers that cannot be judged; any fails the check.
    pub answers_unusable: u64,
    /// What was wrong with the first of them.
    pub unusable_first: Option<String>,
    /// Acknowledged writes.
    pub writes_acknowledged: u64,
    /// Writes that the server refused.
    pub writes_refused: u64,
    /// Writes of unknown outcome.
    pub writes_unknown: u64,
    /// All violations.
    pub violations: u64,
    /// How many of each rule.
    pub violations_by_rule: BTreeMap<String, u64>,
    /// The longest time by which a read missed an acknowledged write, in µs.
    pub staleness_us_max: f64,
    /// The first violations.
    pub examples: Vec<String>,
    /// The greatest share of refused and unanswered attempts in any ten seconds, 0 to 1.
    pub error_share_max: f64,
    /// What happened at each edge.
    pub edges: Vec<EdgeFigures>,
    /// What ended in each second.
    pub seconds: Vec<SecondFigures>,
}

/// What happened at one edge. A wait is from the first attempt for a key until one succeeded.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct EdgeFigures {
    pub base: String,
    pub served: u64,
    /// By status; 0 stands for no answer.
    pub errors: BTreeMap<u16, u64>,
    pub not_connected: u64,
    pub read_wait_ms_max: f64,
    /// When that wait ended, in seconds of the run.
    pub read_wait_ended_seconds: f64,
    pub write_wait_ms_max: f64,
    pub write_wait_ended_seconds: f64,
}

/// What ended in one second of the run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct SecondFigures {
    pub reads: u64,
    pub writes: u64,
    pub errors: BTreeMap<u16, u64>,
    pub not_connected: u64,
    pub read_wait_ms_max: f64,
    pub write_wait_ms_max: f64,
}

impl Summary {
    /// Judges a record.
    pub fn new(stamp: Stamp, options: &Options, record: &Record) -> Self {
        let verdict = verdict::verify(&record.history);
        let failures = record.failures.clone();
        let found = verdict.violations_total() > 0;
        let judged = failures.answers_unusable == 0 && verdict.reads_checked > 0;
        Self {
            stamp,
            passed: judged && found == options.expect_violations,
            elapsed_seconds: record.elapsed.as_secs_f64(),
            reads_checked: verdict.reads_checked,
            reads_fresh: verdict.reads_fresh,
            reads_labelled_stale: verdict.reads_labelled_stale,
            reads_refused: failures.reads_refused,
            reads_unanswered: failures.reads_unanswered,
            not_connected: failures.not_connected,
            answers_unusable: failures.answers_unusable,
            unusable_first: failures.unusable_first,
            writes_acknowledged: verdict.writes_acknowledged,
            writes_refused: verdict.writes_refused,
            writes_unknown: verdict.writes_unknown,
            violations: verdict.violations_total(),
            violations_by_rule: by_rule(&verdict),
            staleness_us_max: verdict.staleness_ns_max as f64 / 1e3,
            examples: examples(&verdict),
            error_share_max: record.timeline.error_share_max(),
            edges: options.bases.iter().zip(record.timeline.edges()).map(|(base, at)| EdgeFigures::new(base, at)).collect(),
            seconds: record.timeline.seconds().iter().map(SecondFigures::new).collect(),
        }
    }
}

impl EdgeFigures {
    fn new(base: &Edge, at: &AtEdge) -> Self {
        Self {
            base: base.to_string(),
            served: at.served,
            errors: at.errors.clone(),
            not_connected: at.not_connected,
            read_wait_ms_max: at.read.ns as f64 / 1e6,
            read_wait_ended_seconds: at.read.ended as f64 / 1e9,
            write_wait_ms_max: at.write.ns as f64 / 1e6,
            write_wait_ended_seconds: at.write.ended as f64 / 1e9,
        }
    }

    fn row(&self) -> Vec<String> {
        let errors: u64 = self.errors.values().sum();
        let waits = [self.read_wait_ms_max, self.write_wait_ms_max].map(|ms| report::show_us(ms * 1e3));
        [self.base.clone(), self.served.to_string(), errors.to_string(), self.not_connected.to_string()].into_iter().chain(waits).collect()
    }
}

impl SecondFigures {
    fn new(second: &Second) -> Self {
        Self {
            reads: second.reads,
            writes: second.writes,
            errors: second.errors.clone(),
            not_connected: second.not_connected,
            read_wait_ms_max: second.read_wait_ns as f64 / 1e6,
            write_wait_ms_max: second.write_wait_ns as f64 / 1e6,
        }
    }
}

fn by_rule(verdict: &Verdict) -> BTreeMap<String, u64> {
    let count = |rule: Rule| verdict.violations_by_rule.get(&rule).copied().unwrap_or(0);
    Rule::ALL.into_iter().map(|rule| (rule.demand().to_owned(), count(rule))).collect()
}

fn examples(verdict: &Verdict) -> Vec<String> {
    let show = |violation: &verdict::Violation| {
        let begun = report::show_us(violation.begun as f64 / 1e3);
        format!("{:?}, key {}, begun at {begun}: {}", violation.rule, violation.key, violation.particulars)
    };
    verdict.violations.iter().take(SHOWN_MAX).map(show).collect()
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rate = self.reads_checked as f64 / self.elapsed_seconds;
        writeln!(f, "{} reads checked in {:.1} s ({rate:.0}/s)", self.reads_checked, self.elapsed_seconds)?;
        writeln!(f, "  begun within 1 ms of an acknowledgement of their key: {}", self.reads_fresh)?;
        writeln!(
            f,
            "  apart: {} labelled stale, {} refused (5xx, 429), {} unanswered, {} not sent for want of a connection",
            self.reads_labelled_stale, self.reads_refused, self.reads_unanswered, self.not_connected
        )?;
        writeln!(
            f,
            "{} writes acknowledged, {} refused, {} of unknown outcome",
            self.writes_acknowledged, self.writes_refused, self.writes_unknown
        )?;
        let rows: Vec<Vec<String>> = self.edges.iter().map(EdgeFigures::row).collect();
        write!(f, "{}", report::table(&["edge", "served", "errors", "not there", "longest wait to read", "to write"], &rows))?;
        writeln!(f, "errors in the worst ten seconds: {:.2} %", self.error_share_max * 100.0)?;
        let rows: Vec<Vec<String>> = self.violations_by_rule.iter().map(|(rule, count)| vec![rule.clone(), count.to_string()]).collect();
        write!(f, "{}", report::table(&["rule", "violations"], &rows))?;
        for example in &self.examples {
            writeln!(f, "  {example}")?;
        }
        if self.violations > self.examples.len() as u64 {
            writeln!(f, "  … and {} more", self.violations - self.examples.len() as u64)?;
        }
        if self.staleness_us_max > 0.0 {
            writeln!(f, "longest staleness: {}", report::show_us(self.staleness_us_max))?;
        }
        if let Some(why) = &self.unusable_first {
            writeln!(f, "{} answers could not be judged; the first: {why}", self.answers_unusable)?;
        }
        writeln!(f, "{}", if self.passed { "PASS" } else { "FAIL" })
    }
}
