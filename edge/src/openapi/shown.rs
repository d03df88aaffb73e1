//! Answers that are put together at the edge from what owners published, as the description has them.

use protocol::{bookmark::Bookmark, post::Post};
use schemars::JsonSchema;
use serde::Serialize;

/// A post as it is shown.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShownPost {
    #[serde(flatten)]
    post: Post,
    /// What a share shares; `null` where the caller may not see that. Other posts do not have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<Post>,
}

/// A bookmark with its post.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShownBookmark {
    #[serde(flatten)]
    bookmark: Bookmark,
    post: ShownPost,
}
