//! Every statement fits the schema.

use super::migration::SCHEMAS;
use super::transaction::Rows;
use super::{Urls, content, database, migrate, shop, transaction, users, verdict};
use crate::{ContentWrite, ShopWrite, UsersWrite};
use std::time::Duration;

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
        other => panic!("{other}"),
    };
    let named = shared.iter().chain(own).flat_map(|list| list.iter().map(|(name, sql)| ((*name).to_owned(), (*sql).to_owned())));
    let built = match database {
        "users" => users::search::statements(),
        "content" => content::find::statements(),
        "shop" => [shop::selection::statements(), shop::search::statements()].concat(),
        _ => Vec::new(),
    };
    let touch = match database {
        "users" => UsersWrite::TOUCH,
        "content" => ContentWrite::TOUCH,
        _ => ShopWrite::TOUCH,
    };
    named
        .chain(built.into_iter().map(|sql| ("one that is put together".to_owned(), sql)))
        .chain([("TOUCH".to_owned(), touch.to_owned())])
        .collect()
}

#[tokio::test]
async fn every_statement_can_be_prepared() {
    let databases = testbed::postgres::Databases::empty();
    let urls = Urls { all: Some(databases.url().to_owned()), ..Urls::default() };
    migrate(&urls, Duration::from_secs(10), false).await.expect("migrated");
    for (target, schema) in urls.targets().expect("URLs").iter().zip(&SCHEMAS) {
        let client = target.connect().await.expect("a connection");
        for (name, sql) in statements(schema.database) {
            if let Err(error) = client.prepare(&sql).await {
                panic!("{} {name}: {}\n{sql}", schema.database, super::fault::describe(&error));
            }
        }
    }
}
