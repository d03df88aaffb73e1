//! The data directory: private, and of one process at a time.

use super::OpenError;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Held while this process may use the directory; the operating system lets go of it when the process dies.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "the lock lives as long as the open file")] File);

/// The databases' file within the data directory.
pub(super) fn file(dir: &Path, database: &str) -> PathBuf {
    dir.join(format!("{database}.db"))
}

/// Makes the directory if it is not there, for this user only, and takes its lock.
pub(super) fn take(dir: &Path) -> Result<Lock, OpenError> {
    let fault = |source| OpenError::Directory { dir: dir.to_owned(), source };
    make(dir).map_err(fault)?;
    let mut lock = private(&dir.join("lock")).map_err(fault)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(OpenError::InUse { dir: dir.to_owned(), pid: named(&lock) });
        }
        Err(TryLockError::Error(source)) => return Err(fault(source)),
    }
    lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| write!(lock, "{}", std::process::id())).map_err(fault)?;
    Ok(Lock(lock))
}

/// Who holds the directory's lock; see [`holder`](super::holder).
pub(super) fn holder(dir: &Path) -> Result<Option<Option<u32>>, OpenError> {
    let fault = |source| OpenError::Directory { dir: dir.to_owned(), source };
    let lock = match File::open(dir.join("lock")) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault(error)),
    };
    // Shared, and for an instant: two who look do not take each other for a server.
    match lock.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(named(&lock))),
        Err(TryLockError::Error(source)) => Err(fault(source)),
    }
}

/// The process that wrote its number into the lock. Where the lock also stops readers it stays unnamed.
fn named(lock: &File) -> Option<u32> {
    let mut pid = String::new();
    let _ = lock.take(16).read_to_string(&mut pid);
    pid.trim().parse().ok()
}

/// Makes a database's empty file, readable by this user only: SQLite gives its log the same permissions.
pub(super) fn make_file(dir: &Path, database: &str) -> Result<PathBuf, OpenError> {
    let path = file(dir, database);
    private(&path).map_err(|source| OpenError::Directory { dir: dir.to_owned(), source })?;
    Ok(path)
}

pub(super) fn make(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)?;
    // Else a power cut could take the directory with everything that was acknowledged in it.
    #[cfg(unix)]
    File::open(dir.canonicalize()?.parent().unwrap_or(dir))?.sync_all()?;
    Ok(())
}

fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
