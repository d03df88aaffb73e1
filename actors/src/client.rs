//! The only door to the owners.

use crate::{
    node::Node,
    owner::{Op, Waiter, WriteOp},
    snapshot::Snapshot,
};
use protocol::{Command, ErrorCode, Idempotency, Key, Principal, Query, Refusal, Reply};
use std::{sync::Arc, time::Instant};
use tokio::sync::{oneshot, oneshot::error::RecvError};

/// The circumstances of a request.
#[derive(Clone, Debug)]
pub struct Call {
    /// On whose behalf.
    pub principal: Principal,
    /// Until when it is worth anything.
    pub deadline: Instant,
    /// The version that a write insists on.
    pub if_match: Option<u64>,
    /// The client's idempotency key, for writes that create.
    pub idempotency: Option<Idempotency>,
}

/// Asks owners. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    node: Arc<Node>,
    /// Whether memory is looked at though nobody can tell whether it is still the truth.
    lapsed: bool,
}

impl Client {
    /// A client on this node.
    #[must_use]
    pub fn new(node: Arc<Node>) -> Self {
        Self { node, lapsed: false }
    }

    /// One that peeks into memory also when the lease has ended: whatever it finds is to be shown as stale. Owners, whom it asks for the rest, serve
    /// nothing then.
    #[must_use]
    pub fn of_the_lapsed(&self) -> Self {
        Self { node: self.node.clone(), lapsed: true }
    }

    /// The node that it is on.
    #[must_use]
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// A call on behalf of `principal` with the configured deadline.
    #[must_use]
    pub fn call(&self, principal: Principal) -> Call {
        Call { principal, deadline: Instant::now() + self.node.limits.request_deadline, if_match: None, idempotency: None }
    }

    /// The entity's snapshot, if it is warm on this node. Never waits, never enters a mailbox, and is as fresh as asking the owner: a write is
    /// published before it is acknowledged.
    #[must_use]
    pub fn peek(&self, key: &Key) -> Option<Arc<Snapshot>> {
        let (snapshots, ownership) = (&self.node.snapshots, &self.node.ownership);
        let found = if self.lapsed { snapshots.lapsed(key, ownership) } else { snapshots.get(key, ownership) };
        self.node.metrics.cache(key.kind, found.is_some());
        found
    }

    /// A part of an entity, if both are warm on this node.
    #[must_use]
    pub fn peek_part(&self, key: Key, query: &Query) -> Option<Arc<Snapshot>> {
        let (snapshots, ownership) = (&self.node.snapshots, &self.node.ownership);
        let found = match self.lapsed {
            false => snapshots.part(key, snapshots.get(&key, ownership)?.view.version, query, ownership),
            true => snapshots.lapsed_part(key, snapshots.lapsed(&key, ownership)?.view.version, query, ownership),
        };
        self.node.metrics.cache(key.kind, found.is_some());
        found
    }

    /// The entity's snapshot, from memory or from its owner.
    ///
    /// # Errors
    /// `not_found`; `unavailable`, `overloaded`, `expired`: a repetition is safe.
    pub async fn view(&self, call: &Call, key: Key) -> Result<Arc<Snapshot>, Refusal> {
        match self.peek(&key) {
            Some(snapshot) => Ok(snapshot),
            None => self.ask(call, key, ErrorCode::Unavailable, |waiter| Op::View { id: key.id, waiter }).await,
        }
    }

    /// The entity's snapshot, through the owner's mailbox even when it is warm. For probes and comparisons.
    ///
    /// # Errors
    /// As [`Client::view`].
    pub async fn view_by_owner(&self, call: &Call, key: Key) -> Result<Arc<Snapshot>, Refusal> {
        self.ask(call, key, ErrorCode::Unavailable, |waiter| Op::View { id: key.id, waiter }).await
    }

    /// A part or page of an entity, from memory or from its owner.
    ///
    /// # Errors
    /// As [`Client::view`].
    pub async fn query(&self, call: &Call, key: Key, query: Query) -> Result<Arc<Snapshot>, Refusal> {
        match self.peek_part(key, &query) {
            Some(snapshot) => Ok(snapshot),
            None => self.ask(call, key, ErrorCode::Unavailable, |waiter| Op::Query { id: key.id, query, waiter }).await,
        }
    }

    /// Has the owner carry out a write. When this returns, every read that begins sees it.
    ///
    /// # Errors
    /// What the owner decided; `outcome_unknown` when the write may have happened: repeat it with the same idempotency key, or read.
    pub async fn write(&self, call: &Call, key: Key, command: Command) -> Result<Reply, Refusal> {
        let write = WriteOp { command, principal: call.principal, if_match: call.if_match, idempotency: call.idempotency.clone() };
        self.ask(call, key, ErrorCode::OutcomeUnknown, |waiter| Op::Write { id: key.id, write: Box::new(write), waiter }).await
    }

    /// Sends to the key's owner and waits. `lost` is what the caller learns when the owner dies with the request in its care.
    async fn ask<T>(&self, call: &Call, key: Key, lost: ErrorCode, op: impl FnOnce(Waiter<T>) -> Op) -> Result<T, Refusal> {
        let owner = self.node.region.owner(&key).await?;
        let permit = owner.permits.clone().try_acquire_owned().map_err(|_| ErrorCode::Overloaded)?;
        let (answer, answered) = oneshot::channel();
        if owner.port.send_message(op(Waiter { answer, deadline: call.deadline, _permit: Some(permit) })).is_err() {
            return Err(ErrorCode::Unavailable.into());
        }
        match tokio::time::timeout_at(call.deadline.into(), answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(RecvError { .. })) => Err(lost.into()),
            Err(_) => Err(if lost == ErrorCode::OutcomeUnknown { lost } else { ErrorCode::Expired }.into()),
        }
    }
}
