//! Each safeguard is taken away, and its absence is found. If one is not, the invariants or the scenarios have become too weak.

use simulation::{Sabotage, Scenario, search};
use std::ops::Range;

/// Makes a scenario of a seed.
type Scenarios = fn(u64) -> Scenario;

/// Where they are searched. The last number is how many it took when this was written.
const FOUND_WITHIN: [(Sabotage, Scenarios, Range<u64>); 19] = [
    (Sabotage::NoLeaseCheck, Scenario::random, 0..100),          // 1
    (Sabotage::NoEpochGuard, Scenario::random, 0..200),          // 20
    (Sabotage::ClaimWithoutWaiting, Scenario::random, 0..100),   // 2
    (Sabotage::NoCounterCompare, Scenario::random, 0..300),      // 168
    (Sabotage::EpochsNotRaised, Scenario::random, 0..200),       // 20
    (Sabotage::LoadBeforeRaise, Scenario::late, 20_000..30_000), // 184
    (Sabotage::LeaseFromAnswer, Scenario::random, 0..10_000),    // 1846
    // The rarest of all: one in some ten thousand.
    (Sabotage::ClaimIgnoresEpoch, Scenario::late, 16_000..30_000),    // 28
    (Sabotage::ReleaseIgnoresEpoch, Scenario::late, 0..5_000),        // 95
    (Sabotage::NoRecall, Scenario::moving, 0..100),                   // 0
    (Sabotage::LendsWhilePublishing, Scenario::moving, 0..1_000),     // 1
    (Sabotage::LoanFromAnswer, Scenario::random, 0..5_000),           // 188
    (Sabotage::KeepsWhatWasRecalled, Scenario::moving, 0..1_000),     // 1
    (Sabotage::LendsBeyondLease, Scenario::random, 0..3_000),         // 345
    (Sabotage::LoansOutliveTenure, Scenario::moving, 0..100),         // 0
    (Sabotage::BelievesWhatWasSent, Scenario::moving, 0..100),        // 0
    (Sabotage::NeverInDoubt, Scenario::random, 0..5_000),             // 352
    (Sabotage::StoredAtOnce, Scenario::apart, 0..10_000),             // 1251
    (Sabotage::TrustsYoungTenures, Scenario::moving, 29_000..45_000), // 269
];

#[test]
fn every_safeguard_is_missed_when_it_is_gone() {
    for (sabotage, scenario, seeds) in FOUND_WITHIN {
        let searched = search(scenario, seeds.clone(), Some(sabotage));
        let found = searched.found.unwrap_or_else(|| panic!("{sabotage:?} is not found in {seeds:?}"));
        println!("{sabotage:?}: seed {}: {}", found.seed, found.violation);
    }
}
