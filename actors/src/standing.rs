//! Who is not active, known to every node: one look at a set decides for every row that somebody is behind, whatever list it is in.
//!
//! A ban or its end is told to each node by an effect of its commit, before the moderator is answered. The effect does not say which of the two it was:
//! effects may be delivered late and twice, and a ban that came again after its end must not be believed. It names the person, and the store is asked.

use arc_swap::{ArcSwap, Guard};
use protocol::UserId;
use std::{collections::HashSet, sync::Arc};
use store::{StoreError, Stores};
use tokio::sync::Mutex;

/// The people who are not active. Reading it costs neither a lock nor a wait.
#[derive(Default)]
pub(crate) struct Standing {
    inactive: ArcSwap<HashSet<UserId>>,
    /// Held from the look into the store until its answer is in the set: otherwise an older answer could replace a newer one.
    learning: Mutex<()>,
}

impl Standing {
    pub(crate) fn load(&self) -> Guard<Arc<HashSet<UserId>>> {
        self.inactive.load()
    }

    pub(crate) fn load_full(&self) -> Arc<HashSet<UserId>> {
        self.inactive.load_full()
    }

    /// Learns who is not active, from the beginning.
    pub(crate) async fn learn_all(&self, stores: &Stores) -> Result<(), StoreError> {
        let _learning = self.learning.lock().await;
        self.inactive.store(Arc::new(stores.users.inactive().await?.into_iter().collect()));
        Ok(())
    }

    /// Learns whether this person is active.
    pub(crate) async fn learn(&self, stores: &Stores, person: UserId) -> Result<(), StoreError> {
        let _learning = self.learning.lock().await;
        let is_active = stores.users.is_active(person).await?;
        let known = self.inactive.load();
        if known.contains(&person) == is_active {
            let mut next = HashSet::clone(&known);
            if is_active {
                next.remove(&person)
            } else {
                next.insert(person)
            };
            self.inactive.store(Arc::new(next));
        }
        Ok(())
    }
}
