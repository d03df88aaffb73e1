//! The result of a check, for people and for programs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::verdict::{self, Rule, Verdict};
use super::{Options, Record};
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
            answers_unusable: failures.answers_unusable,
            unusable_first: failures.unusable_first,
            writes_acknowledged: verdict.writes_acknowledged,
            writes_refused: verdict.writes_refused,
            writes_unknown: verdict.writes_unknown,
            violations: verdict.violations_total(),
            violations_by_rule: by_rule(&verdict),
            staleness_us_max: verdict.staleness_ns_max as f64 / 1e3,
            examples: examples(&verdict),
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
            "  apart: {} labelled stale, {} refused (5xx, 429), {} unanswered",
            self.reads_labelled_stale, self.reads_refused, self.reads_unanswered
        )?;
        writeln!(
            f,
            "{} writes acknowledged, {} refused, {} of unknown outcome",
            self.writes_acknowledged, self.writes_refused, self.writes_unknown
        )?;
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
