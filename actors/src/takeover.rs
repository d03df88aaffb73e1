//! What is done for slots that became this node's: others hear what their last owner committed without telling, and what was warm is warm again.
//!
//! Nothing waits for it. An answer that depends on a delivery has it made first (`outbox::complete`), and what is cold is loaded.

use crate::{clock::by_the_clock, hand_off, node::Node, outbox, second_level, supervisor::Child};
use protocol::{Slot, envelope::Kept};
use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

/// How often it is looked for slots without being told that some moved.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The row of the supervision tree that does it. What a panic interrupts of deliveries is done by the outbox's sweeper.
#[must_use]
pub fn watch(node: &Arc<Node>) -> Child {
    let node = node.clone();
    by_the_clock("takeover", Duration::ZERO, move |_| {
        let node = node.clone();
        async move {
            let mut moves = node.ownership.moves();
            let slots = node.ownership.gained();
            if slots.is_empty() {
                node.expected.forget_old();
                let _ = tokio::time::timeout(LOOK_EVERY, moves.changed()).await;
                return Duration::ZERO;
            }
            let deadline = Instant::now() + node.limits.request_deadline;
            let sent = node.expected.take(&slots);
            // Both are begun at once, and neither has the next slots wait: what is owed may be told to nodes that are leaving, and Redis may be away.
            tokio::spawn(warm(node.clone(), sent, slots.clone(), deadline));
            tokio::spawn(async move {
                if let Err(refusal) = outbox::take_over(&node, &slots, deadline).await {
                    tracing::warn!(%refusal, slots = slots.len(), "what the last owners of slots owe is delivered later");
                }
            });
            Duration::ZERO
        }
    })
}

async fn warm(node: Arc<Node>, sent: Vec<Kept>, slots: HashSet<Slot>, deadline: Instant) {
    let warm: HashSet<_> = sent.iter().map(|kept| kept.key.slot()).collect();
    hand_off::warm(&node, sent, deadline).await;
    second_level::warm(&node, &(&slots - &warm)).await;
}
