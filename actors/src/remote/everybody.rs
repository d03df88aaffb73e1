//! What every node must hear, whoever owns what: each has a copy of who is not active, and of whose posts are pulled.
//!
//! A node learns both from the store after its row is in the table of members, and is told of changes from then on. Whoever tells of a change does so after its
//! commit, and reads after that who is a member: so a node is told, or learns what is committed. One that does not answer is waited for until it
//! is none any more, or may answer nobody from memory.

use super::Remote;
use crate::{client::Call, node::Node, owner::refusal_of};
use cluster::{Boot, timing::CLAIM_WAIT_MS};
use futures_util::future::join_all;
use protocol::{
    ErrorCode, Key, Kind, Refusal, UserId,
    envelope::{Answer, Body, Notice},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

/// Between two attempts to reach those who did not confirm.
const PAUSE: Duration = Duration::from_millis(100);
/// How long one attempt may take.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Does what a notice asks of this node.
pub(crate) async fn heed(node: &Node, person: UserId, notice: Notice) -> Result<(), Refusal> {
    match notice {
        Notice::Standing => node.inactive.learn(&node.stores, person).await.map_err(|error| refusal_of(&error)),
        Notice::Pulled => {
            node.pull(person);
            Ok(())
        }
    }
}

/// Has every node heed a notice, this one last. When this returns, no node answers as if it had not.
///
/// # Errors
/// `outcome_unknown` when not everybody confirmed by `deadline`; a repetition is safe.
pub(crate) async fn tell_everybody(node: &Arc<Node>, person: UserId, notice: Notice, deadline: Instant) -> Result<(), Refusal> {
    if let Some(remote) = node.remote() {
        tell_others(remote, person, notice, deadline).await?;
    }
    let heeded = tokio::time::timeout_at(deadline.into(), heed(node, person, notice)).await;
    heeded.unwrap_or_else(|_| Err(ErrorCode::OutcomeUnknown.into()))
}

async fn tell_others(remote: &Remote, person: UserId, notice: Notice, deadline: Instant) -> Result<(), Refusal> {
    let mut confirmed = HashSet::from([remote.seat().boot()]);
    // Whoever was voted out may have renewed its lease just before.
    let mut ending = HashMap::<Boot, Instant>::new();
    loop {
        if let Some(members) = remote.membership.living().await {
            let is_due = |(boot, is_ending): &(Boot, bool)| {
                let since = if *is_ending { ending.entry(*boot).or_insert_with(Instant::now).elapsed() } else { Duration::ZERO };
                !confirmed.contains(boot) && since < Duration::from_millis(CLAIM_WAIT_MS)
            };
            let due: Vec<_> = members.into_iter().filter(is_due).map(|(boot, _)| boot).collect();
            if due.is_empty() {
                return Ok(());
            }
            let within = deadline.min(Instant::now() + ANSWER_MAX);
            let tell = |boot: Boot| async move {
                let told = remote.call(boot, Key::new(Kind::User, person), Body::Notice(notice), &Call::of_the_platform(within)).await;
                matches!(told, Ok(Answer::Confirmed)).then_some(boot)
            };
            confirmed.extend(join_all(due.iter().copied().map(tell)).await.into_iter().flatten());
            if due.iter().all(|boot| confirmed.contains(boot)) {
                return Ok(());
            }
        }
        if Instant::now() + PAUSE >= deadline {
            return Err(ErrorCode::OutcomeUnknown.into());
        }
        tokio::time::sleep(PAUSE).await;
    }
}
