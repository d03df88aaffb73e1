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

/// A comment. As JSON a deleted one that was answered, and a hidden one, is a tombstone: neither its text nor its author is shown.
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
    /// Hidden by moderators: it looks like a tombstone that says so.
    pub hidden: bool,
}

impl Comment {
    /// Whether its text and author are shown.
    const fn is_shown(&self) -> bool {
        !self.deleted && !self.hidden
    }
}

impl Serialize for Comment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut comment = serializer.serialize_struct("Comment", 10 + usize::from(self.hidden))?;
        comment.serialize_field("id", &self.id)?;
        comment.serialize_field("postId", &self.post_id)?;
        comment.serialize_field("userId", &self.is_shown().then_some(self.user_id))?;
        comment.serialize_field("content", if self.is_shown() { self.content.as_str() } else { "" })?;
        comment.serialize_field("parentId", &self.parent_id)?;
        comment.serialize_field("replyCount", &self.reply_count)?;
        comment.serialize_field("score", &self.score)?;
        comment.serialize_field("isDeleted", &self.deleted)?;
        if self.hidden {
            comment.serialize_field("hidden", &true)?;
        } else {
            comment.skip_field("hidden")?;
        }
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
            hidden: false,
        };
        let shown = serde_json::to_value(&comment).expect("it is written");
        assert_eq!((&shown["content"], &shown["userId"]), (&"indeed".into(), &comment.user_id.to_string().into()));
        let tombstone = serde_json::to_value(Comment { deleted: true, ..comment.clone() }).expect("it is written");
        assert_eq!(
            (&tombstone["content"], &tombstone["userId"], &tombstone["isDeleted"]),
            (&"".into(), &serde_json::Value::Null, &true.into())
        );
        assert_eq!(tombstone["replyCount"], 2);
        let hidden = serde_json::to_value(Comment { hidden: true, ..comment }).expect("it is written");
        assert_eq!((&hidden["content"], &hidden["userId"], &hidden["hidden"]), (&"".into(), &serde_json::Value::Null, &true.into()));
        assert_eq!(hidden["isDeleted"], false);
    }
}
