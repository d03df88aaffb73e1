//! What is kept beside a post so that it is found: hashtags, words, and the shares of what it shares. All of it follows from the post before and
//! after a write, in that write's transaction.

use crate::CommitError;
use crate::sqlite::column::{execute, list, optional, statements};
use crate::sqlite::fault::Fault;
use protocol::hashtag::{Hashtag, day_of};
use protocol::post::Post;
use protocol::{Audience, PostId};
use rusqlite::Connection;
use std::collections::BTreeSet;
use uuid::Uuid;

statements! {
    COUNT_SHARE = "UPDATE post SET shares_count = shares_count + ?2, version = version + 1 WHERE id = ?1 AND deleted = 0 AND shares_count >= -?2";
    IS_THERE = "SELECT 1 FROM post WHERE id = ?1 AND deleted = 0";
    TAGS = "SELECT tag FROM post_hashtag WHERE post_id = ?1";
    INSERT_TAG = "INSERT INTO post_hashtag (tag, post_id) VALUES (?1, ?2)";
    DELETE_TAG = "DELETE FROM post_hashtag WHERE tag = ?1 AND post_id = ?2";
    COUNT_TAG = "INSERT INTO hashtag_day (day, tag, posts) VALUES (?1, ?2, 1) ON CONFLICT (day, tag) DO UPDATE SET posts = posts + 1";
    FORGET_TAG = "DELETE FROM hashtag_day WHERE day = ?1 AND tag = ?2 AND posts = 1";
    UNCOUNT_TAG = "UPDATE hashtag_day SET posts = posts - 1 WHERE day = ?1 AND tag = ?2";
    INSERT_SEARCH = "INSERT INTO post_search (post_id, user_id, audience) VALUES (?1, ?2, ?3) RETURNING seq";
    INSERT_NUMBERED = "INSERT INTO post_search (seq, post_id, user_id, audience) VALUES (?1, ?2, ?3, ?4)";
    UPDATE_SEARCH = "UPDATE post_search SET audience = ?2 WHERE post_id = ?1 RETURNING seq";
    INSERT_TEXT = "INSERT INTO post_text (rowid, content) VALUES (?1, ?2)";
    DELETE_TEXT = "DELETE FROM post_text WHERE rowid = ?1";
}

/// Keeps everything about a new post, whose row was written.
pub(super) fn begin(db: &Connection, post: &Post) -> Result<(), Fault> {
    if let Some(parent) = post.parent_id {
        let there = match post.counted_by() {
            Some(parent) => execute(db, COUNT_SHARE, (parent.0.as_bytes(), 1))? > 0,
            None => db.prepare_cached(IS_THERE)?.exists([parent.0.as_bytes()])?,
        };
        if !there {
            return Err(CommitError::Missing("post").into());
        }
    }
    load(db, post)
}

/// Keeps what is found by a new post, whose row was written. What it shares is not looked up.
pub(in crate::sqlite) fn load(db: &Connection, post: &Post) -> Result<(), Fault> {
    tag(db, post, BTreeSet::new(), post.found_by())?;
    let (id, user) = (post.id.0.as_bytes(), post.user_id.0.as_bytes());
    let seq: i64 = db.prepare_cached(INSERT_SEARCH)?.query_row((id, user, audience(post)), |row| row.get(0))?;
    if !post.deleted {
        execute(db, INSERT_TEXT, (seq, &post.content))?;
    }
    Ok(())
}

/// Keeps a post's words under the number that it had elsewhere.
pub(in crate::sqlite) fn number(db: &Connection, id: Uuid, seq: i64) -> rusqlite::Result<()> {
    let post = optional(db, super::POST, [id.as_bytes()], super::post)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    execute(db, INSERT_NUMBERED, (seq, id.as_bytes(), post.user_id.0.as_bytes(), audience(&post)))?;
    if !post.deleted {
        execute(db, INSERT_TEXT, (seq, &post.content))?;
    }
    Ok(())
}

/// Keeps everything about a post whose row was replaced.
pub(super) fn follow(db: &Connection, before: &Post, after: &Post) -> Result<(), Fault> {
    match (before.counted_by(), after.counted_by()) {
        (None, Some(parent)) => count_share(db, parent, 1)?,
        (Some(parent), None) => count_share(db, parent, -1)?,
        _ => {}
    }
    let tags = after.found_by();
    if !tags.is_empty() || !before.found_by().is_empty() {
        // As they were written, by whatever release.
        let known = list(db, TAGS, [after.id.0.as_bytes()], |row| row.get::<_, String>(0))?;
        tag(db, after, known.into_iter().collect(), tags)?;
    }
    if before.content != after.content || before.audience() != after.audience() {
        let seq: i64 = db.prepare_cached(UPDATE_SEARCH)?.query_row((after.id.0.as_bytes(), audience(after)), |row| row.get(0))?;
        if before.content != after.content {
            execute(db, DELETE_TEXT, [seq])?;
            if !after.deleted {
                execute(db, INSERT_TEXT, (seq, &after.content))?;
            }
        }
    }
    Ok(())
}

/// Counts a share at what it shares. What was deleted is not counted at any more.
fn count_share(db: &Connection, parent: PostId, by: i32) -> Result<(), Fault> {
    execute(db, COUNT_SHARE, (parent.0.as_bytes(), by)).map(drop).map_err(Fault::from)
}

fn tag(db: &Connection, post: &Post, known: BTreeSet<String>, wanted: BTreeSet<Hashtag>) -> Result<(), Fault> {
    let (id, day) = (post.id.0.as_bytes(), day_of(post.created_at));
    for tag in wanted.iter().map(Hashtag::as_str).filter(|tag| !known.contains(*tag)) {
        execute(db, INSERT_TAG, (tag, id))?;
        execute(db, COUNT_TAG, (day, tag))?;
    }
    let gone = known.iter().filter(|tag| !wanted.iter().any(|wanted| wanted.as_str() == *tag));
    for tag in gone {
        execute(db, DELETE_TAG, (tag, id))?;
        if execute(db, FORGET_TAG, (day, tag))? == 0 {
            execute(db, UNCOUNT_TAG, (day, tag))?;
        }
    }
    Ok(())
}

/// The word for who may find it.
fn audience(post: &Post) -> u8 {
    match post.audience() {
        Audience::Everyone => 0,
        Audience::Friends(_) => 1,
        Audience::Only(_) => 2,
        Audience::Gone | Audience::Platform => 3,
    }
}
