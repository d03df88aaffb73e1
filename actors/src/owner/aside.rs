//! Readers of what a commit may have replaced ([`crate::doubt`]) wait for what becomes of it. If that takes long, they are shown what the store has.

use super::{Entity, Message, Owner, Phase, Queued, panicked, publish::publication};
use crate::doubt::SETTLES_AFTER;
use protocol::{ErrorCode, Key};
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use store::StoreError;
use uuid::Uuid;

/// Nearly every commit is over sooner.
const AFTER: Duration = Duration::from_millis(50);

/// A look at the store for those who waited when it was decided on: the first so many of the queue. Dropped when the commit is over.
pub(super) struct Aside {
    /// Tells it from others. Where it is gone, nobody looks any more.
    wanted: Arc<()>,
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
        let wanted = Arc::new(());
        let (is_wanted, which) = (Arc::downgrade(&wanted), Arc::downgrade(&wanted));
        busy.aside = Some(Aside { wanted, for_first: busy.queue.len() });
        let node = self.node.clone();
        let load = async move {
            tokio::time::sleep(AFTER).await;
            if is_wanted.strong_count() == 0 {
                return Ok(None);
            }
            node.metrics.loads(E::KIND);
            let found = E::load(&node, id).await;
            // It may be what this commit made, while others are still shown what was there before.
            tokio::time::sleep(SETTLES_AFTER).await;
            found
        };
        self.run(load, move |found| Message::Aside(id, which, found.unwrap_or_else(|| Err(panicked("load")))));
    }

    /// Shows it to those for whom it was looked. Who came since may have been shown something newer elsewhere.
    pub(super) fn looked_aside(&mut self, id: Uuid, which: &Weak<()>, found: Result<Option<E::State>, StoreError>) {
        let Some(busy) = self.busy.get_mut(&id) else { return };
        let is_it = |aside: &mut Aside| Weak::ptr_eq(&Arc::downgrade(&aside.wanted), which);
        let Some(Aside { for_first, .. }) = busy.aside.take_if(is_it) else { return };
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
