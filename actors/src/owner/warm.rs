//! Many loads at once, of what somebody else kept: see [`crate::second_level`] and [`crate::hand_off`].

use super::{Busy, Entity, Message, Owner, Phase, Waiter, Warmth};
use crate::{ownership::Tenure, second_level};
use protocol::{ErrorCode, Slot};
use std::collections::HashMap;
use uuid::Uuid;

impl<E: Entity> Owner<E> {
    /// Loads those that are neither warm nor worked on, as far as they were kept and are still the same. Until that is known, they are as any keys that load:
    /// who asks for one waits, and changes are heeded.
    pub(super) fn warm_up(&mut self, mut warmth: Warmth, waiter: Waiter<usize>) {
        if !self.ready {
            return waiter.send(Err(ErrorCode::Unavailable.into()));
        }
        let is_cold = |id: &Uuid| !self.busy.contains_key(id) && self.warm(*id).is_none();
        let ids: Vec<Uuid> = match &mut warmth {
            Warmth::SecondLevel(ids) => {
                ids.retain(is_cold);
                ids.clone()
            }
            Warmth::Sent(sent) => {
                sent.retain(|(id, _)| is_cold(id));
                sent.iter().map(|(id, _)| *id).collect()
            }
        };
        for id in &ids {
            let tenure = Tenure::number(self.node.ownership.tenure(Slot::of(*id)));
            self.busy.insert(*id, Busy { phase: Phase::Loading, tenure, ..Busy::default() });
        }
        let node = self.node.clone();
        let found = async move {
            let frozen = match warmth {
                Warmth::SecondLevel(ids) => second_level::frozen(&node, E::KIND, ids).await,
                Warmth::Sent(frozen) => frozen,
            };
            second_level::thaw::<E>(&node, frozen).await
        };
        self.run(found, move |found| Message::Warmed(ids, found.unwrap_or_default(), waiter));
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
