//! Asks the owners of what this node's clients watch to say when it moves.

use crate::{clock::by_the_clock, node::Node, supervisor::Child};
use cluster::Boot;
use futures_util::future::join_all;
use protocol::{
    Key,
    envelope::{WATCHED_MAX, Watched},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How often it is looked for keys without being told: those whose owner could not be asked are tried again.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Between two looks, whatever is told: slots move many at a time, and clients come many at a time.
const PAUSE: Duration = Duration::from_millis(20);

/// The row of the supervision tree that does it. What a panic interrupts the next turn does: it is told what is due by the keys themselves.
#[must_use]
pub fn registrar(node: &Arc<Node>) -> Child {
    let node = node.clone();
    by_the_clock("live", Duration::ZERO, move |_| {
        let node = node.clone();
        async move {
            let mut moves = node.ownership.moves();
            let due = node.live.interest.due(&node, Instant::now());
            let asked = due.iter().flat_map(|(boot, keys)| keys.chunks(WATCHED_MAX).map(|lot| ask(&node, *boot, lot)));
            join_all(asked).await;
            node.live.watched.forget_old();
            tokio::select! {
                _ = tokio::time::timeout(LOOK_EVERY, moves.changed()) => {}
                () = node.live.interest.grown.notified() => {}
            }
            PAUSE
        }
    })
}

async fn ask(node: &Node, boot: Boot, keys: &[Key]) {
    let Some(remote) = node.remote() else { return };
    let (interest, asked_at) = (&node.live.interest, Instant::now());
    match remote.watch(boot, keys).await {
        Some(answers) => {
            for (key, answer) in keys.iter().zip(answers) {
                match answer {
                    Watched::Still => interest.is_watched(key, boot, (false, asked_at)),
                    Watched::Anew => interest.is_watched(key, boot, (true, asked_at)),
                    Watched::Not => interest.is_not_watched(key),
                }
            }
        }
        None => keys.iter().for_each(|key| interest.is_not_watched(key)),
    }
}
