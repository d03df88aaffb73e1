//! Each safeguard is taken away, and its absence is found. If one is not, the invariants or the scenarios have become too weak.

use simulation::{Sabotage, Scenario, search};

/// Makes a scenario of a seed.
type Scenarios = fn(u64) -> Scenario;

/// How many seeds it may take. The last number is how many it took when this was written.
const FOUND_WITHIN: [(Sabotage, Scenarios, u64); 16] = [
    (Sabotage::NoLeaseCheck, Scenario::random, 100),           // 1
    (Sabotage::NoEpochGuard, Scenario::random, 1_000),         // 72
    (Sabotage::ClaimWithoutWaiting, Scenario::random, 100),    // 2
    (Sabotage::NoCounterCompare, Scenario::random, 3_000),     // 342
    (Sabotage::EpochsNotRaised, Scenario::random, 1_000),      // 72
    (Sabotage::LoadBeforeRaise, Scenario::random, 10_000),     // 1257
    (Sabotage::LeaseFromAnswer, Scenario::random, 10_000),     // 272
    (Sabotage::ClaimIgnoresEpoch, Scenario::late, 10_000),     // 2948
    (Sabotage::ReleaseIgnoresEpoch, Scenario::late, 5_000),    // 736
    (Sabotage::NoRecall, Scenario::random, 100),               // 0
    (Sabotage::LendsWhilePublishing, Scenario::random, 1_000), // 0
    (Sabotage::LoanFromAnswer, Scenario::random, 3_000),       // 280
    (Sabotage::KeepsWhatWasRecalled, Scenario::random, 1_000), // 20
    (Sabotage::LendsBeyondLease, Scenario::random, 10_000),    // 1249
    (Sabotage::LoansOutliveTenure, Scenario::late, 5_000),     // 611
    (Sabotage::BelievesWhatWasSent, Scenario::random, 1_000),  // 1
];

#[test]
fn every_safeguard_is_missed_when_it_is_gone() {
    for (sabotage, scenario, seeds) in FOUND_WITHIN {
        let searched = search(scenario, 0..seeds, Some(sabotage));
        let found = searched.found.unwrap_or_else(|| panic!("{sabotage:?} is not found in {seeds} seeds"));
        println!("{sabotage:?}: seed {}: {}", found.seed, found.violation);
    }
}
