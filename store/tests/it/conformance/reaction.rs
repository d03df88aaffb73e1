//! Reactions to posts.

use crate::make::*;
use protocol::post::Post;
use protocol::reaction::ReactionType::{self, Angry, Like, Love};
use protocol::{PostId, UserId};
use store::{CommitError, ContentWrite, Stores};

/// Reacts to a post, and reads it again.
async fn react(stores: &Stores, on: &Post, user: UserId, reaction: Option<ReactionType>) -> Result<Post, CommitError> {
    let next = Post { version: on.version + 1, ..on.clone() };
    stores.content.commit(saving_post(&next, |post| ContentWrite::React { post, user, reaction })).await?;
    Ok(stores.content.post(on.id).await.expect("a read").expect("the post"))
}

pub async fn a_person_has_one_reaction(stores: Stores) {
    let on = post(UserId::new());
    stores.content.commit(creating(&on)).await.expect("posted");
    let (ada, bob) = (UserId::new(), UserId::new());
    let own = async |user| stores.content.reaction(on.id, user).await.expect("a read");
    assert_eq!(own(ada).await, None);

    let liked = react(&stores, &on, ada, Some(Like)).await.expect("liked");
    let loved = react(&stores, &liked, bob, Some(Love)).await.expect("loved");
    assert_eq!((loved.likes_count, loved.reactions.of(Like), loved.reactions.of(Love), loved.version), (2, 1, 1, 3));
    assert_eq!((own(ada).await, own(bob).await), (Some(Like), Some(Love)));
    assert_eq!(loved.updated_at, on.updated_at, "nobody edited it");

    let angry = react(&stores, &loved, ada, Some(Angry)).await.expect("replaced");
    assert_eq!((angry.likes_count, angry.reactions.of(Like), angry.reactions.of(Angry)), (2, 0, 1));
    let gone = react(&stores, &angry, ada, None).await.expect("taken back");
    assert_eq!((gone.likes_count, gone.reactions.of(Angry), gone.version), (1, 0, 5));
    assert_eq!(own(ada).await, None);
}

pub async fn a_reaction_that_is_so_already_changes_nothing(stores: Stores) {
    let on = post(UserId::new());
    stores.content.commit(creating(&on)).await.expect("posted");
    let ada = UserId::new();
    assert!(matches!(react(&stores, &on, ada, None).await, Err(CommitError::Unchanged)));
    let liked = react(&stores, &on, ada, Some(Like)).await.expect("liked");
    assert!(matches!(react(&stores, &liked, ada, Some(Like)).await, Err(CommitError::Unchanged)));
    assert!(matches!(react(&stores, &on, ada, Some(Love)).await, Err(CommitError::Conflict)), "counted from an older version");
    assert_eq!(stores.content.post(on.id).await.expect("a read"), Some(liked));
    assert_eq!(stores.content.reaction(on.id, ada).await.expect("a read"), Some(Like));
    assert_eq!(stores.content.reaction(PostId::new(), ada).await.expect("a read"), None);
}
