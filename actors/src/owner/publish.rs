//! What an owner publishes of a state.

use super::Entity;
use crate::{
    node::Node,
    snapshot::{Held, Publication, Snapshot},
};
use protocol::Key;
use std::{sync::Arc, time::Duration};
use uuid::Uuid;

pub(super) fn publish<E: Entity>(node: &Node, incarnation: u64, tenure: u64, (id, state): (Uuid, E::State)) -> Arc<Snapshot> {
    node.snapshots.publish(Key::new(E::KIND, id), publication::<E>(incarnation, tenure, state))
}

pub(super) fn publication<E: Entity>(incarnation: u64, tenure: u64, state: E::State) -> Publication {
    let view = E::view(&state);
    let (state_bytes, state) = match E::pack(&state) {
        Some(rest) => (rest.len(), Held::Packed(rest)),
        None => (E::bytes(&state), Held::Whole(Arc::new(state))),
    };
    Publication { view, state, state_bytes, incarnation, tenure }
}

/// The defect [`Defect::PublishAfterReply`]: the old snapshot stays until after the reply.
pub(super) fn publish_late<E: Entity>(node: Arc<Node>, incarnation: u64, tenure: u64, (id, state): (Uuid, E::State)) {
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(2)).await;
        publish::<E>(&node, incarnation, tenure, (id, state));
    });
}
