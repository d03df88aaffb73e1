//! A whole platform below the edge: the real store in a directory of its own, behind [`faults`], and the whole supervision tree.

pub mod faults;
pub mod gate;
pub mod make;

pub use faults::{Act, Faults};
pub use gate::{Gate, eventually, within};

use actors::{
    Call, Client, Limits, Node, Snapshot,
    account::Accounts,
    entity, outbox, region,
    supervisor::{self, Child, Intensity, Spec, Supervisor},
};
use protocol::{Command, ErrorCode, Key, Kind, Page, Principal, Query, Refusal, Reply, Role, UserId};
use ractor::{Actor, ActorRef};
use std::{sync::Arc, time::Duration};
use store::{
    Stores,
    sqlite::{Sqlite, SqliteOptions},
};
use tempfile::TempDir;

/// A data directory with its databases.
pub struct Disk {
    sqlite: Sqlite,
    pub faults: Arc<Faults>,
    // Last: it is removed once the databases are closed or given up.
    _dir: TempDir,
}

impl Disk {
    pub fn new() -> Self {
        // The databases sync at each commit; a file system in memory, where there is one, makes that cheap.
        let memory = std::path::Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a directory");
        let options = SqliteOptions { readers: 2, ..SqliteOptions::default() };
        let sqlite = Sqlite::open(dir.path(), &options, &prometheus::Registry::new()).expect("the store opens");
        Self { sqlite, faults: Arc::default(), _dir: dir }
    }

    /// The databases without faults: the truth.
    pub fn truth(&self) -> Stores {
        self.sqlite.stores()
    }
}

/// How a platform is started.
#[derive(Clone)]
pub struct Setup {
    pub limits: Limits,
    pub intensity: Intensity,
    /// Whether outboxes are swept.
    pub sweeper: bool,
    /// The rows of the tree that take the place of the kind's own.
    pub owners: Vec<(Kind, Row)>,
}

/// Makes a kind's row of the tree.
pub type Row = fn(&Arc<Node>, Intensity) -> Child;

impl Default for Setup {
    fn default() -> Self {
        let limits = Limits {
            cache_bytes_max: 16 << 20,
            argon2_memory_kib: 8,
            argon2_passes: 1,
            // Nothing that is refused in time is refused by its deadline.
            request_deadline: 2 * gate::PATIENCE,
            ..Limits::default()
        };
        Self { limits, intensity: Intensity { restarts_max: 5, within: Duration::from_secs(60) }, sweeper: true, owners: Vec::new() }
    }
}

impl Setup {
    fn children(&self, node: &Arc<Node>) -> Vec<Child> {
        let rows: [(Kind, Row); 23] = [
            (Kind::User, region::owners::<entity::user::User>),
            (Kind::Account, region::owners::<entity::account::Account>),
            (Kind::Follows, region::owners::<entity::follows::Follows>),
            (Kind::Timeline, region::owners::<entity::timeline::Timeline>),
            (Kind::Feed, region::owners::<entity::feed::Feed>),
            (Kind::Post, region::owners::<entity::post::Post>),
            (Kind::Product, region::owners::<entity::product::Product>),
            (Kind::BuyerOrders, region::owners::<entity::list::BuyerOrders>),
            (Kind::SellerOrders, region::owners::<entity::list::SellerOrders>),
            (Kind::SellerProducts, region::owners::<entity::list::SellerProducts>),
            (Kind::ProductList, region::owners::<entity::list::ProductList>),
            (Kind::PostList, region::owners::<entity::list::PostList>),
            (Kind::Hashtag, region::owners::<entity::list::Hashtag>),
            (Kind::Bookmarks, region::owners::<entity::bookmarks::Bookmarks>),
            (Kind::PeopleList, region::owners::<entity::list::PeopleList>),
            (Kind::Order, region::owners::<entity::order::Order>),
            (Kind::Cart, region::owners::<entity::cart::Cart>),
            (Kind::Checkout, region::owners::<entity::checkout::Checkout>),
            (Kind::Review, region::owners::<entity::review::Review>),
            (Kind::Reviews, region::owners::<entity::list::Reviews>),
            (Kind::Wishlist, region::owners::<entity::wishlist::Wishlist>),
            (Kind::Case, region::owners::<entity::case::Case>),
            (Kind::CaseList, region::owners::<entity::list::CaseList>),
        ];
        let replaced = |kind| self.owners.iter().find(|(k, _)| *k == kind).map(|(_, row)| *row);
        let mut children: Vec<_> = rows.into_iter().map(|(kind, row)| replaced(kind).unwrap_or(row)(node, self.intensity)).collect();
        if self.sweeper {
            children.push(outbox::sweeper(node));
        }
        children
    }

    /// Starts on a new disk.
    pub async fn start(self) -> Platform {
        self.start_on(Arc::new(Disk::new())).await
    }

    /// Starts on a disk that an earlier platform left.
    pub async fn start_on(self, disk: Arc<Disk>) -> Platform {
        let node = Node::new(
            faults::wrap(&disk.truth(), &disk.faults),
            actors::ownership::Ownership::alone(store::Lease::always()),
            self.limits.clone(),
        );
        node.claim_all().await.expect("the store answers");
        let intensity = Intensity { restarts_max: 3, within: Duration::from_secs(60) };
        let spec = Spec { name: "node".to_owned(), intensity, children: self.children(&node) };
        let (root, _) = Actor::spawn(None, Supervisor, spec).await.expect("the tree starts");
        let client = Client::new(node.clone());
        let accounts = Accounts::new(client.clone()).expect("the parameters are in their ranges");
        Platform { faults: disk.faults.clone(), truth: disk.truth(), client, accounts, node, root, disk }
    }
}

/// A running platform.
pub struct Platform {
    pub client: Client,
    pub accounts: Accounts,
    pub node: Arc<Node>,
    pub root: ActorRef<supervisor::Message>,
    pub faults: Arc<Faults>,
    pub truth: Stores,
    pub disk: Arc<Disk>,
}

/// Somebody who is signed in.
pub fn as_user(id: UserId) -> Principal {
    Principal::User { id, role: Role::User }
}

impl Platform {
    pub async fn start() -> Self {
        Setup::default().start().await
    }

    /// Ends all actors at once, as a crash would, and gives the disk back.
    pub fn crash(self) -> Arc<Disk> {
        self.root.kill();
        self.disk
    }

    /// The same disk under a new platform, whose memory is empty.
    pub async fn restarted(self) -> Self {
        Setup::default().start_on(self.crash()).await
    }

    pub fn call(&self, user: UserId) -> Call {
        self.client.call(as_user(user))
    }

    pub fn anonymous(&self) -> Call {
        self.client.call(Principal::Anonymous)
    }

    /// A write on behalf of `user`, whose answer must come before its deadline.
    pub async fn write(&self, user: UserId, key: Key, command: Command) -> Result<Reply, Refusal> {
        within("a write", self.client.write(&self.call(user), key, command)).await
    }

    pub async fn view(&self, key: Key) -> Result<Arc<Snapshot>, Refusal> {
        within("a read", self.client.view(&self.anonymous(), key)).await
    }

    pub async fn query(&self, key: Key, query: Query) -> Result<Arc<Snapshot>, Refusal> {
        within("a query", self.client.query(&self.anonymous(), key, query)).await
    }

    /// How many requests are in the care of the key's owner.
    pub async fn in_care(&self, key: Key) -> usize {
        let owner = self.node.region.owner(&key).await.expect("the owner lives");
        self.node.limits.owner_inflight_max - owner.permits.available_permits()
    }

    /// Waits until so many requests are in the care of the key's owner.
    pub async fn waiting(&self, key: Key, count: usize) {
        eventually("requests in an owner's care", || async { self.in_care(key).await >= count }).await;
    }

    /// The epoch of the key's slot, as a database has it.
    pub async fn epoch(&self, domain: &dyn store::Domain, key: Key) -> u64 {
        let epochs = domain.epochs().await.expect("the store answers");
        epochs.into_iter().find(|(slot, _)| *slot == key.slot()).map_or(0, |(_, epoch)| epoch.0)
    }

    /// How many effects are in the outboxes.
    pub async fn outbox_rows(&self) -> usize {
        let mut rows = 0;
        for domain in self.truth.domains() {
            rows += domain.outbox(None, 10_000).await.expect("the store answers").len();
        }
        rows
    }

    /// Starts what a setup without a sweeper left out.
    pub async fn start_sweeper(&self) {
        let intensity = Intensity { restarts_max: 0, within: Duration::from_secs(1) };
        let spec = Spec { name: "sweeping".to_owned(), intensity, children: vec![outbox::sweeper(&self.node)] };
        Actor::spawn(None, Supervisor, spec).await.expect("a sweeper");
    }

    /// Whether everything in the tree lives.
    pub async fn healthy(&self) -> bool {
        supervisor::report(&self.root, "node").await.healthy()
    }
}

/// Pages for tests: the first of so many rows.
pub fn first(limit: u16) -> Page {
    Page::first(limit)
}

/// Why a request was refused.
#[track_caller]
pub fn refused<T>(answer: Result<T, Refusal>) -> ErrorCode {
    match answer {
        Ok(_) => panic!("a refusal was expected"),
        Err(refusal) => refusal.code,
    }
}

/// The JSON of a view.
pub fn json(snapshot: &Snapshot) -> serde_json::Value {
    serde_json::from_slice(&snapshot.view.body).expect("views are JSON")
}
