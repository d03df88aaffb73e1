//! What the core is told by others than the store.

use cluster::{Boot, Event};
use parking_lot::Mutex;
use protocol::{Epoch, Slot};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;

/// Tells the core what happened. Cheap to clone, and never waits. What is not taken in yet is kept by what it is about, the newest of each, so that this
/// is bounded by slots and members, and nothing is lost that a later event does not say as well.
#[derive(Clone, Default)]
pub struct Events(Arc<Inbox>);

#[derive(Default)]
struct Inbox {
    kept: Mutex<Kept>,
    /// The highest version that was told of: most frames tell of one that is known.
    heard: AtomicU64,
    filled: Notify,
}

#[derive(Default)]
struct Kept {
    linked: BTreeSet<Boot>,
    answered: BTreeMap<Boot, u64>,
    heard: Option<u64>,
    raised: BTreeMap<Slot, Epoch>,
    fenced: BTreeMap<Slot, Epoch>,
    handed_off: BTreeMap<Slot, Epoch>,
    drains: bool,
    stops: bool,
}

/// Keeps the higher of two.
fn keep<K: Ord, V: Ord + Copy>(kept: &mut BTreeMap<K, V>, key: K, value: V) {
    kept.entry(key).and_modify(|known| *known = value.max(*known)).or_insert(value);
}

impl Events {
    /// Nothing has happened.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn tell(&self, keep: impl FnOnce(&mut Kept)) {
        keep(&mut self.0.kept.lock());
        self.0.filled.notify_one();
    }

    /// A link to a node was established.
    pub fn linked(&self, boot: Boot) {
        self.tell(|kept| {
            kept.linked.insert(boot);
        });
    }

    /// A node answered a probe, out of an owner actor's mailbox.
    pub fn probe_answered(&self, boot: Boot, round: u64) {
        self.tell(|kept| keep(&mut kept.answered, boot, round));
    }

    /// Another node knows this version of the view: from its announcement, or any frame of it. Costs an atomic operation where that is no news.
    pub fn heard(&self, view: u64) {
        if self.0.heard.fetch_max(view, Ordering::Relaxed) < view {
            self.tell(|kept| kept.heard = kept.heard.max(Some(view)));
        }
    }

    /// An owner actor started anew, or the outcome of a commit is unknown: the slot is to be served above this epoch, or not at all, and one
    /// of both is what [`Ownership`](crate::ownership::Ownership) says next of it.
    pub fn raise(&self, slot: Slot, epoch: Epoch) {
        self.tell(|kept| keep(&mut kept.raised, slot, epoch));
    }

    /// A commit was refused by the guard, at this epoch. Answered as [`Self::raise`] is.
    pub fn fenced(&self, slot: Slot, epoch: Epoch) {
        self.tell(|kept| keep(&mut kept.fenced, slot, epoch));
    }

    /// No commit of these slots is under way, and none will be begun at these epochs.
    pub fn handed_off(&self, slots: impl IntoIterator<Item = (Slot, Epoch)>) {
        self.tell(|kept| slots.into_iter().for_each(|(slot, epoch)| keep(&mut kept.handed_off, slot, epoch)));
    }

    /// Hand over everything and leave: on SIGTERM, after readiness went off and load balancers had their time.
    pub fn drain(&self) {
        self.tell(|kept| kept.drains = true);
    }

    /// The thread ends as it is.
    pub(super) fn stop(&self) {
        self.tell(|kept| kept.stops = true);
    }

    /// Resolves when something was told since the last look.
    pub(super) async fn told(&self) {
        self.0.filled.notified().await;
    }

    /// What was told since then; `None` if the thread is to end.
    pub(super) fn take(&self) -> Option<Vec<Event>> {
        let kept = std::mem::take(&mut *self.0.kept.lock());
        if kept.stops {
            // For whoever looks again.
            self.0.kept.lock().stops = true;
            return None;
        }
        let linked = kept.linked.into_iter().map(|boot| Event::Linked { boot });
        let answered = kept.answered.into_iter().map(|(boot, round)| Event::ProbeAnswered { boot, round });
        let heard = kept.heard.into_iter().map(|view| Event::Heard { view });
        let raised = kept.raised.into_iter().map(|(slot, epoch)| Event::Raise { slot, epoch });
        let fenced = kept.fenced.into_iter().map(|(slot, epoch)| Event::Fenced { slot, epoch });
        let slots: Vec<_> = kept.handed_off.into_iter().collect();
        let handed_off = (!slots.is_empty()).then_some(Event::HandedOff { slots });
        let drain = kept.drains.then_some(Event::Drain);
        // What was committed under an epoch is accounted for before the slot is given up.
        Some(linked.chain(answered).chain(heard).chain(raised).chain(fenced).chain(handed_off).chain(drain).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn the_newest_of_each_is_kept_and_told_once() {
        let events = Events::new();
        let (ada, bob) = (Boot(Uuid::from_u128(1)), Boot(Uuid::from_u128(2)));
        let slot = |number| Slot::new(number).expect("a slot");
        for round in [4, 6, 5] {
            events.probe_answered(ada, round);
        }
        events.probe_answered(bob, 1);
        for view in [3, 9, 9, 2] {
            events.heard(view);
        }
        events.raise(slot(1), Epoch(2));
        events.raise(slot(1), Epoch(1));
        events.handed_off([(slot(2), Epoch(7)), (slot(3), Epoch(1))]);
        let expected = [
            Event::ProbeAnswered { boot: ada, round: 6 },
            Event::ProbeAnswered { boot: bob, round: 1 },
            Event::Heard { view: 9 },
            Event::Raise { slot: slot(1), epoch: Epoch(2) },
            Event::HandedOff { slots: vec![(slot(2), Epoch(7)), (slot(3), Epoch(1))] },
        ];
        assert_eq!(events.take().as_deref(), Some(expected.as_slice()));
        events.heard(8);
        assert_eq!(events.take(), Some(Vec::new()), "that is no news");
        events.stop();
        events.drain();
        assert_eq!((events.take(), events.take()), (None, None));
    }
}
