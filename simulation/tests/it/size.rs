//! How long it takes, and that it works with all the slots there are.

use protocol::SLOTS;
use simulation::{Fault, Outcome, Scenario, run};

/// Runs a scenario, which must go well.
fn well(seed: u64, nodes: u8, slots: u16, faults: Vec<(u32, Fault)>) -> Outcome {
    let scenario = Scenario { seed, nodes, slots, faults };
    let outcome = run(&scenario, None, false);
    assert_eq!(outcome.violation, None, "{scenario:?}");
    outcome
}

/// The median and the longest of the spans until every slot was served, after one fault in clusters of three.
fn served_after(fault: &Fault) -> (u64, u64) {
    let span =
        |seed| well(seed, 3, 6, vec![(5_000 + u32::try_from(seed * 37 % 1_000).unwrap_or_default(), fault.clone())]).recovery.served_ms;
    let mut spans: Vec<u64> = (0..200).map(span).collect();
    spans.sort_unstable();
    (spans[100], spans[199])
}

#[test]
fn the_slots_of_a_node_that_was_killed_are_served_within_five_and_a_half_seconds() {
    let (median, longest) = served_after(&Fault::Crash { node: 1, restart_after_ms: 0 });
    println!("after a kill, all slots were served within {median} ms (median), {longest} ms (longest of 200)");
    assert!(median <= 4_500 && longest <= 5_500, "{median} {longest}");
}

#[test]
fn a_join_and_a_leave_leave_no_slot_behind() {
    for fault in [Fault::Join, Fault::Drain { node: 1 }] {
        let outcome = well(1, 3, SLOTS, vec![(30_000, fault.clone())]);
        println!("{fault:?} of {SLOTS} slots: settled within {} ms", outcome.recovery.settled_ms);
    }
}
