//! The only door to the owners.

use crate::{
    doubt::SETTLES_AFTER,
    near::Question,
    node::Node,
    owner::{Op, Waiter, WriteOp},
    ownership::Ownership,
    remote::{Asked, Given, Place, Remote, Unanswered},
    snapshot::Snapshot,
    trace,
};
use cluster::Boot;
use futures_util::future::join_all;
use parking_lot::Mutex;
use protocol::{Command, ErrorCode, Idempotency, Key, Kind, Principal, Query, Refusal, Reply, Trace, envelope::VIEWS_MAX};
use std::{collections::HashMap, sync::Arc, time::Instant};
use store::cause::Cause;
use store::redis::{Redis, count::Counts};
use tokio::sync::{oneshot, oneshot::error::RecvError};
use tracing::Instrument;

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
    /// The trace that it is part of, for the log of whichever node works on it.
    pub trace: Option<Trace>,
}

impl Call {
    /// The platform's own, until then.
    pub(crate) const fn of_the_platform(deadline: Instant) -> Self {
        Self { principal: Principal::Platform, deadline, if_match: None, idempotency: None, trace: None }
    }
}

/// Asks owners. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    node: Arc<Node>,
    /// Memory is looked at though nobody can tell whether it is still the truth: also that of other nodes, of which this holds what was fetched.
    lapsed: Option<Arc<Lapsed>>,
}

/// What other nodes have in memory that may not be the truth any more.
#[derive(Default)]
struct Lapsed {
    fetched: Mutex<HashMap<Wanted, Arc<Snapshot>>>,
    missing: Mutex<Vec<Wanted>>,
}

/// An entity, or a part of it.
type Wanted = (Key, Option<Query>);

impl Lapsed {
    fn get(&self, key: Key, query: Option<&Query>) -> Option<Arc<Snapshot>> {
        let wanted = (key, query.cloned());
        let found = self.fetched.lock().get(&wanted).cloned();
        if found.is_none() {
            self.missing.lock().push(wanted);
        }
        found
    }
}

impl Client {
    /// A client on this node.
    #[must_use]
    pub fn new(node: Arc<Node>) -> Self {
        Self { node, lapsed: None }
    }

    /// One that peeks into memory also when the lease has ended: whatever it finds is to be shown as stale. Owners, whom it asks for the rest, serve
    /// nothing then.
    #[must_use]
    pub fn of_the_lapsed(&self) -> Self {
        Self { node: self.node.clone(), lapsed: Some(Arc::default()) }
    }

    /// For a client of the lapsed: asks other nodes for what it looked for since the last call and did not find. `false` if there is nothing new.
    pub async fn fetch_lapsed(&self, deadline: Instant) -> bool {
        let (Some(lapsed), Some(remote)) = (&self.lapsed, self.node.remote()) else { return false };
        let mut missing = std::mem::take(&mut *lapsed.missing.lock());
        missing.truncate(VIEWS_MAX);
        let asked = missing.into_iter().map(|(key, query)| async move {
            let Place::There(boot) = self.place(remote, &key) else { return None };
            let view = remote.lapsed(boot, key, query.clone(), deadline).await?;
            Some(((key, query), Snapshot::received(key, view)))
        });
        let found: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
        let is_something = !found.is_empty();
        lapsed.fetched.lock().extend(found);
        is_something
    }

    /// The node that it is on.
    #[must_use]
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// What the edges of a cluster count together; `None` where there is nothing that they share.
    #[must_use]
    pub fn counts(&self) -> Option<Counts> {
        self.node.stores.second_level.as_ref().map(Redis::counts)
    }

    /// A call on behalf of `principal` with the configured deadline.
    #[must_use]
    pub fn call(&self, principal: Principal) -> Call {
        Call { principal, ..Call::of_the_platform(Instant::now() + self.node.limits.request_deadline) }
    }

    /// The entity's snapshot, if it is warm on this node. Never waits, never enters a mailbox, and is as fresh as asking the owner: a write is
    /// published before it is acknowledged. What is not there is no miss yet: whoever goes on to ask for it ([`Client::view`]) is counted.
    #[must_use]
    pub fn peek(&self, key: &Key) -> Option<Arc<Snapshot>> {
        self.find(key).inspect(|found| self.node.metrics.hit(found))
    }

    /// As [`Client::peek`], and counts nothing.
    pub(crate) fn find(&self, key: &Key) -> Option<Arc<Snapshot>> {
        let (snapshots, ownership) = (&self.node.snapshots, &self.node.ownership);
        let found = match &self.lapsed {
            None => snapshots.get(key, ownership),
            Some(lapsed) => snapshots.lapsed(key, ownership).or_else(|| lapsed.get(*key, None)),
        };
        if found.as_ref().and_then(|found| found.loan()).is_some_and(|loan| loan.answer()) {
            self.renew(*key);
        }
        found
    }

    /// A part of an entity, if both are warm on this node. Counts nothing.
    pub(crate) fn find_part(&self, key: Key, query: &Query) -> Option<Arc<Snapshot>> {
        let (snapshots, ownership) = (&self.node.snapshots, &self.node.ownership);
        match &self.lapsed {
            None => snapshots.get(&key, ownership).and_then(|whole| snapshots.part(&whole, query, ownership)),
            Some(lapsed) => self.lapsed_part(key, query).or_else(|| lapsed.get(key, Some(query))),
        }
    }

    /// Counts whether memory had what was asked for.
    pub(crate) fn counted(&self, kind: Kind, found: Option<Arc<Snapshot>>) -> Option<Arc<Snapshot>> {
        match &found {
            Some(found) => self.node.metrics.hit(found),
            None => self.node.metrics.miss(kind),
        }
        found
    }

    /// What is in this node's memory of a part, though its lease ended.
    pub(crate) fn lapsed_part(&self, key: Key, query: &Query) -> Option<Arc<Snapshot>> {
        let (snapshots, ownership) = (&self.node.snapshots, &self.node.ownership);
        snapshots.lapsed(&key, ownership).and_then(|whole| snapshots.lapsed_part(&whole, query, ownership))
    }

    /// The entity's snapshot, from memory or from its owner; from the store where that one is another node's and does not answer.
    ///
    /// # Errors
    /// `not_found`; `unavailable`, `overloaded`, `expired`: a repetition is safe.
    pub async fn view(&self, call: &Call, key: Key) -> Result<Arc<Snapshot>, Refusal> {
        match self.counted(key.kind, self.find(&key)) {
            Some(snapshot) => Ok(snapshot),
            None => self.fetch(call, key, None).await,
        }
    }

    /// The entity's snapshot, through the owner's mailbox even when it is warm. For probes and comparisons.
    ///
    /// # Errors
    /// As [`Client::view`].
    pub async fn view_by_owner(&self, call: &Call, key: Key) -> Result<Arc<Snapshot>, Refusal> {
        self.fetch(call, key, None).await
    }

    /// A part or page of an entity, from memory or from its owner, or as [`Client::view`] says.
    ///
    /// # Errors
    /// As [`Client::view`].
    pub async fn query(&self, call: &Call, key: Key, query: Query) -> Result<Arc<Snapshot>, Refusal> {
        match self.counted(key.kind, self.find_part(key, &query)) {
            Some(snapshot) => Ok(snapshot),
            None => self.fetch(call, key, Some(query)).await,
        }
    }

    /// Many entities that are not warm here, in their order: those of another node in one question. Counts nothing.
    pub(crate) async fn views(&self, call: &Call, keys: Vec<Key>) -> Vec<Result<Arc<Snapshot>, Refusal>> {
        let Some(remote) = self.node.remote() else {
            return join_all(keys.into_iter().map(|key| self.fetch(call, key, None))).await;
        };
        let mut by_node: HashMap<Boot, Vec<Key>> = HashMap::new();
        for key in &keys {
            if let Place::There(boot) = self.place(remote, key) {
                by_node.entry(boot).or_default().push(*key);
            }
        }
        let lots = by_node.iter().flat_map(|(boot, keys)| keys.chunks(VIEWS_MAX).map(move |lot| (*boot, lot)));
        let asked = lots.filter(|(_, lot)| lot.len() > 1).map(|(boot, lot)| async move {
            let questions: Vec<_> = lot.iter().map(|key| (*key, remote.holdings().ask(key))).collect();
            (questions, remote.views(boot, call, lot, !self.node.ownership.is_leaving()).await)
        });
        let mut found = HashMap::with_capacity(keys.len());
        for (lot, answers) in join_all(asked).await {
            let received = |((key, question), answer): (&(Key, Question), Option<_>)| {
                Some((*key, Result::map(answer?, |given| self.received(remote, *key, question, given)).and_then(|found| self.still(found))))
            };
            found.extend(lot.iter().zip(answers).filter_map(received));
        }
        let rest = keys.into_iter().map(|key| {
            let known = found.remove(&key);
            async move {
                match known {
                    Some(known) => known,
                    None => self.fetch(call, key, None).await,
                }
            }
        });
        join_all(rest).await
    }

    /// Has the owner carry out a write. When this returns, every read that begins sees it.
    ///
    /// # Errors
    /// What the owner decided; `unavailable` when nothing was done; `outcome_unknown` when the write may have happened: repeat it with the same
    /// idempotency key, or read.
    pub async fn write(&self, call: &Call, key: Key, command: Command) -> Result<Reply, Refusal> {
        let write = WriteOp { command, principal: call.principal, if_match: call.if_match, idempotency: call.idempotency.clone() };
        let Some(remote) = self.node.remote() else { return clients(self.write_here(call.deadline, key, write).await) };
        loop {
            let mut moves = self.node.ownership.moves();
            let done = match self.place(remote, &key) {
                Place::Here => match self.write_here(call.deadline, key, write.clone()).await {
                    Err(refusal) if refusal.code == ErrorCode::NotOwner => Err(Unanswered::Elsewhere),
                    Err(refusal) if refusal.code == ErrorCode::OutcomeUnknown => Err(Unanswered::Unknown),
                    done => done.map_err(Unanswered::Refused),
                },
                Place::There(boot) if !remote.is_suspect(boot) => remote.write(boot, call, key, write.clone()).await,
                Place::There(_) | Place::Nowhere => Err(Unanswered::Elsewhere),
            };
            let last = match done {
                Ok(reply) => return Ok(reply),
                Err(Unanswered::Refused(refusal)) => return Err(refusal),
                // Under its key it may be asked for again: it happens once.
                Err(Unanswered::Unknown) if write.idempotency.is_none() => return Err(ErrorCode::OutcomeUnknown.into()),
                Err(Unanswered::Unknown) => ErrorCode::OutcomeUnknown,
                Err(Unanswered::Elsewhere | Unanswered::Unreached) => ErrorCode::Unavailable,
            };
            if !Ownership::next_attempt(&mut moves, call.deadline).await {
                return Err(last.into());
            }
        }
    }

    // ---- where it is asked ----

    fn place(&self, remote: &Remote, key: &Key) -> Place {
        let slot = key.slot();
        if self.node.ownership.epoch(slot).is_some() { Place::Here } else { remote.place(slot) }
    }

    /// What memory was found not to have: from its owner, or from the store. Counts nothing.
    pub(crate) async fn fetch(&self, call: &Call, key: Key, query: Option<Query>) -> Result<Arc<Snapshot>, Refusal> {
        let here = async |query: Option<Query>| match query {
            Some(query) => self.query_here(call, key, query).await,
            None => self.view_here(call, key, 0).await,
        };
        let Some(remote) = self.node.remote() else { return clients(here(query).await) };
        let settles = match self.place(remote, &key) {
            Place::Here => false,
            Place::There(boot) => match self.fetch_there(remote, boot, call, (key, query.clone())).await {
                Ok(found) => return self.still(found),
                Err(Unanswered::Refused(refusal)) => return Err(refusal),
                Err(Unanswered::Elsewhere) => false,
                Err(Unanswered::Unreached | Unanswered::Unknown) => true,
            },
            Place::Nowhere => !remote.outlook().is_given_up(key.slot()),
        };
        let is_view = query.is_none();
        // An owner actor of this node asks the store, and keeps nothing of what is not its own.
        let found = clients(here(query).await);
        let is_of_the_store = match &found {
            Ok(found) => found.tenure() == 0,
            Err(refusal) => refusal.code == ErrorCode::NotFound,
        };
        if is_of_the_store && self.node.ownership.epoch(key.slot()).is_none() {
            self.node.metrics.fallback(key.kind);
            if settles {
                // Whoever owns it may not have heard yet of what is stored, or that it is gone, and shows what was there before.
                tokio::time::sleep(SETTLES_AFTER).await;
            }
        }
        let found = found?;
        if is_view && found.tenure() == 0 {
            remote.saw(key, found.view.version);
            self.node.snapshots.return_loan(&key);
        }
        self.still(found)
    }

    async fn fetch_there(&self, remote: &Remote, boot: Boot, call: &Call, (key, query): Wanted) -> Result<Arc<Snapshot>, Unanswered> {
        let question = remote.holdings().ask(&key);
        let asked = match query {
            Some(query) => Asked::Part(query),
            None if self.node.ownership.is_leaving() => Asked::Once,
            None => {
                Asked::Whole { answered: self.node.snapshots.lent(&key).and_then(|lent| Some(lent.loan()?.take_answered())).unwrap_or(0) }
            }
        };
        let given = remote.view(boot, call, key, asked).await?;
        Ok(self.received(remote, key, &question, given))
    }

    /// What another node's owner gave, which is kept if it was lent and nobody called it back meanwhile.
    fn received(&self, remote: &Remote, key: Key, question: &Question, Given { view, lease_ms }: Given) -> Arc<Snapshot> {
        let mut kept = None;
        if let Some(lease) = lease_ms.filter(|_| view.version >= remote.floor(&key)) {
            remote.holdings().keep(&key, question, lease, |loan| kept = Some(self.node.snapshots.keep_loan(key, view.clone(), loan)));
        }
        kept.unwrap_or_else(|| Snapshot::received(key, view))
    }

    /// Asks again for what was lent and is read much. If that fails, the next reader asks.
    fn renew(&self, key: Key) {
        let client = self.clone();
        tokio::spawn(async move {
            let Some(remote) = client.node.remote() else { return };
            if let Place::There(boot) = client.place(remote, &key) {
                let _ = client.fetch_there(remote, boot, &client.call(Principal::Platform), (key, None)).await;
            }
        });
    }

    /// What is not this node's own is answered only while the node hears what everybody must hear (`remote::everybody`).
    fn still(&self, found: Arc<Snapshot>) -> Result<Arc<Snapshot>, Refusal> {
        if self.node.ownership.is_leased() { Ok(found) } else { Err(ErrorCode::Unavailable.into()) }
    }

    // ---- this node's owner actors ----

    pub(crate) async fn view_here(&self, call: &Call, key: Key, version_min: u64) -> Result<Arc<Snapshot>, Refusal> {
        let asked = self.ask(call.deadline, key, ErrorCode::Unavailable, |waiter| Op::View { id: key.id, version_min, waiter });
        asked.instrument(trace::owner("view", &key)).await
    }

    pub(crate) async fn query_here(&self, call: &Call, key: Key, query: Query) -> Result<Arc<Snapshot>, Refusal> {
        let asked = self.ask(call.deadline, key, ErrorCode::Unavailable, |waiter| Op::Query { id: key.id, query, waiter });
        asked.instrument(trace::owner("query", &key)).await
    }

    /// `not_owner` when nothing was done because the slot is another node's.
    pub(crate) async fn write_here(&self, deadline: Instant, key: Key, write: WriteOp) -> Result<Reply, Refusal> {
        let asked = self.ask(deadline, key, ErrorCode::OutcomeUnknown, |waiter| Op::Write { id: key.id, write: Box::new(write), waiter });
        asked.instrument(trace::owner("write", &key)).await
    }

    /// Sends to this node's owner actor and waits. `lost` is what the caller learns when that one dies with the request in its care.
    async fn ask<T>(&self, deadline: Instant, key: Key, lost: ErrorCode, op: impl FnOnce(Waiter<T>) -> Op) -> Result<T, Refusal> {
        let owner = self.node.region.owner(&key).await?;
        let permit = owner.permits.clone().try_acquire_owned().map_err(|_| ErrorCode::Overloaded)?;
        let (answer, answered) = oneshot::channel();
        if owner.port.send_message(op(Waiter { answer, deadline, cause: Cause::current(), _permit: Some(permit) })).is_err() {
            return Err(ErrorCode::Unavailable.into());
        }
        match tokio::time::timeout_at(deadline.into(), answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(RecvError { .. })) => Err(lost.into()),
            Err(_) => Err(if lost == ErrorCode::OutcomeUnknown { lost } else { ErrorCode::Expired }.into()),
        }
    }
}

/// Whose the slot is, is not for clients to know.
fn clients<T>(answered: Result<T, Refusal>) -> Result<T, Refusal> {
    answered.map_err(|refusal| if refusal.code == ErrorCode::NotOwner { ErrorCode::Unavailable.into() } else { refusal })
}
