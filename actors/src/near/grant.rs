//! What an owner lent to other nodes.

use super::{LEASE_MS, is_lent};
use crate::{
    node::Node,
    sabotage::{self, Defect},
};
use cluster::Boot;
use futures_util::future::join_all;
use parking_lot::Mutex;
use protocol::{Key, Slot};
use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use store::lease::now_ms;

/// An entity is hot from so many reads by other nodes on, counted as [`Heat`] does: 16 to 32 a second.
const HOT: u32 = 32;
/// A lease that would be shorter is not worth its recall.
const LEASE_MIN_MS: u64 = 100;
/// What two clocks may differ in over a lease, and what rounding takes: 1 % and a little (`cluster::timing`).
const MARGIN_MS: u64 = LEASE_MS as u64 / 50 + 2;
/// Keys that are lent at once, at most, by shard.
const LENT_MAX: usize = 512;
const SHARDS: usize = 32;
/// Between two tries to call something back.
const AGAIN: Duration = Duration::from_millis(20);

/// How much is asked for by others. Keys share counters, so one that is not hot may be lent, which is harmless.
struct Heat {
    /// Each: the second of its last change, as far as 16 bits tell, and a count that halves with each second.
    counters: Box<[AtomicU32]>,
    hasher: RandomState,
}

impl Heat {
    const COUNTERS: usize = 1 << 14;

    fn new() -> Self {
        Self { counters: (0..Self::COUNTERS).map(|_| AtomicU32::new(0)).collect(), hasher: RandomState::new() }
    }

    /// Adds reads of a key; answers the count.
    fn add(&self, key: &Key, reads: u32, now_ms: u64) -> u32 {
        let second = (now_ms / 1000 % (1 << 16)) as u16;
        let at = self.hasher.hash_one(key) as usize % Self::COUNTERS;
        let next = |word: u32| {
            let ago = second.wrapping_sub((word >> 16) as u16);
            let left = (word & 0xffff).checked_shr(u32::from(ago)).unwrap_or(0);
            u32::from(second) << 16 | left.saturating_add(reads).min(0xffff)
        };
        let before = self.counters[at].fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| Some(next(word)));
        before.map_or(0, next) & 0xffff
    }
}

/// What is lent of one key.
#[derive(Default)]
struct Lent {
    /// To whom, and until when by this node's clock.
    holders: Vec<(Boot, u64)>,
    /// How many are about to publish something newer: meanwhile it is not lent.
    closed: u32,
}

impl Lent {
    fn is_over(&self, now_ms: u64) -> bool {
        self.closed == 0 && self.holders.iter().all(|(_, until)| *until <= now_ms)
    }
}

type Shard = HashMap<Key, Lent>;

/// What this node's owners lent.
pub(crate) struct Grants {
    heat: Heat,
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
}

impl Grants {
    pub(crate) fn new() -> Self {
        Self { heat: Heat::new(), shards: (0..SHARDS).map(|_| Mutex::default()).collect(), hasher: RandomState::new() }
    }

    fn shard(&self, key: &Key) -> &Mutex<Shard> {
        &self.shards[self.hasher.hash_one(key) as usize % SHARDS]
    }

    /// Counts `reads` by another node, and notes a loan to it if the key is hot: for so many milliseconds, of what is published from now on. What was looked
    /// up before this call must not be lent.
    pub(crate) fn lend(&self, node: &Node, key: &Key, to: Boot, reads: u32) -> Option<u16> {
        let now = now_ms();
        if !is_lent(key.kind) || self.heat.add(key, reads, now) < HOT {
            return None;
        }
        let mut shard = self.shard(key).lock();
        // Whoever gives the slot up looks for loans after it said so.
        if node.ownership.is_departing(key.slot()) {
            return None;
        }
        let own = node.ownership.lease().left_ms().saturating_sub(MARGIN_MS);
        let lease = own.min(u64::from(LEASE_MS));
        if lease < LEASE_MIN_MS {
            return None;
        }
        if shard.len() >= LENT_MAX {
            shard.retain(|_, lent| !lent.is_over(now));
            if shard.len() >= LENT_MAX {
                return None;
            }
        }
        let lent = shard.entry(*key).or_default();
        if lent.closed > 0 {
            return None;
        }
        lent.holders.retain(|(boot, until)| *boot != to && *until > now);
        lent.holders.push((to, now + lease + MARGIN_MS));
        u16::try_from(lease).ok()
    }

    /// To how many nodes a key is lent.
    pub(crate) fn holders(&self, key: &Key) -> usize {
        let now = now_ms();
        self.shard(key).lock().get(key).map_or(0, |lent| lent.holders.iter().filter(|(_, until)| *until > now).count())
    }

    /// Lends these keys no more until what this answers is dropped.
    pub(crate) fn close(node: &Arc<Node>, keys: Vec<Key>) -> Option<Closed> {
        let grants = node.remote()?.grants();
        let now = now_ms();
        let mut held = Vec::new();
        for key in &keys {
            let mut shard = grants.shard(key).lock();
            let lent = shard.entry(*key).or_default();
            lent.closed += 1;
            lent.holders.retain(|(_, until)| *until > now);
            held.extend(lent.holders.iter().map(|(boot, until)| (*key, *boot, *until)));
        }
        if sabotage::active(Defect::RecallIgnored) {
            held.clear();
        }
        Some(Closed { node: Arc::clone(node), keys, held })
    }

    /// Calls back what is lent of these slots, of which nothing is lent any more ([`crate::ownership::Ownership::depart`]).
    pub(crate) async fn withdraw(node: &Arc<Node>, slots: &HashSet<Slot>) {
        let Some(remote) = node.remote() else { return };
        let keys_of = |shard: &Mutex<Shard>| shard.lock().keys().filter(|key| slots.contains(&key.slot())).copied().collect::<Vec<_>>();
        let keys = remote.grants().shards.iter().flat_map(keys_of).collect();
        if let Some(closed) = Self::close(node, keys) {
            closed.call_back().await;
        }
    }
}

/// Keys that are not lent at the moment, because something newer is about to be published of them.
pub struct Closed {
    node: Arc<Node>,
    keys: Vec<Key>,
    held: Vec<(Key, Boot, u64)>,
}

impl Closed {
    /// Whether anybody holds one of them.
    pub(crate) fn is_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// Resolves when nobody answers from what was lent of these any more: each holder said so, or its lease ended. Within [`LEASE_MS`] and a little.
    pub(crate) async fn call_back(&self) {
        let Some(remote) = self.node.remote() else { return };
        join_all(self.held.iter().map(|(key, boot, until)| async move {
            loop {
                let left = Duration::from_millis(until.saturating_sub(now_ms()));
                if left.is_zero() || remote.recall(*boot, *key, left).await {
                    break;
                }
                tokio::time::sleep(AGAIN.min(left)).await;
            }
            let mut shard = remote.grants().shard(key).lock();
            if let Some(lent) = shard.get_mut(key) {
                lent.holders.retain(|(holder, _)| holder != boot);
            }
        }))
        .await;
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        let Some(remote) = self.node.remote() else { return };
        for key in &self.keys {
            let mut shard = remote.grants().shard(key).lock();
            if let Some(lent) = shard.get_mut(key) {
                lent.closed -= 1;
                if lent.closed == 0 && lent.holders.is_empty() {
                    shard.remove(key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Kind;
    use uuid::Uuid;

    #[test]
    fn what_is_read_much_is_hot_and_cools_down() {
        let heat = Heat::new();
        let (hot, cold) = (Key::new(Kind::User, Uuid::from_u128(1)), Key::new(Kind::User, Uuid::from_u128(2)));
        let reads = |key, times: u32, at| (0..times).fold(0, |_, _| heat.add(key, 1, at));
        assert!(reads(&hot, 40, 70_000_000) >= HOT);
        assert_eq!(heat.add(&hot, 0, 70_001_000), 20);
        assert_eq!(heat.add(&hot, 60, 70_003_000), 65, "what a holder answered counts as well");
        assert_eq!(heat.add(&hot, 1, 70_100_000), 1);
        // The seconds run round.
        assert_eq!(heat.add(&cold, 3, 65_535_000), 3);
        assert_eq!(heat.add(&cold, 0, 65_536_000), 1);
        assert_eq!(heat.add(&cold, u32::MAX, 65_536_000), 0xffff);
    }
}
