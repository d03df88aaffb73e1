//! What a database's migrations are, the same for every dialect: numbered steps that are never changed once released.

use sha2::{Digest, Sha256};

/// One step of a schema. Its version is its place in the list, from 1.
pub(crate) struct Migration {
    /// The file's name before the dialect.
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

/// The first line of a migration that only makes indexes, which on a server can be built while the platform writes (`lets-connect migrate --online`).
///
/// Such a file holds nothing but `CREATE [UNIQUE] INDEX name ON …;`, so it can be interrupted anywhere: what is there says which of them are missing. Without
/// `--online`, and on SQLite, it is run as it stands.
pub(crate) const ONLINE: &str = "-- online";

/// An index of a migration that begins with [`ONLINE`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) name: String,
    pub(crate) is_unique: bool,
    /// What stands behind the name.
    pub(crate) rest: String,
}

impl Migration {
    /// The indexes that it makes, where it only does that and says so; the statement that is none, if there is one.
    pub(crate) fn indexes(&self) -> Option<Result<Vec<Index>, String>> {
        let rest = self.sql.strip_prefix(ONLINE)?.strip_prefix('\n')?;
        let code: Vec<_> = rest.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code)).collect();
        let statements = code.join("\n");
        let statements = statements.split(';').map(str::trim).filter(|statement| !statement.is_empty());
        Some(statements.map(|statement| Index::parse(statement).ok_or_else(|| statement.to_owned())).collect())
    }
}

impl Index {
    fn parse(statement: &str) -> Option<Self> {
        let words = statement.strip_prefix("CREATE ")?;
        let (is_unique, words) = words.strip_prefix("UNIQUE ").map_or((false, words), |words| (true, words));
        let (name, rest) = words.strip_prefix("INDEX ")?.split_once(' ')?;
        let is_name = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        (is_name && rest.starts_with("ON ")).then(|| Self { name: name.to_owned(), is_unique, rest: rest.to_owned() })
    }
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

    /// Fails a test where a file's number is not its place, or where one that begins with [`ONLINE`] holds something else than indexes.
    #[cfg(test)]
    pub(crate) fn assert_sound(&self) {
        for (step, migration) in self.steps().zip(self.migrations) {
            assert!(step.name.starts_with(&format!("{:04}_", step.version)), "{step:?}");
            if let Some(indexes) = migration.indexes() {
                let indexes = indexes.unwrap_or_else(|statement| panic!("{step:?} is online, and holds more than indexes: {statement}"));
                assert!(!indexes.is_empty(), "{step:?}");
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_that_only_makes_indexes_says_so_and_does_so() {
        let of = |sql| Migration { name: "0001_x", sql }.indexes();
        let index = |name: &str, is_unique, rest: &str| Index { name: name.to_owned(), is_unique, rest: rest.to_owned() };
        assert_eq!(of("CREATE INDEX a ON b (c);"), None);
        assert_eq!(
            of("-- online\n-- Why.\nCREATE INDEX a ON b (c);\nCREATE UNIQUE INDEX d\n  ON e (f) -- more; of it\n  WHERE g;\n"),
            Some(Err("CREATE UNIQUE INDEX d\n  ON e (f) \n  WHERE g".to_owned())),
            "the name and ON stand on one line"
        );
        assert_eq!(
            of("-- online\nCREATE INDEX a ON b (c);\n-- Why.\nCREATE UNIQUE INDEX d ON e (f)\n  WHERE g;\n"),
            Some(Ok(vec![index("a", false, "ON b (c)"), index("d", true, "ON e (f)\n  WHERE g")]))
        );
        for other in
            ["DROP INDEX a", "CREATE INDEX CONCURRENTLY a ON b (c)", "CREATE INDEX a.b ON c (d)", "ALTER TABLE a ADD COLUMN b integer"]
        {
            let file: &'static str = format!("-- online\n{other};\n").leak();
            assert_eq!(of(file), Some(Err(other.to_owned())));
        }
    }
}
