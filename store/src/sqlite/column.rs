//! Values of rows, as they are written and read.

use protocol::{Money, Slot, Timestamp};
use rusqlite::types::{FromSql, Type};
use rusqlite::{Connection, Error, Params, Result, Row};
use serde::{Serialize, de::DeserializeOwned};
use std::str::FromStr;
use uuid::Uuid;

pub(super) use crate::page::{BOTTOM, TOP, by_id, cut, fetch};

/// Declares statements, and lists them for the test of their plans.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* const $name: &str = $sql;)*

        /// Every statement of this module by name.
        #[cfg(test)]
        pub(in crate::sqlite) const STATEMENTS: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}
pub(super) use statements;

/// A row read from its first column to its last.
pub(super) struct Columns<'r, 's> {
    row: &'r Row<'s>,
    next: usize,
}

impl<'r, 's> Columns<'r, 's> {
    /// Begins at the first column.
    pub(super) fn of(row: &'r Row<'s>) -> Self {
        Self { row, next: 0 }
    }

    /// The next column.
    pub(super) fn take<T: FromSql>(&mut self) -> Result<T> {
        self.next += 1;
        self.row.get(self.next - 1)
    }

    /// The next column, which can hold more than this release understands.
    fn convert<T, S: FromSql, E>(&mut self, kind: Type, convert: impl FnOnce(S) -> std::result::Result<T, E>) -> Result<T>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let value = self.take()?;
        convert(value).map_err(|e| Error::FromSqlConversionFailure(self.next - 1, kind, Box::new(e)))
    }

    /// An id.
    pub(super) fn id(&mut self) -> Result<Uuid> {
        self.take().map(Uuid::from_bytes)
    }

    /// An id or nothing.
    pub(super) fn id_or_none(&mut self) -> Result<Option<Uuid>> {
        Ok(self.take::<Option<[u8; 16]>>()?.map(Uuid::from_bytes))
    }

    /// An instant.
    pub(super) fn time(&mut self) -> Result<Timestamp> {
        self.take().map(Timestamp)
    }

    /// An instant or nothing.
    pub(super) fn time_or_none(&mut self) -> Result<Option<Timestamp>> {
        Ok(self.take::<Option<i64>>()?.map(Timestamp))
    }

    /// A count or version.
    pub(super) fn count(&mut self) -> Result<u64> {
        self.convert(Type::Integer, |n: i64| u64::try_from(n))
    }

    /// A slot.
    pub(super) fn slot(&mut self) -> Result<Slot> {
        let number = self.take()?;
        Slot::new(number).ok_or(Error::IntegralValueOutOfRange(self.next - 1, number.into()))
    }

    /// An amount.
    pub(super) fn money(&mut self) -> Result<Money> {
        self.convert(Type::Integer, Money::from_cents)
    }

    /// A word of a closed list.
    pub(super) fn word<T: FromStr>(&mut self) -> Result<T>
    where
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        self.convert(Type::Text, |word: String| word.parse())
    }

    /// A word or nothing.
    pub(super) fn word_or_none<T: FromStr>(&mut self) -> Result<Option<T>>
    where
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        self.convert(Type::Text, |word: Option<String>| word.map(|word| word.parse()).transpose())
    }

    /// A list or object in a column.
    pub(super) fn json<T: DeserializeOwned>(&mut self) -> Result<T> {
        self.convert(Type::Text, |text: String| serde_json::from_str(&text))
    }
}

/// Writes a count or version. SQLite's integers end at 2^63 - 1, which no version reaches.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Writes a list or object of texts.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts in lists and maps by text can always be written")
}

/// The one row of a query, if it has one.
pub(super) fn optional<T>(db: &Connection, sql: &str, params: impl Params, map: impl FnOnce(&Row<'_>) -> Result<T>) -> Result<Option<T>> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(map).transpose()
}

/// All rows of a query.
pub(super) fn list<T>(db: &Connection, sql: &str, params: impl Params, map: impl FnMut(&Row<'_>) -> Result<T>) -> Result<Vec<T>> {
    db.prepare_cached(sql)?.query_map(params, map)?.collect()
}

/// Carries a statement out; answers how many rows it changed.
pub(super) fn execute(db: &Connection, sql: &str, params: impl Params) -> Result<usize> {
    db.prepare_cached(sql)?.execute(params)
}

/// Reads in one snapshot, where a read takes several statements.
pub(super) fn snapshot<T>(db: &Connection, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    let transaction = db.unchecked_transaction()?;
    read(&transaction)
}
