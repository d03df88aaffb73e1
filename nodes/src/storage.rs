//! The stores of this process: embedded in its data directory, or PostgreSQL, where its configuration names one.

use crate::config::Config;
use anyhow::{Context, Result, anyhow, ensure};
use prometheus::Registry;
use std::{convert::Infallible, path::Path, time::Duration};
use store::{
    Applied, Lease, Stores,
    objects::{Objects, Place},
    postgres::{self, InstanceLease, LeaseError, Postgres, PostgresOptions, Urls},
    redis::{Redis, RedisOptions},
    sqlite::{
        self, Sqlite, SqliteOptions,
        backup::{self, Manifest},
    },
    transfer::{Source, Target},
};
use uuid::Uuid;

/// Open stores that this process has to itself.
pub enum Storage {
    /// In the data directory, whose lock is the process's.
    Embedded(Sqlite),
    /// On a server, behind a lease. It is given back first, so that the next process need not wait.
    Server(InstanceLease, Box<Postgres>, Option<Redis>),
    /// On a server, shared with the other nodes of a cluster. The lease keeps processes that are alone away until this node's row in the table of members does.
    Shared(Option<InstanceLease>, Box<Postgres>, Option<Redis>),
}

impl Storage {
    /// Opens the stores that the configuration names, brings them to this release's schema, and sees to it that no other process uses them.
    ///
    /// # Errors
    /// When they cannot be reached or migrated, or another process uses them: the message says what to do.
    pub async fn open(config: &Config, registry: &Registry) -> Result<Self> {
        let Some(urls) = urls(config) else {
            return Ok(Self::Embedded(Sqlite::open(&config.node.data_dir, &sqlite_options(config), registry)?));
        };
        let is_shared = config.cluster.listen.is_some();
        let lease = if is_shared { joining(config, &urls).await? } else { alone(config, &urls).await? };
        let postgres = Postgres::open(&urls, &postgres_options(config), registry).await?;
        let redis = redis_options(config, postgres.instance()).map(|options| Redis::open(&options, registry)).transpose()?;
        let postgres = Box::new(postgres);
        Ok(if is_shared { Self::Shared(Some(lease), postgres, redis) } else { Self::Server(lease, postgres, redis) })
    }

    /// Opens the stores for a process that has them to itself, whatever the configuration says of a cluster: for what operators do while no server runs.
    ///
    /// # Errors
    /// As [`Storage::open`].
    pub async fn open_alone(config: &Config, registry: &Registry) -> Result<Self> {
        let mut alone = config.clone();
        alone.cluster.listen = None;
        Self::open(&alone, registry).await
    }

    /// The cluster's tables; `None` where there is no cluster.
    pub fn membership(&self) -> Option<postgres::Membership> {
        if let Self::Shared(_, postgres, _) = self { Some(postgres.membership()) } else { None }
    }

    /// This node's row is in the table of members: that keeps processes that are alone away from now on. Blocks.
    pub fn joined(&mut self) {
        if let Self::Shared(lease, ..) = self {
            drop(lease.take());
        }
    }

    /// The databases.
    #[must_use]
    pub fn stores(&self) -> Stores {
        match self {
            Self::Embedded(sqlite) => sqlite.stores(),
            Self::Server(_, postgres, redis) | Self::Shared(_, postgres, redis) => {
                Stores { second_level: redis.clone(), ..postgres.stores() }
            }
        }
    }

    /// For how long the stores are this process's own: never, where they are shared.
    #[must_use]
    pub fn lease(&self) -> Lease {
        match self {
            Self::Embedded(_) => Lease::always(),
            Self::Server(lease, ..) => lease.lease(),
            Self::Shared(..) => Lease::ended(),
        }
    }

    /// Waits until another process has taken the stores, which a lock does not let happen.
    ///
    /// # Errors
    /// Always, once that happened.
    pub async fn lost(&self) -> Result<Infallible> {
        match self {
            Self::Embedded(_) | Self::Shared(..) => std::future::pending().await,
            Self::Server(lease, ..) => {
                let holder = lease.lost().await.holder;
                Err(anyhow!("another process, {holder}, took the databases over after the lease of this one had ended: it ends"))
            }
        }
    }

    /// Finishes what the stores were given, and leaves them to the next process. Blocks.
    pub fn close(self) {
        match self {
            Self::Embedded(sqlite) => sqlite.close(),
            Self::Server(lease, ..) => lease.release(),
            Self::Shared(..) => {}
        }
    }
}

/// The object storage that the configuration names.
///
/// # Errors
/// When its folder cannot be made, or the bucket's URL makes no sense. Whether it answers shows later.
pub fn objects(config: &Config, registry: &Registry) -> Result<Objects> {
    let place = match &config.media.storage_url {
        Some(url) => Place::S3(url.expose().clone()),
        None => Place::Folder(config.node.data_dir.join("media")),
    };
    Ok(Objects::open(&place, Duration::from_millis(config.media.storage_timeout_ms), registry)?)
}

/// The lease of a process that has the databases to itself.
async fn alone(config: &Config, urls: &Urls) -> Result<InstanceLease> {
    let lease = lease(config, urls, &description()).await?;
    // Looked at under the lease, which whoever joins needs: so no node's row comes in between.
    let nodes = postgres::living_nodes(urls, Duration::from_millis(config.postgres.connect_timeout_ms)).await?;
    ensure!(
        nodes.is_empty(),
        "the databases are in use by the nodes of a cluster ({}): stop them, set cluster.listen to join them, or give this process databases of its own",
        nodes.join(", ")
    );
    Ok(lease)
}

/// What others are told of a process that takes the lease for a moment.
const JOINING: &str = "a node that joins a cluster: ";
/// How long nodes that start at the same time wait for each other: each holds the lease for less than a second.
const JOINING_MAX: Duration = Duration::from_secs(60);

/// The lease that a node holds until it has joined.
async fn joining(config: &Config, urls: &Urls) -> Result<InstanceLease> {
    let began = std::time::Instant::now();
    loop {
        match lease(config, urls, &format!("{JOINING}{}", description())).await {
            Err(error)
                if began.elapsed() < JOINING_MAX
                    && matches!(error.downcast_ref(), Some(LeaseError::InUse { holder }) if holder.starts_with(JOINING)) =>
            {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            taken => return taken,
        }
    }
}

/// Takes the lease of databases on a server. It comes first: whoever is refused must not have changed the schema under the process that holds it. It is a
/// row of the first migration, so new databases are migrated before; of two processes that do so at once, one gets it.
async fn lease(config: &Config, urls: &Urls, description: &str) -> Result<InstanceLease> {
    let length = Duration::from_millis(config.postgres.lease_ms);
    let take = async || InstanceLease::take(urls, length, description).await;
    match take().await {
        Err(LeaseError::NoSchema) => {
            migrate(config, false).await?;
            Ok(take().await?)
        }
        taken => Ok(taken?),
    }
}

/// Whether a fault of opening says that another process uses the stores.
#[must_use]
pub fn is_in_use(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(sqlite::OpenError::InUse { .. })) || matches!(error.downcast_ref(), Some(LeaseError::InUse { .. }))
}

/// Brings the configured stores to this release's schema; answers what that took, or with `dry_run`, which changes nothing, would take.
///
/// # Errors
/// When they cannot be reached or migrated. What was applied before stays applied; repeating is safe.
pub async fn migrate(config: &Config, dry_run: bool) -> Result<Vec<Applied>> {
    match urls(config) {
        None => Ok(sqlite::migrate(&config.node.data_dir, dry_run)?),
        Some(urls) => {
            let connect_max = Duration::from_millis(config.postgres.connect_timeout_ms);
            Ok(store::postgres::migrate(&urls, connect_max, dry_run).await?)
        }
    }
}

/// Brings the databases on the configured server to this release's schema while a platform goes on writing; answers what that took.
///
/// # Errors
/// When the store is embedded, or the databases cannot be reached or migrated. Repeating is safe.
pub async fn migrate_online(config: &Config) -> Result<Vec<Applied>> {
    let urls = urls(config).context("the embedded store is migrated while nobody uses it: leave --online out")?;
    Ok(postgres::migrate_online(&urls, Duration::from_millis(config.postgres.connect_timeout_ms)).await?)
}

/// Copies the embedded store, which a server may be using, into a folder.
///
/// # Errors
/// When the store is on a server, or cannot be copied.
pub fn back_up(config: &Config, to: &Path) -> Result<Manifest> {
    embedded(config)?;
    Ok(backup::back_up(&config.node.data_dir, to)?)
}

/// Makes the data directory of a backup.
///
/// # Errors
/// When the store is on a server, there is a data directory already, or the backup is not sound. Then nothing is there that was not before.
pub fn restore(config: &Config, from: &Path) -> Result<Manifest> {
    embedded(config)?;
    Ok(backup::restore(from, &config.node.data_dir)?)
}

fn embedded(config: &Config) -> Result<()> {
    ensure!(urls(config).is_none(), "this is for the embedded store; PostgreSQL's own tools (pg_dump, pg_basebackup) copy its databases");
    Ok(())
}

/// The databases on the configured server, each as it was found or why not; `None` where they are embedded.
pub async fn examine(config: &Config) -> Option<Vec<Result<postgres::Examined, postgres::OpenError>>> {
    let urls = urls(config)?;
    let found = postgres::examine(&urls, Duration::from_millis(config.postgres.connect_timeout_ms)).await;
    Some(found.unwrap_or_else(|error| vec![Err(error)]))
}

/// The configured stores, to be exported. A server may be using them.
///
/// # Errors
/// When they cannot be reached, or are not at this release's schema.
pub async fn source(config: &Config) -> Result<Source> {
    Ok(match urls(config) {
        None => Source::sqlite(&config.node.data_dir)?,
        Some(urls) => Source::postgres(&urls, Duration::from_millis(config.postgres.connect_timeout_ms)).await?,
    })
}

/// The configured stores, to be imported into. They are this process's own for as long as it keeps both.
///
/// # Errors
/// When they cannot be reached or migrated, or another process uses them.
pub async fn target(config: &Config) -> Result<(Target, Option<InstanceLease>)> {
    Ok(match urls(config) {
        None => (Target::sqlite(&config.node.data_dir)?, None),
        Some(urls) => {
            let lease = alone(config, &urls).await?;
            (Target::postgres(&urls, Duration::from_millis(config.postgres.connect_timeout_ms)).await?, Some(lease))
        }
    })
}

/// Gives a role of the server what a running platform needs, and no more.
///
/// # Errors
/// When the stores are not on a server, or it refuses. Repeating is safe.
pub async fn grant(config: &Config, role: &str) -> Result<()> {
    let urls = urls(config).context("only a server has roles: --grant takes postgres.url or its like")?;
    Ok(store::postgres::grant(&urls, Duration::from_millis(config.postgres.connect_timeout_ms), role).await?)
}

/// Whether the configuration names a server.
#[must_use]
pub fn is_on_a_server(config: &Config) -> bool {
    urls(config).is_some()
}

/// Where the databases are; `None` where they are embedded.
fn urls(config: &Config) -> Option<Urls> {
    let settings = &config.postgres;
    let of = |url: &Option<crate::config::DatabaseUrl>| url.as_ref().map(|url| url.expose().to_owned());
    let urls = Urls {
        all: of(&settings.url),
        users: of(&settings.users_url),
        content: of(&settings.content_url),
        shop: of(&settings.shop_url),
        media: of(&settings.media_url),
        ca_file: settings.ca_file.clone(),
    };
    let named = [&urls.all, &urls.users, &urls.content, &urls.shop, &urls.media].into_iter().any(Option::is_some);
    named.then_some(urls)
}

/// What another process is told of this one.
fn description() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("process {} on {}", std::process::id(), if host.is_empty() { "an unnamed machine" } else { host.trim() })
}

fn sqlite_options(config: &Config) -> SqliteOptions {
    SqliteOptions {
        readers: config.sqlite.readers,
        read_queue_max: config.sqlite.read_queue_max,
        write_batch_max: config.sqlite.write_batch_max,
        busy_timeout_ms: u32::try_from(config.sqlite.busy_timeout_ms).unwrap_or(u32::MAX),
        ..SqliteOptions::default()
    }
}

fn redis_options(config: &Config, instance: Uuid) -> Option<RedisOptions> {
    let url = config.redis.url.as_ref().filter(|_| config.cache.enabled)?.expose().to_owned();
    Some(RedisOptions { url, answer_max: Duration::from_millis(config.redis.timeout_ms), instance })
}

fn postgres_options(config: &Config) -> PostgresOptions {
    let settings = &config.postgres;
    PostgresOptions {
        connections_max: settings.connections_max,
        shared_connections: settings.shared_connections,
        waiting_max: settings.waiting_max,
        checkout_max: Duration::from_millis(settings.checkout_timeout_ms),
        connect_max: Duration::from_millis(settings.connect_timeout_ms),
        statement_max: Duration::from_millis(settings.statement_timeout_ms),
        idle_max: Duration::from_secs(settings.idle_timeout_s),
        lifetime_max: Duration::from_secs(settings.connection_lifetime_s),
    }
}
