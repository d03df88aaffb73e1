//! Writes: decided by the entity, committed by the store, published, delivered, acknowledged — in this order.

use super::{
    CONFLICT_RETRIES_MAX, Decided, Flight, Known, Landing, Message, Owner, Phase, Queued, Tried, Waiter, WriteOp, panicked,
    publish::{publish, publish_late},
    refusal_of,
};
use crate::{
    entity::{Asked, Decision, Entity, Plan},
    live,
    node::Node,
    outbox,
    ownership::{Fence, Tenure},
    sabotage::{self, Defect},
    snapshot::Snapshot,
};
use protocol::{Epoch, ErrorCode, Idempotency, Key, Outcome, Refusal, Reply, Slot, Timestamp};
use std::sync::Arc;
use store::{Commit, CommitError, Committed, Guard, Touch, Write, cause::WithCause, commit::NewRecord};
use tracing::{Instrument, debug_span};
use uuid::Uuid;

impl<E: Entity> Owner<E> {
    pub(super) fn begin_write(
        &mut self,
        id: Uuid,
        known: Option<Arc<Snapshot>>,
        write: Box<WriteOp>,
        (waiter, tried): (Waiter<Reply>, Tried),
    ) {
        let shown = known.clone();
        let decided = self.decide(id, known, &write);
        let (plan, decided) = match decided {
            Ok(Decision::Commit(plan)) => {
                let Plan { write, expect, touches, next, reply, unchanged } = *plan;
                let touching = !touches.is_empty();
                let found = touches
                    .iter()
                    .filter_map(|touch| if let Touch::Found(key, found) = touch { Some((*key, found.clone())) } else { None });
                let decided = Decided::Commit { next, reply, unchanged, touching, found: found.collect() };
                (Some((write, expect, touches)), decided)
            }
            Ok(Decision::Answer(reply)) => (None, Decided::Answer(Ok(reply))),
            Err(refusal) => (None, Decided::Answer(Err(refusal))),
        };
        let key = Key::new(E::KIND, id);
        if let (Decided::Answer(answer), None) = (&decided, &write.idempotency) {
            // It rests on what is in memory, as a read does.
            let is_ours = self.node.ownership.serves(key.slot());
            return waiter.send(if is_ours { answer.clone() } else { Err(ErrorCode::NotOwner.into()) });
        }
        let Some(pass) = self.node.ownership.enter(key.slot()) else { return waiter.send(Err(ErrorCode::NotOwner.into())) };
        let guard = Guard { slot: key.slot(), epoch: pass.epoch.max(tried.epoch) };
        let record = write.idempotency.clone().zip(write.principal.user());
        let commit = plan.map(|(rows, expect, touches)| {
            let record = record.clone().map(|(idempotency, subject)| new_record(idempotency, subject, &decided));
            Commit { guard, key, expect, record, touches, write: rows, now: Timestamp::now() }
        });
        // Nothing is lent from before it is sent until what it made is published.
        let closed = commit.as_ref().and_then(|_| self.close_one(id)).map(Arc::new);
        let Some(busy) = self.busy.get_mut(&id) else { return };
        let is_decided_in_tenure = busy.tenure == Tenure::number(Some(pass.tenure));
        let flight =
            Flight { write, waiter, tried, guard, decided, pass, is_decided_in_tenure, shown: shown.clone(), _closed: closed.clone() };
        busy.phase = Phase::Committing(Box::new(flight));
        let node = self.node.clone();
        let land = async move {
            if let Some(closed) = closed {
                closed.call_back().await;
            }
            land(&node, E::KIND, record, commit, shown).await
        };
        let land = land.instrument(debug_span!("commit", kind = E::KIND.name()));
        self.run(land, move |landing| {
            Message::Landed(id, landing.unwrap_or_else(|| Landing::Failed(CommitError::Unknown(panicked("commit")))))
        });
    }

    fn decide(&self, id: Uuid, known: Option<Arc<Snapshot>>, write: &WriteOp) -> Result<Decision<E::State>, Refusal> {
        let state = match &known {
            Some(snapshot) => Some(snapshot.state::<E>().ok_or(ErrorCode::Internal)?),
            None => None,
        };
        let command = E::command(write.command.clone()).ok_or(ErrorCode::BadFrame)?;
        if sabotage::active(Defect::PanicOnWord) && format!("{:?}", write.command).contains("sabotage-panic") {
            panic!("asked to");
        }
        if sabotage::active(Defect::HangOnWord) && format!("{:?}", write.command).contains("sabotage-hang") {
            std::thread::sleep(std::time::Duration::from_secs(5));
        }
        if write.if_match.is_some_and(|version| state.as_deref().map(E::version) != Some(version)) {
            return Err(if state.is_some() { ErrorCode::PreconditionFailed } else { ErrorCode::NotFound }.into());
        }
        E::decide(
            state.as_deref(),
            &Asked { id, principal: write.principal, now: Timestamp::now(), quota: self.node.limits.quota },
            command,
        )
    }

    pub(super) fn landed(&mut self, id: Uuid, landing: Landing) {
        let Some(busy) = self.busy.get_mut(&id) else { return };
        let Phase::Committing(flight) = std::mem::replace(&mut busy.phase, Phase::Idle) else { return };
        busy.aside = None;
        let shown = flight.shown.clone();
        let is_unknown = matches!(landing, Landing::Failed(CommitError::Unknown(_)));
        match landing {
            Landing::Committed(committed) => self.committed(id, *flight, committed),
            Landing::Failed(error) => self.failed(id, *flight, error),
            Landing::Fresh => {
                if let Decided::Answer(answer) = flight.decided {
                    let is_ours = self.node.ownership.serves(Slot::of(id));
                    flight.waiter.send(if is_ours { answer } else { Err(ErrorCode::NotOwner.into()) });
                }
            }
        }
        // What is still published then is what is stored, or somebody else says that it is not.
        if let Some(shown) = shown.filter(|_| !is_unknown) {
            shown.doubt().end();
        }
        self.drain(id);
    }

    fn committed(&mut self, id: Uuid, flight: Flight<E::State>, committed: Committed) {
        let Decided::Commit { next, reply, found, .. } = flight.decided else { return };
        let Some(busy) = self.busy.get_mut(&id) else { return };
        // A write that commutes may have landed behind another one: then what was decided is not the newest state.
        let gone = std::mem::take(&mut busy.gone);
        let is_newest = |state: &E::State| !gone && E::version(state) == committed.version && committed.version >= busy.floor;
        let newest = next.filter(|state| flight.is_decided_in_tenure && is_newest(state));
        let tenure = Tenure::number(Some(flight.pass.tenure));
        busy.known = match newest {
            Some(state) if sabotage::active(Defect::PublishAfterReply) => {
                publish_late::<E>(self.node.clone(), self.incarnation.number, tenure, (id, state));
                Known::Unknown
            }
            Some(state) => Known::Present(publish::<E>(&self.node, self.incarnation.number, tenure, (id, state))),
            None => {
                self.node.snapshots.withdraw(&Key::new(E::KIND, id));
                Known::Unknown
            }
        };
        live::moved(&self.node, [Key::new(E::KIND, id)]);
        acknowledge(self.node.clone(), (committed.effects, found), flight.waiter, reply);
    }

    fn failed(&mut self, id: Uuid, flight: Flight<E::State>, error: CommitError) {
        let key = Key::new(E::KIND, id);
        match error {
            CommitError::Conflict => {
                self.node.metrics.conflicts(E::KIND);
                self.again(id, flight, ErrorCode::Conflict);
            }
            CommitError::Fenced(epoch) => match self.node.ownership.fenced(key.slot(), epoch) {
                // Raised by this node itself (an owner of the same slot restarted): the new epoch is as good.
                Fence::Ours => self.again(id, Flight { tried: Tried { epoch, ..flight.tried }, ..flight }, ErrorCode::Unavailable),
                Fence::Unsettled => self.settle_owner(id, epoch, flight),
                Fence::Lost => {
                    tracing::warn!(%key, slot = key.slot().number(), epoch = epoch.0, ours = flight.guard.epoch.0, "the slot belongs to somebody else");
                    self.node.ownership.lose(key.slot());
                    self.forget(id);
                    flight.waiter.send(Err(ErrorCode::NotOwner.into()));
                }
            },
            CommitError::Replay(record) => replay(self.node.clone(), E::KIND, *record, *flight.write, flight.waiter),
            CommitError::Unchanged => {
                let Decided::Commit { unchanged, touching, .. } = flight.decided else { return };
                match unchanged {
                    Some(reply) if touching => acknowledge_unchanged(self.node.clone(), key, flight.waiter, reply),
                    unchanged => flight.waiter.send(unchanged.ok_or_else(|| ErrorCode::Conflict.into())),
                }
            }
            CommitError::Taken("username") => flight.waiter.send(Err(ErrorCode::UsernameTaken.into())),
            CommitError::Taken("email") => flight.waiter.send(Err(ErrorCode::EmailTaken.into())),
            CommitError::Taken(_) => flight.waiter.send(Err(ErrorCode::Conflict.into())),
            CommitError::Full(what) => {
                flight.waiter.send(Err(Refusal::new(ErrorCode::LimitReached, format!("there are as many {what} as one may have"))));
            }
            CommitError::Missing(_) => flight.waiter.send(Err(ErrorCode::NotFound.into())),
            CommitError::Unavailable(error) => {
                tracing::warn!(%key, %error, "commit failed; nothing was written");
                flight.waiter.send(Err(refusal_of(&error)));
            }
            CommitError::Unknown(error) => {
                tracing::warn!(%key, %error, "commit of unknown outcome; fencing it");
                self.recover(id, flight);
            }
        }
    }

    /// Decides a write again, on the newest state.
    fn again(&mut self, id: Uuid, flight: Flight<E::State>, otherwise: ErrorCode) {
        self.forget(id);
        let Some(busy) = self.busy.get_mut(&id) else { return };
        let Flight { write, waiter, tried, .. } = flight;
        if tried.again < CONFLICT_RETRIES_MAX {
            busy.queue.push_front(Queued::Write { write, waiter, tried: Tried { again: tried.again + 1, ..tried } });
        } else {
            waiter.send(Err(otherwise.into()));
        }
    }

    /// Has the key loaded again before anything else is done with it.
    pub(super) fn forget(&mut self, id: Uuid) {
        self.node.snapshots.withdraw(&Key::new(E::KIND, id));
        if let Some(busy) = self.busy.get_mut(&id) {
            busy.known = Known::Unknown;
        }
    }

    // ---- refused by the guard ----

    /// Waits until the cluster's core has said whose the slot is. Nothing was written.
    fn settle_owner(&mut self, id: Uuid, epoch: Epoch, flight: Flight<E::State>) {
        self.forget(id);
        if let Some(busy) = self.busy.get_mut(&id) {
            busy.phase = Phase::Settling(Box::new(flight));
        }
        let (ownership, myself) = (Arc::clone(&self.node.ownership), self.myself.clone());
        let settle = async move {
            let is_ours = ownership.settled(Slot::of(id), epoch).await;
            let _ = myself.cast(Message::Settled(id, is_ours));
        };
        tokio::spawn(settle.for_the_same());
    }

    pub(super) fn settled(&mut self, id: Uuid, is_ours: bool) {
        let Some(busy) = self.busy.get_mut(&id) else { return };
        if let Phase::Settling(flight) = std::mem::replace(&mut busy.phase, Phase::Idle) {
            match is_ours {
                true => self.again(id, *flight, ErrorCode::Unavailable),
                false => flight.waiter.send(Err(ErrorCode::NotOwner.into())),
            }
        }
        self.drain(id);
    }

    // ---- unknown outcomes ----

    /// Withdraws what may be stale, and raises the slot's epoch, which waits out or fences the doubtful transaction.
    fn recover(&mut self, id: Uuid, flight: Flight<E::State>) {
        self.forget(id);
        if let Some(busy) = self.busy.get_mut(&id) {
            busy.phase = Phase::Recovering(Box::new(flight));
        }
        self.raise(vec![Slot::of(id)], Message::Fenced(id));
    }

    pub(super) fn fenced(&mut self, id: Uuid) {
        let Some(busy) = self.busy.get_mut(&id) else { return };
        if let Phase::Recovering(flight) = std::mem::replace(&mut busy.phase, Phase::Idle) {
            let Flight { write, waiter, .. } = *flight;
            busy.queue.push_front(Queued::Settle { id, write, waiter });
        }
        // It may have happened.
        live::moved(&self.node, [Key::new(E::KIND, id)]);
        self.drain(id);
    }

    /// Answers a write whose outcome stands by now from its idempotency record, if it has one. Without one nobody can tell which of the versions
    /// since is its own; but if it happened, others hear of it first, so that whoever looks then is not misled.
    pub(super) fn settle(&self, id: Uuid, write: WriteOp, waiter: Waiter<Reply>) {
        let node = self.node.clone();
        tokio::spawn(async move {
            let Some((idempotency, subject)) = write.idempotency.clone().zip(write.principal.user()) else {
                let _ = outbox::complete(&node, E::KIND, |slot| slot == Slot::of(id), waiter.deadline).await;
                return waiter.send(Err(ErrorCode::OutcomeUnknown.into()));
            };
            match node.stores.domain(E::KIND).record(subject, &idempotency.route, &idempotency.key).await {
                Ok(Some(record)) => replay(node, E::KIND, record, write, waiter),
                Ok(None) => waiter.send(Err(Refusal::new(ErrorCode::Unavailable, "the database failed, and nothing was written"))),
                Err(_) => waiter.send(Err(ErrorCode::OutcomeUnknown.into())),
            }
        });
    }
}

fn new_record<S>(idempotency: Idempotency, subject: protocol::UserId, decided: &Decided<S>) -> NewRecord {
    let (outcome, version, body) = match decided {
        Decided::Commit { reply, .. } | Decided::Answer(Ok(reply)) => (reply.outcome, reply.version, reply.body.clone()),
        Decided::Answer(Err(_)) => (Outcome::Done, 0, bytes::Bytes::new()),
    };
    NewRecord { subject, idempotency, outcome, version, body }
}

/// Looks the idempotency key up, then commits. A finished request is found before the decision on it counts: the first one's effect may well
/// be why the second would be refused.
async fn land(
    node: &Node,
    kind: protocol::Kind,
    record: Option<(Idempotency, protocol::UserId)>,
    commit: Option<Commit<Write>>,
    shown: Option<Arc<Snapshot>>,
) -> Landing {
    if let Some((idempotency, subject)) = record {
        match node.stores.domain(kind).record(subject, &idempotency.route, &idempotency.key).await {
            Ok(Some(record)) => return Landing::Failed(CommitError::Replay(Box::new(record))),
            Ok(None) => {}
            Err(error) => return Landing::Failed(CommitError::Unavailable(error)),
        }
    }
    let Some(Commit { guard, key, expect, record, touches, write, now }) = commit else { return Landing::Fresh };
    let guard = sabotaged(node, kind, guard).await;
    // Where nobody else reads the store there is nothing that anybody could see first.
    if let (Some(shown), Some(_)) = (shown, node.remote()) {
        shown.doubt().begin(node.ownership.is_young(shown.slot()));
    }
    macro_rules! carry_out {
        ($store:ident, $write:expr) => {
            node.stores.$store.commit(Commit { guard, key, expect, record, touches, write: $write, now }).await
        };
    }
    let result = match write {
        Write::Users(write) => carry_out!(users, write),
        Write::Content(write) => carry_out!(content, write),
        Write::Shop(write) => carry_out!(shop, write),
        Write::Media(write) => carry_out!(media, write),
    };
    result.map_or_else(Landing::Failed, Landing::Committed)
}

/// With the defect [`Defect::EpochIgnored`], a guard that holds whoever owns the slot.
async fn sabotaged(node: &Node, kind: protocol::Kind, guard: Guard) -> Guard {
    if !sabotage::active(Defect::EpochIgnored) {
        return guard;
    }
    let epochs = node.stores.domain(kind).epochs().await.unwrap_or_default();
    let epoch = epochs.into_iter().find(|(slot, _)| *slot == guard.slot).map_or(guard.epoch, |(_, epoch)| epoch);
    Guard { epoch, ..guard }
}

/// Delivers a commit's effects, then answers its writer. If they cannot be delivered in time, the write stands and the outbox goes on; the
/// writer is told that the outcome is unknown, since others may not see it yet.
fn acknowledge(node: Arc<Node>, (effects, found): (Vec<store::Outboxed>, Vec<outbox::Found>), waiter: Waiter<Reply>, reply: Reply) {
    if effects.is_empty() {
        return waiter.send(Ok(reply));
    }
    let deliver = async move {
        let delivered = outbox::deliver(&node, effects, &found, waiter.deadline).await;
        waiter.send(delivered.map(|()| reply));
    };
    tokio::spawn(deliver.instrument(debug_span!("deliver")).for_the_same());
}

/// Answers a write that found nothing to change. What made it so may be another commit whose effects are still on their way: they are delivered
/// first, since this answer promises the same as that one's.
fn acknowledge_unchanged(node: Arc<Node>, key: Key, waiter: Waiter<Reply>, reply: Reply) {
    tokio::spawn(async move {
        let completed = outbox::complete(&node, key.kind, |slot| slot == key.slot(), waiter.deadline).await;
        waiter.send(completed.map(|()| reply));
    });
}

/// Answers a repeated request from its record, once what the first one changed is confirmed everywhere.
fn replay(node: Arc<Node>, kind: protocol::Kind, record: store::Record, write: WriteOp, waiter: Waiter<Reply>) {
    if write.idempotency.is_none_or(|i| i.fingerprint != record.fingerprint) {
        return waiter.send(Err(ErrorCode::IdempotencyMismatch.into()));
    }
    tokio::spawn(async move {
        let pending = match node.stores.domain(kind).outbox(Some(record.write), outbox::BATCH_MAX).await {
            Ok(pending) => pending,
            Err(error) => {
                tracing::warn!(%error, kind = kind.name(), "what a repeated request owes cannot be read");
                return waiter.send(Err(ErrorCode::OutcomeUnknown.into()));
            }
        };
        let delivered = outbox::deliver(&node, pending, &[], waiter.deadline).await;
        waiter.send(delivered.map(|()| Reply { outcome: record.outcome, version: record.version, body: record.body }));
    });
}
