//! Many loads at once, of what the second level has: see [`crate::second_level`].

use super::{Busy, Entity, Message, Owner, Phase, Waiter};
use crate::{ownership::Tenure, second_level};
use protocol::{ErrorCode, Slot};
use std::collections::HashMap;
use uuid::Uuid;

impl<E: Entity> Owner<E> {
    /// Loads those of `ids` that are neither warm nor worked on, as far as the second level has them. Until it is known, they are as any keys that
    /// load: who asks for one waits, and changes are heeded.
    pub(super) fn warm_up(&mut self, mut ids: Vec<Uuid>, waiter: Waiter<usize>) {
        if !self.ready {
            return waiter.send(Err(ErrorCode::Unavailable.into()));
        }
        ids.retain(|id| !self.busy.contains_key(id) && self.warm(*id).is_none());
        for id in &ids {
            let tenure = Tenure::number(self.node.ownership.tenure(Slot::of(*id)));
            self.busy.insert(*id, Busy { phase: Phase::Loading, tenure, ..Busy::default() });
        }
        let (node, asked) = (self.node.clone(), ids.clone());
        self.run(async move { second_level::thaw::<E>(&node, &asked).await }, move |found| {
            Message::Warmed(ids, found.unwrap_or_default(), waiter)
        });
    }

    pub(super) fn warmed(&mut self, ids: &[Uuid], mut found: HashMap<Uuid, E::State>, waiter: Waiter<usize>) {
        waiter.send(Ok(found.len()));
        for id in ids {
            match (found.remove(id), self.busy.get_mut(id)) {
                (Some(state), _) => self.loaded(*id, Ok(Some(state))),
                // Nobody knows it here: who waits for it has it loaded, and if nobody does it is forgotten.
                (None, Some(busy)) => {
                    busy.phase = Phase::Idle;
                    busy.absorbed.clear();
                    self.drain(*id);
                }
                (None, None) => {}
            }
        }
    }
}
