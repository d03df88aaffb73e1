//! Slots: the unit that is owned by, and moves between, nodes.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Number of slots. A constant of the wire and of every database: changing it re-homes every entity.
pub const SLOTS: u16 = 4096;

/// One of the [`SLOTS`] shares of all keys. All kinds share one slot space, so what is keyed by a user lives together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Slot(u16);

impl Slot {
    /// Takes a slot number; `None` from [`SLOTS`] on.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        if number < SLOTS { Some(Self(number)) } else { None }
    }

    /// The slot that an id hashes onto: SplitMix64's increment and finaliser (Steele, Lea, Flood 2014) over both halves of the id,
    /// top 12 bits. It must give the same answer for ever, on every node and in every database.
    #[must_use]
    pub const fn of(id: Uuid) -> Self {
        let (high, low) = id.as_u64_pair();
        let mut x = high.wrapping_add(low.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
        Self((x >> 52) as u16)
    }

    /// The slot's number, `0..SLOTS`.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The slot as an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// All slots, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SLOTS).map(Self)
    }
}

/// How often a slot has changed hands or its owner restarted: the fencing token of every write. 0 means never owned.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub struct Epoch(pub u64);

impl Epoch {
    /// That of the next owner.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_never_changes() {
        let id = |n| Uuid::from_u128(n);
        let got = [0, 1, 0x0190_0000_0000_7000_8000_0000_0000_0001, u128::MAX].map(|n| Slot::of(id(n)).number());
        assert_eq!(got, GOLDEN);
    }
    const GOLDEN: [u16; 4] = [0, 3618, 1572, 3552];

    #[test]
    fn time_ordered_ids_spread_evenly() {
        let mut counts = vec![0u32; usize::from(SLOTS)];
        for n in 0..409_600u128 {
            let id = Uuid::from_u128((0x0190_0000_0000_7000_8000 << 48) | n);
            counts[Slot::of(id).index()] += 1;
        }
        let (low, high) = (counts.iter().min().copied(), counts.iter().max().copied());
        assert!(low >= Some(50) && high <= Some(160), "{low:?}..{high:?} of 100 expected");
    }
}
