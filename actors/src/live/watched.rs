//! What other nodes want to hear of this one's owners.

use super::{SHARDS, WATCHED_FOR};
use crate::{
    node::Node,
    ownership::{Ownership, Tenure},
};
use cluster::Boot;
use parking_lot::Mutex;
use protocol::{
    Key,
    envelope::{WATCHED_MAX, Watched as Answer},
};
use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Keys that are watched here for other nodes, at most: about 150 bytes each. Of one more its watcher reads the versions by the clock.
const KEYS_MAX: usize = 262_144;
/// How long one try to say that something moved may take.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(100);

/// A node that asked for a key.
struct Watcher {
    boot: Boot,
    until: Instant,
    /// The slot's tenure when it began: what moved in others' tenures since then was not said by this node.
    tenure: u64,
}

impl Watcher {
    fn is_over(&self, now: Instant) -> bool {
        self.until <= now
    }
}

type Shard = HashMap<Key, Vec<Watcher>>;

/// What moved and is to be said to a node; one frame is on its way at a time, and the next one has all that moved meanwhile.
#[derive(Default)]
struct Outgoing {
    keys: HashSet<Key>,
    is_on_its_way: bool,
}

/// All that other nodes watch here.
pub(crate) struct Watched {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    keys: AtomicUsize,
    outgoing: Mutex<HashMap<Boot, Outgoing>>,
}

impl Default for Watched {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, hasher: RandomState::new(), keys: AtomicUsize::new(0), outgoing: Mutex::default() }
    }
}

impl Watched {
    fn shard(&self, key: &Key) -> &Mutex<Shard> {
        &self.shards[self.hasher.hash_one(key) as usize % SHARDS]
    }

    /// How many keys are watched.
    pub(crate) fn count(&self) -> usize {
        self.keys.load(Ordering::Relaxed)
    }

    pub(super) fn keys(&self) -> Vec<Key> {
        self.shards.iter().flat_map(|shard| shard.lock().keys().copied().collect::<Vec<_>>()).collect()
    }

    /// Watches these keys for a node, as far as they are this node's.
    pub(crate) fn watch(&self, ownership: &Ownership, by: Boot, keys: &[Key]) -> Vec<Answer> {
        let now = Instant::now();
        keys.iter().map(|key| self.watch_one(ownership, by, (key, now))).collect()
    }

    fn watch_one(&self, ownership: &Ownership, boot: Boot, (key, now): (&Key, Instant)) -> Answer {
        let mut shard = self.shard(key).lock();
        let slot = key.slot();
        // Looked at under the lock: whoever publishes something in this tenure finds the watcher, or published it before the answer.
        let tenure = Tenure::number(ownership.tenure(slot));
        if !ownership.serves_of(slot, tenure) {
            return Answer::Not;
        }
        if !shard.contains_key(key) {
            if self.count() >= KEYS_MAX {
                return Answer::Not;
            }
            self.keys.fetch_add(1, Ordering::Relaxed);
        }
        let watchers = shard.entry(*key).or_default();
        let was_watched = watchers.iter().any(|watcher| watcher.boot == boot && watcher.tenure == tenure && !watcher.is_over(now));
        watchers.retain(|watcher| watcher.boot != boot && !watcher.is_over(now));
        watchers.push(Watcher { boot, until: now + WATCHED_FOR, tenure });
        if was_watched { Answer::Still } else { Answer::Anew }
    }

    /// Says to the nodes that watch a key that it moved.
    pub(super) fn moved(&self, node: &Arc<Node>, key: &Key) {
        let now = Instant::now();
        let boots: Vec<Boot> = match self.shard(key).lock().get(key) {
            Some(watchers) => watchers.iter().filter(|watcher| !watcher.is_over(now)).map(|watcher| watcher.boot).collect(),
            None => return,
        };
        for boot in boots {
            let mut outgoing = self.outgoing.lock();
            let of_boot = outgoing.entry(boot).or_default();
            of_boot.keys.insert(*key);
            if !std::mem::replace(&mut of_boot.is_on_its_way, true) {
                tokio::spawn(say(Arc::clone(node), boot));
            }
        }
    }

    /// What is to be said to a node now; `None`, and whoever says it is done, if there is nothing.
    fn next(&self, boot: Boot) -> Option<Vec<Key>> {
        let mut outgoing = self.outgoing.lock();
        let of_boot = outgoing.get_mut(&boot)?;
        let next: Vec<Key> = of_boot.keys.iter().take(WATCHED_MAX).copied().collect();
        for key in &next {
            of_boot.keys.remove(key);
        }
        if next.is_empty() {
            outgoing.remove(&boot);
            return None;
        }
        Some(next)
    }

    /// What could not be said is to be said again, as far as the node still watches it. What it does not, it asks for anew, and looks at then.
    fn again(&self, boot: Boot, keys: Vec<Key>) {
        let now = Instant::now();
        let is_watching = |key: &Key| {
            let shard = self.shard(key).lock();
            shard.get(key).is_some_and(|watchers| watchers.iter().any(|watcher| watcher.boot == boot && !watcher.is_over(now)))
        };
        let watched: Vec<Key> = keys.into_iter().filter(is_watching).collect();
        if let Some(of_boot) = self.outgoing.lock().get_mut(&boot) {
            of_boot.keys.extend(watched);
        }
    }

    /// Forgets whoever did not ask again.
    pub(super) fn forget_old(&self) {
        if self.count() == 0 {
            return;
        }
        let now = Instant::now();
        for shard in &self.shards {
            let mut shard = shard.lock();
            let before = shard.len();
            shard.retain(|_, watchers| {
                watchers.retain(|watcher| !watcher.is_over(now));
                !watchers.is_empty()
            });
            self.keys.fetch_sub(before - shard.len(), Ordering::Relaxed);
        }
    }
}

/// Says what moved to a node until there is nothing more to say, or it watches nothing any more.
async fn say(node: Arc<Node>, boot: Boot) {
    let watched = &node.live.watched;
    while let Some(keys) = watched.next(boot) {
        let Some(remote) = node.remote() else { return };
        let is_heard = remote.moved(boot, keys.clone(), Instant::now() + ANSWER_MAX).await;
        node.metrics.moved(is_heard, keys.len());
        if !is_heard {
            watched.again(boot, keys);
            tokio::time::sleep(AGAIN).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Epoch, Kind};
    use store::Lease;
    use uuid::Uuid;

    fn owning(key: &Key) -> Arc<Ownership> {
        let ownership = Ownership::alone(Lease::always());
        ownership.serve(key.slot(), Epoch(1));
        ownership
    }

    #[test]
    fn an_owner_says_whether_it_watched_without_a_gap() {
        let (watched, key) = (Watched::default(), Key::new(Kind::Feed, Uuid::from_u128(7)));
        let (here, there) = (Boot(Uuid::from_u128(1)), Boot(Uuid::from_u128(2)));
        let ownership = owning(&key);
        let ask = |boot| watched.watch(&ownership, boot, &[key])[0];
        assert_eq!([ask(here), ask(here), ask(there), ask(here)], [Answer::Anew, Answer::Still, Answer::Anew, Answer::Still]);
        // Another node had the slot in between, and may have published something.
        ownership.stop(key.slot());
        assert_eq!(ask(here), Answer::Not);
        ownership.serve(key.slot(), Epoch(3));
        assert_eq!([ask(here), ask(here)], [Answer::Anew, Answer::Still]);
        assert_eq!(watched.count(), 1);
    }

    #[test]
    fn whoever_does_not_ask_again_is_forgotten() {
        let (watched, key) = (Watched::default(), Key::new(Kind::Feed, Uuid::from_u128(7)));
        let (ownership, boot) = (owning(&key), Boot(Uuid::from_u128(1)));
        watched.watch(&ownership, boot, &[key]);
        watched.shard(&key).lock().get_mut(&key).expect("watched")[0].until = Instant::now();
        assert_eq!(watched.watch(&ownership, boot, &[key]), [Answer::Anew], "it may have missed something");
        watched.shard(&key).lock().get_mut(&key).expect("watched")[0].until = Instant::now();
        watched.forget_old();
        assert_eq!(watched.count(), 0);
    }
}
