//! Loads: what is cold is read from the store, once however many wait for it.

use super::{Entity, Known, Message, Owner, Phase, Queued, panicked, refusal_of};
use crate::owner::{
    change::absorb_all,
    publish::{publication, publish},
};
use crate::ownership::Tenure;
use protocol::{ErrorCode, Key, Slot};
use store::StoreError;
use tracing::{Instrument, debug_span};
use uuid::Uuid;

/// How often a load is repeated because it came back older than a version already heard of.
const RELOADS_MAX: u8 = 3;

impl<E: Entity> Owner<E> {
    pub(super) fn start_load(&mut self, id: Uuid) {
        let Some(busy) = self.busy.get_mut(&id) else { return };
        busy.phase = Phase::Loading;
        busy.tenure = Tenure::number(self.node.ownership.tenure(Slot::of(id)));
        busy.early = (busy.queue.len(), busy.floor);
        self.node.metrics.loads(E::KIND);
        let node = self.node.clone();
        let load = async move { E::load(&node, id).await }.instrument(debug_span!("load", kind = E::KIND.name()));
        self.run(load, move |result| Message::Loaded(id, result.unwrap_or_else(|| Err(panicked("load")))));
    }

    pub(super) fn loaded(&mut self, id: Uuid, result: Result<Option<E::State>, StoreError>) {
        let Some(busy) = self.busy.get_mut(&id) else { return };
        let state = match result {
            Ok(state) => state,
            Err(error) => return self.load_failed(id, &error),
        };
        busy.phase = Phase::Idle;
        busy.known = Known::Unknown;
        let absorbed = std::mem::take(&mut busy.absorbed);
        let is_held = self.node.ownership.serves_of(Slot::of(id), busy.tenure);
        let Some(state) = state else {
            match is_held {
                true => busy.known = Known::Absent,
                false => self.serve_early(id, None),
            }
            return self.drain(id);
        };
        let (fresh, state) = absorb_all::<E>(state, &absorbed);
        let version = E::version(&state);
        if is_held && fresh && version >= busy.floor {
            busy.reloads = 0;
            busy.known = Known::Present(publish::<E>(&self.node, self.incarnation.number, busy.tenure, (id, state)));
        } else if version >= busy.early.1 {
            busy.reloads = 0;
            self.serve_early(id, Some(state));
        } else if busy.reloads < RELOADS_MAX {
            busy.reloads += 1;
        } else {
            let reason = "the row stays older than a version already seen".to_owned();
            let database = self.node.stores.domain(E::KIND).database();
            return self.load_failed(id, &StoreError::Unavailable { database, reason });
        }
        self.drain(id);
    }

    /// Serves those who waited for a load from its beginning, when it is not what the next ones may be served: a change overtook it, or the slot is
    /// another node's. For them it is new enough; and if they waited for the next one, a key that changes all the time could not be read at all.
    /// Nothing is published. One of their writes at most is begun; if it was decided on too old a state, its commit finds out.
    fn serve_early(&mut self, id: Uuid, state: Option<E::State>) {
        let snapshot = state.map(|state| publication::<E>(self.incarnation.number, 0, state).into_snapshot(Key::new(E::KIND, id)));
        let Some(busy) = self.busy.get_mut(&id) else { return };
        let early: Vec<_> = busy.queue.drain(..busy.early.0.min(busy.queue.len())).collect();
        let mut later = Vec::new();
        for queued in early {
            let idle = self.busy.get(&id).is_some_and(|busy| matches!(busy.phase, Phase::Idle));
            let cause = queued.cause();
            let _working = cause.enter();
            match (queued, &snapshot) {
                (queued, _) if queued.expired() => queued.refuse(ErrorCode::Expired.into()),
                (Queued::View(_, waiter), Some(snapshot)) => waiter.send(Ok(snapshot.clone())),
                (Queued::Query(query, waiter), Some(snapshot)) => self.start_query(id, snapshot, query, waiter),
                (queued @ (Queued::View(..) | Queued::Query(..)), None) => queued.refuse(ErrorCode::NotFound.into()),
                (Queued::Write { write, waiter, tried }, snapshot) if idle => {
                    self.begin_write(id, snapshot.clone(), write, (waiter, tried))
                }
                (queued, _) => later.push(queued),
            }
        }
        if let Some(busy) = self.busy.get_mut(&id) {
            later.into_iter().rev().for_each(|queued| busy.queue.push_front(queued));
        }
    }

    fn load_failed(&mut self, id: Uuid, error: &StoreError) {
        tracing::warn!(kind = E::KIND.name(), %id, %error, "load failed");
        let refusal = refusal_of(error);
        for queued in self.busy.remove(&id).into_iter().flat_map(|busy| busy.queue) {
            queued.refuse(refusal.clone());
        }
    }
}
