//! Comments and their threads.

use crate::make::*;
use protocol::comment::Comment;
use protocol::post::Post;
use protocol::{CommentId, Page, Position, PostId, UserId};
use store::{CommitError, Committed, ContentWrite, Stores};
use uuid::Uuid;

/// Writes a post.
async fn posted(stores: &Stores) -> Post {
    let post = post(UserId::new());
    stores.content.commit(creating(&post)).await.expect("posted");
    post
}

/// Comments on a post, or answers a comment on it.
async fn add(stores: &Stores, on: &mut Post, comment: &Comment) -> Result<Committed, CommitError> {
    let next = Post { version: on.version + 1, comments_count: on.comments_count + 1, ..on.clone() };
    let committed = stores.content.commit(saving_post(&next, |p| ContentWrite::AddComment(p, comment.clone()))).await?;
    *on = next;
    Ok(committed)
}

async fn remove(stores: &Stores, on: &mut Post, id: CommentId) -> Result<Committed, CommitError> {
    let next = Post { version: on.version + 1, comments_count: on.comments_count.saturating_sub(1), ..on.clone() };
    let committed = stores.content.commit(saving_post(&next, |p| ContentWrite::RemoveComment(p, id))).await?;
    *on = next;
    Ok(committed)
}

fn answer(parent: &Comment) -> Comment {
    Comment { parent_id: Some(parent.id), ..comment(parent.post_id, NOW) }
}

async fn rows(stores: &Stores, on: &Post, parent: Option<&Comment>) -> Vec<Comment> {
    stores.content.comments(on.id, parent.map(|parent| parent.id), Page::default()).await.expect("a page").0
}

pub async fn comments_are_paged_oldest_first(stores: Stores) {
    let mut on = posted(&stores).await;
    let (mut top, mut answers): (Vec<Comment>, Vec<Comment>) = Default::default();
    for n in 0..9 {
        // Instants repeat, and the clock goes back once.
        let comment = comment(on.id, NOW.plus_ms([3, 3, 3, 1, 2, 2, 4, 4, 4][n]));
        add(&stores, &mut on, &comment).await.expect("commented");
        let answer = Comment { parent_id: Some(top.first().unwrap_or(&comment).id), ..comment.clone() };
        let answer = Comment { id: CommentId::new(), ..answer };
        add(&stores, &mut on, &answer).await.expect("answered");
        top.push(comment);
        answers.push(answer);
    }
    let first = top[0].clone();
    top[0].reply_count = 9;
    for list in [&mut top, &mut answers] {
        list.sort_by_key(|c| (c.created_at, c.id));
    }
    for (parent, expected) in [(None, &top), (Some(first.id), &answers)] {
        for limit in [1, 2, 4, 9, 10] {
            let read = walk(limit, async |page| stores.content.comments(on.id, parent, page).await.expect("a page"));
            assert_eq!(&read.await, expected, "of {parent:?} by pages of {limit}");
        }
        let end = Page { after: Some(Position { sort: i64::MAX, id: Uuid::nil() }), limit: 5 };
        assert_eq!(stores.content.comments(on.id, parent, end).await.expect("a page"), (vec![], None));
        assert_eq!(stores.content.comments(PostId::new(), parent, Page::default()).await.expect("a page"), (vec![], None));
    }
    assert_eq!(stores.content.post(on.id).await.expect("a read"), Some(on));
}

pub async fn comments_come_and_go(stores: Stores) {
    let (mut on, mut other) = (posted(&stores).await, posted(&stores).await);
    let first = comment(on.id, NOW);
    add(&stores, &mut on, &first).await.expect("commented");
    let place = stores.content.comment_place(first.id).await.expect("a read");
    assert_eq!(place, Some((on.id, first.user_id)));
    assert_eq!(stores.content.comment_place(CommentId::new()).await.expect("a read"), None);

    // An answer to a comment on another post, or to none, is refused whole.
    for parent in [first.id, CommentId::new()] {
        let stray = Comment { parent_id: Some(parent), ..comment(other.id, NOW) };
        assert!(matches!(add(&stores, &mut other, &stray).await, Err(CommitError::Missing("comment"))));
        assert_eq!(stores.content.comment_place(stray.id).await.expect("a read"), None);
    }
    assert_eq!(stores.content.post(other.id).await.expect("a read").expect("the post").version, 1);

    assert!(matches!(remove(&stores, &mut other, first.id).await, Err(CommitError::Unchanged)), "it is not on that post");
    remove(&stores, &mut on, first.id).await.expect("removed");
    assert!(matches!(remove(&stores, &mut on, first.id).await, Err(CommitError::Unchanged)));
    assert_eq!(rows(&stores, &on, None).await, []);
    assert_eq!(stores.content.post(on.id).await.expect("a read").expect("the post").version, 3);
}

pub async fn a_deleted_comment_stands_while_it_is_answered(stores: Stores) {
    let mut on = posted(&stores).await;
    let first = comment(on.id, NOW);
    let (second, sibling) = (answer(&first), answer(&first));
    let third = answer(&second);
    for comment in [&first, &second, &sibling, &third] {
        add(&stores, &mut on, comment).await.expect("commented");
    }
    assert_eq!(rows(&stores, &on, None).await, [Comment { reply_count: 2, ..first.clone() }]);

    for gone in [&second, &first] {
        remove(&stores, &mut on, gone.id).await.expect("removed");
    }
    let tombstone = |of: &Comment, replies| Comment { content: String::new(), deleted: true, reply_count: replies, ..of.clone() };
    assert_eq!(rows(&stores, &on, None).await, [tombstone(&first, 2)]);
    assert_eq!(rows(&stores, &on, Some(&first)).await, [tombstone(&second, 1), sibling.clone()]);
    assert_eq!(rows(&stores, &on, Some(&second)).await, std::slice::from_ref(&third));
    assert!(matches!(add(&stores, &mut on, &answer(&first)).await, Err(CommitError::Missing("comment"))), "nobody answers what is gone");
    assert!(matches!(remove(&stores, &mut on, first.id).await, Err(CommitError::Unchanged)));

    // With its last answer a tombstone goes, and so does the one above it once nothing is left below.
    remove(&stores, &mut on, third.id).await.expect("removed");
    assert_eq!(rows(&stores, &on, Some(&first)).await, std::slice::from_ref(&sibling));
    assert_eq!(rows(&stores, &on, None).await, [tombstone(&first, 1)]);
    remove(&stores, &mut on, sibling.id).await.expect("removed");
    assert_eq!(rows(&stores, &on, None).await, []);
    assert_eq!(stores.content.comment_place(first.id).await.expect("a read"), None);
}
