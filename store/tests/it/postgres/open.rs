//! The way to the databases: what is made by itself, and what is said when it cannot be.

use super::*;
use crate::make::*;
use store::postgres::{OpenError, migrate};
use testbed::postgres::Server;

async fn refused(url: &str) -> OpenError {
    Postgres::open(&urls(url), &PostgresOptions::default(), &Registry::new()).await.map(drop).expect_err("refused")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_databases_are_made_and_migrated_once() {
    let databases = Databases::none();
    let urls = urls(databases.url());
    let due = migrate(&urls, PATIENCE, true).await;
    assert!(due.is_ok_and(|due| due.len() >= 6), "a dry run says what there is to do");
    // Processes that start at the same time do not get into each other's way.
    let (one, other) = tokio::join!(migrate(&urls, PATIENCE, false), migrate(&urls, PATIENCE, false));
    let applied = one.expect("migrated").len() + other.expect("migrated").len();
    assert_eq!(
        applied,
        migrate(&super::urls(Databases::none().url()), PATIENCE, true).await.expect("due").len(),
        "each step is applied once"
    );
    assert_eq!(migrate(&urls, PATIENCE, false).await.expect("migrated"), []);
    let stores = open(databases.url(), &options()).await;
    for domain in stores.domains() {
        domain.ping().await.expect("it answers");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_of_another_release_is_refused() {
    let databases = databases().await;
    databases.sql("content", &["INSERT INTO schema_migration VALUES (99, '0099_later', '', now())"]);
    assert!(matches!(refused(databases.url()).await, OpenError::Newer { database: "content", found: 99, .. }));
    databases.sql(
        "content",
        &["DELETE FROM schema_migration WHERE version = 99", "UPDATE schema_migration SET checksum = '' WHERE version = 2"],
    );
    assert!(matches!(refused(databases.url()).await, OpenError::Edited { database: "content", version: 2, .. }));
    let own = |name: &str| Some(format!("{}/{name}", Server::shared().url()));
    let one = Urls { content: own(&databases.name("users")), all: Some(databases.url().to_owned()), ..Urls::default() };
    let refused = migrate(&one, PATIENCE, false).await;
    assert!(matches!(refused, Err(OpenError::Url { database: "content", .. })), "two domains in one database: {refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_server_is_said_with_what_to_do() {
    let mut server = Server::own();
    server.sql("postgres", &["CREATE ROLE app LOGIN PASSWORD 'right'"]);
    server.demand_password("app");
    let url = |password: &str| format!("postgres://app:{password}@127.0.0.1:{}/shop", server.port());
    let (wrong, right) = (url("wrong"), url("right"));

    let error = refused(&wrong).await;
    assert!(matches!(error, OpenError::Refused { .. }), "{error:?}");
    let said = whole(&error);
    assert!(said.contains("does not let app in") && !said.contains("wrong"), "{said}");

    let error = refused(&right).await;
    assert!(matches!(error, OpenError::Missing { .. }), "{error:?}");
    assert!(whole(&error).contains("CREATE DATABASE \"shop_users\" OWNER \"app\""), "{}", whole(&error));
    for name in ["users", "content", "shop", "media"] {
        server.sql("postgres", &[&format!("CREATE DATABASE \"shop_{name}\" OWNER \"app\"")]);
    }
    // It needs no more than that.
    open(&right, &options()).await;

    server.stop();
    let error = refused(&right).await;
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
    let said = whole(&error);
    assert!(said.contains("is it running") && said.contains(&server.port().to_string()) && !said.contains("right@"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_is_encrypted_and_verified_as_the_url_says() {
    let server = Server::own();
    let plain = refused(&format!("{}?sslmode=require", server.url())).await;
    assert!(matches!(plain, OpenError::Unreachable { .. }), "the server offers no TLS: {plain:?}");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    server.offer_tls(&made.cert.pem(), &made.signing_key.serialize_pem());
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, pem: String| {
        let path = directory.path().join(name);
        std::fs::write(&path, pem).expect("writable");
        path
    };
    let (trusted, strange) = (file("trusted", made.cert.pem()), file("strange", other.cert.pem()));
    let try_with = async |host: &str, mode: &str, ca_file: Option<&std::path::Path>| {
        let all = Some(format!("postgres://postgres@{host}:{}/app?sslmode={mode}", server.port()));
        migrate(&Urls { all, ca_file: ca_file.map(Into::into), ..Urls::default() }, PATIENCE, true).await.map(drop)
    };
    // Its databases are made on the way.
    for mode in ["disable", "prefer", "require"] {
        try_with("127.0.0.1", mode, None).await.expect(mode);
    }
    // A server that reloads its certificate may take a moment.
    eventually("it offers TLS", async || try_with("localhost", "verify-full", Some(&trusted)).await.is_ok()).await;
    for (host, ca_file) in [("localhost", &strange), ("127.0.0.1", &trusted)] {
        let refused = try_with(host, "verify-full", Some(ca_file)).await;
        assert!(matches!(refused, Err(OpenError::Unreachable { .. })), "{host} {refused:?}");
    }
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE datname = 'app_users'";
    let url = format!("postgres://postgres@127.0.0.1:{}/app?sslmode=require", server.port());
    let stores = open(&url, &options()).await;
    stores.users.ping().await.expect("it answers");
    assert_eq!(server.sql("postgres", &[encrypted]).trim(), "t");
}
