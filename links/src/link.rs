//! A link: a stream whose peer proved who it is and told where its port is.

use crate::{
    LinkError,
    limit::{CALL_WEIGHT_BYTES, Limits},
    port::{Message, Topic},
    stream::Connection,
};
use ractor::ActorRef;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};
use tokio::{
    sync::{Semaphore, oneshot},
    task::AbortHandle,
};

/// A link to a node.
pub(crate) struct Link {
    pub connection: Arc<Connection>,
    /// The peer's port, as ractor_cluster stands in for it here.
    port: ActorRef<Message>,
    /// Calls to the peer that are under way.
    calls: Semaphore,
    /// No more calls are taken.
    is_parting: AtomicBool,
    /// Probes and announcements that are.
    probes: Semaphore,
    /// Ends with the link.
    _announcer: AbortOnDrop,
}

/// A task that ends with its owner.
pub(crate) struct AbortOnDrop(pub AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Link {
    pub(crate) fn new(connection: Arc<Connection>, port: ActorRef<Message>, announcer: AbortHandle) -> Self {
        let Limits { calls_max, probes_max, .. } = connection.limits;
        let (calls, probes) = (Semaphore::new(calls_max), Semaphore::new(probes_max));
        Self { connection, port, calls, is_parting: AtomicBool::new(false), probes, _announcer: AbortOnDrop(announcer) }
    }

    /// Sends a call and waits for its answer until `deadline`.
    ///
    /// Whoever stops waiting, by the deadline or because the future is dropped, frees the place of the call, though the peer may be at work on it: the
    /// bound is on those who wait. What a peer that takes nothing can make wait here is bounded by the queue.
    pub(crate) async fn call(&self, frame: Vec<u8>, deadline: Instant) -> Result<Vec<u8>, LinkError> {
        let weight = u32::try_from(1 + frame.len() / CALL_WEIGHT_BYTES).map_err(|_| LinkError::Overloaded)?;
        let refused = |_| if self.is_parting.load(Ordering::Acquire) { LinkError::NotLinked } else { LinkError::Overloaded };
        let _place = self.calls.try_acquire_many(weight).map_err(refused)?;
        if !self.connection.queue.admit(frame.len(), self.connection.limits.queued_bytes_max) {
            return Err(LinkError::Overloaded);
        }
        self.ask(Topic::Call, frame, deadline).await
    }

    /// Sends a probe or an announcement, which calls cannot keep from getting through.
    pub(crate) async fn tell(&self, topic: Topic, number: u64) -> Result<Vec<u8>, LinkError> {
        let _place = self.probes.try_acquire().map_err(|_| LinkError::Overloaded)?;
        let frame = number.to_be_bytes().to_vec();
        self.connection.queue.push(frame.len());
        self.ask(topic, frame, Instant::now() + self.connection.limits.probe_max).await
    }

    async fn ask(&self, topic: Topic, frame: Vec<u8>, deadline: Instant) -> Result<Vec<u8>, LinkError> {
        let (reply, answered) = oneshot::channel();
        // Without a time-out of ractor_cluster's: at the peer it would turn a late answer into none.
        let message = Message { topic, secret: self.connection.secret, frame, reply: reply.into() };
        self.port.send_message(message).map_err(|_| LinkError::NotLinked)?;
        match tokio::time::timeout_at(deadline.into(), answered).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(LinkError::Broken),
            Err(_) => Err(LinkError::TimedOut),
        }
    }

    /// Takes no more calls, and returns when those under way have their answers: after [`Limits::parting_max`] in any case.
    pub(crate) async fn finish(&self) {
        let Limits { calls_max, parting_max, .. } = self.connection.limits;
        self.is_parting.store(true, Ordering::Release);
        let all = u32::try_from(calls_max).unwrap_or(u32::MAX);
        let _places = tokio::time::timeout(parting_max, self.calls.acquire_many(all)).await;
        self.calls.close();
    }

    /// How many of the places for calls are taken.
    pub(crate) fn calls_under_way(&self) -> usize {
        self.connection.limits.calls_max.saturating_sub(self.calls.available_permits())
    }
}
