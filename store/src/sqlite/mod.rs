//! SQLite: the embedded default.
//!
//! A data directory holds one database a domain, in write-ahead mode, and a lock: one process at a time uses it. Each database has one thread
//! that writes (`writer`: group commit, synced to the disk before anybody is answered) and a few that read, each thread before a bounded queue;
//! no call blocks its caller's thread. Writes are carried out as `transaction` says; `migration` brings a directory to this release's schema.

pub mod backup;
mod column;
mod connection;
mod content;
mod database;
mod directory;
mod examine;
mod fault;
mod load;
mod media;
mod migration;
#[cfg(test)]
mod plan;
mod queue;
mod reader;
mod shop;
mod transaction;
pub mod transfer;
mod users;
mod verdict;
mod writer;

pub mod bulk;

pub use crate::schema::Applied;
pub use examine::{Examined, examine, holder};
pub use migration::migrate;

use crate::metric::Metrics;
use crate::schema::Schema;
use crate::{ContentWrite, MediaWrite, ShopWrite, Stores, UsersWrite, metric};
use database::Database;
use load::Loads;
use migration::SCHEMAS;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use transaction::Rows;

/// Limits of each of the databases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteOptions {
    /// Threads that read, each with a connection. At least 1; less is taken as 1.
    pub readers: usize,
    /// Reads that wait for a thread. One more is refused as overloaded.
    pub read_queue_max: usize,
    /// Writes that share one transaction, and so one sync of the disk.
    pub write_batch_max: usize,
    /// Writes that wait for the next transaction. One more is refused as overloaded.
    pub write_queue_max: usize,
    /// How long a statement waits for another program that holds the database's lock, such as a backup, in milliseconds.
    pub busy_timeout_ms: u32,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        let readers = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
        Self { readers, read_queue_max: 4096, write_batch_max: 256, write_queue_max: 4096, busy_timeout_ms: 5000 }
    }
}

/// Why a data directory could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory or a file in it cannot be made, or read.
    #[error("data directory {dir} cannot be used", dir = dir.display())]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process holds the directory's lock.
    #[error(
        "data directory {dir} is in use by another process{}: stop that one, or give this one a data directory of its own",
        pid.map_or_else(String::new, |pid| format!(" (pid {pid})")), dir = dir.display()
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// The other process, if it could be told.
        pid: Option<u32>,
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
    /// An import into the directory is unfinished: what is there is a part of an instance.
    #[error(
        "an import into database {database} is unfinished: repeat `lets-connect import` with the same document, which goes on where it was"
    )]
    Unfinished {
        /// Which database.
        database: &'static str,
    },
    /// SQLite refused.
    #[error("database {database} cannot be opened")]
    Sqlite {
        /// Which database.
        database: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The metrics are registered already: the registry serves another store.
    #[error("the store's metrics cannot be registered")]
    Metrics(#[source] prometheus::Error),
    /// A thread could not be started.
    #[error("a thread of the store cannot be started")]
    Thread(#[source] std::io::Error),
}

impl OpenError {
    fn sqlite(database: &'static str) -> impl Fn(rusqlite::Error) -> Self + Copy {
        move |source| Self::Sqlite { database, source: Box::new(source) }
    }
}

/// An open data directory.
///
/// Dropping it and every clone of its [`Stores`] ends its threads, once they have done what was queued; [`Sqlite::close`] also waits for that.
pub struct Sqlite {
    users: Arc<Database<UsersWrite>>,
    content: Arc<Database<ContentWrite>>,
    shop: Arc<Database<ShopWrite>>,
    media: Arc<Database<MediaWrite>>,
    writers: Vec<JoinHandle<()>>,
}

impl Sqlite {
    /// Opens the directory, and makes it where there is none: takes its lock, migrates its databases, starts their threads. Blocks meanwhile.
    ///
    /// # Errors
    /// See [`OpenError`]. What was migrated before a failure stays migrated; repeating is safe.
    pub fn open(dir: &Path, options: &SqliteOptions, registry: &prometheus::Registry) -> Result<Self, OpenError> {
        let lock = Arc::new(directory::take(dir)?);
        let metrics = Metrics::register(registry).map_err(OpenError::Metrics)?;
        let loads = Loads::register(registry).map_err(OpenError::Metrics)?;
        let mut writers = Vec::new();
        let mut opening = Opening { dir, options, metrics: &metrics, loads: &loads, lock: &lock, writers: &mut writers };
        let [users, content, shop, media] = &SCHEMAS;
        let (users, content) = (opening.database(users)?, opening.database(content)?);
        let (shop, media) = (opening.database(shop)?, opening.database(media)?);
        Ok(Self { users, content, shop, media, writers })
    }

    /// The databases.
    #[must_use]
    pub fn stores(&self) -> Stores {
        let (users, content) = (self.users.clone(), self.content.clone());
        Stores { users, content, shop: self.shop.clone(), media: self.media.clone(), second_level: None }
    }

    /// Finishes what is queued, folds the logs into the databases, ends the threads, and lets go of the directory. Whoever still holds the stores
    /// finds them unavailable. Blocks meanwhile.
    pub fn close(self) {
        self.users.close();
        self.content.close();
        self.shop.close();
        self.media.close();
        for writer in self.writers {
            if writer.join().is_err() {
                tracing::error!("a writer's thread panicked");
            }
        }
    }
}

/// What opening each database takes.
struct Opening<'a> {
    dir: &'a Path,
    options: &'a SqliteOptions,
    metrics: &'a Metrics,
    loads: &'a Loads,
    lock: &'a Arc<directory::Lock>,
    writers: &'a mut Vec<JoinHandle<()>>,
}

impl Opening<'_> {
    fn database<W: Rows>(&mut self, schema: &'static Schema) -> Result<Arc<Database<W>>, OpenError> {
        let name = schema.database;
        let busy_timeout = std::time::Duration::from_millis(self.options.busy_timeout_ms.into());
        let path = directory::make_file(self.dir, name)?;
        let mut db = connection::writer(&path, busy_timeout).map_err(OpenError::sqlite(name))?;
        migration::bring_up(&mut db, schema)?;
        transfer::refuse_unfinished(&db, name)?;
        let metrics = Arc::new(self.metrics.database(name));
        let load = self.loads.database(name);

        let threads = self.options.readers.max(1);
        let (reads, read_intake) = queue::queue(name, self.options.read_queue_max, load.read_depth);
        let mut readers = Vec::with_capacity(threads);
        for number in 0..threads {
            let db = connection::reader(&path, busy_timeout).map_err(OpenError::sqlite(name))?;
            let intake = read_intake.clone();
            readers.push(spawn(format!("{name}-read-{number}"), move || reader::run(name, &db, &intake))?);
        }

        let (writes, intake) = queue::queue(name, self.options.write_queue_max, load.write_depth);
        let (batch_max, batch_size) = (self.options.write_batch_max.max(1), load.batch);
        let writer = writer::Writer { database: name, db, intake, batch_max, batch_size, readers };
        let lock = self.lock.clone();
        self.writers.push(spawn(format!("{name}-write"), move || {
            writer.run();
            drop(lock);
        })?);
        Ok(Arc::new(Database::new(name, reads, threads, writes, metrics)))
    }
}

fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    std::thread::Builder::new().name(name).spawn(run).map_err(OpenError::Thread)
}
