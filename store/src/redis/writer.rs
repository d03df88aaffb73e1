//! The queue of what is to be kept. Nobody waits for it: what does not fit is not kept.

use super::{
    WARM_PER_SLOT_MAX,
    link::{Failure, Link},
    metric::Written,
    strategy::Strategy,
};
use protocol::Timestamp;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Values that wait, and bytes of them.
const QUEUE_MAX: usize = 8192;
const QUEUE_BYTES_MAX: usize = 32 << 20;
/// Values that travel together.
const BATCH_MAX: usize = 64;
/// Keeps a value unless something newer is there.
const NEWER: &str = include_str!("newer.lua");

/// A value to be kept.
pub(super) struct Job {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    pub(super) seconds: u32,
    /// The list of warm things that it belongs into, and its name there.
    pub(super) warm: Option<(String, Vec<u8>)>,
}

enum Order {
    /// With a permit for its bytes, which are free again once it is kept or given up.
    Keep(Job, OwnedSemaphorePermit),
    Flush(oneshot::Sender<()>),
}

#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Order>,
    bytes: Arc<Semaphore>,
    link: Arc<Link>,
}

impl Writer {
    /// Starts it; it ends when its last clone does.
    pub(super) fn start(link: Arc<Link>) -> Self {
        let (queue, orders) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(run(link.clone(), orders));
        Self { queue, bytes: Arc::new(Semaphore::new(QUEUE_BYTES_MAX)), link }
    }

    /// Takes a value, unless too much waits.
    pub(super) fn give(&self, job: Job) -> bool {
        let length = u32::try_from(job.bytes.len()).unwrap_or(u32::MAX);
        let permit = self.bytes.clone().try_acquire_many_owned(length);
        let taken = permit.is_ok_and(|permit| self.queue.try_send(Order::Keep(job, permit)).is_ok());
        if !taken {
            self.link.metrics.written(Written::Dropped, 1);
        }
        taken
    }

    /// Waits until what was taken so far is kept, or given up.
    pub(super) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.queue.send(Order::Flush(done)).await.is_ok() {
            let _ = flushed.await;
        }
    }
}

async fn run(link: Arc<Link>, mut orders: mpsc::Receiver<Order>) {
    let mut taken = Vec::with_capacity(BATCH_MAX);
    while orders.recv_many(&mut taken, BATCH_MAX).await > 0 {
        let (mut jobs, mut permits, mut flushed) = (Vec::new(), Vec::new(), Vec::new());
        for order in taken.drain(..) {
            match order {
                Order::Keep(job, permit) => {
                    jobs.push(job);
                    permits.push(permit);
                }
                Order::Flush(done) => flushed.push(done),
            }
        }
        if !jobs.is_empty() {
            keep(&link, &jobs).await;
        }
        for done in flushed {
            let _ = done.send(());
        }
    }
}

async fn keep(link: &Link, jobs: &[Job]) {
    let script = redis::Script::new(NEWER);
    let mut commands = redis::pipe();
    // A server that was restarted does not know it any more, and this is cheaper than to find that out.
    commands.cmd("SCRIPT").arg("LOAD").arg(NEWER).ignore();
    for job in jobs {
        commands.cmd("EVALSHA").arg(script.get_hash()).arg(1).arg(&job.name).arg(&job.bytes).arg(job.seconds);
    }
    let now = Timestamp::now().0 / 1000;
    for (list, member) in jobs.iter().filter_map(|job| job.warm.as_ref()) {
        commands.cmd("ZADD").arg(list).arg(now).arg(member).ignore();
        commands.cmd("ZREMRANGEBYRANK").arg(list).arg(0).arg(-WARM_PER_SLOT_MAX - 1).ignore();
        commands.cmd("EXPIRE").arg(list).arg(longest()).ignore();
    }
    match link.ask::<Vec<u8>>(&commands).await {
        Ok(kept) => {
            let older = kept.iter().filter(|kept| **kept == 0).count();
            link.metrics.written(Written::Older, older);
            link.metrics.written(Written::Kept, jobs.len() - older);
        }
        Err(Failure::Away | Failure::Refused) => link.metrics.written(Written::Failed, jobs.len()),
    }
}

/// A list of warm things is of use for as long as any of them may be kept.
fn longest() -> u32 {
    Strategy::ALL.iter().map(|strategy| strategy.seconds()).max().unwrap_or_default()
}
