//! The content database: posts and comments.

pub(super) mod find;
pub(super) mod index;
pub(super) mod person;
pub(super) mod write;

use super::column::{At, BOTTOM, Columns, TOP, by_id, cut, fetch, statements};
use super::database::Database;
use super::fault::Fault;
use crate::metric::Operation;
use crate::{Commit, CommitError, Committed, Content, ContentWrite, Ids, StoreError};
use async_trait::async_trait;
use protocol::bookmark::Bookmark;
use protocol::comment::Comment;
use protocol::hashtag::{Hashtag, Trend};
use protocol::post::{Post, Scope};
use protocol::reaction::ReactionType;
use protocol::{CommentId, Page, Position, PostId, Timestamp, UserId};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio_postgres::Row;
use uuid::Uuid;

statements! {
    POST = "SELECT id, user_id, parent_id, content, post_type, media_ids, visibility, likes_count, comments_count, shares_count, reactions,
              is_published, created_at, updated_at, version, deleted, EXISTS (SELECT 1 FROM verdict WHERE verdict.id = post.id AND verdict.hidden)
            FROM post WHERE id = $1";
    POST_WITH_TAGS = "SELECT id, user_id, parent_id, content, post_type, media_ids, visibility, likes_count, comments_count, shares_count, reactions,
                        is_published, created_at, updated_at, version, deleted,
                        EXISTS (SELECT 1 FROM verdict WHERE verdict.id = post.id AND verdict.hidden), ARRAY (SELECT tag FROM post_hashtag WHERE post_id = $1)
                      FROM post WHERE id = $1";
    TIMELINE = "SELECT id FROM post WHERE user_id = $1 AND NOT deleted AND id < $2 ORDER BY id DESC LIMIT $3";
    /// A page of each author, by one look into the index each, of which the newest are kept.
    POSTS_BY = "SELECT p.id FROM (SELECT DISTINCT author FROM unnest($1::uuid[]) AS given (author)) AS a CROSS JOIN LATERAL (
                  SELECT id FROM post WHERE user_id = a.author AND NOT deleted AND id < $2 ORDER BY id DESC LIMIT $3
                ) AS p ORDER BY p.id DESC LIMIT $3";
    PUBLIC_POSTS = "SELECT id FROM post WHERE NOT deleted AND is_published AND visibility = 'public' AND id < $1 ORDER BY id DESC LIMIT $2";
    COMMENTS = "SELECT id, post_id, user_id, content, parent_id, reply_count, score, created_at, updated_at, deleted,
                  EXISTS (SELECT 1 FROM verdict WHERE verdict.id = comment.id AND verdict.hidden) FROM comment
                WHERE post_id = $1 AND parent_id IS NULL AND (created_at, id) > ($2, $3) ORDER BY created_at, id LIMIT $4";
    REPLIES = "SELECT id, post_id, user_id, content, parent_id, reply_count, score, created_at, updated_at, deleted,
                  EXISTS (SELECT 1 FROM verdict WHERE verdict.id = comment.id AND verdict.hidden) FROM comment
               WHERE parent_id = $5 AND post_id = $1 AND (created_at, id) > ($2, $3) ORDER BY created_at, id LIMIT $4";
    COMMENT = "SELECT id, post_id, user_id, content, parent_id, reply_count, score, created_at, updated_at, deleted,
                 EXISTS (SELECT 1 FROM verdict WHERE verdict.id = comment.id AND verdict.hidden)
               FROM comment WHERE id = $1";
    COMMENT_PLACE = "SELECT post_id, user_id FROM comment WHERE id = $1";
    REACTION = "SELECT reaction FROM reaction WHERE post_id = $1 AND user_id = $2";
}

#[async_trait]
impl Content for Database<ContentWrite> {
    async fn post(&self, id: PostId) -> Result<Option<Post>, StoreError> {
        self.optional(Operation::Post, POST, &[&id.0], post).await
    }

    async fn timeline(&self, author: UserId, page: Page) -> Result<Ids, StoreError> {
        let after = page.after.unwrap_or(TOP).id;
        Ok(ids(self.list(Operation::Timeline, TIMELINE, &[&author.0, &after, &fetch(page)], id).await?, page))
    }

    async fn posts_by(&self, authors: Arc<[UserId]>, page: Page) -> Result<Ids, StoreError> {
        let after = page.after.unwrap_or(TOP).id;
        let authors: Vec<Uuid> = authors.iter().map(|author| author.0).collect();
        Ok(ids(self.list(Operation::PostsBy, POSTS_BY, &[&authors, &after, &fetch(page)], id).await?, page))
    }

    async fn public_posts(&self, page: Page) -> Result<Ids, StoreError> {
        let after = page.after.unwrap_or(TOP).id;
        Ok(ids(self.list(Operation::PublicPosts, PUBLIC_POSTS, &[&after, &fetch(page)], id).await?, page))
    }

    async fn comments(&self, post: PostId, parent: Option<CommentId>, page: Page) -> Result<(Vec<Comment>, Option<Position>), StoreError> {
        let after = page.after.unwrap_or(BOTTOM);
        let (at, limit) = (At(Timestamp(after.sort)), fetch(page));
        let rows = match parent {
            None => self.list(Operation::Comments, COMMENTS, &[&post.0, &at, &after.id, &limit], comment).await?,
            Some(parent) => self.list(Operation::Comments, REPLIES, &[&post.0, &at, &after.id, &limit, &parent.0], comment).await?,
        };
        Ok(cut(rows, page, |comment| Position { sort: comment.created_at.0, id: comment.id.0 }))
    }

    async fn comment_place(&self, id: CommentId) -> Result<Option<(PostId, UserId)>, StoreError> {
        self.optional(Operation::CommentPlace, COMMENT_PLACE, &[&id.0], |row| {
            let mut columns = Columns::of(row);
            Ok((PostId(columns.id()?), UserId(columns.id()?)))
        })
        .await
    }

    async fn comment(&self, id: CommentId) -> Result<Option<Comment>, StoreError> {
        self.optional(Operation::Comment, COMMENT, &[&id.0], comment).await
    }

    async fn reaction(&self, post: PostId, user: UserId) -> Result<Option<ReactionType>, StoreError> {
        self.optional(Operation::Reaction, REACTION, &[&post.0, &user.0], |row| Columns::of(row).word()).await
    }

    async fn timeline_for(&self, author: UserId, scope: Scope, page: Page) -> Result<Ids, StoreError> {
        find::timeline_for(self, author, scope, page).await
    }

    async fn tagged(&self, tag: Hashtag, page: Page) -> Result<Ids, StoreError> {
        find::tagged(self, &tag, page).await
    }

    async fn trending(&self, today: i64, limit: u16) -> Result<Vec<Trend>, StoreError> {
        find::trending(self, today, limit).await
    }

    async fn search(&self, words: String, viewer: Option<UserId>, friends: Arc<[UserId]>, page: Page) -> Result<Ids, StoreError> {
        find::search(self, &words, (viewer, &friends), page).await
    }

    async fn bookmarks(&self, user: UserId, page: Page) -> Result<(Vec<Bookmark>, Option<Position>), StoreError> {
        find::bookmarks(self, user, page).await
    }

    async fn bookmark_count(&self, user: UserId) -> Result<u64, StoreError> {
        find::bookmark_count(self, user).await
    }

    async fn comments_by(&self, user: UserId, after: Option<CommentId>, limit: u16) -> Result<Vec<Comment>, StoreError> {
        let after = after.map_or(BOTTOM.id, |id| id.0);
        self.list(Operation::CommentsBy, person::COMMENTS_BY, &[&user.0, &after, &i64::from(limit)], comment).await
    }

    async fn reacted(&self, user: UserId, after: Option<Uuid>, limit: u16) -> Result<Vec<Uuid>, StoreError> {
        let after = after.unwrap_or(BOTTOM.id);
        self.list(Operation::Reacted, person::REACTED, &[&user.0, &after, &i64::from(limit)], id).await
    }

    async fn forget(&self, user: UserId) -> Result<(), StoreError> {
        self.read(Operation::Forget, person::FORGET, &[&user.0], |_| Ok(())).await
    }

    async fn bookmark(&self, user: UserId, post: PostId) -> Result<Option<Bookmark>, StoreError> {
        find::bookmark(self, user, post).await
    }

    async fn commit(&self, commit: Commit<ContentWrite>) -> Result<Committed, CommitError> {
        self.carry_out(commit).await
    }
}

fn id(row: &Row) -> Result<Uuid, Fault> {
    Columns::of(row).id()
}

fn ids(ids: Vec<Uuid>, page: Page) -> Ids {
    let (ids, next) = cut(ids, page, |id| by_id(*id));
    Ids { ids, next }
}

fn post(row: &Row) -> Result<Post, Fault> {
    read_post(&mut Columns::of(row))
}

/// A post, and its hashtags as they were written.
fn post_with_tags(row: &Row) -> Result<(Post, BTreeSet<String>), Fault> {
    let mut columns = Columns::of(row);
    Ok((read_post(&mut columns)?, columns.take::<Vec<String>>()?.into_iter().collect()))
}

fn read_post(columns: &mut Columns<'_>) -> Result<Post, Fault> {
    Ok(Post {
        id: PostId(columns.id()?),
        user_id: UserId(columns.id()?),
        parent_id: columns.id_or_none()?.map(PostId),
        content: columns.take()?,
        post_type: columns.word()?,
        media_ids: columns.json()?,
        visibility: columns.word()?,
        likes_count: columns.small()?,
        comments_count: columns.small()?,
        shares_count: columns.small()?,
        reactions: columns.json()?,
        is_published: columns.take()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
        version: columns.count()?,
        deleted: columns.take()?,
        hidden: columns.take()?,
    })
}

fn comment(row: &Row) -> Result<Comment, Fault> {
    let mut columns = Columns::of(row);
    Ok(Comment {
        id: CommentId(columns.id()?),
        post_id: PostId(columns.id()?),
        user_id: UserId(columns.id()?),
        content: columns.take()?,
        parent_id: columns.id_or_none()?.map(CommentId),
        reply_count: columns.small()?,
        score: columns.take()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
        deleted: columns.take()?,
        hidden: columns.take()?,
    })
}
