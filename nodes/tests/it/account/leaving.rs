//! Leaving for good, and taking things along.

use super::{PASSWORD, is_open, login, refused};
use crate::{
    http::{Request, delete, get, items, post, put, text},
    server::{Server, eventually},
};
use serde_json::{Value, json};

#[test]
fn who_leaves_is_gone_at_once_and_erased_soon() {
    let server = Server::start();
    let mut client = server.gateway();
    let [ada, bob] = ["ada", "bob"].map(|name| client.register(name));
    let write = |by, content: &str| post("/api/content/posts", json!({ "content": content })).by(by);
    let hers = text(&client.call(&write(&ada, "a post of a thousand words")).ok(201)["id"]);
    let his = text(&client.call(&write(&bob, "a post of his")).ok(201)["id"]);
    let comment = |by, on: &str, content: &str| post(format!("/api/content/posts/{on}/comments"), json!({ "content": content })).by(by);
    client.call(&comment(&ada, &his, "a comment of hers")).ok(201);
    client.call(&comment(&bob, &his, "a comment of his")).ok(201);
    client.call(&comment(&ada, &hers, "a note to herself")).ok(201);
    client.call(&put(format!("/api/content/posts/{his}/reaction"), json!({"type": "love"})).by(&ada));
    let lamp =
        text(&client.call(&post("/api/shop/products", json!({"name": "a lamp of hers", "price": 1, "stock": 5})).by(&ada)).ok(201)["id"]);
    client.call(&post("/api/shop/orders", json!({"productId": lamp})).by(&bob)).ok(201);
    for (by, whom) in [(&ada, &bob), (&bob, &ada)] {
        client.call(&Request::new("PUT", format!("/api/user/users/{}/follow", whom.id)).by(by)).ok(200);
    }

    // What she thinks of his chair, that she finds a review of it helpful, and what she wants to buy.
    let chair = text(&client.call(&post("/api/shop/products", json!({"name": "chair", "price": 1, "stock": 5})).by(&bob)).ok(201)["id"]);
    let eve = client.register("eve");
    let review = |by, rating: u8| post(format!("/api/shop/products/{chair}/reviews"), json!({ "rating": rating })).by(by);
    client.call(&review(&ada, 5)).ok(201);
    let of_eve = text(&client.call(&review(&eve, 2)).ok(201)["id"]);
    client.call(&Request::new("POST", format!("/api/shop/reviews/{of_eve}/helpful")).by(&ada)).ok(200);
    for basket in ["cart", "wishlist"] {
        client.call(&post(format!("/api/shop/{basket}"), json!({"productId": chair})).by(&ada)).ok(201);
    }

    let leave = |password: &str| delete("/api/user/me").json(&json!({ "password": password })).by(&ada);
    refused(&client.call(&leave("a wrong password")), 401, "bad_credentials");
    assert!(is_open(&mut client, &ada));
    client.call(&leave(PASSWORD)).ok(204);

    // At once, for everybody.
    assert!(!is_open(&mut client, &ada));
    refused(&client.call(&login("ada", PASSWORD)), 401, "bad_credentials");
    refused(&client.call(&get(format!("/api/user/profile/{}", ada.id))), 404, "not_found");
    refused(&client.call(&get(format!("/api/content/posts/{hers}")).by(&bob)), 404, "not_found");
    refused(&client.call(&get(format!("/api/shop/public/products/{lamp}"))), 404, "not_found");
    let feed = client.call(&get(format!("/api/content/feed/{}", bob.id)).by(&bob)).ok(200);
    assert_eq!(items(&feed).iter().map(|post| text(&post["id"])).collect::<Vec<_>>(), std::slice::from_ref(&his));
    let found = client.call(&get("/api/user/search?q=ada")).ok(200);
    assert!(items(&found).is_empty(), "{found}");
    client.register("ada");

    // Soon, behind the answer.
    let log = get(format!("/api/content/posts/{his}"));
    eventually("what she made is erased", || client.call(&log.clone().by(&bob)).ok(200)["commentsCount"] == 1);
    eventually("nobody follows her", || {
        let following = client.call(&get(format!("/api/user/users/{}/following", bob.id)).by(&bob)).ok(200);
        following["total"] == 0
    });
    eventually("her reaction is taken back", || {
        let reactions = client.call(&get(format!("/api/content/posts/{his}/reactions")).by(&bob)).ok(200);
        reactions["total"] == 0
    });
    let orders = client.call(&get(format!("/api/shop/orders/buyer/{}", bob.id)).by(&bob)).ok(200);
    assert_eq!(items(&orders)[0]["sellerId"], ada.id, "his order stays");
    eventually("her review counts no more", || {
        let chair = client.call(&get(format!("/api/shop/public/products/{chair}"))).ok(200);
        (&chair["ratingCount"], &chair["ratingAverage"]) == (&json!(1), &json!(2.0))
    });
    eventually("nor does her vote", || {
        let reviews = client.call(&get(format!("/api/shop/products/{chair}/reviews"))).ok(200);
        items(&reviews).len() == 1 && items(&reviews)[0]["helpfulCount"] == 0
    });
    eventually("she follows nobody", || {
        let followers = client.call(&get(format!("/api/user/users/{}/followers", bob.id)).by(&bob)).ok(200);
        followers["total"] == 0
    });
}

#[test]
fn an_export_has_all_of_ones_own_and_nothing_of_others() {
    let server = Server::start();
    let mut client = server.gateway();
    let [ada, bob] = ["ada", "bob"].map(|name| client.register(name));
    for n in 0..3 {
        client.call(&post("/api/content/posts", json!({"content": format!("post {n}"), "visibility": "private"})).by(&ada)).ok(201);
    }
    let his = text(&client.call(&post("/api/content/posts", json!({"content": "the other's"})).by(&bob)).ok(201)["id"]);
    client.call(&post(format!("/api/content/posts/{his}/comments"), json!({"content": "indeed"})).by(&ada)).ok(201);
    let lamp = text(&client.call(&post("/api/shop/products", json!({"name": "lamp", "price": 1, "stock": 5})).by(&bob)).ok(201)["id"]);
    client.call(&post("/api/shop/orders", json!({"productId": lamp})).by(&ada)).ok(201);
    client.call(&post(format!("/api/shop/products/{lamp}/reviews"), json!({"rating": 4})).by(&ada)).ok(201);
    for basket in ["cart", "wishlist"] {
        client.call(&post(format!("/api/shop/{basket}"), json!({"productId": lamp})).by(&ada)).ok(201);
    }
    client.call(&Request::new("PUT", format!("/api/user/users/{}/follow", bob.id)).by(&ada)).ok(200);

    let answer = client.call(&get("/api/user/me/export").by(&ada));
    assert!(answer.header("content-disposition").is_some_and(|name| name.starts_with("attachment")), "{answer}");
    assert!(!answer.text().contains("the other's") && !answer.text().contains(&ada.token) && !answer.text().contains("argon2"), "{answer}");
    let document: Value = answer.ok(200);
    assert_eq!((&document["account"]["email"], &document["complete"]), (&json!("ada@example.org"), &json!(true)));
    let count = |name: &str| document[name].as_array().unwrap_or_else(|| panic!("no {name}: {document}")).len();
    let counts =
        ["sessions", "posts", "comments", "following", "followers", "blocks", "bookmarks", "products", "ordersPlaced", "ordersReceived"];
    assert_eq!(counts.map(count), [1, 3, 1, 1, 0, 0, 0, 0, 1, 0]);
    assert_eq!(["reviews", "cart", "wishlist"].map(count), [1, 1, 1]);
    assert_eq!((&document["reviews"][0]["verifiedPurchase"], &document["cart"][0]["productId"]), (&json!(true), &json!(lamp)));
    assert_eq!((&document["following"][0], &document["comments"][0]["content"]), (&json!(bob.id), &json!("indeed")));
    let bobs = client.call(&get("/api/user/me/export").by(&bob)).ok(200);
    assert_eq!((bobs["ordersReceived"].as_array().map(Vec::len), bobs["followers"][0].clone()), (Some(1), json!(ada.id)));
    refused(&client.call(&get("/api/user/me/export")), 401, "unauthenticated");
}
