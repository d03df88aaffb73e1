//! What an owner is asked on its node, and who waits for the answer.

use crate::snapshot::Snapshot;
use protocol::{Command, Idempotency, Principal, Query, Refusal, Reply, envelope::Change};
use std::{sync::Arc, time::Instant};
use store::cause::Cause;
use store::redis::Frozen;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use uuid::Uuid;

/// What an owner is asked on this node.
pub enum Op {
    /// The entity.
    View {
        /// Which.
        id: Uuid,
        /// The version that it must have reached: somebody saw it, in the store, before its owner published it. 0 for any.
        version_min: u64,
        /// Who waits.
        waiter: Waiter<Arc<Snapshot>>,
    },
    /// A part or page of it.
    Query {
        /// Of which.
        id: Uuid,
        /// Which part.
        query: Query,
        /// Who waits.
        waiter: Waiter<Arc<Snapshot>>,
    },
    /// A write.
    Write {
        /// To which.
        id: Uuid,
        /// What.
        write: Box<WriteOp>,
        /// Who waits.
        waiter: Waiter<Reply>,
    },
    /// What was kept of these is to be loaded, if it is not yet; answered with how many are warm by that.
    Warm {
        /// Which.
        warmth: Warmth,
        /// Who waits.
        waiter: Waiter<usize>,
    },
    /// Another owner's commit changed these keys. Applied at once, never behind a write.
    Changed {
        /// Which.
        ids: Vec<Uuid>,
        /// How.
        change: Change,
        /// Who waits for the confirmation.
        waiter: Waiter<()>,
    },
}

/// Entities of which somebody kept what they were.
pub enum Warmth {
    /// The second level has them, perhaps.
    SecondLevel(Vec<Uuid>),
    /// These, as the last owner of their slots sent them.
    Sent(Vec<(Uuid, Frozen)>),
}

/// A write with its circumstances.
#[derive(Clone)]
pub struct WriteOp {
    /// What to do.
    pub command: Command,
    /// On whose behalf.
    pub principal: Principal,
    /// The version that the client insists on.
    pub if_match: Option<u64>,
    /// The client's idempotency key.
    pub idempotency: Option<Idempotency>,
}

/// Somebody who waits for an answer until a deadline. Dropped unanswered (by a panic, by shutdown), the caller learns of it at once.
pub struct Waiter<T> {
    pub(crate) answer: oneshot::Sender<Result<T, Refusal>>,
    pub(crate) deadline: Instant,
    /// What it waits for: where an owner comes back to it, what is done is done for it (`crate::trace`).
    pub(crate) cause: Cause,
    /// The owner's bound on work in its care: released with the answer. Changes have none: each comes of a write that has, and a change that
    /// waited for the writes of a full owner could be what one of them waits for.
    pub(crate) _permit: Option<OwnedSemaphorePermit>,
}

impl<T> Waiter<T> {
    /// Somebody of the platform's own, who needs no permit; and where they are answered.
    pub(crate) fn of_the_platform(deadline: Instant) -> (Self, oneshot::Receiver<Result<T, Refusal>>) {
        let (answer, answered) = oneshot::channel();
        (Self { answer, deadline, cause: Cause::none(), _permit: None }, answered)
    }

    pub(super) fn send(self, answer: Result<T, Refusal>) {
        // First: whoever is answered may ask again at once, and must find its place free.
        drop(self._permit);
        // The caller may have gone: then nobody is interested.
        let _ = self.answer.send(answer);
    }

    pub(super) fn expired(&self) -> bool {
        Instant::now() >= self.deadline
    }
}

impl ractor::Message for Op {}
