//! The content database: posts and comments.

pub(super) mod find;
pub(super) mod index;
pub(super) mod person;
pub(super) mod write;

use super::column::{BOTTOM, Columns, TOP, by_id, cut, fetch, list, optional, snapshot, statements};
use super::database::Database;
use super::metric::Operation;
use crate::{Commit, CommitError, Committed, Content, ContentWrite, Ids, StoreError};
use async_trait::async_trait;
use protocol::bookmark::Bookmark;
use protocol::comment::Comment;
use protocol::hashtag::{Hashtag, Trend};
use protocol::post::{Post, Scope};
use protocol::reaction::ReactionType;
use protocol::{CommentId, Page, Position, PostId, UserId};
use rusqlite::{Connection, Row};
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

statements! {
    POST = "SELECT id, user_id, parent_id, content, post_type, media_ids, visibility, likes_count, comments_count, shares_count, reactions,
              is_published, created_at, updated_at, version, deleted, EXISTS (SELECT 1 FROM verdict WHERE verdict.id = post.id AND verdict.hidden = 1)
            FROM post WHERE id = ?1";
    TIMELINE = "SELECT id FROM post WHERE user_id = ?1 AND deleted = 0 AND id < ?2 ORDER BY id DESC LIMIT ?3";
    TIMELINE_BETWEEN = "SELECT id FROM post WHERE user_id = ?1 AND deleted = 0 AND id < ?2 AND id > ?3 ORDER BY id DESC LIMIT ?4";
    PUBLIC_POSTS = "SELECT id FROM post WHERE deleted = 0 AND is_published = 1 AND visibility = 'public' AND id < ?1 ORDER BY id DESC LIMIT ?2";
    COMMENTS = "SELECT id, post_id, user_id, content, parent_id, reply_count, score, created_at, updated_at, deleted,
                  EXISTS (SELECT 1 FROM verdict WHERE verdict.id = comment.id AND verdict.hidden = 1) FROM comment
                WHERE post_id = ?1 AND parent_id IS NULL AND (created_at, id) > (?2, ?3) ORDER BY created_at, id LIMIT ?4";
    REPLIES = "SELECT id, post_id, user_id, content, parent_id, reply_count, score, created_at, updated_at, deleted,
                  EXISTS (SELECT 1 FROM verdict WHERE verdict.id = comment.id AND verdict.hidden = 1) FROM comment
               WHERE parent_id = ?5 AND post_id = ?1 AND (created_at, id) > (?2, ?3) ORDER BY created_at, id LIMIT ?4";
    COMMENT = "SELECT id, post_id, user_id, content, parent_id, reply_count, score, created_at, updated_at, deleted,
                 EXISTS (SELECT 1 FROM verdict WHERE verdict.id = comment.id AND verdict.hidden = 1)
               FROM comment WHERE id = ?1";
    COMMENT_PLACE = "SELECT post_id, user_id FROM comment WHERE id = ?1";
    REACTION = "SELECT reaction FROM reaction WHERE post_id = ?1 AND user_id = ?2";
}

#[async_trait]
impl Content for Database<ContentWrite> {
    async fn post(&self, id: PostId) -> Result<Option<Post>, StoreError> {
        self.read(Operation::Post, move |db| read_post(db, id)).await
    }

    async fn timeline(&self, author: UserId, page: Page) -> Result<Ids, StoreError> {
        self.read(Operation::Timeline, move |db| {
            let after = page.after.unwrap_or(TOP).id;
            Ok(ids(list(db, TIMELINE, (author.0.as_bytes(), after.as_bytes(), fetch(page)), id)?, page))
        })
        .await
    }

    async fn posts_by(&self, authors: Arc<[UserId]>, page: Page) -> Result<Ids, StoreError> {
        self.read(Operation::PostsBy, move |db| snapshot(db, |db| posts_by(db, &authors, page))).await
    }

    async fn public_posts(&self, page: Page) -> Result<Ids, StoreError> {
        self.read(Operation::PublicPosts, move |db| {
            let after = page.after.unwrap_or(TOP).id;
            Ok(ids(list(db, PUBLIC_POSTS, (after.as_bytes(), fetch(page)), id)?, page))
        })
        .await
    }

    async fn comments(&self, post: PostId, parent: Option<CommentId>, page: Page) -> Result<(Vec<Comment>, Option<Position>), StoreError> {
        self.read(Operation::Comments, move |db| {
            let (post, after) = (post.0.as_bytes(), page.after.unwrap_or(BOTTOM));
            let rows = match parent {
                None => list(db, COMMENTS, (post, after.sort, after.id.as_bytes(), fetch(page)), comment)?,
                Some(parent) => list(db, REPLIES, (post, after.sort, after.id.as_bytes(), fetch(page), parent.0.as_bytes()), comment)?,
            };
            Ok(cut(rows, page, |comment| Position { sort: comment.created_at.0, id: comment.id.0 }))
        })
        .await
    }

    async fn comment_place(&self, id: CommentId) -> Result<Option<(PostId, UserId)>, StoreError> {
        self.read(Operation::CommentPlace, move |db| {
            optional(db, COMMENT_PLACE, [id.0.as_bytes()], |row| {
                let mut columns = Columns::of(row);
                Ok((PostId(columns.id()?), UserId(columns.id()?)))
            })
        })
        .await
    }

    async fn comment(&self, id: CommentId) -> Result<Option<Comment>, StoreError> {
        self.read(Operation::Comment, move |db| optional(db, COMMENT, [id.0.as_bytes()], comment)).await
    }

    async fn reaction(&self, post: PostId, user: UserId) -> Result<Option<ReactionType>, StoreError> {
        self.read(Operation::Reaction, move |db| reaction(db, post, user)).await
    }

    async fn timeline_for(&self, author: UserId, scope: Scope, page: Page) -> Result<Ids, StoreError> {
        self.read(Operation::Timeline, move |db| find::timeline_for(db, author, scope, page)).await
    }

    async fn tagged(&self, tag: Hashtag, page: Page) -> Result<Ids, StoreError> {
        self.read(Operation::Tagged, move |db| find::tagged(db, &tag, page)).await
    }

    async fn trending(&self, today: i64, limit: u16) -> Result<Vec<Trend>, StoreError> {
        self.read(Operation::Trending, move |db| find::trending(db, today, limit)).await
    }

    async fn search(&self, words: String, viewer: Option<UserId>, friends: Arc<[UserId]>, page: Page) -> Result<Ids, StoreError> {
        self.read(Operation::PostSearch, move |db| snapshot(db, |db| find::search(db, &words, (viewer, &friends), page))).await
    }

    async fn bookmarks(&self, user: UserId, page: Page) -> Result<(Vec<Bookmark>, Option<Position>), StoreError> {
        self.read(Operation::Bookmarks, move |db| find::bookmarks(db, user, page)).await
    }

    async fn bookmark_count(&self, user: UserId) -> Result<u64, StoreError> {
        self.read(Operation::Bookmarks, move |db| find::bookmark_count(db, user)).await
    }

    async fn comments_by(&self, user: UserId, after: Option<CommentId>, limit: u16) -> Result<Vec<Comment>, StoreError> {
        self.read(Operation::CommentsBy, move |db| person::comments_by(db, user, after, limit)).await
    }

    async fn reacted(&self, user: UserId, after: Option<Uuid>, limit: u16) -> Result<Vec<Uuid>, StoreError> {
        self.read(Operation::Reacted, move |db| person::reacted(db, user, after, limit)).await
    }

    async fn forget(&self, user: UserId) -> Result<(), StoreError> {
        self.maintain(Operation::Forget, move |db| person::forget(db, user)).await
    }

    async fn bookmark(&self, user: UserId, post: PostId) -> Result<Option<Bookmark>, StoreError> {
        self.read(Operation::Bookmark, move |db| find::bookmark(db, user, post)).await
    }

    async fn commit(&self, commit: Commit<ContentWrite>) -> Result<Committed, CommitError> {
        self.carry_out(commit).await
    }
}

fn id(row: &Row<'_>) -> rusqlite::Result<Uuid> {
    Columns::of(row).id()
}

fn ids(ids: Vec<Uuid>, page: Page) -> Ids {
    let (ids, next) = cut(ids, page, |id| by_id(*id));
    Ids { ids, next }
}

/// Merges the authors' timelines. Each is asked only for what is newer than the oldest row that the page would show so far, so that most authors
/// of a long list cost one look into the index and no row.
fn posts_by(db: &Connection, authors: &[UserId], page: Page) -> rusqlite::Result<Ids> {
    let before = page.after.unwrap_or(TOP).id;
    let wanted = usize::try_from(fetch(page)).unwrap_or(usize::MAX);
    let mut newest = BTreeSet::new();
    let mut statement = db.prepare_cached(TIMELINE_BETWEEN)?;
    for author in authors {
        let floor = if newest.len() < wanted { BOTTOM.id } else { newest.first().copied().unwrap_or(BOTTOM.id) };
        let mut rows = statement.query((author.0.as_bytes(), before.as_bytes(), floor.as_bytes(), fetch(page)))?;
        while let Some(row) = rows.next()? {
            newest.insert(id(row)?);
            if newest.len() > wanted {
                newest.pop_first();
            }
        }
    }
    Ok(ids(newest.into_iter().rev().collect(), page))
}

fn read_post(db: &Connection, id: PostId) -> rusqlite::Result<Option<Post>> {
    optional(db, POST, [id.0.as_bytes()], post)
}

fn reaction(db: &Connection, post: PostId, user: UserId) -> rusqlite::Result<Option<ReactionType>> {
    optional(db, REACTION, (post.0.as_bytes(), user.0.as_bytes()), |row| Columns::of(row).word())
}

fn post(row: &Row<'_>) -> rusqlite::Result<Post> {
    let mut columns = Columns::of(row);
    Ok(Post {
        id: PostId(columns.id()?),
        user_id: UserId(columns.id()?),
        parent_id: columns.id_or_none()?.map(PostId),
        content: columns.take()?,
        post_type: columns.word()?,
        media_ids: columns.json()?,
        visibility: columns.word()?,
        likes_count: columns.take()?,
        comments_count: columns.take()?,
        shares_count: columns.take()?,
        reactions: columns.json()?,
        is_published: columns.take()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
        version: columns.count()?,
        deleted: columns.take()?,
        hidden: columns.take()?,
    })
}

fn comment(row: &Row<'_>) -> rusqlite::Result<Comment> {
    let mut columns = Columns::of(row);
    Ok(Comment {
        id: CommentId(columns.id()?),
        post_id: PostId(columns.id()?),
        user_id: UserId(columns.id()?),
        content: columns.take()?,
        parent_id: columns.id_or_none()?.map(CommentId),
        reply_count: columns.take()?,
        score: columns.take()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
        deleted: columns.take()?,
        hidden: columns.take()?,
    })
}
