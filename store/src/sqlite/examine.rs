//! What an operator would want to know of a data directory. Nothing is changed.

use super::migration::{SCHEMAS, pending_in};
use super::{OpenError, connection, directory, transfer};
use crate::schema::Applied;
use rusqlite::ErrorCode;
use std::path::Path;
use std::time::Duration;

/// A database of a data directory, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// Which.
    pub database: &'static str,
    /// Migrations that are due; all of them where there is no database yet.
    pub pending: Vec<Applied>,
    /// Whether an import is unfinished.
    pub is_unfinished: bool,
    /// What SQLite found to be wrong with the file; `None` if it was not looked through.
    pub damage: Option<Vec<String>>,
}

/// Who holds the directory's lock: the process, if that can be told; `None` if nobody does.
///
/// # Errors
/// When the lock's file cannot be opened.
pub fn holder(dir: &Path) -> Result<Option<Option<u32>>, OpenError> {
    directory::holder(dir)
}

/// Looks at each database. With `thoroughly` each file is read from end to end, which takes as long as that takes.
///
/// # Errors
/// Of each database: see [`OpenError`].
pub fn examine(dir: &Path, thoroughly: bool) -> Vec<Result<Examined, OpenError>> {
    let one = |schema: &'static crate::schema::Schema| {
        let (database, fault) = (schema.database, OpenError::sqlite(schema.database));
        let (pending, path) = (pending_in(dir, schema)?, directory::file(dir, database));
        if !path.exists() {
            return Ok(Examined { database, pending, is_unfinished: false, damage: None });
        }
        let db = connection::reader(&path, Duration::from_secs(1)).map_err(fault)?;
        let is_unfinished = transfer::is_unfinished(&db).map_err(fault)?;
        let damage = if thoroughly { Some(damage(&db).map_err(fault)?) } else { None };
        Ok(Examined { database, pending, is_unfinished, damage })
    };
    let whole = |schema: &'static crate::schema::Schema| {
        one(schema).or_else(|error| match broken(&error) {
            Some(damage) => {
                Ok(Examined { database: schema.database, pending: Vec::new(), is_unfinished: false, damage: Some(vec![damage]) })
            }
            None => Err(error),
        })
    };
    SCHEMAS.iter().map(whole).collect()
}

/// What SQLite says of a file that it cannot make sense of.
fn broken(error: &OpenError) -> Option<String> {
    let OpenError::Sqlite { source, .. } = error else { return None };
    let error = source.downcast_ref::<rusqlite::Error>()?;
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)).then(|| error.to_string())
}

fn damage(db: &rusqlite::Connection) -> rusqlite::Result<Vec<String>> {
    let found = db.prepare("PRAGMA quick_check(10)")?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    Ok(found.into_iter().filter(|line| line != "ok").collect())
}
