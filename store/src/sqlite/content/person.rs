//! What one person made, wherever it is: for its export, and to erase it.

use super::comment;
use crate::sqlite::column::{BOTTOM, Columns, execute, list, statements};
use protocol::comment::Comment;
use protocol::{CommentId, UserId};
use rusqlite::{Connection, Result};
use uuid::Uuid;

statements! {
    COMMENTS_BY = "SELECT id, post_id, user_id, content, parent_id, reply_count, score, created_at, updated_at, deleted,
                     EXISTS (SELECT 1 FROM verdict WHERE verdict.id = comment.id AND verdict.hidden = 1)
                   FROM comment WHERE user_id = ?1 AND deleted = 0 AND id > ?2 ORDER BY id LIMIT ?3";
    REACTED = "SELECT post_id FROM reaction WHERE user_id = ?1 AND post_id > ?2 ORDER BY post_id LIMIT ?3";
    FORGET_COMMENTS = "UPDATE comment SET content = '', deleted = 1 WHERE user_id = ?1 AND deleted = 0
                       AND EXISTS (SELECT 1 FROM post WHERE post.id = comment.post_id AND post.deleted = 1)";
    FORGET_REACTIONS = "DELETE FROM reaction WHERE user_id = ?1
                        AND EXISTS (SELECT 1 FROM post WHERE post.id = reaction.post_id AND post.deleted = 1)";
    FORGET_BOOKMARKS = "DELETE FROM bookmark WHERE user_id = ?1";
}

pub(super) fn comments_by(db: &Connection, user: UserId, after: Option<CommentId>, limit: u16) -> Result<Vec<Comment>> {
    let after = after.map_or(BOTTOM.id, |id| id.0);
    list(db, COMMENTS_BY, (user.0.as_bytes(), after.as_bytes(), limit), comment)
}

pub(super) fn reacted(db: &Connection, user: UserId, after: Option<Uuid>, limit: u16) -> Result<Vec<Uuid>> {
    let after = after.unwrap_or(BOTTOM.id);
    list(db, REACTED, (user.0.as_bytes(), after.as_bytes(), limit), |row| Columns::of(row).id())
}

/// Removes what no owner would find.
pub(super) fn forget(db: &Connection, user: UserId) -> Result<()> {
    [FORGET_COMMENTS, FORGET_REACTIONS, FORGET_BOOKMARKS].iter().try_for_each(|sql| execute(db, sql, [user.0.as_bytes()]).map(drop))
}
