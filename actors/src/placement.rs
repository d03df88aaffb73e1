//! Which node should own a slot: a pure wish. Ownership itself is a row (see [`crate::ownership`]).

use protocol::Slot;
use uuid::Uuid;

/// The boot id of a node process.
pub type Boot = Uuid;

/// Chooses the owner of `slot` among the nodes that are up: highest random weight (Thaler and Ravishankar 1998), so that a node that comes or
/// goes moves only its own share. The order of `up` does not matter. `None` when nobody is up.
#[must_use]
pub fn place(slot: Slot, up: &[Boot]) -> Option<Boot> {
    up.iter().copied().max_by_key(|boot| (weight(slot, *boot), *boot))
}

/// SplitMix64's finaliser over the boot id and the slot.
fn weight(slot: Slot, boot: Boot) -> u64 {
    let (high, low) = boot.as_u64_pair();
    let mut x = high ^ low.rotate_left(32) ^ (u64::from(slot.number()) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn boots(count: u128) -> Vec<Boot> {
        (1..=count).map(|n| Uuid::from_u128(n.wrapping_mul(0x1234_5678_9abc_def1))).collect()
    }

    #[test]
    fn shares_are_even() {
        let up = boots(5);
        for boot in &up {
            let share = Slot::all().filter(|s| place(*s, &up) == Some(*boot)).count();
            assert!((700..=940).contains(&share), "{share} of 4096 on one of five nodes");
        }
    }

    proptest! {
        #[test]
        fn a_node_that_leaves_moves_only_its_own_slots(count in 2..20u128, gone in 0..20usize) {
            let up = boots(count);
            let gone = up[gone % up.len()];
            let rest: Vec<_> = up.iter().copied().filter(|b| *b != gone).collect();
            for slot in Slot::all() {
                let before = place(slot, &up);
                if before != Some(gone) {
                    prop_assert_eq!(place(slot, &rest), before);
                }
            }
        }
    }
}
