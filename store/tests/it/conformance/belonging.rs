//! What is one person's, wherever it is: found for them, and forgotten.

use crate::make::*;
use protocol::bookmark::Bookmark;
use protocol::comment::Comment;
use protocol::post::Post;
use protocol::reaction::ReactionType;
use protocol::{BookmarkId, Key, Kind, Page, UserId};
use store::{ContentWrite, Expect, Stores};

/// A post with a comment and a reaction of `by`, as it is after them.
async fn marked(stores: &Stores, by: UserId) -> (Post, Comment) {
    let first = post(UserId::new());
    stores.content.commit(creating(&first)).await.expect("posted");
    let comment = Comment { user_id: by, ..comment(first.id, NOW) };
    let second = Post { version: 2, comments_count: 1, ..first };
    stores.content.commit(saving_post(&second, |post| ContentWrite::AddComment(post, comment.clone()))).await.expect("commented");
    let third = Post { version: 3, ..second };
    let reacting = saving_post(&third, |post| ContentWrite::React { post, user: by, reaction: Some(ReactionType::Like) });
    stores.content.commit(reacting).await.expect("reacted");
    (stores.content.post(third.id).await.expect("a read").expect("the post"), comment)
}

pub async fn a_persons_comments_and_reactions_are_found(stores: Stores) {
    let (ada, bob) = (UserId::new(), UserId::new());
    let mut comments = Vec::new();
    let mut posts = Vec::new();
    for _ in 0..5 {
        let (on, comment) = marked(&stores, ada).await;
        marked(&stores, bob).await;
        comments.push(comment.id);
        posts.push(on.id.0);
    }
    comments.sort_unstable();
    posts.sort_unstable();
    for limit in [1, 2, 5, 6] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let batch = stores.content.comments_by(ada, after, limit).await.expect("a read");
            assert!(batch.len() <= usize::from(limit) && batch.iter().all(|comment| comment.user_id == ada && !comment.deleted));
            found.extend(batch.iter().map(|comment| comment.id));
            after = batch.last().map(|comment| comment.id);
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, comments, "by {limit}");
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let batch = stores.content.reacted(ada, after, limit).await.expect("a read");
            after = batch.last().copied();
            found.extend(batch);
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, posts, "by {limit}");
    }
    assert_eq!(stores.content.comments_by(UserId::new(), None, 10).await.expect("a read"), []);
}

pub async fn what_no_owner_would_find_is_forgotten(stores: Stores) {
    let (ada, bob) = (UserId::new(), UserId::new());
    let (living, on_living) = marked(&stores, ada).await;
    let (gone, _) = marked(&stores, ada).await;
    let deleted = Post { version: gone.version + 1, deleted: true, content: String::new(), ..gone.clone() };
    stores.content.commit(saving_post(&deleted, ContentWrite::SavePost)).await.expect("deleted");
    for user in [ada, bob] {
        let bookmark = Bookmark { id: BookmarkId::new(), post_id: living.id, created_at: NOW };
        let write = ContentWrite::AddBookmark(user, bookmark);
        stores.content.commit(commit(Key::new(Kind::Bookmarks, user), Expect::Any, write)).await.expect("kept");
    }

    for _again in 0..2 {
        stores.content.forget(ada).await.expect("forgotten");
        // What is on a living post is its owner's to remove: that one counts it.
        let left = stores.content.comments_by(ada, None, 10).await.expect("a read");
        assert_eq!(left.iter().map(|comment| comment.id).collect::<Vec<_>>(), [on_living.id]);
        assert_eq!(stores.content.reacted(ada, None, 10).await.expect("a read"), [living.id.0]);
        let kept = async |user| stores.content.bookmarks(user, Page::default()).await.expect("a read").0.len();
        assert_eq!((kept(ada).await, kept(bob).await), (0, 1));
    }
    let (rows, _) = stores.content.comments(gone.id, None, Page::default()).await.expect("a read");
    assert!(rows.iter().all(|comment| comment.content.is_empty()), "{rows:?}");
}
