//! What a database's migrations are, the same for every dialect: numbered steps that are never changed once released.

use sha2::{Digest, Sha256};

/// One step of a schema. Its version is its place in the list, from 1.
pub(crate) struct Migration {
    /// The file's name before the dialect.
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

/// A database's migrations, in order.
pub(crate) struct Schema {
    /// The database's name.
    pub(crate) database: &'static str,
    pub(crate) migrations: &'static [Migration],
}

/// A migration that was applied, or that a dry run would apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// To which database.
    pub database: &'static str,
    /// The database's version after it.
    pub version: u32,
    /// Its name, as its file's.
    pub name: &'static str,
}

/// Why a database is not one that this release can bring up.
pub(crate) enum Mismatch {
    /// A newer release migrated it.
    Newer { found: u32 },
    /// What was applied under this number is not what this release has under it.
    Edited { version: u32, name: String },
}

impl Schema {
    /// All steps, in order.
    pub(crate) fn steps(&self) -> impl Iterator<Item = Applied> {
        (1..).zip(self.migrations).map(|(version, m)| Applied { database: self.database, version, name: m.name })
    }

    /// The steps behind those that were applied (version, name, checksum), which must be the first of this release's.
    pub(crate) fn pending(&self, applied: &[(u32, String, Vec<u8>)]) -> Result<Vec<Applied>, Mismatch> {
        if let Some((version, ..)) = applied.get(self.migrations.len()) {
            return Err(Mismatch::Newer { found: *version });
        }
        for ((version, name, sum), (step, migration)) in applied.iter().zip(self.steps().zip(self.migrations)) {
            if *version != step.version || name != migration.name || checksum(migration.sql)[..] != sum[..] {
                return Err(Mismatch::Edited { version: *version, name: name.clone() });
            }
        }
        Ok(self.steps().skip(applied.len()).collect())
    }

    /// Fails a test where a file's number is not its place.
    #[cfg(test)]
    pub(crate) fn assert_numbered(&self) {
        for step in self.steps() {
            assert!(step.name.starts_with(&format!("{:04}_", step.version)), "{step:?}");
        }
    }
}

pub(crate) fn checksum(sql: impl AsRef<[u8]>) -> [u8; 32] {
    Sha256::digest(sql).into()
}

/// Embeds a database's files of one dialect; those that every database has are marked.
macro_rules! schema {
    ($dialect:literal, $database:literal: $($($shared:ident)? $name:literal),* $(,)?) => {
        $crate::schema::Schema { database: $database, migrations: &[$($crate::schema::Migration {
            name: $name,
            sql: $crate::schema::schema!(@file $($shared)? $dialect $database $name),
        }),*] }
    };
    (@file shared $dialect:literal $database:literal $name:literal) => { $crate::schema::schema!(@file $dialect "shared" $name) };
    (@file $dialect:literal $folder:literal $name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations/", $folder, "/", $name, ".", $dialect, ".sql"))
    };
}
pub(crate) use schema;
