//! Databases on a server as one side of an export or import.

use super::column::Param;
use super::fault::{Fault, describe};
use super::migration::{self, How, SCHEMAS};
use super::{OpenError, Urls, content, shop, transaction, users};
use crate::transfer::document::{Row, Value};
use crate::transfer::table::{Column, DATABASES, Kind, Role, Table, tables};
use crate::transfer::{BATCH_ROWS_MAX, Batch, BatchError, Mark, TransferError};
use futures_util::future::try_join_all;
use futures_util::pin_mut;
use protocol::Timestamp;
use std::time::Duration;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Transaction};

mod value;

/// One row, while a document is imported: which, and how far.
const UNFINISHED: &str = "CREATE TABLE unfinished_import (
                            only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), document bytea NOT NULL, line bigint NOT NULL DEFAULT 0,
                            sum bytea NOT NULL DEFAULT '', complete boolean NOT NULL DEFAULT false
                          )";
const IS_UNFINISHED: &str = "SELECT to_regclass('unfinished_import') IS NOT NULL";
const MARK: &str = "INSERT INTO unfinished_import (document) VALUES ($1)";
const MARKED: &str = "SELECT document, line, sum, complete FROM unfinished_import";
const MOVE: &str = "UPDATE unfinished_import SET line = $2, sum = $3 WHERE line = $1";
const RAISE_EPOCHS: &str = "INSERT INTO slot_epoch AS s (slot, epoch) SELECT * FROM unnest($1::smallint[], $2::bigint[])
                            ON CONFLICT (slot) DO UPDATE SET epoch = greatest(s.epoch, excluded.epoch)";
/// No commit is under way, and none begins: each locks its slot's row in share mode. Who waits longer than this for somebody's open transaction lets all go on.
const FREEZE: &str = "BEGIN; SET LOCAL lock_timeout = '3s'; LOCK TABLE slot_epoch IN EXCLUSIVE MODE";
/// The snapshot is taken by the first statement.
const SEE: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1 FROM slot_epoch LIMIT 1";
const IS_UNHEEDED: &str = "SELECT EXISTS (SELECT 1 FROM foreign_write)";
/// How often a moment without unheeded writes of others is looked for, and how long after the last look.
const LOOKS_MAX: u32 = 25;
const LOOK: Duration = Duration::from_millis(200);

/// How many migrations each database has.
pub(crate) fn schemas() -> Vec<(&'static str, usize)> {
    SCHEMAS.iter().map(|schema| (schema.database, schema.migrations.len())).collect()
}

/// Refuses a database that an import is unfinished in: nobody is to see a part of an instance.
pub(super) async fn refuse_unfinished(client: &Client, database: &'static str) -> Result<(), OpenError> {
    match is_unfinished(client).await.map_err(OpenError::sql(database))? {
        true => Err(OpenError::Unfinished { database }),
        false => Ok(()),
    }
}

pub(super) async fn is_unfinished(client: &Client) -> Result<bool, Error> {
    client.query_one(IS_UNFINISHED, &[]).await?.try_get(0)
}

fn away(database: &'static str) -> impl Fn(Error) -> TransferError + Copy {
    move |error| TransferError::Database { database, reason: describe(&error) }
}

/// Databases as they are at one instant.
pub struct Source {
    clients: Vec<Client>,
    at: Timestamp,
}

impl Source {
    pub(crate) async fn open(urls: &Urls, connect_max: Duration) -> Result<Self, TransferError> {
        let (mut clients, mut holders) = (Vec::new(), Vec::new());
        for (mut target, schema) in urls.targets()?.into_iter().zip(&SCHEMAS) {
            target.configure(connect_max, None);
            let mut client = migration::connect_only(&target).await?;
            if !migration::bring_up(&mut client, schema, How::Told).await?.is_empty() {
                return Err(TransferError::Pending { database: schema.database });
            }
            refuse_unfinished(&client, schema.database).await?;
            clients.push(client);
            holders.push(migration::connect_only(&target).await?);
        }
        for _ in 1..LOOKS_MAX {
            let at = see(&clients, &holders).await?;
            match unheeded(&clients).await? {
                None => return Ok(Self { clients, at }),
                Some(_) => tokio::time::sleep(LOOK).await,
            }
            all(&clients, "ROLLBACK").await?;
        }
        let at = see(&clients, &holders).await?;
        match unheeded(&clients).await? {
            None => Ok(Self { clients, at }),
            Some(database) => Err(TransferError::Unheeded { database }),
        }
    }

    pub(crate) fn made_at(&self) -> Timestamp {
        self.at
    }

    pub(crate) async fn read(&self, table: &Table, give: &mut dyn FnMut(&[Row]) -> Result<(), TransferError>) -> Result<(), TransferError> {
        let (client, fault) = (&self.clients[table.place()], away(table.database));
        let effects = if table.role == Role::Effects { ", version" } else { "" };
        let told = if table.role == Role::Epochs { "WHERE epoch > 0" } else { "" };
        let sql = format!(
            "DECLARE told NO SCROLL CURSOR FOR SELECT {}{effects} FROM {} {told} ORDER BY {}",
            Table::names(table.columns),
            table.name,
            order(table)
        );
        client.batch_execute(&sql).await.map_err(fault)?;
        let fetch = client.prepare(&format!("FETCH {BATCH_ROWS_MAX} FROM told")).await.map_err(fault)?;
        loop {
            let found = client.query(&fetch, &[]).await.map_err(fault)?;
            if found.is_empty() {
                break;
            }
            let rows = found.iter().map(|row| read(table, row)).collect::<Result<Vec<_>, _>>();
            give(&rows.map_err(|reason| TransferError::Row { table: table.title(), reason })?)?;
        }
        client.batch_execute("CLOSE told").await.map_err(fault)
    }
}

/// Begins transactions that see all databases at one instant.
async fn see(clients: &[Client], holders: &[Client]) -> Result<Timestamp, TransferError> {
    all(holders, FREEZE).await?;
    let seen = all(clients, SEE).await;
    let at = Timestamp::now();
    all(holders, "ROLLBACK").await?;
    seen.map(|()| at)
}

async fn all(clients: &[Client], sql: &str) -> Result<(), TransferError> {
    for (client, database) in clients.iter().zip(DATABASES) {
        client.batch_execute(sql).await.map_err(away(database))?;
    }
    Ok(())
}

async fn unheeded(clients: &[Client]) -> Result<Option<&'static str>, TransferError> {
    for (client, database) in clients.iter().zip(DATABASES) {
        let row = client.query_one(IS_UNHEEDED, &[]).await.and_then(|row| row.try_get(0));
        if row.map_err(away(database))? {
            return Ok(Some(database));
        }
    }
    Ok(None)
}

/// Texts are compared by their bytes, as SQLite does.
fn order(table: &Table) -> String {
    let by = |name: &&str| if table.kind_of(name) == Kind::Text { format!("{name} COLLATE \"C\"") } else { (*name).to_owned() };
    table.key.iter().map(by).collect::<Vec<_>>().join(", ")
}

fn read(table: &Table, row: &tokio_postgres::Row) -> Result<Row, String> {
    let value = |place: usize| row.try_get::<_, Value>(place).map_err(|error| describe(&error));
    let mut values = (0..table.columns.len()).map(value).collect::<Result<Row, _>>()?;
    if table.role == Role::Effects
        && let Value::Int(version) = value(table.columns.len())?
    {
        let effect = values.iter_mut().find_map(|value| if let Value::Bytes(effect) = value { Some(effect) } else { None });
        let effect = effect.expect("an effect is bytes");
        *effect = transaction::versioned(effect, version).ok_or("an effect cannot be read")?;
    }
    Ok(values)
}

/// How what things are found by is made of them, by what makes it for every write: a query for a thing by its id, a statement that writes the index's row,
/// and that row with its number; `None` where the thing is not to be found.
pub(super) struct Found {
    pub(super) thing: &'static str,
    pub(super) insert: &'static str,
    pub(super) row: fn(&[tokio_postgres::Row], i64) -> Result<Option<Values>, Fault>,
}

/// Values for a statement.
type Values = Vec<Param<'static>>;

/// Databases on a server that a document is imported into.
pub struct Target(Vec<Client>);

impl Target {
    pub(crate) async fn open(urls: &Urls, connect_max: Duration) -> Result<Self, TransferError> {
        let mut clients = Vec::new();
        for (mut target, schema) in urls.targets()?.into_iter().zip(&SCHEMAS) {
            target.configure(connect_max, None);
            let mut client = migration::connect(&target).await?;
            migration::bring_up(&mut client, schema, How::AtOnce).await?;
            clients.push(client);
        }
        Ok(Self(clients))
    }

    pub(crate) async fn marks(&self) -> Result<[Option<Mark>; 4], TransferError> {
        let mut marks = [const { None }; 4];
        for (place, client) in self.0.iter().enumerate() {
            marks[place] = marked(client).await.map_err(away(DATABASES[place]))?;
        }
        Ok(marks)
    }

    pub(crate) async fn occupied(&self, place: usize) -> Result<Option<&'static str>, TransferError> {
        let tables = tables().filter(|table| table.place() == place && table.role != Role::Epochs).map(|table| table.name);
        for name in tables.chain(["foreign_write"]) {
            let sql = format!("SELECT EXISTS (SELECT 1 FROM {name})");
            let row = self.0[place].query_one(&sql, &[]).await.and_then(|row| row.try_get(0));
            if row.map_err(away(DATABASES[place]))? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    pub(crate) async fn mark(&self, place: usize, document: &[u8]) -> Result<(), TransferError> {
        let (client, database) = (&self.0[place], DATABASES[place]);
        let marked = async {
            client.batch_execute(&format!("BEGIN; {UNFINISHED}")).await?;
            client.execute(MARK, &[&document]).await?;
            client.batch_execute("COMMIT").await
        };
        match marked.await {
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                let _ = client.batch_execute("ROLLBACK").await;
                Err(TransferError::NoRight { database })
            }
            marked => marked.map_err(away(database)),
        }
    }

    pub(crate) async fn write(&mut self, batch: &Batch<'_>) -> Result<(), BatchError> {
        let written = write(&mut self.0[batch.table.place()], batch).await;
        match written {
            Ok(true) => Ok(()),
            Ok(false) => Err(BatchError::Moved),
            Err(Fault::Sql(error)) => Err(refusal(&error)),
            Err(fault) => Err(BatchError::Refused(fault.store_error(batch.table.database).to_string())),
        }
    }

    /// The first database's mark goes last, and says until then that only the others' are to go.
    pub(crate) async fn complete(&self) -> Result<(), TransferError> {
        for (client, database) in self.0.iter().zip(DATABASES) {
            settle(client).await.map_err(away(database))?;
        }
        let mut statements = vec![(0, "UPDATE unfinished_import SET complete = true")];
        statements.extend((0..self.0.len()).rev().map(|place| (place, "DROP TABLE IF EXISTS unfinished_import")));
        for (place, statement) in statements {
            self.0[place].batch_execute(statement).await.map_err(away(DATABASES[place]))?;
        }
        Ok(())
    }
}

async fn marked(client: &Client) -> Result<Option<Mark>, Error> {
    if !is_unfinished(client).await? {
        return Ok(None);
    }
    let Some(row) = client.query_opt(MARKED, &[]).await? else { return Ok(None) };
    let line = row.try_get::<_, i64>(1)?.unsigned_abs();
    Ok(Some(Mark { document: row.try_get(0)?, line, sum: row.try_get(2)?, is_complete: row.try_get(3)? }))
}

/// Writes a batch's rows and moves the mark; answers whether the mark was where it was thought to be.
async fn write(client: &mut Client, batch: &Batch<'_>) -> Result<bool, Fault> {
    let transaction = client.transaction().await?;
    match batch.table.role {
        Role::Rows | Role::Effects | Role::Counted => copy(&transaction, batch).await?,
        Role::Epochs => {
            let numbers = |place: usize| batch.rows.iter().map(move |row| if let Value::Int(number) = row[place] { number } else { 0 });
            let slots: Vec<i16> = numbers(0).map(|slot| i16::try_from(slot).unwrap_or(-1)).collect();
            transaction.execute(RAISE_EPOCHS, &[&slots, &numbers(1).collect::<Vec<i64>>()]).await?;
        }
        Role::Found => find(&transaction, batch).await?,
    }
    let line = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let moved = transaction.execute(MOVE, &[&line(batch.from), &line(batch.line), &&batch.sum[..]]).await?;
    if moved == 1 {
        transaction.commit().await?;
    }
    Ok(moved == 1)
}

async fn copy(transaction: &Transaction<'_>, batch: &Batch<'_>) -> Result<(), Fault> {
    let table = batch.table;
    let columns: Vec<(usize, Column)> = table.columns.iter().copied().enumerate().filter(|(_, column)| !column.is_computed).collect();
    let names = Table::names(&columns.iter().map(|(_, column)| *column).collect::<Vec<_>>());
    let shape = transaction.prepare(&format!("SELECT {names} FROM {}", table.name)).await?;
    let types: Vec<Type> = shape.columns().iter().map(|column| column.type_().clone()).collect();
    let sink = transaction.copy_in(&format!("COPY {} ({names}) FROM STDIN BINARY", table.name)).await?;
    let writer = BinaryCopyInWriter::new(sink, &types);
    pin_mut!(writer);
    for row in batch.rows {
        writer.as_mut().write_raw(columns.iter().map(|(place, _)| &row[*place])).await?;
    }
    writer.finish().await?;
    Ok(())
}

/// Makes again what things are found by.
async fn find(transaction: &Transaction<'_>, batch: &Batch<'_>) -> Result<(), Fault> {
    let found = match batch.table.name {
        "person_search" => users::search::FOUND,
        "post_search" => content::index::FOUND,
        _ => shop::search::FOUND,
    };
    let (thing, insert) = (transaction.prepare(found.thing).await?, transaction.prepare(found.insert).await?);
    let numbered = batch.rows.iter().map(|row| match row[..] {
        [Value::Int(number), Value::Id(id)] => (number, id),
        _ => unreachable!("what is found has a number and an id"),
    });
    // What is asked at one time goes in one packet.
    let things = numbered.map(|(number, id)| {
        let thing = &thing;
        async move { transaction.query(thing, &[&id]).await.map(|rows| (number, rows)) }
    });
    let rows = try_join_all(things).await?;
    let rows = rows.iter().map(|(number, rows)| (found.row)(rows, *number)).collect::<Result<Vec<_>, _>>()?;
    try_join_all(rows.iter().flatten().map(|row| {
        let insert = &insert;
        async move {
            let values: Vec<&(dyn ToSql + Sync)> = row.iter().map(|value| &**value as _).collect();
            transaction.execute(insert, &values).await
        }
    }))
    .await?;
    Ok(())
}

/// Has the server count on behind what was imported, and learn how much there is.
async fn settle(client: &Client) -> Result<(), Error> {
    let identities =
        "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = 'public' AND is_identity = 'YES'";
    for row in client.query(identities, &[]).await? {
        let (table, column): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let sql = format!("SELECT setval(pg_get_serial_sequence('{table}', '{column}'), max({column})) FROM {table} HAVING count(*) > 0");
        client.query(&sql, &[]).await?;
    }
    client.batch_execute("ANALYZE").await
}

/// What a failure means. Of a refused value nothing is said but what it breaks.
fn refusal(error: &Error) -> BatchError {
    match (error.code(), error.as_db_error()) {
        (Some(code), Some(said)) if code.code().starts_with("22") || code.code().starts_with("23") => {
            BatchError::Refused(said.message().to_owned())
        }
        (Some(_), Some(_)) => BatchError::Away(describe(error)),
        // A value that does not fit its column's type never leaves this side.
        _ if error.to_string().contains("serializ") => BatchError::Refused(describe(error)),
        _ => BatchError::Away(describe(error)),
    }
}
