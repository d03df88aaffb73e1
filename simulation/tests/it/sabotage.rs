//! Each safeguard is taken away, and its absence is found. If one is not, the invariants or the scenarios have become too weak.

use simulation::{Sabotage, Scenario, search};

/// Makes a scenario of a seed.
type Scenarios = fn(u64) -> Scenario;

/// How many seeds it may take. The last number is how many it took when this was written.
const FOUND_WITHIN: [(Sabotage, Scenarios, u64); 18] = [
    (Sabotage::NoLeaseCheck, Scenario::random, 100),           // 1
    (Sabotage::NoEpochGuard, Scenario::random, 100),           // 0
    (Sabotage::ClaimWithoutWaiting, Scenario::random, 100),    // 2
    (Sabotage::NoCounterCompare, Scenario::random, 300),       // 15
    (Sabotage::EpochsNotRaised, Scenario::random, 100),        // 0
    (Sabotage::LoadBeforeRaise, Scenario::late, 10_000),       // 3680
    (Sabotage::LeaseFromAnswer, Scenario::random, 10_000),     // 1846
    (Sabotage::ClaimIgnoresEpoch, Scenario::late, 10_000),     // 2577
    (Sabotage::ReleaseIgnoresEpoch, Scenario::late, 5_000),    // 338
    (Sabotage::NoRecall, Scenario::moving, 100),               // 0
    (Sabotage::LendsWhilePublishing, Scenario::moving, 1_000), // 24
    (Sabotage::LoanFromAnswer, Scenario::random, 5_000),       // 676
    (Sabotage::KeepsWhatWasRecalled, Scenario::moving, 1_000), // 5
    (Sabotage::LendsBeyondLease, Scenario::random, 3_000),     // 117
    (Sabotage::LoansOutliveTenure, Scenario::moving, 100),     // 0
    (Sabotage::BelievesWhatWasSent, Scenario::moving, 100),    // 0
    (Sabotage::NeverInDoubt, Scenario::random, 10_000),        // 3201
    (Sabotage::StoredAtOnce, Scenario::apart, 10_000),         // 1637
];

#[test]
fn every_safeguard_is_missed_when_it_is_gone() {
    for (sabotage, scenario, seeds) in FOUND_WITHIN {
        let searched = search(scenario, 0..seeds, Some(sabotage));
        let found = searched.found.unwrap_or_else(|| panic!("{sabotage:?} is not found in {seeds} seeds"));
        println!("{sabotage:?}: seed {}: {}", found.seed, found.violation);
    }
}
