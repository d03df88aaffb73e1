//! Writes of the content database.

use crate::sqlite::column::{execute, int, json, optional, statements};
use crate::sqlite::fault::{Fault, insert_refused, is_orphan};
use crate::sqlite::transaction::Rows;
use crate::{CommitError, ContentWrite};
use protocol::post::{Comment, Post};
use protocol::{Key, Kind, PostId, Timestamp};
use rusqlite::{Connection, params};

statements! {
    INSERT_POST = "INSERT INTO post (id, user_id, parent_id, content, post_type, media_ids, visibility, likes_count, comments_count, shares_count,
                     is_published, created_at, updated_at, version, deleted)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10, ?11, ?12, ?13, ?14)";
    UPDATE_POST = "UPDATE post SET content = ?2, post_type = ?3, media_ids = ?4, visibility = ?5, likes_count = ?6, comments_count = ?7,
                     shares_count = ?8, is_published = ?9, updated_at = ?10, version = ?11, deleted = ?12
                   WHERE id = ?1 AND version = ?11 - 1";
    COMMENT_ON = "SELECT 1 FROM comment WHERE id = ?1 AND post_id = ?2";
    INSERT_COMMENT = "INSERT INTO comment (id, post_id, user_id, content, parent_id, score, created_at, updated_at)
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    DELETE_COMMENT = "DELETE FROM comment WHERE id = ?1 AND post_id = ?2";
    COUNT_COMMENTS = "UPDATE post SET comments_count = comments_count + ?2, version = version + ?2 WHERE id = ?1";
}

impl Rows for ContentWrite {
    fn row(&self) -> Option<(Key, u64)> {
        match self {
            // The commit's own key is the timeline, which has no row.
            Self::CreatePost(_) => None,
            Self::SavePost(post) | Self::AddComment(post, _) | Self::RemoveComment(post, _) => {
                Some((Key::new(Kind::Post, post.id), post.version))
            }
        }
    }

    fn apply(&self, db: &Connection, _now: Timestamp) -> Result<(), Fault> {
        match self {
            Self::CreatePost(post) => insert_post(db, post),
            Self::SavePost(post) => save(db, post),
            Self::AddComment(post, comment) => {
                save(db, post)?;
                add_comment(db, post.id, comment)
            }
            Self::RemoveComment(post, comment) => {
                save(db, post)?;
                let removed = execute(db, DELETE_COMMENT, (comment.0.as_bytes(), post.id.0.as_bytes()))?;
                if removed == 0 { Err(CommitError::Unchanged.into()) } else { Ok(()) }
            }
        }
    }
}

/// A new post; nobody has commented on it yet.
pub(in crate::sqlite) fn insert_post(db: &Connection, post: &Post) -> Result<(), Fault> {
    let row = params![
        post.id.0.as_bytes(),
        post.user_id.0.as_bytes(),
        post.parent_id.as_ref().map(|id| id.0.as_bytes()),
        post.content,
        post.post_type.name(),
        json(&post.media_ids),
        post.visibility.name(),
        post.likes_count,
        post.shares_count,
        post.is_published,
        post.created_at.0,
        post.updated_at.0,
        int(post.version),
        post.deleted
    ];
    execute(db, INSERT_POST, row).map(drop).map_err(|error| insert_refused(error, &[]))
}

/// Replaces a post's row, if it has the version before.
fn save(db: &Connection, post: &Post) -> Result<(), Fault> {
    let row = params![
        post.id.0.as_bytes(),
        post.content,
        post.post_type.name(),
        json(&post.media_ids),
        post.visibility.name(),
        post.likes_count,
        post.comments_count,
        post.shares_count,
        post.is_published,
        post.updated_at.0,
        int(post.version),
        post.deleted
    ];
    if execute(db, UPDATE_POST, row)? == 0 { Err(CommitError::Conflict.into()) } else { Ok(()) }
}

fn add_comment(db: &Connection, post: PostId, comment: &Comment) -> Result<(), Fault> {
    if let Some(parent) = comment.parent_id
        && optional(db, COMMENT_ON, (parent.0.as_bytes(), post.0.as_bytes()), |_| Ok(()))?.is_none()
    {
        return Err(CommitError::Missing("comment").into());
    }
    insert_comment(db, post, comment)
}

/// A new comment on `post`; what it answers is not looked up.
pub(in crate::sqlite) fn insert_comment(db: &Connection, post: PostId, comment: &Comment) -> Result<(), Fault> {
    let row = params![
        comment.id.0.as_bytes(),
        post.0.as_bytes(),
        comment.user_id.0.as_bytes(),
        comment.content,
        comment.parent_id.as_ref().map(|id| id.0.as_bytes()),
        comment.score,
        comment.created_at.0,
        comment.updated_at.0
    ];
    let refused = |error| if is_orphan(&error) { CommitError::Missing("post").into() } else { insert_refused(error, &[]) };
    execute(db, INSERT_COMMENT, row).map(drop).map_err(refused)
}

/// Counts comments that were loaded, as so many writes to the post.
pub(in crate::sqlite) fn count_comments(db: &Connection, post: PostId, count: u32) -> Result<(), Fault> {
    if execute(db, COUNT_COMMENTS, (post.0.as_bytes(), count))? == 0 { Err(CommitError::Missing("post").into()) } else { Ok(()) }
}
