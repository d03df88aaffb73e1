//! This node's place in a cluster: what its core decided, for everybody on the node to look at, and the thread that runs the core.
//!
//! * [`Seat`]: who is there, and who owns which slot. What this node itself may serve, at which epochs and until when, is in its [`Ownership`]. All of it
//!   is looked at without waiting, and without asking the thread.
//! * [`Events`]: what the core is told by those who run links and owners. [`Peers`]: what it wants of the links.
//! * `driver`: the thread. It has a runtime of its own, so neither busy workers nor a full pool make a renewal late.
//!
//! Nothing is decided here: see [`cluster`] for what is, and why it is right.

mod driver;
mod event;

pub use event::Events;

use crate::ownership::Ownership;
use cluster::{Boot, Exit, Identity, Member};
use driver::Driver;
use protocol::Slot;
use std::sync::Arc;
use store::postgres::Membership;
use tokio::sync::watch;

/// The links to other nodes. All calls come from one thread, in order, and must return at once.
pub trait Peers: Send + Sync + 'static {
    /// These nodes are not dead: link to those beside this one, and to no others. Each link that is established is told by [`Events::linked`]. Those in
    /// `left` still answer what they were asked.
    fn members(&self, members: &[Member], left: &[Boot]);

    /// Sends a probe, to be answered through the mailbox of an owner actor there, and the answer told by [`Events::probe_answered`]. What is lost is lost.
    fn probe(&self, boot: Boot, round: u64);

    /// Tells every linked node that the view is at this version, which tells its core by [`Events::heard`]. What is lost is lost.
    fn announce(&self, view: u64);
}

/// What is known of the cluster on this node. It may be old, and gives no right.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// The version of the view that this is.
    pub view: u64,
    /// The nodes that are not dead, this one among them, by boot.
    pub members: Arc<[Member]>,
    /// Nodes that left in good order: they own nothing, and answer so for a while.
    pub left: Arc<[Boot]>,
    /// By slot: its living owner.
    owners: Box<[Option<Boot>]>,
    /// By slot: whether it is this node's, or was given up to nobody.
    given_up: Box<[bool]>,
}

impl Outlook {
    /// Where what concerns a slot is to be sent. `None`: nobody is known; reads go to the store, and writes wait.
    #[must_use]
    pub fn owner(&self, slot: Slot) -> Option<Boot> {
        self.owners.get(slot.index()).copied().flatten()
    }

    /// Of a slot without an owner elsewhere: whether nobody else commits in it, because it is this node's, or was given up to nobody. An owner that died may not
    /// know that, and have a commit under way; and a slot of which this node knows nothing, because it has just joined, may have an owner.
    #[must_use]
    pub fn is_given_up(&self, slot: Slot) -> bool {
        self.given_up.get(slot.index()).copied().unwrap_or_default()
    }

    /// The row of a node that is not dead.
    #[must_use]
    pub fn member(&self, boot: Boot) -> Option<&Member> {
        self.members.iter().find(|member| member.boot == boot)
    }

    /// Whether a node died without leaving: it answers nobody any more.
    #[must_use]
    pub fn is_lost(&self, boot: Boot) -> bool {
        self.member(boot).is_none() && !self.left.contains(&boot)
    }
}

/// What the thread tells everybody.
struct Shared {
    ownership: Arc<Ownership>,
    outlook: watch::Sender<Arc<Outlook>>,
    exit: watch::Sender<Option<Exit>>,
}

impl Shared {
    fn new(slots: u16, ownership: Arc<Ownership>) -> Self {
        let outlook = Outlook {
            view: 0,
            members: Arc::new([]),
            left: Arc::new([]),
            owners: vec![None; usize::from(slots)].into(),
            given_up: vec![false; usize::from(slots)].into(),
        };
        Self { ownership, outlook: watch::Sender::new(Arc::new(outlook)), exit: watch::Sender::new(None) }
    }

    /// Serves nothing any more. The first reason counts.
    fn end(&self, exit: Exit) {
        self.ownership.end();
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
    /// Starts the thread, which begins to join. `events` is what `peers` and `ownership` tell it by.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn take(
        identity: Identity,
        events: Events,
        ownership: Arc<Ownership>,
        store: Arc<Membership>,
        peers: Arc<dyn Peers>,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::new(identity.slots, ownership));
        Driver { identity: identity.clone(), events: events.clone(), shared: shared.clone(), store, peers }.start()?;
        Ok(Self { identity, shared, events })
    }

    /// Which life of this node it is.
    #[must_use]
    pub fn boot(&self) -> Boot {
        self.identity.boot
    }

    /// What is known of the cluster.
    #[must_use]
    pub fn outlook(&self) -> Arc<Outlook> {
        self.shared.outlook.borrow().clone()
    }

    /// What is known of the cluster, and whenever that changes.
    #[must_use]
    pub fn outlooks(&self) -> watch::Receiver<Arc<Outlook>> {
        self.shared.outlook.subscribe()
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
