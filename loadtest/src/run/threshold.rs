use std::str::FromStr;

use super::scenario::Scenario;
use super::tally::{Counts, Tally};
use crate::report;
use clap::ValueEnum as _;

/// What a run must keep: `p99<50ms`, `max<1s` or `errors<1%`, of all operations or, with a prefix, of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    text: String,
    operation: Option<String>,
    measure: Measure,
    /// In µs for latencies, as a share for errors.
    limit: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Measure {
    Percentile(f64),
    Max,
    Errors,
}

impl Threshold {
    /// The rule as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What was measured, as text, and whether the rule held. A rule about an operation that did not occur is broken.
    pub fn judge(&self, tally: &Tally) -> (String, bool) {
        let total = tally.total();
        let counts = match &self.operation {
            None => Some(&total),
            Some(name) => tally.operations.iter().find(|(operation, _)| operation.to_string() == *name).map(|(_, counts)| counts),
        };
        let Some(counts) = counts.filter(|counts| counts.arrivals() > 0) else { return ("nothing".to_owned(), false) };
        let measured = self.measure.of(counts);
        let shown = match self.measure {
            Measure::Errors => format!("{:.3} %", measured * 100.0),
            _ => report::show_us(measured),
        };
        (shown, measured < self.limit)
    }
}

impl Measure {
    fn of(self, counts: &Counts) -> f64 {
        match self {
            Self::Percentile(percentile) => counts.percentile_us(percentile) as f64,
            Self::Max => counts.max_us() as f64,
            Self::Errors => counts.error_share(),
        }
    }
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text:?} is no threshold: write p99<50ms, max<1s, errors<1% or feed:p99<80ms");
        let (left, limit) = text.split_once('<').ok_or_else(wrong)?;
        let (operation, measure) = match left.split_once(':') {
            Some((operation, measure)) => (Some(operation.trim().to_owned()), measure.trim()),
            None => (None, left.trim()),
        };
        if let Some(name) = &operation {
            let mut known = Scenario::value_variants().iter().flat_map(|scenario| scenario.mix());
            known
                .any(|(operation, _)| operation.to_string() == *name)
                .then_some(())
                .ok_or_else(|| format!("there is no operation {name:?}"))?;
        }
        let limit = limit.trim();
        let (measure, limit) = if measure == "errors" {
            let percent: f64 = limit.strip_suffix('%').and_then(|number| number.trim().parse().ok()).ok_or_else(wrong)?;
            (Measure::Errors, percent / 100.0)
        } else {
            let limit_us = report::parse_duration(limit)?.as_secs_f64() * 1e6;
            if measure == "max" {
                (Measure::Max, limit_us)
            } else {
                let percentile = measure.strip_prefix('p').and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
                (0.0..=100.0).contains(&percentile).then_some((Measure::Percentile(percentile), limit_us)).ok_or_else(wrong)?
            }
        };
        Ok(Self { text: text.to_owned(), operation, measure, limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Operation;
    use crate::run::tally::Ending;
    use std::time::Duration;

    #[test]
    fn rules_hold_or_break() {
        let mut tally = Tally::default();
        for ms in 1..=100 {
            tally.record(Operation::Feed, Ending::Answered, Duration::from_millis(ms), true, None);
        }
        tally.record(Operation::Post, Ending::Failed, Duration::from_millis(1), true, None);
        let held = |rule: &str| rule.parse::<Threshold>().unwrap().judge(&tally).1;
        assert!(held("p50<60ms") && !held("p50<40ms"));
        assert!(held("max<101ms") && !held("max<99ms"));
        assert!(held("errors<1%") && !held("errors<0.9%"));
        assert!(held("feed:errors<0.1%") && !held("post:errors<50%"));
        assert!(!held("profile:p99<10s"), "what did not occur cannot hold");
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in ["", "p99", "p99<5", "p101<1s", "px<1s", "errors<1s", "nosuch:p99<1s", "mean<1s"] {
            assert!(bad.parse::<Threshold>().is_err(), "{bad}");
        }
    }
}
