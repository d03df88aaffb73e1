//! Comments on posts, in threads.

use crate::{
    error::Refusal,
    id::{CommentId, PostId, UserId},
    time::Timestamp,
    validate,
};
use serde::{Deserialize, Serialize, ser::SerializeStruct};

/// Longest comment, in characters.
pub const COMMENT_CHARS_MAX: usize = 2_000;

/// A comment. As JSON a deleted one that was answered is a tombstone: neither its text nor its author is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct Comment {
    pub id: CommentId,
    pub post_id: PostId,
    pub user_id: UserId,
    pub content: String,
    /// The comment that this one answers; of the same post.
    pub parent_id: Option<CommentId>,
    /// How many comments answer this one, tombstones included.
    pub reply_count: u32,
    pub score: i32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// It was answered before it was deleted: the row keeps its place, without content, for as long as there are answers.
    pub deleted: bool,
}

impl Serialize for Comment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut comment = serializer.serialize_struct("Comment", 10)?;
        comment.serialize_field("id", &self.id)?;
        comment.serialize_field("postId", &self.post_id)?;
        comment.serialize_field("userId", &(!self.deleted).then_some(self.user_id))?;
        comment.serialize_field("content", if self.deleted { "" } else { &self.content })?;
        comment.serialize_field("parentId", &self.parent_id)?;
        comment.serialize_field("replyCount", &self.reply_count)?;
        comment.serialize_field("score", &self.score)?;
        comment.serialize_field("isDeleted", &self.deleted)?;
        comment.serialize_field("createdAt", &self.created_at)?;
        comment.serialize_field("updatedAt", &self.updated_at)?;
        comment.end()
    }
}

/// The body of `POST /posts/:id/comments`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct NewComment {
    /// Where old clients send it, it must be the caller.
    #[serde(default)]
    pub user_id: Option<UserId>,
    /// 1 to [`COMMENT_CHARS_MAX`] characters.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = COMMENT_CHARS_MAX)))]
    pub content: String,
    /// The comment that this one answers; of the same post.
    #[serde(default)]
    pub parent_id: Option<CommentId>,
}

impl NewComment {
    /// Checks every field.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn validate(&self) -> Result<(), Refusal> {
        validate::text("content", &self.content, 1..=COMMENT_CHARS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tombstone_says_neither_what_nor_who() {
        let comment = Comment {
            id: CommentId::new(),
            post_id: PostId::new(),
            user_id: UserId::new(),
            content: "indeed".into(),
            parent_id: None,
            reply_count: 2,
            score: 0,
            created_at: Timestamp(1),
            updated_at: Timestamp(2),
            deleted: false,
        };
        let shown = serde_json::to_value(&comment).expect("it is written");
        assert_eq!((&shown["content"], &shown["userId"]), (&"indeed".into(), &comment.user_id.to_string().into()));
        let tombstone = serde_json::to_value(Comment { deleted: true, ..comment }).expect("it is written");
        assert_eq!(
            (&tombstone["content"], &tombstone["userId"], &tombstone["isDeleted"]),
            (&"".into(), &serde_json::Value::Null, &true.into())
        );
        assert_eq!(tombstone["replyCount"], 2);
    }
}
