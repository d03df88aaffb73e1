//! Connections, and what is set on each of them.

use rusqlite::{Connection, OpenFlags, Result};
use std::path::Path;
use std::time::Duration;

/// Prepared statements that a connection keeps: more than any domain has.
const STATEMENTS_MAX: usize = 96;
/// The page cache of the writer, in KiB.
const WRITER_CACHE_KIB: u32 = 16 * 1024;
/// The page cache of each reader, in KiB: enough for the inner pages of the trees. Behind it is the system's file cache, which all readers share, and
/// before it the owners' memory.
const READER_CACHE_KIB: u32 = 1024;
/// The log is cut back to this size after a burst, in bytes.
const LOG_BYTES_MAX: u32 = 64 * 1024 * 1024;

/// Opens the connection that writes.
pub(super) fn writer(path: &Path, busy_timeout: Duration) -> Result<Connection> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(busy_timeout)?;
    let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |r| r.get(0))?;
    if mode != "wal" {
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN),
            Some(format!("the file system cannot hold a write-ahead log (journal_mode is {mode})")),
        ));
    }
    // FULL syncs the log at each COMMIT: what was acknowledged survives a power cut. NORMAL would not promise that.
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX)?;
    configure(&db, WRITER_CACHE_KIB)?;
    Ok(db)
}

/// Opens a connection that only reads.
pub(super) fn reader(path: &Path, busy_timeout: Duration) -> Result<Connection> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(busy_timeout)?;
    configure(&db, READER_CACHE_KIB)?;
    Ok(db)
}

/// What is set on every connection. The file is not mapped into memory: a fault of the disk would be a signal that kills the process instead of
/// an error, and mapped pages would count as the process's memory.
fn configure(db: &Connection, cache_kib: u32) -> Result<()> {
    db.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    db.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    db.pragma_update(None, "temp_store", "MEMORY")
}
