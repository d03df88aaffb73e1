//! Lists of posts: by author and scope, by hashtag, by words, by who keeps them.

use super::{id, ids};
use crate::sqlite::column::{Columns, TOP, by_id, cut, fetch, list, optional, statements};
use crate::{Ids, SEARCH_EXAMINED_MAX};
use protocol::bookmark::Bookmark;
use protocol::hashtag::{Hashtag, TREND_DAYS, Trend};
use protocol::post::Scope;
use protocol::{BookmarkId, Page, Position, PostId, UserId};
use rusqlite::{Connection, Row};

statements! {
    TIMELINE_OPEN = "SELECT id FROM post WHERE user_id = ?1 AND deleted = 0 AND id < ?2 AND is_published = 1 AND visibility = 'public'
                     ORDER BY id DESC LIMIT ?3";
    TIMELINE_FRIENDS = "SELECT id FROM post WHERE user_id = ?1 AND deleted = 0 AND id < ?2 AND is_published = 1 AND visibility <> 'private'
                        ORDER BY id DESC LIMIT ?3";
    TIMELINE_OWN = "SELECT id FROM post WHERE user_id = ?1 AND deleted = 0 AND id < ?2 ORDER BY id DESC LIMIT ?3";
    TAGGED = "SELECT post_id FROM post_hashtag WHERE tag = ?1 AND post_id < ?2 ORDER BY post_id DESC LIMIT ?3";
    /// A post of today counts 64, one of yesterday 32, and so on by halves.
    TRENDING = "SELECT tag, sum(posts), sum(posts << (?1 - 1 - (?2 - day))) AS score FROM hashtag_day
                WHERE day > ?2 - ?1 AND day <= ?2 GROUP BY tag ORDER BY score DESC, tag LIMIT ?3";
    SEQ = "SELECT seq FROM post_search WHERE post_id = ?1";
    SEARCH = "SELECT found.post_id, found.user_id, found.audience FROM post_text JOIN post_search AS found ON found.seq = post_text.rowid
              WHERE post_text MATCH ?1 AND post_text.rowid < ?2 ORDER BY post_text.rowid DESC";
    BOOKMARKS = "SELECT id, post_id, created_at FROM bookmark WHERE user_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
    BOOKMARK_COUNT = "SELECT count(*) FROM bookmark WHERE user_id = ?1";
    BOOKMARK = "SELECT id, post_id, created_at FROM bookmark WHERE user_id = ?1 AND post_id = ?2";
}

pub(super) fn timeline_for(db: &Connection, author: UserId, scope: Scope, page: Page) -> rusqlite::Result<Ids> {
    let sql = match scope {
        Scope::Everyone => TIMELINE_OPEN,
        Scope::Friends => TIMELINE_FRIENDS,
        Scope::Author => TIMELINE_OWN,
    };
    let after = page.after.unwrap_or(TOP).id;
    Ok(ids(list(db, sql, (author.0.as_bytes(), after.as_bytes(), fetch(page)), id)?, page))
}

pub(super) fn tagged(db: &Connection, tag: &Hashtag, page: Page) -> rusqlite::Result<Ids> {
    let after = page.after.unwrap_or(TOP).id;
    Ok(ids(list(db, TAGGED, (tag.as_str(), after.as_bytes(), fetch(page)), id)?, page))
}

pub(super) fn trending(db: &Connection, today: i64, limit: u16) -> rusqlite::Result<Vec<Trend>> {
    let rows = list(db, TRENDING, (TREND_DAYS, today, limit), |row| {
        let mut columns = Columns::of(row);
        Ok((columns.take::<String>()?, columns.count()?, columns.count()?))
    })?;
    // What is no hashtag to this release was one to an earlier one, and cannot be asked for any more.
    let known = rows.into_iter().filter_map(|(tag, post_count, score)| Some(Trend { tag: Hashtag::parse(&tag).ok()?, post_count, score }));
    Ok(known.collect())
}

/// Walks the posts that hold the words, newest first, and takes those that the viewer may see: friends are too many for a statement.
pub(super) fn search(db: &Connection, words: &str, (viewer, friends): (Option<UserId>, &[UserId]), page: Page) -> rusqlite::Result<Ids> {
    let before = match page.after {
        None => Some(i64::MAX),
        Some(after) => optional(db, SEQ, [after.id.as_bytes()], |row| row.get(0))?,
    };
    // A cursor that names no post was not made here; nothing is behind it.
    let Some(before) = before else { return Ok(Ids::default()) };
    let wanted = usize::try_from(fetch(page)).unwrap_or(usize::MAX);
    let (mut found, mut examined) = (Vec::new(), 0);
    let mut statement = db.prepare_cached(SEARCH)?;
    let mut rows = statement.query((phrases(words), before))?;
    while let Some(row) = rows.next()? {
        let mut columns = Columns::of(row);
        let (post, author, audience) = (columns.id()?, UserId(columns.id()?), columns.take::<u8>()?);
        let seen = match audience {
            0 => true,
            1 => viewer == Some(author) || friends.binary_search(&author).is_ok(),
            2 => viewer == Some(author),
            _ => false,
        };
        if seen {
            found.push(post);
        }
        examined += 1;
        if found.len() == wanted || examined == SEARCH_EXAMINED_MAX {
            break;
        }
    }
    Ok(ids(found, page))
}

/// Each word as a phrase of FTS5, in which nothing means anything but itself. All of them must be there.
fn phrases(words: &str) -> String {
    let mut phrases = String::with_capacity(words.len() + 32);
    for word in words.split(' ') {
        phrases.push('"');
        phrases.extend(word.chars().filter(|c| c.is_alphanumeric()));
        phrases.push_str("\" ");
    }
    phrases
}

fn kept(row: &Row<'_>) -> rusqlite::Result<Bookmark> {
    let mut columns = Columns::of(row);
    Ok(Bookmark { id: BookmarkId(columns.id()?), post_id: PostId(columns.id()?), created_at: columns.time()? })
}

pub(super) fn bookmarks(db: &Connection, user: UserId, page: Page) -> rusqlite::Result<(Vec<Bookmark>, Option<Position>)> {
    let after = page.after.unwrap_or(TOP).id;
    let rows = list(db, BOOKMARKS, (user.0.as_bytes(), after.as_bytes(), fetch(page)), kept)?;
    Ok(cut(rows, page, |bookmark| by_id(bookmark.id.0)))
}

pub(super) fn bookmark_count(db: &Connection, user: UserId) -> rusqlite::Result<u64> {
    db.prepare_cached(BOOKMARK_COUNT)?.query_row([user.0.as_bytes()], |row| Columns::of(row).count())
}

pub(super) fn bookmark(db: &Connection, user: UserId, post: PostId) -> rusqlite::Result<Option<Bookmark>> {
    optional(db, BOOKMARK, (user.0.as_bytes(), post.0.as_bytes()), kept)
}
