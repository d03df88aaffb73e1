//! Every statement fits the schema, and finds its rows by an index.

use super::column::Asked;
use super::migration::SCHEMAS;
use super::transaction::Rows;
use super::{Urls, content, database, media, membership, migrate, shop, transaction, users, verdict};
use crate::{ContentWrite, MediaWrite, ShopWrite, UsersWrite};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;
use testbed::postgres::Databases;
use tokio_postgres::Client;

/// The statements of each database by name.
fn statements(database: &str) -> Vec<(String, String)> {
    let shared = [database::STATEMENTS, transaction::STATEMENTS, verdict::STATEMENTS];
    let own: &[&[(&str, &str)]] = match database {
        "users" => &[
            users::read::STATEMENTS,
            users::write::STATEMENTS,
            users::block::STATEMENTS,
            users::audit::STATEMENTS,
            users::account::STATEMENTS,
            users::search::STATEMENTS,
            users::case::STATEMENTS,
            membership::STATEMENTS,
            membership::CHANGES,
        ],
        "content" => &[
            content::STATEMENTS,
            content::write::STATEMENTS,
            content::find::STATEMENTS,
            content::index::STATEMENTS,
            content::person::STATEMENTS,
        ],
        "shop" => {
            &[shop::STATEMENTS, shop::write::STATEMENTS, shop::basket::STATEMENTS, shop::review::STATEMENTS, shop::search::STATEMENTS]
        }
        "media" => &[media::STATEMENTS],
        other => panic!("{other}"),
    };
    let named = shared.iter().chain(own).flat_map(|list| list.iter().map(|(name, sql)| ((*name).to_owned(), (*sql).to_owned())));
    let (touch, (_, versions)) = match database {
        "users" => (UsersWrite::TOUCH, UsersWrite::VERSIONS),
        "content" => (ContentWrite::TOUCH, ContentWrite::VERSIONS),
        "shop" => (ShopWrite::TOUCH, ShopWrite::VERSIONS),
        _ => (MediaWrite::TOUCH, MediaWrite::VERSIONS),
    };
    named.chain([("TOUCH".to_owned(), touch.to_owned()), ("VERSIONS".to_owned(), versions.to_owned())]).collect()
}

/// The searches of each database.
fn searches(database: &str) -> Vec<Asked> {
    match database {
        "users" => [users::search::searches(), users::case::searches()].into_iter().flatten().collect(),
        "content" => content::find::searches(),
        "media" => Vec::new(),
        _ => [shop::selection::searches(), shop::search::searches()].into_iter().flatten().collect(),
    }
}

/// Databases with this release's schema, and a connection to each.
async fn migrated() -> (Databases, Vec<(&'static str, Client)>) {
    let databases = Databases::empty();
    let urls = Urls { all: Some(databases.url().to_owned()), ..Urls::default() };
    migrate(&urls, Duration::from_secs(10), false).await.expect("migrated");
    let mut clients = Vec::new();
    for (target, schema) in urls.targets().expect("URLs").iter().zip(&SCHEMAS) {
        clients.push((schema.database, target.connect().await.expect("a connection")));
    }
    (databases, clients)
}

#[tokio::test]
async fn every_statement_can_be_prepared() {
    let (_databases, clients) = migrated().await;
    for (database, client) in clients {
        let searches = searches(database).into_iter().map(|asked| ("a search".to_owned(), asked.sql));
        for (name, sql) in statements(database).into_iter().chain(searches) {
            if let Err(error) = client.prepare(&sql).await {
                panic!("{database} {name}: {}\n{sql}", super::fault::describe(&error));
            }
        }
    }
}

/// What plans use.
#[derive(Default)]
struct Used {
    indexes: BTreeSet<String>,
    /// Tables that are read as a whole.
    scanned: BTreeSet<String>,
}

impl Used {
    fn note(&mut self, plan: &Value) {
        let name = |field: &str| plan[field].as_str().map(str::to_owned);
        if plan["Node Type"] == "Seq Scan" {
            self.scanned.extend(name("Relation Name"));
        }
        self.indexes.extend(name("Index Name"));
        let arbiters = plan["Conflict Arbiter Indexes"].as_array().into_iter().flatten();
        self.indexes.extend(arbiters.filter_map(|index| index.as_str().map(str::to_owned)));
        plan["Plans"].as_array().into_iter().flatten().for_each(|part| self.note(part));
    }
}

async fn names(client: &Client, sql: &str) -> BTreeSet<String> {
    client.query(sql, &[]).await.expect("an answer").into_iter().map(|row| row.get(0)).collect()
}

/// Tables whose rows are few however large the platform becomes: one for each slot, and what was applied, who holds the lease, and what signs.
const SMALL: [&str; 8] =
    ["signing_key", "slot_epoch", "schema_migration", "instance_lease", "instance", "cluster_view", "cluster_node", "cluster_slot"];
/// All indexes but those that keep rows apart, which pay by that.
const INDEXES: &str =
    "SELECT c.relname::text FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
                       WHERE n.nspname = 'public' AND NOT i.indisunique";
const INVALID: &str = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid OR NOT indisready";

/// Prepared statements are looked at by the one plan that they get for all values, searches by the plan for words that few have.
#[tokio::test]
async fn every_statement_finds_its_rows_by_an_index_and_every_index_is_used() {
    let (_databases, clients) = migrated().await;
    for (database, client) in clients {
        let own = match database {
            "users" => include_str!("statement/users.sql"),
            "content" => include_str!("statement/content.sql"),
            "shop" => include_str!("statement/shop.sql"),
            _ => include_str!("statement/media.sql"),
        };
        for sql in [include_str!("statement/shared.sql"), own, "ANALYZE; SET plan_cache_mode = force_generic_plan; SET jit = off"] {
            client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{database}: {}", super::fault::describe(&error)));
        }
        let mut used = Used::default();
        let mut note = |name: &str, sql: &str, plan: &Value| {
            let mut one = Used::default();
            one.note(&plan[0]["Plan"]);
            let scanned: Vec<_> = one.scanned.iter().filter(|table| !SMALL.contains(&table.as_str())).collect();
            assert!(scanned.is_empty(), "{database} {name} reads all of {scanned:?}:\n{sql}");
            used.indexes.append(&mut one.indexes);
        };
        for (name, sql) in statements(database) {
            let values = client.prepare(&sql).await.expect("it can be prepared").params().len();
            let values = if values == 0 { String::new() } else { format!("({})", vec!["NULL"; values].join(", ")) };
            client.batch_execute(&format!("PREPARE looked_at AS {sql}")).await.expect("it can be prepared");
            let plan = client.query_one(&format!("EXPLAIN (FORMAT JSON) EXECUTE looked_at{values}"), &[]).await.expect("a plan");
            note(&name, &sql, &plan.get(0));
            client.batch_execute("DEALLOCATE looked_at").await.expect("done");
        }
        for asked in searches(database) {
            let plan = client.query_typed(&format!("EXPLAIN (FORMAT JSON) {}", asked.sql), &asked.values()).await.expect("a plan");
            note("a search", &asked.sql, &plan[0].get(0));
        }
        assert_eq!(names(&client, INVALID).await, BTreeSet::new(), "{database}");
        let unused: Vec<_> = names(&client, INDEXES).await.into_iter().filter(|index| !used.indexes.contains(index)).collect();
        assert!(unused.is_empty(), "{database}: no statement uses {unused:?}");
    }
}
