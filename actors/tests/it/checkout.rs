//! A cart becomes orders, all of it or nothing, whatever fails or dies at whichever step; and no piece is lost or sold twice.

use crate::harness::{Act, Gate, Platform, Setup, as_user, eventually, first, json, make::*, refused, within};
use actors::checkout::{check_out, release_due};
use protocol::{
    Command, ErrorCode, Key, Kind, OrderId, ProductId, Query, Refusal, Reply, Timestamp, UserId, cart,
    checkout::{HELD_MS, Request},
    order::{self, Status},
    product,
};

const STOCK: u32 = 10;

/// A buyer with two products of two sellers in their cart: two of the one, three of the other.
struct Trial {
    platform: Platform,
    buyer: UserId,
    sellers: [UserId; 2],
    products: [ProductId; 2],
}

impl Trial {
    async fn new() -> Self {
        let platform = Setup { sweeper: true, ..Setup::default() }.start().await;
        let (buyer, sellers) = (platform.person().await, [platform.person().await, platform.person().await]);
        let products = [
            platform.product(sellers[0], new_product("lamp", STOCK)).await,
            platform.product(sellers[1], new_product("chair", STOCK)).await,
        ];
        platform.add_to_cart(buyer, products[0], 2).await.expect("added");
        platform.add_to_cart(buyer, products[1], 3).await.expect("added");
        Self { platform, buyer, sellers, products }
    }

    async fn checks_out(&self, key: &str) -> Result<Reply, Refusal> {
        let call = self.platform.call_once(self.buyer, idempotency("POST /cart/checkout", key, 1));
        within("a checkout", check_out(&self.platform.client, &call, Request::default())).await
    }

    /// Orders in the store, and what is left of both products: there, and in the owners' memory.
    async fn orders_and_stock(&self) -> (usize, [u32; 2]) {
        let (orders, _) = self.platform.truth.shop.orders(self.buyer, true, first(100)).await.expect("the store answers");
        let mut left = [0; 2];
        for (left, product) in left.iter_mut().zip(self.products) {
            let row = self.platform.truth.shop.product(product).await.expect("the store answers").expect("the product");
            *left = row.stock;
            let key = Key::new(Kind::Product, product);
            eventually("the product's owner answers what the store has", || async {
                self.platform.view(key).await.is_ok_and(|found| json(&found)["stock"] == row.stock)
            })
            .await;
        }
        (orders.iter().filter(|order| order.status != Status::Cancelled).count(), left)
    }

    async fn lines_in_cart(&self) -> usize {
        self.platform.truth.shop.cart(self.buyer).await.expect("the store answers").len()
    }

    /// The time of every checkout is up.
    async fn swept(&self) {
        within("a sweep", release_due(&self.platform.client, Timestamp::now().plus_ms(HELD_MS))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cart_of_two_sellers_becomes_two_orders_that_all_three_see() {
    let trial = Trial::new().await;
    let lists = [
        Key::new(Kind::BuyerOrders, trial.buyer),
        Key::new(Kind::SellerOrders, trial.sellers[0]),
        Key::new(Kind::SellerOrders, trial.sellers[1]),
    ];
    for list in lists {
        trial.platform.query(list, Query::Orders(first(10))).await.expect("warm");
    }
    let reply = trial.checks_out("one").await.expect("ordered");
    let answer: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
    assert_eq!(answer["totals"], serde_json::json!([{ "currency": "USD", "amount": "62.50" }]));
    let mut listed = Vec::new();
    for list in lists {
        listed.push(json(&trial.platform.query(list, Query::Orders(first(10))).await.expect("a page")).as_array().map_or(0, Vec::len));
    }
    assert_eq!(listed, [2, 1, 1]);
    assert_eq!((trial.orders_and_stock().await, trial.lines_in_cart().await), ((2, [8, 7]), 0));
    // Again is the same answer, though the cart is empty; as a new request it has nothing to order.
    assert_eq!(trial.checks_out("one").await.expect("the same"), reply);
    assert_eq!(refused(trial.checks_out("two").await), ErrorCode::Conflict);
    let other = trial.platform.call_once(trial.buyer, idempotency("POST /cart/checkout", "one", 2));
    assert_eq!(refused(check_out(&trial.platform.client, &other, Request::default()).await), ErrorCode::IdempotencyMismatch);
    assert_eq!(trial.orders_and_stock().await, (2, [8, 7]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_line_that_cannot_be_had_leaves_everything_as_it_was() {
    let trial = Trial::new().await;
    let [_, chair] = trial.products;
    let change = |update| Command::Product(product::Command::Update(update));
    let dear = protocol::Money::from_cents(9900).expect("a price");
    let cases = [
        (change(product::Update { stock: Some(2), ..Default::default() }), ErrorCode::OutOfStock, 2),
        (change(product::Update { stock: Some(10), price: Some(dear), ..Default::default() }), ErrorCode::PriceRaised, 10),
        (change(product::Update { is_active: Some(false), ..Default::default() }), ErrorCode::NotForSale, 10),
    ];
    for (number, (change, code, left)) in cases.into_iter().enumerate() {
        trial.platform.write(trial.sellers[1], Key::new(Kind::Product, chair), change).await.expect("changed");
        for key in ["same", &format!("new {number}")] {
            let refusal = trial.checks_out(key).await.expect_err("it cannot be had");
            assert_eq!(refusal.code, code, "{refusal}");
            assert!(refusal.detail.contains(&chair.to_string()) && !refusal.detail.contains(&trial.products[0].to_string()), "{refusal}");
        }
        let (orders, _) = trial.platform.truth.shop.orders(trial.buyer, true, first(10)).await.expect("the store answers");
        let lamp = trial.platform.truth.shop.product(trial.products[0]).await.expect("the store answers").expect("the lamp");
        let chair = trial.platform.truth.shop.product(chair).await.expect("the store answers").expect("the chair");
        assert_eq!((orders.len(), lamp.stock, chair.stock, trial.lines_in_cart().await), (0, STOCK, left, 2));
    }
    // Once it can be had, the key that was refused is as good as a new one.
    let again = change(product::Update { is_active: Some(true), price: Some(dear), ..Default::default() });
    trial.platform.write(trial.sellers[1], Key::new(Kind::Product, chair), again).await.expect("changed");
    let cart = trial.platform.truth.shop.cart(trial.buyer).await.expect("the store answers");
    let seen = Some(cart::Seen { price: dear, currency: "USD".to_owned() });
    let accept = cart::Command::Set { item: cart[1].id, quantity: 1, seen };
    trial.platform.write(trial.buyer, Key::new(Kind::Cart, trial.buyer), Command::Cart(accept)).await.expect("accepted");
    trial.checks_out("same").await.expect("ordered");
    assert_eq!(trial.orders_and_stock().await, (2, [8, 9]));
}

/// What is counted on the way: the commits of a checkout of two lines.
const COMMITS: usize = 4;

/// Lets so many commits through, then does `act` to one.
fn plan(trial: &Trial, commits: usize, act: Act) {
    let open = Gate::new();
    open.open();
    for _ in 0..commits {
        trial.platform.faults.once("shop.commit", Act::HoldAnswer(open.clone()));
    }
    trial.platform.faults.once("shop.commit", act);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_on_the_way_the_same_key_comes_to_one_effect() {
    for commits in 0..COMMITS {
        for act in [Act::Fail, Act::Conflict, Act::DoubtDone, Act::DoubtUndone, Act::Panic] {
            let trial = Trial::new().await;
            plan(&trial, commits, act);
            // It may come through by itself; if not, it says that it may be repeated, and is.
            let mut outcome = trial.checks_out("one").await;
            for _ in 0..5 {
                match &outcome {
                    Ok(_) => break,
                    Err(refusal) => {
                        assert!(matches!(refusal.code, ErrorCode::Unavailable | ErrorCode::OutcomeUnknown), "{refusal}");
                        outcome = trial.checks_out("one").await;
                    }
                }
            }
            outcome.expect("ordered in the end");
            assert_eq!((trial.orders_and_stock().await, trial.lines_in_cart().await), ((2, [8, 7]), 0), "after {commits} commits");
            trial.swept().await;
            assert_eq!(trial.orders_and_stock().await, (2, [8, 7]), "after {commits} commits");
        }
    }
}

/// The process dies while one of the commits is on its way, before it or after it reached the disk. What is found is a checkout that has not ended, or
/// one that became orders.
async fn crashed_at(commits: usize, written: bool) -> Trial {
    let trial = Trial::new().await;
    let gate = Gate::new();
    plan(&trial, commits, if written { Act::HoldAnswer(gate.clone()) } else { Act::HoldCall(gate.clone()) });
    let call = trial.platform.call_once(trial.buyer, idempotency("POST /cart/checkout", "one", 1));
    let client = trial.platform.client.clone();
    let lost = tokio::spawn(async move { check_out(&client, &call, Request::default()).await });
    gate.came(1).await;
    let Trial { platform, buyer, sellers, products } = trial;
    let faults = platform.faults.clone();
    let platform = platform.restarted().await;
    faults.forget("shop.commit");
    lost.abort();
    Trial { platform, buyer, sellers, products }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_crash_leaves_is_released_when_its_time_is_up() {
    for (commits, written) in (0..COMMITS).flat_map(|commits| [(commits, false), (commits, true)]) {
        let trial = crashed_at(commits, written).await;
        trial.swept().await;
        let confirmed = commits == COMMITS - 1 && written;
        let expected = if confirmed { ((2, [8, 7]), 0) } else { ((0, [STOCK; 2]), 2) };
        assert_eq!((trial.orders_and_stock().await, trial.lines_in_cart().await), expected, "{commits} commits, written: {written}");
        // And from there on everything goes its way.
        trial.checks_out("one").await.expect("ordered");
        assert_eq!(
            (trial.orders_and_stock().await, trial.lines_in_cart().await),
            ((2, [8, 7]), 0),
            "{commits} commits, written: {written}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_repeats_the_request_after_a_crash_drives_it_on() {
    for (commits, written) in (0..COMMITS).flat_map(|commits| [(commits, false), (commits, true)]) {
        let trial = crashed_at(commits, written).await;
        trial.checks_out("one").await.expect("ordered");
        assert_eq!(
            (trial.orders_and_stock().await, trial.lines_in_cart().await),
            ((2, [8, 7]), 0),
            "{commits} commits, written: {written}"
        );
        trial.swept().await;
        assert_eq!(trial.orders_and_stock().await, (2, [8, 7]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cart_is_ordered_once_however_often_it_is_sent_at_once() {
    for same_key in [true, false] {
        let trial = Trial::new().await;
        let sent = (0..10).map(|number| {
            let key = if same_key { "one".to_owned() } else { number.to_string() };
            let call = trial.platform.call_once(trial.buyer, idempotency("POST /cart/checkout", &key, 1));
            let client = trial.platform.client.clone();
            tokio::spawn(async move { check_out(&client, &call, Request::default()).await })
        });
        let mut answers = Vec::new();
        for sent in sent.collect::<Vec<_>>() {
            answers.push(within("a checkout", sent).await.expect("no panic"));
        }
        let done: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
        assert_eq!(done.len(), if same_key { 10 } else { 1 }, "{answers:?}");
        assert!(done.iter().all(|reply| *reply == done[0]), "{answers:?}");
        assert_eq!((trial.orders_and_stock().await, trial.lines_in_cart().await), ((2, [8, 7]), 0));
    }
}

const BUYERS: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buyers_who_race_through_their_carts_get_what_there_is() {
    let platform = Platform::start().await;
    let (ada, bob) = (platform.person().await, platform.person().await);
    let lamp = platform.product(ada, new_product("lamp", STOCK)).await;
    let chair = platform.product(bob, new_product("chair", 1000)).await;
    let race = (0..BUYERS).map(|_| {
        let client = platform.client.clone();
        tokio::spawn(async move {
            let buyer = UserId::new();
            let call = client.call(as_user(buyer));
            for product_id in [chair, lamp] {
                let seen = cart::Seen { price: protocol::Money::from_cents(1250).expect("a price"), currency: "USD".to_owned() };
                let add = cart::Command::Add { item: cart::NewItem { user_id: None, product_id, quantity: 1 }, seen };
                client.write(&call, Key::new(Kind::Cart, buyer), Command::Cart(add)).await.expect("added");
            }
            match check_out(&client, &call, Request::default()).await {
                Ok(_) => true,
                Err(refusal) => {
                    assert_eq!(refusal.code, ErrorCode::OutOfStock, "{refusal}");
                    false
                }
            }
        })
    });
    let mut lucky = 0;
    for buyer in race.collect::<Vec<_>>() {
        lucky += usize::from(within("a buyer", buyer).await.expect("no buyer fails"));
    }
    let sold = async |seller| platform.truth.shop.orders(seller, false, first(100)).await.expect("the store answers").0.len();
    let left = async |product| platform.truth.shop.product(product).await.expect("the store answers").expect("the product").stock;
    // Chairs are there for all: whoever got a lamp got both, and the chairs of the others went back.
    assert_eq!((lucky, sold(ada).await, sold(bob).await), (STOCK as usize, STOCK as usize, STOCK as usize));
    assert_eq!((left(lamp).await, left(chair).await), (0, 1000 - STOCK));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_order_is_in_stock_again_once_and_in_both_lists() {
    let platform = Platform::start().await;
    let (seller, buyer) = (platform.person().await, platform.person().await);
    let lamp = platform.product(seller, new_product("lamp", STOCK)).await;
    let order = platform.order(buyer, lamp).await.expect("ordered");
    let (product, lists) = (Key::new(Kind::Product, lamp), [Key::new(Kind::BuyerOrders, buyer), Key::new(Kind::SellerOrders, seller)]);
    for list in lists {
        platform.query(list, Query::Orders(first(10))).await.expect("warm");
    }
    let to = |status| Command::Order(order::Command::Change(order::Change { status: Some(status), payment_status: None }));
    let change = |by, OrderId(id): OrderId, status| {
        let (client, call) = (platform.client.clone(), platform.call(by));
        tokio::spawn(async move { client.write(&call, Key::new(Kind::Order, id), to(status)).await })
    };
    // Both cancel at once, and some buy meanwhile.
    let cancels: Vec<_> = (0..8).map(|n| change(if n % 2 == 0 { buyer } else { seller }, order, Status::Cancelled)).collect();
    for _ in 0..3 {
        platform.order(UserId::new(), lamp).await.expect("ordered");
    }
    for cancel in cancels {
        within("a cancellation", cancel).await.expect("no panic").expect("cancelled");
    }
    assert_eq!(json(&platform.view(product).await.expect("the product"))["stock"], STOCK - 3);
    for list in lists {
        let listed = json(&platform.query(list, Query::Orders(first(10))).await.expect("a page"));
        let row = listed.as_array().expect("rows").iter().find(|row| row["id"] == order.to_string()).expect("the order");
        assert_eq!(row["status"], "cancelled");
    }
    assert_eq!(refused(change(seller, order, Status::Confirmed).await.expect("no panic")), ErrorCode::WrongStatus);
}
