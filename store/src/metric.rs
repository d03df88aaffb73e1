//! The store's metrics. Children are resolved once, so that counting is an atomic addition.

use crate::CommitError;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, core::Collector, exponential_buckets};
use std::sync::OnceLock;
use std::time::Duration;

macro_rules! operations {
    ($($name:ident = $text:literal,)*) => {
        /// What a database is asked: the values of the label `operation`.
        #[derive(Clone, Copy)]
        pub(crate) enum Operation { $($name),* }

        impl Operation {
            const NAMES: &'static [&'static str] = &[$($text),*];

            /// The value of the label.
            pub(crate) const fn name(self) -> &'static str {
                Self::NAMES[self as usize]
            }
        }
    };
}

operations! {
    Ping = "ping",
    Epochs = "epochs",
    Fence = "fence",
    Renew = "renew",
    ReadView = "read_view",
    Change = "change",
    RaiseEpochs = "raise_epochs",
    KeyVersion = "key_version",
    Record = "record",
    Outbox = "outbox",
    Confirm = "confirm",
    ForgetRecords = "forget_records",
    ForeignWrites = "foreign_writes",
    Heeded = "heeded",
    Versions = "versions",
    Commit = "commit",
    User = "user",
    Account = "account",
    Credentials = "credentials",
    Relations = "relations",
    FollowPage = "follow_page",
    Followers = "followers",
    Pulled = "pulled",
    SkillOwner = "skill_owner",
    Endorsers = "endorsers",
    Endorsed = "endorsed",
    Post = "post",
    Timeline = "timeline",
    PostsBy = "posts_by",
    PublicPosts = "public_posts",
    Comments = "comments",
    CommentPlace = "comment_place",
    Product = "product",
    Products = "products",
    SellerProducts = "seller_products",
    Orders = "orders",
    OrderProduct = "order_product",
    Reaction = "reaction",
    Blocked = "blocked",
    Inactive = "inactive",
    IsActive = "is_active",
    Audit = "audit",
    Note = "note",
    Tagged = "tagged",
    Trending = "trending",
    PostSearch = "post_search",
    Bookmarks = "bookmarks",
    Bookmark = "bookmark",
    CommentsBy = "comments_by",
    Reacted = "reacted",
    Forget = "forget",
    Named = "named",
    Sessions = "sessions",
    SessionSeen = "session_seen",
    Errands = "errands",
    ErrandDone = "errand_done",
    ErrandFailed = "errand_failed",
    Search = "search",
    Order = "order",
    Cart = "cart",
    Wishes = "wishes",
    Review = "review",
    Reviews = "reviews",
    ReviewsBy = "reviews_by",
    Voted = "voted",
    Checkout = "checkout",
    Reserved = "reserved",
    CheckoutsDue = "checkouts_due",
    ForgetCheckouts = "forget_checkouts",
    Case = "case",
    Flags = "flags",
    Cases = "cases",
    CasesOf = "cases_of",
    Comment = "comment",
    File = "file",
    PublicFiles = "public_files",
    FilesOf = "files_of",
    FilesWith = "files_with",
    Usage = "usage",
    Folder = "folder",
    PendingFiles = "pending_files",
    Hold = "hold",
    Condemn = "condemn",
    Condemned = "condemned",
    ForgetFolder = "forget_folder",
    Purges = "purges",
    Purged = "purged",
    PurgeOf = "purge_of",
    SigningKey = "signing_key",
}

/// The values of the label `outcome`.
const OUTCOMES: [&str; 10] =
    ["committed", "fenced", "conflict", "taken", "missing", "unchanged", "replay", "unavailable", "unknown", "full"];

/// The families, shared by the databases.
pub(crate) struct Metrics {
    queries: IntCounterVec,
    durations: HistogramVec,
    commits: IntCounterVec,
}

/// Makes a family known to the registry; refused where its name is known already.
pub(crate) fn add<C: Collector + Clone + 'static>(registry: &Registry, family: prometheus::Result<C>) -> prometheus::Result<C> {
    let family = family?;
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}

impl Metrics {
    /// Makes the families and registers them; refused where they are registered already.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let query = ["database", "operation"];
        let buckets = exponential_buckets(0.000_05, 2.5, 14)?;
        let duration =
            HistogramOpts::new("store_query_duration_seconds", "From when a database was asked until it answered, waiting included.");
        Ok(Self {
            queries: add(
                registry,
                IntCounterVec::new(
                    Opts::new(
                        "store_queries_total",
                        "Operations that a database carried out; `renew`, `read_view`, `change` and `raise_epochs` of the users database are the cluster's statements.",
                    ),
                    &query,
                ),
            )?,
            durations: add(registry, HistogramVec::new(duration.buckets(buckets), &query))?,
            commits: add(
                registry,
                IntCounterVec::new(Opts::new("store_commits_total", "Commits, by what they came to."), &["database", "outcome"]),
            )?,
        })
    }

    /// One database's part.
    pub(crate) fn database(&self, database: &'static str) -> DatabaseMetrics {
        DatabaseMetrics {
            database,
            queries: self.queries.clone(),
            durations: self.durations.clone(),
            operations: Operation::NAMES.iter().map(|_| OnceLock::new()).collect(),
            commits: OUTCOMES.map(|outcome| self.commits.with_label_values(&[database, outcome])),
        }
    }
}

/// One database's metrics.
pub(crate) struct DatabaseMetrics {
    database: &'static str,
    queries: IntCounterVec,
    durations: HistogramVec,
    /// By [`Operation`], each resolved when it is first used: most databases know only a third of them.
    operations: Box<[OnceLock<(IntCounter, Histogram)>]>,
    commits: [IntCounter; OUTCOMES.len()],
}

impl DatabaseMetrics {
    /// Counts an operation that was carried out.
    pub(crate) fn observe(&self, operation: Operation, took: Duration) {
        let index = operation as usize;
        let (queries, durations) = self.operations[index].get_or_init(|| {
            let labels = [self.database, Operation::NAMES[index]];
            (self.queries.with_label_values(&labels), self.durations.with_label_values(&labels))
        });
        queries.inc();
        durations.observe(took.as_secs_f64());
    }

    /// Counts a commit.
    pub(crate) fn count<T>(&self, outcome: &Result<T, CommitError>) {
        let index = match outcome {
            Ok(_) => 0,
            Err(CommitError::Fenced(_)) => 1,
            Err(CommitError::Conflict) => 2,
            Err(CommitError::Taken(_)) => 3,
            Err(CommitError::Missing(_)) => 4,
            Err(CommitError::Unchanged) => 5,
            Err(CommitError::Replay(_)) => 6,
            Err(CommitError::Unavailable(_)) => 7,
            Err(CommitError::Unknown(_)) => 8,
            Err(CommitError::Full(_)) => 9,
        };
        self.commits[index].inc();
    }
}
