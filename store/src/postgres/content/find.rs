//! Lists of posts: by author and scope, by hashtag, by words, by who keeps them.

use super::{id, ids};
use crate::metric::Operation;
use crate::postgres::column::{Asked, Columns, TOP, by_id, cut, fetch, statements};
use crate::postgres::database::{Database, count};
use crate::postgres::fault::Fault;
use crate::postgres::words;
use crate::{ContentWrite, Ids, SEARCH_EXAMINED_MAX, StoreError};
use protocol::bookmark::Bookmark;
use protocol::hashtag::{Hashtag, TREND_DAYS, Trend};
use protocol::post::Scope;
use protocol::{BookmarkId, Page, Position, PostId, UserId};
use tokio_postgres::Row;
use uuid::Uuid;

statements! {
    TIMELINE_OPEN = "SELECT id FROM post WHERE user_id = $1 AND NOT deleted AND id < $2 AND is_published AND visibility = 'public'
                     ORDER BY id DESC LIMIT $3";
    TIMELINE_FRIENDS = "SELECT id FROM post WHERE user_id = $1 AND NOT deleted AND id < $2 AND is_published AND visibility <> 'private'
                        ORDER BY id DESC LIMIT $3";
    TIMELINE_OWN = "SELECT id FROM post WHERE user_id = $1 AND NOT deleted AND id < $2 ORDER BY id DESC LIMIT $3";
    TAGGED = "SELECT post_id FROM post_hashtag WHERE tag = $1 AND post_id < $2 ORDER BY post_id DESC LIMIT $3";
    /// A post of today counts 64, one of yesterday 32, and so on by halves.
    TRENDING = "SELECT tag, sum(posts)::bigint, sum(posts << ($1::bigint - 1 - ($2 - day))::integer)::bigint AS score FROM hashtag_day
                WHERE day > $2::bigint - $1 AND day <= $2 GROUP BY tag ORDER BY score DESC, tag LIMIT $3";
    BOOKMARKS = "SELECT id, post_id, created_at FROM bookmark WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    BOOKMARK_COUNT = "SELECT count(*) FROM bookmark WHERE user_id = $1";
    BOOKMARK = "SELECT id, post_id, created_at FROM bookmark WHERE user_id = $1 AND post_id = $2";
}

pub(super) async fn timeline_for(db: &Database<ContentWrite>, author: UserId, scope: Scope, page: Page) -> Result<Ids, StoreError> {
    let sql = match scope {
        Scope::Everyone => TIMELINE_OPEN,
        Scope::Friends => TIMELINE_FRIENDS,
        Scope::Author => TIMELINE_OWN,
    };
    let after = page.after.unwrap_or(TOP).id;
    Ok(ids(db.list(Operation::Timeline, sql, &[&author.0, &after, &fetch(page)], id).await?, page))
}

pub(super) async fn tagged(db: &Database<ContentWrite>, tag: &Hashtag, page: Page) -> Result<Ids, StoreError> {
    let after = page.after.unwrap_or(TOP).id;
    Ok(ids(db.list(Operation::Tagged, TAGGED, &[&tag.as_str(), &after, &fetch(page)], id).await?, page))
}

pub(super) async fn trending(db: &Database<ContentWrite>, today: i64, limit: u16) -> Result<Vec<Trend>, StoreError> {
    let trend = |row: &Row| {
        let mut columns = Columns::of(row);
        Ok((columns.take::<String>()?, columns.count()?, columns.count()?))
    };
    let rows = db.list(Operation::Trending, TRENDING, &[&TREND_DAYS, &today, &i64::from(limit)], trend).await?;
    // What is no hashtag to this release was one to an earlier one, and cannot be asked for any more.
    let known = rows.into_iter().filter_map(|(tag, post_count, score)| Some(Trend { tag: Hashtag::parse(&tag).ok()?, post_count, score }));
    Ok(known.collect())
}

/// The newest posts that hold the words, of those that the viewer may see.
pub(super) async fn search(
    db: &Database<ContentWrite>,
    query: &str,
    (viewer, friends): (Option<UserId>, &[UserId]),
    page: Page,
) -> Result<Ids, StoreError> {
    let wanted: Vec<String> = words::distinct(query).into_iter().collect();
    let friends: Vec<Uuid> = friends.iter().map(|friend| friend.0).collect();
    let found = db.search(Operation::PostSearch, &ask(wanted, (viewer.map(|viewer| viewer.0), friends), page), id).await?;
    Ok(ids(found, page))
}

/// A cursor that names no post was not made here; nothing is behind it.
fn ask(words: Vec<String>, (viewer, friends): (Option<Uuid>, Vec<Uuid>), page: Page) -> Asked {
    let mut asked = Asked::default();
    let (words, examined_max) = (asked.value(words), asked.value(i64::try_from(SEARCH_EXAMINED_MAX).unwrap_or(i64::MAX)));
    let (viewer, friends, limit) = (asked.value(viewer), asked.value(friends), asked.value(fetch(page)));
    let after = page.after.map(|after| format!("AND seq < (SELECT seq FROM post_search WHERE post_id = {})", asked.value(after.id)));
    asked.sql = format!(
        "SELECT post_id FROM (
           SELECT seq, post_id, user_id, audience FROM post_search WHERE words @> {words} {} ORDER BY seq DESC LIMIT {examined_max}
         ) AS found
         WHERE audience = 0 OR (audience = 1 AND user_id = ANY({friends})) OR (audience <= 2 AND user_id = {viewer})
         ORDER BY seq DESC LIMIT {limit}",
        after.unwrap_or_default()
    );
    asked
}

/// The search, in both its shapes, for a word that few posts have.
#[cfg(test)]
pub(in crate::postgres) fn searches() -> Vec<Asked> {
    let word = || vec!["word77".to_owned()];
    [None, Some(TOP)].map(|after| ask(word(), (None, Vec::new()), Page { after, limit: 20 })).into()
}

fn kept(row: &Row) -> Result<Bookmark, Fault> {
    let mut columns = Columns::of(row);
    Ok(Bookmark { id: BookmarkId(columns.id()?), post_id: PostId(columns.id()?), created_at: columns.time()? })
}

pub(super) async fn bookmarks(
    db: &Database<ContentWrite>,
    user: UserId,
    page: Page,
) -> Result<(Vec<Bookmark>, Option<Position>), StoreError> {
    let after = page.after.unwrap_or(TOP).id;
    let rows = db.list(Operation::Bookmarks, BOOKMARKS, &[&user.0, &after, &fetch(page)], kept).await?;
    Ok(cut(rows, page, |bookmark| by_id(bookmark.id.0)))
}

pub(super) async fn bookmark_count(db: &Database<ContentWrite>, user: UserId) -> Result<u64, StoreError> {
    db.read(Operation::Bookmarks, BOOKMARK_COUNT, &[&user.0], count).await
}

pub(super) async fn bookmark(db: &Database<ContentWrite>, user: UserId, post: PostId) -> Result<Option<Bookmark>, StoreError> {
    db.optional(Operation::Bookmark, BOOKMARK, &[&user.0, &post.0], kept).await
}
