//! Blocks and follows between two people.
//!
//! Both are decided by different owners, and one forbids the other. So each locks the rows of `relation` of both people first, in the order of their
//! ids: whoever comes second sees what the first one wrote.

use crate::CommitError;
use crate::postgres::column::{At, params, statements};
use crate::postgres::transaction::{Step, require};
use protocol::{Timestamp, UserId};

statements! {
    LOCK_BOTH = "SELECT 1 FROM relation WHERE person_id = ANY($1) ORDER BY person_id FOR NO KEY UPDATE";
    INSERT_FOLLOW = require!("INSERT INTO follow (follower, followee, created_at) VALUES ($1, $2, $3)
                      ON CONFLICT (follower, followee) DO NOTHING RETURNING 1");
    DELETE_FOLLOW = require!("DELETE FROM follow WHERE follower = $1 AND followee = $2 RETURNING 1");
    COUNT_FOLLOWS = require!("UPDATE relation SET followers = followers + $2, following = following + $3 WHERE person_id = $1 RETURNING 1");
    INSERT_BLOCK = require!("INSERT INTO block (blocker, blocked, created_at) VALUES ($1, $2, $3)
                     ON CONFLICT (blocker, blocked) DO NOTHING RETURNING 1");
    DELETE_BLOCK = require!("DELETE FROM block WHERE blocker = $1 AND blocked = $2 RETURNING 1");
    COUNT_BLOCKS = require!("UPDATE relation SET blocks = blocks + $2 WHERE person_id = $1 RETURNING 1");
    KNOWN = require!("SELECT 1 FROM relation WHERE person_id = $1");
    NONE_BETWEEN = require!("SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM block WHERE blocker = $1 AND blocked = $2)
                       AND NOT EXISTS (SELECT 1 FROM block WHERE blocker = $2 AND blocked = $1)");
    END_FOLLOWS = "WITH ended AS (
                     DELETE FROM follow WHERE (follower, followee) IN (($1, $2), ($2, $1)) RETURNING follower, followee
                   )
                   UPDATE relation AS r SET followers = followers - (SELECT count(*) FROM ended WHERE followee = r.person_id),
                     following = following - (SELECT count(*) FROM ended WHERE follower = r.person_id)
                   WHERE person_id IN ($1, $2) AND EXISTS (SELECT 1 FROM ended)";
    /// A row for each block, or one without.
    BLOCKED_PAGE = "SELECT r.blocks, b.created_at, b.blocked FROM relation AS r LEFT JOIN LATERAL (
                      SELECT created_at, blocked FROM block WHERE blocker = $1 AND (created_at, blocked) < ($2, $3)
                      ORDER BY created_at DESC, blocked DESC LIMIT $4
                    ) AS b ON true WHERE r.person_id = $1 ORDER BY b.created_at DESC, b.blocked DESC";
}

const NO_USER: CommitError = CommitError::Missing("user");

fn lock<'w>(one: UserId, other: UserId) -> Step<'w> {
    Step::new(LOCK_BOTH, params![vec![one.0, other.0]])
}

/// Begins a follow, or ends it.
pub(super) fn follow<'w>(follower: UserId, followee: UserId, add_at: Option<Timestamp>) -> Vec<Step<'w>> {
    let mut steps = vec![lock(follower, followee)];
    let by_one: i64 = if let Some(at) = add_at {
        // Whoever decided may not have heard of a block that was committed at the same time.
        steps.push(Step::or(NONE_BETWEEN, params![follower.0, followee.0], NO_USER));
        steps.push(Step::or(INSERT_FOLLOW, params![follower.0, followee.0, At(at)], CommitError::Unchanged));
        1
    } else {
        steps.push(Step::or(DELETE_FOLLOW, params![follower.0, followee.0], CommitError::Unchanged));
        -1
    };
    steps.push(Step::or(COUNT_FOLLOWS, params![followee.0, by_one, 0_i64], NO_USER));
    steps.push(Step::or(COUNT_FOLLOWS, params![follower.0, 0_i64, by_one], NO_USER));
    steps
}

/// Begins a block, which ends the follows between the two, or ends it.
pub(super) fn block<'w>(blocker: UserId, blocked: UserId, add_at: Option<Timestamp>) -> Vec<Step<'w>> {
    let count = |by: i64| Step::or(COUNT_BLOCKS, params![blocker.0, by], NO_USER);
    match add_at {
        Some(at) => vec![
            lock(blocker, blocked),
            Step::or(KNOWN, params![blocked.0], NO_USER),
            Step::or(INSERT_BLOCK, params![blocker.0, blocked.0, At(at)], CommitError::Unchanged),
            count(1),
            Step::new(END_FOLLOWS, params![blocker.0, blocked.0]),
        ],
        None => vec![lock(blocker, blocked), Step::or(DELETE_BLOCK, params![blocker.0, blocked.0], CommitError::Unchanged), count(-1)],
    }
}
