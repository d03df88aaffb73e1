//! What is kept beside a post so that it is found: hashtags, words, and the shares of what it shares. All of it follows from the post before and
//! after a write, in that write's transaction.

use crate::postgres::column::{Columns, params, statements};
use crate::postgres::fault::Fault;
use crate::postgres::transaction::{Step, require};
use crate::postgres::transfer::Found;
use crate::postgres::words;
use crate::{CommitError, hashtag};
use protocol::hashtag::{Hashtag, day_of};
use protocol::post::Post;
use protocol::{Audience, Key, Kind, PostId};
use std::collections::{BTreeSet, HashMap};
use tokio_postgres::Row;
use uuid::Uuid;

statements! {
    COUNT_SHARE = "UPDATE post SET shares_count = shares_count + $2, version = version + 1
                   WHERE id = $1 AND NOT deleted AND shares_count >= -$2::bigint";
    COUNT_FIRST_SHARE = require!("UPDATE post SET shares_count = shares_count + 1, version = version + 1 WHERE id = $1 AND NOT deleted RETURNING 1");
    IS_THERE = require!("SELECT 1 FROM post WHERE id = $1 AND NOT deleted");
    INSERT_TAGS = "INSERT INTO post_hashtag (tag, post_id) SELECT tag, $2 FROM unnest($1::text[]) AS tag";
    DELETE_TAGS = "DELETE FROM post_hashtag WHERE tag = ANY($1) AND post_id = $2";
    /// Counters are locked in the order of the words, whoever counts which.
    LOCK_DAY = "SELECT 1 FROM hashtag_day WHERE day = $1 AND tag = ANY($2) ORDER BY tag FOR UPDATE";
    COUNT_TAGS = "INSERT INTO hashtag_day AS d (day, tag, posts) SELECT $1, tag, 1 FROM unnest($2::text[]) AS tag ORDER BY tag COLLATE \"C\"
                  ON CONFLICT (day, tag) DO UPDATE SET posts = d.posts + 1";
    FORGET_TAGS = "DELETE FROM hashtag_day WHERE day = $1 AND tag = ANY($2) AND posts = 1";
    UNCOUNT_TAGS = "UPDATE hashtag_day SET posts = posts - 1 WHERE day = $1 AND tag = ANY($2)";
    INSERT_SEARCH = "INSERT INTO post_search (post_id, user_id, audience, words) VALUES ($1, $2, $3, $4)";
    INSERT_NUMBERED = "INSERT INTO post_search (post_id, seq, user_id, audience, words) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5)";
    /// A post that somebody else wrote has perhaps no row here yet.
    SET_SEARCH = "INSERT INTO post_search AS s (post_id, user_id, audience, words) VALUES ($1, $2, $3, $4)
                  ON CONFLICT (post_id) DO UPDATE SET audience = excluded.audience, words = excluded.words
                  WHERE (s.audience, s.words) IS DISTINCT FROM (excluded.audience, excluded.words)";
    TAGS_OF = "SELECT post_id, tag FROM post_hashtag WHERE post_id = ANY($1)";
    UPDATE_SEARCH = "UPDATE post_search SET audience = $2, words = $3 WHERE post_id = $1";
}

/// Keeps everything about a new post, whose row was written.
pub(super) fn begin(post: &Post) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    if let Some(parent) = post.parent_id {
        let sql = if post.counted_by().is_some() { COUNT_FIRST_SHARE } else { IS_THERE };
        steps.push(Step::or(sql, params![parent.0], CommitError::Missing("post")));
    }
    steps.extend(tag(post, &BTreeSet::new(), &post.found_by()));
    steps.push(Step::new(INSERT_SEARCH, params![post.id.0, post.user_id.0, audience(post), found_words(post)]));
    steps
}

/// Keeps everything about a post whose row was replaced. `tags` are those of the row before, as they were written, by whatever release.
pub(super) fn follow<'w>(before: &Post, tags: &BTreeSet<String>, after: &'w Post) -> Vec<Step<'w>> {
    let mut steps = Vec::new();
    match (before.counted_by(), after.counted_by()) {
        (None, Some(parent)) => steps.push(count_share(parent, 1)),
        (Some(parent), None) => steps.push(count_share(parent, -1)),
        _ => {}
    }
    steps.extend(tag(after, tags, &after.found_by()));
    if before.content != after.content || before.audience() != after.audience() {
        steps.push(Step::new(UPDATE_SEARCH, params![after.id.0, audience(after), found_words(after)]));
    }
    steps
}

/// The hashtags of posts, from the rows of [`TAGS_OF`].
pub(super) fn tags_of(rows: &[Row]) -> Result<HashMap<Uuid, BTreeSet<String>>, Fault> {
    let mut tags = HashMap::<_, BTreeSet<_>>::new();
    for row in rows {
        let mut columns = Columns::of(row);
        tags.entry(columns.id()?).or_default().insert(columns.take()?);
    }
    Ok(tags)
}

/// Brings what posts are found by up to them. How often what they share is shared is not counted again.
pub(super) fn again<'w>(posts: &'w [Post], known: &HashMap<Uuid, BTreeSet<String>>) -> Vec<Step<'w>> {
    let none = BTreeSet::new();
    let of_one = |post: &'w Post| {
        let mut steps = tag(post, known.get(&post.id.0).unwrap_or(&none), &post.found_by());
        steps.push(Step::new(SET_SEARCH, params![post.id.0, post.user_id.0, audience(post), found_words(post)]));
        steps
    };
    posts.iter().flat_map(of_one).collect()
}

/// Keeps posts' words under the numbers that they had elsewhere.
pub(in crate::postgres) const FOUND: Found = Found {
    thing: super::POST,
    insert: INSERT_NUMBERED,
    row: |rows, seq| {
        let Some(row) = rows.first() else { return Err(Fault::Corrupt("a post that is found is not there".to_owned())) };
        let post = super::post(row)?;
        Ok(Some(params![post.id.0, seq, post.user_id.0, audience(&post), found_words(&post)]))
    },
};

/// The lists by hashtag that posts enter or leave by that.
pub(super) fn moved(posts: &[Post], known: &HashMap<Uuid, BTreeSet<String>>) -> Vec<Key> {
    let none = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for post in posts {
        let (wanted, known) = (post.found_by(), known.get(&post.id.0).unwrap_or(&none));
        // What is no hashtag to this release was one to an earlier one, and has no list any more.
        let gone = known.iter().filter_map(|tag| Hashtag::parse(tag).ok()).filter(|tag| !wanted.contains(tag));
        let come = wanted.iter().filter(|tag| !known.contains(tag.as_str())).cloned();
        keys.extend(gone.chain(come).map(|tag| Key::new(Kind::Hashtag, hashtag::id(&tag))));
    }
    keys.into_iter().collect()
}

/// Counts a share at what it shares. What was deleted is not counted at any more.
fn count_share<'w>(parent: PostId, by: i64) -> Step<'w> {
    Step::new(COUNT_SHARE, params![parent.0, by])
}

fn tag<'w>(post: &Post, known: &BTreeSet<String>, wanted: &BTreeSet<Hashtag>) -> Vec<Step<'w>> {
    let (id, day) = (post.id.0, day_of(post.created_at));
    let wanted: BTreeSet<String> = wanted.iter().map(|tag| tag.as_str().to_owned()).collect();
    let added: Vec<String> = wanted.difference(known).cloned().collect();
    let gone: Vec<String> = known.difference(&wanted).cloned().collect();
    let mut steps = Vec::new();
    if !gone.is_empty() {
        steps.push(Step::new(LOCK_DAY, params![day, [&gone[..], &added[..]].concat()]));
        steps.push(Step::new(DELETE_TAGS, params![gone.clone(), id]));
        steps.push(Step::new(FORGET_TAGS, params![day, gone.clone()]));
        steps.push(Step::new(UNCOUNT_TAGS, params![day, gone]));
    }
    if !added.is_empty() {
        steps.push(Step::new(INSERT_TAGS, params![added.clone(), id]));
        steps.push(Step::new(COUNT_TAGS, params![day, added]));
    }
    steps
}

/// The words by which it is found.
fn found_words(post: &Post) -> Vec<String> {
    if post.deleted { Vec::new() } else { words::distinct(&post.content).into_iter().collect() }
}

/// The word for who may find it.
fn audience(post: &Post) -> i16 {
    match post.audience() {
        Audience::Everyone => 0,
        Audience::Friends(_) => 1,
        Audience::Only(_) => 2,
        Audience::Gone | Audience::Platform => 3,
    }
}
