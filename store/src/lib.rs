//! The truth: one trait per domain database, and its implementations.
//!
//! * [`Users`], [`Content`], [`Shop`], [`Media`]: what each domain can load, list and write; all of them are a [`Domain`].
//! * [`errand`]: what is done for a person after they were answered.
//! * [`commit`]: the write protocol's one transaction — epoch guard, compare-and-set, rows, idempotency record, outbox.
//! * [`sqlite`]: the embedded implementation; [`postgres`]: the one that several processes can reach.
//! * [`objects`]: what files are made of, beside the databases.
//! * [`transfer`]: a whole instance as a document, from either implementation into either.
//! * [`cause`]: which request work is done for, as the log tells it.
//! * [`Lease`]: whether the stores are still this process's own.
//!
//! No transaction and no join crosses databases. Every method is safe to cancel; a write that was handed over is carried out all the same.

use async_trait::async_trait;
use protocol::audit::{Entry, Filter};
use protocol::moderation::{Case, Flag, Status, Verdict};
use protocol::people::Search;
use protocol::{
    BookmarkId, CartItemId, CheckoutId, CommentId, Epoch, Key, OrderId, Page, Position, PostId, ProductId, ReviewId, SkillId, Slot,
    Timestamp, UserId,
    account::{Credentials, Device, Reset, Session, TokenHash},
    bookmark::Bookmark,
    cart,
    checkout::{Checkout, Reserved},
    comment::Comment,
    follow::Relations,
    hashtag::Hashtag,
    hashtag::Trend,
    order::Order,
    post::Post,
    post::Scope,
    product::Product,
    product::Selection,
    reaction::ReactionType,
    review::Review,
    user::User,
    wishlist,
};
use std::sync::Arc;
use uuid::Uuid;

pub mod cause;
pub mod commit;
pub mod errand;
pub mod hashtag;
pub mod lease;
mod media;
mod metric;
pub mod objects;
mod page;
pub mod postgres;
pub mod redis;
mod schema;
pub mod sqlite;
mod trace;
pub mod transfer;

pub use commit::{Commit, CommitError, Committed, Effect, Expect, ForeignWrite, Guard, Outboxed, Record, Touch, Write};
pub use errand::{Errand, Task};
pub use lease::Lease;
pub use media::{Media, MediaWrite, Purge};
pub use schema::Applied;

/// Why a read failed. None of these is ever an answer to "does it exist?", and none is cached.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database did not answer, or answered with a fault of its own. A repetition may help.
    #[error("database {database} is unavailable: {reason}")]
    Unavailable {
        /// Which database.
        database: &'static str,
        /// What it said: for logs, never for clients.
        reason: String,
    },
    /// The queue before the database is full.
    #[error("database {database} has its full queue of work")]
    Overloaded {
        /// Which database.
        database: &'static str,
    },
    /// A row holds what this release cannot read.
    #[error("database {database} holds a row that cannot be read: {reason}")]
    Corrupt {
        /// Which database.
        database: &'static str,
        /// Which column, and why.
        reason: String,
    },
}

/// A page of ids, and where the next one begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ids {
    /// The rows, in the list's order.
    pub ids: Vec<Uuid>,
    /// `None` at the end of the list.
    pub next: Option<Position>,
}

/// What every domain database has beside its rows.
#[async_trait]
pub trait Domain: Send + Sync {
    /// The database's name in metrics, health and logs.
    fn database(&self) -> &'static str;

    /// Answers when the database can be read. For readiness.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Every slot's epoch that is not 0.
    async fn epochs(&self) -> Result<Vec<(Slot, Epoch)>, StoreError>;

    /// Raises the slots' epochs to these where they are lower. Once it returns, no commit under a lower epoch can happen any more:
    /// it waits out those in progress. Answers those of these slots whose epoch is higher, as it is. Safe to repeat.
    async fn fence(&self, epochs: Vec<(Slot, Epoch)>) -> Result<Vec<(Slot, Epoch)>, StoreError>;

    /// The version of a key without a row of its own; 0 if nothing ever touched it.
    async fn key_version(&self, key: Key) -> Result<u64, StoreError>;

    /// What a finished request under this idempotency key answered.
    async fn record(&self, subject: UserId, route: &str, key: &str) -> Result<Option<Record>, StoreError>;

    /// Effects that are not confirmed, oldest first: of one write, or of all.
    async fn outbox(&self, write: Option<Uuid>, limit: u32) -> Result<Vec<Outboxed>, StoreError>;

    /// Removes effects that were confirmed. Safe to repeat.
    async fn confirm(&self, ids: Vec<i64>) -> Result<(), StoreError>;

    /// Removes idempotency records made before then. Answers how many.
    async fn forget_records(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// What somebody other than the platform wrote, and nobody heeded yet, oldest first. Nothing where one process has the database to itself.
    async fn foreign_writes(&self, _limit: u32) -> Result<Vec<ForeignWrite>, StoreError> {
        Ok(Vec::new())
    }

    /// Removes foreign writes that were heeded. Safe to repeat.
    async fn heeded(&self, _ids: Vec<i64>) -> Result<(), StoreError> {
        Ok(())
    }

    /// The versions of these keys of a kind: of its rows that are there, or as [`Domain::key_version`] says where keys have no row of their own. For many at
    /// once; what was kept elsewhere is compared with them. Nothing where nothing is kept elsewhere.
    async fn versions(&self, _kind: protocol::Kind, _ids: Vec<Uuid>) -> Result<Vec<(Uuid, u64)>, StoreError> {
        Ok(Vec::new())
    }
}

/// People, accounts, relations.
#[async_trait]
pub trait Users: Domain {
    /// A person with skills; `None` if there is no such person.
    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError>;
    /// An account's role and sessions that expire after `now`, newest first, with the account key's version; `None` if there is no such account or it is not active.
    async fn account(&self, id: UserId, now: Timestamp) -> Result<Option<AccountRow>, StoreError>;
    /// The credentials behind an email address, without regard to case.
    async fn credentials(&self, email: &str) -> Result<Option<Credentials>, StoreError>;
    /// A person's relations; empty at version 0 for somebody unknown.
    async fn relations(&self, id: UserId) -> Result<Relations, StoreError>;
    /// Who follows (`followers`) or whom a person follows, newest first, and how many there are.
    async fn follow_page(&self, id: UserId, followers: bool, page: Page) -> Result<(Ids, u64), StoreError>;
    /// Up to `limit` followers' ids above `after`, ascending: for fan-out.
    async fn followers(&self, id: UserId, after: Option<UserId>, limit: u32) -> Result<Vec<UserId>, StoreError>;
    /// Everyone whose posts are pulled.
    async fn pulled(&self) -> Result<Vec<UserId>, StoreError>;
    /// Whose skill it is. Immutable.
    async fn skill_owner(&self, id: SkillId) -> Result<Option<UserId>, StoreError>;
    /// Who endorsed a skill, newest first.
    async fn endorsers(&self, id: SkillId, page: Page) -> Result<Ids, StoreError>;
    /// Whether this person endorsed this skill.
    async fn endorsed(&self, id: SkillId, by: UserId) -> Result<bool, StoreError>;
    /// Whom a person blocks, newest first, and how many there are.
    async fn blocked(&self, id: UserId, page: Page) -> Result<(Ids, u64), StoreError>;
    /// Everyone who is not active.
    async fn inactive(&self) -> Result<Vec<UserId>, StoreError>;
    /// Whether a person is active; somebody unknown is not.
    async fn is_active(&self, id: UserId) -> Result<bool, StoreError>;
    /// Active people who fit, best first; see [`protocol::people`].
    async fn search(&self, search: Search) -> Result<Ids, StoreError>;
    /// The audit log's entries that fit, newest first.
    async fn audit(&self, filter: Filter, page: Page) -> Result<(Vec<Entry>, Option<Position>), StoreError>;
    /// Adds an entry to the audit log that another database's commit made. Safe to repeat.
    async fn note(&self, entry: Entry) -> Result<(), StoreError>;
    /// The case about a thing.
    async fn case(&self, id: Uuid) -> Result<Option<Case>, StoreError>;
    /// A case's newest flags, the newest first.
    async fn flags(&self, id: Uuid, limit: u32) -> Result<Vec<Flag>, StoreError>;
    /// Cases by [`Case::priority`]: all of them, or those that stand so.
    async fn cases(&self, status: Option<Status>, page: Page) -> Result<Ids, StoreError>;
    /// Cases about what is a person's, newest first.
    async fn cases_of(&self, author: UserId, page: Page) -> Result<Ids, StoreError>;
    /// Carries out a write; see [`commit`].
    async fn commit(&self, commit: Commit<UsersWrite>) -> Result<Committed, CommitError>;
    /// Who has this username or email address, without regard to case; also somebody who is not active.
    async fn named(&self, name: &str) -> Result<Option<UserId>, StoreError>;
    /// An account's sessions that expire after `now`, newest first, with where they were opened. Not cached by anyone.
    async fn sessions(&self, id: UserId, now: Timestamp) -> Result<Vec<SessionRow>, StoreError>;
    /// Notes that a session was in use. Nothing if it is not there any more.
    async fn session_seen(&self, token_hash: TokenHash, at: Timestamp) -> Result<(), StoreError>;
    /// Errands that are due by `now`, the longest due first.
    async fn errands(&self, now: Timestamp, limit: u32) -> Result<Vec<Errand>, StoreError>;
    /// Removes an errand that was run, unless it was asked for again meanwhile. Safe to repeat.
    async fn errand_done(&self, errand: Errand) -> Result<(), StoreError>;
    /// Puts an errand that failed off until `due_at`, unless it was asked for again meanwhile.
    async fn errand_failed(&self, errand: Errand, due_at: Timestamp) -> Result<(), StoreError>;
}

/// What an account's owner holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// The account's role.
    pub role: protocol::Role,
    /// An argon2id hash in PHC form.
    pub password_hash: String,
    /// Open sessions, newest first.
    pub sessions: Vec<Session>,
    /// What may be used to set a new password.
    pub reset: Option<Reset>,
    /// The account key's version.
    pub version: u64,
}

/// A session as its owner is shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// The session.
    pub session: Session,
    /// Where it was opened.
    pub device: Device,
    /// When it was last noted to be in use; `None` if never since it was opened.
    pub seen_at: Option<Timestamp>,
}

/// Writes to the users database. Where a row has a version, the row given is the next one, and the row before it had `version - 1`.
#[derive(Debug, Clone)]
pub enum UsersWrite {
    /// A new person with their first session.
    Register {
        /// The person, at version 1.
        user: Box<User>,
        /// PHC form.
        password_hash: String,
        /// The first session.
        session: Session,
        /// Where it is opened.
        device: Device,
    },
    /// What people are found by whom somebody else wrote, as they are now. [`CommitError::Conflict`] if one of them has another version.
    Reindex(Vec<User>),
    /// A person's next row; skills are not touched.
    Save(Box<User>),
    /// A person's next row, in which they are not active; all their sessions end.
    Suspend(Box<User>),
    /// A person's next row, and a skill added.
    AddSkill(Box<User>, protocol::user::Skill),
    /// A person's next row, and a skill removed with its endorsements.
    RemoveSkill(Box<User>, SkillId),
    /// A person's next row; an endorsement added to, or taken from, one of their skills. Refused as [`CommitError::Unchanged`] if it already was so.
    Endorse {
        /// Next row.
        user: Box<User>,
        /// The skill.
        skill: SkillId,
        /// Who vouches.
        by: UserId,
        /// Added or taken.
        add: bool,
        /// When.
        at: Timestamp,
    },
    /// A session opened; those in `ended` are closed.
    OpenSession {
        /// Whose.
        user: UserId,
        /// The new one.
        session: Session,
        /// Where.
        device: Device,
        /// Token hashes to close.
        ended: Vec<TokenHash>,
    },
    /// A session closed.
    CloseSession {
        /// Whose.
        user: UserId,
        /// Which.
        token_hash: TokenHash,
    },
    /// A follow begun or ended. Refused as [`CommitError::Unchanged`] if it already was so, as [`CommitError::Missing`] if `followee` does not exist
    /// or there is a block between the two.
    Follow {
        /// Who follows.
        follower: UserId,
        /// Whom.
        followee: UserId,
        /// Begun or ended.
        add: bool,
        /// When.
        at: Timestamp,
    },
    /// A person's posts are pulled from now on.
    MarkPulled(UserId),
    /// A block begun, which ends the follows between the two, or ended. Refused as [`CommitError::Unchanged`] if it already was so, as
    /// [`CommitError::Missing`] if `blocked` does not exist.
    Block {
        /// Who blocks.
        blocker: UserId,
        /// Whom.
        blocked: UserId,
        /// Begun or ended.
        add: bool,
        /// When.
        at: Timestamp,
    },
    /// All sessions closed, but perhaps one.
    EndSessions {
        /// Whose.
        user: UserId,
        /// Which goes on.
        keep: Option<TokenHash>,
    },
    /// A new password. All sessions are closed, but perhaps one; a reset under way is worth nothing any more; the person is told by mail.
    SetPassword {
        /// Whose.
        user: UserId,
        /// PHC form.
        password_hash: String,
        /// Which session goes on.
        keep: Option<TokenHash>,
    },
    /// What may be used to set a new password, in place of what could before.
    AllowReset {
        /// Whose.
        user: UserId,
        /// What.
        reset: Reset,
    },
    /// A person who leaves for good: their next row, which is nobody's. Credentials, sessions and skills are gone, and their other things are to be erased.
    Depart(Box<User>),
    /// An errand, due at once. One of the same task that waits already is asked for anew.
    Ask {
        /// For whom.
        user: UserId,
        /// What.
        task: Task,
    },
    /// A case's next row, which at version 1 is new, and a flag. [`CommitError::Unchanged`] if its reporter has flagged the thing already and no
    /// decision came of it yet; [`CommitError::Full`] if too many of theirs wait for one.
    Flag {
        /// Next row.
        case: Box<Case>,
        /// The flag.
        flag: Flag,
    },
    /// A case's next row; nothing waits for a decision on it any more.
    Decide(Box<Case>),
    /// A case's next row.
    SaveCase(Box<Case>),
    /// A person's next row, in which they are active unless the verdict hides them; else all their sessions end. [`CommitError::Unchanged`] if a verdict
    /// of this version of the case or a newer one was heard already.
    Moderate(Box<User>, Verdict),
}

/// Posts that one search looks at, at most: all of them hold its words, and most of them the viewer may see.
pub const SEARCH_EXAMINED_MAX: usize = 100_000;

/// Posts, comments, timelines.
#[async_trait]
pub trait Content: Domain {
    /// A post, deleted ones included.
    async fn post(&self, id: PostId) -> Result<Option<Post>, StoreError>;
    /// An author's posts that are not deleted, newest first.
    async fn timeline(&self, author: UserId, page: Page) -> Result<Ids, StoreError>;
    /// The posts of many authors that are not deleted, newest first.
    async fn posts_by(&self, authors: Arc<[UserId]>, page: Page) -> Result<Ids, StoreError>;
    /// Public, published posts, newest first.
    async fn public_posts(&self, page: Page) -> Result<Ids, StoreError>;
    /// A post's comments that answer `parent`, or those that answer none, oldest first; tombstones included.
    async fn comments(&self, post: PostId, parent: Option<CommentId>, page: Page) -> Result<(Vec<Comment>, Option<Position>), StoreError>;
    /// Which post a comment is on, and who wrote it. Immutable.
    async fn comment_place(&self, id: CommentId) -> Result<Option<(PostId, UserId)>, StoreError>;
    /// A comment, tombstones included.
    async fn comment(&self, id: CommentId) -> Result<Option<Comment>, StoreError>;
    /// How a person reacted to a post.
    async fn reaction(&self, post: PostId, user: UserId) -> Result<Option<ReactionType>, StoreError>;
    /// Those of an author's posts that viewers in this scope may see, newest first.
    async fn timeline_for(&self, author: UserId, scope: Scope, page: Page) -> Result<Ids, StoreError>;
    /// Public posts with a hashtag, newest first.
    async fn tagged(&self, tag: Hashtag, page: Page) -> Result<Ids, StoreError>;
    /// The hashtags of most public posts of the last [`TREND_DAYS`](protocol::hashtag::TREND_DAYS) days, each day counting half of the next one;
    /// among equals by the word.
    async fn trending(&self, today: i64, limit: u16) -> Result<Vec<Trend>, StoreError>;
    /// Posts that hold all of these words (as [`search_words`](protocol::post::search_words) makes them) without regard to case and accents, and that
    /// `viewer`, a friend of these `friends`, may see: newest first. Matches beyond the newest [`SEARCH_EXAMINED_MAX`] are not looked at.
    async fn search(&self, words: String, viewer: Option<UserId>, friends: Arc<[UserId]>, page: Page) -> Result<Ids, StoreError>;
    /// A person's bookmarks, newest first.
    async fn bookmarks(&self, user: UserId, page: Page) -> Result<(Vec<Bookmark>, Option<Position>), StoreError>;
    /// How many bookmarks a person has.
    async fn bookmark_count(&self, user: UserId) -> Result<u64, StoreError>;
    /// Up to `limit` of a person's comments behind `after` that are not deleted, by id.
    async fn comments_by(&self, user: UserId, after: Option<CommentId>, limit: u16) -> Result<Vec<Comment>, StoreError>;
    /// Up to `limit` posts behind `after` to which a person reacted, by id.
    async fn reacted(&self, user: UserId, after: Option<Uuid>, limit: u16) -> Result<Vec<Uuid>, StoreError>;
    /// Removes what only this person sees, and what they left on posts that are gone. For somebody who left: no owner holds any of it. Safe to repeat.
    async fn forget(&self, user: UserId) -> Result<(), StoreError>;
    /// The bookmark that a person has of a post.
    async fn bookmark(&self, user: UserId, post: PostId) -> Result<Option<Bookmark>, StoreError>;
    /// Carries out a write; see [`commit`].
    async fn commit(&self, commit: Commit<ContentWrite>) -> Result<Committed, CommitError>;
}

/// Writes to the content database.
#[derive(Debug, Clone)]
pub enum ContentWrite {
    /// A new post, at version 1. The commit's key is the author's timeline. [`CommitError::Missing`] if it shares a post that is not there.
    /// What is found by it and the shares of what it shares are kept with it; the version of the post that it is counted by is raised.
    CreatePost(Box<Post>),
    /// A post's next row, with what is found by it and the shares of what it shares, as above.
    SavePost(Box<Post>),
    /// What is found by posts that somebody else wrote, as they are now. [`CommitError::Conflict`] if one of them has another version.
    Reindex(Vec<Post>),
    /// A post's next row, and a comment added. [`CommitError::Missing`] if it answers a comment that is not on this post, or was deleted or hidden.
    AddComment(Box<Post>, Comment),
    /// A post's next row, and a comment deleted. One that was answered becomes a tombstone, which goes with its last answer.
    /// [`CommitError::Unchanged`] if it was not there.
    RemoveComment(Box<Post>, CommentId),
    /// A post's next row but for its reactions, which the store counts: a person's reaction is set, or taken back.
    /// [`CommitError::Unchanged`] if it already was so.
    React {
        /// The next row, with the reactions of the one before it.
        post: Box<Post>,
        /// Whose.
        user: UserId,
        /// `None` takes it back.
        reaction: Option<ReactionType>,
    },
    /// A post kept by a person. [`CommitError::Unchanged`] if they keep it already, [`CommitError::Missing`] if there is no such post.
    AddBookmark(UserId, Bookmark),
    /// A person's bookmark given up. [`CommitError::Missing`] if they have no such one.
    RemoveBookmark(UserId, BookmarkId),
    /// A post's next row, hidden or shown as the verdict says. [`CommitError::Unchanged`] if a verdict of this version of the case or a newer one was
    /// heard already.
    Moderate(Box<Post>, Verdict),
    /// A post's next row, and a comment hidden or shown as the verdict says. [`CommitError::Missing`] if it was deleted, [`CommitError::Unchanged`] as
    /// for posts.
    ModerateComment(Box<Post>, CommentId, Verdict),
}

/// Products and orders.
#[async_trait]
pub trait Shop: Domain {
    /// A product, deleted ones included.
    async fn product(&self, id: ProductId) -> Result<Option<Product>, StoreError>;
    /// Products that everyone may see.
    async fn products(&self, selection: Selection) -> Result<Ids, StoreError>;
    /// A seller's products that are not deleted, newest first.
    async fn seller_products(&self, seller: UserId, page: Page) -> Result<Ids, StoreError>;
    /// The orders that a person placed (`buyer`) or received, newest first.
    async fn orders(&self, person: UserId, buyer: bool, page: Page) -> Result<(Vec<Order>, Option<Position>), StoreError>;
    /// Which product an order is of. Immutable.
    async fn order_product(&self, id: OrderId) -> Result<Option<ProductId>, StoreError>;
    /// An order.
    async fn order(&self, id: OrderId) -> Result<Option<Order>, StoreError>;
    /// The lines of a person's cart, oldest first.
    async fn cart(&self, person: UserId) -> Result<Vec<cart::Item>, StoreError>;
    /// What a person wishes for, newest first.
    async fn wishes(&self, person: UserId) -> Result<Vec<wishlist::Item>, StoreError>;
    /// A review.
    async fn review(&self, id: ReviewId) -> Result<Option<Review>, StoreError>;
    /// A product's reviews, newest first.
    async fn reviews(&self, product: ProductId, page: Page) -> Result<Ids, StoreError>;
    /// A person's reviews, newest first.
    async fn reviews_by(&self, person: UserId, page: Page) -> Result<Ids, StoreError>;
    /// Up to `limit` reviews behind `after` that a person finds helpful, by id.
    async fn voted(&self, person: UserId, after: Option<ReviewId>, limit: u16) -> Result<Vec<ReviewId>, StoreError>;
    /// A checkout.
    async fn checkout(&self, id: CheckoutId) -> Result<Option<Checkout>, StoreError>;
    /// What is set aside for a checkout.
    async fn reserved(&self, id: CheckoutId) -> Result<Vec<Reserved>, StoreError>;
    /// Checkouts that should have ended by `now` and have not, with their versions, longest overdue first.
    async fn checkouts_due(&self, now: Timestamp, limit: u32) -> Result<Vec<(CheckoutId, u64)>, StoreError>;
    /// Removes checkouts that began before then and have ended. Answers how many.
    async fn forget_checkouts(&self, before: Timestamp) -> Result<u64, StoreError>;
    /// Carries out a write; see [`commit`].
    async fn commit(&self, commit: Commit<ShopWrite>) -> Result<Committed, CommitError>;
}

/// Writes to the shop database.
#[derive(Debug, Clone)]
pub enum ShopWrite {
    /// A new product, at version 1.
    CreateProduct(Box<Product>),
    /// A product's next row.
    SaveProduct(Box<Product>),
    /// What products are found by that somebody else wrote, as they are now; and what was found by those that are gone. [`CommitError::Conflict`] if
    /// one of them has another version.
    Reindex(Vec<Product>, Vec<ProductId>),
    /// A product's next row, with the stock taken, and the order that took it.
    PlaceOrder(Box<Product>, Box<Order>),
    /// An order's next row.
    SaveOrder(Box<Order>),
    /// An order's next row, which is cancelled; its pieces are in its product's stock again.
    CancelOrder(Box<Order>),
    /// A line of a cart, new or changed. [`CommitError::Missing`] if there is no such product.
    SaveCartItem(UserId, cart::Item),
    /// A line of a cart taken out. [`CommitError::Unchanged`] if it was not there.
    RemoveCartItem(UserId, CartItemId),
    /// A cart emptied.
    ClearCart(UserId),
    /// A product put on a wishlist. [`CommitError::Unchanged`] if it was there, [`CommitError::Missing`] if there is no such product.
    AddWish(UserId, wishlist::Item),
    /// A product taken off a wishlist. [`CommitError::Unchanged`] if it was not there.
    RemoveWish(UserId, ProductId),
    /// A new review, at version 1: the product's rating has it. [`CommitError::Taken`] if its author has one of this product already,
    /// [`CommitError::Missing`] if there is no such product.
    CreateReview(Box<Review>),
    /// A review's next row, and the stars that it gave before: the product's rating follows, unless the review is hidden.
    SaveReview(Box<Review>, u8),
    /// A review removed, given as its next row: the product's rating follows, unless the review was hidden.
    RemoveReview(Box<Review>),
    /// A review's next row; somebody found it helpful, or took that back. [`CommitError::Unchanged`] if it already was so.
    VoteReview {
        /// Next row.
        review: Box<Review>,
        /// Who votes.
        by: UserId,
        /// Given or taken back.
        add: bool,
    },
    /// A checkout that begins, at its next version; at 1 it is new.
    BeginCheckout(Box<Checkout>),
    /// A product's next row, with the stock taken, and the line of a checkout for which it was. The checkout must be reserving at this version, or
    /// [`CommitError::Missing`]; [`CommitError::Unchanged`] if the line is set aside already.
    Reserve(Box<Product>, CheckoutId, u64, Reserved),
    /// A checkout's next row, which is confirmed, and its orders, one for each of its lines: what was set aside and the cart's lines are gone.
    /// [`CommitError::Missing`] if a line is not set aside as it is ordered, or is not in the cart as it was checked out.
    ConfirmCheckout(Box<Checkout>, Vec<Order>),
    /// A checkout's next row, which is released: what was set aside is in stock again.
    ReleaseCheckout(Box<Checkout>),
    /// A product's next row, hidden or shown as the verdict says. [`CommitError::Unchanged`] if a verdict of this version of the case or a newer one was
    /// heard already.
    Moderate(Box<Product>, Verdict),
    /// A review's next row, hidden or shown as the verdict says, and whether it was hidden before: only what is shown is in the product's rating.
    /// [`CommitError::Unchanged`] as for products.
    ModerateReview(Box<Review>, bool, Verdict),
}

/// The stores that a node works on. Cheap to clone.
#[derive(Clone)]
pub struct Stores {
    /// People.
    pub users: Arc<dyn Users>,
    /// Posts.
    pub content: Arc<dyn Content>,
    /// Products.
    pub shop: Arc<dyn Shop>,
    /// Files.
    pub media: Arc<dyn Media>,
    /// What may be lost at any time, where there is one.
    pub second_level: Option<redis::Redis>,
}

impl Stores {
    /// Every database, as what they have in common.
    #[must_use]
    pub fn domains(&self) -> [Arc<dyn Domain>; 4] {
        [self.users.clone(), self.content.clone(), self.shop.clone(), self.media.clone()]
    }

    /// The database that holds `kind`.
    #[must_use]
    pub fn domain(&self, kind: protocol::Kind) -> Arc<dyn Domain> {
        use protocol::Kind;
        match kind {
            Kind::User | Kind::Account | Kind::Follows | Kind::PeopleList | Kind::Case | Kind::CaseList => self.users.clone(),
            Kind::Timeline | Kind::Feed | Kind::Post | Kind::PostList | Kind::Hashtag | Kind::Bookmarks => self.content.clone(),
            Kind::Product | Kind::BuyerOrders | Kind::SellerOrders | Kind::SellerProducts | Kind::ProductList => self.shop.clone(),
            Kind::Order | Kind::Cart | Kind::Checkout | Kind::Reviews | Kind::Review | Kind::Wishlist => self.shop.clone(),
            Kind::File | Kind::UserFiles | Kind::FileList | Kind::Content => self.media.clone(),
        }
    }
}
