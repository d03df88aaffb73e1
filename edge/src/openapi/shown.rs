//! Answers that are put together at the edge from what owners published, as the description has them.

use protocol::{
    PostId, Timestamp, UserId, account::SessionView, bookmark::Bookmark, comment::Comment, order::Order, post::Post, product::Product,
    reaction::ReactionType, user::User,
};
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

/// Everything that is one person's.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Export {
    account: User,
    sessions: Vec<SessionView>,
    following: Vec<UserId>,
    followers: Vec<UserId>,
    blocks: Vec<UserId>,
    posts: Vec<Post>,
    comments: Vec<Comment>,
    reactions: Vec<OwnReaction>,
    bookmarks: Vec<Bookmark>,
    products: Vec<Product>,
    orders_placed: Vec<Order>,
    orders_received: Vec<Order>,
    exported_at: Timestamp,
    /// `false` if there was more than a document may hold.
    complete: bool,
}

/// How a person reacted to a post.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct OwnReaction {
    post_id: PostId,
    r#type: Option<ReactionType>,
}
