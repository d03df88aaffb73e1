//! What moderation's cases say of a database's things. Each database that has such things has the table.

use super::column::{int, params, statements};
use super::transaction::{Step, require};
use crate::CommitError;
use protocol::moderation::Verdict;
use uuid::Uuid;

statements! {
    HEAR = require!("INSERT INTO verdict (id, hidden, case_version) VALUES ($1, $2, $3)
             ON CONFLICT (id) DO UPDATE SET hidden = excluded.hidden, case_version = excluded.case_version
             WHERE verdict.case_version < excluded.case_version RETURNING 1");
}

/// Takes a verdict down; refuses if one of this version of the case or a newer one was heard already.
pub(super) fn hear<'w>(id: Uuid, verdict: Verdict) -> Step<'w> {
    Step::or(HEAR, params![id, verdict.hidden, int(verdict.case_version)], CommitError::Unchanged)
}
