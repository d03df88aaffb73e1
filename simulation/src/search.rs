//! Many seeds, on all cores.

use crate::{Recovery, Sabotage, Scenario, run};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// A seed whose run violates an invariant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Which.
    pub seed: u64,
    /// What happened.
    pub violation: String,
}

/// What a search saw.
#[derive(Clone, Default, Debug)]
pub struct Searched {
    /// The lowest seed that failed. Higher ones were not run to the end.
    pub found: Option<Found>,
    /// Runs.
    pub runs: u64,
    /// Things that happened in them.
    pub steps: u64,
    /// Reads and writes that were answered, and ops of which nobody knows.
    pub ops: [u64; 3],
    /// Nodes that died only because outages swallowed two of their renewals in a row, and spared others'.
    pub unlucky: u64,
    /// The longest recovery.
    pub recovery: Recovery,
}

/// Runs the scenarios of these seeds, in order as far as several cores go in order, until one fails.
#[must_use]
pub fn search(scenario: fn(u64) -> Scenario, seeds: Range<u64>, sabotage: Option<Sabotage>) -> Searched {
    let (next, end) = (AtomicU64::new(seeds.start), AtomicU64::new(seeds.end));
    let worker = || {
        let mut searched = Searched::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end.load(Ordering::Relaxed) {
                return searched;
            }
            let outcome = run(&scenario(seed), sabotage, false);
            searched.runs += 1;
            searched.steps += outcome.steps;
            searched.ops.iter_mut().zip(outcome.ops).for_each(|(sum, ops)| *sum += u64::from(ops));
            searched.unlucky += outcome.unlucky;
            searched.recovery = searched.recovery.max(outcome.recovery);
            if let Some(violation) = outcome.violation {
                end.fetch_min(seed, Ordering::Relaxed);
                searched.found = Some(Found { seed, violation });
                return searched;
            }
        }
    };
    thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        let searched = workers.into_iter().map(|worker| worker.join().expect("a run does not panic"));
        searched.reduce(Searched::and).unwrap_or_default()
    })
}

impl Searched {
    fn and(self, other: Self) -> Self {
        let found = self.found.into_iter().chain(other.found).min_by_key(|found| found.seed);
        Self {
            found,
            runs: self.runs + other.runs,
            steps: self.steps + other.steps,
            ops: std::array::from_fn(|at| self.ops[at] + other.ops[at]),
            unlucky: self.unlucky + other.unlucky,
            recovery: self.recovery.max(other.recovery),
        }
    }
}
