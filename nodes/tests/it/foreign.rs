//! Rows that somebody writes by psql, beside the platform: every answer that was warm shows them soon. How soon is measured
//! (docs/performance.md), not tested: it is the machine's affair as well.

use crate::{
    http::{Client, PATIENCE, Person, delete, get, items, post, put, text},
    store::Store,
};
use serde_json::{Value, json};
use std::time::Instant;
use testbed::postgres::Databases;

/// Writes, and looks until everything shows it.
#[track_caller]
fn shows(databases: &Databases, database: &str, statement: &str, mut look: impl FnMut() -> Result<(), String>) {
    databases.sql(database, &[statement]);
    let written = Instant::now();
    while let Err(seen) = look() {
        assert!(written.elapsed() < PATIENCE, "not within {PATIENCE:?} after {statement}: {seen}");
    }
}

fn expect(seen: &Value, wanted: impl Into<Value>) -> Result<(), String> {
    let wanted = wanted.into();
    if *seen == wanted { Ok(()) } else { Err(format!("{seen} is not {wanted}")) }
}

fn ids(page: &Value) -> Vec<String> {
    items(page).iter().map(|item| text(&item["id"])).collect()
}

#[track_caller]
fn list(client: &mut Client, by: Option<&Person>, path: &str) -> Vec<String> {
    let request = by.map_or_else(|| get(path), |by| get(path).by(by));
    ids(&client.call(&request).ok(200))
}

#[test]
fn a_product_in_every_list_and_its_owners_next_write() {
    let server = Store::Postgres.start();
    let databases = server.data.databases.as_ref().expect("on a server");
    let mut client = server.gateway();
    let ada = client.register("ada");
    let product = json!({"name": "brass lamp", "price": 10, "stock": 5, "category": "light"});
    let id = text(&client.call(&post("/api/shop/products", product).by(&ada)).ok(201)["id"]);
    let path = format!("/api/shop/public/products/{id}");
    let version = client.call(&get(path.clone())).ok(200)["version"].as_u64().expect("a version");
    let lists = ["sort=newest", "sort=price_asc", "sort=rating", "category=light", "search=brass"]
        .map(|query| format!("/api/shop/public/products?{query}"));
    for path in &lists {
        assert_eq!(list(&mut client, None, path), [id.as_str()], "{path}");
    }

    shows(databases, "shop", &format!("UPDATE product SET price_cents = 1234 WHERE id = '{id}'"), || {
        expect(&client.call(&get(path.clone())).ok(200)["price"], "12.34")
    });
    let seen = client.call(&get(path.clone())).ok(200);
    assert_eq!(seen["version"], version + 1, "its version was raised for the writer");
    // The owner goes on from there, and a client that knows the older version is told.
    let stale = put(format!("/api/shop/products/{id}"), json!({"stock": 3})).header("if-match", &format!("\"{version}\"")).by(&ada);
    assert_eq!(client.call(&stale).status, 412);
    assert_eq!(client.call(&put(format!("/api/shop/products/{id}"), json!({"stock": 3})).by(&ada)).ok(200)["price"], "12.34");

    // It is found by other words, and in another category.
    shows(databases, "shop", &format!("UPDATE product SET name = 'iron kettle', category = 'kitchen' WHERE id = '{id}'"), || {
        let gone = lists[3..].iter().all(|path| list(&mut client, None, path).is_empty());
        let come = ["category=kitchen", "search=kettle"]
            .iter()
            .all(|query| list(&mut client, None, &format!("/api/shop/public/products?{query}")) == [id.as_str()]);
        if gone && come { Ok(()) } else { Err(format!("gone from the old lists: {gone}, in the new ones: {come}")) }
    });
    // Hidden by its flag, and shown again.
    for (is_active, wanted) in [("false", vec![]), ("true", vec![id.clone()])] {
        shows(databases, "shop", &format!("UPDATE product SET is_active = {is_active} WHERE id = '{id}'"), || {
            let seen = lists[..3].iter().map(|path| list(&mut client, None, path)).collect::<Vec<_>>();
            if seen.iter().all(|seen| *seen == wanted) { Ok(()) } else { Err(format!("{seen:?}")) }
        });
    }
    // A row that nobody of ours made, and its end.
    let copy = "01890000-0000-7000-8000-000000000001";
    let insert = format!(
            "INSERT INTO product (id, seller_id, name, description, price_cents, currency, images, category, stock, is_public, is_active, created_at, updated_at, version)
             SELECT '{copy}', seller_id, 'copper kettle', description, price_cents, currency, images, category, stock, is_public, is_active, created_at, updated_at, 1
             FROM product WHERE id = '{id}'"
        );
    let both = || vec![id.clone(), copy.to_owned()];
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    let wanted = sorted(both());
    shows(databases, "shop", &insert, || {
        let seen = ["search=kettle", "sort=price_asc", "category=kitchen"]
            .map(|query| sorted(list(&mut client, None, &format!("/api/shop/public/products?{query}"))));
        if seen.iter().all(|seen| *seen == wanted) { Ok(()) } else { Err(format!("{seen:?}")) }
    });
    client.call(&get(format!("/api/shop/public/products/{copy}"))).ok(200);
    // Gone and back, at a version below the one that was known.
    shows(databases, "shop", &format!("UPDATE product SET stock = 7 WHERE id = '{copy}'"), || {
        expect(&client.call(&get(format!("/api/shop/public/products/{copy}"))).ok(200)["version"], 2)
    });
    let again = format!("DO $$ BEGIN DELETE FROM product WHERE id = '{copy}'; {insert}; END $$");
    shows(databases, "shop", &again, || expect(&client.call(&get(format!("/api/shop/public/products/{copy}"))).ok(200)["version"], 1));
    shows(databases, "shop", &format!("DELETE FROM product WHERE id = '{copy}'"), || {
        let status = client.call(&get(format!("/api/shop/public/products/{copy}"))).status;
        let seen = ["search=kettle", "sort=price_asc", "category=kitchen"]
            .map(|query| list(&mut client, None, &format!("/api/shop/public/products?{query}")));
        if status == 404 && seen.iter().all(|seen| *seen == [id.as_str()]) { Ok(()) } else { Err(format!("{status}, {seen:?}")) }
    });
}

#[test]
fn posts_their_words_hashtags_and_feeds() {
    let server = Store::Postgres.start();
    let databases = server.data.databases.as_ref().expect("on a server");
    let mut client = server.gateway();
    let (ada, bob) = (client.register("ada"), client.register("bob"));
    client.call(&put(format!("/api/user/users/{}/follow", ada.id), json!({})).by(&bob)).ok(200);
    let id =
        text(&client.call(&post("/api/content/posts", json!({"content": "a #lighthouse", "visibility": "public"})).by(&ada)).ok(201)["id"]);
    let feed = format!("/api/content/feed/{}", bob.id);
    let lists = |word: &str| [format!("/api/content/posts/search?q={word}"), format!("/api/content/hashtags/{word}/posts")];
    for path in lists("lighthouse").iter().chain([&feed]) {
        assert_eq!(list(&mut client, Some(&bob), path), [id.as_str()], "{path}");
    }
    shows(databases, "content", &format!("UPDATE post SET content = 'a #windmill' WHERE id = '{id}'"), || {
        let gone = lists("lighthouse").iter().all(|path| list(&mut client, Some(&bob), path).is_empty());
        let come = lists("windmill").iter().all(|path| list(&mut client, Some(&bob), path) == [id.as_str()]);
        let content = client.call(&get(feed.clone()).by(&bob)).ok(200)["items"][0]["content"] == "a #windmill";
        if gone && come && content { Ok(()) } else { Err(format!("gone {gone}, come {come}, in the feed {content}")) }
    });
    shows(databases, "content", &format!("UPDATE post SET visibility = 'private' WHERE id = '{id}'"), || {
        let seen = client.call(&get(feed.clone()).by(&bob)).ok(200)["items"].clone();
        expect(&seen, json!([]))
    });
    let copy = "01890000-0000-7000-8000-000000000002";
    let insert = format!(
            "INSERT INTO post (id, user_id, content, post_type, media_ids, visibility, likes_count, comments_count, shares_count, is_published, created_at, updated_at, version)
             SELECT '{copy}', user_id, 'another #windmill', post_type, media_ids, 'public', 0, 0, 0, true, created_at, updated_at, 1 FROM post WHERE id = '{id}'"
        );
    shows(databases, "content", &insert, || {
        let seen = lists("windmill").iter().chain([&feed]).map(|path| list(&mut client, Some(&bob), path)).collect::<Vec<_>>();
        if seen.iter().all(|seen| *seen == [copy]) { Ok(()) } else { Err(format!("{seen:?}")) }
    });
    // A part of a post is another version of it.
    let comment = format!(
        "INSERT INTO comment (id, post_id, user_id, content, score, created_at, updated_at) SELECT gen_random_uuid(), id, user_id, 'by hand', 0, now(), now() FROM post WHERE id = '{copy}'"
    );
    client.call(&get(format!("/api/content/posts/{copy}/comments")).by(&bob)).ok(200);
    shows(databases, "content", &comment, || {
        let seen = client.call(&get(format!("/api/content/posts/{copy}/comments")).by(&bob)).ok(200);
        expect(&seen["items"][0]["content"], "by hand")
    });
}

#[test]
fn people_their_bans_sessions_and_what_they_are_found_by() {
    let server = Store::Postgres.start();
    let databases = server.data.databases.as_ref().expect("on a server");
    let mut client = server.gateway();
    let (ada, bob) = (client.register("ada"), client.register("bob"));
    let profile = format!("/api/user/profile/{}", ada.id);
    client.call(&get(profile.clone())).ok(200);
    shows(databases, "users", &format!("UPDATE person SET first_name = 'Augusta' WHERE id = '{}'", ada.id), || {
        expect(&client.call(&get(profile.clone())).ok(200)["firstName"], "Augusta")?;
        expect(&json!(list(&mut client, Some(&bob), "/api/user/search?q=augusta")), json!([ada.id]))
    });
    let skill = format!(
        "INSERT INTO skill (id, person_id, name, name_folded, level, endorsements, created_at) VALUES (gen_random_uuid(), '{}', 'Looms', 'looms', 'expert', 0, now())",
        ada.id
    );
    shows(databases, "users", &skill, || {
        let seen = client.call(&get(profile.clone())).ok(200);
        let found = list(&mut client, Some(&bob), "/api/user/search?q=looms");
        if seen["skills"][0]["name"] == "Looms" && found == [ada.id.as_str()] { Ok(()) } else { Err(format!("{seen}, {found:?}")) }
    });
    client.call(&get("/api/user/me").by(&bob)).ok(200);
    shows(databases, "users", &format!("DELETE FROM session WHERE person_id = '{}'", bob.id), || {
        expect(&json!(client.call(&get("/api/user/me").by(&bob)).status), 401)
    });
    client.call(&get("/api/user/me").by(&ada)).ok(200);
    shows(databases, "users", &format!("UPDATE person SET is_active = false WHERE id = '{}'", ada.id), || {
        let statuses = [client.call(&get("/api/user/me").by(&ada)).status, client.call(&get(profile.clone())).status];
        expect(&json!(statuses), json!([401, 404]))
    });
}

/// A transaction that is left open holds back what the server may forget, and nothing of ours; and connections that end are replaced.
#[test]
fn while_a_transaction_is_left_open_and_after_every_connection_was_cut() {
    let server = Store::Postgres.start();
    let databases = server.data.databases.as_ref().expect("on a server");
    let mut client = server.gateway();
    let ada = client.register("ada");
    let id = text(&client.call(&post("/api/shop/products", json!({"name": "lamp", "price": 1, "stock": 5})).by(&ada)).ok(201)["id"]);
    let path = format!("/api/shop/public/products/{id}");
    client.call(&get(path.clone())).ok(200);
    let _idle = databases.hold("shop", "SELECT txid_current()");
    for (stock, cut) in [(7, false), (8, true), (9, false)] {
        if cut {
            databases.sql("shop", &["SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lets-connect' AND datname = current_database()"]);
        }
        shows(databases, "shop", &format!("UPDATE product SET stock = {stock} WHERE id = '{id}'"), || {
            expect(&client.call(&get(path.clone())).ok(200)["stock"], stock)
        });
    }
    // Our own writes are not noted.
    let noted = || databases.sql("shop", &["SELECT last_value FROM foreign_write_id_seq"]);
    let before = noted();
    client.call(&put(format!("/api/shop/products/{id}"), json!({"stock": 1})).by(&ada)).ok(200);
    client.call(&delete(format!("/api/shop/products/{id}")).by(&ada)).ok(204);
    assert_eq!(noted(), before);
}
