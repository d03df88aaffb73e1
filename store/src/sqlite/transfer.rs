//! A data directory as one side of an export or import.

use super::backup::{self, Frozen};
use super::migration::{SCHEMAS, bring_up, pending_in};
use super::{OpenError, bulk, connection, content, directory, shop, users};
use crate::transfer::document::{Row, Value};
use crate::transfer::table::{DATABASES, Kind, Role, Table, tables};
use crate::transfer::{BATCH_ROWS_MAX, Batch, BatchError, Mark, TransferError};
use protocol::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OptionalExtension, ToSql, TransactionBehavior, params_from_iter};
use std::path::Path;
use std::time::Duration;
use uuid::Uuid;

/// One row, while a document is imported: which, and how far.
const UNFINISHED: &str = "CREATE TABLE unfinished_import (
                            only_row INTEGER PRIMARY KEY CHECK (only_row = 1), document BLOB NOT NULL, line INTEGER NOT NULL, sum BLOB NOT NULL,
                            complete INTEGER NOT NULL
                          ) STRICT";
const IS_UNFINISHED: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'unfinished_import')";
const MARK: &str = "INSERT INTO unfinished_import (only_row, document, line, sum, complete) VALUES (1, ?1, 0, x'', 0)";
const MARKED: &str = "SELECT document, line, sum, complete FROM unfinished_import";
const MOVE: &str = "UPDATE unfinished_import SET line = ?2, sum = ?3 WHERE line = ?1";

/// How many migrations each database has.
pub(crate) fn schemas() -> Vec<(&'static str, usize)> {
    SCHEMAS.iter().map(|schema| (schema.database, schema.migrations.len())).collect()
}

/// Whether an import into this database is unfinished.
pub(super) fn is_unfinished(db: &Connection) -> rusqlite::Result<bool> {
    db.query_row(IS_UNFINISHED, [], |row| row.get(0))
}

/// Refuses a database that an import is unfinished in: nobody is to see a part of an instance.
pub(super) fn refuse_unfinished(db: &Connection, database: &'static str) -> Result<(), OpenError> {
    match is_unfinished(db).map_err(OpenError::sqlite(database))? {
        true => Err(OpenError::Unfinished { database }),
        false => Ok(()),
    }
}

fn away(database: &'static str) -> impl Fn(rusqlite::Error) -> TransferError + Copy {
    move |error| TransferError::Database { database, reason: error.to_string() }
}

/// Databases of a data directory, as they are at one instant.
pub struct Source(Frozen);

impl Source {
    pub(crate) fn open(dir: &Path) -> Result<Self, TransferError> {
        backup::look_for(dir)?;
        for schema in &SCHEMAS {
            if !pending_in(dir, schema)?.is_empty() {
                return Err(TransferError::Pending { database: schema.database });
            }
        }
        let frozen = backup::freeze(dir)?;
        for (database, db) in &frozen.databases {
            refuse_unfinished(db, database)?;
        }
        Ok(Self(frozen))
    }

    pub(crate) fn made_at(&self) -> Timestamp {
        self.0.at
    }

    pub(crate) fn read(&self, table: &Table, give: &mut dyn FnMut(&[Row]) -> Result<(), TransferError>) -> Result<(), TransferError> {
        let fault = away(table.database);
        let (names, order) = (Table::names(table.columns), table.key.join(", "));
        let told = if table.role == Role::Epochs { "WHERE epoch > 0" } else { "" };
        let sql = format!("SELECT {names} FROM {} {told} ORDER BY {order}", table.name);
        let mut statement = self.0.databases[table.place()].1.prepare(&sql).map_err(fault)?;
        let mut rows = statement.query([]).map_err(fault)?;
        let mut batch = Vec::new();
        while let Some(row) = rows.next().map_err(fault)? {
            let read = |(place, column): (usize, &crate::transfer::table::Column)| {
                let value = row.get_ref(place).map_err(fault)?;
                read(column.kind, value).ok_or_else(|| TransferError::Row {
                    table: table.title(),
                    reason: format!("a row's {} holds a {}", column.name, value.data_type()),
                })
            };
            batch.push(table.columns.iter().enumerate().map(read).collect::<Result<Row, _>>()?);
            if batch.len() == BATCH_ROWS_MAX {
                give(&batch)?;
                batch.clear();
            }
        }
        if batch.is_empty() { Ok(()) } else { give(&batch) }
    }
}

fn read(kind: Kind, value: ValueRef<'_>) -> Option<Value> {
    Some(match (kind, value) {
        (_, ValueRef::Null) => Value::Null,
        (Kind::Id, ValueRef::Blob(bytes)) => Value::Id(Uuid::from_slice(bytes).ok()?),
        (Kind::Bytes, ValueRef::Blob(bytes)) => Value::Bytes(bytes.to_vec()),
        (Kind::Text, ValueRef::Text(text)) => Value::Text(str::from_utf8(text).ok()?.to_owned()),
        (Kind::Json, ValueRef::Text(text)) => Value::Json(serde_json::from_slice(text).ok()?),
        (Kind::Int | Kind::Time, ValueRef::Integer(number)) => Value::Int(number),
        (Kind::Bool, ValueRef::Integer(number @ (0 | 1))) => Value::Bool(number == 1),
        _ => return None,
    })
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Id(id) => ValueRef::Blob(id.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Bool(is) => ValueRef::Integer((*is).into()),
            Self::Json(value) => return Ok(value.to_string().into()),
        }))
    }
}

/// Databases of a data directory that a document is imported into. The directory's lock is held.
pub struct Target {
    databases: Vec<Connection>,
    _lock: directory::Lock,
}

impl Target {
    pub(crate) fn open(dir: &Path) -> Result<Self, TransferError> {
        let lock = directory::take(dir)?;
        let mut databases = Vec::new();
        for schema in &SCHEMAS {
            let fault = OpenError::sqlite(schema.database);
            let path = directory::make_file(dir, schema.database)?;
            let mut db = connection::writer(&path, Duration::ZERO).map_err(fault)?;
            bring_up(&mut db, schema)?;
            bulk::configure(&db).map_err(fault)?;
            databases.push(db);
        }
        Ok(Self { databases, _lock: lock })
    }

    pub(crate) fn marks(&self) -> Result<[Option<Mark>; 4], TransferError> {
        let mut marks = [const { None }; 4];
        for (place, db) in self.databases.iter().enumerate() {
            let fault = away(DATABASES[place]);
            if is_unfinished(db).map_err(fault)? {
                let mark = db.query_row(MARKED, [], |row| {
                    Ok(Mark {
                        document: row.get(0)?,
                        line: row.get::<_, i64>(1)?.unsigned_abs(),
                        sum: row.get(2)?,
                        is_complete: row.get(3)?,
                    })
                });
                marks[place] = mark.optional().map_err(fault)?;
            }
        }
        Ok(marks)
    }

    pub(crate) fn occupied(&self, place: usize) -> Result<Option<&'static str>, TransferError> {
        for table in tables().filter(|table| table.place() == place && table.role != Role::Epochs) {
            let sql = format!("SELECT EXISTS (SELECT 1 FROM {})", table.name);
            if self.databases[place].query_row(&sql, [], |row| row.get(0)).map_err(away(table.database))? {
                return Ok(Some(table.name));
            }
        }
        Ok(None)
    }

    pub(crate) fn mark(&self, place: usize, document: &[u8]) -> Result<(), TransferError> {
        let marked = || {
            let transaction = self.databases[place].unchecked_transaction()?;
            transaction.execute_batch(UNFINISHED)?;
            transaction.execute(MARK, [document])?;
            transaction.commit()
        };
        marked().map_err(away(DATABASES[place]))
    }

    pub(crate) fn write(&mut self, batch: &Batch<'_>) -> Result<(), BatchError> {
        let db = &mut self.databases[batch.table.place()];
        // What listings follow from, products, brings them along by triggers; here they come with the numbers that they had. Sums come by triggers alone.
        let has_triggers = matches!(batch.table.role, Role::Found | Role::Counted);
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, has_triggers).map_err(refusal)?;
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(refusal)?;
        for row in batch.rows {
            write(&transaction, batch.table, row).map_err(refusal)?;
        }
        let line = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        if transaction.execute(MOVE, (line(batch.from), line(batch.line), &batch.sum[..])).map_err(refusal)? == 0 {
            return Err(BatchError::Moved);
        }
        transaction.commit().map_err(refusal)
    }

    /// The first database's mark goes last, and says until then that only the others' are to go.
    pub(crate) fn complete(&self) -> Result<(), TransferError> {
        for (place, db) in self.databases.iter().enumerate().rev() {
            let fault = away(DATABASES[place]);
            db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(fault)?;
        }
        let mut statements = vec![(0, "UPDATE unfinished_import SET complete = 1")];
        statements.extend((0..self.databases.len()).rev().map(|place| (place, "DROP TABLE IF EXISTS unfinished_import")));
        for (place, statement) in statements {
            let db = &self.databases[place];
            // In this order also where the power fails.
            let durable = || db.pragma_update(None, "synchronous", "FULL").and_then(|()| db.execute_batch(statement));
            durable().map_err(away(DATABASES[place]))?;
        }
        Ok(())
    }
}

fn write(db: &Connection, table: &Table, row: &Row) -> rusqlite::Result<()> {
    if table.role == Role::Found {
        let [Value::Int(number), Value::Id(id)] = row[..] else { unreachable!("what is found has a number and an id") };
        return match table.name {
            "person_search" => users::search::number(db, id, number),
            "post_search" => content::index::number(db, id, number),
            _ => shop::search::number(db, id, number),
        };
    }
    let values = vec!["?"; table.columns.len()].join(", ");
    let end = if table.role == Role::Epochs { " ON CONFLICT (slot) DO UPDATE SET epoch = max(epoch, excluded.epoch)" } else { "" };
    let sql = format!("INSERT INTO {} ({}) VALUES ({values}){end}", table.name, Table::names(table.columns));
    db.prepare_cached(&sql)?.execute(params_from_iter(row)).map(drop)
}

fn refusal(error: rusqlite::Error) -> BatchError {
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig) => BatchError::Refused(error.to_string()),
        None => BatchError::Refused(error.to_string()),
        Some(_) => BatchError::Away(error.to_string()),
    }
}
