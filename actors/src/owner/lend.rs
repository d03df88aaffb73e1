//! What is lent to other nodes is called back before anything newer is committed or published: see [`crate::near`].

use super::{Entity, Message, Op, Owner};
use crate::near::{Closed, Grants, is_lent};
use protocol::Key;
use uuid::Uuid;

impl<E: Entity> Owner<E> {
    /// Forbids loans of the keys of which a message may publish something newer, or that it makes stale: see [`crate::near`].
    pub(super) fn close(&self, message: &Message<E>) -> Option<Closed> {
        let ids = match message {
            Message::Op(Op::Changed { ids, .. }) | Message::Warmed(ids, ..) => ids,
            Message::Loaded(id, Ok(Some(_))) => std::slice::from_ref(id),
            _ => return None,
        };
        self.close_all(ids)
    }

    /// The same of a key of which a commit is about to make something newer.
    pub(super) fn close_one(&self, id: Uuid) -> Option<Closed> {
        self.close_all(&[id])
    }

    fn close_all(&self, ids: &[Uuid]) -> Option<Closed> {
        if !is_lent(E::KIND) || self.node.remote().is_none() {
            return None;
        }
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
