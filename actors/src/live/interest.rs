//! What this node's clients want to hear of.

use super::SHARDS;
use crate::{node::Node, remote::Place};
use cluster::Boot;
use parking_lot::Mutex;
use protocol::Key;
use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};
use tokio::sync::Notify;

/// Where one client hears what moved. What moves while it is busy is heard once.
#[derive(Default)]
struct Ear {
    moved: Mutex<HashSet<Key>>,
    heard: Notify,
}

impl Ear {
    fn hear(&self, key: Key) {
        self.moved.lock().insert(key);
        self.heard.notify_one();
    }
}

/// Who says to this node that a key moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// Nobody yet, or any more.
    Nobody,
    /// Its own owner, in this tenure of the slot.
    Here(u64),
    /// Another node.
    There(Boot),
}

struct Wish {
    ears: Vec<Arc<Ear>>,
    source: Source,
    /// When the source was last asked.
    asked_at: Instant,
}

type Shard = HashMap<Key, Wish>;

/// All that this node's clients watch.
pub(crate) struct Interest {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    keys: AtomicUsize,
    /// Told of keys that nobody watched before.
    pub(super) grown: Notify,
}

impl Default for Interest {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, hasher: RandomState::new(), keys: AtomicUsize::new(0), grown: Notify::new() }
    }
}

impl Interest {
    fn shard(&self, key: &Key) -> &Mutex<Shard> {
        &self.shards[self.hasher.hash_one(key) as usize % SHARDS]
    }

    /// How many keys are watched.
    pub(crate) fn count(&self) -> usize {
        self.keys.load(Ordering::Relaxed)
    }

    /// Has those who watch a key look at it.
    pub(crate) fn stir(&self, key: &Key) {
        if let Some(wish) = self.shard(key).lock().get(key) {
            wish.ears.iter().for_each(|ear| ear.hear(*key));
        }
    }

    /// Has everybody look at everything.
    pub(crate) fn stir_all(&self) {
        self.keys().iter().for_each(|key| self.stir(key));
    }

    pub(super) fn keys(&self) -> Vec<Key> {
        self.shards.iter().flat_map(|shard| shard.lock().keys().copied().collect::<Vec<_>>()).collect()
    }

    fn add(&self, key: Key, ear: &Arc<Ear>) {
        let mut shard = self.shard(&key).lock();
        let wish = shard.entry(key).or_insert_with(|| {
            self.keys.fetch_add(1, Ordering::Relaxed);
            self.grown.notify_one();
            Wish { ears: Vec::with_capacity(1), source: Source::Nobody, asked_at: Instant::now() }
        });
        wish.ears.push(Arc::clone(ear));
    }

    fn remove(&self, key: &Key, ear: &Arc<Ear>) {
        let mut shard = self.shard(key).lock();
        let Some(wish) = shard.get_mut(key) else { return };
        wish.ears.retain(|known| !Arc::ptr_eq(known, ear));
        if wish.ears.is_empty() {
            shard.remove(key);
            self.keys.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Brings each key's source up to where its owner is now: those that are this node's own at once, and gives those of which another node is to be
    /// asked. A key whose source is another one than before counts as moved.
    pub(super) fn due(&self, node: &Node, now: Instant) -> HashMap<Boot, Vec<Key>> {
        let mut due = HashMap::<Boot, Vec<Key>>::new();
        for shard in &self.shards {
            for (key, wish) in shard.lock().iter_mut() {
                match source(node, key) {
                    Source::There(boot)
                        if wish.source != Source::There(boot) || now.duration_since(wish.asked_at) >= super::RENEW_AFTER =>
                    {
                        due.entry(boot).or_default().push(*key);
                    }
                    Source::There(_) => {}
                    here if here != wish.source => {
                        wish.source = here;
                        wish.ears.iter().for_each(|ear| ear.hear(*key));
                    }
                    Source::Here(_) | Source::Nobody => {}
                }
            }
        }
        due
    }

    /// A node said that it watches a key, and whether that is without a gap since it last said so; it was asked at this time.
    pub(super) fn is_watched(&self, key: &Key, by: Boot, (is_anew, asked_at): (bool, Instant)) {
        if let Some(wish) = self.shard(key).lock().get_mut(key) {
            let is_anew = is_anew || wish.source != Source::There(by);
            (wish.source, wish.asked_at) = (Source::There(by), asked_at);
            if is_anew {
                wish.ears.iter().for_each(|ear| ear.hear(*key));
            }
        }
    }

    /// A node did not say that it watches a key.
    pub(super) fn is_not_watched(&self, key: &Key) {
        if let Some(wish) = self.shard(key).lock().get_mut(key) {
            wish.source = Source::Nobody;
        }
    }
}

/// Who would say that a key moved, as far as this node knows.
fn source(node: &Node, key: &Key) -> Source {
    let slot = key.slot();
    match (node.ownership.serves(slot), node.remote()) {
        (true, _) => Source::Here(crate::ownership::Tenure::number(node.ownership.tenure(slot))),
        (false, Some(remote)) => match remote.place(slot) {
            Place::There(boot) => Source::There(boot),
            Place::Here | Place::Nowhere => Source::Nobody,
        },
        (false, None) => Source::Nobody,
    }
}

/// The wish of one client of this node's edge to hear when keys move. It ends when this is dropped.
pub struct Watch {
    node: Arc<Node>,
    ear: Arc<Ear>,
    keys: HashSet<Key>,
}

impl Watch {
    /// Of nothing yet.
    #[must_use]
    pub fn new(node: &Arc<Node>) -> Self {
        Self { node: Arc::clone(node), ear: Arc::default(), keys: HashSet::new() }
    }

    /// From now on whatever moves of this key is heard. What moved just before may not be: read it after this.
    pub fn add(&mut self, key: Key) {
        if self.keys.insert(key) {
            self.node.live.interest.add(key, &self.ear);
        }
    }

    /// No more of this key.
    pub fn remove(&mut self, key: &Key) {
        if self.keys.remove(key) {
            self.node.live.interest.remove(key, &self.ear);
        }
    }

    /// What is watched.
    pub fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.keys.iter().copied()
    }

    /// Resolves when something moved, with all that did since this was last asked. It may be given up at any time: nothing is lost by that.
    pub async fn moved(&self) -> HashSet<Key> {
        loop {
            let moved = std::mem::take(&mut *self.ear.moved.lock());
            if !moved.is_empty() {
                return moved;
            }
            self.ear.heard.notified().await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.keys.iter().for_each(|key| self.node.live.interest.remove(key, &self.ear));
    }
}
