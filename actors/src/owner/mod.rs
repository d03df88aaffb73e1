//! The shell of every owner actor.
//!
//! It never waits for I/O: a load, query or commit runs as a task and comes back as a message, so that one slow row cannot stall the others.
//! Per key it is a small state machine — idle, loading, committing, recovering — with a queue: reads of a cold key share one load, writes of
//! one key are serial, different keys are not. What is published is published before the writer is answered.

mod aside;
mod change;
mod lend;
mod load;
mod op;
mod publish;
mod query;
mod warm;
mod write;

pub use op::{Op, Waiter, Warmth, WriteOp};

use crate::{
    entity::{Entity, QueryError},
    live,
    near::Closed,
    node::Node,
    outbox,
    ownership::Pass,
    region,
    snapshot::{Incarnation, Snapshot, shard_of},
};
use aside::Aside;
use futures_util::FutureExt;
use protocol::{Epoch, ErrorCode, Key, Query, Refusal, Reply, Slot, View, envelope::Change};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    marker::PhantomData,
    panic::AssertUnwindSafe,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};
use store::cause::{Cause, WithCause};
use store::{CommitError, Committed, Guard, StoreError};
use uuid::Uuid;

/// How often a write is decided again because the key's version moved under it, before the client gets `conflict`.
const CONFLICT_RETRIES_MAX: u8 = 3;
/// Pauses between attempts to raise an epoch while a database is away.
const RAISE_PAUSE: Duration = Duration::from_millis(250);

/// Messages of an owner actor.
pub enum Message<E: Entity> {
    /// From outside.
    Op(Op),
    /// The epochs of this shard's slots are raised: loads may begin.
    Ready,
    /// A load ended.
    Loaded(Uuid, Result<Option<E::State>, StoreError>),
    /// What was kept of these, all at once.
    Warmed(Vec<Uuid>, HashMap<Uuid, E::State>, Waiter<usize>),
    /// A query ended.
    Queried(PartFlight, u64, Result<View, QueryError>),
    /// A commit ended.
    Landed(Uuid, Landing),
    /// After a commit of unknown outcome, the slot's epoch was raised: the outcome stands now.
    Fenced(Uuid),
    /// After a commit that the guard refused, it is known whether the slot is still this node's.
    Settled(Uuid, bool),
    /// What the store has, for those who wait for a commit that takes long.
    Aside(Uuid, Weak<()>, Result<Option<E::State>, StoreError>),
    /// This one had to wait until what was lent of its keys was called back; nothing is lent of them until it is done.
    CalledBack(Box<Message<E>>, Option<Closed>),
}

impl<E: Entity> ractor::Message for Message<E> {}

impl<E: Entity> From<Op> for Message<E> {
    fn from(op: Op) -> Self {
        Self::Op(op)
    }
}

impl<E: Entity> TryFrom<Message<E>> for Op {
    type Error = ();
    fn try_from(message: Message<E>) -> Result<Self, ()> {
        if let Message::Op(op) = message { Ok(op) } else { Err(()) }
    }
}

/// How a commit task ended.
pub enum Landing {
    /// It is durable.
    Committed(Committed),
    /// It was refused, failed, or is unknown.
    Failed(CommitError),
    /// Nothing was to be committed, and the idempotency key is new: what was decided stands.
    Fresh,
}

/// The owner actor of one kind and shard.
pub struct OwnerActor<E>(PhantomData<E>);

impl<E> Default for OwnerActor<E> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

/// How an owner actor is started.
pub struct Start {
    /// The node it lives on.
    pub node: Arc<Node>,
    /// Which of the kind's shards.
    pub shard: usize,
    /// Whether an earlier incarnation died: then its commits must be fenced before the first load.
    pub restart: bool,
}

impl<E: Entity> Actor for OwnerActor<E> {
    type Msg = Message<E>;
    type State = Owner<E>;
    type Arguments = Start;

    async fn pre_start(&self, myself: ActorRef<Message<E>>, start: Start) -> Result<Owner<E>, ActorProcessingErr> {
        let incarnation = start.node.snapshots.incarnations().begin(&start.node.snapshots, E::KIND, start.shard);
        region::register(&start.node, E::KIND, start.shard, &myself);
        Ok(Owner { myself, ready: !start.restart, incarnation, busy: HashMap::new(), flights: HashMap::new(), serial: 0, node: start.node })
    }

    async fn post_start(&self, _: ActorRef<Message<E>>, owner: &mut Owner<E>) -> Result<(), ActorProcessingErr> {
        if !owner.ready {
            let slots = Slot::all().filter(|s| shard_of(*s) == owner.incarnation.shard()).collect();
            owner.raise(slots, Message::Ready);
        }
        Ok(())
    }

    async fn handle(&self, _: ActorRef<Message<E>>, message: Message<E>, owner: &mut Owner<E>) -> Result<(), ActorProcessingErr> {
        // Until it is done, nothing is lent of what it may publish.
        let closed = owner.close(&message);
        match closed {
            Some(closed) if closed.is_held() => owner.call_back(closed, message),
            _ => owner.take(message),
        }
        Ok(())
    }
}

impl<E: Entity> Owner<E> {
    /// Does what a message asks for, or comes to.
    fn take(&mut self, message: Message<E>) {
        let owner = self;
        match message {
            Message::Op(Op::View { id, version_min, waiter }) => owner.view(id, version_min, waiter),
            Message::Op(Op::Query { id, query, waiter }) => owner.query(id, query, waiter),
            Message::Op(Op::Write { id, write, waiter }) => owner.enqueue(id, Queued::Write { write, waiter, tried: Tried::default() }),
            Message::Op(Op::Changed { ids, change, waiter }) => owner.changed(&ids, &change, waiter),
            Message::Op(Op::Warm { warmth, waiter }) => owner.warm_up(warmth, waiter),
            Message::Ready => owner.begin_serving(),
            Message::Warmed(ids, found, waiter) => owner.warmed(&ids, found, waiter),
            Message::Loaded(id, result) => owner.loaded(id, result),
            Message::Queried(flight, tenure, result) => owner.queried(flight, tenure, result),
            Message::Landed(id, landing) => owner.landed(id, landing),
            Message::Fenced(id) => owner.fenced(id),
            Message::Settled(id, is_ours) => owner.settled(id, is_ours),
            Message::Aside(id, which, found) => owner.looked_aside(id, &which, found),
            Message::CalledBack(message, _closed) => owner.take(*message),
        }
    }
}

/// What the owner knows of a key that it works on.
enum Known {
    /// Nothing: it must be loaded.
    Unknown,
    /// There is no such thing.
    Absent,
    /// This is it.
    Present(Arc<Snapshot>),
}

enum Queued {
    /// The entity, at this version at least.
    View(u64, Waiter<Arc<Snapshot>>),
    Query(Query, Waiter<Arc<Snapshot>>),
    Write {
        write: Box<WriteOp>,
        waiter: Waiter<Reply>,
        tried: Tried,
    },
    /// A write whose outcome was unknown and stands by now.
    Settle {
        id: Uuid,
        write: Box<WriteOp>,
        waiter: Waiter<Reply>,
    },
}

impl Queued {
    fn refuse(self, refusal: Refusal) {
        match self {
            Self::View(_, waiter) | Self::Query(_, waiter) => waiter.send(Err(refusal)),
            Self::Write { waiter, .. } => waiter.send(Err(refusal)),
            Self::Settle { waiter, .. } => waiter.send(Err(ErrorCode::OutcomeUnknown.into())),
        }
    }

    /// What whoever asked waits for.
    fn cause(&self) -> Cause {
        match self {
            Self::View(_, waiter) | Self::Query(_, waiter) => waiter.cause.clone(),
            Self::Write { waiter, .. } | Self::Settle { waiter, .. } => waiter.cause.clone(),
        }
    }

    fn expired(&self) -> bool {
        match self {
            Self::View(_, waiter) | Self::Query(_, waiter) => waiter.expired(),
            Self::Write { waiter, .. } => waiter.expired(),
            Self::Settle { .. } => false,
        }
    }
}

/// How a write fared so far.
#[derive(Clone, Copy, Default)]
struct Tried {
    /// How often it was decided again.
    again: u8,
    /// The epoch at which its database was found.
    epoch: Epoch,
}

/// A write on its way to the store.
struct Flight<S> {
    write: Box<WriteOp>,
    waiter: Waiter<Reply>,
    tried: Tried,
    guard: Guard,
    decided: Decided<S>,
    /// Keeps the slot from being handed off; what comes of the write is published in its tenure, if that is the one that it was decided in.
    pass: Pass,
    is_decided_in_tenure: bool,
    /// What is published while it is under way.
    shown: Option<Arc<Snapshot>>,
    /// Keeps others from borrowing that.
    _closed: Option<Arc<Closed>>,
}

enum Decided<S> {
    Commit { next: Option<S>, reply: Reply, unchanged: Option<Reply>, touching: bool, found: Vec<outbox::Found> },
    Answer(Result<Reply, Refusal>),
}

enum Phase<S> {
    Idle,
    Loading,
    Committing(Box<Flight<S>>),
    Recovering(Box<Flight<S>>),
    /// Refused by the guard: waiting to learn whose the slot is.
    Settling(Box<Flight<S>>),
}

struct Busy<S> {
    phase: Phase<S>,
    known: Known,
    /// The tenure that what is known was loaded in, or is being: beyond it, it is worth nothing. 0 where the slot is another node's.
    tenure: u64,
    /// The highest version heard of from other owners.
    floor: u64,
    /// The row was removed by somebody else: what a commit under way comes to is not published.
    gone: bool,
    /// How many of the queue waited when the load under way began, and the floor then: all that their answers must heed.
    early: (usize, u64),
    /// Changes that came while loading.
    absorbed: Vec<Change>,
    queue: VecDeque<Queued>,
    /// What is looked for in the store meanwhile.
    aside: Option<Aside>,
    reloads: u8,
}

impl<S> Default for Busy<S> {
    fn default() -> Self {
        Self {
            phase: Phase::Idle,
            known: Known::Unknown,
            tenure: 0,
            floor: 0,
            gone: false,
            early: (0, 0),
            absorbed: Vec::new(),
            queue: VecDeque::new(),
            aside: None,
            reloads: 0,
        }
    }
}

/// A query under way: of which entity, for whom (all who ask at one version, or a single one), and what.
type PartFlight = (Uuid, u64, Query);

/// The state of an owner actor: only what is in flight. What is warm is in the node's snapshots.
pub struct Owner<E: Entity> {
    myself: ActorRef<Message<E>>,
    ready: bool,
    busy: HashMap<Uuid, Busy<E::State>>,
    flights: HashMap<PartFlight, Vec<Waiter<Arc<Snapshot>>>>,
    serial: u64,
    node: Arc<Node>,
    // Last: it ends the incarnation when the state is dropped.
    incarnation: Incarnation,
}

impl<E: Entity> Owner<E> {
    /// What was published here: what another owner lent has no state.
    fn warm(&self, id: Uuid) -> Option<Arc<Snapshot>> {
        self.node.snapshots.get(&Key::new(E::KIND, id), &self.node.ownership).filter(|snapshot| snapshot.loan().is_none())
    }

    fn view(&mut self, id: Uuid, version_min: u64, waiter: Waiter<Arc<Snapshot>>) {
        // Also while a write of the key commits, for a while (`doubt`): it is not acknowledged yet, so the published view is the newest that may be seen.
        match self.warm(id) {
            Some(snapshot) if snapshot.view.version >= version_min => waiter.send(Ok(snapshot)),
            _ => {
                self.enqueue(id, Queued::View(version_min, waiter));
                self.look_aside(id);
            }
        }
    }

    fn query(&mut self, id: Uuid, query: Query, waiter: Waiter<Arc<Snapshot>>) {
        match self.warm(id) {
            Some(snapshot) => self.start_query(id, &snapshot, query, waiter),
            None => self.enqueue(id, Queued::Query(query, waiter)),
        }
    }

    fn enqueue(&mut self, id: Uuid, queued: Queued) {
        let warm = self.warm(id);
        let tenure = warm.as_ref().map_or(0, |snapshot| snapshot.tenure());
        let known = warm.map_or(Known::Unknown, Known::Present);
        let busy = self.busy.entry(id).or_insert_with(|| Busy { known, tenure, ..Busy::default() });
        if busy.queue.len() >= self.node.limits.key_waiting_max {
            return queued.refuse(ErrorCode::Overloaded.into());
        }
        busy.queue.push_back(queued);
        self.drain(id);
    }

    /// Begins after the fence of a restart. What an earlier incarnation committed without telling anybody, others hear of now.
    fn begin_serving(&mut self) {
        self.ready = true;
        let (node, shard) = (self.node.clone(), self.incarnation.shard());
        live::moved_all(&node, |key| key.kind == E::KIND && shard_of(key.slot()) == shard);
        tokio::spawn(async move {
            let deadline = Instant::now() + node.limits.request_deadline;
            let _ = outbox::complete(&node, E::KIND, |slot| shard_of(slot) == shard, deadline).await;
        });
        for id in self.busy.keys().copied().collect::<Vec<_>>() {
            self.drain(id);
        }
    }

    /// Works through a key's queue until something must be waited for.
    fn drain(&mut self, id: Uuid) {
        while let Some(busy) = self.busy.get_mut(&id) {
            if !self.ready || !matches!(busy.phase, Phase::Idle) {
                return;
            }
            let Some(queued) = busy.queue.pop_front() else {
                self.busy.remove(&id);
                return;
            };
            if queued.expired() {
                queued.refuse(ErrorCode::Expired.into());
                continue;
            }
            // What it waited for was done for somebody else.
            let cause = queued.cause();
            let _working = cause.enter();
            // Whether what is known is still the truth is looked at each time that something is answered from it.
            if !self.node.ownership.serves_of(Slot::of(id), busy.tenure) {
                busy.known = Known::Unknown;
            }
            if let (Queued::View(version_min, _), Known::Present(snapshot)) = (&queued, &busy.known)
                && snapshot.view.version < *version_min
            {
                busy.known = Known::Unknown;
            }
            let known = match &busy.known {
                Known::Unknown => {
                    busy.queue.push_front(queued);
                    return self.start_load(id);
                }
                Known::Absent => None,
                Known::Present(snapshot) => Some(snapshot.clone()),
            };
            match (queued, known) {
                (Queued::View(_, waiter), Some(snapshot)) => waiter.send(Ok(snapshot)),
                (Queued::Query(query, waiter), Some(snapshot)) => self.start_query(id, &snapshot, query, waiter),
                (queued @ (Queued::View(..) | Queued::Query(..)), None) => queued.refuse(ErrorCode::NotFound.into()),
                (Queued::Write { write, waiter, tried }, known) => self.begin_write(id, known, write, (waiter, tried)),
                (Queued::Settle { id, write, waiter }, _) => self.settle(id, *write, waiter),
            }
        }
    }

    // ---- tasks ----

    /// Runs a task and sends what it came to, `None` if it panicked, back to this actor.
    fn run<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
        then: impl FnOnce(Option<T>) -> Message<E> + Send + 'static,
    ) {
        let myself = self.myself.clone();
        let task = async move {
            let result = AssertUnwindSafe(task).catch_unwind().await.ok();
            // The actor may have died: then its successor fences what this task did.
            let _ = myself.cast(then(result));
        };
        tokio::spawn(task.for_the_same());
    }

    /// Raises epochs, for as long as it takes, and sends `then`.
    fn raise(&self, slots: Vec<Slot>, then: Message<E>) {
        let (node, myself) = (self.node.clone(), self.myself.clone());
        let raising = async move {
            while let Err(error) = node.ownership.raise(&node.stores, slots.iter().copied()).await {
                tracing::warn!(%error, kind = E::KIND.name(), "epochs not raised; trying again");
                if myself.get_status() == ractor::ActorStatus::Stopped {
                    return;
                }
                tokio::time::sleep(RAISE_PAUSE).await;
            }
            let _ = myself.cast(then);
        };
        tokio::spawn(raising.for_the_same());
    }
}

fn panicked(what: &str) -> StoreError {
    StoreError::Unavailable { database: "none", reason: format!("a {what} panicked") }
}

/// What clients are told of a store's failure: never that something does not exist.
#[must_use]
pub fn refusal_of(error: &StoreError) -> Refusal {
    match error {
        StoreError::Unavailable { .. } => ErrorCode::Unavailable.into(),
        StoreError::Overloaded { .. } => ErrorCode::Overloaded.into(),
        StoreError::Corrupt { .. } => ErrorCode::Internal.into(),
    }
}
