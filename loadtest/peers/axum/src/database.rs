//! A pool of connections to a database, on which statements are prepared once.

use bb8_postgres::PostgresConnectionManager;
use std::collections::HashMap;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row, Statement};

/// As the other peers have.
const CONNECTIONS_MAX: u32 = 10;

#[derive(Clone)]
pub struct Database {
    pool: bb8::Pool<Manager>,
}

/// A connection and what was prepared on it.
pub struct Prepared {
    client: Client,
    statements: HashMap<String, Statement>,
}

pub struct Manager(PostgresConnectionManager<NoTls>);

impl bb8::ManageConnection for Manager {
    type Connection = Prepared;
    type Error = tokio_postgres::Error;

    async fn connect(&self) -> Result<Prepared, Self::Error> {
        Ok(Prepared { client: self.0.connect().await?, statements: HashMap::new() })
    }

    async fn is_valid(&self, connection: &mut Prepared) -> Result<(), Self::Error> {
        self.0.is_valid(&mut connection.client).await
    }

    fn has_broken(&self, connection: &mut Prepared) -> bool {
        connection.client.is_closed()
    }
}

impl Prepared {
    async fn query(&mut self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> anyhow::Result<Vec<Row>> {
        let statement = match self.statements.get(sql) {
            Some(statement) => statement,
            None => {
                let statement = self.client.prepare(sql).await?;
                self.statements.entry(sql.to_owned()).or_insert(statement)
            }
        };
        Ok(self.client.query(statement, values).await?)
    }
}

impl Database {
    pub async fn connect(url: &str) -> anyhow::Result<Self> {
        let manager = Manager(PostgresConnectionManager::new(url.parse::<Config>()?, NoTls));
        Ok(Self { pool: bb8::Pool::builder().max_size(CONNECTIONS_MAX).test_on_check_out(false).build(manager).await? })
    }

    pub async fn all(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> anyhow::Result<Vec<Row>> {
        self.pool.get().await?.query(sql, values).await
    }

    /// The first row, rendered; `None` if there is none.
    pub async fn one(
        &self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
        render: impl FnOnce(&Row) -> anyhow::Result<String>,
    ) -> anyhow::Result<Option<String>> {
        self.all(sql, values).await?.first().map(render).transpose()
    }
}
