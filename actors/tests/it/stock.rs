//! What is sold is sold once.

use crate::harness::{Platform, as_user, first, json, make::*, within};
use protocol::{ErrorCode, Key, Kind, Query, UserId};

const BUYERS: usize = 1000;
const PIECES: u32 = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_buyers_of_ten_pieces_place_ten_orders() {
    let platform = Platform::start().await;
    let seller = platform.person().await;
    let product = platform.product(seller, new_product("lamp", PIECES)).await;
    let key = Key::new(Kind::Product, product);
    let race = (0..BUYERS).map(|_| {
        let client = platform.client.clone();
        tokio::spawn(async move {
            let buyer = UserId::new();
            let call = client.call(as_user(buyer));
            // Their list is warm when the order changes it.
            let orders = Key::new(Kind::BuyerOrders, buyer);
            let none = client.query(&call, orders, Query::Orders(first(10))).await.expect("a page");
            assert_eq!(json(&none), serde_json::json!([]));
            match client.write(&call, key, new_order(product, 1)).await {
                Ok(reply) => {
                    let order = made(&reply);
                    let listed = json(&client.query(&call, orders, Query::Orders(first(10))).await.expect("a page"));
                    assert_eq!(listed[0]["id"], order.to_string(), "the buyer's next read lists the order");
                    let left = json(&client.view(&call, key).await.expect("the product"))["stock"].as_u64().expect("a number");
                    assert!(left < u64::from(PIECES), "the product's next read shows that a piece is gone");
                    Some((order, left))
                }
                Err(refusal) => {
                    assert_eq!(refusal.code, ErrorCode::OutOfStock);
                    None
                }
            }
        })
    });
    let mut sold = Vec::new();
    for buyer in race.collect::<Vec<_>>() {
        sold.extend(within("a buyer", buyer).await.expect("no buyer fails"));
    }
    let (received, _) = platform.truth.shop.orders(seller, false, first(100)).await.expect("the store answers");
    let mut in_store: Vec<_> = received.iter().map(|order| order.id.0).collect();
    let mut told: Vec<_> = sold.iter().map(|(order, _)| *order).collect();
    in_store.sort();
    told.sort();
    assert_eq!(told.len(), PIECES as usize);
    assert_eq!(in_store, told);
    assert_eq!(json(&platform.view(key).await.expect("the product"))["stock"], 0);
    let listed = json(&platform.query(Key::new(Kind::SellerOrders, seller), Query::Orders(first(100))).await.expect("a page"));
    assert_eq!(listed.as_array().map(Vec::len), Some(PIECES as usize));
}
