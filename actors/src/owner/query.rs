//! Queries: parts and pages of what is warm, which who asks for the same at one version share.

use super::{Entity, Message, Owner, PartFlight, Waiter, panicked, refusal_of};
use crate::{
    entity::QueryError,
    second_level,
    snapshot::{Held, Publication, Snapshot},
};
use protocol::{ErrorCode, Key, Query, View};
use std::sync::Arc;
use tracing::{Instrument, debug_span};
use uuid::Uuid;

impl<E: Entity> Owner<E> {
    pub(super) fn start_query(&mut self, id: Uuid, snapshot: &Arc<Snapshot>, query: Query, waiter: Waiter<Arc<Snapshot>>) {
        let version = snapshot.view.version;
        if let Some(part) = self.node.snapshots.part(snapshot, &query, &self.node.ownership) {
            return waiter.send(Ok(part));
        }
        let Some(state) = snapshot.state::<E>() else { return waiter.send(Err(ErrorCode::Internal.into())) };
        let tenure = snapshot.tenure();
        // What a kept query answers is right for its version, so others join it; nobody joins one that is not kept.
        self.serial += 1;
        let flight = if E::KEEPS_PARTS { version } else { self.serial };
        let waiting = self.flights.entry((id, flight, query.clone())).or_default();
        waiting.push(waiter);
        if waiting.len() > 1 {
            return;
        }
        self.node.metrics.loads(E::KIND);
        let (node, asked) = (self.node.clone(), query.clone());
        let answer = async move { second_level::query::<E>(&node, id, version, state, asked).await };
        self.run(answer.instrument(debug_span!("load part", kind = E::KIND.name())), move |result| {
            Message::Queried((id, flight, query), tenure, result.unwrap_or_else(|| Err(QueryError::Store(panicked("query")))))
        });
    }

    pub(super) fn queried(&mut self, flight: PartFlight, tenure: u64, result: Result<View, QueryError>) {
        let waiting = self.flights.remove(&flight).unwrap_or_default();
        let (id, _, query) = flight;
        let answer = match result {
            Ok(view) => {
                let publication = Publication { view, state: Held::None, state_bytes: 0, incarnation: self.incarnation.number, tenure };
                Ok(self.node.snapshots.publish_part(Key::new(E::KIND, id), query, publication, E::KEEPS_PARTS))
            }
            Err(QueryError::Refused(refusal)) => Err(refusal),
            Err(QueryError::Store(error)) => {
                tracing::warn!(kind = E::KIND.name(), %id, %error, "query failed");
                Err(refusal_of(&error))
            }
        };
        for waiter in waiting {
            waiter.send(answer.clone());
        }
    }
}
