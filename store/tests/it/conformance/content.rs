//! Posts.

use crate::make::*;
use protocol::post::{Post, PostType, Visibility};
use protocol::reaction::{ReactionType, Reactions};
use protocol::{MediaId, Page, PostId, UserId};
use std::sync::Arc;
use store::{CommitError, ContentWrite, Ids, Stores};
use uuid::Uuid;

fn deleting(post: &Post) -> store::Commit<ContentWrite> {
    let gone = Post { deleted: true, content: String::new(), media_ids: Vec::new(), version: post.version + 1, ..post.clone() };
    saving_post(&gone, ContentWrite::SavePost)
}

async fn all_public(stores: &Stores, limit: u16) -> Vec<Uuid> {
    walk(limit, async |page| {
        let Ids { ids, next } = stores.content.public_posts(page).await.expect("a page");
        (ids, next)
    })
    .await
}

async fn all_by(stores: &Stores, authors: &[UserId], limit: u16) -> Vec<Uuid> {
    let authors: Arc<[UserId]> = authors.into();
    walk(limit, async |page| {
        let Ids { ids, next } = stores.content.posts_by(authors.clone(), page).await.expect("a page");
        (ids, next)
    })
    .await
}

pub async fn a_post_is_read_as_written(stores: Stores) {
    let shared = post(UserId::new());
    stores.content.commit(creating(&shared)).await.expect("posted");
    let full = Post {
        parent_id: Some(shared.id),
        content: "a\n\u{1F600} 'b'".to_owned(),
        post_type: PostType::Video,
        media_ids: vec![MediaId::new(), MediaId::new()],
        visibility: Visibility::Friends,
        likes_count: 4,
        shares_count: 6,
        reactions: Reactions::default().replaced(None, Some(ReactionType::Wow)),
        is_published: false,
        updated_at: NOW.plus_ms(9),
        ..post(UserId::new())
    };
    for post in [full, post(UserId::new())] {
        assert_eq!(stores.content.commit(creating(&post)).await.expect("posted").version, 1);
        assert_eq!(stores.content.post(post.id).await.expect("a read"), Some(post.clone()));
        assert!(matches!(stores.content.commit(creating(&post)).await, Err(CommitError::Conflict)), "an id is used once");
    }
    assert_eq!(stores.content.post(PostId::new()).await.expect("a read"), None);
}

pub async fn a_post_is_saved_version_by_version(stores: Stores) {
    let first = post(UserId::new());
    stores.content.commit(creating(&first)).await.expect("posted");
    let next = Post { content: "edited".to_owned(), visibility: Visibility::Private, likes_count: 1, version: 2, ..first };
    let save = || stores.content.commit(saving_post(&next, ContentWrite::SavePost));
    assert_eq!(save().await.expect("saved").version, 2);
    assert_eq!(stores.content.post(next.id).await.expect("a read"), Some(next.clone()));
    assert!(matches!(save().await, Err(CommitError::Conflict)));
    let unknown = Post { version: 2, ..post(UserId::new()) };
    assert!(matches!(stores.content.commit(saving_post(&unknown, ContentWrite::SavePost)).await, Err(CommitError::Conflict)));
}

pub async fn deleted_posts_leave_every_list(stores: Stores) {
    let author = UserId::new();
    let (kept, gone) = (post(author), post(author));
    for post in [&kept, &gone] {
        stores.content.commit(creating(post)).await.expect("posted");
    }
    stores.content.commit(deleting(&gone)).await.expect("deleted");
    let page = Page::default();
    assert_eq!(stores.content.timeline(author, page).await.expect("a page").ids, [kept.id.0]);
    assert_eq!(all_by(&stores, &[author], 10).await, [kept.id.0]);
    assert_eq!(all_public(&stores, 10).await, [kept.id.0]);
    let row = stores.content.post(gone.id).await.expect("a read").expect("the row stays");
    assert_eq!((row.deleted, row.version, row.content.as_str()), (true, 2, ""));
}

pub async fn timelines_are_paged_newest_first(stores: Stores) {
    let (author, other) = (UserId::new(), UserId::new());
    let mut written = Vec::new();
    for n in 0..7 {
        written.extend(posts(&stores, author, 1).await.iter().map(|id| id.0));
        posts(&stores, other, n % 2).await;
    }
    // A timeline has everything that its author may see; who else may is judged at each read.
    let draft = Post { is_published: false, visibility: Visibility::Private, ..post(author) };
    stores.content.commit(creating(&draft)).await.expect("posted");
    written.push(draft.id.0);
    written.reverse();
    for limit in [1, 3, 7, 8, 9] {
        let read = walk(limit, async |page| {
            let Ids { ids, next } = stores.content.timeline(author, page).await.expect("a page");
            (ids, next)
        });
        assert_eq!(read.await, written, "by pages of {limit}");
    }
    assert_eq!(stores.content.timeline(UserId::new(), Page::default()).await.expect("a page"), Ids::default());
}

pub async fn many_authors_are_merged(stores: Stores) {
    let authors: Vec<UserId> = (0..9).map(|_| UserId::new()).collect();
    let mut expected = Vec::new();
    // One writes much, some little, one nothing, and they take turns.
    for round in 0..12 {
        for (n, author) in authors.iter().enumerate().take(8) {
            if round % (n + 1) == 0 {
                expected.extend(posts(&stores, *author, 1).await.iter().map(|id| id.0));
            }
        }
    }
    posts(&stores, UserId::new(), 3).await;
    expected.reverse();
    for limit in [1, 2, 5, 100] {
        assert_eq!(all_by(&stores, &authors, limit).await, expected, "by pages of {limit}");
    }
    let mut reversed = authors.clone();
    reversed.reverse();
    reversed.push(authors[0]);
    assert_eq!(all_by(&stores, &reversed, 4).await, expected, "neither order nor repetition matters");
    assert_eq!(all_by(&stores, &[], 4).await, [] as [Uuid; 0]);

    // A page that was begun is not disturbed by what is written meanwhile.
    let first = stores.content.posts_by(authors.clone().into(), Page::first(5)).await.expect("a page");
    posts(&stores, authors[0], 2).await;
    let rest = stores.content.posts_by(authors.into(), Page { after: first.next, limit: 100 }).await.expect("a page");
    assert_eq!([first.ids, rest.ids].concat(), expected);
}

pub async fn public_posts_are_public_and_published(stores: Stores) {
    let mut expected = Vec::new();
    for visibility in [Visibility::Public, Visibility::Friends, Visibility::Private, Visibility::Public] {
        for is_published in [true, false] {
            let post = Post { visibility, is_published, ..post(UserId::new()) };
            stores.content.commit(creating(&post)).await.expect("posted");
            if visibility == Visibility::Public && is_published {
                expected.insert(0, post);
            }
        }
    }
    let ids = |posts: &[Post]| posts.iter().map(|post| post.id.0).collect::<Vec<_>>();
    for limit in [1, 2, 3] {
        assert_eq!(all_public(&stores, limit).await, ids(&expected), "by pages of {limit}");
    }
    let hidden = Post { visibility: Visibility::Private, version: 2, ..expected.remove(0) };
    stores.content.commit(saving_post(&hidden, ContentWrite::SavePost)).await.expect("saved");
    assert_eq!(all_public(&stores, 10).await, ids(&expected));
}
