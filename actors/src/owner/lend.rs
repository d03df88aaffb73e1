//! What is lent to other nodes is called back before anything newer is published: see [`crate::near`].

use super::{Entity, Landing, Message, Op, Owner};
use crate::near::{Closed, Grants, is_lent};
use protocol::Key;

impl<E: Entity> Owner<E> {
    /// Forbids loans of the keys of which a message may publish something newer, or that it makes stale: see [`crate::near`].
    pub(super) fn close(&self, message: &Message<E>) -> Option<Closed> {
        if !is_lent(E::KIND) || self.node.remote().is_none() {
            return None;
        }
        let ids = match message {
            Message::Op(Op::Changed { ids, .. }) | Message::Warmed(ids, ..) => ids,
            Message::Loaded(id, Ok(Some(_))) | Message::Landed(id, Landing::Committed(_)) => std::slice::from_ref(id),
            _ => return None,
        };
        Grants::close(&self.node, ids.iter().map(|id| Key::new(E::KIND, *id)).collect())
    }

    /// Takes the message once nobody answers from what was lent any more.
    pub(super) fn call_back(&self, closed: Closed, message: Message<E>) {
        let called_back = async move {
            closed.call_back().await;
            closed
        };
        self.run(called_back, |closed| Message::CalledBack(Box::new(message), closed));
    }
}
