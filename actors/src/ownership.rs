//! Which slots this node may serve from memory, and at which epochs it writes.
//!
//! A slot is this node's from when it is told so until it is told otherwise: a *tenure*. Epochs may rise within one, when an owner actor is restarted or the outcome of a
//! commit is unknown. What was read or published in one tenure is worth nothing in another: in between, somebody else may have written. So whatever
//! is kept in memory carries the tenure in which it was loaded.

use crate::{
    membership::Events,
    sabotage::{self, Defect},
};
use cluster::Boot;
use futures_util::future::try_join_all;
use protocol::{Epoch, SLOTS, Slot};
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use store::{Lease, StoreError, Stores, lease::now_ms};
use tokio::sync::watch;

/// In a slot's count of commits: it is being handed off, and no more begin.
const CLOSING: u32 = 1 << 31;

/// What waits for slots to move tries again after this time, even if nothing was heard of them.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The time from when a slot became this node's until it is not any more, by the epoch at which it began. Never 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tenure(u64);

impl Tenure {
    /// In one word; 0 is no tenure.
    #[must_use]
    pub const fn number(tenure: Option<Self>) -> u64 {
        match tenure {
            Some(Self(number)) => number,
            None => 0,
        }
    }
}

/// What this node has of a slot.
#[derive(Default)]
struct Holding {
    /// 0: nothing.
    epoch: AtomicU64,
    /// The epoch at which the tenure began.
    since: AtomicU64,
    /// Commits under way, and [`CLOSING`].
    commits: AtomicU32,
    /// It is about to be handed off.
    departs: AtomicBool,
    /// Until when the tenure is young, an instant of [`now_ms`].
    young_until_ms: AtomicU64,
}

/// So long others may not know yet whose a slot is ([`crate::doubt`]): longer than any node's lease, without which it answers nothing.
const YOUNG_MS: u64 = 4_000;

/// The slots that this node owns. One process alone holds all of them from [`Ownership::claim_all`] on, for as long as its stores are its own; in a
/// cluster they come and go by rows and leases ([`crate::membership`]).
pub struct Ownership {
    slots: Box<[Holding]>,
    /// Whether what is in memory may be answered: until another process may have taken the stores.
    lease: Lease,
    raises: Raises,
    /// Told whenever slots, or their owners elsewhere, moved.
    moved: watch::Sender<()>,
    /// Slots whose tenure began, until somebody takes them in hand.
    gained: parking_lot::Mutex<HashSet<Slot>>,
    /// Slots that are to be handed off, and to whom, until somebody takes them in hand.
    departing: parking_lot::Mutex<Vec<(Slot, Option<Boot>)>>,
    /// The node is about to leave its cluster.
    leaves: AtomicBool,
    /// Tenures that began, and those that ended.
    begun: AtomicU64,
    ended: AtomicU64,
}

/// Who raises epochs.
enum Raises {
    /// This process itself.
    Alone {
        /// The highest epochs that this node began to write. A raise reaches one database before another, and may fail half-way: until it is
        /// through, a database may be at an epoch that is not the slot's yet, and still it is this node's.
        begun: Box<[AtomicU64]>,
        /// Raises go one at a time: each must see the epoch that the one before it wrote.
        one_at_a_time: tokio::sync::Mutex<()>,
    },
    /// The cluster's core.
    Cluster(Events),
}

/// What a commit that was refused by its guard means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fence {
    /// This node itself raised the epoch: the same may be written at the new one.
    Ours,
    /// The slot belongs to somebody else.
    Lost,
    /// Nobody knows yet: see [`Ownership::settled`].
    Unsettled,
}

/// A commit under way. The slot is not handed off while there is one.
pub struct Pass {
    ownership: Arc<Ownership>,
    slot: Slot,
    /// The epoch that guards it.
    pub epoch: Epoch,
    /// The tenure that it is made in.
    pub tenure: Tenure,
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.ownership.leave(self.slot);
    }
}

impl Ownership {
    /// Owns nothing yet, and nothing beyond `lease`. For a process that has its stores to itself.
    #[must_use]
    pub fn alone(lease: Lease) -> Arc<Self> {
        let begun = (0..SLOTS).map(|_| AtomicU64::new(0)).collect();
        Self::new(lease, Raises::Alone { begun, one_at_a_time: tokio::sync::Mutex::new(()) })
    }

    /// Owns nothing yet; the cluster's core, which is told by `events`, says what.
    #[must_use]
    pub fn shared(events: Events) -> Arc<Self> {
        Self::new(Lease::ended(), Raises::Cluster(events))
    }

    fn new(lease: Lease, raises: Raises) -> Arc<Self> {
        let slots = (0..SLOTS).map(|_| Holding::default()).collect();
        Arc::new(Self {
            slots,
            lease,
            raises,
            moved: watch::Sender::new(()),
            gained: parking_lot::Mutex::default(),
            departing: parking_lot::Mutex::default(),
            leaves: AtomicBool::new(false),
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
        })
    }

    /// What tells the cluster's core, where there is a cluster.
    #[must_use]
    pub fn events(&self) -> Option<Events> {
        if let Raises::Cluster(events) = &self.raises { Some(events.clone()) } else { None }
    }

    /// Takes every slot, one epoch above the highest that any database knows. For a process that has its stores to itself.
    ///
    /// # Errors
    /// When a database cannot be read or written; nothing is owned then, and a repetition is safe.
    pub async fn claim_all(&self, stores: &Stores) -> Result<(), StoreError> {
        let mut highest: HashMap<Slot, u64> = Slot::all().map(|s| (s, 0)).collect();
        for domain in stores.domains() {
            for (slot, epoch) in domain.epochs().await? {
                let known = highest.entry(slot).or_default();
                *known = epoch.0.max(*known);
            }
        }
        let next: Vec<_> = highest.into_iter().map(|(slot, epoch)| (slot, Epoch(epoch + 1))).collect();
        self.write(stores, &next).await?;
        for (slot, epoch) in next {
            self.serve(slot, epoch);
        }
        Ok(())
    }

    /// Raises the slots' epochs, so that no commit under the old ones can happen any more. Needed before a restarted owner's first load and
    /// after a commit whose outcome is unknown. Slots that are not owned are left out. In a cluster it takes for as long as the databases are away.
    ///
    /// # Errors
    /// When a database cannot be written; a repetition is safe.
    pub async fn raise(&self, stores: &Stores, slots: impl IntoIterator<Item = Slot> + Send) -> Result<(), StoreError> {
        let owned: Vec<_> = slots.into_iter().filter_map(|slot| Some((slot, self.epoch(slot)?))).collect();
        match &self.raises {
            Raises::Alone { begun, one_at_a_time } => {
                let _one_at_a_time = one_at_a_time.lock().await;
                let next =
                    owned.iter().map(|(slot, _)| (*slot, Epoch(begun[slot.index()].load(Ordering::Acquire) + 1))).collect::<Vec<_>>();
                self.write(stores, &next).await?;
                for (slot, epoch) in next {
                    // What was lost meanwhile stays lost.
                    let _ = self.slots[slot.index()]
                        .epoch
                        .fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| (now != 0).then_some(epoch.0));
                }
            }
            Raises::Cluster(events) => {
                owned.iter().for_each(|(slot, epoch)| events.raise(*slot, *epoch));
                self.until(|| owned.iter().all(|(slot, epoch)| self.epoch(*slot).is_none_or(|now| now > *epoch))).await;
            }
        }
        Ok(())
    }

    async fn write(&self, stores: &Stores, epochs: &[(Slot, Epoch)]) -> Result<(), StoreError> {
        if let Raises::Alone { begun, .. } = &self.raises {
            for (slot, epoch) in epochs {
                begun[slot.index()].store(epoch.0, Ordering::Release);
            }
        }
        try_join_all(stores.domains().iter().map(|domain| domain.fence(epochs.to_vec()))).await.map(drop)
    }

    /// What it means that a database is at `epoch`, which is not the one that a commit was guarded by. In a cluster the core is told.
    #[must_use]
    pub fn fenced(&self, slot: Slot, epoch: Epoch) -> Fence {
        match (&self.raises, self.epoch(slot)) {
            (_, None) => Fence::Lost,
            (Raises::Alone { begun, .. }, Some(_)) if epoch.0 <= begun[slot.index()].load(Ordering::Acquire) => Fence::Ours,
            (Raises::Alone { .. }, Some(_)) => Fence::Lost,
            (Raises::Cluster(_), Some(now)) if now >= epoch => Fence::Ours,
            (Raises::Cluster(events), Some(_)) => {
                events.fenced(slot, epoch);
                Fence::Unsettled
            }
        }
    }

    /// Resolves when the slot is this node's at `epoch` or above (true), or not its own (false).
    pub async fn settled(&self, slot: Slot, epoch: Epoch) -> bool {
        self.until(|| self.epoch(slot).is_none_or(|now| now >= epoch)).await;
        self.epoch(slot).is_some()
    }

    async fn until(&self, condition: impl Fn() -> bool) {
        let mut moves = self.moves();
        while !condition() {
            // Its sender is this one.
            let _ = moves.changed().await;
        }
    }

    // ---- what the cluster's core, or its stand-in, says ----

    /// The slot is this node's at this epoch.
    pub(crate) fn serve(&self, slot: Slot, epoch: Epoch) {
        let holding = &self.slots[slot.index()];
        let is_gained = holding.epoch.load(Ordering::Acquire) == 0;
        if is_gained {
            holding.since.store(epoch.0, Ordering::Release);
            holding.commits.fetch_and(!CLOSING, Ordering::AcqRel);
            holding.departs.store(false, Ordering::Release);
            // Alone there is nobody who would not know.
            if matches!(self.raises, Raises::Cluster(_)) {
                holding.young_until_ms.store(now_ms() + YOUNG_MS, Ordering::Release);
            }
        }
        holding.epoch.store(epoch.0, Ordering::Release);
        if is_gained {
            self.begun.fetch_add(1, Ordering::Relaxed);
            self.gained.lock().insert(slot);
        }
    }

    /// The slot is not this node's any more.
    pub(crate) fn stop(&self, slot: Slot) {
        let holding = &self.slots[slot.index()];
        if holding.epoch.swap(0, Ordering::AcqRel) != 0 {
            self.ended.fetch_add(1, Ordering::Relaxed);
        }
        holding.since.store(0, Ordering::Release);
    }

    /// The slot is to be handed off to this node: see [`crate::hand_off`].
    pub(crate) fn depart(&self, slot: Slot, to: Option<Boot>) {
        self.slots[slot.index()].departs.store(true, Ordering::Release);
        self.departing.lock().push((slot, to));
    }

    /// Whether the slot is about to be handed off: nothing is lent of it any more.
    pub(crate) fn is_departing(&self, slot: Slot) -> bool {
        self.leaves.load(Ordering::Acquire) || self.slots[slot.index()].departs.load(Ordering::Acquire)
    }

    /// Whether this node is about to leave: it borrows nothing any more.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaves.load(Ordering::Acquire)
    }

    /// Whatever this node owns, or still gets, is handed off sooner or later, so it lends nothing. And it borrows nothing: nobody has to wait until what it
    /// borrowed has ended when it is gone.
    pub fn leave_all(&self) {
        self.leaves.store(true, Ordering::Release);
    }

    /// The slots that are to be handed off since this was last asked, and to whom. Whoever asks has to see to it that each is, by [`Ownership::hand_off`].
    #[must_use]
    pub fn departing(&self) -> Vec<(Slot, Option<Boot>)> {
        std::mem::take(&mut *self.departing.lock())
    }

    /// No more commits begin in these slots. The core is told of those of which none is under way, and of each other one when its last has ended.
    pub fn hand_off(&self, slots: impl IntoIterator<Item = Slot>) {
        let close = |slot: &Slot| self.slots[slot.index()].commits.fetch_or(CLOSING, Ordering::AcqRel) == 0;
        self.handed_off(slots.into_iter().filter(close));
    }

    fn handed_off(&self, slots: impl IntoIterator<Item = Slot>) {
        if let Raises::Cluster(events) = &self.raises {
            events.handed_off(slots.into_iter().filter_map(|slot| Some((slot, self.epoch(slot)?))));
        }
    }

    /// Nothing is this node's any more, for good.
    pub(crate) fn end(&self) {
        self.lease.end();
        Slot::all().for_each(|slot| self.stop(slot));
        self.tell_moved();
    }

    /// Tells those who wait that slots, or their owners, moved.
    pub(crate) fn tell_moved(&self) {
        self.moved.send_replace(());
    }

    /// Gives up a slot that turned out to be somebody else's. In a cluster its core says so.
    pub(crate) fn lose(&self, slot: Slot) {
        self.stop(slot);
        self.tell_moved();
    }

    // ---- what everybody asks ----

    /// What resolves when slots, or their owners, moved after this call.
    #[must_use]
    pub fn moves(&self) -> watch::Receiver<()> {
        let mut moves = self.moved.subscribe();
        moves.mark_unchanged();
        moves
    }

    /// Waits for a next attempt at something that somebody else must do: until slots, or their owners, moved since `moves` was taken, or a while went by.
    /// `false`, at once, if the deadline comes first.
    pub(crate) async fn next_attempt(moves: &mut watch::Receiver<()>, deadline: Instant) -> bool {
        let again = Instant::now() + LOOK_AGAIN;
        if again >= deadline {
            return false;
        }
        let _ = tokio::time::timeout_at(again.into(), moves.changed()).await;
        true
    }

    /// The slots whose tenure began since this was last asked.
    pub(crate) fn gained(&self) -> HashSet<Slot> {
        std::mem::take(&mut *self.gained.lock())
    }

    /// Begins a commit. `None` if the slot is not this node's, or is being handed off.
    #[must_use]
    pub fn enter(self: &Arc<Self>, slot: Slot) -> Option<Pass> {
        let holding = &self.slots[slot.index()];
        // Entered first and looked at then: whoever closes it meanwhile sees this one.
        let before = holding.commits.fetch_add(1, Ordering::AcqRel);
        let tenure = self.tenure(slot);
        match (tenure, self.epoch(slot)) {
            (Some(tenure), Some(epoch)) if before & CLOSING == 0 && self.tenure(slot) == Some(tenure) => {
                Some(Pass { ownership: Arc::clone(self), slot, epoch, tenure })
            }
            _ => {
                self.leave(slot);
                None
            }
        }
    }

    fn leave(&self, slot: Slot) {
        if self.slots[slot.index()].commits.fetch_sub(1, Ordering::AcqRel) == CLOSING + 1 {
            self.handed_off([slot]);
        }
    }

    /// The epoch at which this node owns the slot.
    #[must_use]
    pub fn epoch(&self, slot: Slot) -> Option<Epoch> {
        match self.slots[slot.index()].epoch.load(Ordering::Acquire) {
            0 => None,
            epoch => Some(Epoch(epoch)),
        }
    }

    /// The tenure in which this node owns the slot.
    #[must_use]
    pub fn tenure(&self, slot: Slot) -> Option<Tenure> {
        let since = self.slots[slot.index()].since.load(Ordering::Acquire);
        (since != 0 && self.epoch(slot).is_some()).then_some(Tenure(since))
    }

    /// Whether the slot has become this node's so recently that others may not know it, and read the store.
    pub(crate) fn is_young(&self, slot: Slot) -> bool {
        now_ms() < self.slots[slot.index()].young_until_ms.load(Ordering::Acquire)
    }

    /// Whether the slot may be served from memory now.
    #[must_use]
    pub fn serves(&self, slot: Slot) -> bool {
        self.epoch(slot).is_some() && self.is_leased()
    }

    /// Whether what was loaded in this tenure may be served from memory now: to be asked after what is served was read.
    #[must_use]
    pub fn serves_of(&self, slot: Slot, tenure: u64) -> bool {
        self.is_of(slot, tenure) && self.is_leased()
    }

    /// Whether the tenure lasts as far as this node knows: the slot may be somebody else's by now.
    pub(crate) fn is_of(&self, slot: Slot, tenure: u64) -> bool {
        tenure != 0 && self.slots[slot.index()].since.load(Ordering::Acquire) == tenure
    }

    /// Whether anything may be answered that rests on what this node was told.
    #[must_use]
    pub fn is_leased(&self) -> bool {
        self.lease.holds() || sabotage::active(Defect::LeaseIgnored)
    }

    /// Until when that is so.
    #[must_use]
    pub const fn lease(&self) -> &Lease {
        &self.lease
    }

    /// If the lease ended: for how long nobody can tell whether what is in memory is still the truth.
    #[must_use]
    pub fn lapsed(&self) -> Option<Duration> {
        self.lease.lapsed()
    }

    /// How many slots are owned.
    #[must_use]
    pub fn count(&self) -> usize {
        self.slots.iter().filter(|slot| slot.epoch.load(Ordering::Relaxed) != 0).count()
    }

    /// How often a slot became this node's, and how often one was its own no more, since the start.
    #[must_use]
    pub fn moved(&self) -> (u64, u64) {
        (self.begun.load(Ordering::Relaxed), self.ended.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot() -> Slot {
        Slot::new(7).expect("a slot")
    }

    #[test]
    fn what_was_loaded_before_a_slot_was_lost_is_not_served_when_it_is_back() {
        let ownership = Ownership::alone(Lease::always());
        ownership.serve(slot(), Epoch(1));
        let first = Tenure::number(ownership.tenure(slot()));
        ownership.serve(slot(), Epoch(2));
        assert!(ownership.serves_of(slot(), first), "an epoch that rises ends no tenure");
        assert_eq!(ownership.moved(), (1, 0), "nor does it begin one");
        ownership.stop(slot());
        ownership.stop(slot());
        assert_eq!(ownership.moved(), (1, 1), "what is not owned cannot be lost");
        assert!(!ownership.serves_of(slot(), first) && ownership.tenure(slot()).is_none());
        ownership.serve(slot(), Epoch(5));
        assert!(ownership.serves(slot()) && !ownership.serves_of(slot(), first));
        assert!(!ownership.serves_of(slot(), 0), "what is of no tenure is served to nobody");
    }

    #[test]
    fn a_slot_that_is_handed_off_takes_no_commits_until_it_is_back() {
        let ownership = Ownership::shared(Events::new());
        assert!(ownership.enter(slot()).is_none(), "it is nobody's");
        ownership.serve(slot(), Epoch(1));
        let under_way = ownership.enter(slot()).expect("it is ours");
        ownership.hand_off([slot()]);
        assert!(ownership.enter(slot()).is_none());
        drop(under_way);
        ownership.stop(slot());
        ownership.serve(slot(), Epoch(3));
        assert_eq!(ownership.enter(slot()).expect("it is back").epoch, Epoch(3));
    }
}
