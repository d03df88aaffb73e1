//! What all actors of one node share.

use crate::{
    dependency::Dependencies, directory::Directory, hand_off::Expected, live::Live, metrics::Metrics, ownership::Ownership, region::Region,
    remote::Remote, second_level::Versions, snapshot::Snapshots, standing::Standing,
};
use arc_swap::ArcSwap;
use protocol::{UserId, file::Quota};
use std::{
    collections::HashSet,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};
use store::Stores;

/// The bounds that actors keep. The binary's configuration sets them; the defaults are its defaults.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of warm snapshots and states on this node.
    pub cache_bytes_max: u64,
    /// Messages that one owner actor may have in its mailbox and in its care. Beyond: `overloaded`.
    pub owner_inflight_max: usize,
    /// Requests that may wait for one key. Beyond: `overloaded`.
    pub key_waiting_max: usize,
    /// How long a request may take from the edge to its answer.
    pub request_deadline: Duration,
    /// Followers above which an author's posts are pulled by readers.
    pub pull_followers_min: usize,
    /// Ids that a feed's inbox and a timeline hold in memory.
    pub inbox_ids_max: u16,
    /// Passwords that are hashed at the same time.
    pub hashing_permits: usize,
    /// Requests that may wait for a hashing permit. Beyond: `overloaded`.
    pub hashing_waiting_max: usize,
    /// Memory of one argon2id hash, in KiB.
    pub argon2_memory_kib: u32,
    /// Passes of one argon2id hash.
    pub argon2_passes: u32,
    /// How long a session lasts.
    pub session_lifetime: Duration,
    /// What one person may have stored.
    pub quota: Quota,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cache_bytes_max: 256 << 20,
            owner_inflight_max: 8192,
            key_waiting_max: 4096,
            request_deadline: Duration::from_secs(6),
            pull_followers_min: 1000,
            inbox_ids_max: 256,
            hashing_permits: std::thread::available_parallelism().map_or(1, usize::from),
            hashing_waiting_max: 64,
            // OWASP password storage: argon2id, 19 MiB, two passes.
            argon2_memory_kib: 19 * 1024,
            argon2_passes: 2,
            session_lifetime: Duration::from_secs(30 * 24 * 60 * 60),
            quota: Quota::NONE,
        }
    }
}

/// One node's shared parts. Everything in it is safe to use from any thread.
pub struct Node {
    /// The truth.
    pub stores: Stores,
    /// What is warm.
    pub snapshots: Arc<Snapshots>,
    /// What this node may serve.
    pub ownership: Arc<Ownership>,
    /// Which actor serves what.
    pub region: Region,
    /// Immutable look-ups.
    pub directory: Directory,
    /// How what it depends on is.
    pub dependencies: Dependencies,
    /// Counters.
    pub metrics: Metrics,
    /// Who wants to hear when something moves.
    pub live: Live,
    /// Bounds.
    pub limits: Limits,
    /// The other nodes; none of a process that has its stores to itself.
    remote: OnceLock<Remote>,
    /// Authors whose posts readers pull. Grows only.
    pub(crate) pulled: ArcSwap<HashSet<UserId>>,
    /// Those of whom this node knows that every node knows it.
    pub(crate) pulled_by_all: parking_lot::Mutex<HashSet<UserId>>,
    /// People who are not active: nothing of theirs is shown to anybody.
    pub(crate) inactive: Standing,
    /// What was warm elsewhere of slots that are to become this node's.
    pub(crate) expected: Expected,
    /// What is compared with the store.
    pub(crate) versions: Versions,
    /// When it was put together: the beginning of its own time.
    pub(crate) started: Instant,
    /// Outbox rows whose effects were carried out.
    pub(crate) confirmed: crate::outbox::Confirmed,
}

impl Node {
    /// Puts the parts together; nothing runs yet.
    #[must_use]
    pub fn new(stores: Stores, ownership: Arc<Ownership>, limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            snapshots: Arc::new(Snapshots::new(limits.cache_bytes_max)),
            ownership,
            remote: OnceLock::new(),
            pulled_by_all: parking_lot::Mutex::default(),
            region: Region::default(),
            directory: Directory::default(),
            dependencies: Dependencies::default(),
            expected: Expected::new(limits.cache_bytes_max / 4),
            versions: Versions::default(),
            started: Instant::now(),
            live: Live::default(),
            metrics: Metrics::new(),
            pulled: ArcSwap::default(),
            inactive: Standing::default(),
            confirmed: crate::outbox::Confirmed::default(),
            stores,
            limits,
        })
    }

    /// Takes every slot, and learns what every node must know. For a process that has its stores to itself; to be called before the first request.
    ///
    /// # Errors
    /// When a database is away; a repetition is safe.
    pub async fn claim_all(&self) -> Result<(), store::StoreError> {
        self.ownership.claim_all(&self.stores).await?;
        self.learn().await
    }

    /// Learns whose posts are pulled and who is not active. A node of a cluster calls it when its row is in the table of members, and answers nobody
    /// before.
    ///
    /// # Errors
    /// When a database is away; a repetition is safe.
    pub async fn learn(&self) -> Result<(), store::StoreError> {
        let known = self.stores.users.pulled().await?;
        // What is told meanwhile is not forgotten: the set only grows.
        self.pulled.rcu(|pulled| pulled.iter().chain(&known).copied().collect::<HashSet<_>>());
        self.inactive.learn_all(&self.stores).await
    }

    /// Gives this node its way to the others. Once.
    pub fn join(&self, remote: Remote) {
        if self.remote.set(remote).is_err() {
            tracing::error!("this node has a way to the others already");
        }
    }

    /// The other nodes; `None` of a process that has its stores to itself.
    #[must_use]
    pub fn remote(&self) -> Option<&Remote> {
        self.remote.get()
    }

    /// Nodes that take requests, this one among them, as far as it knows: one, where a process has its stores to itself.
    #[must_use]
    pub fn edges(&self) -> usize {
        let edges = |remote: &Remote| remote.outlook().members.iter().filter(|member| member.roles.edge).count();
        self.remote().map_or(1, edges).max(1)
    }

    /// Has readers on this node pull this author's posts from now on.
    pub(crate) fn pull(&self, author: UserId) {
        self.pulled.rcu(|known| {
            let mut next = HashSet::clone(known);
            next.insert(author);
            next
        });
        // Nothing is pushed of this author any more: their followers' streams listen to the timeline from now on.
        self.live.interest.stir_all();
    }
}
