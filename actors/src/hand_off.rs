//! Slots that go to another node, and what is warm of them, which goes ahead.
//!
//! What is warm is sent while its owner still answers and writes ([`watch`]), so nobody waits for it. Only then what is lent of it is called back (`near`), and
//! no more commits begin; when none is under way any more, the databases are raised for the next owner, and the slot is given to it. That one holds what was
//! sent against the store's versions, many in one look, once the slot is its own ([`warm`]): what was changed in between, or by somebody who does not ask
//! owners, is loaded anew. So nothing that is sent is ever believed, and all of it may be lost.

use crate::{
    clock::by_the_clock,
    entity::freeze,
    near::Grants,
    node::Node,
    owner::Warmth,
    remote::Remote,
    second_level::{WARMING_AT_HAND_MAX, warm_owners},
    snapshot::Snapshot,
    supervisor::Child,
};
use cluster::{Boot, timing::HAND_OFF_MAX_MS};
use parking_lot::Mutex;
use protocol::{
    Slot,
    envelope::{FRAME_BYTES_MAX, Kept},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};
use store::redis::Frozen;
use tokio::task::JoinSet;

/// How long what is warm may take to go ahead; what is left then is cold for its next owner.
const AHEAD_MAX: Duration = Duration::from_millis(2_000);
const _: () = assert!(AHEAD_MAX.as_millis() * 2 < HAND_OFF_MAX_MS as u128, "the core gives up what takes longer");
/// What one frame holds of it.
const LOT_BYTES_MAX: usize = FRAME_BYTES_MAX / 4 * 3;
/// Bytes around an entity in a frame.
const KEPT_BYTES: usize = 64;
/// Frames on their way at once.
const LOTS_MAX: usize = 4;
/// Entities looked at before others get their turn on the thread.
const LOOKED_AT_ONCE: usize = 512;
/// How often it is looked for slots without being told.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long what was sent waits for its slot.
const EXPECTED_FOR: Duration = Duration::from_secs(10);

// ---- the one that gives a slot up ----

/// The row of the supervision tree that does it. What a panic interrupts the core gives up when its time is over.
#[must_use]
pub fn watch(node: &Arc<Node>) -> Child {
    let node = node.clone();
    by_the_clock("hand_off", Duration::ZERO, move |_| {
        let node = node.clone();
        async move {
            let mut moves = node.ownership.moves();
            let departing = node.ownership.departing();
            if departing.is_empty() {
                let _ = tokio::time::timeout(LOOK_EVERY, moves.changed()).await;
                return Duration::ZERO;
            }
            if let Some(remote) = node.remote() {
                let sent = send_ahead(&node, remote, &departing, Instant::now() + AHEAD_MAX).await;
                tracing::debug!(slots = departing.len(), sent, "what is warm of slots went ahead of them");
            }
            Grants::withdraw(&node, &departing.iter().map(|(slot, _)| *slot).collect()).await;
            node.ownership.hand_off(departing.into_iter().map(|(slot, _)| slot));
            Duration::ZERO
        }
    })
}

/// Sends what is warm to the next owners, as far as there is time; answers how many entities they took.
async fn send_ahead(node: &Arc<Node>, remote: &Remote, departing: &[(Slot, Option<Boot>)], deadline: Instant) -> usize {
    let next: HashMap<Slot, Boot> =
        departing.iter().filter_map(|(slot, to)| Some((*slot, to.filter(|boot| remote.speaks_of_warmth(*boot))?))).collect();
    let (mut lots, mut on_their_way, mut sent) = (HashMap::<Boot, Lot>::new(), JoinSet::new(), 0);
    if next.is_empty() {
        return 0;
    }
    let send = |boot: Boot, lot: Lot, on_their_way: &mut JoinSet<usize>| {
        let node = node.clone();
        on_their_way.spawn(async move {
            let count = lot.kept.len();
            let taken = match node.remote() {
                Some(remote) => remote.warm(boot, lot.kept, deadline).await,
                None => false,
            };
            if taken { count } else { 0 }
        });
    };
    for (looked_at, snapshot) in node.snapshots.warm().enumerate() {
        if looked_at % LOOKED_AT_ONCE == LOOKED_AT_ONCE - 1 {
            tokio::task::yield_now().await;
            if Instant::now() >= deadline {
                break;
            }
        }
        let Some(boot) = next.get(&snapshot.slot()).filter(|_| node.ownership.is_of(snapshot.slot(), snapshot.tenure())) else { continue };
        let Some(kept) = kept(&snapshot) else { continue };
        if let Some(full) = lots.entry(*boot).or_default().add(kept) {
            while on_their_way.len() >= LOTS_MAX {
                sent += on_their_way.join_next().await.and_then(Result::ok).unwrap_or_default();
            }
            send(*boot, full, &mut on_their_way);
        }
    }
    lots.into_iter().filter(|(_, lot)| !lot.kept.is_empty()).for_each(|(boot, lot)| send(boot, lot, &mut on_their_way));
    while let Some(taken) = on_their_way.join_next().await {
        sent += taken.unwrap_or_default();
    }
    sent
}

fn kept(snapshot: &Snapshot) -> Option<Kept> {
    let rest = freeze(snapshot)?;
    let is_small = weight(&snapshot.view, &rest) <= LOT_BYTES_MAX;
    is_small.then(|| Kept { key: snapshot.key, view: snapshot.view.clone(), rest })
}

fn weight(view: &protocol::View, rest: &[u8]) -> usize {
    KEPT_BYTES + view.bytes_about() + rest.len()
}

/// What goes to a node in one frame.
#[derive(Default)]
struct Lot {
    kept: Vec<Kept>,
    bytes: usize,
}

impl Lot {
    /// Adds one more; answers what was there before if both together are too much.
    fn add(&mut self, kept: Kept) -> Option<Self> {
        let bytes = weight(&kept.view, &kept.rest);
        let full = (self.bytes + bytes > LOT_BYTES_MAX && !self.kept.is_empty()).then(|| std::mem::take(self));
        self.bytes += bytes;
        self.kept.push(kept);
        full
    }
}

// ---- the one that gets it ----

/// What was warm elsewhere of slots that are to become this node's.
pub(crate) struct Expected {
    bytes_max: usize,
    arrived: Mutex<Arrived>,
}

#[derive(Default)]
struct Arrived {
    bytes: usize,
    slots: HashMap<Slot, (Instant, Vec<Kept>)>,
}

impl Arrived {
    fn remove(&mut self, slot: Slot) -> Vec<Kept> {
        let kept = self.slots.remove(&slot).map(|(_, kept)| kept).unwrap_or_default();
        self.bytes -= kept.iter().map(|kept| weight(&kept.view, &kept.rest)).sum::<usize>();
        kept
    }
}

impl Expected {
    /// Nothing yet, and never more than about so many bytes.
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self { bytes_max: usize::try_from(bytes_max).unwrap_or(usize::MAX), arrived: Mutex::default() }
    }

    /// Keeps what arrived for a while. `false` if there is no room for all of it.
    pub(crate) fn arrive(&self, lot: Vec<Kept>) -> bool {
        let mut arrived = self.arrived.lock();
        for kept in lot {
            let bytes = weight(&kept.view, &kept.rest);
            if arrived.bytes + bytes > self.bytes_max {
                return false;
            }
            arrived.bytes += bytes;
            let (at, waiting) = arrived.slots.entry(kept.key.slot()).or_insert_with(|| (Instant::now(), Vec::new()));
            *at = Instant::now();
            waiting.push(kept);
        }
        true
    }

    /// What arrived of these slots.
    pub(crate) fn take(&self, slots: &HashSet<Slot>) -> Vec<Kept> {
        let mut arrived = self.arrived.lock();
        slots.iter().flat_map(|slot| arrived.remove(*slot)).collect()
    }

    /// Forgets what waited for too long.
    pub(crate) fn forget_old(&self) {
        let mut arrived = self.arrived.lock();
        let old: Vec<_> = arrived.slots.iter().filter(|(_, (at, _))| at.elapsed() >= EXPECTED_FOR).map(|(slot, _)| *slot).collect();
        for slot in old {
            arrived.remove(slot);
        }
    }
}

/// Has the owners of what was sent ahead load it, at the price of its versions.
pub(crate) async fn warm(node: &Arc<Node>, kept: Vec<Kept>, deadline: Instant) {
    let sent = kept.len();
    let kept = kept.into_iter().map(|kept| (kept.key, (kept.key.id, Frozen { view: kept.view, rest: kept.rest })));
    let warmed = warm_owners(node, kept, Warmth::Sent, (WARMING_AT_HAND_MAX, deadline)).await;
    node.metrics.warmed("hand_off", warmed);
    tracing::debug!(sent, warmed, "what was sent ahead of slots is warm here");
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Audience, Fact, Key, Kind, View};
    use uuid::Uuid;

    fn kept(number: u128, body: usize) -> Kept {
        let view = View { version: 1, audience: Audience::Everyone, body: vec![b' '; body].into(), fact: Fact::None };
        Kept { key: Key::new(Kind::Post, Uuid::from_u128(number)), view, rest: Box::default() }
    }

    #[test]
    fn what_is_sent_fits_into_frames_and_is_sent_once() {
        let mut lot = Lot::default();
        let full: Vec<_> = (0..100).filter_map(|number| lot.add(kept(number, LOT_BYTES_MAX / 10))).collect();
        assert!(full.iter().all(|lot| lot.bytes <= LOT_BYTES_MAX && lot.kept.len() >= 8));
        let numbers = full.iter().chain([&lot]).flat_map(|lot| &lot.kept).map(|kept| kept.key.id.as_u128());
        assert!(numbers.eq(0..100));
    }

    #[test]
    fn what_arrives_is_bounded_and_leaves_with_its_slot() {
        let expected = Expected::new(10_000);
        assert!(expected.arrive(vec![kept(1, 4_000), kept(2, 4_000)]));
        assert!(!expected.arrive(vec![kept(3, 4_000)]), "there is no room");
        let slot = |number| kept(number, 0).key.slot();
        let taken = expected.take(&HashSet::from([slot(1), slot(3)]));
        assert_eq!(taken, [kept(1, 4_000)]);
        assert!(expected.arrive(vec![kept(3, 4_000)]), "there is room again");
        assert_eq!(expected.take(&HashSet::from([slot(2), slot(3)])).len(), 2);
        assert_eq!(expected.arrived.lock().bytes, 0);
    }
}
