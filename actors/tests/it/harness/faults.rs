//! A store that can be made to wait, to fail, and to leave it open whether it wrote.

use super::gate::Gate;
use async_trait::async_trait;
use protocol::audit::{Entry, Filter};
use protocol::moderation::{Case, Flag, Status};
use protocol::people::Search;
use protocol::{
    CheckoutId, CommentId, Epoch, Key, OrderId, Page, Position, PostId, ProductId, ReviewId, SkillId, Slot, Timestamp, UserId,
    account::{Credentials, TokenHash},
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
use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    sync::{Arc, Mutex},
};
use store::{
    AccountRow, Commit, CommitError, Committed, Content, ContentWrite, Domain, Errand, Ids, Outboxed, Record, SessionRow, Shop, ShopWrite,
    StoreError, Stores, Users, UsersWrite,
};
use uuid::Uuid;

/// What becomes of a call.
#[derive(Clone)]
pub enum Act {
    /// It is held, then made.
    HoldCall(Gate),
    /// It is made, and its answer is held.
    HoldAnswer(Gate),
    /// It is not made: the database does not answer.
    Fail,
    /// A commit is made, but nobody can tell.
    DoubtDone,
    /// A commit is not made, but nobody can tell.
    DoubtUndone,
    /// Nobody can tell: the commit reaches the database when the gate opens.
    DoubtLate(Gate),
    /// A commit is refused, as if another one had been faster.
    Conflict,
    /// A commit is made, and the task that made it panics.
    Panic,
}

/// What is to happen to which calls, and how many there were. A call is named by its method; where every database has the method, by
/// `<database>.<method>`, and versions of keys by `key_version.<kind>`.
#[derive(Default)]
pub struct Faults {
    calls: Mutex<HashMap<String, usize>>,
    next: Mutex<HashMap<String, VecDeque<Act>>>,
    always: Mutex<HashMap<String, Act>>,
    outcomes: Mutex<Vec<Result<Committed, CommitError>>>,
}

impl Faults {
    /// How many calls there were.
    pub fn calls(&self, name: &str) -> usize {
        self.calls.lock().expect("no panic").get(name).copied().unwrap_or(0)
    }

    /// How many calls there were of all those methods.
    pub fn sum(&self, names: &[&str]) -> usize {
        names.iter().map(|name| self.calls(name)).sum()
    }

    /// The next call of `name` that nothing is planned for.
    pub fn once(&self, name: &str, act: Act) {
        self.next.lock().expect("no panic").entry(name.to_owned()).or_default().push_back(act);
    }

    /// All calls of `name`, but those planned for by [`Faults::once`].
    pub fn always(&self, name: &str, act: Act) {
        self.always.lock().expect("no panic").insert(name.to_owned(), act);
    }

    /// From now on calls of `name` go through.
    pub fn heal(&self, name: &str) {
        self.always.lock().expect("no panic").remove(name);
    }

    /// What the database answered to commits that something was planned for.
    pub fn outcomes(&self) -> Vec<Result<Committed, CommitError>> {
        self.outcomes.lock().expect("no panic").clone()
    }

    /// Nothing is planned for calls of `name` any more.
    pub fn forget(&self, name: &str) {
        self.heal(name);
        self.next.lock().expect("no panic").remove(name);
    }

    /// Holds the next call of `name`.
    pub fn hold(&self, name: &str) -> Gate {
        let gate = Gate::new();
        self.once(name, Act::HoldCall(gate.clone()));
        gate
    }

    /// Holds the answer of the next call of `name`.
    pub fn hold_answer(&self, name: &str) -> Gate {
        let gate = Gate::new();
        self.once(name, Act::HoldAnswer(gate.clone()));
        gate
    }

    fn begin(&self, name: &str) -> Option<Act> {
        *self.calls.lock().expect("no panic").entry(name.to_owned()).or_default() += 1;
        let planned = self.next.lock().expect("no panic").get_mut(name).and_then(VecDeque::pop_front);
        planned.or_else(|| self.always.lock().expect("no panic").get(name).cloned())
    }

    async fn read<T>(&self, name: &str, call: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
        match self.begin(name) {
            None => call.await,
            Some(Act::HoldCall(gate)) => {
                gate.pass().await;
                call.await
            }
            Some(Act::HoldAnswer(gate)) => {
                let answer = call.await;
                gate.pass().await;
                answer
            }
            Some(Act::Panic) => panic!("asked to"),
            Some(_) => Err(down()),
        }
    }

    async fn commit(
        self: &Arc<Self>,
        name: &str,
        call: impl Future<Output = Result<Committed, CommitError>> + Send + 'static,
    ) -> Result<Committed, CommitError> {
        let Some(act) = self.begin(name) else { return call.await };
        let faults = self.clone();
        let watched = async move {
            let outcome = call.await;
            faults.outcomes.lock().expect("no panic").push(outcome.clone());
            outcome
        };
        match act {
            Act::HoldCall(gate) => {
                gate.pass().await;
                watched.await
            }
            Act::HoldAnswer(gate) => {
                let answer = watched.await;
                gate.pass().await;
                answer
            }
            Act::Fail => Err(CommitError::Unavailable(down())),
            Act::Conflict => Err(CommitError::Conflict),
            Act::DoubtDone => watched.await.and(Err(CommitError::Unknown(down()))),
            Act::DoubtUndone => Err(CommitError::Unknown(down())),
            Act::DoubtLate(gate) => {
                tokio::spawn(async move {
                    gate.pass().await;
                    watched.await
                });
                Err(CommitError::Unknown(down()))
            }
            Act::Panic => {
                let _ = watched.await;
                panic!("asked to")
            }
        }
    }
}

fn down() -> StoreError {
    StoreError::Unavailable { database: "test", reason: "asked to".to_owned() }
}

/// The stores, with faults.
pub fn wrap(stores: &Stores, faults: &Arc<Faults>) -> Stores {
    Stores {
        users: Arc::new(Faulty { inner: stores.users.clone(), faults: faults.clone() }),
        content: Arc::new(Faulty { inner: stores.content.clone(), faults: faults.clone() }),
        shop: Arc::new(Faulty { inner: stores.shop.clone(), faults: faults.clone() }),
        media: stores.media.clone(),
        second_level: stores.second_level.clone(),
    }
}

struct Faulty<S: ?Sized> {
    inner: Arc<S>,
    faults: Arc<Faults>,
}

#[async_trait]
impl<S: Domain + ?Sized> Domain for Faulty<S> {
    fn database(&self) -> &'static str {
        self.inner.database()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.faults.read(&format!("{}.ping", self.database()), self.inner.ping()).await
    }

    async fn epochs(&self) -> Result<Vec<(Slot, Epoch)>, StoreError> {
        self.faults.read(&format!("{}.epochs", self.database()), self.inner.epochs()).await
    }

    async fn fence(&self, epochs: Vec<(Slot, Epoch)>) -> Result<Vec<(Slot, Epoch)>, StoreError> {
        self.faults.read(&format!("{}.fence", self.database()), self.inner.fence(epochs)).await
    }

    async fn key_version(&self, key: Key) -> Result<u64, StoreError> {
        self.faults.read(&format!("key_version.{}", key.kind.name()), self.inner.key_version(key)).await
    }

    async fn record(&self, subject: UserId, route: &str, key: &str) -> Result<Option<Record>, StoreError> {
        self.faults.read(&format!("{}.record", self.database()), self.inner.record(subject, route, key)).await
    }

    async fn outbox(&self, write: Option<Uuid>, limit: u32) -> Result<Vec<Outboxed>, StoreError> {
        self.faults.read(&format!("{}.outbox", self.database()), self.inner.outbox(write, limit)).await
    }

    async fn confirm(&self, ids: Vec<i64>) -> Result<(), StoreError> {
        self.faults.read(&format!("{}.confirm", self.database()), self.inner.confirm(ids)).await
    }

    async fn versions(&self, kind: protocol::Kind, ids: Vec<Uuid>) -> Result<Vec<(Uuid, u64)>, StoreError> {
        self.faults.read(&format!("versions.{}", kind.name()), self.inner.versions(kind, ids)).await
    }

    async fn forget_records(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.faults.read(&format!("{}.forget_records", self.database()), self.inner.forget_records(before)).await
    }
}

/// A domain's own methods: reads by name, and the commit.
macro_rules! faulty {
    ($trait:ident, $write:ty, $database:literal; $(fn $method:ident($($name:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl $trait for Faulty<dyn $trait> {
            $(async fn $method(&self, $($name: $type),*) -> Result<$answer, StoreError> {
                self.faults.read(stringify!($method), self.inner.$method($($name),*)).await
            })*

            async fn commit(&self, commit: Commit<$write>) -> Result<Committed, CommitError> {
                let inner = self.inner.clone();
                self.faults.commit(concat!($database, ".commit"), async move { inner.commit(commit).await }).await
            }
        }
    };
}

faulty! { Users, UsersWrite, "users";
    fn user(id: UserId) -> Option<User>;
    fn account(id: UserId, now: Timestamp) -> Option<AccountRow>;
    fn credentials(email: &str) -> Option<Credentials>;
    fn relations(id: UserId) -> Relations;
    fn follow_page(id: UserId, followers: bool, page: Page) -> (Ids, u64);
    fn followers(id: UserId, after: Option<UserId>, limit: u32) -> Vec<UserId>;
    fn pulled() -> Vec<UserId>;
    fn skill_owner(id: SkillId) -> Option<UserId>;
    fn endorsers(id: SkillId, page: Page) -> Ids;
    fn endorsed(id: SkillId, by: UserId) -> bool;
    fn blocked(id: UserId, page: Page) -> (Ids, u64);
    fn inactive() -> Vec<UserId>;
    fn is_active(id: UserId) -> bool;
    fn audit(filter: Filter, page: Page) -> (Vec<Entry>, Option<Position>);
    fn note(entry: Entry) -> ();
    fn named(name: &str) -> Option<UserId>;
    fn sessions(id: UserId, now: Timestamp) -> Vec<SessionRow>;
    fn session_seen(token_hash: TokenHash, at: Timestamp) -> ();
    fn errands(now: Timestamp, limit: u32) -> Vec<Errand>;
    fn errand_done(errand: Errand) -> ();
    fn errand_failed(errand: Errand, due_at: Timestamp) -> ();
    fn search(search: Search) -> Ids;
    fn case(id: Uuid) -> Option<Case>;
    fn flags(id: Uuid, limit: u32) -> Vec<Flag>;
    fn cases(status: Option<Status>, page: Page) -> Ids;
    fn cases_of(author: UserId, page: Page) -> Ids;
}

faulty! { Content, ContentWrite, "content";
    fn post(id: PostId) -> Option<Post>;
    fn timeline(author: UserId, page: Page) -> Ids;
    fn posts_by(authors: Arc<[UserId]>, page: Page) -> Ids;
    fn public_posts(page: Page) -> Ids;
    fn comments(post: PostId, parent: Option<CommentId>, page: Page) -> (Vec<Comment>, Option<Position>);
    fn comment(id: CommentId) -> Option<Comment>;
    fn comment_place(id: CommentId) -> Option<(PostId, UserId)>;
    fn reaction(post: PostId, user: UserId) -> Option<ReactionType>;
    fn timeline_for(author: UserId, scope: Scope, page: Page) -> Ids;
    fn tagged(tag: Hashtag, page: Page) -> Ids;
    fn trending(today: i64, limit: u16) -> Vec<Trend>;
    fn search(words: String, viewer: Option<UserId>, friends: Arc<[UserId]>, page: Page) -> Ids;
    fn bookmarks(user: UserId, page: Page) -> (Vec<Bookmark>, Option<Position>);
    fn bookmark_count(user: UserId) -> u64;
    fn comments_by(user: UserId, after: Option<CommentId>, limit: u16) -> Vec<Comment>;
    fn reacted(user: UserId, after: Option<Uuid>, limit: u16) -> Vec<Uuid>;
    fn forget(user: UserId) -> ();
    fn bookmark(user: UserId, post: PostId) -> Option<Bookmark>;
}

faulty! { Shop, ShopWrite, "shop";
    fn product(id: ProductId) -> Option<Product>;
    fn products(selection: Selection) -> Ids;
    fn seller_products(seller: UserId, page: Page) -> Ids;
    fn orders(person: UserId, buyer: bool, page: Page) -> (Vec<Order>, Option<Position>);
    fn order_product(id: OrderId) -> Option<ProductId>;
    fn order(id: OrderId) -> Option<Order>;
    fn cart(person: UserId) -> Vec<cart::Item>;
    fn wishes(person: UserId) -> Vec<wishlist::Item>;
    fn review(id: ReviewId) -> Option<Review>;
    fn reviews(product: ProductId, page: Page) -> Ids;
    fn reviews_by(person: UserId, page: Page) -> Ids;
    fn voted(person: UserId, after: Option<ReviewId>, limit: u16) -> Vec<ReviewId>;
    fn checkout(id: CheckoutId) -> Option<Checkout>;
    fn reserved(id: CheckoutId) -> Vec<Reserved>;
    fn checkouts_due(now: Timestamp, limit: u32) -> Vec<(CheckoutId, u64)>;
    fn forget_checkouts(before: Timestamp) -> u64;
}
