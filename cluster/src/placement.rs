//! Which node should own each slot: a pure wish. Ownership itself is a row, which a claim changes, or its owner by giving it up.

use crate::view::Boot;
use protocol::Slot;

/// No node is wished more than this share, in percent, of an even part of the slots. It binds only where chance alone would leave some nodes far above the
/// others, from about a hundred nodes on; below, the placement is plain rendezvous hashing.
const SHARE_MAX_PERCENT: usize = 125;

/// Wishes an owner for each of the slots `0..slots`: of all pairs of a slot and a node, those with the highest random weight (rendezvous hashing: Thaler and
/// Ravishankar 1998), while the node has room (bounded loads: Mirrokni, Thorup and Zadimoghaddam 2018). A node that comes or goes moves its own share, and
/// little else. The order of `nodes` does not matter; each is named once. `None` for all when there is no node.
///
/// Weights are symmetric, so there is exactly one placement in which no slot could be at a node that it prefers and that would prefer it to one of
/// its own, whoever proposes first. Slots propose here, and nodes keep the best they have room for (Gale and Shapley 1962).
///
/// Takes about slots × nodes weights: [`place`] of 4096 slots on 1000 nodes is a matter of milliseconds (docs/adr/0009).
#[must_use]
pub fn place(slots: u16, nodes: &[Boot]) -> Vec<Option<Boot>> {
    let count = usize::from(slots);
    if nodes.is_empty() {
        return vec![None; count];
    }
    let room = (count * SHARE_MAX_PERCENT).div_ceil(100 * nodes.len());
    let mut kept: Vec<Vec<(Rank, Slot)>> = vec![Vec::with_capacity(room + 1); nodes.len()];
    for slot in Slot::all().take(count) {
        let (mut homeless, mut below) = (slot, None);
        // There is room for more than all, so each proposal that displaces another slot ends at some node.
        while let Some((rank, node)) = best_below(homeless, nodes, below) {
            let kept = &mut kept[node];
            kept.push((rank, homeless));
            if kept.len() <= room {
                break;
            }
            let Some(worst) = (0..kept.len()).min_by_key(|at| kept[*at]) else { break };
            let (rank, displaced) = kept.swap_remove(worst);
            (homeless, below) = (displaced, Some(rank));
        }
    }
    let mut wish = vec![None; count];
    for (node, kept) in nodes.iter().zip(kept) {
        for (_, slot) in kept {
            wish[slot.index()] = Some(*node);
        }
    }
    wish
}

/// How much a slot and a node want each other: the weight, and the node, because two weights may be equal.
type Rank = (u64, Boot);

/// The node that a slot wants most, of those that it wants less than `below`.
fn best_below(slot: Slot, nodes: &[Boot], below: Option<Rank>) -> Option<(Rank, usize)> {
    let ranks = nodes.iter().enumerate().map(|(at, boot)| ((weight(slot, *boot), *boot), at));
    ranks.filter(|(rank, _)| below.is_none_or(|below| *rank < below)).max()
}

/// SplitMix64's finaliser over the boot id and the slot.
fn weight(slot: Slot, boot: Boot) -> u64 {
    let (high, low) = boot.0.as_u64_pair();
    let mut x = high ^ low.rotate_left(32) ^ (u64::from(slot.number()) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use protocol::SLOTS;
    use uuid::Uuid;

    fn boots(count: usize) -> Vec<Boot> {
        (1..=count as u128).map(|n| Boot(Uuid::from_u128(n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)))).collect()
    }

    fn shares(nodes: &[Boot], wish: &[Option<Boot>]) -> Vec<usize> {
        nodes.iter().map(|node| wish.iter().filter(|wished| **wished == Some(*node)).count()).collect()
    }

    fn moves(before: &[Option<Boot>], after: &[Option<Boot>]) -> usize {
        before.iter().zip(after).filter(|(before, after)| before != after).count()
    }

    /// The largest share against an even one, and how many slots move when a node comes or goes against how many must.
    struct Measured {
        largest: f64,
        moved_by_join: f64,
        moved_by_leave: f64,
    }

    /// The sums over several nodes that come, and several that go.
    fn measure(count: usize) -> Measured {
        let nodes = boots(count + TURNS);
        let (some, newcomers) = nodes.split_at(count);
        let before = place(SLOTS, some);
        let shares = shares(some, &before);
        let even = f64::from(SLOTS) / count as f64;
        let joined = newcomers.iter().map(|newcomer| {
            let after = place(SLOTS, &[some, &[*newcomer]].concat());
            (moves(&before, &after), after.iter().filter(|wished| **wished == Some(*newcomer)).count())
        });
        let left = (0..TURNS.min(count)).map(|gone| {
            let rest: Vec<_> = some.iter().copied().filter(|node| *node != some[gone]).collect();
            (moves(&before, &place(SLOTS, &rest)), shares[gone])
        });
        let ratio = |turns: Vec<(usize, usize)>| {
            turns.iter().map(|(moved, _)| moved).sum::<usize>() as f64 / turns.iter().map(|(_, least)| least).sum::<usize>() as f64
        };
        Measured {
            largest: shares.iter().copied().max().unwrap_or_default() as f64 / even,
            moved_by_join: ratio(joined.collect()),
            moved_by_leave: ratio(left.collect()),
        }
    }

    /// How many nodes come and go in a measurement.
    const TURNS: usize = 20;

    #[test]
    fn shares_are_even_and_moves_few_at_every_size() {
        for count in [3, 10, 100, 1000] {
            let Measured { largest, moved_by_join, moved_by_leave } = measure(count);
            println!(
                "{count} nodes: largest share {largest:.2} of an even one; moved, of what must: {moved_by_join:.2} on join, {moved_by_leave:.2} on leave"
            );
            assert!(largest <= 1.5, "{count} nodes: {largest}");
            assert!(moved_by_join <= 1.25 && moved_by_leave <= 1.25, "{count} nodes: {moved_by_join}, {moved_by_leave}");
        }
    }

    #[test]
    fn nobody_is_nobody() {
        assert_eq!(place(2, &[]), [None, None]);
    }

    proptest! {
        #[test]
        fn a_node_that_goes_moves_only_its_own_slots(count in 2..20usize, gone in 0..20usize) {
            let nodes = boots(count);
            let gone = nodes[gone % count];
            let rest: Vec<_> = nodes.iter().copied().filter(|node| *node != gone).collect();
            let (before, after) = (place(SLOTS, &nodes), place(SLOTS, &rest));
            for (before, after) in before.into_iter().zip(after) {
                prop_assert!(before == after || before == Some(gone));
            }
        }

        #[test]
        fn every_slot_has_a_place_within_the_bound_whatever_the_order(
            nodes in proptest::collection::btree_set(any::<u128>(), 1..40).prop_map(Vec::from_iter).prop_shuffle(),
            slots in 1..300u16,
        ) {
            let nodes: Vec<_> = nodes.into_iter().map(|n| Boot(Uuid::from_u128(n))).collect();
            let wish = place(slots, &nodes);
            prop_assert!(wish.iter().all(Option::is_some));
            let room = (usize::from(slots) * SHARE_MAX_PERCENT).div_ceil(100 * nodes.len());
            prop_assert!(shares(&nodes, &wish).into_iter().all(|share| share <= room));
            let mut sorted = nodes;
            sorted.sort();
            prop_assert_eq!(place(slots, &sorted), wish);
        }
    }
}
