//! Many at once.

use crate::{
    http::{Request, get, items, post, put, text},
    server::Server,
    store::{Store, on_both_stores},
};
use serde_json::{Value, json};
use std::{collections::HashSet, sync::Barrier, thread};

on_both_stores! {
    a_shop_never_sells_what_it_does_not_have,
    one_key_is_one_thing_however_many_ask_at_once,
    of_two_who_saw_the_same_version_one_wins,
}

/// Sends each request on a connection of its own, all at once; gives the statuses and bodies.
fn at_once(server: &Server, requests: &[Request]) -> Vec<(u16, Value)> {
    let start = Barrier::new(requests.len());
    thread::scope(|scope| {
        let sent: Vec<_> = requests
            .iter()
            .map(|request| {
                let (start, mut client) = (&start, server.gateway());
                scope.spawn(move || {
                    client.call(&get("/health")).ok(200);
                    start.wait();
                    let answer = client.call(request);
                    (answer.status, answer.json())
                })
            })
            .collect();
        sent.into_iter().map(|thread| thread.join().expect("answered")).collect()
    })
}

fn a_shop_never_sells_what_it_does_not_have(store: Store) {
    let server = store.start();
    let mut client = server.gateway();
    let seller = client.register("seller");
    let product = post("/api/shop/products", json!({"name": "lamp", "price": 1, "stock": 10})).by(&seller);
    let product = text(&client.call(&product).ok(201)["id"]);
    let buyers: Vec<_> = (0..16).map(|number| client.register(&format!("buyer{number}"))).collect();
    let order = |buyer| post("/api/shop/orders", json!({"productId": product, "quantity": 1})).by(buyer);
    let answers = at_once(&server, &buyers.iter().map(order).collect::<Vec<_>>());
    let count = |status| answers.iter().filter(|(answered, _)| *answered == status).count();
    assert_eq!((count(201), count(409)), (10, 6), "{answers:?}");
    assert!(answers.iter().filter(|(status, _)| *status == 409).all(|(_, body)| body["code"] == "out_of_stock"), "{answers:?}");
    assert_eq!(client.call(&get(format!("/api/shop/public/products/{product}"))).ok(200)["stock"], 0);
    let sold = client.call(&get(format!("/api/shop/orders/seller/{}?limit=100", seller.id)).by(&seller)).ok(200);
    assert_eq!(items(&sold).len(), 10);
}

fn one_key_is_one_thing_however_many_ask_at_once(store: Store) {
    let server = store.start();
    let mut client = server.gateway();
    let ada = client.register("ada");
    for (path, body, list) in [
        ("/api/shop/products", json!({"name": "lamp", "price": 1}), format!("/api/shop/products/seller/{}", ada.id)),
        ("/api/content/posts", json!({"content": "hello"}), format!("/api/content/users/{}/posts", ada.id)),
    ] {
        let answers = at_once(&server, &vec![post(path, body).by(&ada).key("one"); 10]);
        let mut ids = HashSet::new();
        for (status, body) in &answers {
            // Who comes while the first is at work may be told to come again.
            assert!(*status == 201 || body["code"] == "idempotency_in_flight", "{status} {body}");
            ids.extend(body["id"].as_str());
        }
        assert_eq!(ids.len(), 1, "{answers:?}");
        assert_eq!(items(&client.call(&get(list).by(&ada)).ok(200)).len(), 1, "{path}");
    }
    // A name is one person's, whoever else wants it.
    let account =
        |n: usize| post("/api/user/register", json!({"username": "same", "email": format!("{n}@x.org"), "password": "a long password"}));
    let answers = at_once(&server, &(0..8).map(account).collect::<Vec<_>>());
    assert_eq!(answers.iter().filter(|(status, _)| *status == 201).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|(status, body)| *status == 201 || body["code"] == "username_taken"), "{answers:?}");
}

fn of_two_who_saw_the_same_version_one_wins(store: Store) {
    let server = store.start();
    let mut client = server.gateway();
    let ada = client.register("ada");
    let profile = format!("/api/user/profile/{}", ada.id);
    for round in 0..5 {
        let seen = client.call(&get(profile.clone())).etag();
        let update = |n: usize| put(profile.clone(), json!({"bio": format!("{round}/{n}")})).by(&ada).header("if-match", &seen);
        let answers = at_once(&server, &(0..6).map(update).collect::<Vec<_>>());
        let won: Vec<&Value> = answers.iter().filter(|(status, _)| *status == 200).map(|(_, body)| body).collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        assert!(answers.iter().all(|(status, _)| matches!(status, 200 | 412)), "{answers:?}");
        assert_eq!(client.call(&get(profile.clone())).ok(200)["bio"], won[0]["bio"]);
    }
}
