//! Situations with a name: those that a search once found to be wrong, and those that operators meet. Each runs with many seeds.

use simulation::{Fault, Outcome, Scenario, run};

/// Lets these faults befall clusters of so many nodes, a hundred times; nothing may be violated.
fn well(nodes: u8, faults: &[(u32, Fault)]) -> Vec<Outcome> {
    let outcome = |seed| {
        let scenario = Scenario { seed, nodes, slots: 6, faults: faults.to_vec() };
        let outcome = run(&scenario, None, false);
        assert_eq!(outcome.violation, None, "{scenario:?}");
        outcome
    };
    (0..100).map(outcome).collect()
}

fn nobody_died(outcomes: &[Outcome]) {
    assert!(outcomes.iter().all(|outcome| outcome.died.is_empty()));
}

/// Found by a search: whoever did not know that it had joined did not renew, and was dead before it was up.
#[test]
fn a_node_whose_joining_is_not_answered_lives() {
    let joins = [4_000, 5_000, 6_000, 7_000].map(|at| (at, Fault::Join));
    let mut faults = vec![(3_000, Fault::LoseAnswers { for_ms: 9_000, per_mille: 500 })];
    faults.extend(joins);
    nobody_died(&well(2, &faults));
}

#[test]
fn an_outage_of_the_databases_kills_nobody_and_ends_within_three_seconds() {
    for (for_ms, refuses) in
        [500, 900, 1_200, 1_600, 1_900, 2_500, 4_000, 20_000].into_iter().flat_map(|for_ms| [(for_ms, true), (for_ms, false)])
    {
        let outcomes = well(3, &[(5_000, Fault::StoreDown { for_ms, refuses })]);
        nobody_died(&outcomes);
        assert!(outcomes.iter().all(|outcome| outcome.recovery.settled_ms <= 3_000), "{for_ms} {refuses}");
    }
}

#[test]
fn delay_loss_and_busy_machines_kill_nobody() {
    let busy = [0, 1, 2].map(|node| (4_000, Fault::Busy { node, for_ms: 30_000 }));
    let slow = [(4_000, Fault::Weather { for_ms: 30_000 }), (4_000, Fault::StoreSlow { for_ms: 30_000, up_to_ms: 300 })];
    nobody_died(&well(3, &[&busy[..], &slow[..]].concat()));
}

#[test]
fn a_node_that_hung_finds_itself_dead_and_everybody_else_served() {
    for outcome in well(3, &[(5_000, Fault::Hang { node: 1, for_ms: 30_000 })]) {
        assert_eq!(outcome.died, [1]);
    }
}

/// Found by thought, and kept by this: of a node that lost all others, a mutual accusation must not end those first.
#[test]
fn who_loses_all_others_is_voted_out_however_old_it_is() {
    for mask in [0b001, 0b010, 0b100] {
        for outcome in well(3, &[(5_000, Fault::Split { mask, for_ms: 8_000 })]) {
            assert_eq!(outcome.died, [mask.trailing_zeros() as usize]);
        }
    }
}

#[test]
fn of_two_that_lose_each_other_one_ends() {
    for nodes in [2, 3] {
        for both in [false, true] {
            let outcomes = well(nodes, &[(5_000, Fault::Cut { from: 0, to: 1, both, for_ms: 10_000 })]);
            assert!(outcomes.iter().all(|outcome| outcome.died.len() == 1 && outcome.died[0] < 2));
        }
    }
}

#[test]
fn a_cluster_whose_nodes_all_die_at_once_comes_back() {
    well(3, &[0, 1, 2].map(|_| (5_000, Fault::Crash { node: 0, restart_after_ms: 500 })));
}

#[test]
fn a_restart_of_one_node_after_the_other_kills_nobody() {
    let mut faults = Vec::new();
    for turn in 0..3 {
        faults.push((4_000 + turn * 4_000, Fault::Join));
        faults.push((6_000 + turn * 4_000, Fault::Drain { node: 0 }));
    }
    for outcome in well(3, &faults) {
        assert!(outcome.died.is_empty());
        assert_eq!(outcome.ops[2], 0, "somebody was not answered");
    }
}

#[test]
fn a_database_that_is_ahead_is_overtaken() {
    nobody_died(&well(2, &[(4_000, Fault::JumpAhead { slot: 0 }), (6_000, Fault::JumpAhead { slot: 1 })]));
}
