//! Which slots this node may serve from memory, and at which epochs it writes.

use futures_util::future::try_join_all;
use protocol::{Epoch, SLOTS, Slot};
use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use store::{Lease, StoreError, Stores};

/// The slots that this node owns. One process alone holds all of them from [`Ownership::claim_all`] on, for as long as its stores are its own; in a
/// cluster they come and go by rows and leases.
pub struct Ownership {
    /// 0: not owned.
    epochs: Box<[AtomicU64]>,
    /// The highest epochs that this node began to write. A raise reaches one database before another, and may fail half-way: until it is through,
    /// a database may be at an epoch that is not in `epochs` yet, and still it is this node's.
    begun: Box<[AtomicU64]>,
    /// Whether what is in memory may be answered: until another process may have taken the stores.
    lease: Lease,
    /// Raises go one at a time: each must see the epoch that the one before it wrote.
    raising: tokio::sync::Mutex<()>,
}

impl Ownership {
    /// Owns nothing yet, and nothing beyond `lease`.
    #[must_use]
    pub fn under(lease: Lease) -> Self {
        Self {
            epochs: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            begun: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            lease,
            raising: tokio::sync::Mutex::new(()),
        }
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
            self.epochs[slot.index()].store(epoch.0, Ordering::Release);
        }
        Ok(())
    }

    /// Raises the slots' epochs, so that no commit under the old ones can happen any more. Needed before a restarted owner's first load and
    /// after a commit whose outcome is unknown. Slots that are not owned are left out.
    ///
    /// # Errors
    /// When a database cannot be written; a repetition is safe.
    pub async fn raise(&self, stores: &Stores, slots: impl IntoIterator<Item = Slot> + Send) -> Result<(), StoreError> {
        let slots: Vec<_> = slots.into_iter().collect();
        let _one_at_a_time = self.raising.lock().await;
        let owned = slots.into_iter().filter(|slot| self.epoch(*slot).is_some());
        let next: Vec<_> = owned.map(|slot| (slot, Epoch(self.begun[slot.index()].load(Ordering::Acquire) + 1))).collect();
        self.write(stores, &next).await?;
        for (slot, epoch) in next {
            // What was lost meanwhile stays lost.
            let _ = self.epochs[slot.index()].fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| (now != 0).then_some(epoch.0));
        }
        Ok(())
    }

    async fn write(&self, stores: &Stores, epochs: &[(Slot, Epoch)]) -> Result<(), StoreError> {
        for (slot, epoch) in epochs {
            self.begun[slot.index()].store(epoch.0, Ordering::Release);
        }
        try_join_all(stores.domains().iter().map(|domain| domain.fence(epochs.to_vec()))).await.map(drop)
    }

    /// Whether a database that is at `epoch` was brought there by this node, which still owns the slot: then whatever was refused under an older
    /// one may be written under this one.
    #[must_use]
    pub fn raised_here(&self, slot: Slot, epoch: Epoch) -> bool {
        self.epoch(slot).is_some() && epoch.0 <= self.begun[slot.index()].load(Ordering::Acquire)
    }

    /// The epoch at which this node owns the slot.
    #[must_use]
    pub fn epoch(&self, slot: Slot) -> Option<Epoch> {
        match self.epochs[slot.index()].load(Ordering::Acquire) {
            0 => None,
            epoch => Some(Epoch(epoch)),
        }
    }

    /// Whether the slot may be served from memory now.
    #[must_use]
    pub fn serves(&self, slot: Slot) -> bool {
        self.served(slot) && self.lease.holds()
    }

    /// Whether the slot is this node's as far as it knows: it may be somebody else's by now.
    pub(crate) fn served(&self, slot: Slot) -> bool {
        self.epochs[slot.index()].load(Ordering::Acquire) != 0
    }

    /// If the lease ended: for how long nobody can tell whether what is in memory is still the truth.
    #[must_use]
    pub fn lapsed(&self) -> Option<Duration> {
        self.lease.lapsed()
    }

    /// Gives up a slot that turned out to be somebody else's.
    pub fn lose(&self, slot: Slot) {
        self.epochs[slot.index()].store(0, Ordering::Release);
    }

    /// How many slots are owned.
    #[must_use]
    pub fn count(&self) -> usize {
        self.epochs.iter().filter(|e| e.load(Ordering::Relaxed) != 0).count()
    }
}
