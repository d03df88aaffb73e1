//! A copy of the data directory that is consistent across its databases, taken while a server uses it, and the way back.
//!
//! The copy is a folder with the databases' files and `backup.json`, which is written last and has their checksums: a folder without it is no backup.

use super::migration::SCHEMAS;
use super::{OpenError, directory, migrate};
use protocol::Timestamp;
use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The manifest's file in a backup.
const MANIFEST: &str = "backup.json";
/// How the manifest is laid out.
const FORMAT: u32 = 1;
/// How long a write under way is waited for. Ours take milliseconds.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The layout of this file.
    pub format: u32,
    /// The instant of which the copy is.
    pub made_at: Timestamp,
    /// The databases by name.
    pub databases: BTreeMap<String, Copied>,
}

/// One database in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Copied {
    /// Bytes of its file.
    pub bytes: u64,
    /// SHA-256 of its file, in hexadecimal digits.
    pub sha256: String,
}

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// There are no databases to copy.
    #[error("{dir} holds no databases: is it the data directory?", dir = dir.display())]
    NoStore {
        /// Where they were looked for.
        dir: PathBuf,
    },
    /// What is there is not written over.
    #[error("{dir} is there already: name a folder that is not, or an empty one", dir = dir.display())]
    Exists {
        /// The folder.
        dir: PathBuf,
    },
    /// The folder is no backup, or no whole one.
    #[error("{dir} is not a backup of this platform, or not a whole one: {reason}", dir = dir.display())]
    Unsound {
        /// The folder.
        dir: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("{path} cannot be read or written", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite refused.
    #[error("database {database} cannot be copied")]
    Sqlite {
        /// Which database.
        database: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It is not for this release.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl BackupError {
    fn sqlite(database: &'static str) -> impl Fn(rusqlite::Error) -> Self + Copy {
        move |source| Self::Sqlite { database, source: Box::new(source) }
    }

    fn file(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        move |source| Self::File { path: path.to_owned(), source }
    }
}

/// Copies the databases under `dir` into the folder `to`, as they are at one instant; a server may be using them. Its writes wait for milliseconds.
///
/// # Errors
/// See [`BackupError`]. Repeating takes another folder.
pub fn back_up(dir: &Path, to: &Path) -> Result<Manifest, BackupError> {
    look_for(dir)?;
    begin_folder(to)?;
    let Frozen { databases: sources, at: made_at } = freeze(dir)?;
    let mut databases = BTreeMap::new();
    for (database, source) in sources {
        let path = directory::make_file(to, database)?;
        copy(database, &source, &path)?;
        databases.insert(database.to_owned(), sum(&path)?);
    }
    let manifest = Manifest { format: FORMAT, made_at, databases };
    let (path, text) = (to.join(MANIFEST), serde_json::to_vec_pretty(&manifest).expect("it can be written as JSON"));
    fs::write(&path, text).and_then(|()| sync(&path)).and_then(|()| sync(to)).map_err(BackupError::file(&path))?;
    Ok(manifest)
}

/// Refuses a folder without databases.
pub(super) fn look_for(dir: &Path) -> Result<(), BackupError> {
    match SCHEMAS.iter().all(|schema| directory::file(dir, schema.database).is_file()) {
        true => Ok(()),
        false => Err(BackupError::NoStore { dir: dir.to_owned() }),
    }
}

/// Makes the data directory `dir` of a backup. It must not be there, or be empty; it is there whole, or not at all.
///
/// # Errors
/// See [`BackupError`]. Safe to repeat.
pub fn restore(from: &Path, dir: &Path) -> Result<Manifest, BackupError> {
    let manifest = examine(from)?;
    let is_empty = || fs::read_dir(dir).map(|mut entries| entries.next().is_none()).unwrap_or(false);
    if dir.exists() && !is_empty() {
        return Err(BackupError::Exists { dir: dir.to_owned() });
    }
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(".restoring");
    let unfinished = dir.with_file_name(name);
    // What an earlier try left.
    let _ = fs::remove_dir_all(&unfinished);
    begin_folder(&unfinished)?;
    for database in manifest.databases.keys() {
        let (source, target) = (directory::file(from, database), directory::make_file(&unfinished, database)?);
        fs::copy(&source, &target).and_then(|_| sync(&target)).map_err(BackupError::file(&target))?;
    }
    // A backup of a newer release is refused before anything is put in place.
    migrate(&unfinished, true)?;
    sync(&unfinished).map_err(BackupError::file(&unfinished))?;
    // Gone if it is empty; else it is kept, and the next step fails.
    let _ = fs::remove_dir(dir);
    fs::rename(&unfinished, dir).map_err(BackupError::file(dir))?;
    let parent = dir.canonicalize().ok().and_then(|dir| dir.parent().map(Path::to_owned)).unwrap_or_else(|| PathBuf::from("."));
    sync(&parent).map_err(BackupError::file(&parent))?;
    Ok(manifest)
}

/// Reads a backup's manifest, and compares every file with it.
fn examine(from: &Path) -> Result<Manifest, BackupError> {
    let unsound = |reason: String| BackupError::Unsound { dir: from.to_owned(), reason };
    let text = fs::read(from.join(MANIFEST)).map_err(|error| unsound(format!("{MANIFEST} cannot be read ({error})")))?;
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| unsound(format!("{MANIFEST} is not one ({error})")))?;
    if manifest.format != FORMAT {
        return Err(unsound(format!("it is laid out as format {}, and this release knows {FORMAT}", manifest.format)));
    }
    let (known, found): (Vec<_>, Vec<_>) = (SCHEMAS.iter().map(|schema| schema.database).collect(), manifest.databases.keys().collect());
    if known.len() != found.len() || !known.iter().all(|database| manifest.databases.contains_key(*database)) {
        return Err(unsound(format!("it has {found:?}, and not {known:?}")));
    }
    for (database, copied) in &manifest.databases {
        let path = directory::file(from, database);
        if sum(&path)? != *copied {
            return Err(unsound(format!("{} is not the file that was written", path.display())));
        }
    }
    Ok(manifest)
}

/// Connections that read the databases as they are at one instant.
pub(super) struct Frozen {
    pub(super) databases: Vec<(&'static str, Connection)>,
    pub(super) at: Timestamp,
}

/// No write is under way in any of the databases when the transactions begin that see them.
pub(super) fn freeze(dir: &Path) -> Result<Frozen, BackupError> {
    let open = |database: &'static str, flags: OpenFlags| {
        let db = Connection::open_with_flags(directory::file(dir, database), flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        db.busy_timeout(WAIT_MAX)?;
        Ok(db)
    };
    let mut held = Vec::new();
    for schema in &SCHEMAS {
        let fault = BackupError::sqlite(schema.database);
        let db = open(schema.database, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(fault)?;
        db.execute_batch("BEGIN IMMEDIATE").map_err(fault)?;
        held.push(db);
    }
    let mut frozen = Vec::new();
    for schema in &SCHEMAS {
        let fault = BackupError::sqlite(schema.database);
        let db = open(schema.database, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(fault)?;
        // The transaction begins with the first read.
        db.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema").map_err(fault)?;
        frozen.push((schema.database, db));
    }
    let at = Timestamp::now();
    for (db, schema) in held.iter().zip(&SCHEMAS) {
        db.execute_batch("ROLLBACK").map_err(BackupError::sqlite(schema.database))?;
    }
    Ok(Frozen { databases: frozen, at })
}

/// Copies a database page by page, as the source's transaction sees it, and reads the copy through.
fn copy(database: &'static str, source: &Connection, path: &Path) -> Result<(), BackupError> {
    let fault = BackupError::sqlite(database);
    let mut target = Connection::open(path).map_err(fault)?;
    Backup::new(source, &mut target).and_then(|backup| backup.step(-1)).map_err(fault)?;
    // Its file is then whole without a log beside it.
    target.pragma_update(None, "journal_mode", "DELETE").map_err(fault)?;
    let found: String = target.query_row("PRAGMA integrity_check", [], |row| row.get(0)).map_err(fault)?;
    drop(target);
    if found != "ok" {
        return Err(BackupError::Unsound { dir: path.to_owned(), reason: found });
    }
    sync(path).map_err(BackupError::file(path))
}

fn sum(path: &Path) -> Result<Copied, BackupError> {
    let fault = BackupError::file(path);
    let (mut file, mut hash, mut bytes) = (File::open(path).map_err(&fault)?, Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(&fault)? {
            0 => break,
            read => {
                hash.update(&buffer[..read]);
                bytes += read as u64;
            }
        }
    }
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Copied { bytes, sha256 })
}

/// Makes a folder for this user only, if it is not there; one with anything in it is refused.
fn begin_folder(dir: &Path) -> Result<(), BackupError> {
    directory::make(dir).map_err(BackupError::file(dir))?;
    match fs::read_dir(dir).map_err(BackupError::file(dir))?.next() {
        None => Ok(()),
        Some(_) => Err(BackupError::Exists { dir: dir.to_owned() }),
    }
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
