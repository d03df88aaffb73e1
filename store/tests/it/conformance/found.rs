//! What finds posts: shares, hashtags, trends, search, bookmarks, timelines as others see them.

use crate::make::*;
use protocol::bookmark::Bookmark;
use protocol::found::FoundBy;
use protocol::hashtag::{Hashtag, TREND_DAYS, Trend, day_of};
use protocol::post::{Post, Scope, Visibility, search_words};
use protocol::{BookmarkId, Key, Kind, Page, Position, PostId, Query, UserId};
use std::collections::HashMap;
use std::sync::Arc;
use store::{CommitError, ContentWrite, Effect, Ids, Stores, Touch};
use uuid::Uuid;

fn saying(author: UserId, content: &str) -> Post {
    Post { content: content.to_owned(), ..post(author) }
}

fn tag(word: &str) -> Hashtag {
    Hashtag::parse(word).expect("a hashtag")
}

async fn write(stores: &Stores, post: &Post) {
    stores.content.commit(creating(post)).await.expect("posted");
}

/// Writes a post's next row.
async fn save(stores: &Stores, post: &mut Post, change: impl FnOnce(&mut Post)) {
    change(post);
    post.version += 1;
    stores.content.commit(saving_post(post, ContentWrite::SavePost)).await.expect("saved");
}

async fn read(stores: &Stores, id: PostId) -> Post {
    stores.content.post(id).await.expect("a read").expect("the post")
}

async fn tagged(stores: &Stores, word: &str, limit: u16) -> Vec<Uuid> {
    walk(limit, async |page| {
        let Ids { ids, next } = stores.content.tagged(tag(word), page).await.expect("a page");
        (ids, next)
    })
    .await
}

async fn search(stores: &Stores, query: &str, viewer: Option<UserId>, friends: &[UserId], limit: u16) -> Vec<Uuid> {
    let friends: Arc<[UserId]> = friends.into();
    walk(limit, async |page| {
        let Ids { ids, next } = stores.content.search(search_words(query), viewer, friends.clone(), page).await.expect("a page");
        (ids, next)
    })
    .await
}

async fn trending(stores: &Stores, today: i64) -> Vec<(String, u64, u64)> {
    let trends = stores.content.trending(today, 10).await.expect("trends");
    trends.into_iter().map(|Trend { tag, post_count, score }| (tag.to_string(), post_count, score)).collect()
}

pub async fn shares_are_counted_where_everyone_may_see_them(stores: Stores) {
    let parent = post(UserId::new());
    write(&stores, &parent).await;
    let share = |visibility| Post { parent_id: Some(parent.id), visibility, content: String::new(), ..post(UserId::new()) };
    let [mut open, mut hidden] = [share(Visibility::Public), share(Visibility::Private)];

    // The parent's owner hears of the version that the count has.
    let mut commit = creating(&open);
    commit.touches = vec![Touch::Key(Key::new(Kind::Post, parent.id))];
    let effects = stores.content.commit(commit).await.expect("shared").effects;
    assert_eq!(effects[0].effect, Effect::Changed { key: Key::new(Kind::Post, parent.id), version: 2 });
    write(&stores, &hidden).await;
    assert_eq!(read(&stores, parent.id).await, Post { shares_count: 1, version: 2, ..parent.clone() });

    save(&stores, &mut hidden, |share| share.visibility = Visibility::Public).await;
    save(&stores, &mut open, |share| share.content = "look".to_owned()).await;
    assert_eq!(read(&stores, parent.id).await.shares_count, 2);
    save(&stores, &mut open, |share| share.is_published = false).await;
    save(&stores, &mut hidden, |share| share.deleted = true).await;
    assert_eq!(read(&stores, parent.id).await.shares_count, 0);

    // What was deleted is not counted at any more, and cannot be shared; neither can what never was.
    save(&stores, &mut open, |share| share.is_published = true).await;
    let mut gone = read(&stores, parent.id).await;
    save(&stores, &mut gone, |post| post.deleted = true).await;
    save(&stores, &mut open, |share| share.deleted = true).await;
    assert_eq!(read(&stores, parent.id).await, gone);
    for visibility in [Visibility::Public, Visibility::Private] {
        for parent_id in [parent.id, PostId::new()] {
            let stray = Post { parent_id: Some(parent_id), ..share(visibility) };
            assert!(matches!(stores.content.commit(creating(&stray)).await, Err(CommitError::Missing("post"))));
            assert_eq!(stores.content.post(stray.id).await.expect("a read"), None);
        }
    }
}

pub async fn hashtags_find_what_everyone_may_see(stores: Stores) {
    let author = UserId::new();
    let mut posts =
        [saying(author, "#Ä and #b"), saying(author, "#ä, #ä"), Post { visibility: Visibility::Friends, ..saying(author, "#b") }];
    for post in &posts {
        write(&stores, post).await;
    }
    for limit in [1, 2, 3] {
        assert_eq!(tagged(&stores, "ä", limit).await, [posts[1].id.0, posts[0].id.0]);
    }
    assert_eq!(tagged(&stores, "b", 5).await, [posts[0].id.0]);
    assert_eq!(tagged(&stores, "a", 5).await, [] as [Uuid; 0], "an accent is another letter");

    save(&stores, &mut posts[2], |post| post.visibility = Visibility::Public).await;
    save(&stores, &mut posts[0], |post| post.content = "#c".to_owned()).await;
    assert_eq!(tagged(&stores, "b", 5).await, [posts[2].id.0]);
    assert_eq!(tagged(&stores, "c", 5).await, [posts[0].id.0]);
    save(&stores, &mut posts[0], |post| post.is_published = false).await;
    save(&stores, &mut posts[1], |post| post.deleted = true).await;
    assert_eq!([tagged(&stores, "c", 5).await, tagged(&stores, "ä", 5).await], [[] as [Uuid; 0]; 2]);
}

pub async fn trends_count_days_by_halves(stores: Stores) {
    let (author, today) = (UserId::new(), day_of(NOW));
    let of_day = |days_ago: i64, content: &str| Post { created_at: NOW.plus_ms(-days_ago * 86_400_000), ..saying(author, content) };
    let mut posts = [
        of_day(0, "#now #both"),
        of_day(1, "#both #before #same"),
        of_day(1, "#before"),
        of_day(TREND_DAYS - 1, "#old"),
        of_day(TREND_DAYS, "#older"),
        of_day(-1, "#tomorrow"),
        Post { visibility: Visibility::Private, ..of_day(0, "#secret") },
    ];
    for post in &posts {
        write(&stores, post).await;
    }
    let row = |word: &str, count, score| (word.to_owned(), count, score);
    let expected = [row("both", 2, 96), row("before", 2, 64), row("now", 1, 64), row("same", 1, 32), row("old", 1, 1)];
    assert_eq!(trending(&stores, today).await, expected);
    assert_eq!(stores.content.trending(today, 2).await.expect("trends").len(), 2);
    assert_eq!(trending(&stores, today + 100).await, []);

    save(&stores, &mut posts[1], |post| post.content = "#same".to_owned()).await;
    save(&stores, &mut posts[0], |post| post.deleted = true).await;
    assert_eq!(trending(&stores, today).await, [row("before", 1, 32), row("same", 1, 32), row("old", 1, 1)]);
}

pub async fn search_finds_what_the_viewer_may_see(stores: Stores) {
    let (author, friend, stranger) = (UserId::new(), UserId::new(), UserId::new());
    let mut posts: Vec<Post> = Vec::new();
    for (visibility, is_published) in
        [(Visibility::Public, true), (Visibility::Friends, true), (Visibility::Private, true), (Visibility::Public, false)]
    {
        let found = Post { visibility, is_published, ..saying(author, "The quick Café") };
        write(&stores, &found).await;
        write(&stores, &Post { visibility, ..saying(author, "a quick tea") }).await;
        posts.push(found);
    }
    let of = |wanted: &[usize], posts: &[Post]| wanted.iter().rev().map(|at| posts[*at].id.0).collect::<Vec<_>>();
    for limit in [1, 2, 9] {
        for query in ["cafe quick", "CAFÉ", "the \"café\""] {
            assert_eq!(search(&stores, query, None, &[], limit).await, of(&[0], &posts), "{query}");
            assert_eq!(search(&stores, query, Some(stranger), &[friend], limit).await, of(&[0], &posts), "{query}");
            assert_eq!(search(&stores, query, Some(friend), &[author], limit).await, of(&[0, 1], &posts), "{query}");
            assert_eq!(search(&stores, query, Some(author), &[], limit).await, of(&[0, 1, 2, 3], &posts), "{query}");
        }
    }
    assert_eq!(search(&stores, "quick", Some(author), &[], 3).await.len(), 8);
    for nothing in ["caf", "cafe tea", "coffee"] {
        assert_eq!(search(&stores, nothing, Some(author), &[], 5).await, [] as [Uuid; 0], "{nothing}");
    }

    save(&stores, &mut posts[0], |post| post.content = "tea".to_owned()).await;
    save(&stores, &mut posts[1], |post| post.visibility = Visibility::Public).await;
    save(&stores, &mut posts[2], |post| (post.deleted, post.content) = (true, String::new())).await;
    assert_eq!(search(&stores, "cafe", None, &[], 5).await, of(&[1], &posts));
    assert_eq!(search(&stores, "cafe", Some(author), &[], 5).await, of(&[1, 3], &posts));

    // A page goes on behind a post that was deleted meanwhile; behind one that never was there is nothing.
    let from = |id: Uuid| Page { after: Some(Position { sort: 0, id }), limit: 5 };
    let page = |page| stores.content.search("cafe".to_owned(), Some(author), Arc::default(), page);
    assert_eq!(page(from(posts[2].id.0)).await.expect("a page").ids, [posts[1].id.0]);
    assert_eq!(page(from(Uuid::now_v7())).await.expect("a page"), Ids::default());
}

/// Signs of which stores may make one thing or another: what is composed, what stands for letters, what is between words and what is in them.
const SIGNS: [&str; 30] = [
    "é",
    "e\u{301}",
    "q\u{301}",
    "ø",
    "ł",
    "ß",
    "İ",
    "ı",
    "ſ",
    "K",
    "½",
    "²",
    "①",
    "Ⓐ",
    "ﬁ",
    "㎏",
    "№",
    "™",
    "ª",
    "日",
    "क्ष",
    "\u{200d}",
    "\u{ad}",
    "\u{345}",
    "\u{20d7}",
    "'",
    "’",
    "_",
    "\u{e000}",
    "🦀",
];

pub async fn no_search_finds_what_a_change_does_not_name(stores: Stores) {
    let author = UserId::new();
    let pairs = SIGNS.iter().flat_map(|one| SIGNS.iter().map(move |other| format!("{one}{other}")));
    let texts = SIGNS.iter().map(|sign| (*sign).to_owned()).chain(pairs);
    let mut found_by = HashMap::new();
    for text in texts.map(|between| format!("a{between}b B{between} {between}o")) {
        let post = saying(author, &text);
        write(&stores, &post).await;
        found_by.insert(post.id.0, (FoundBy::of_texts([&*text]), text));
    }
    let letters = ["a", "b", "e", "f", "i", "k", "l", "o", "q", "s", "1", "2"];
    let longer = letters.iter().flat_map(|one| letters.iter().map(move |other| format!("{one}{other}")));
    let longest = letters.iter().flat_map(|between| ["a", "b"].map(|end| format!("a{between}{end}")));
    let mut checked = 0;
    for words in letters.iter().map(|letter| (*letter).to_owned()).chain(longer).chain(longest) {
        let query = Query::PostSearch { words: words.clone(), of: None, page: Page::default() };
        for id in search(&stores, &words, None, &[], 100).await {
            let (found_by, text) = &found_by[&id];
            assert!(found_by.as_ref().is_none_or(|found| found.concerns(&query)), "{words:?} finds {text:?}");
            checked += usize::from(found_by.is_some());
        }
    }
    assert!(checked > 500, "of {checked} posts that were found it is known by what");
}

pub async fn no_query_is_an_error(stores: Stores) {
    let author = UserId::new();
    write(&stores, &saying(author, "near and not or 1 ⓐ हिन्दी 日本語 x")).await;
    let queries = [
        "\"",
        "'",
        "*",
        "NEAR(",
        "a OR",
        "AND",
        "NOT x",
        "content:x",
        "x*",
        "^x",
        "{x}",
        "\0x\0",
        "x\\",
        "ⓐ",
        "x ⓐ",
        "हिन्दी",
        "日本語",
        "٣",
        "½",
        "ﬀ",
        "İ",
        "\u{301}",
        "x\u{301}",
        "🦀",
        "%",
        "_",
        "1.5e9",
    ];
    for query in queries.iter().map(|query| (*query).to_owned()).chain([queries.join(" "), "x".repeat(10_000)]) {
        let words = search_words(&query);
        if !words.is_empty() {
            stores.content.search(words, Some(author), Arc::default(), Page::default()).await.unwrap_or_else(|e| panic!("{query:?}: {e}"));
        }
    }
    assert_eq!(search(&stores, "NEAR AND NOT OR", None, &[], 5).await.len(), 1, "words mean themselves");
    assert_eq!(search(&stores, "हिन्दी 日本語", None, &[], 5).await.len(), 1);
}

pub async fn timelines_are_as_their_viewers_may_see_them(stores: Stores) {
    let author = UserId::new();
    let mut posts = Vec::new();
    for n in 0..12 {
        let visibility = [Visibility::Public, Visibility::Friends, Visibility::Private][n % 3];
        let post = Post { visibility, is_published: n % 4 != 3, ..post(author) };
        write(&stores, &post).await;
        posts.insert(0, post);
    }
    save(&stores, &mut posts[0], |post| post.deleted = true).await;
    for (scope, least) in [(Scope::Everyone, 0), (Scope::Friends, 1), (Scope::Author, 2)] {
        let may = |post: &&Post| {
            let rank = if post.is_published { post.visibility as u8 } else { 2 };
            !post.deleted && rank <= least
        };
        let expected: Vec<Uuid> = posts.iter().filter(may).map(|post| post.id.0).collect();
        for limit in [1, 3, 20] {
            let read = walk(limit, async |page| {
                let Ids { ids, next } = stores.content.timeline_for(author, scope, page).await.expect("a page");
                (ids, next)
            });
            assert_eq!(read.await, expected, "{scope:?} by pages of {limit}");
        }
    }
}

pub async fn bookmarks_come_and_go(stores: Stores) {
    let (user, other) = (UserId::new(), UserId::new());
    let keep = async |user: UserId, post_id: PostId| {
        let bookmark = Bookmark { id: BookmarkId::new(), post_id, created_at: NOW };
        let key = Key::new(Kind::Bookmarks, user);
        let outcome = stores.content.commit(commit(key, store::Expect::Any, ContentWrite::AddBookmark(user, bookmark))).await;
        outcome.map(|_| bookmark)
    };
    let give_up = async |user: UserId, id: BookmarkId| {
        let key = Key::new(Kind::Bookmarks, user);
        stores.content.commit(commit(key, store::Expect::Any, ContentWrite::RemoveBookmark(user, id))).await
    };
    let mut kept = Vec::new();
    for id in posts(&stores, other, 5).await {
        kept.insert(0, keep(user, id).await.expect("kept"));
    }
    assert!(matches!(keep(user, kept[0].post_id).await, Err(CommitError::Unchanged)));
    assert!(matches!(keep(user, PostId::new()).await, Err(CommitError::Missing("post"))));
    keep(other, kept[0].post_id).await.expect("kept by two");
    for limit in [1, 2, 5] {
        assert_eq!(walk(limit, async |page| stores.content.bookmarks(user, page).await.expect("a page")).await, kept);
    }
    assert_eq!(stores.content.bookmark(user, kept[1].post_id).await.expect("a read"), Some(kept[1]));
    assert_eq!(stores.content.bookmark(other, kept[1].post_id).await.expect("a read"), None);
    assert!(matches!(give_up(other, kept[0].id).await, Err(CommitError::Missing("bookmark"))), "it is not theirs");
    give_up(user, kept[0].id).await.expect("given up");
    assert!(matches!(give_up(user, kept[0].id).await, Err(CommitError::Missing("bookmark"))));
    assert_eq!(stores.content.bookmarks(user, Page::default()).await.expect("a page").0, kept[1..]);
    assert_eq!(stores.content.bookmark_count(user).await.expect("a count"), 4);
}
