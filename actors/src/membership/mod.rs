//! This node's place in a cluster: what its core decided, for everybody on the node to look at, and the thread that runs the core.
//!
//! * [`Seat`]: until when the node may answer from memory, which slots it serves at which epoch, who owns the others, who is there. All of it is
//!   looked at without waiting, and without asking the thread.
//! * [`Events`]: what the core is told by those who run links and owners. [`Peers`], [`Slots`]: what it wants of them.
//! * `driver`: the thread. It has a runtime of its own, so neither busy workers nor a full pool make a renewal late.
//!
//! Nothing is decided here: see [`cluster`] for what is, and why it is right.

mod driver;
mod event;

pub use event::Events;

use arc_swap::ArcSwap;
use cluster::timing::LEASE_MS;
use cluster::{Boot, Exit, Identity, Member, Moment};
use driver::Driver;
use protocol::{Epoch, Slot};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use store::Lease;
use store::postgres::Membership;
use tokio::sync::watch;

/// The links to other nodes. All calls come from one thread, in order, and must return at once.
pub trait Peers: Send + Sync + 'static {
    /// These nodes are not dead: link to those beside this one, and to no others. Each link that is established is told by [`Events::linked`].
    fn members(&self, members: &[Member]);

    /// Sends a probe, to be answered through the mailbox of an owner actor there, and the answer told by [`Events::probe_answered`]. What is lost is lost.
    fn probe(&self, boot: Boot, round: u64);

    /// Tells every linked node that the view is at this version, which tells its core by [`Events::heard`]. What is lost is lost.
    fn announce(&self, view: u64);
}

/// The owners of this node's slots. All calls come from one thread, in order, and must return at once. What the [`Seat`] says is so by then.
pub trait Slots: Send + Sync + 'static {
    /// Loads and commits begin, or go on, at this epoch.
    fn serve(&self, slot: Slot, epoch: Epoch);

    /// No more writes begin in the slot; those under way are finished, what is warm is sent to the next owner, as far as it is known, and then it is said by
    /// [`Events::handed_off`] with this epoch. What takes longer than [`cluster::timing::HAND_OFF_MAX_MS`] is stopped.
    fn hand_off(&self, slot: Slot, epoch: Epoch, to: Option<Boot>);

    /// It is not this node's any more: what is in memory is dropped.
    fn stop(&self, slot: Slot);
}

/// What is known of the cluster on this node. It may be old, and gives no right.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// The nodes that are not dead, this one among them, by boot.
    pub members: Arc<[Member]>,
    /// By slot: its living owner.
    owners: Box<[Option<Boot>]>,
}

impl Outlook {
    /// Where what concerns a slot is to be sent. `None`: nobody is known; reads go to the store, and writes wait.
    #[must_use]
    pub fn owner(&self, slot: Slot) -> Option<Boot> {
        self.owners.get(slot.index()).copied().flatten()
    }

    /// The row of a node that is not dead.
    #[must_use]
    pub fn member(&self, boot: Boot) -> Option<&Member> {
        self.members.iter().find(|member| member.boot == boot)
    }
}

/// What the thread tells everybody.
struct Shared {
    lease: Lease,
    /// By slot: the epoch at which it is served; 0: it is not.
    served: Box<[AtomicU64]>,
    outlook: ArcSwap<Outlook>,
    exit: watch::Sender<Option<Exit>>,
}

impl Shared {
    fn new(slots: u16) -> Self {
        let count = usize::from(slots);
        let outlook = Outlook { members: Arc::new([]), owners: vec![None; count].into() };
        Self {
            lease: Lease::ended(),
            served: (0..count).map(|_| AtomicU64::new(0)).collect(),
            outlook: ArcSwap::from_pointee(outlook),
            exit: watch::Sender::new(None),
        }
    }

    fn served(&self, slot: Slot) -> Option<Epoch> {
        let epoch = self.served.get(slot.index())?.load(Ordering::Acquire);
        (epoch > 0).then_some(Epoch(epoch))
    }

    fn serve(&self, slot: Slot, epoch: Epoch) {
        self.served[slot.index()].store(epoch.0, Ordering::Release);
    }

    fn stop(&self, slot: Slot) {
        self.served[slot.index()].store(0, Ordering::Release);
    }

    fn renew(&self, until: Moment) {
        match until {
            Moment(0) => self.lease.end(),
            Moment(until_ms) => self.lease.renew(until_ms.saturating_sub(LEASE_MS), Duration::from_millis(LEASE_MS)),
        }
    }

    /// Serves nothing any more. The first reason counts.
    fn end(&self, exit: Exit) {
        self.lease.end();
        self.served.iter().for_each(|epoch| epoch.store(0, Ordering::Release));
        self.exit.send_if_modified(|known| {
            let is_first = known.is_none();
            known.get_or_insert(exit);
            is_first
        });
    }
}

/// This node's place in the cluster. Dropping it ends the node's part in it at once, without a word to the others, as a crash would; to leave in good
/// order it is told to [`Events::drain`], and then [`Seat::ended`] is waited for.
pub struct Seat {
    identity: Identity,
    shared: Arc<Shared>,
    events: Events,
}

impl Seat {
    /// Starts the thread, which begins to join. `events` is what `peers` and `slots` tell it by.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn take(
        identity: Identity,
        events: Events,
        store: Arc<Membership>,
        peers: Arc<dyn Peers>,
        slots: Arc<dyn Slots>,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::new(identity.slots));
        Driver { identity: identity.clone(), events: events.clone(), shared: shared.clone(), store, peers, slots }.start()?;
        Ok(Self { identity, shared, events })
    }

    /// Which life of this node it is.
    #[must_use]
    pub fn boot(&self) -> Boot {
        self.identity.boot
    }

    /// Whether what is in memory may be answered now, for slots that are served.
    #[must_use]
    pub fn lease(&self) -> Lease {
        self.shared.lease.clone()
    }

    /// The epoch at which commits of a slot are guarded; `None` if it is not this node's, or not yet.
    #[must_use]
    pub fn served(&self, slot: Slot) -> Option<Epoch> {
        self.shared.served(slot)
    }

    /// Whether a slot may be answered from memory now: to be looked at after what is answered was read.
    #[must_use]
    pub fn serves(&self, slot: Slot) -> bool {
        self.served(slot).is_some() && self.shared.lease.holds()
    }

    /// What is known of the cluster.
    #[must_use]
    pub fn outlook(&self) -> Arc<Outlook> {
        self.shared.outlook.load_full()
    }

    /// What tells the core of something.
    #[must_use]
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// Resolves when the node's part in the cluster is over. Nothing is served by then, and the process is to end; after [`Exit::Dead`] to start
    /// again, as another boot.
    pub async fn ended(&self) -> Exit {
        let mut exit = self.shared.exit.subscribe();
        let ended = exit.wait_for(Option::is_some).await.map(|exit| *exit);
        ended.ok().flatten().expect("this seat holds what says so")
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shared.end(Exit::Dead);
        self.events.stop();
    }
}
