//! What one person made, wherever it is: for its export, and to erase it.

use crate::postgres::column::statements;

statements! {
    COMMENTS_BY = "SELECT id, post_id, user_id, content, parent_id, reply_count, score, created_at, updated_at, deleted,
                     EXISTS (SELECT 1 FROM verdict WHERE verdict.id = comment.id AND verdict.hidden)
                   FROM comment WHERE user_id = $1 AND NOT deleted AND id > $2 ORDER BY id LIMIT $3";
    REACTED = "SELECT post_id FROM reaction WHERE user_id = $1 AND post_id > $2 ORDER BY post_id LIMIT $3";
    /// Removes what no owner would find.
    FORGET = "WITH comments AS (
                UPDATE comment SET content = '', deleted = true WHERE user_id = $1 AND NOT deleted
                AND EXISTS (SELECT 1 FROM post WHERE post.id = comment.post_id AND post.deleted)
              ), reactions AS (
                DELETE FROM reaction WHERE user_id = $1 AND EXISTS (SELECT 1 FROM post WHERE post.id = reaction.post_id AND post.deleted)
              )
              DELETE FROM bookmark WHERE user_id = $1";
}
