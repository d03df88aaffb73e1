//! What only the store on PostgreSQL has: connections that end, a server that restarts, a lease, and a schema that several processes share.

mod lease;
mod loss;
mod membership;
mod open;
mod race;

use crate::conformance::conformance;
use crate::make::PATIENCE;
use prometheus::Registry;
use store::Stores;
use store::postgres::{Postgres, PostgresOptions, Urls};
use testbed::postgres::Databases;

/// An open store in databases of its own.
struct Opened {
    // First: its connections are to be gone before their databases are.
    stores: Stores,
    databases: Databases,
}

impl Opened {
    fn stores(&self) -> Stores {
        self.stores.clone()
    }
}

fn urls(url: &str) -> Urls {
    Urls { all: Some(url.to_owned()), ..Urls::default() }
}

fn options() -> PostgresOptions {
    PostgresOptions {
        connections_max: 4,
        checkout_max: PATIENCE,
        connect_max: PATIENCE,
        statement_max: PATIENCE,
        ..PostgresOptions::default()
    }
}

async fn open(url: &str, options: &PostgresOptions) -> Stores {
    Postgres::open(&urls(url), options, &Registry::new()).await.expect("opened").stores()
}

/// Databases that are migrated. Their template is made once for each state of the migrations.
async fn databases() -> Databases {
    let runtime = tokio::runtime::Handle::current();
    let made = move || {
        Databases::migrated(&store::postgres::schema_version(), |url| {
            runtime.block_on(store::postgres::migrate(&urls(url), PATIENCE, false)).expect("migrated");
        })
    };
    tokio::task::spawn_blocking(made).await.expect("no panic")
}

async fn fresh() -> Opened {
    let databases = databases().await;
    Opened { stores: open(databases.url(), &options()).await, databases }
}

/// A connection of the test's own, beside the store's.
async fn client(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

/// An error with its causes, as it would be logged.
fn whole(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

mod conforms {
    super::conformance!(super::super::fresh);
}
