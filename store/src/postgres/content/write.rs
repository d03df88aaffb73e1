//! Writes of the content database.

use super::index;
use crate::postgres::column::{At, Columns, Param, int, params, statements};
use crate::postgres::fault::Fault;
use crate::postgres::transaction::{Question, Rows, Step, as_they_were, require, same, touching};
use crate::postgres::verdict;
use crate::{CommitError, ContentWrite};
use protocol::bookmark::Bookmark;
use protocol::comment::Comment;
use protocol::post::Post;
use protocol::reaction::{ReactionType, Reactions};
use protocol::{Key, Kind, PostId, Timestamp, UserId};
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

statements! {
    INSERT_POST = "INSERT INTO post (id, user_id, parent_id, content, post_type, media_ids, visibility, likes_count, comments_count, shares_count,
                     reactions, is_published, created_at, updated_at, version, deleted)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $10, $11, $12, $13, $14, $15)";
    UPDATE_POST = require!("UPDATE post SET content = $2, post_type = $3, media_ids = $4, visibility = $5, likes_count = $6, comments_count = $7,
                     shares_count = $8, is_published = $9, updated_at = $10, version = $11, deleted = $12, reactions = $13
                   WHERE id = $1 AND version + 1 = $11 RETURNING 1");
    INSERT_COMMENT = "INSERT INTO comment (id, post_id, user_id, content, parent_id, reply_count, score, created_at, updated_at, deleted)
                      VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8, false)";
    COUNT_REPLY = require!("UPDATE comment SET reply_count = reply_count + 1 WHERE id = $1 AND post_id = $2 AND NOT deleted
                   AND NOT EXISTS (SELECT 1 FROM verdict WHERE verdict.id = $1 AND verdict.hidden) RETURNING 1");
    IS_COMMENT = require!("SELECT 1 FROM comment WHERE id = $1 AND post_id = $2 AND NOT deleted");
    /// A comment, and behind it what goes with it: each tombstone of which it is the last answer, and the one whose answer the last of them is.
    ENDING = "WITH RECURSIVE ending AS (
                SELECT id, parent_id, reply_count, reply_count = 0 AS ends, 0 AS height FROM comment WHERE id = $1 AND post_id = $2 AND NOT deleted
                UNION ALL
                SELECT c.id, c.parent_id, c.reply_count, c.deleted AND c.reply_count = 1, e.height + 1
                FROM ending AS e JOIN comment AS c ON c.id = e.parent_id WHERE e.ends
              ) SELECT id, ends FROM ending ORDER BY height";
    EMPTY_COMMENT = require!("UPDATE comment SET content = '', deleted = true, updated_at = $2 WHERE id = $1 RETURNING 1");
    DELETE_COMMENTS = "DELETE FROM comment WHERE id = ANY($1)";
    UNCOUNT_REPLY = "UPDATE comment SET reply_count = reply_count - 1 WHERE id = $1";
    SET_REACTION = "INSERT INTO reaction (post_id, user_id, reaction, at) VALUES ($1, $2, $3, $4)
                    ON CONFLICT (post_id, user_id) DO UPDATE SET reaction = excluded.reaction, at = excluded.at";
    INSERT_BOOKMARK = require!("INSERT INTO bookmark (id, user_id, post_id, created_at) VALUES ($1, $2, $3, $4)
                        ON CONFLICT (user_id, post_id) DO NOTHING RETURNING 1");
    DELETE_BOOKMARK = require!("DELETE FROM bookmark WHERE id = $1 AND user_id = $2 RETURNING 1");
    SAME_POSTS = same!("post");
    DELETE_REACTION = "DELETE FROM reaction WHERE post_id = $1 AND user_id = $2";
}

// The statement below has the number.
const _: () = assert!(Kind::Post as u8 == 6);

impl Rows for ContentWrite {
    const VERSIONS: (Kind, &str) = (Kind::Post, "SELECT id, version FROM post WHERE id = ANY($1)");

    const TOUCH: &str =
        touching!("6", "SELECT 6::smallint AS kind, id, version FROM post WHERE id IN (SELECT id FROM touch WHERE kind = 6)");

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

    /// A post's comments, reactions and hashtags change with its version only.
    fn question(&self) -> Option<Question<'_>> {
        match self {
            Self::RemoveComment(post, comment) => Some(question(ENDING, params![comment.0, post.id.0])),
            Self::React { post, user, .. } => Some(question(super::REACTION, params![post.id.0, user.0])),
            Self::SavePost(post) | Self::Moderate(post, _) => Some(question(super::POST_WITH_TAGS, params![post.id.0])),
            Self::Reindex(posts) => Some(question(index::TAGS_OF, params![posts.iter().map(|post| post.id.0).collect::<Vec<_>>()])),
            Self::CreatePost(_) | Self::AddComment(..) | Self::AddBookmark(..) | Self::RemoveBookmark(..) | Self::ModerateComment(..) => {
                None
            }
        }
    }

    fn steps(&self, now: Timestamp, seen: &[Row]) -> Result<Vec<Step<'_>>, Fault> {
        Ok(match self {
            Self::CreatePost(post) => [insert_post(post)].into_iter().chain(index::begin(post)).collect(),
            Self::SavePost(post) => replace(post, seen)?,
            Self::Reindex(posts) => {
                let same = as_they_were(SAME_POSTS, posts.iter().map(|post| (post.id.0, post.version)));
                [same].into_iter().chain(index::again(posts, &index::tags_of(seen)?)).collect()
            }
            Self::Moderate(post, verdict) => {
                let mut steps = vec![verdict::hear(post.id.0, *verdict)];
                steps.extend(replace(post, seen)?);
                steps
            }
            Self::ModerateComment(post, comment, verdict) => vec![
                save(post),
                Step::or(IS_COMMENT, params![comment.0, post.id.0], CommitError::Missing("comment")),
                verdict::hear(comment.0, *verdict),
            ],
            Self::AddComment(post, comment) => {
                let answered =
                    comment.parent_id.map(|parent| Step::or(COUNT_REPLY, params![parent.0, post.id.0], CommitError::Missing("comment")));
                [save(post)].into_iter().chain(answered).chain([insert_comment(post.id, comment)]).collect()
            }
            Self::RemoveComment(post, _) => [save(post)].into_iter().chain(remove_comment(now, seen)?).collect(),
            Self::AddBookmark(user, bookmark) => vec![add_bookmark(*user, bookmark)],
            Self::RemoveBookmark(user, id) => vec![Step::or(DELETE_BOOKMARK, params![id.0, user.0], CommitError::Missing("bookmark"))],
            Self::React { post, user, reaction } => {
                let before = seen.first().map(|row| Columns::of(row).word()).transpose()?;
                react(post, *user, before, *reaction, now)
            }
        })
    }

    fn ripple(&self, seen: &[Row]) -> Result<Vec<Key>, Fault> {
        match self {
            Self::Reindex(posts) => Ok(index::moved(posts, &index::tags_of(seen)?)),
            _ => Ok(Vec::new()),
        }
    }
}

fn question<'w>(sql: &'static str, values: Vec<Param<'w>>) -> Question<'w> {
    Question { sql, values, is_mostly_empty: false }
}

fn add_bookmark(user: UserId, bookmark: &Bookmark) -> Step<'_> {
    let row = params![bookmark.id.0, user.0, bookmark.post_id.0, At(bookmark.created_at)];
    Step::or(INSERT_BOOKMARK, row, CommitError::Unchanged).orphan("post")
}

/// A new post; nobody has commented on it yet.
fn insert_post(post: &Post) -> Step<'_> {
    let row = params![
        post.id.0,
        post.user_id.0,
        post.parent_id.map(|id| id.0),
        &*post.content,
        post.post_type.name(),
        Json(&post.media_ids),
        post.visibility.name(),
        i64::from(post.likes_count),
        i64::from(post.shares_count),
        Json(post.reactions),
        post.is_published,
        At(post.created_at),
        At(post.updated_at),
        int(post.version),
        post.deleted
    ];
    Step::new(INSERT_POST, row)
}

/// Replaces a post's row, if it has the version before, and all that is kept beside the row. What was seen is the row before, with its hashtags.
fn replace<'w>(post: &'w Post, seen: &[Row]) -> Result<Vec<Step<'w>>, Fault> {
    let followed = match seen.first() {
        Some(row) => {
            let (before, tags) = super::post_with_tags(row)?;
            index::follow(&before, &tags, post)
        }
        // Nor will its next row be written.
        None => Vec::new(),
    };
    Ok([save(post)].into_iter().chain(followed).collect())
}

/// Replaces a post's row, if it has the version before.
fn save(post: &Post) -> Step<'_> {
    save_with(post, post.reactions, post.likes_count)
}

fn save_with(post: &Post, reactions: Reactions, likes_count: u32) -> Step<'_> {
    let row = params![
        post.id.0,
        &*post.content,
        post.post_type.name(),
        Json(&post.media_ids),
        post.visibility.name(),
        i64::from(likes_count),
        i64::from(post.comments_count),
        i64::from(post.shares_count),
        post.is_published,
        At(post.updated_at),
        int(post.version),
        post.deleted,
        Json(reactions)
    ];
    Step::or(UPDATE_POST, row, CommitError::Conflict)
}

/// Deletes a comment. One that was answered stays as a tombstone; with its last answer it goes, and then perhaps the tombstone that it answered.
fn remove_comment<'w>(now: Timestamp, seen: &[Row]) -> Result<Vec<Step<'w>>, Fault> {
    let mut ending: Vec<Uuid> = Vec::with_capacity(seen.len());
    for row in seen {
        let mut columns = Columns::of(row);
        let (id, ends) = (columns.id()?, columns.take()?);
        match (ending.is_empty(), ends) {
            (_, true) => ending.push(id),
            (true, false) => return Ok(vec![Step::or(EMPTY_COMMENT, params![id, At(now)], CommitError::Unchanged)]),
            (false, false) => return Ok(vec![Step::new(DELETE_COMMENTS, params![ending]), Step::new(UNCOUNT_REPLY, params![id])]),
        }
    }
    Ok(vec![if ending.is_empty() { Step::refuse(CommitError::Unchanged) } else { Step::new(DELETE_COMMENTS, params![ending]) }])
}

/// Sets a person's reaction to a post, or takes it back. `post` has the reactions of the version before, so they are counted on from there.
fn react(post: &Post, user: UserId, before: Option<ReactionType>, reaction: Option<ReactionType>, now: Timestamp) -> Vec<Step<'_>> {
    let reactions = post.reactions.replaced(before, reaction);
    let saved = save_with(post, reactions, reactions.total());
    let row = match reaction {
        _ if before == reaction => Step::refuse(CommitError::Unchanged),
        Some(reaction) => Step::new(SET_REACTION, params![post.id.0, user.0, reaction.name(), At(now)]),
        None => Step::new(DELETE_REACTION, params![post.id.0, user.0]),
    };
    vec![saved, row]
}

fn insert_comment(post: PostId, comment: &Comment) -> Step<'_> {
    let row = params![
        comment.id.0,
        post.0,
        comment.user_id.0,
        &*comment.content,
        comment.parent_id.map(|id| id.0),
        comment.score,
        At(comment.created_at),
        At(comment.updated_at)
    ];
    Step::new(INSERT_COMMENT, row).orphan("post")
}
