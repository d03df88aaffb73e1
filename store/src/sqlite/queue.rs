//! The bounded queue before a database's threads.

use crate::StoreError;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use prometheus::IntGauge;

/// Makes a queue of at most `jobs_max` jobs. `depth` shows how many wait in it.
pub(super) fn queue<J>(database: &'static str, jobs_max: usize, depth: IntGauge) -> (Queue<J>, Intake<J>) {
    let (sender, receiver) = bounded(jobs_max.max(1));
    (Queue { database, sender, depth: depth.clone() }, Intake { receiver, depth })
}

/// The end that takes jobs in. When the last clone is gone, the threads finish what is queued and end.
pub(super) struct Queue<J> {
    database: &'static str,
    /// `None` ends one thread.
    sender: Sender<Option<J>>,
    depth: IntGauge,
}

impl<J> Clone for Queue<J> {
    fn clone(&self) -> Self {
        Self { database: self.database, sender: self.sender.clone(), depth: self.depth.clone() }
    }
}

impl<J> Queue<J> {
    /// Hands a job over, or refuses it at once: `Overloaded` when the queue is full, `Unavailable` when the database was closed.
    pub(super) fn submit(&self, job: J) -> Result<(), StoreError> {
        // Counted before it is sent: the thread that takes it may be faster.
        self.depth.inc();
        self.sender.try_send(Some(job)).map_err(|refused| {
            self.depth.dec();
            match refused {
                TrySendError::Full(_) => StoreError::Overloaded { database: self.database },
                TrySendError::Disconnected(_) => StoreError::Unavailable { database: self.database, reason: "it was closed".to_owned() },
            }
        })
    }

    /// Ends `threads` threads after what was queued before. Waits for room in the queue.
    pub(super) fn close(&self, threads: usize) {
        for _ in 0..threads {
            // An error means that they have ended already.
            let _ = self.sender.send(None);
        }
    }
}

/// The end that threads take jobs from.
pub(super) struct Intake<J> {
    receiver: Receiver<Option<J>>,
    depth: IntGauge,
}

impl<J> Clone for Intake<J> {
    fn clone(&self) -> Self {
        Self { receiver: self.receiver.clone(), depth: self.depth.clone() }
    }
}

/// What a thread finds in its queue.
pub(super) enum Next<J> {
    /// Something to do.
    Job(J),
    /// Nothing at present.
    Empty,
    /// The end.
    Closed,
}

impl<J> Intake<J> {
    /// Waits for a job; `None` is the end.
    pub(super) fn wait(&self) -> Option<J> {
        let job = self.receiver.recv().ok().flatten()?;
        self.depth.dec();
        Some(job)
    }

    /// Looks for a job.
    pub(super) fn look(&self) -> Next<J> {
        match self.receiver.try_recv() {
            Ok(Some(job)) => {
                self.depth.dec();
                Next::Job(job)
            }
            Err(crossbeam_channel::TryRecvError::Empty) => Next::Empty,
            Ok(None) | Err(crossbeam_channel::TryRecvError::Disconnected) => Next::Closed,
        }
    }
}
