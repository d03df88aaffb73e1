//! What an owner actor needs to know of a domain: how to load it, what to publish of it, and what a command comes to. The decisions are
//! pure: they are given the state, the principal and the time, and never wait.

use crate::{node::Node, snapshot::Snapshot};
use protocol::{
    Command, ErrorCode, Key, Kind, Principal, Query, Refusal, Reply, Timestamp, UserId, View, envelope::Change, file::Quota, found::FoundBy,
};
use std::{future::Future, sync::Arc};
use store::{Expect, StoreError, Touch, Write};
use uuid::Uuid;

pub mod account;
pub mod bookmarks;
pub mod cart;
pub mod case;
pub mod checkout;
pub mod feed;
pub mod file;
pub mod follows;
pub mod list;
pub mod order;
pub mod post;
pub mod product;
pub mod review;
pub mod timeline;
pub mod user;
pub mod wishlist;

/// One domain's entity.
pub trait Entity: Send + Sync + 'static {
    /// Its kind.
    const KIND: Kind;
    /// Whether pages may be kept under the entity's version.
    const KEEPS_PARTS: bool = true;
    /// The state that the owner holds while the entity is warm.
    type State: Send + Sync + 'static;
    /// What may be asked of it.
    type Command: Clone + Send + Sync + 'static;

    /// Takes the kind's own command out of the platform's; `None` if it is another's.
    fn command(command: Command) -> Option<Self::Command>;

    /// Loads the state. `None` if there is no such thing, which is never cached.
    fn load(node: &Arc<Node>, id: Uuid) -> impl Future<Output = Result<Option<Self::State>, StoreError>> + Send;

    /// The state's version.
    fn version(state: &Self::State) -> u64;

    /// About how many bytes the state takes, if it is kept as it is.
    fn bytes(_: &Self::State) -> usize {
        size_of::<Self::State>()
    }

    /// What is published of the state.
    fn view(state: &Self::State) -> View;

    /// For a kind of which many are warm and few are written to: what the body of the state's view does not tell of it. Then this is kept instead of
    /// the state, and [`Entity::unpack`] makes the state again whenever a write or a query needs it. By default the state is kept as it is.
    fn pack(_: &Self::State) -> Option<Box<[u8]>> {
        None
    }

    /// The state, from the body of its view and what [`Entity::pack`] made of it.
    fn unpack(_body: &[u8], _packed: &[u8]) -> Option<Self::State> {
        None
    }

    /// What somebody else needs beside the view to make the state again: the second level, of kinds that it keeps (`store::redis::strategy`), and the next
    /// owner of its slot. `None`: this one is loaded anew. Of kinds whose every change raises their version, since by that it is judged.
    fn freeze(state: &Self::State) -> Option<Box<[u8]>> {
        Self::pack(state)
    }

    /// The state, from its view and what [`Entity::freeze`] made of it.
    fn thaw(view: &View, frozen: &[u8]) -> Option<Self::State> {
        Self::unpack(&view.body, frozen)
    }

    /// Renders a part or page at the state's version.
    fn query(node: &Arc<Node>, id: Uuid, state: Arc<Self::State>, query: Query) -> impl Future<Output = Result<View, QueryError>> + Send;

    /// Decides what a command comes to. `state` is `None` when there is no such thing yet.
    ///
    /// # Errors
    /// The refusal that the client is answered.
    fn decide(state: Option<&Self::State>, asked: &Asked, command: Self::Command) -> Result<Decision<Self::State>, Refusal>;

    /// What another owner's commit makes of the state: by default it is forgotten if it is older.
    fn absorb(state: &Self::State, change: &Change) -> Absorbed<Self::State> {
        Absorbed::by_version(Self::version(state), change)
    }
}

/// The circumstances of a command.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The entity's id.
    pub id: Uuid,
    /// On whose behalf.
    pub principal: Principal,
    /// When.
    pub now: Timestamp,
    /// What one person may have stored, as this node is configured.
    pub quota: Quota,
}

impl Asked {
    /// The person who asks.
    ///
    /// # Errors
    /// `unauthenticated` when nobody signed in.
    pub fn user(&self) -> Result<UserId, Refusal> {
        self.principal.user().ok_or_else(|| ErrorCode::Unauthenticated.into())
    }

    /// Refuses anyone but the platform itself.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn only_platform(&self) -> Result<(), Refusal> {
        if self.principal == Principal::Platform { Ok(()) } else { Err(ErrorCode::Forbidden.into()) }
    }

    /// Refuses anyone but `owner`.
    ///
    /// # Errors
    /// `forbidden`, or `unauthenticated`.
    pub fn only(&self, owner: UserId) -> Result<UserId, Refusal> {
        let user = self.user()?;
        if user == owner { Ok(user) } else { Err(ErrorCode::Forbidden.into()) }
    }

    /// The person who asks; a body that names another one is refused.
    ///
    /// # Errors
    /// `forbidden`, or `unauthenticated`.
    pub fn user_named(&self, named: Option<UserId>) -> Result<UserId, Refusal> {
        named.map_or_else(|| self.user(), |named| self.only(named))
    }
}

/// What a command comes to.
pub enum Decision<S> {
    /// Nothing needs to be written.
    Answer(Reply),
    /// This must be committed first.
    Commit(Box<Plan<S>>),
}

/// A write, and what it makes of the state once it is durable.
pub struct Plan<S> {
    /// The rows.
    pub write: Write,
    /// Which version they presuppose.
    pub expect: Expect,
    /// Which other owners must hear of it.
    pub touches: Vec<Touch>,
    /// The state after it; `None` to load it again when it is next asked for.
    pub next: Option<S>,
    /// The acknowledgement.
    pub reply: Reply,
    /// The acknowledgement if the store finds that nothing had to change.
    pub unchanged: Option<Reply>,
}

impl<S> From<Plan<S>> for Decision<S> {
    fn from(plan: Plan<S>) -> Self {
        Self::Commit(Box::new(plan))
    }
}

/// What a change by another owner makes of a state.
pub enum Absorbed<S> {
    /// The state stands.
    Same,
    /// The state is now this one.
    Next(S),
    /// The state is out of date and is forgotten.
    Stale,
}

impl<S> Absorbed<S> {
    /// What a change makes of a state at this version of which nothing more is known: if it is older, it is out of date.
    fn by_version(known: u64, change: &Change) -> Self {
        let is_older = change.version().is_some_and(|version| known < version);
        if is_older || *change == Change::Gone { Self::Stale } else { Self::Same }
    }
}

/// Why a query was not answered.
#[derive(Debug)]
pub enum QueryError {
    /// The store failed.
    Store(StoreError),
    /// The client is refused.
    Refused(Refusal),
}

impl From<StoreError> for QueryError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl QueryError {
    /// A query that this kind does not know: a fault of the caller's release.
    #[must_use]
    pub fn unknown() -> Self {
        Self::Refused(ErrorCode::BadFrame.into())
    }
}

/// What somebody else needs beside its view to make the state of a snapshot again; `None` if it is of a kind, or in a state, that is loaded anew.
pub(crate) fn freeze(snapshot: &Snapshot) -> Option<Box<[u8]>> {
    fn of<E: Entity>(snapshot: &Snapshot) -> Option<Box<[u8]>> {
        E::freeze(&*snapshot.state::<E>()?)
    }
    match snapshot.key.kind {
        Kind::User => of::<user::User>(snapshot),
        Kind::Account => of::<account::Account>(snapshot),
        Kind::Follows => of::<follows::Follows>(snapshot),
        Kind::Timeline => of::<timeline::Timeline>(snapshot),
        Kind::Post => of::<post::Post>(snapshot),
        Kind::Product => of::<product::Product>(snapshot),
        Kind::ProductList => of::<list::ProductList>(snapshot),
        Kind::PostList => of::<list::PostList>(snapshot),
        Kind::PeopleList => of::<list::PeopleList>(snapshot),
        Kind::SellerProducts => of::<list::SellerProducts>(snapshot),
        Kind::BuyerOrders => of::<list::BuyerOrders>(snapshot),
        Kind::SellerOrders => of::<list::SellerOrders>(snapshot),
        Kind::Hashtag => of::<list::Hashtag>(snapshot),
        Kind::Reviews => of::<list::Reviews>(snapshot),
        Kind::CaseList => of::<list::CaseList>(snapshot),
        Kind::FileList => of::<list::FileList>(snapshot),
        Kind::UserFiles => of::<list::UserFiles>(snapshot),
        // What is pushed into a feed raises no version; the others are small, or one person's alone.
        Kind::Feed | Kind::Order | Kind::Cart | Kind::Wishlist | Kind::Checkout | Kind::Review | Kind::Case | Kind::Bookmarks => None,
        // One look at the store makes them.
        Kind::File | Kind::Content => None,
    }
}

/// Serialises a view's body. The platform's own types always can be. It takes no more memory than its length: a vector grown by doubling would keep
/// up to twice that for as long as the view is warm.
pub(crate) fn json<T: serde::Serialize + ?Sized>(value: &T) -> bytes::Bytes {
    serde_json::to_vec(value).expect("views serialise").into_boxed_slice().into()
}

/// The families of lists. Price-dependent ones move when a price does, those by rating when a rating does, too.
pub mod family {
    use protocol::product::{Selection, Sort};
    use uuid::Uuid;

    /// Products by newest, category or text.
    pub const PRODUCTS: Uuid = Uuid::from_u128(0x1e75_c0de_0000_7000_8000_0000_0000_0001);
    /// Products filtered or sorted by price.
    pub const PRODUCTS_BY_PRICE: Uuid = Uuid::from_u128(0x1e75_c0de_0000_7000_8000_0000_0000_0002);
    /// Products sorted by rating.
    pub const PRODUCTS_BY_RATING: Uuid = Uuid::from_u128(0x1e75_c0de_0000_7000_8000_0000_0000_0004);

    /// The family of a list of products.
    #[must_use]
    pub fn of(selection: &Selection) -> Uuid {
        match selection.sort {
            Sort::Rating => PRODUCTS_BY_RATING,
            _ if selection.depends_on_price() => PRODUCTS_BY_PRICE,
            _ => PRODUCTS,
        }
    }

    /// Public posts.
    pub const POSTS: Uuid = Uuid::from_u128(0x1e75_c0de_0000_7000_8000_0000_0000_0003);
    /// What search finds in posts.
    pub const SEARCH: Uuid = Uuid::from_u128(0x1e75_c0de_0000_7000_8000_0000_0000_0017);
    /// Which hashtags are used much.
    pub const TRENDING: Uuid = Uuid::from_u128(0x1e75_c0de_0000_7000_8000_0000_0000_0018);
    /// People who are searched for.
    pub const PEOPLE: Uuid = Uuid::from_u128(0x1e75_c0de_0000_7000_8000_0000_0000_0013);
    /// Public files.
    pub const FILES: Uuid = Uuid::from_u128(0x1e75_c0de_0000_7000_8000_0000_0000_0016);
    /// Moderation's cases.
    pub const CASES: Uuid = Uuid::from_u128(0x1e75_c0de_0000_7000_8000_0000_0000_0031);
    /// No list: under this key it is committed what follows from what others wrote (`foreign`).
    pub const FOREIGN: Uuid = Uuid::from_u128(0x1e75_c0de_0000_7000_8000_0000_0000_0041);
}

/// What a verdict comes to, whether it was heard before or not.
pub(crate) const fn heard() -> Reply {
    Reply { outcome: protocol::Outcome::Done, version: 0, body: bytes::Bytes::new() }
}

/// Names the key of `kind` for `id` as touched.
pub(crate) fn touch(kind: Kind, id: impl Into<Uuid>) -> Touch {
    Touch::Key(Key::new(kind, id))
}

/// Names the list as touched by something that is, or was, found so.
pub(crate) fn touch_found(kind: Kind, id: Uuid, found: Option<FoundBy>) -> Touch {
    let key = Key::new(kind, id);
    found.map_or(Touch::Key(key), |found| Touch::Found(key, found))
}
