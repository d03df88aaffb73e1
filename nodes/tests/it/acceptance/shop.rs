//! Defects of the former system that concern the shop.

use crate::{
    http::{Answer, Client, Person, Request, delete, get, items, post, put, text},
    refusal::refused,
    server::Server,
    store::{Store, on_both_stores},
};
use serde_json::{Value, json};
use std::{sync::Barrier, thread};

on_both_stores! {
    defect_04_page_two_is_not_page_one,
    defect_05_price_stock_and_rating_show_in_the_very_next_answer,
    defect_05_a_rating_moves_the_list_that_it_sorts,
    defect_08_an_order_is_of_two_people_and_each_does_their_part,
    defect_08_carts_and_wishlists_are_ones_own,
    defect_08_a_purchase_is_verified_by_orders_alone,
    defect_09_carts_that_race_buy_what_there_is,
    defect_09_a_checkout_is_all_or_nothing_across_a_kill,
}

/// Ada and Sam sell, Bob and Eve buy.
struct Town {
    server: Server,
    client: Client,
    ada: Person,
    sam: Person,
    bob: Person,
    eve: Person,
}

fn town(store: Store) -> Town {
    let server = store.start();
    let mut client = server.gateway();
    let [ada, sam, bob, eve] = ["ada", "sam", "bob", "eve"].map(|name| client.register(name));
    Town { server, client, ada, sam, bob, eve }
}

impl Town {
    #[track_caller]
    fn sells(&mut self, seller: fn(&Self) -> &Person, name: &str, more: Value) -> String {
        let mut body = json!({"name": name, "price": "12.50", "stock": 10});
        for (field, value) in more.as_object().expect("fields") {
            body[field] = value.clone();
        }
        let request = post("/api/shop/products", body).by(seller(self));
        text(&self.client.call(&request).ok(201)["id"])
    }

    #[track_caller]
    fn orders(&mut self, product: &str, quantity: u32) -> String {
        let request = post("/api/shop/orders", json!({"productId": product, "quantity": quantity})).by(&self.bob);
        text(&self.client.call(&request).ok(201)["id"])
    }

    #[track_caller]
    fn puts_into_cart(&mut self, product: &str, quantity: u32) -> String {
        let request = post("/api/shop/cart", json!({"productId": product, "quantity": quantity})).by(&self.bob);
        let line = self.client.call(&request);
        assert!(matches!(line.status, 200 | 201), "{line}");
        text(&line.json()["id"])
    }

    fn becomes(&mut self, by: fn(&Self) -> &Person, order: &str, body: Value) -> Answer {
        let request = put(format!("/api/shop/orders/{order}/status"), body).by(by(self));
        self.client.call(&request)
    }

    #[track_caller]
    fn product(&mut self, id: &str) -> Value {
        self.client.call(&get(format!("/api/shop/public/products/{id}"))).ok(200)
    }

    #[track_caller]
    fn cart(&mut self) -> Value {
        let request = get("/api/shop/cart").by(&self.bob);
        self.client.call(&request).ok(200)
    }

    #[track_caller]
    fn first_of(&mut self, list: &str) -> Value {
        items(&self.client.call(&get(list)).ok(200)).first().cloned().unwrap_or_default()
    }
}

fn bob(town: &Town) -> &Person {
    &town.bob
}

fn ada(town: &Town) -> &Person {
    &town.ada
}

fn sam(town: &Town) -> &Person {
    &town.sam
}

fn eve(town: &Town) -> &Person {
    &town.eve
}

const LIST: &str = "/api/shop/public/products";

/// The list's key left the page out: page 2 answered page 1.
fn defect_04_page_two_is_not_page_one(store: Store) {
    let mut town = town(store);
    let mut offered: Vec<String> = (0..7).map(|n| town.sells(ada, &format!("lamp {n}"), json!({}))).collect();
    offered.reverse();
    for query in ["", "&search=lamp", "&sort=rating", "&sort=price_desc", "&minPrice=1"] {
        let mut pages = Vec::new();
        for page in 1..=4 {
            let page = town.client.call(&get(format!("{LIST}?limit=2&page={page}{query}"))).ok(200);
            pages.push(items(&page).iter().map(|row| text(&row["id"])).collect::<Vec<_>>());
        }
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 2, 1], "{query}");
        let read = pages.concat();
        assert_eq!(read, offered, "{query}");
        assert_eq!(town.client.walk(None, &format!("{LIST}?limit=2{query}")).0, offered, "{query}");
    }
}

/// An order and a new price showed after fifteen minutes. Every place that shows a product shows it as it is.
fn defect_05_price_stock_and_rating_show_in_the_very_next_answer(store: Store) {
    let mut town = town(store);
    let lamp = town.sells(ada, "lamp", json!({"category": "lamps"}));
    town.sells(ada, "chair", json!({"price": "20.00"}));
    let lists = [
        format!("{LIST}?category=lamps"),
        format!("{LIST}?search=lamp"),
        format!("{LIST}?sort=price_asc&limit=1"),
        format!("{LIST}?sort=rating&category=lamps"),
    ];
    let wish = post("/api/shop/wishlist", json!({"productId": lamp})).by(&town.bob);
    assert_eq!(town.client.call(&wish).ok(201)["productId"], lamp);
    town.client.call(&wish).ok(200);
    let line = town.puts_into_cart(&lamp, 2);
    let everywhere = |town: &mut Town, field: &str| -> Vec<Value> {
        let mut shown = vec![town.product(&lamp)[field].clone()];
        shown.extend(lists.iter().map(|list| town.first_of(list)[field].clone()));
        let wishes = town.client.call(&get("/api/shop/wishlist").by(&town.bob)).ok(200);
        shown.push(items(&wishes)[0]["product"][field].clone());
        shown.push(items(&town.cart())[0]["product"][field].clone());
        shown
    };
    assert!(everywhere(&mut town, "stock").iter().all(|stock| *stock == 10), "all of it is warm");
    let order = town.orders(&lamp, 3);
    assert!(everywhere(&mut town, "stock").iter().all(|stock| *stock == 7));
    town.becomes(bob, &order, json!({"status": "cancelled"})).ok(200);
    assert!(everywhere(&mut town, "stock").iter().all(|stock| *stock == 10));
    town.client.call(&put(format!("/api/shop/products/{lamp}"), json!({"price": "9.90"})).by(&town.ada)).ok(200);
    assert!(everywhere(&mut town, "price").iter().all(|price| *price == "9.90"));
    let review = post(format!("/api/shop/products/{lamp}/reviews"), json!({"rating": 4})).by(&town.eve);
    let review = text(&town.client.call(&review).ok(201)["id"]);
    assert!(everywhere(&mut town, "ratingAverage").iter().all(|average| *average == 4.0));
    town.client.call(&put(format!("/api/shop/reviews/{review}"), json!({"rating": 2})).by(&town.eve)).ok(200);
    assert!(everywhere(&mut town, "ratingAverage").iter().all(|average| *average == 2.0));
    town.client.call(&delete(format!("/api/shop/reviews/{review}")).by(&town.eve)).ok(204);
    assert!(everywhere(&mut town, "ratingCount").iter().all(|count| *count == 0));

    // What the cart says of a line follows, too.
    let cart = town.cart();
    assert_eq!((&items(&cart)[0]["priceChanged"], &cart["totals"][0]["amount"]), (&json!(true), &json!("19.80")));
    town.client.call(&put(format!("/api/shop/products/{lamp}"), json!({"stock": 1})).by(&town.ada)).ok(200);
    assert_eq!(items(&town.cart())[0]["hindrance"], "out_of_stock");
    town.client.call(&put(format!("/api/shop/cart/{line}"), json!({"quantity": 1})).by(&town.bob)).ok(200);
    assert_eq!(items(&town.cart())[0]["available"], true);
    town.client.call(&delete(format!("/api/shop/products/{lamp}")).by(&town.ada)).ok(204);
    assert_eq!((&items(&town.cart())[0]["hindrance"], &town.cart()["totals"]), (&json!("gone"), &json!([])));
    let wishes = town.client.call(&get("/api/shop/wishlist").by(&town.bob)).ok(200);
    assert_eq!(items(&wishes)[0]["product"], Value::Null);
    town.client.call(&delete(format!("/api/shop/wishlist/{lamp}")).by(&town.bob)).ok(204);
    assert_eq!(items(&town.client.call(&get("/api/shop/wishlist").by(&town.bob)).ok(200)).len(), 0);
}

/// A rating moves the lists that are sorted by it.
fn defect_05_a_rating_moves_the_list_that_it_sorts(store: Store) {
    let mut town = town(store);
    let (lamp, chair) = (town.sells(ada, "lamp", json!({})), town.sells(ada, "chair", json!({})));
    let by_rating = format!("{LIST}?sort=rating");
    assert_eq!(town.first_of(&by_rating)["id"], chair, "newest first while nobody judged");
    let review = |id: &str, rating: u8, by: &Person| post(format!("/api/shop/products/{id}/reviews"), json!({"rating": rating})).by(by);
    town.client.call(&review(&lamp, 4, &town.bob)).ok(201);
    assert_eq!(town.first_of(&by_rating)["id"], lamp);
    town.client.call(&review(&chair, 5, &town.bob)).ok(201);
    assert_eq!(town.first_of(&by_rating)["id"], chair);
}

/// Orders had no owner check: anybody read and changed them.
fn defect_08_an_order_is_of_two_people_and_each_does_their_part(store: Store) {
    let mut town = town(store);
    let lamp = town.sells(ada, "lamp", json!({}));
    let order = town.orders(&lamp, 3);
    let path = format!("/api/shop/orders/{order}");
    for (by, status) in [(bob as fn(&Town) -> &Person, 200), (ada, 200), (eve, 404), (sam, 404)] {
        let request = get(path.clone()).by(by(&town));
        assert_eq!(town.client.call(&request).status, status);
    }
    refused(&town.client.call(&get(path.clone())), 401, "unauthenticated");
    refused(&town.becomes(eve, &order, json!({"status": "cancelled"})), 404, "not_found");
    refused(&town.becomes(bob, &order, json!({"status": "confirmed"})), 409, "wrong_status");
    refused(&town.becomes(bob, &order, json!({"paymentStatus": "paid"})), 403, "forbidden");
    refused(&town.becomes(ada, &order, json!({"status": "delivered"})), 409, "wrong_status");
    refused(&town.becomes(ada, &order, json!({"status": "lost"})), 400, "malformed_body");
    refused(&town.becomes(ada, &order, json!({"status": "confirmed", "buyerId": "x"})), 400, "malformed_body");
    let confirmed = town.becomes(ada, &order, json!({"status": "confirmed", "paymentStatus": "paid"})).ok(200);
    assert_eq!((&confirmed["status"], &confirmed["paymentStatus"]), (&json!("confirmed"), &json!("paid")));
    assert_eq!(town.becomes(ada, &order, json!({"status": "confirmed"})).ok(200)["version"], confirmed["version"], "again is no error");
    let stale = put(format!("{path}/status"), json!({"status": "shipped"})).by(&town.ada).header("if-match", "\"1\"");
    refused(&town.client.call(&stale), 412, "precondition_failed");
    let cancelled = town.becomes(bob, &order, json!({"status": "cancelled"})).ok(200);
    assert_eq!((&cancelled["status"], &cancelled["paymentStatus"]), (&json!("cancelled"), &json!("refunded")));
    town.becomes(ada, &order, json!({"status": "cancelled"})).ok(200);
    assert_eq!(town.product(&lamp)["stock"], 10, "the pieces came back once");
    let answer = town.becomes(ada, &order, json!({"status": "shipped"}));
    refused(&answer, 409, "wrong_status");

    let order = town.orders(&lamp, 1);
    for status in ["confirmed", "shipped", "delivered"] {
        town.becomes(ada, &order, json!({"status": status})).ok(200);
        let bought = town.client.call(&get(format!("/api/shop/orders/buyer/{}", town.bob.id)).by(&town.bob)).ok(200);
        assert_eq!(items(&bought)[0]["status"], status, "both lists show it");
        let sold = town.client.call(&get(format!("/api/shop/orders/seller/{}", town.ada.id)).by(&town.ada)).ok(200);
        assert_eq!(items(&sold)[0]["status"], status);
        if status != "confirmed" {
            refused(&town.becomes(bob, &order, json!({"status": "cancelled"})), 409, "wrong_status");
        }
    }
    refused(&town.becomes(ada, &order, json!({"status": "cancelled"})), 409, "wrong_status");
}

/// Carts and products had no owner check.
fn defect_08_carts_and_wishlists_are_ones_own(store: Store) {
    let mut town = town(store);
    let lamp = town.sells(ada, "lamp", json!({}));
    let line = town.puts_into_cart(&lamp, 2);
    let of_eve = get("/api/shop/cart").by(&town.eve);
    assert_eq!(items(&town.client.call(&of_eve).ok(200)).len(), 0);
    for request in [put(format!("/api/shop/cart/{line}"), json!({"quantity": 9})), delete(format!("/api/shop/cart/{line}"))] {
        refused(&town.client.call(&request.by(&town.eve)), 404, "not_found");
    }
    let for_bob = json!({"productId": lamp, "userId": town.bob.id});
    for path in ["/api/shop/cart", "/api/shop/wishlist"] {
        refused(&town.client.call(&post(path, for_bob.clone()).by(&town.eve)), 403, "forbidden");
    }
    refused(&town.client.call(&post("/api/shop/cart", json!({"productId": lamp})).by(&town.ada)), 409, "not_for_sale");
    let hidden = town.sells(ada, "hidden", json!({"isPublic": false}));
    for path in ["/api/shop/cart", "/api/shop/wishlist"] {
        refused(&town.client.call(&post(path, json!({"productId": hidden})).by(&town.bob)), 404, "not_found");
    }
    assert_eq!(items(&town.cart())[0]["quantity"], 2);
    town.puts_into_cart(&lamp, 3);
    assert_eq!(items(&town.cart())[0]["quantity"], 5, "one line a product");
    town.client.call(&delete("/api/shop/cart").by(&town.bob)).ok(204);
    assert_eq!(items(&town.cart()).len(), 0);
    // Whom a seller blocked buys nothing of theirs, also not what was in the cart before.
    town.puts_into_cart(&lamp, 1);
    let block = Request::new("PUT", format!("/api/user/users/{}/block", town.bob.id)).by(&town.ada);
    town.client.call(&block).ok(200);
    assert_eq!(items(&town.cart())[0]["hindrance"], "gone");
    let check_out = post("/api/shop/cart/checkout", json!({})).by(&town.bob);
    refused(&town.client.call(&check_out), 409, "not_for_sale");
    assert_eq!(town.product(&lamp)["stock"], 10);
}

/// Whether a review is by a buyer was the client's to say.
fn defect_08_a_purchase_is_verified_by_orders_alone(store: Store) {
    let mut town = town(store);
    let lamp = town.sells(ada, "lamp", json!({}));
    let path = format!("/api/shop/products/{lamp}/reviews");
    let review = |rating: u8| post(path.clone(), json!({"rating": rating, "title": "so", "reviewText": "it is"}));
    refused(&town.client.call(&post(path.clone(), json!({"rating": 5, "verifiedPurchase": true})).by(&town.eve)), 400, "malformed_body");
    refused(&town.client.call(&review(6).by(&town.eve)), 400, "invalid_field");
    refused(&town.client.call(&review(5).by(&town.ada)), 403, "forbidden");
    let order = town.orders(&lamp, 1);
    let by_bob = town.client.call(&review(5).by(&town.bob).key("r")).ok(201);
    let by_eve = town.client.call(&review(2).by(&town.eve)).ok(201);
    assert_eq!((&by_bob["verifiedPurchase"], &by_eve["verifiedPurchase"]), (&json!(true), &json!(false)));
    assert_eq!(town.client.call(&review(5).by(&town.bob).key("r")).ok(201), by_bob, "the same request is the same review");
    refused(&town.client.call(&review(1).by(&town.bob)), 409, "conflict");
    assert_eq!(town.product(&lamp)["ratingAverage"], 3.5);

    let verified = |town: &mut Town| -> Vec<Value> {
        let page = town.client.call(&get(path.clone())).ok(200);
        items(&page).iter().map(|row| row["verifiedPurchase"].clone()).collect()
    };
    assert_eq!(verified(&mut town), [json!(false), json!(true)], "newest first");
    town.becomes(ada, &order, json!({"status": "cancelled"})).ok(200);
    assert_eq!(verified(&mut town), [json!(false), json!(false)]);
    town.orders(&lamp, 1);
    assert_eq!(verified(&mut town), [json!(false), json!(true)]);

    let of_bob = format!("/api/shop/reviews/{}", text(&by_bob["id"]));
    refused(&town.client.call(&put(of_bob.clone(), json!({"rating": 1})).by(&town.eve)), 403, "forbidden");
    refused(&town.client.call(&delete(of_bob.clone()).by(&town.eve)), 403, "forbidden");
    let vote = |by: &Person, method| Request::new(method, format!("{of_bob}/helpful")).by(by);
    refused(&town.client.call(&vote(&town.bob, "POST")), 403, "forbidden");
    for helpful in [1, 1] {
        assert_eq!(town.client.call(&vote(&town.eve, "POST")).ok(200)["helpfulCount"], helpful);
    }
    assert_eq!(town.client.call(&vote(&town.ada, "POST")).ok(200)["helpfulCount"], 2);
    assert_eq!(town.client.call(&vote(&town.eve, "DELETE")).ok(200)["helpfulCount"], 1);
    assert_eq!(items(&town.client.call(&get(path.clone())).ok(200))[1]["helpfulCount"], 1);

    // Who blocked somebody is not shown what they think.
    let block = Request::new("PUT", format!("/api/user/users/{}/block", town.bob.id)).by(&town.eve);
    town.client.call(&block).ok(200);
    assert_eq!(town.client.walk(Some(&town.eve), &format!("{path}?limit=9")).0, [text(&by_eve["id"])]);
    assert_eq!(town.client.walk(None, &format!("{path}?limit=9")).0.len(), 2);
    refused(&town.client.call(&vote(&town.eve, "POST")), 404, "not_found");
}

/// Stock was checked and then taken, without a lock in between. Through carts, too, what is sold is what was there.
fn defect_09_carts_that_race_buy_what_there_is(store: Store) {
    let mut town = town(store);
    let (lamp, chair) = (town.sells(ada, "lamp", json!({"stock": 5})), town.sells(sam, "chair", json!({"stock": 100})));
    let buyers: Vec<_> = (0..12).map(|number| town.client.register(&format!("buyer{number}"))).collect();
    for buyer in &buyers {
        for product in [&chair, &lamp] {
            town.client.call(&post("/api/shop/cart", json!({"productId": product})).by(buyer)).ok(201);
        }
    }
    let start = Barrier::new(buyers.len());
    let answers: Vec<Answer> = thread::scope(|scope| {
        let sent: Vec<_> = buyers
            .iter()
            .map(|buyer| {
                let (start, mut client) = (&start, town.server.gateway());
                scope.spawn(move || {
                    client.call(&get("/health")).ok(200);
                    start.wait();
                    client.call(&post("/api/shop/cart/checkout", json!({"paymentMethod": "card"})).by(buyer))
                })
            })
            .collect();
        sent.into_iter().map(|sent| sent.join().expect("answered")).collect()
    });
    let (done, out): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!((done.len(), out.len()), (5, 7));
    for answer in out {
        refused(answer, 409, "out_of_stock");
        assert!(text(&answer.json()["detail"]).contains(&lamp), "{answer}");
    }
    assert_eq!((&town.product(&lamp)["stock"], &town.product(&chair)["stock"]), (&json!(0), &json!(95)));
    for (seller, count) in [(&town.ada, 5), (&town.sam, 5)] {
        let sold = get(format!("/api/shop/orders/seller/{}?limit=100", seller.id)).by(seller);
        assert_eq!(items(&town.client.call(&sold).ok(200)).len(), count);
    }
}

/// A cart is ordered whole, once, and at prices that its owner has seen; also when the server dies and the request comes again.
fn defect_09_a_checkout_is_all_or_nothing_across_a_kill(store: Store) {
    let mut town = town(store);
    let (lamp, chair) = (town.sells(ada, "lamp", json!({})), town.sells(sam, "chair", json!({"price": "20.00"})));
    town.puts_into_cart(&lamp, 2);
    let line = town.puts_into_cart(&chair, 1);
    assert_eq!(town.cart()["totals"], json!([{"currency": "USD", "amount": "45.00"}]));
    town.client.call(&put(format!("/api/shop/products/{chair}"), json!({"price": "30.00"})).by(&town.sam)).ok(200);
    let check_out = |body: Value, key: &str, bob: &Person| post("/api/shop/cart/checkout", body).by(bob).key(key);
    let body = json!({"shippingAddress": {"city": "Lund"}, "paymentMethod": "card"});
    refused(&town.client.call(&check_out(body.clone(), "one", &town.bob)), 409, "price_raised");
    assert_eq!(town.product(&lamp)["stock"], 10, "nothing of it");
    town.client.call(&put(format!("/api/shop/cart/{line}"), json!({"quantity": 1})).by(&town.bob)).ok(200);

    let answer = town.client.call(&check_out(body.clone(), "one", &town.bob)).ok(201);
    assert_eq!(answer["totals"], json!([{"currency": "USD", "amount": "55.00"}]));
    let orders = answer["orders"].as_array().expect("orders").clone();
    assert_eq!((orders.len(), &orders[0]["shippingAddress"]["city"]), (2, &json!("Lund")));
    assert_eq!(items(&town.cart()).len(), 0);
    refused(&town.client.call(&check_out(json!({}), "one", &town.bob)), 422, "idempotency_mismatch");
    refused(&town.client.call(&check_out(body.clone(), "two", &town.bob)), 409, "conflict");

    let Town { server, bob, ada, .. } = town;
    let server = Server::on(server.kill(), &[]);
    let mut client = server.gateway();
    assert_eq!(client.call(&check_out(body, "one", &bob)).ok(201), answer, "the same request is the same orders");
    let bought = client.call(&get(format!("/api/shop/orders/buyer/{}", bob.id)).by(&bob)).ok(200);
    assert_eq!(items(&bought).len(), 2);
    let sold = client.call(&get(format!("/api/shop/orders/seller/{}", ada.id)).by(&ada)).ok(200);
    assert_eq!(items(&sold).len(), 1);
    assert_eq!(client.call(&get(format!("/api/shop/public/products/{lamp}"))).ok(200)["stock"], 8);
}
