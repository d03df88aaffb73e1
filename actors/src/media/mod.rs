//! Media: what is uploaded becomes a file, a file's image becomes variants, and bytes are found for whoever may see them.
//!
//! * `keep`: an upload becomes a file. The object is there before the row is; a row that is pending is the job of making its variants.
//! * `pool`, `queue`, `thread`: the ImageOptimizerPool, a factory of ractor's whose workers have threads of their own, at a lower priority.
//! * `purge`: caches in front of the platform forget what is not for everybody any more.
//! * `render`: one job, from the object to the variants and what the file's owner is told of them.
//! * `room`: what a person has stored, and may.
//! * `serve`: which bytes an address means, and whether they are there for everybody.
//! * `sweep`: takes up what a process left behind, and removes what no file has.
//!
//! Whatever is done here may be done twice, by two nodes at once or again after a crash: objects are written once, and a file's owner decides once.

mod keep;
mod metric;
mod pool;
mod purge;
mod queue;
mod render;
mod room;
mod serve;
mod sweep;
mod thread;

pub use keep::Upload;
pub use purge::{Caches, key as cache_key};
pub use serve::{Bytes, Found};

use crate::{client::Client, node::Node, supervisor::Child};
use metric::Metrics;
use pool::Pool;
use protocol::{ErrorCode, Key, Kind, MediaId, Refusal, Slot};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use store::{StoreError, objects::Objects};
use tokio::sync::{Semaphore, SemaphorePermit};

/// The unit in which memory is set aside.
const MIB: u64 = 1 << 20;

/// The bounds of media. The binary's configuration sets them.
#[derive(Clone, Debug)]
pub struct Limits {
    /// What an image may ask of us.
    pub image: images::Limits,
    /// Images that are worked on at once.
    pub workers: usize,
    /// Memory that images may take, all together. Who needs more than is left waits.
    pub memory_bytes_max: u64,
    /// Jobs that wait for a worker. One more is not taken: a file's is taken up later.
    pub queue_max: usize,
    /// Bytes of answers that are held for clients. Beyond: `overloaded`.
    pub serving_bytes_max: u64,
    /// How long content that no file has is kept. It is longer than any upload and any job takes.
    pub unused_kept: Duration,
}

/// The media of a node.
pub struct Media {
    client: Client,
    objects: Objects,
    limits: Limits,
    pool: Pool,
    /// Bounded by [`Limits::memory_bytes_max`], in mebibytes.
    memory: Semaphore,
    /// Bounded by [`Limits::serving_bytes_max`], in kibibytes.
    serving: Arc<Semaphore>,
    signing_key: [u8; 32],
    caches: Option<Arc<dyn Caches>>,
    metrics: Metrics,
}

impl Media {
    /// Puts it together; nothing is worked on before its row of the supervision tree starts.
    ///
    /// # Errors
    /// When the media database does not answer; a repetition is safe.
    pub async fn new(
        node: &Arc<Node>,
        (objects, caches): (Objects, Option<Arc<dyn Caches>>),
        limits: Limits,
        registry: &prometheus::Registry,
    ) -> Result<Arc<Self>, NewError> {
        let metrics = Metrics::register(registry).map_err(NewError::Metrics)?;
        let signing_key = node.stores.media.signing_key(rand::random()).await.map_err(NewError::Store)?;
        node.dependencies.depend_on(objects.clone());
        Ok(Arc::new(Self {
            client: Client::new(node.clone()),
            memory: Semaphore::new(permits(limits.memory_bytes_max, MIB) as usize),
            serving: Arc::new(Semaphore::new(permits(limits.serving_bytes_max, serve::UNIT) as usize)),
            pool: Pool::default(),
            objects,
            limits,
            signing_key,
            caches,
            metrics,
        }))
    }

    /// What addresses of private files are signed with.
    #[must_use]
    pub const fn signing_key(&self) -> &[u8; 32] {
        &self.signing_key
    }

    /// The bounds.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The rows of the supervision tree: the pool, on nodes that work on images, and the sweepers.
    pub fn children(self: &Arc<Self>, works_on_images: bool) -> Vec<Child> {
        let mut children = vec![sweep::unused(self), purge::child(self)];
        if works_on_images {
            children.extend([pool::child(self), sweep::pending(self)]);
        }
        children
    }

    /// Waits until a file is not pending any more, or until then.
    ///
    /// # Errors
    /// As [`Client::view`].
    pub async fn settled(&self, id: MediaId, until: Instant) -> Result<(), Refusal> {
        /// Between two looks at a file whose variants another node makes.
        const LOOK_EVERY: Duration = Duration::from_millis(50);
        let key = Key::new(Kind::File, id);
        loop {
            let told = self.pool.finishes.notified();
            let call = crate::Call { deadline: until, ..self.client.call(protocol::Principal::Platform) };
            let found = self.client.view(&call, key).await?;
            // The state is the owner's; of another node's there is the body alone.
            let status = serde_json::from_slice::<Standing>(&found.view.body).map_err(|_| ErrorCode::Internal)?.status;
            if status != protocol::file::Status::Pending || Instant::now() + LOOK_EVERY >= until {
                return Ok(());
            }
            // Whichever comes first.
            let _ = tokio::time::timeout(LOOK_EVERY, told).await;
        }
    }

    /// Sets memory aside, or waits for it until then.
    async fn memory(&self, bytes: u64, until: Instant) -> Result<SemaphorePermit<'_>, Refusal> {
        // What needs more than there is has all of it.
        let wanted = permits(bytes, MIB).min(permits(self.limits.memory_bytes_max, MIB));
        let waited = tokio::time::timeout_at(until.into(), self.memory.acquire_many(wanted)).await;
        waited.map_err(|_| ErrorCode::Overloaded)?.map_err(|_| ErrorCode::Unavailable.into())
    }
}

/// What of a file says where it stands.
#[derive(serde::Deserialize)]
struct Standing {
    status: protocol::file::Status,
}

/// Why there is no media.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// The database does not answer.
    #[error("the media database does not answer")]
    Store(#[source] StoreError),
    /// The registry serves another one.
    #[error("the metrics of media cannot be registered")]
    Metrics(#[source] prometheus::Error),
}

/// How many permits of so many bytes each this takes, at least one.
fn permits(bytes: u64, unit: u64) -> u32 {
    u32::try_from(bytes.div_ceil(unit)).unwrap_or(u32::MAX).max(1)
}

/// Whether the jobs of a slot's files are this node's: of nodes that work on images, each has its share. Two that think so for a moment do some work twice.
fn is_ours(node: &Node, slot: Slot) -> bool {
    let Some(remote) = node.remote() else { return true };
    let outlook = remote.outlook();
    let workers: Vec<_> =
        outlook.members.iter().filter(|member| member.roles.media && member.is_alive()).map(|member| member.boot).collect();
    workers.get(slot.index() % workers.len().max(1)).is_some_and(|boot| *boot == remote.seat().boot())
}

/// A new file's id, of which this node will make the variants if it can: whoever uploads waits here.
fn new_id(node: &Node) -> MediaId {
    /// One of so many ids is this node's own in all clusters but very large ones; in those, the wait is longer.
    const TRIES: usize = 64;
    let mut ids = std::iter::repeat_with(MediaId::new).take(TRIES);
    ids.find(|id| is_ours(node, Slot::of(id.0))).unwrap_or_default()
}

/// What a client is told when object storage is away.
fn away(error: &store::objects::Unavailable) -> Refusal {
    tracing::warn!(%error, "object storage");
    ErrorCode::Unavailable.into()
}
