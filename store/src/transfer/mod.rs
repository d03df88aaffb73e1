//! A whole instance as a document of lines (NDJSON), and an instance of such a document: from either store into either.
//!
//! * [`table`]: what an instance is, once for both stores.
//! * [`document`]: how that is written, line by line, and read, where nothing is trusted.
//! * [`export`]: all databases as they are at one instant. A server may be using them.
//! * [`import`]: into databases that are empty. Each batch of rows is one transaction with a mark of how far it is, so that an import that was
//!   interrupted goes on where it was; as long as there is a mark nobody serves the databases.
//!
//! Both hold a batch of rows in memory, and no more. A document holds secrets: hashes of passwords and of sessions.

pub(crate) mod document;
mod import;
pub(crate) mod table;

pub use document::Header;
pub use import::import;

use crate::{postgres, sqlite};
use document::{Row, Writer};
use protocol::Timestamp;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;
use table::{Table, tables};

/// Rows that are read, or written in one transaction, at a time.
pub(crate) const BATCH_ROWS_MAX: usize = 1000;
/// Rows of more bytes than this, as they stand in a document, are not put into one transaction.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Why an export or import stopped. An import can be repeated: it goes on where it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The embedded databases cannot be opened.
    #[error(transparent)]
    Sqlite(#[from] sqlite::OpenError),
    /// The databases on the server cannot be opened.
    #[error(transparent)]
    Postgres(#[from] postgres::OpenError),
    /// There are no databases to export.
    #[error(transparent)]
    Backup(#[from] sqlite::backup::BackupError),
    /// The databases are not at this release's schema.
    #[error("database {database} is not at this release's schema yet: run `lets-connect migrate`")]
    Pending {
        /// Which database.
        database: &'static str,
    },
    /// Somebody else's writes wait for the platform to heed them: what things are found by has not followed them yet.
    #[error(
        "database {database} holds writes of others that the platform has not heeded yet: let it run for a moment (it may go on running), and export again"
    )]
    Unheeded {
        /// Which database.
        database: &'static str,
    },
    /// A database did not do what it was asked.
    #[error("database {database}: {reason}")]
    Database {
        /// Which database.
        database: &'static str,
        /// What it said.
        reason: String,
    },
    /// A row cannot be written into a document.
    #[error("{table} cannot be exported: {reason}")]
    Row {
        /// The table.
        table: String,
        /// What is the matter with it.
        reason: String,
    },
    /// The document cannot be written.
    #[error("the export cannot be written")]
    Write(#[source] io::Error),
    /// The document cannot be read.
    #[error("{name}:{line}: cannot be read")]
    Read {
        /// The document.
        name: String,
        /// Which line.
        line: u64,
        /// Why.
        source: io::Error,
    },
    /// A line is not what an export writes.
    #[error("{name}:{line}: {reason}")]
    Malformed {
        /// The document.
        name: String,
        /// Which line.
        line: u64,
        /// What is the matter with it, and what to do.
        reason: String,
    },
    /// The document ends without its trailer.
    #[error(
        "{name}:{line}: the document is cut off here, without the trailer that says it is whole: get all of it, and import that; \
         what is there already is not done twice"
    )]
    CutOff {
        /// The document.
        name: String,
        /// The last line.
        line: u64,
    },
    /// A database refused rows.
    #[error("{name}:{first}-{last}: database {database} refuses one of these rows of {table}: {reason}")]
    Refused {
        /// The document.
        name: String,
        /// The first line that it may be.
        first: u64,
        /// The last one.
        last: u64,
        /// Which database.
        database: &'static str,
        /// The table.
        table: String,
        /// What it said.
        reason: String,
    },
    /// There is something already.
    #[error(
        "database {database} is not empty ({table} has rows): an import needs databases of its own; name others, or another data directory"
    )]
    NotEmpty {
        /// Which database.
        database: &'static str,
        /// A table with rows.
        table: &'static str,
    },
    /// The role may not mark the databases as being imported.
    #[error("the role may not make tables in database {database}: import with the URL of the role that owns the databases")]
    NoRight {
        /// Which database.
        database: &'static str,
    },
    /// Another document's import is unfinished.
    #[error(
        "the databases hold a part of another document: go on importing that one, or begin with databases of their own (a new data directory, new \
         databases)"
    )]
    OtherDocument,
    /// What was imported is not what this document says.
    #[error(
        "{name}: the document is not the one that it was: {reason}; begin again with a sound one and with databases of their own (a new data directory, \
         new databases)"
    )]
    Altered {
        /// The document.
        name: String,
        /// How that shows.
        reason: String,
    },
    /// Another import is writing into the same databases.
    #[error("another import of this document is writing into database {database}: leave it alone, or stop it and repeat this one")]
    Overtaken {
        /// Which database.
        database: &'static str,
    },
}

/// How far an export or import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The database.
    pub database: &'static str,
    /// The table.
    pub table: &'static str,
    /// Rows of all tables so far; of an import those that an earlier one had written, too.
    pub rows: u64,
}

/// What was exported or imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The document's first line.
    pub header: Header,
    /// Rows of all tables.
    pub rows: u64,
    /// Of an import: rows that an earlier one, which was interrupted, had written.
    pub rows_before: u64,
}

/// Databases to export, as they are at one instant.
pub enum Source {
    /// Of a data directory.
    Sqlite(sqlite::transfer::Source),
    /// On a server.
    Postgres(postgres::transfer::Source),
}

impl Source {
    /// The databases of a data directory, which a server may be using: its writes wait for milliseconds. Its log grows until the export is done.
    ///
    /// # Errors
    /// See [`TransferError`].
    pub fn sqlite(dir: &Path) -> Result<Self, TransferError> {
        sqlite::transfer::Source::open(dir).map(Self::Sqlite)
    }

    /// Databases on a server, which a platform may be using: its writes wait for milliseconds.
    ///
    /// # Errors
    /// See [`TransferError`].
    pub async fn postgres(urls: &postgres::Urls, connect_max: Duration) -> Result<Self, TransferError> {
        postgres::transfer::Source::open(urls, connect_max).await.map(Self::Postgres)
    }

    fn made_at(&self) -> Timestamp {
        match self {
            Self::Sqlite(source) => source.made_at(),
            Self::Postgres(source) => source.made_at(),
        }
    }

    fn schemas(&self) -> Vec<(&'static str, usize)> {
        match self {
            Self::Sqlite(_) => sqlite::transfer::schemas(),
            Self::Postgres(_) => postgres::transfer::schemas(),
        }
    }

    /// Gives a table's rows in the order of its key, some at a time.
    async fn read(&self, table: &'static Table, give: &mut dyn FnMut(&[Row]) -> Result<(), TransferError>) -> Result<(), TransferError> {
        match self {
            Self::Sqlite(source) => source.read(table, give),
            Self::Postgres(source) => source.read(table, give).await,
        }
    }
}

/// Writes all of an instance. The document is whole when this returns; what was written before a failure lacks the last line, and no import takes it.
///
/// # Errors
/// See [`TransferError`]. Repeating makes a document of another instant.
pub async fn export(source: &Source, out: impl Write, report: &mut dyn FnMut(Progress)) -> Result<Summary, TransferError> {
    let header = Header::new(source.made_at(), source.schemas());
    let mut writer = Writer::begin(out, &header)?;
    for table in tables() {
        source
            .read(table, &mut |rows| {
                rows.iter().try_for_each(|row| writer.row(table, row))?;
                report(Progress { database: table.database, table: table.name, rows: writer.rows() });
                Ok(())
            })
            .await?;
    }
    Ok(Summary { header, rows: writer.end()?, rows_before: 0 })
}

/// Empty databases to import into, or those that a document is imported into already.
pub enum Target {
    /// Of a data directory, whose lock is held.
    Sqlite(sqlite::transfer::Target),
    /// On a server. Whoever made this holds the instance lease.
    Postgres(postgres::transfer::Target),
}

impl Target {
    /// The databases of a data directory; they are made where there are none.
    ///
    /// # Errors
    /// See [`TransferError`]; they are in use while somebody serves them.
    pub fn sqlite(dir: &Path) -> Result<Self, TransferError> {
        sqlite::transfer::Target::open(dir).map(Self::Sqlite)
    }

    /// Databases on a server; those that are missing are made where the role may, and they are migrated. It needs the role that owns them.
    ///
    /// # Errors
    /// See [`TransferError`].
    pub async fn postgres(urls: &postgres::Urls, connect_max: Duration) -> Result<Self, TransferError> {
        postgres::transfer::Target::open(urls, connect_max).await.map(Self::Postgres)
    }

    /// Each database's mark, where it has one.
    async fn marks(&self) -> Result<[Option<Mark>; 4], TransferError> {
        match self {
            Self::Sqlite(target) => target.marks(),
            Self::Postgres(target) => target.marks().await,
        }
    }

    /// A table that has rows.
    async fn occupied(&self, place: usize) -> Result<Option<&'static str>, TransferError> {
        match self {
            Self::Sqlite(target) => target.occupied(place),
            Self::Postgres(target) => target.occupied(place).await,
        }
    }

    /// Marks a database as being imported.
    async fn mark(&self, place: usize, document: &[u8]) -> Result<(), TransferError> {
        match self {
            Self::Sqlite(target) => target.mark(place, document),
            Self::Postgres(target) => target.mark(place, document).await,
        }
    }

    async fn write(&mut self, batch: &Batch<'_>) -> Result<(), BatchError> {
        match self {
            Self::Sqlite(target) => target.write(batch),
            Self::Postgres(target) => target.write(batch).await,
        }
    }

    /// Removes the marks: what is there is an instance.
    async fn complete(&self) -> Result<(), TransferError> {
        match self {
            Self::Sqlite(target) => target.complete(),
            Self::Postgres(target) => target.complete().await,
        }
    }
}

/// How far an import into one database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Which document: the sum of its header.
    pub(crate) document: Vec<u8>,
    /// The last line whose row is there.
    pub(crate) line: u64,
    /// The sum of the rows' lines up to that one.
    pub(crate) sum: Vec<u8>,
    /// Whether all rows are there, and it is only for the mark to be removed. Of the first database only.
    pub(crate) is_complete: bool,
}

/// Rows of one table to write in one transaction, with the mark's next place.
pub(crate) struct Batch<'b> {
    pub(crate) table: &'static Table,
    pub(crate) rows: &'b [Row],
    /// Where the mark is until then.
    pub(crate) from: u64,
    pub(crate) line: u64,
    pub(crate) sum: [u8; 32],
}

/// Why a batch was not written.
pub(crate) enum BatchError {
    /// The mark is elsewhere: somebody else moved it.
    Moved,
    /// The database refused a row: what it said.
    Refused(String),
    /// The database is not to be had: what happened.
    Away(String),
}
