//! Readers of what a commit may have replaced ([`crate::doubt`]) wait for what becomes of it. If that takes long, they are shown what the store has.

use super::{Busy, Entity, Message, Owner, Phase, Queued, panicked, publish::publication};
use crate::doubt::SETTLES_AFTER;
use protocol::{ErrorCode, Key};
use std::time::Duration;
use store::StoreError;
use uuid::Uuid;

/// Nearly every commit is over sooner.
const AFTER: Duration = Duration::from_millis(50);

/// A look at the store for those who waited when it was decided on: the first so many of the queue.
pub(super) struct Aside {
    number: u64,
    for_first: usize,
}

impl<E: Entity> Owner<E> {
    /// Looks into the store for those who wait for a commit, after a while.
    pub(super) fn look_aside(&mut self, id: Uuid) {
        if self.node.remote().is_none() {
            return;
        }
        let Some(busy) = self.busy.get_mut(&id) else { return };
        let waits = busy.queue.iter().any(|queued| matches!(queued, Queued::View(..)));
        if busy.aside.is_some() || !waits || !matches!(busy.phase, Phase::Committing(_)) {
            return;
        }
        self.serial += 1;
        let number = self.serial;
        busy.aside = Some(Aside { number, for_first: busy.queue.len() });
        self.node.metrics.loads(E::KIND);
        let node = self.node.clone();
        let load = async move {
            tokio::time::sleep(AFTER).await;
            let found = E::load(&node, id).await;
            // It may be what this commit made, while others are still shown what was there before.
            tokio::time::sleep(SETTLES_AFTER).await;
            found
        };
        self.run(load, move |found| Message::Aside(id, number, found.unwrap_or_else(|| Err(panicked("load")))));
    }

    /// Shows it to those for whom it was looked. Who came since may have been shown something newer elsewhere.
    pub(super) fn looked_aside(&mut self, id: Uuid, number: u64, found: Result<Option<E::State>, StoreError>) {
        let Some(busy) = self.busy.get_mut(&id) else { return };
        let Some(Aside { for_first, .. }) = busy.aside.take_if(|aside| aside.number == number) else { return };
        // Without the store they go on waiting.
        let Ok(state) = found else { return };
        let snapshot = state.map(|state| publication::<E>(self.incarnation.number, 0, state).into_snapshot(Key::new(E::KIND, id)));
        let rest = busy.queue.split_off(for_first);
        for queued in std::mem::replace(&mut busy.queue, rest).into_iter().rev() {
            match (queued, &snapshot) {
                (Queued::View(version_min, waiter), Some(snapshot)) if snapshot.view.version >= version_min => {
                    waiter.send(Ok(snapshot.clone()));
                }
                (Queued::View(0, waiter), None) => waiter.send(Err(ErrorCode::NotFound.into())),
                (queued, _) => busy.queue.push_front(queued),
            }
        }
        self.look_aside(id);
    }
}

impl<S> Busy<S> {
    /// The commit is over, and what was looked for aside is nobody's any more.
    pub(super) fn forget_aside(&mut self) {
        self.aside = None;
    }
}
