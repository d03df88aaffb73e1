//! What answers other nodes: they ask for what this one owns.

use crate::{
    client::{Call, Client},
    node::Node,
    outbox,
    owner::WriteOp,
    snapshot::Snapshot,
    trace,
};
use cluster::Boot;
use futures_util::future::join_all;
use links::{Incoming, Serve};
use protocol::{
    ErrorCode, Key, Query, Refusal, UserId, View,
    envelope::{Answer, Body, CHANGED_MAX, Envelope, FRAME_BYTES_MAX, VIEWS_MAX, Viewed, WATCHED_MAX},
};
use std::{future::Future, sync::Arc};
use store::cause::WithCause;

/// What the views in one answer may come to. What is around them is small.
const VIEWS_BYTES_MAX: usize = FRAME_BYTES_MAX / 8 * 7;

/// Answers for this node.
pub struct Door(pub Arc<Node>);

impl Serve for Door {
    async fn call(&self, incoming: Incoming) -> Answer {
        let Incoming { envelope, deadline, from } = incoming;
        let Envelope { view, key, principal, body, trace, .. } = envelope;
        self.heard(view);
        let cause = trace::served(trace, &key, body.name());
        let call = Call { principal, trace, ..Call::of_the_platform(deadline) };
        self.answered(call, key, body, Boot(from)).caused_by(cause).await
    }

    /// Through the mailbox of an owner actor, so that a node whose actors hang is not taken for a living one.
    async fn probe(&self) -> bool {
        self.0.region.lives().await
    }
}

impl Door {
    async fn answered(&self, call: Call, key: Key, body: Body, from: Boot) -> Answer {
        let &Call { principal, deadline, .. } = &call;
        match body {
            Body::View { version_min } => self.view(&call, key, version_min).await,
            Body::Query(query) => self.query(&call, key, query).await,
            Body::Views(keys) if keys.len() <= VIEWS_MAX => self.views(keys, |key| self.view(&call, key, 0)).await,
            Body::Write { command, if_match, idempotency } => {
                let write = WriteOp { command, principal, if_match, idempotency };
                match Client::new(self.0.clone()).write_here(deadline, key, write).await {
                    Ok(reply) => Answer::Reply(reply),
                    Err(refusal) => self.refused(refusal),
                }
            }
            Body::Changed(change) => match &outbox::tell_here(&self.0, key.kind, vec![key.id], &change, deadline).await[..] {
                [] => Answer::Confirmed,
                _ => self.not_owner(),
            },
            Body::ChangedMany(ids, change) if ids.len() <= CHANGED_MAX => {
                Answer::ConfirmedBut(outbox::tell_here(&self.0, key.kind, ids, &change, deadline).await)
            }
            Body::Lapsed(query) => {
                let (node, client) = (&self.0, Client::new(self.0.clone()));
                let found = match query {
                    None => node.snapshots.lapsed(&key, &node.ownership),
                    Some(query) => client.lapsed_part(key, &query),
                };
                self.answer(found.ok_or_else(|| ErrorCode::NotFound.into()))
            }
            Body::Notice(notice) => match super::heed(&self.0, UserId(key.id), notice).await {
                Ok(()) => Answer::Confirmed,
                Err(refusal) => Answer::Refused(refusal),
            },
            Body::Warm(lot) => match self.0.expected.arrive(lot) {
                true => Answer::Confirmed,
                false => Answer::Refused(ErrorCode::Overloaded.into()),
            },
            Body::Leased { version_min, answered } => self.lend(&call, key, version_min, (from, answered.saturating_add(1))).await,
            Body::ViewsLeased(keys) if keys.len() <= VIEWS_MAX => self.views(keys, |key| self.lend(&call, key, 0, (from, 1))).await,
            Body::Recall => {
                if let Some(remote) = self.0.remote() {
                    remote.holdings().recall(&key, || self.0.snapshots.return_loan(&key));
                }
                Answer::Confirmed
            }
            Body::Watch(keys) if keys.len() <= WATCHED_MAX => Answer::Watched(self.0.live.watched.watch(&self.0.ownership, from, &keys)),
            Body::Moved(keys) if keys.len() <= WATCHED_MAX => {
                keys.iter().for_each(|key| self.0.live.interest.stir(key));
                Answer::Confirmed
            }
            Body::Views(_) | Body::ViewsLeased(_) | Body::ChangedMany(..) | Body::Watch(_) | Body::Moved(_) => {
                Answer::Refused(ErrorCode::BadFrame.into())
            }
        }
    }

    /// The others' view may be newer than this node's.
    fn heard(&self, view: u64) {
        if let Some(remote) = self.0.remote() {
            remote.seat().events().heard(view);
        }
    }

    fn not_owner(&self) -> Answer {
        Answer::NotOwner { view: self.0.remote().map_or(0, |remote| remote.outlook().view) }
    }

    /// What is asked for from who is not its owner, or may not answer from memory: that one's business is somebody else's, this one's is the store's.
    fn not_served(&self, key: &Key) -> Answer {
        if self.0.ownership.epoch(key.slot()).is_none() { self.not_owner() } else { Answer::Views(vec![Viewed::Left]) }
    }

    fn refused(&self, refusal: Refusal) -> Answer {
        if refusal.code == ErrorCode::NotOwner { self.not_owner() } else { Answer::Refused(refusal) }
    }

    fn answer(&self, found: Result<Arc<Snapshot>, Refusal>) -> Answer {
        match found {
            Ok(found) if found.view.bytes_about() > VIEWS_BYTES_MAX => Answer::Views(vec![Viewed::Left]),
            Ok(found) => Answer::View(found.view.clone()),
            Err(refusal) => self.refused(refusal),
        }
    }

    async fn view(&self, call: &Call, key: Key, version_min: u64) -> Answer {
        if !self.0.ownership.serves(key.slot()) {
            return self.not_served(&key);
        }
        let client = Client::new(self.0.clone());
        match client.counted(key.kind, client.find(&key).filter(|found| found.view.version >= version_min)) {
            Some(found) => self.answer(Ok(found)),
            None => self.answer(client.view_here(call, key, version_min).await),
        }
    }

    /// As [`Self::view`]; what is hot is lent to whoever asks, who answered from it so many times since it last did, or asks for it now.
    async fn lend(&self, call: &Call, key: Key, version_min: u64, (to, reads): (Boot, u32)) -> Answer {
        let Some(remote) = self.0.remote().filter(|_| self.0.ownership.serves(key.slot())) else { return self.not_served(&key) };
        // The loan is noted before what is lent is looked up: whoever publishes something newer finds it.
        let lease = remote.grants().lend(&self.0, &key, to, reads);
        match (lease, Client::new(self.0.clone()).find(&key)) {
            (Some(lease), Some(found)) if found.view.version >= version_min && found.view.bytes_about() <= VIEWS_BYTES_MAX => {
                self.0.metrics.hit(&found);
                Answer::Leased(found.view.clone(), lease)
            }
            _ => self.view(call, key, version_min).await,
        }
    }

    async fn query(&self, call: &Call, key: Key, query: Query) -> Answer {
        if !self.0.ownership.serves(key.slot()) {
            return self.not_served(&key);
        }
        let client = Client::new(self.0.clone());
        match client.counted(key.kind, client.find_part(key, &query)) {
            Some(found) => self.answer(Ok(found)),
            None => self.answer(client.query_here(call, key, query).await),
        }
    }

    async fn views<F: Future<Output = Answer>>(&self, keys: Vec<Key>, view: impl Fn(Key) -> F) -> Answer {
        let asked = keys.into_iter().map(view);
        let mut room = VIEWS_BYTES_MAX;
        let mut fit = |view: View, lease: Option<u16>| match (room.checked_sub(view.bytes_about()), lease) {
            (Some(left), lease) => {
                room = left;
                lease.map_or_else(|| Viewed::View(view.clone()), |lease| Viewed::Leased(view.clone(), lease))
            }
            (None, _) => Viewed::Left,
        };
        let viewed = join_all(asked).await.into_iter().map(|answer| match answer {
            Answer::View(view) => fit(view, None),
            Answer::Leased(view, lease) => fit(view, Some(lease)),
            Answer::Refused(refusal) => Viewed::Refused(refusal),
            Answer::NotOwner { .. } => Viewed::NotOwner,
            _ => Viewed::Left,
        });
        Answer::Views(viewed.collect())
    }
}
