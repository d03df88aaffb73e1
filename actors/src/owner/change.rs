//! What other owners' commits changed: applied at once, never behind a write.

use super::{Entity, Known, Owner, Phase, Waiter, publish::publish};
use crate::{
    entity::Absorbed,
    sabotage::{self, Defect},
};
use protocol::envelope::Change;
use uuid::Uuid;

impl<E: Entity> Owner<E> {
    pub(super) fn changed(&mut self, ids: &[Uuid], change: &Change, waiter: Waiter<()>) {
        if !sabotage::active(Defect::ChangedIgnored) {
            for id in ids {
                self.change(*id, change);
            }
        }
        waiter.send(Ok(()));
    }

    fn change(&mut self, id: Uuid, change: &Change) {
        let mut held = self.warm(id);
        let mut tenure = held.as_ref().map_or(0, |snapshot| snapshot.tenure());
        if let Some(busy) = self.busy.get_mut(&id) {
            busy.floor = busy.floor.max(change.version().unwrap_or(0));
            busy.gone |= *change == Change::Gone && matches!(busy.phase, Phase::Committing(_));
            if matches!(busy.phase, Phase::Loading) {
                busy.absorbed.push(change.clone());
            }
            // What is worked on may have been evicted meanwhile.
            if let Known::Present(snapshot) = &busy.known {
                held = Some(snapshot.clone());
                tenure = busy.tenure;
            }
        }
        let Some(state) = held.and_then(|snapshot| snapshot.state::<E>()) else { return };
        let known = match E::absorb(&state, change) {
            Absorbed::Same => return,
            Absorbed::Next(state) => Known::Present(publish::<E>(&self.node, self.incarnation.number, tenure, (id, state))),
            Absorbed::Stale => return self.forget(id),
        };
        if let Some(busy) = self.busy.get_mut(&id) {
            (busy.known, busy.tenure) = (known, tenure);
        }
    }
}

/// Applies the changes that came during a load. `false` if one of them makes the loaded state stale.
pub(super) fn absorb_all<E: Entity>(mut state: E::State, changes: &[Change]) -> (bool, E::State) {
    let mut fresh = true;
    for change in changes {
        match E::absorb(&state, change) {
            Absorbed::Same => {}
            Absorbed::Next(next) => state = next,
            Absorbed::Stale => fresh = false,
        }
    }
    (fresh, state)
}
