//! What only the embedded store has: a directory, a lock, threads, files.

mod bulk;
mod crash;
mod directory;
mod limit;
mod migration;
mod search;

use crate::conformance::conformance;
use prometheus::Registry;
use std::path::Path;
use store::Stores;
use store::sqlite::{OpenError, Sqlite, SqliteOptions};
use tempfile::TempDir;

/// An open store in a directory of its own.
struct Opened {
    sqlite: Sqlite,
    _dir: TempDir,
}

impl Opened {
    fn stores(&self) -> Stores {
        self.sqlite.stores()
    }
}

async fn fresh() -> Opened {
    let dir = tempfile::tempdir().expect("a directory");
    Opened { sqlite: open(dir.path()), _dir: dir }
}

fn try_open(dir: &Path, options: &SqliteOptions) -> Result<Sqlite, OpenError> {
    Sqlite::open(dir, options, &Registry::new())
}

fn open(dir: &Path) -> Sqlite {
    try_open(dir, &SqliteOptions { readers: 2, ..SqliteOptions::default() }).expect("opened")
}

/// An error with its causes, as it would be logged.
fn whole(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |e| e.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

mod conforms {
    super::conformance!(super::super::fresh);
}
