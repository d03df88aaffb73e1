//! Writes of the content database.

use super::index;
use crate::sqlite::column::{Columns, execute, int, json, optional, statements};
use crate::sqlite::fault::{Fault, insert_refused, is_orphan};
use crate::sqlite::transaction::{Rows, raise};
use crate::sqlite::verdict;
use crate::{CommitError, ContentWrite};
use protocol::bookmark::Bookmark;
use protocol::comment::Comment;
use protocol::moderation::Verdict;
use protocol::post::Post;
use protocol::reaction::ReactionType;
use protocol::{CommentId, Key, Kind, PostId, Timestamp, UserId};
use rusqlite::{Connection, params};

statements! {
    INSERT_POST = "INSERT INTO post (id, user_id, parent_id, content, post_type, media_ids, visibility, likes_count, comments_count, shares_count,
                     reactions, is_published, created_at, updated_at, version, deleted)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
    UPDATE_POST = "UPDATE post SET content = ?2, post_type = ?3, media_ids = ?4, visibility = ?5, likes_count = ?6, comments_count = ?7,
                     shares_count = ?8, is_published = ?9, updated_at = ?10, version = ?11, deleted = ?12, reactions = ?13
                   WHERE id = ?1 AND version = ?11 - 1";
    INSERT_COMMENT = "INSERT INTO comment (id, post_id, user_id, content, parent_id, reply_count, score, created_at, updated_at, deleted)
                      VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8, 0)";
    COUNT_REPLY = "UPDATE comment SET reply_count = reply_count + 1 WHERE id = ?1 AND post_id = ?2 AND deleted = 0
                     AND NOT EXISTS (SELECT 1 FROM verdict WHERE verdict.id = ?1 AND verdict.hidden = 1)";
    COMMENT = "SELECT parent_id, reply_count FROM comment WHERE id = ?1 AND post_id = ?2 AND deleted = 0";
    EMPTY_COMMENT = "UPDATE comment SET content = '', deleted = 1, updated_at = ?2 WHERE id = ?1";
    DELETE_COMMENT = "DELETE FROM comment WHERE id = ?1";
    UNCOUNT_REPLY = "UPDATE comment SET reply_count = reply_count - 1 WHERE id = ?1 RETURNING parent_id, deleted = 1 AND reply_count = 0";
    COUNT_COMMENTS = "UPDATE post SET comments_count = comments_count + ?2, version = version + ?2 WHERE id = ?1";
    SET_REACTION = "INSERT INTO reaction (post_id, user_id, reaction, at) VALUES (?1, ?2, ?3, ?4)
                    ON CONFLICT (post_id, user_id) DO UPDATE SET reaction = excluded.reaction, at = excluded.at";
    INSERT_BOOKMARK = "INSERT INTO bookmark (id, user_id, post_id, created_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (user_id, post_id) DO NOTHING";
    DELETE_BOOKMARK = "DELETE FROM bookmark WHERE id = ?1 AND user_id = ?2";
    POST_VERSION = "SELECT version FROM post WHERE id = ?1";
    DELETE_REACTION = "DELETE FROM reaction WHERE post_id = ?1 AND user_id = ?2";
}

impl Rows for ContentWrite {
    fn row(&self) -> Option<(Key, u64)> {
        match self {
            // The commit's own key is the timeline, which has no row.
            Self::CreatePost(_) => None,
            // Nor has a person's list of bookmarks.
            Self::AddBookmark(..) | Self::RemoveBookmark(..) | Self::Reindex(_) => None,
            Self::SavePost(post)
            | Self::AddComment(post, _)
            | Self::RemoveComment(post, _)
            | Self::React { post, .. }
            | Self::Moderate(post, _)
            | Self::ModerateComment(post, ..) => Some((Key::new(Kind::Post, post.id), post.version)),
        }
    }

    fn apply(&self, db: &Connection, now: Timestamp) -> Result<(), Fault> {
        match self {
            Self::CreatePost(post) => {
                insert_post(db, post)?;
                index::begin(db, post)
            }
            Self::SavePost(post) => replace(db, post, None),
            // Nobody else writes here: what things are found by is always up to them.
            Self::Reindex(_) => Ok(()),
            Self::AddComment(post, comment) => {
                save(db, post)?;
                add_comment(db, post.id, comment)
            }
            Self::RemoveComment(post, comment) => {
                save(db, post)?;
                remove_comment(db, post.id, *comment, now)
            }
            Self::React { post, user, reaction } => react(db, post, *user, *reaction, now),
            Self::AddBookmark(user, bookmark) => add_bookmark(db, *user, bookmark),
            Self::RemoveBookmark(user, id) => match execute(db, DELETE_BOOKMARK, (id.0.as_bytes(), user.0.as_bytes()))? {
                0 => Err(CommitError::Missing("bookmark").into()),
                _ => Ok(()),
            },
            Self::Moderate(post, verdict) => replace(db, post, Some(*verdict)),
            Self::ModerateComment(post, comment, verdict) => {
                save(db, post)?;
                moderate_comment(db, post.id, *comment, *verdict)
            }
        }
    }

    fn touch(&self, db: &Connection, key: Key) -> rusqlite::Result<u64> {
        match key.kind {
            Kind::Post => db.prepare_cached(POST_VERSION)?.query_row([key.id.as_bytes()], |row| Columns::of(row).count()),
            _ => raise(db, key, 1),
        }
    }
}

fn add_bookmark(db: &Connection, user: UserId, bookmark: &Bookmark) -> Result<(), Fault> {
    let row = (bookmark.id.0.as_bytes(), user.0.as_bytes(), bookmark.post_id.0.as_bytes(), bookmark.created_at.0);
    let refused = |error| if is_orphan(&error) { CommitError::Missing("post").into() } else { insert_refused(error, &[]) };
    if execute(db, INSERT_BOOKMARK, row).map_err(refused)? == 0 { Err(CommitError::Unchanged.into()) } else { Ok(()) }
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
        json(&post.reactions),
        post.is_published,
        post.created_at.0,
        post.updated_at.0,
        int(post.version),
        post.deleted
    ];
    execute(db, INSERT_POST, row).map(drop).map_err(|error| insert_refused(error, &[]))
}

/// Replaces a post's row, by a verdict if it is one that was not heard before, and all that is kept beside the row.
fn replace(db: &Connection, post: &Post, verdict: Option<Verdict>) -> Result<(), Fault> {
    let before = super::read_post(db, post.id)?.ok_or(CommitError::Conflict)?;
    if let Some(verdict) = verdict {
        verdict::hear(db, post.id.0, verdict)?;
    }
    save(db, post)?;
    index::follow(db, &before, post)
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
        post.deleted,
        json(&post.reactions)
    ];
    if execute(db, UPDATE_POST, row)? == 0 { Err(CommitError::Conflict.into()) } else { Ok(()) }
}

fn add_comment(db: &Connection, post: PostId, comment: &Comment) -> Result<(), Fault> {
    if !count_reply(db, post, comment)? {
        return Err(CommitError::Missing("comment").into());
    }
    insert_comment(db, post, comment)
}

/// Counts a comment at the one that it answers; `false` if that is not on this post, or was deleted or hidden.
pub(in crate::sqlite) fn count_reply(db: &Connection, post: PostId, comment: &Comment) -> Result<bool, Fault> {
    let Some(parent) = comment.parent_id else { return Ok(true) };
    Ok(execute(db, COUNT_REPLY, (parent.0.as_bytes(), post.0.as_bytes()))? > 0)
}

/// Hides a comment, or shows it again; refused if it was deleted.
fn moderate_comment(db: &Connection, post: PostId, comment: CommentId, verdict: Verdict) -> Result<(), Fault> {
    let found = optional(db, COMMENT, (comment.0.as_bytes(), post.0.as_bytes()), |_| Ok(()))?;
    found.ok_or(CommitError::Missing("comment"))?;
    verdict::hear(db, comment.0, verdict)
}

/// Deletes a comment. One that was answered stays as a tombstone; with its last answer it goes, and then perhaps the tombstone that it answered.
fn remove_comment(db: &Connection, post: PostId, id: CommentId, now: Timestamp) -> Result<(), Fault> {
    let found = optional(db, COMMENT, (id.0.as_bytes(), post.0.as_bytes()), |row| {
        let mut columns = Columns::of(row);
        Ok((columns.id_or_none()?, columns.take::<u32>()?))
    })?;
    let Some((mut parent, replies)) = found else { return Err(CommitError::Unchanged.into()) };
    if replies > 0 {
        execute(db, EMPTY_COMMENT, (id.0.as_bytes(), now.0))?;
        return Ok(());
    }
    execute(db, DELETE_COMMENT, [id.0.as_bytes()])?;
    while let Some(answered) = parent {
        let (next, ended) = db.prepare_cached(UNCOUNT_REPLY)?.query_row([answered.as_bytes()], |row| {
            let mut columns = Columns::of(row);
            Ok((columns.id_or_none()?, columns.take::<bool>()?))
        })?;
        if !ended {
            break;
        }
        execute(db, DELETE_COMMENT, [answered.as_bytes()])?;
        parent = next;
    }
    Ok(())
}

/// Sets a person's reaction to a post, or takes it back. `post` has the reactions of the version before, so they are counted on from there.
fn react(db: &Connection, post: &Post, user: UserId, reaction: Option<ReactionType>, now: Timestamp) -> Result<(), Fault> {
    let before = super::reaction(db, post.id, user)?;
    if before == reaction {
        return Err(CommitError::Unchanged.into());
    }
    let reactions = post.reactions.replaced(before, reaction);
    save(db, &Post { reactions, likes_count: reactions.total(), ..post.clone() })?;
    let (post, user) = (post.id.0.as_bytes(), user.0.as_bytes());
    match reaction {
        Some(reaction) => execute(db, SET_REACTION, (post, user, reaction.name(), now.0))?,
        None => execute(db, DELETE_REACTION, (post, user))?,
    };
    Ok(())
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
