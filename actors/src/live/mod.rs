//! Who wants to hear when something moves: what live updates are made of.
//!
//! Word that a key moved carries nothing but the key. Whoever hears it reads the key as everybody does, under the same rules, and compares with what it told
//! its client. So word may be repeated, late, or for nothing; what must not be is that it is missing for long, and for that there are versions to compare.
//!
//! * [`Watch`]: one client's wish, held by the edge that the client is connected to. `interest`: all wishes of this node, and where the keys' owners are.
//! * `watched`: the owner's side. It says to other nodes what moved of that which they asked for, until they ask no more.
//! * `register`: asks the owners of what this node's clients watch, wherever these are now, and again before that is forgotten.
//!
//! Why nothing is missed: an owner says of each key whether it has watched it for this node without a gap. Where it has not — the first time, after its death,
//! after a move of the slot, after it could not reach this node — the key counts as moved, and is read. [ADR 0016](../../../docs/adr/0016-live-updates.md).

mod interest;
mod register;
mod watched;

pub use interest::Watch;
pub use register::registrar;

use crate::node::Node;
use interest::Interest;
use protocol::Key;
use std::{sync::Arc, time::Duration};
use watched::Watched;

/// How long an owner says to another node what moved, from when that one last asked for it.
const WATCHED_FOR: Duration = Duration::from_secs(15);
/// How long this node waits before it asks again. It can fail to twice before an owner forgets.
const RENEW_AFTER: Duration = Duration::from_secs(5);
/// Parts of the maps of keys.
const SHARDS: usize = 32;

/// Who wants to hear of what, on a node.
#[derive(Default)]
pub struct Live {
    pub(crate) interest: Interest,
    pub(crate) watched: Watched,
}

impl Live {
    /// Keys that clients of this node watch, and those that other nodes watch here.
    pub(crate) fn figures(&self) -> [(&'static str, usize); 2] {
        [("clients", self.interest.count()), ("nodes", self.watched.count())]
    }
}

/// Says to whoever watches them that these keys moved: something newer is published, or what was is withdrawn. Without anybody who watches anything
/// it costs two loads.
pub(crate) fn moved(node: &Arc<Node>, keys: impl IntoIterator<Item = Key>) {
    let Live { interest, watched } = &node.live;
    let (is_watched_here, is_watched_elsewhere) = (interest.count() > 0, watched.count() > 0);
    if !is_watched_here && !is_watched_elsewhere {
        return;
    }
    for key in keys {
        if is_watched_here {
            interest.stir(&key);
        }
        if is_watched_elsewhere {
            watched.moved(node, &key);
        }
    }
}

/// As [`moved`], of all keys that are watched and are such.
pub(crate) fn moved_all(node: &Arc<Node>, is_such: impl Fn(&Key) -> bool) {
    let Live { interest, watched } = &node.live;
    let keys: Vec<Key> = interest.keys().into_iter().chain(watched.keys()).filter(is_such).collect();
    moved(node, keys);
}
