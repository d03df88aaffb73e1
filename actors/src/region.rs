//! Which owner actor of this node serves a key. Owners are started when first asked for.

use crate::{
    node::Node,
    owner::{Message, Op, OwnerActor, Start, Waiter},
    snapshot::{SHARDS, shard_of},
    supervisor,
};
use arc_swap::ArcSwapOption;
use protocol::{ErrorCode, Key, Kind, Refusal, envelope::Change};
use ractor::{Actor, ActorRef, DerivedActorRef};
use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// How long an owner actor may take to say that it lives.
const LIFE_SIGN_MAX: Duration = Duration::from_millis(500);

/// A living owner actor.
pub struct Handle {
    /// Its mailbox.
    pub port: DerivedActorRef<Op>,
    /// Bounds the work in its care; a permit rides in each message.
    pub permits: Arc<Semaphore>,
}

/// The owner actors of a node.
pub struct Region {
    owners: Box<[[ArcSwapOption<Handle>; SHARDS]]>,
    supervisors: Box<[OnceLock<ActorRef<supervisor::Message>>]>,
}

impl Default for Region {
    fn default() -> Self {
        Self {
            owners: (0..Kind::TABLE).map(|_| std::array::from_fn(|_| ArcSwapOption::empty())).collect(),
            supervisors: (0..Kind::TABLE).map(|_| OnceLock::new()).collect(),
        }
    }
}

impl Region {
    /// Names the supervisor that starts the owners of `kind`. Once a kind.
    pub fn supervise(&self, kind: Kind, supervisor: ActorRef<supervisor::Message>) {
        let _ = self.supervisors[kind.index()].set(supervisor);
    }

    /// The owner of `key` on this node, started if need be.
    ///
    /// # Errors
    /// `unavailable` while it cannot be started.
    pub async fn owner(&self, key: &Key) -> Result<Arc<Handle>, Refusal> {
        let (kind, shard) = (key.kind, shard_of(key.slot()));
        if let Some(handle) = self.living(kind, shard) {
            return Ok(handle);
        }
        let supervisor = self.supervisors[kind.index()].get().ok_or(ErrorCode::Unavailable)?;
        supervisor::ensure(supervisor, shard).await?;
        self.living(kind, shard).ok_or_else(|| ErrorCode::Unavailable.into())
    }

    /// The owner of a shard, if it was ever started.
    pub(crate) fn living(&self, kind: Kind, shard: usize) -> Option<Arc<Handle>> {
        self.owners[kind.index()][shard].load_full()
    }

    /// What the owners of each kind have to do.
    pub(crate) fn load(&self, inflight_max: usize) -> impl Iterator<Item = (Kind, Load)> + '_ {
        Kind::ALL.iter().map(move |kind| {
            let mut load = Load::default();
            for owner in self.owners[kind.index()].iter().filter_map(|owner| owner.load_full()) {
                let messages = inflight_max.saturating_sub(owner.permits.available_permits());
                load.owners += 1;
                load.messages += messages;
                load.fullest = load.fullest.max(messages);
            }
            (*kind, load)
        })
    }

    /// Whether an owner actor takes a message out of its mailbox and answers within half a second: that the node's actors live. It touches no database.
    pub async fn lives(&self) -> bool {
        let Ok(owner) = self.owner(&Key::new(Kind::User, Uuid::nil())).await else { return false };
        let (waiter, answered) = Waiter::of_the_platform(Instant::now() + LIFE_SIGN_MAX);
        let op = Op::Changed { ids: Vec::new(), change: Change::Gone, waiter };
        owner.port.send_message(op).is_ok() && matches!(tokio::time::timeout(LIFE_SIGN_MAX, answered).await, Ok(Ok(Ok(()))))
    }
}

/// What the owners of a kind have to do.
#[derive(Clone, Copy, Default)]
pub(crate) struct Load {
    /// Those that were started.
    pub owners: usize,
    /// Messages in their mailboxes and in their care.
    pub messages: usize,
    /// Those of the one that has the most.
    pub fullest: usize,
}

/// Makes a starting owner the one of its shard.
pub(crate) fn register<E: crate::entity::Entity>(node: &Node, kind: Kind, shard: usize, owner: &ActorRef<Message<E>>) {
    let permits = Arc::new(Semaphore::new(node.limits.owner_inflight_max));
    node.region.owners[kind.index()][shard].store(Some(Arc::new(Handle { port: owner.get_derived(), permits })));
}

/// The row of the supervision tree for the owners of one kind: a supervisor with a child a shard, each started when first asked for.
#[must_use]
pub fn owners<E: crate::entity::Entity>(node: &Arc<Node>, intensity: supervisor::Intensity) -> supervisor::Child {
    let name = format!("owners/{}", E::KIND.name());
    let (node, spec_name) = (node.clone(), name.clone());
    let start: supervisor::StartFn = Arc::new(move |parent, _| {
        let spec =
            supervisor::Spec { name: spec_name.clone(), intensity, children: (0..SHARDS).map(|shard| owner::<E>(&node, shard)).collect() };
        let node = node.clone();
        Box::pin(async move {
            let (supervisor, _) = Actor::spawn_linked(None, supervisor::Supervisor, spec, parent).await?;
            node.region.supervise(E::KIND, supervisor.clone());
            Ok(supervisor.get_cell())
        })
    });
    supervisor::Child { name, when: supervisor::When::AtOnce, on_end: supervisor::OnEnd::Escalate, supervises: true, start }
}

fn owner<E: crate::entity::Entity>(node: &Arc<Node>, shard: usize) -> supervisor::Child {
    let node = node.clone();
    let start: supervisor::StartFn = Arc::new(move |parent, restart| {
        let node = node.clone();
        Box::pin(async move {
            if restart {
                node.metrics.restarted(E::KIND);
            }
            let (owner, _) = Actor::spawn_linked(None, OwnerActor::<E>::default(), Start { node, shard, restart }, parent).await?;
            Ok(owner.get_cell())
        })
    });
    supervisor::Child {
        name: format!("{}/{shard}", E::KIND.name()),
        when: supervisor::When::Asked,
        on_end: supervisor::OnEnd::Restart,
        supervises: false,
        start,
    }
}
