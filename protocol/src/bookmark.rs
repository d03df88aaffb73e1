//! Bookmarks: posts that a person keeps for themselves.

use crate::{
    id::{BookmarkId, PostId, UserId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// Posts that one person may keep.
pub const BOOKMARKS_MAX: u64 = 10_000;

/// A post that a person keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Bookmark {
    pub id: BookmarkId,
    pub post_id: PostId,
    pub created_at: Timestamp,
}

/// The body of `POST /bookmarks`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewBookmark {
    /// Where old clients send it, it must be the caller.
    #[serde(default)]
    pub user_id: Option<UserId>,
    /// What to keep; the caller must be able to see it.
    pub post_id: PostId,
}

/// Writes to a person's bookmarks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Keeps a post. The person only; whether they may see it is checked before it is sent. Again is no error.
    Add(NewBookmark),
    /// Gives a bookmark up. The person only.
    Remove(BookmarkId),
}
