//! The ImageOptimizerPool: jobs go to workers as these become free, each person's in turn. It remembers nothing that the files' rows do not say: what is
//! lost with it is taken up again by the sweeper.

use super::{
    Media,
    metric::Outcome,
    queue::{Fair, Person},
    render,
    thread::Thread,
};
use crate::supervisor::{Child, OnEnd, StartFn, When};
use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use protocol::{ErrorCode, MediaId, Refusal, UserId, file::Content};
use ractor::{
    Actor, ActorProcessingErr,
    factory::{
        DiscardHandler, DiscardMode, DiscardReason, DiscardSettings, Factory, FactoryArguments, FactoryRef, Job, Worker, WorkerId,
        routing::QueuerRouting, worker_builder,
    },
};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{Notify, oneshot};
use tracing::debug_span;

/// How long a job rests when something that it needs is away.
const REST: Duration = Duration::from_secs(5);

/// How long after that it is remembered that it rested.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// What is to be done.
pub(super) enum Task {
    /// Make a file's variants.
    File(Ticket),
    /// Make one variant that was asked for.
    Variant(Box<Content>, images::Variant, images::Encoding, oneshot::Sender<Result<(), Refusal>>),
}

/// A task on its way to a worker.
pub(super) struct Work {
    pub(super) task: Task,
    waiting: Waiting,
}

impl ractor::Message for Work {}

/// Counts a job as waiting for as long as it is held.
struct Waiting(Arc<Media>, Instant);

impl Waiting {
    fn new(media: &Arc<Media>) -> Self {
        media.metrics.waiting.inc();
        Self(media.clone(), Instant::now())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.metrics.waiting.dec();
        self.0.metrics.wait.observe(self.1.elapsed().as_secs_f64());
    }
}

/// Counts a job as one that a worker has, for as long as it is held.
struct Running(Arc<Media>);

impl Running {
    fn new(media: &Arc<Media>) -> Self {
        media.metrics.running.inc();
        Self(media.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.metrics.running.dec();
    }
}

/// Where this process is with a file.
#[derive(Clone, Copy)]
pub(super) enum Stand {
    /// It waits for a worker, or has one.
    AtWork,
    /// Something was away: not before then.
    Later(Instant),
}

/// A process's word that it is at a file, until this is dropped.
pub(super) struct Ticket {
    media: Arc<Media>,
    pub(super) id: MediaId,
    after: Option<Stand>,
}

impl Ticket {
    /// The file is left alone for a while.
    pub(super) fn rest(mut self) {
        self.after = Some(Stand::Later(Instant::now() + REST));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut known = self.media.pool.known.lock();
        match self.after {
            Some(after) => known.insert(self.id, after),
            None => known.remove(&self.id),
        };
        drop(known);
        self.media.pool.finishes.notify_waiters();
    }
}

/// What there is of the pool while it runs, and what this process is at.
#[derive(Default)]
pub(super) struct Pool {
    factory: ArcSwapOption<FactoryRef<Person, Work>>,
    known: Mutex<HashMap<MediaId, Stand>>,
    /// Told whenever this process is done with a file.
    pub(super) finishes: Notify,
}

impl Media {
    /// Where this process is with a file; `None` if it knows nothing of it.
    pub(super) fn stand(&self, id: MediaId) -> Option<Stand> {
        self.pool.known.lock().get(&id).copied()
    }

    /// Forgets files that were to be taken up long ago: they are gone, or another node's.
    pub(super) fn forget_old(&self) {
        let is_old = |stand: &Stand| matches!(stand, Stand::Later(at) if at.elapsed() > FORGOTTEN_AFTER);
        self.pool.known.lock().retain(|_, stand| !is_old(stand));
    }

    /// Takes a file in hand; `None` if this process is at it already.
    pub(super) fn ticket(self: &Arc<Self>, id: MediaId) -> Option<Ticket> {
        let mut known = self.pool.known.lock();
        if matches!(known.get(&id), Some(Stand::AtWork)) {
            return None;
        }
        known.insert(id, Stand::AtWork);
        Some(Ticket { media: self.clone(), id, after: None })
    }

    /// Has a file's variants made, in its owner's turn. Where there is no room, or no pool, the sweeper of a node that has one sees the file.
    pub(super) fn render(self: &Arc<Self>, ticket: Ticket, of: UserId) {
        self.dispatch(of, Task::File(ticket));
    }

    /// Has one variant made, at the cost of somebody who has the content. It is there afterwards.
    ///
    /// # Errors
    /// `overloaded`; `unavailable`; `expired`: it is made all the same; `bad_image`.
    pub(super) async fn variant(
        self: &Arc<Self>,
        content: &Content,
        (variant, encoding): (images::Variant, images::Encoding),
        until: Instant,
    ) -> Result<(), Refusal> {
        let (tell, told) = oneshot::channel();
        self.dispatch(content.of, Task::Variant(Box::new(content.clone()), variant, encoding, tell));
        let made = tokio::time::timeout_at(until.into(), told).await.map_err(|_| ErrorCode::Expired)?;
        made.map_err(|_| ErrorCode::Overloaded)?
    }

    fn dispatch(self: &Arc<Self>, of: UserId, task: Task) {
        let work = Work { task, waiting: Waiting::new(self) };
        // The job takes the span along, and may end long after whoever asked for it was answered.
        let dispatched = debug_span!("image").in_scope(|| Some(self.pool.factory.load().as_ref()?.dispatch(of.0.as_u128(), work)));
        if let Some(Err(_)) = dispatched {
            tracing::debug!("the pool is being started again");
        }
    }
}

/// A worker with its thread.
struct Optimizer(Arc<Media>);

impl Worker for Optimizer {
    type Key = Person;
    type Message = Work;
    type Arguments = ();
    type State = Thread;

    async fn pre_start(&self, number: WorkerId, _: &FactoryRef<Person, Work>, (): ()) -> Result<Thread, ActorProcessingErr> {
        Ok(Thread::start(number)?)
    }

    async fn handle(
        &self,
        _: WorkerId,
        _: &FactoryRef<Person, Work>,
        Job { key, msg: Work { task, waiting }, .. }: Job<Person, Work>,
        thread: &mut Thread,
    ) -> Result<Person, ActorProcessingErr> {
        drop(waiting);
        let _running = Running::new(&self.0);
        render::carry_out(&self.0, thread, task).await;
        Ok(key)
    }
}

/// What becomes of a job for which there is no room: who waits for it is told by its end.
struct Discarded(Arc<Media>);

impl DiscardHandler<Person, Work> for Discarded {
    fn discard(&self, _: DiscardReason, _: &mut Job<Person, Work>) {
        self.0.metrics.job(Outcome::Discarded);
    }
}

type Queued = QueuerRouting<Person, Work>;

/// The row of the supervision tree. What waits or is under way when the pool ends is taken up again.
pub(super) fn child(media: &Arc<Media>) -> Child {
    let media = media.clone();
    let start: StartFn = Arc::new(move |parent, _| {
        let media = media.clone();
        Box::pin(async move {
            let worker = media.clone();
            let arguments = FactoryArguments::builder()
                .worker_builder(Box::new(worker_builder(move |_| (Optimizer(worker.clone()), ()))))
                .num_initial_workers(media.limits.workers)
                .router(Queued::default())
                .queue(Fair::default())
                .discard_settings(DiscardSettings::Static { limit: media.limits.queue_max, mode: DiscardMode::Newest })
                .discard_handler(Arc::new(Discarded(media.clone())))
                .build();
            let factory = Factory::<Person, Work, (), Optimizer, Queued, Fair<Work>>::default();
            let (factory, _) = Actor::spawn_linked(None, factory, arguments, parent).await?;
            let cell = factory.get_cell();
            let factory: FactoryRef<Person, Work> = factory;
            media.pool.factory.store(Some(Arc::new(factory)));
            Ok(cell)
        })
    });
    Child { name: "image_optimizer".to_owned(), when: When::AtOnce, on_end: OnEnd::Restart, supervises: false, start }
}
