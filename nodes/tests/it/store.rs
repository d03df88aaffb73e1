//! Where a server under test keeps its data, and tests that hold wherever that is: each runs on the embedded store and on PostgreSQL.

use crate::server::{Server, server_of};
use std::{path::Path, process::Command};
use tempfile::TempDir;
use testbed::postgres::Databases;

/// Short, because it is waited for after a process was killed; long enough for a busy machine to renew it in time.
pub const LEASE: &str = "postgres.lease_ms=1500";

/// What the platform keeps its data in.
#[derive(Clone, Copy)]
pub enum Store {
    /// The embedded one.
    Sqlite,
    Postgres,
}

impl Store {
    /// A server on data of its own, which is empty.
    pub fn start(self) -> Server {
        self.with(&[])
    }

    /// The same with more settings.
    pub fn with(self, settings: &[&str]) -> Server {
        Server::on(self.empty(), settings)
    }

    /// Nothing, as yet: the server that is given it makes its databases.
    pub fn empty(self) -> Data {
        let databases = match self {
            Self::Sqlite => None,
            Self::Postgres => Some(Databases::none()),
        };
        Data { directory: TempDir::new().expect("a directory"), databases }
    }
}

/// The data of one server: they outlive its process, and are gone with this.
pub struct Data {
    directory: TempDir,
    /// On PostgreSQL; otherwise they are in the directory.
    pub databases: Option<Databases>,
}

impl Data {
    /// The folder that the process runs in. What it writes into files is in `data` below it.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The binary as a server of these, on free ports, with more settings.
    pub fn server(&self, settings: &[&str]) -> Command {
        let mut command = server_of(self.path(), settings);
        self.point(&mut command);
        command
    }

    /// Has a command use these databases, if they are on a server.
    pub fn point(&self, command: &mut Command) {
        if let Some(databases) = &self.databases {
            command.args(["--set", &format!("postgres.url={}?sslmode=disable", databases.url()), "--set", LEASE]);
        }
    }
}

impl From<TempDir> for Data {
    fn from(directory: TempDir) -> Self {
        Self { directory, databases: None }
    }
}

/// Makes two tests, `sqlite::…` and `postgres::…`, of each function that is named: it is given the [`Store`]. One that takes a store and is not
/// named is dead code, of which the compiler tells.
macro_rules! on_both_stores {
    ($($test:ident),+ $(,)?) => {
        $crate::store::on_both_stores! { @in sqlite Sqlite $($test)+ }
        $crate::store::on_both_stores! { @in postgres Postgres $($test)+ }
    };
    (@in $module:ident $store:ident $($test:ident)+) => {
        mod $module {
            $(
                #[test]
                fn $test() {
                    super::$test($crate::store::Store::$store);
                }
            )+
        }
    };
}
pub(crate) use on_both_stores;
