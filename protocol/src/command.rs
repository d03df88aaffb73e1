//! What an owner is asked, and what it answers.

use crate::{
    account, bookmark, cart, checkout, file, follow, hashtag::Hashtag, id::CommentId, id::PostId, id::SkillId, id::UserId, moderation,
    order, page::Page, people, post, product, review, user, wishlist,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A write, addressed to the owner of one key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Command {
    Account(account::Command),
    User(user::Command),
    Follows(follow::Command),
    Timeline(post::NewPost),
    Post(post::Command),
    Product(product::Command),
    Bookmarks(bookmark::Command),
    Order(order::Command),
    Cart(cart::Command),
    Checkout(checkout::Command),
    Review(review::Command),
    Wishlist(wishlist::Command),
    Case(moderation::Command),
    File(file::Command),
}

/// A read of part of an entity. It is also the cache key of that part, so it holds every parameter that the answer depends on.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Query {
    /// A person's own account, with what others may not see.
    Me,
    /// A person's skills.
    Skills,
    /// Who endorsed a skill.
    Endorsements(SkillId, Page),
    /// Who follows a person, newest first.
    Followers(Page),
    /// Whom a person follows, newest first.
    Following(Page),
    /// Posts of a timeline, feed or list, newest first.
    Posts(Page),
    /// Comments of a post that answer no other one, oldest first.
    Comments(Page),
    /// Products of a list, as selected.
    Products(product::Selection),
    /// Orders, newest first.
    Orders(Page),
    /// Answers to a comment of a post, oldest first.
    Replies(CommentId, Page),
    /// How many reacted to a post and how, and how this person did.
    Reactions(Option<UserId>),
    /// Whom a person blocks, newest first.
    Blocked(Page),
    /// Posts of a timeline that such viewers may see, newest first.
    PostsFor(post::Scope, Page),
    /// Public posts with a hashtag, newest first.
    Tagged(Hashtag, Page),
    /// The hashtags that are used most in the days up to this one.
    Trending {
        /// The last day that counts, as [`crate::hashtag::day_of`] counts them.
        today: i64,
        /// How many are wanted.
        limit: u16,
    },
    /// Posts that hold all of some words, newest first.
    PostSearch {
        /// As [`post::search_words`] makes them.
        words: String,
        /// Who looks, and the version of their relations: whose friend they are decides what is found.
        of: Option<(UserId, u64)>,
        /// Which page.
        page: Page,
    },
    /// A person's bookmarks, newest first.
    Bookmarks(Page),
    /// The bookmark that a person has of a post.
    Bookmark(PostId),
    /// People who are searched for, best first.
    People(people::Search),
    /// Reviews, newest first.
    Reviews(Page),
    /// A comment of a post as its author wrote it, also when it is hidden: for its author and moderators.
    Comment(CommentId),
    /// What only moderators see of a case: who flagged the thing, and who decided.
    CaseRecord,
    /// Cases of a list; of the queue only those that stand so.
    Cases(Option<moderation::Status>, Page),
    /// Files of a list, newest first.
    Files(Page),
}

/// What a write came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// Something new exists.
    Created,
    /// The thing is as was asked.
    Done,
}

/// The acknowledgement of a write. Every read that begins after it sees this version or a newer one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reply {
    /// What it came to.
    pub outcome: Outcome,
    /// The version of the thing that `body` shows; 0 where it has none.
    pub version: u64,
    /// JSON of the thing; empty where there is nothing to show.
    pub body: Bytes,
}

/// A client's promise that requests with this key are one request. Kept for 24 hours, scoped by subject and route.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Idempotency {
    /// The route's name.
    pub route: String,
    /// The client's key: 1 to [`Idempotency::KEY_BYTES_MAX`] visible ASCII characters.
    pub key: String,
    /// SHA-256 of path and body: another body under the same key is refused.
    pub fingerprint: [u8; 32],
}

impl Idempotency {
    /// The longest key taken.
    pub const KEY_BYTES_MAX: usize = 255;
    /// How long a record is kept, in milliseconds.
    pub const KEPT_MS: i64 = 24 * 60 * 60 * 1000;
}
