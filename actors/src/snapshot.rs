//! What owners published: one bounded, concurrent map that every thread of the node reads without entering a mailbox.
//!
//! The map holds the only copy of an entity's state, too, so eviction from it is passivation, and one byte budget bounds all kinds together.
//! Only the owner of a key writes its entry, so an older snapshot can never replace a newer one.

use crate::{
    doubt::Doubt,
    entity::{Entity, list::has_page_of},
    near::Loan,
    ownership::Ownership,
    sabotage::{self, Defect},
};
use bytes::Bytes;
use protocol::{Key, Kind, Query, Slot, View};
use quick_cache::{OptionsBuilder, Weighter, sync::Cache};
use std::{
    any::Any,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

/// Owner actors of one kind on one node. A key's actor is its slot modulo this.
pub const SHARDS: usize = 64;

/// The shard of a slot.
#[must_use]
pub const fn shard_of(slot: Slot) -> usize {
    slot.index() % SHARDS
}

/// Digits of the longest version.
const U64_DIGITS: usize = 20;

/// A published view, and the state that it was rendered from.
pub struct Snapshot {
    /// What may be read.
    pub view: View,
    /// Whose view it is.
    pub key: Key,
    slot: Slot,
    incarnation: u64,
    /// The tenure of its slot in which it was loaded; 0 of what another node, or the store, was asked for a request, and what is kept nowhere.
    tenure: u64,
    state: Held,
    /// What another node's owner lent; only for as long as it may be answered from.
    loan: Option<Box<Loan>>,
    weight: u64,
    /// When it was given to the second level, in seconds since this process keeps things there; 0 if it was not.
    kept_at_s: AtomicU32,
    /// Whether a commit under way may have replaced it.
    doubt: Doubt,
}

/// How the state is kept beside the view.
pub(crate) enum Held {
    /// A part has none.
    None,
    /// As it is.
    Whole(Arc<dyn Any + Send + Sync>),
    /// What the view does not tell of it: [`Entity::pack`].
    Packed(Box<[u8]>),
}

impl Snapshot {
    /// `"version"`: the strong entity tag of the view. It is made when asked for: kept, it would take 72 bytes of each of a node's many snapshots.
    #[must_use]
    pub fn etag(&self) -> Bytes {
        let mut tag = [b'"'; 2 + U64_DIGITS];
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(self.view.version).as_bytes();
        tag[1..=digits.len()].copy_from_slice(digits);
        Bytes::copy_from_slice(&tag[..digits.len() + 2])
    }

    /// The same of a part, which is none of it that changed, at another version of the whole.
    fn at_version(&self, version: u64) -> Self {
        let view = View { version, ..self.view.clone() };
        let publication = Publication { view, state: Held::None, state_bytes: 0, incarnation: self.incarnation, tenure: self.tenure };
        publication.rendered(self.key)
    }

    /// When it was given to the second level, by whatever clock [`Snapshot::note_kept`] was told.
    pub(crate) fn kept_at(&self) -> Option<NonZeroU32> {
        NonZeroU32::new(self.kept_at_s.load(Ordering::Relaxed))
    }

    /// Notes that it was given to the second level.
    pub(crate) fn note_kept(&self, at_s: NonZeroU32) {
        self.kept_at_s.store(at_s.get(), Ordering::Relaxed);
    }

    /// Whether a commit under way may have replaced it: then nobody is answered it.
    pub(crate) const fn doubt(&self) -> &Doubt {
        &self.doubt
    }

    /// Its key's.
    pub(crate) const fn slot(&self) -> Slot {
        self.slot
    }

    /// The tenure of its slot in which it was loaded; 0 if it may not be answered to anybody else.
    pub(crate) const fn tenure(&self) -> u64 {
        self.tenure
    }

    /// What another node answered.
    pub(crate) fn received(key: Key, view: View) -> Arc<Self> {
        Arc::new(Self::received_for(key, view, None))
    }

    fn received_for(key: Key, view: View, loan: Option<Box<Loan>>) -> Self {
        let publication = Publication { view, state: Held::None, state_bytes: 0, incarnation: 0, tenure: 0 };
        Self { loan, ..publication.rendered(key) }
    }

    /// The lease on it, if another node's owner lent it.
    #[must_use]
    pub fn loan(&self) -> Option<&Loan> {
        self.loan.as_deref()
    }

    /// The owner's typed state; `None` too of what another node answered.
    pub(crate) fn state<E: Entity>(&self) -> Option<Arc<E::State>> {
        match &self.state {
            Held::None => None,
            Held::Whole(state) => state.clone().downcast().ok(),
            Held::Packed(rest) => E::unpack(&self.view.body, rest).map(Arc::new),
        }
    }
}

/// A page or part of an entity. What is kept of it is at one version of that: a newer one makes it unreachable, and takes its place.
#[derive(Clone, PartialEq, Eq, Hash)]
struct PartKey {
    key: Key,
    query: Query,
}

#[derive(Clone)]
struct Bytewise;

impl Weighter<Key, Arc<Snapshot>> for Bytewise {
    fn weight(&self, _: &Key, snapshot: &Arc<Snapshot>) -> u64 {
        snapshot.weight
    }
}

impl Weighter<PartKey, Arc<Snapshot>> for Bytewise {
    fn weight(&self, _: &PartKey, snapshot: &Arc<Snapshot>) -> u64 {
        snapshot.weight
    }
}

/// Bytes that an entry costs beside its body and state: two map slots, two `Arc`s, the tag. Measured with 100k profiles (docs/performance.md).
const ENTRY_BYTES: u64 = 320;

/// All snapshots of a node.
pub struct Snapshots {
    entities: Cache<Key, Arc<Snapshot>, Bytewise>,
    parts: Cache<PartKey, Arc<Snapshot>, Bytewise>,
    incarnations: Incarnations,
}

/// What an owner publishes.
pub(crate) struct Publication {
    pub view: View,
    pub state: Held,
    pub state_bytes: usize,
    pub incarnation: u64,
    /// 0: it is kept nowhere.
    pub tenure: u64,
}

impl Publication {
    /// Renders it without publishing it.
    pub(crate) fn into_snapshot(self, key: Key) -> Arc<Snapshot> {
        Arc::new(self.rendered(key))
    }

    fn rendered(self, key: Key) -> Snapshot {
        let weight = ENTRY_BYTES + (self.view.body.len() + self.state_bytes) as u64;
        let Self { view, state, incarnation, tenure, .. } = self;
        Snapshot {
            key,
            slot: key.slot(),
            incarnation,
            tenure,
            state,
            loan: None,
            weight,
            view,
            kept_at_s: AtomicU32::new(0),
            doubt: Doubt::default(),
        }
    }
}

impl Snapshots {
    /// Makes an empty map that holds about `bytes_max` bytes: three quarters for entities, one for pages of them.
    #[must_use]
    pub fn new(bytes_max: u64) -> Self {
        Self { entities: bounded(bytes_max / 4 * 3), parts: bounded(bytes_max / 4), incarnations: Incarnations::new() }
    }

    /// The entity's snapshot, if it is warm and may be served from memory. The snapshot is read first; then the incarnation of its owner, the
    /// tenure of its slot, the lease, and whether a commit may have replaced it, are checked, in that order.
    #[must_use]
    pub fn get(&self, key: &Key, ownership: &Ownership) -> Option<Arc<Snapshot>> {
        self.entities.get(key).filter(|snapshot| self.valid(snapshot, ownership))
    }

    /// The part of it that `query` names, at the same version, under the same rules.
    #[must_use]
    pub fn part(&self, of: &Snapshot, query: &Query, ownership: &Ownership) -> Option<Arc<Snapshot>> {
        self.part_at_version(of, query).filter(|snapshot| self.valid(snapshot, ownership))
    }

    fn part_at_version(&self, of: &Snapshot, query: &Query) -> Option<Arc<Snapshot>> {
        let (part, version) = (PartKey { key: of.key, query: query.clone() }, of.view.version);
        let found = self.parts.get(&part)?;
        if found.view.version == version {
            return Some(found);
        }
        if !has_page_of(of, found.view.version, query) {
            return None;
        }
        let same = Arc::new(found.at_version(version));
        self.parts.insert(part, same.clone());
        Some(same)
    }

    fn valid(&self, snapshot: &Snapshot, ownership: &Ownership) -> bool {
        match &snapshot.loan {
            None => self.living(snapshot) && ownership.serves_of(snapshot.slot, snapshot.tenure) && !snapshot.doubt.holds(),
            // Whose slot it is now, has what it published itself; and what everybody is told, whoever is not leased does not hear.
            Some(loan) => loan.holds() && ownership.epoch(snapshot.slot).is_none() && ownership.is_leased(),
        }
    }

    fn living(&self, snapshot: &Snapshot) -> bool {
        self.incarnations.current(snapshot.key.kind, snapshot.slot) == snapshot.incarnation || sabotage::active(Defect::IncarnationIgnored)
    }

    /// As [`Snapshots::get`], also when the lease has ended: to be shown as what it is.
    pub(crate) fn lapsed(&self, key: &Key, ownership: &Ownership) -> Option<Arc<Snapshot>> {
        self.entities.get(key).filter(|snapshot| self.living(snapshot) && ownership.is_of(snapshot.slot, snapshot.tenure))
    }

    /// As [`Snapshots::part`], also when the lease has ended.
    pub(crate) fn lapsed_part(&self, of: &Snapshot, query: &Query, ownership: &Ownership) -> Option<Arc<Snapshot>> {
        self.part_at_version(of, query).filter(|snapshot| self.living(snapshot) && ownership.is_of(snapshot.slot, snapshot.tenure))
    }

    pub(crate) fn publish(&self, key: Key, publication: Publication) -> Arc<Snapshot> {
        let snapshot = publication.into_snapshot(key);
        if snapshot.tenure != 0 {
            self.entities.insert(key, snapshot.clone());
        }
        snapshot
    }

    pub(crate) fn publish_part(&self, key: Key, query: Query, publication: Publication, keep: bool) -> Arc<Snapshot> {
        let snapshot = publication.into_snapshot(key);
        if keep && snapshot.tenure != 0 {
            self.parts.insert(PartKey { key, query }, snapshot.clone());
        }
        snapshot
    }

    /// Keeps what another node's owner lent.
    pub(crate) fn keep_loan(&self, key: Key, view: View, loan: Loan) -> Arc<Snapshot> {
        let snapshot = Arc::new(Snapshot::received_for(key, view, Some(Box::new(loan))));
        self.entities.insert(key, snapshot.clone());
        snapshot
    }

    /// What was lent of a key, whether its lease ended or not.
    pub(crate) fn lent(&self, key: &Key) -> Option<Arc<Snapshot>> {
        self.entities.get(key).filter(|snapshot| snapshot.loan.is_some())
    }

    /// Answers from what was lent of a key no more.
    pub(crate) fn return_loan(&self, key: &Key) {
        if self.lent(key).is_some() {
            self.entities.remove(key);
        }
    }

    pub(crate) fn withdraw(&self, key: &Key) {
        self.entities.remove(key);
    }

    /// What is warm, whoever it is by. No lock is held between two of them.
    pub(crate) fn warm(&self) -> impl Iterator<Item = Arc<Snapshot>> + '_ {
        self.entities.iter().map(|(_, snapshot)| snapshot)
    }

    /// How many entities are warm, and about how many bytes entities and parts take.
    #[must_use]
    pub fn size(&self) -> (usize, u64) {
        (self.entities.len(), self.entities.weight() + self.parts.weight())
    }

    /// Which incarnation of each owner actor lives.
    pub(crate) fn incarnations(&self) -> &Incarnations {
        &self.incarnations
    }
}

fn bounded<K: Eq + std::hash::Hash + Clone>(bytes_max: u64) -> Cache<K, Arc<Snapshot>, Bytewise>
where
    Bytewise: Weighter<K, Arc<Snapshot>>,
{
    // An entry is about a kilobyte; the estimate sizes the tables, not the bound.
    let options = OptionsBuilder::new()
        .weight_capacity(bytes_max.max(1))
        .estimated_items_capacity((bytes_max / 2048).clamp(64, 1 << 20) as usize)
        .build()
        .expect("capacity and estimate are given");
    Cache::with_options(options, Bytewise, Default::default(), Default::default())
}

/// The living incarnation of each owner actor. A snapshot of any other one is never served: an owner that dies takes its snapshots with it.
pub(crate) struct Incarnations {
    living: Box<[[AtomicU64; SHARDS]]>,
    next: AtomicU64,
}

impl Incarnations {
    fn new() -> Self {
        Self { living: (0..Kind::TABLE).map(|_| std::array::from_fn(|_| AtomicU64::new(0))).collect(), next: AtomicU64::new(1) }
    }

    fn current(&self, kind: Kind, slot: Slot) -> u64 {
        self.living[kind.index()][shard_of(slot)].load(Ordering::Acquire)
    }

    /// Begins a new incarnation; it ends when the returned guard is dropped, also by a panic.
    pub(crate) fn begin(&self, snapshots: &Arc<Snapshots>, kind: Kind, shard: usize) -> Incarnation {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.living[kind.index()][shard].store(number, Ordering::Release);
        Incarnation { snapshots: snapshots.clone(), kind, shard, number }
    }
}

/// The life of one owner actor.
pub(crate) struct Incarnation {
    snapshots: Arc<Snapshots>,
    kind: Kind,
    shard: usize,
    pub(crate) number: u64,
}

impl Incarnation {
    pub(crate) fn shard(&self) -> usize {
        self.shard
    }
}

impl Drop for Incarnation {
    fn drop(&mut self) {
        let cell = &self.snapshots.incarnations.living[self.kind.index()][self.shard];
        // Only our own: a successor may have begun already.
        let _ = cell.compare_exchange(self.number, 0, Ordering::AcqRel, Ordering::Relaxed);
    }
}
