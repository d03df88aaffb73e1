//! Lists: page by page, every row once and in order, and every parameter counts.

use crate::{
    http::{Client, Person, Request, delete, get, items, post, put, text},
    server::{FEEDS, Server},
};
use serde_json::{Value, json};
use std::collections::HashSet;

const ROWS: usize = 45;
/// 45 rows in pages of 7.
const PAGES: usize = 7;

#[track_caller]
fn created(client: &mut Client, by: &Person, path: &str, body: Value) -> String {
    text(&client.call(&post(path, body).by(by)).ok(201)["id"])
}

#[track_caller]
fn page(client: &mut Client, by: Option<&Person>, path: &str) -> Vec<String> {
    let request = by.map_or(get(path), |by| get(path).by(by));
    items(&client.call(&request).ok(200)).iter().map(|item| text(&item["id"])).collect()
}

fn newest_first(ids: &[String]) -> Vec<String> {
    ids.iter().rev().cloned().collect()
}

#[test]
fn posts_are_walked_without_gap_or_repetition_however_feeds_are_made() {
    for settings in FEEDS {
        posts_are_walked_without_gap_or_repetition(&Server::with(settings));
    }
}

fn posts_are_walked_without_gap_or_repetition(server: &Server) {
    let mut client = server.gateway();
    let (ada, bob) = (client.register("ada"), client.register("bob"));
    client.call(&Request::new("PUT", format!("/api/user/users/{}/follow", ada.id)).by(&bob)).ok(200);
    let mut ids = Vec::new();
    for number in 0..ROWS {
        // Bob's own posts are among those in his feed.
        let author = if number % 3 == 0 { &bob } else { &ada };
        ids.push(created(&mut client, author, "/api/content/posts", json!({"content": format!("post {number}")})));
    }
    let all = newest_first(&ids);
    let feed = format!("/api/content/feed/{}", bob.id);
    assert_eq!(client.walk(Some(&bob), &format!("{feed}?limit=7")), (all.clone(), PAGES));
    assert_eq!(client.walk(None, "/api/content/public/posts?limit=7"), (all.clone(), PAGES));
    let own: Vec<String> = ids.iter().enumerate().filter(|(number, _)| number % 3 != 0).map(|(_, id)| id.clone()).collect();
    assert_eq!(client.walk(None, &format!("/api/content/users/{}/posts?limit=7", ada.id)).0, newest_first(&own));
    assert_eq!(client.walk(Some(&bob), &format!("{feed}?limit=100")), (all.clone(), 1));

    // The old parameter counts pages of the feed from 1.
    let numbered: Vec<Vec<String>> =
        (1..=8).map(|number| page(&mut client, Some(&bob), &format!("{feed}?limit=7&page={number}"))).collect();
    assert_eq!(numbered.concat(), all);
    assert_eq!(numbered.iter().map(Vec::len).collect::<Vec<_>>(), [7, 7, 7, 7, 7, 7, 3, 0]);

    // What is written while somebody walks neither repeats nor hides what was there.
    for list in [format!("{feed}?limit=7"), "/api/content/public/posts?limit=7".to_owned()] {
        let before = client.walk(Some(&bob), &list).0;
        let first = client.call(&get(list.clone()).by(&bob)).ok(200);
        created(&mut client, &ada, "/api/content/posts", json!({"content": "meanwhile"}));
        let rest = client.walk_from(text(&first["nextCursor"]), Some(&bob), &list).0;
        assert_eq!(rest, before[7..]);
    }

    // What the viewer may not see, or was deleted, leaves shorter pages, and loses nothing behind it.
    for (number, id) in ids.iter().enumerate().filter(|(number, _)| (10..30).contains(number)) {
        let author = if number % 3 == 0 { &bob } else { &ada };
        let path = format!("/api/content/posts/{id}");
        match number % 2 {
            0 => client.call(&delete(path).by(author)).ok(204),
            _ => client.call(&put(path, json!({"visibility": "private"})).by(author)).ok(200),
        };
    }
    let rest = |wanted: &dyn Fn(usize) -> bool| -> Vec<String> {
        newest_first(&ids.iter().enumerate().filter(|(number, _)| wanted(*number)).map(|(_, id)| id.clone()).collect::<Vec<_>>())
    };
    let is_open = |number: usize| !(10..30).contains(&number);
    // The two that were written meanwhile come first.
    assert_eq!(client.walk(Some(&bob), &format!("{feed}?limit=7")).0[2..], rest(&|n| is_open(n) || (n % 3 == 0 && n % 2 == 1)));
    assert_eq!(client.walk(Some(&bob), "/api/content/public/posts?limit=7").0[2..], rest(&is_open));
    let of_ada = format!("/api/content/users/{}/posts?limit=7", ada.id);
    assert_eq!(client.walk(Some(&bob), &of_ada).0[2..], rest(&|n| is_open(n) && n % 3 != 0));
    assert_eq!(client.walk(Some(&ada), &of_ada).0[2..], rest(&|n| n % 3 != 0 && (is_open(n) || n % 2 == 1)));
}

#[test]
fn comments_are_walked_oldest_first_and_counted() {
    let server = Server::start();
    let mut client = server.gateway();
    let ada = client.register("ada");
    let written = created(&mut client, &ada, "/api/content/posts", json!({"content": "hello"}));
    let comments = format!("/api/content/posts/{written}/comments");
    let ids: Vec<String> = (0..20).map(|n| created(&mut client, &ada, &comments, json!({"content": format!("{n}")}))).collect();
    assert_eq!(client.walk(None, &format!("{comments}?limit=7")), (ids, 3));
    assert_eq!(client.call(&get(comments)).ok(200)["total"], 20);
    assert_eq!(client.call(&get(format!("/api/content/posts/{written}"))).ok(200)["commentsCount"], 20);
}

#[test]
fn people_and_orders_are_walked() {
    let server = Server::start();
    let mut client = server.gateway();
    let star = client.register("star");
    let fans: Vec<Person> = (0..9).map(|number| client.register(&format!("fan{number}"))).collect();
    let skill = created(&mut client, &star, &format!("/api/user/users/{}/skills", star.id), json!({"name": "Rust"}));
    for fan in &fans {
        client.call(&Request::new("PUT", format!("/api/user/users/{}/follow", star.id)).by(fan)).ok(200);
        client.call(&Request::new("PUT", format!("/api/user/users/{}/follow", fan.id)).by(&star)).ok(200);
        let endorse = Request::new("POST", format!("/api/user/skills/{skill}/endorse")).by(fan);
        assert_eq!(client.call(&endorse).ok(201)["name"], "Rust");
        client.call(&endorse).ok(200);
    }
    let expected: HashSet<String> = fans.iter().map(|fan| fan.id.clone()).collect();
    for list in ["users/{}/followers", "users/{}/following"]
        .map(|list| list.replace("{}", &star.id))
        .into_iter()
        .chain([format!("skills/{skill}/endorsements")])
    {
        let (ids, pages) = client.walk(Some(&fans[0]), &format!("/api/user/{list}?limit=4"));
        assert_eq!((ids.len(), ids.into_iter().collect::<HashSet<_>>(), pages), (9, expected.clone(), 3), "{list}");
        assert_eq!(client.call(&get(format!("/api/user/{list}")).by(&fans[0])).ok(200)["total"], 9, "{list}");
    }
    let skills = client.call(&get(format!("/api/user/users/{}/skills", star.id))).ok(200);
    assert_eq!(items(&skills)[0]["endorsements"], 9, "twice counts once");

    let product = created(&mut client, &star, "/api/shop/products", json!({"name": "record", "price": "9.99", "stock": 100}));
    let orders: Vec<String> = (1..=9)
        .map(|quantity| created(&mut client, &fans[0], "/api/shop/orders", json!({"productId": product, "quantity": quantity})))
        .collect();
    let bought = client.walk(Some(&fans[0]), &format!("/api/shop/orders/buyer/{}?limit=4", fans[0].id));
    assert_eq!(bought, (newest_first(&orders), 3));
    assert_eq!(client.walk(Some(&star), &format!("/api/shop/orders/seller/{}?limit=4", star.id)), bought);
    assert_eq!(client.call(&get(format!("/api/shop/public/products/{product}"))).ok(200)["stock"], 55);
}

#[test]
fn products_are_walked_in_every_order_and_selection() {
    let server = Server::start();
    let mut client = server.gateway();
    let ada = client.register("ada");
    let mut products: Vec<(String, u64, usize)> = Vec::new();
    for number in 0..ROWS {
        // Five prices, so that pages break among equals.
        let cents = 100 * (1 + (number as u64 * 7) % 5);
        let category = ["lamps", "Lamps", "chairs"][number % 3];
        let (name, price) = (format!("Thing no. {number}"), format!("{}.00", cents / 100));
        let body =
            json!({"name": name, "price": price, "category": category, "description": if number == 8 { "100% Größe_" } else { "plain" }});
        products.push((created(&mut client, &ada, "/api/shop/products", body), cents, number));
    }
    let shop = "/api/shop/public/products";
    let ids = |chosen: Vec<&(String, u64, usize)>| chosen.into_iter().map(|(id, ..)| id.clone()).collect::<Vec<_>>();
    let newest: Vec<&(String, u64, usize)> = products.iter().rev().collect();

    assert_eq!(client.walk(None, &format!("{shop}?limit=7")), (ids(newest.clone()), PAGES));
    assert_eq!(client.walk(Some(&ada), &format!("/api/shop/products/seller/{}?limit=7", ada.id)), (ids(newest.clone()), PAGES));
    assert_eq!(client.walk(None, &format!("{shop}?limit=7&sort=newest")).0, ids(newest.clone()));
    for (sort, is_rising) in [("price_asc", true), ("price", true), ("price_desc", false), ("-price", false)] {
        let (walked, pages) = client.walk(None, &format!("{shop}?limit=7&sort={sort}"));
        assert_eq!((walked.len(), walked.iter().collect::<HashSet<_>>().len(), pages), (ROWS, ROWS, PAGES), "{sort}");
        let cents: Vec<u64> =
            walked.iter().filter_map(|id| products.iter().find(|(known, ..)| known == id).map(|(_, cents, _)| *cents)).collect();
        assert!(cents.is_sorted_by(|a, b| if is_rising { a <= b } else { a >= b }), "{sort}: {cents:?}");
        let numbered: Vec<String> =
            (1..=8).flat_map(|number| page(&mut client, None, &format!("{shop}?limit=7&sort={sort}&page={number}"))).collect();
        assert_eq!(numbered, walked, "page=N of {sort}");
    }
    let numbered: Vec<Vec<String>> = (1..=8).map(|number| page(&mut client, None, &format!("{shop}?limit=7&page={number}"))).collect();
    assert_eq!(numbered.concat(), ids(newest.clone()));
    assert_ne!(numbered[0], numbered[1], "page 2 is not page 1");

    // Each parameter matters, alone and together.
    let only =
        |wanted: &dyn Fn(u64, usize) -> bool| ids(newest.iter().copied().filter(|(_, cents, number)| wanted(*cents, *number)).collect());
    let mut selected = |query: &str| client.walk(None, &format!("{shop}?limit=7&{query}")).0;
    assert_eq!(selected("category=lamps"), only(&|_, number| number % 3 == 0));
    assert_eq!(selected("category=chairs"), only(&|_, number| number % 3 == 2));
    assert_eq!(selected("category=nothing"), Vec::<String>::new());
    assert_eq!(selected("minPrice=3"), only(&|cents, _| cents >= 300));
    assert_eq!(selected("maxPrice=2.50"), only(&|cents, _| cents <= 250));
    assert_eq!(selected("minPrice=2&maxPrice=3.00"), only(&|cents, _| (200..=300).contains(&cents)));
    assert_eq!(selected("minPrice=4&maxPrice=3"), Vec::<String>::new());
    assert_eq!(selected("category=chairs&maxPrice=2"), only(&|cents, number| cents <= 200 && number % 3 == 2));
    assert_eq!(selected("sort=newest&search=NO.%204"), only(&|_, number| number == 4 || (40..45).contains(&number)));
    assert_eq!(selected("search=thing%20no.%207&category=Lamps"), only(&|_, number| number == 7));
    // By itself a search shows whole words before beginnings of words.
    assert_eq!(selected("search=thing%204"), [only(&|_, number| number == 4), only(&|_, number| (40..45).contains(&number))].concat());
    // Signs mean nothing, to the store either, and letters beyond ASCII have two cases as well.
    for sign in ["%25", "_", "%5C", "%22", "*", "(", "%00", "%27"] {
        assert_eq!(selected(&format!("search={sign}")), Vec::<String>::new(), "{sign}");
        assert_eq!(selected(&format!("search={sign}100{sign}")), only(&|_, number| number == 8), "{sign}");
    }
    assert_eq!(selected("search=GR%C3%96SSE"), Vec::<String>::new());
    assert_eq!(selected("search=GR%C3%96%C3%9FE"), only(&|_, number| number == 8));
    assert_eq!(selected("search=gr%C3%B6%C3%9Fe"), only(&|_, number| number == 8));
    assert_eq!(selected("search=&category="), ids(newest.clone()), "empty is not given");
}
