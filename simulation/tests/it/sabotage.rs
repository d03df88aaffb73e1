//! Each safeguard is taken away, and its absence is found. If one is not, the invariants or the scenarios have become too weak.

use simulation::{Sabotage, Scenario, search};

/// Makes a scenario of a seed.
type Scenarios = fn(u64) -> Scenario;

/// How many seeds it may take. The last number is how many it took when this was written.
const FOUND_WITHIN: [(Sabotage, Scenarios, u64); 9] = [
    (Sabotage::NoLeaseCheck, Scenario::random, 100),        // 2
    (Sabotage::NoEpochGuard, Scenario::random, 100),        // 2
    (Sabotage::ClaimWithoutWaiting, Scenario::random, 100), // 3
    (Sabotage::NoCounterCompare, Scenario::random, 300),    // 16
    (Sabotage::EpochsNotRaised, Scenario::random, 100),     // 2
    (Sabotage::LoadBeforeRaise, Scenario::late, 5_000),     // 1012
    (Sabotage::LeaseFromAnswer, Scenario::random, 10_000),  // 1847
    (Sabotage::ClaimIgnoresEpoch, Scenario::late, 10_000),  // 3927
    (Sabotage::ReleaseIgnoresEpoch, Scenario::late, 5_000), // 505
];

#[test]
fn every_safeguard_is_missed_when_it_is_gone() {
    for (sabotage, scenario, seeds) in FOUND_WITHIN {
        let searched = search(scenario, 0..seeds, Some(sabotage));
        let found = searched.found.unwrap_or_else(|| panic!("{sabotage:?} is not found in {seeds} seeds"));
        println!("{sabotage:?}: seed {}: {}", found.seed, found.violation);
    }
}
