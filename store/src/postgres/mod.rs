//! PostgreSQL: the store that several processes can reach.
//!
//! One database a domain, each with connections of its own. A read is one prepared statement, look-ups by key travel together (`shared`), a write is one
//! round trip (`transaction`).
//! `membership` is what the cluster's nodes ask of it.
//! `target` says where a database is and how the way there is secured, `migration` brings it to this release's schema, `lease` keeps a second
//! process away where one has the stores to itself.

mod column;
mod connection;
mod content;
mod database;
mod examine;
mod fault;
mod lease;
mod media;
mod membership;
mod metric;
mod migration;
mod pipeline;
mod pool;
mod shared;
mod shop;
#[cfg(test)]
mod statement;
mod target;
mod transaction;
pub mod transfer;
mod users;
mod verdict;
mod words;

pub use examine::{Examined, examine};
pub use lease::{InstanceLease, LeaseError, Lost};
pub use membership::{Membership, living_nodes};

use crate::metric::{DatabaseMetrics, Metrics};
use crate::schema::{Applied, checksum};
use crate::{ContentWrite, MediaWrite, ShopWrite, Stores, UsersWrite};
use column::Columns;
use database::Database;
use migration::{How, SCHEMAS};
use pool::Pool;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use target::Target;
use uuid::Uuid;

const INSTANCE: &str = "SELECT name FROM instance";

/// Where the databases are. A URL holds a password: it is not to be printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Urls {
    /// The server of all databases that have no URL of their own. A name in it is what theirs begin with: `…/app` has `app_users`.
    pub all: Option<String>,
    /// The users database.
    pub users: Option<String>,
    /// The content database.
    pub content: Option<String>,
    /// The shop database.
    pub shop: Option<String>,
    /// The media database.
    pub media: Option<String>,
    /// Certificates in PEM that a server's must come from where a URL says `sslmode=verify-full`; else those that this machine trusts.
    pub ca_file: Option<PathBuf>,
}

impl Urls {
    fn targets(&self) -> Result<[Target; 4], OpenError> {
        let target = |database, own: &Option<String>| match (own, &self.all) {
            (Some(url), _) => Target::parse(database, url, false, self.ca_file.as_deref()),
            (None, Some(url)) => Target::parse(database, url, true, self.ca_file.as_deref()),
            (None, None) => Err(OpenError::Url { database, reason: "there is none".to_owned() }),
        };
        let targets =
            [target("users", &self.users)?, target("content", &self.content)?, target("shop", &self.shop)?, target("media", &self.media)?];
        for (place, target) in targets.iter().enumerate() {
            if let Some(other) = targets[..place].iter().find(|other| target.is(other)) {
                let reason = format!("it is the {} database's too, and each needs a database of its own", other.database);
                return Err(OpenError::Url { database: target.database, reason });
            }
        }
        Ok(targets)
    }
}

/// Limits of each of the databases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresOptions {
    /// Connections that have one user at a time, at most. At least 1; less is taken as 1.
    pub connections_max: u32,
    /// Connections that look-ups by key share, beside those. At least 1; less is taken as 1.
    pub shared_connections: u32,
    /// Operations that wait for a connection, and look-ups under way on a shared one. One more is refused as overloaded.
    pub waiting_max: usize,
    /// How long an operation waits for a connection.
    pub checkout_max: Duration,
    /// How long making a connection may take.
    pub connect_max: Duration,
    /// How long the server works on one statement, its wait for locks included. What takes two seconds longer than this is given up here.
    pub statement_max: Duration,
    /// How long a connection stays without use.
    pub idle_max: Duration,
    /// How old a connection becomes.
    pub lifetime_max: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            connections_max: 16,
            shared_connections: 2,
            waiting_max: 4096,
            checkout_max: Duration::from_secs(2),
            connect_max: Duration::from_secs(3),
            statement_max: Duration::from_secs(5),
            idle_max: Duration::from_secs(600),
            lifetime_max: Duration::from_secs(1800),
        }
    }
}

/// Why the databases could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The URL cannot be used.
    #[error("the URL of the {database} database cannot be used: {reason}")]
    Url {
        /// Which database.
        database: &'static str,
        /// Why; without the URL, which holds a password.
        reason: String,
    },
    /// The server does not answer.
    #[error("the server of the {database} database, {server}, cannot be reached: is it running, and is the URL right? ({reason})")]
    Unreachable {
        /// Which database.
        database: &'static str,
        /// Host and port.
        server: String,
        /// What happened.
        reason: String,
    },
    /// The server does not let the role in.
    #[error("the server of the {database} database, {server}, does not let {role} in: is the password right? ({reason})")]
    Refused {
        /// Which database.
        database: &'static str,
        /// Host and port.
        server: String,
        /// Who.
        role: String,
        /// What the server said.
        reason: String,
    },
    /// There is no such database, and the role may not make one.
    #[error("the {database} database does not exist on {server} and cannot be created ({reason}); as a superuser, run: {command}")]
    Missing {
        /// Which database.
        database: &'static str,
        /// Host and port.
        server: String,
        /// SQL that makes it.
        command: String,
        /// What the server said.
        reason: String,
    },
    /// There is no such database yet.
    #[error("the {database} database does not exist on {server} yet: run `lets-connect migrate`, which makes it where the role may")]
    Absent {
        /// Which database.
        database: &'static str,
        /// Host and port.
        server: String,
    },
    /// The server is older than what this release is tested with.
    #[error("the server of the {database} database, {server}, is PostgreSQL {found}; this release needs {needed} or newer")]
    TooOld {
        /// Which database.
        database: &'static str,
        /// Host and port.
        server: String,
        /// Its release.
        found: u32,
        /// The oldest that will do.
        needed: u32,
    },
    /// A newer release migrated the database. Older ones cannot know what its rows mean.
    #[error(
        "database {database} is at schema version {found}, and this release knows {known}: start the release that migrated it, or a newer one"
    )]
    Newer {
        /// Which database.
        database: &'static str,
        /// Its version.
        found: u32,
        /// The newest version of this release.
        known: usize,
    },
    /// A migration that was applied is not the one that this release has under its number.
    #[error(
        "database {database} was brought to version {version} by another migration ({name}) than this release's: start the release that made it"
    )]
    Edited {
        /// Which database.
        database: &'static str,
        /// The migration's version.
        version: u32,
        /// The name under which it was applied.
        name: String,
    },
    /// The schema is older than this release's, and the role may not change it.
    #[error(
        "database {database} is to be migrated, which its role may not: run `lets-connect migrate --grant {role}` with the URL of the role that owns it"
    )]
    NoRight {
        /// Which database.
        database: &'static str,
        /// Who may not.
        role: String,
    },
    /// The server refused a statement, or went away meanwhile.
    #[error("database {database} cannot be brought to this release's schema: {reason}")]
    Sql {
        /// Which database.
        database: &'static str,
        /// What it said.
        reason: String,
    },
    /// The server did not say what it was asked.
    #[error("database {database} cannot be looked at: {reason}")]
    Examine {
        /// Which database.
        database: &'static str,
        /// What happened.
        reason: String,
    },
    /// An import into the databases is unfinished: what is there is a part of an instance.
    #[error(
        "an import into database {database} is unfinished: repeat `lets-connect import` with the same document, which goes on where it was"
    )]
    Unfinished {
        /// Which database.
        database: &'static str,
    },
    /// The metrics are registered already: the registry serves another store.
    #[error("the store's metrics cannot be registered")]
    Metrics(#[source] prometheus::Error),
}

impl OpenError {
    fn sql(database: &'static str) -> impl Fn(tokio_postgres::Error) -> Self + Copy {
        move |error| Self::Sql { database, reason: fault::describe(&error) }
    }
}

/// Brings the databases to this release's schema, and answers what that took; makes those that are missing where the role may. `dry_run` only says
/// what it would take, and changes nothing.
///
/// # Errors
/// See [`OpenError`]. Safe to repeat: what was applied before a failure stays applied.
pub async fn migrate(urls: &Urls, connect_max: Duration, dry_run: bool) -> Result<Vec<Applied>, OpenError> {
    bring_up(urls, connect_max, if dry_run { How::Told } else { How::AtOnce }).await
}

/// As [`migrate`], beside a platform that goes on writing: indexes of migrations that begin with `-- online` are built without keeping anybody from
/// writing, which takes longer, and no other lock is waited for longer than a second.
///
/// # Errors
/// See [`OpenError`]. Safe to repeat, whatever interrupted it: an index that was begun is dropped and built anew.
pub async fn migrate_online(urls: &Urls, connect_max: Duration) -> Result<Vec<Applied>, OpenError> {
    bring_up(urls, connect_max, How::Online).await
}

async fn bring_up(urls: &Urls, connect_max: Duration, how: How) -> Result<Vec<Applied>, OpenError> {
    let mut applied = Vec::new();
    for (mut target, schema) in urls.targets()?.into_iter().zip(&SCHEMAS) {
        // Building an index on a large table takes what it takes.
        target.configure(connect_max, None);
        let mut client = migration::connect(&target).await?;
        applied.extend(migration::bring_up(&mut client, schema, how).await?);
    }
    Ok(applied)
}

/// Gives a role what a running platform needs in each database: to read and write rows. Changing the schema stays with whoever migrates.
///
/// # Errors
/// See [`OpenError`]. Safe to repeat.
pub async fn grant(urls: &Urls, connect_max: Duration, role: &str) -> Result<(), OpenError> {
    for mut target in urls.targets()? {
        target.configure(connect_max, None);
        migration::grant(&migration::connect(&target).await?, target.database, role).await?;
    }
    Ok(())
}

/// Names this release's schema: equal as long as no migration was added.
#[must_use]
pub fn schema_version() -> String {
    let sums = SCHEMAS.iter().flat_map(|schema| schema.migrations).map(|migration| checksum(migration.sql)).collect::<Vec<_>>().concat();
    checksum(&sums).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Open databases. Dropping the last clone of its [`Stores`] ends the connections.
pub struct Postgres {
    stores: Stores,
    instance: Uuid,
    /// The database of the cluster's tables.
    users: (Target, Arc<DatabaseMetrics>),
}

impl Postgres {
    /// Migrates the databases, and opens a pool for each.
    ///
    /// # Errors
    /// See [`OpenError`]. What was migrated before a failure stays migrated; repeating is safe.
    pub async fn open(urls: &Urls, options: &PostgresOptions, registry: &prometheus::Registry) -> Result<Self, OpenError> {
        for (mut target, schema) in urls.targets()?.into_iter().zip(&SCHEMAS) {
            target.configure(options.connect_max, None);
            let mut client = migration::connect(&target).await?;
            migration::bring_up(&mut client, schema, How::AtOnce).await?;
            transfer::refuse_unfinished(&client, schema.database).await?;
        }
        let metrics = Metrics::register(registry).map_err(OpenError::Metrics)?;
        let pool_metrics = metric::Metrics::register(registry).map_err(OpenError::Metrics)?;
        let targets = urls.targets()?;
        let cluster = targets[0].clone();
        let pools = targets.map(|mut target| {
            target.configure(options.connect_max, Some(options.statement_max));
            let metrics = pool_metrics.pool(target.database);
            Arc::new(Pool::new(target, options, metrics))
        });
        pool_metrics.watch(registry, pools.iter().map(|pool| pool.collector()).collect()).map_err(OpenError::Metrics)?;
        let [users, content, shop, media] = pools;
        let named = users.look_up(INSTANCE, &[]).await.and_then(|rows| database::first(|row| Columns::of(row).id())(&rows));
        let unnamed = |reason: String| OpenError::Sql { database: "users", reason };
        let instance = named.map_err(|fault| unnamed(fault.store_error("users").to_string()))?;
        let instance = instance.ok_or_else(|| unnamed("the row of `instance` is gone: INSERT INTO instance DEFAULT VALUES".to_owned()))?;
        let metrics = |database| Arc::new(metrics.database(database));
        let of_users = metrics("users");
        Ok(Self {
            instance,
            users: (cluster, of_users.clone()),
            stores: Stores {
                users: Arc::new(Database::<UsersWrite>::new("users", users, of_users)),
                content: Arc::new(Database::<ContentWrite>::new("content", content, metrics("content"))),
                shop: Arc::new(Database::<ShopWrite>::new("shop", shop, metrics("shop"))),
                media: Arc::new(Database::<MediaWrite>::new("media", media, metrics("media"))),
                second_level: None,
            },
        })
    }

    /// The name that this instance of the platform was given when its databases were made.
    #[must_use]
    pub fn instance(&self) -> Uuid {
        self.instance
    }

    /// The databases.
    #[must_use]
    pub fn stores(&self) -> Stores {
        self.stores.clone()
    }

    /// What a node of a cluster asks its statements of, on connections of its own. The cluster's tables are in the users database.
    ///
    /// # Panics
    /// Outside a Tokio runtime, which has to be that of the stores.
    #[must_use]
    pub fn membership(&self) -> Membership {
        let (target, metrics) = &self.users;
        Membership::new(target, metrics.clone(), self.stores.clone(), tokio::runtime::Handle::current())
    }
}
