//! What a write comes to when the database fails, doubts, or was written to by somebody else.

use crate::harness::{Act, Gate, Platform, Setup, eventually, first, json, make::*, refused, within};
use actors::Call;
use protocol::{Command, Epoch, ErrorCode, Key, Kind, ProductId, Query, Refusal, Reply, Timestamp, UserId, product};
use store::{Commit, CommitError, Expect, Guard, ShopWrite};

/// A product with its seller, and a buyer who looked at the product and at their orders.
struct Shop {
    platform: Platform,
    seller: UserId,
    buyer: UserId,
    product: Key,
}

impl Shop {
    async fn open() -> Self {
        let platform = Platform::start().await;
        let (seller, buyer) = (platform.person().await, platform.person().await);
        let product = Key::new(Kind::Product, platform.product(seller, new_product("lamp", 5)).await);
        let shop = Self { platform, seller, buyer, product };
        assert_eq!((shop.stock().await, shop.orders().await), (5, 0));
        shop
    }

    async fn stock(&self) -> u64 {
        json(&self.platform.view(self.product).await.expect("the product"))["stock"].as_u64().expect("a number")
    }

    /// How many orders the buyer is shown.
    async fn orders(&self) -> usize {
        let page = self.platform.query(Key::new(Kind::BuyerOrders, self.buyer), Query::Orders(first(100))).await.expect("a page");
        json(&page).as_array().expect("rows").len()
    }

    /// How many orders there are.
    async fn orders_in_store(&self) -> usize {
        self.platform.truth.shop.orders(self.buyer, true, first(100)).await.expect("the store answers").0.len()
    }

    async fn order_by(&self, call: Call) -> Result<Reply, Refusal> {
        within("an order", self.platform.client.write(&call, self.product, new_order(ProductId(self.product.id), 1))).await
    }

    async fn order(&self) -> Result<Reply, Refusal> {
        self.order_by(self.platform.call(self.buyer)).await
    }

    async fn order_once(&self, key: &str) -> Result<Reply, Refusal> {
        self.order_by(self.platform.call_once(self.buyer, idempotency("order", key, 1))).await
    }

    /// Another program's write to the product: its next version, with this name.
    async fn foreign_write(&self, name: &str) {
        let shop = &self.platform.truth.shop;
        let mut next = shop.product(ProductId(self.product.id)).await.expect("the store answers").expect("the product");
        (next.name, next.version) = (name.to_owned(), next.version + 1);
        let epoch = Epoch(self.platform.epoch(&**shop, self.product).await);
        let commit = Commit {
            guard: Guard { slot: self.product.slot(), epoch },
            key: self.product,
            expect: Expect::Row,
            record: None,
            touches: Vec::new(),
            write: ShopWrite::SaveProduct(Box::new(next)),
            now: Timestamp::now(),
        };
        shop.commit(commit).await.expect("written");
    }

    async fn product(&self) -> (u64, String) {
        let found = self.platform.view(self.product).await.expect("the product");
        (found.view.version, json(&found)["name"].as_str().expect("a name").to_owned())
    }
}

/// Whoever is told that nobody knows may look: what they see is how it is, in everything that the write touched.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_unknown_outcome_and_done_is_seen_by_whoever_looks() {
    let shop = Shop::open().await;
    shop.platform.faults.once("shop.commit", Act::DoubtDone);
    assert_eq!(refused(shop.order().await), ErrorCode::OutcomeUnknown);
    assert_eq!((shop.stock().await, shop.orders().await, shop.orders_in_store().await), (4, 1, 1));
    shop.order().await.expect("ordered");
    assert_eq!((shop.stock().await, shop.orders().await), (3, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_unknown_outcome_and_not_done_leaves_nothing() {
    let shop = Shop::open().await;
    shop.platform.faults.once("shop.commit", Act::DoubtUndone);
    assert_eq!(refused(shop.order().await), ErrorCode::OutcomeUnknown);
    assert_eq!((shop.stock().await, shop.orders().await, shop.orders_in_store().await), (5, 0, 0));
}

/// A transaction that reaches the database only after everybody gave it up must not happen any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_unknown_outcome_and_late_is_fenced() {
    let shop = Shop::open().await;
    let gate = Gate::new();
    shop.platform.faults.once("shop.commit", Act::DoubtLate(gate.clone()));
    let epoch = shop.platform.epoch(&*shop.platform.truth.shop, shop.product).await;
    assert_eq!(refused(shop.order().await), ErrorCode::OutcomeUnknown);
    assert!(shop.platform.epoch(&*shop.platform.truth.shop, shop.product).await > epoch);
    gate.open();
    eventually("the late commit", || async { !shop.platform.faults.outcomes().is_empty() }).await;
    assert!(matches!(shop.platform.faults.outcomes()[..], [Err(CommitError::Fenced(_))]));
    assert_eq!((shop.stock().await, shop.orders_in_store().await), (5, 0));
    shop.order().await.expect("ordered");
    assert_eq!((shop.stock().await, shop.orders().await), (4, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_unknown_outcome_under_a_key_is_answered_as_it_was() {
    let shop = Shop::open().await;
    shop.platform.faults.once("shop.commit", Act::DoubtDone);
    let reply = shop.order_once("done").await.expect("the record answers");
    assert_eq!((shop.stock().await, shop.orders().await), (4, 1));
    assert_eq!(shop.order_once("done").await, Ok(reply), "a repetition is the same request");
    assert_eq!((shop.stock().await, shop.orders_in_store().await), (4, 1));

    shop.platform.faults.once("shop.commit", Act::DoubtUndone);
    assert_eq!(refused(shop.order_once("undone").await), ErrorCode::Unavailable, "it is known that nothing was written");
    assert_eq!((shop.stock().await, shop.orders_in_store().await), (4, 1));
    shop.order_once("undone").await.expect("a repetition is carried out");
    assert_eq!((shop.stock().await, shop.orders().await), (3, 2));
}

/// While it is not known what became of a write, nobody is shown what was before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_unknown_outcome_holds_reads_until_it_stands() {
    let shop = Shop::open().await;
    let gate = Gate::new();
    shop.platform.faults.always("shop.fence", Act::HoldCall(gate.clone()));
    shop.platform.faults.once("shop.commit", Act::DoubtDone);
    let (client, call, key) = (shop.platform.client.clone(), shop.platform.call(shop.buyer), shop.product);
    let writer = tokio::spawn(async move { client.write(&call, key, new_order(ProductId(key.id), 1)).await });
    gate.came(1).await;
    assert!(shop.platform.client.peek(&key).is_none(), "the doubtful snapshot is withdrawn");
    let (client, call) = (shop.platform.client.clone(), shop.platform.anonymous());
    let reader = tokio::spawn(async move { client.view(&call, key).await });
    shop.platform.waiting(key, 2).await;
    gate.open();
    assert_eq!(json(&within("the reader", reader).await.expect("no panic").expect("the product"))["stock"], 4);
    assert_eq!(refused(within("the writer", writer).await.expect("no panic")), ErrorCode::OutcomeUnknown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_is_no_answer_and_is_not_cached() {
    let shop = Shop::open().await;
    shop.platform.faults.always("shop.commit", Act::Fail);
    assert_eq!(refused(shop.order().await), ErrorCode::Unavailable);
    assert_eq!((shop.stock().await, shop.orders().await), (5, 0), "what is warm is served");
    shop.platform.faults.heal("shop.commit");
    shop.order().await.expect("ordered");

    let platform = shop.platform.restarted().await;
    for (method, key) in [("product", shop.product), ("key_version.buyer_orders", Key::new(Kind::BuyerOrders, shop.buyer))] {
        platform.faults.always(method, Act::Fail);
        assert_eq!(refused(platform.view(key).await), ErrorCode::Unavailable, "never not_found");
        platform.faults.heal(method);
        platform.view(key).await.expect("it is there");
    }
    let orders = Key::new(Kind::BuyerOrders, shop.buyer);
    platform.faults.always("orders", Act::Fail);
    assert_eq!(refused(platform.query(orders, Query::Orders(first(5))).await), ErrorCode::Unavailable);
    platform.faults.heal("orders");
    assert_eq!(json(&platform.query(orders, Query::Orders(first(5))).await.expect("a page")).as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_not_cached() {
    let platform = Platform::start().await;
    let (seller, id) = (platform.person().await, ProductId::new());
    let key = Key::new(Kind::Product, id);
    assert_eq!(refused(platform.view(key).await), ErrorCode::NotFound);
    platform.write(seller, key, Command::Product(product::Command::Create(new_product("lamp", 1)))).await.expect("offered");
    platform.view(key).await.expect("it is there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_version_that_moved_is_decided_again() {
    let shop = Shop::open().await;
    shop.foreign_write("lantern").await;
    shop.order().await.expect("ordered");
    assert_eq!((shop.product().await, shop.stock().await), ((3, "lantern".to_owned()), 4), "both writes are there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_version_that_keeps_moving_is_a_conflict() {
    let shop = Shop::open().await;
    let before = shop.platform.faults.calls("shop.commit");
    shop.platform.faults.always("shop.commit", Act::Conflict);
    assert_eq!(refused(shop.order().await), ErrorCode::Conflict);
    assert_eq!(shop.platform.faults.calls("shop.commit") - before, 4, "once, and three more times");
    assert_eq!((shop.stock().await, shop.orders_in_store().await), (5, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_insists_on_a_version_is_carried_out_on_that_version_only() {
    let shop = Shop::open().await;
    let insist = |version| Call { if_match: Some(version), ..shop.platform.call(shop.seller) };
    let (client, key) = (&shop.platform.client, shop.product);
    assert_eq!(refused(client.write(&insist(2), key, rename("torch")).await), ErrorCode::PreconditionFailed);
    client.write(&insist(1), key, rename("torch")).await.expect("renamed");
    // Memory says 2, the store says 3 by now: the store decides.
    shop.foreign_write("lantern").await;
    assert_eq!(refused(client.write(&insist(2), key, rename("candle")).await), ErrorCode::PreconditionFailed);
    assert_eq!(shop.product().await, (3, "lantern".to_owned()));
    client.write(&insist(3), key, rename("candle")).await.expect("renamed");
    assert_eq!(refused(client.write(&insist(1), Key::new(Kind::Product, ProductId::new()), rename("x")).await), ErrorCode::NotFound);
}

/// Somebody else took the slot and wrote: this node drops it, and shows what is in the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_foreign_epoch_gives_the_slot_up() {
    let shop = Shop::open().await;
    let (platform, key) = (&shop.platform, shop.product);
    let epoch = Epoch(platform.epoch(&*platform.truth.shop, key).await + 5);
    platform.truth.shop.fence(vec![(key.slot(), epoch)]).await.expect("fenced");
    shop.foreign_write("lantern").await;

    // A read that waits behind the write must not be shown the old owner's state either.
    let gate = platform.faults.hold("shop.commit");
    let spawn_writer = |client: actors::Client, call: Call| tokio::spawn(async move { client.write(&call, key, rename("torch")).await });
    let writer = spawn_writer(platform.client.clone(), platform.call(shop.seller));
    gate.came(1).await;
    let queued = spawn_writer(platform.client.clone(), platform.call(shop.seller));
    platform.waiting(key, 2).await;
    gate.open();
    for writer in [writer, queued] {
        assert_eq!(refused(within("a writer", writer).await.expect("no panic")), ErrorCode::Unavailable);
    }
    assert_eq!(platform.node.ownership.epoch(key.slot()), None);
    assert!(platform.client.peek(&key).is_none());
    for version in 2..4 {
        assert_eq!(shop.product().await.0, version, "each read asks the store");
        shop.foreign_write("beacon").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sent_ten_times_at_once_happens_once() {
    let shop = Shop::open().await;
    let attempts: Vec<_> = (0..10)
        .map(|_| {
            let (client, call) = (shop.platform.client.clone(), shop.platform.call_once(shop.buyer, idempotency("order", "one", 1)));
            let key = shop.product;
            tokio::spawn(async move { client.write(&call, key, new_order(ProductId(key.id), 1)).await })
        })
        .collect();
    let mut replies = Vec::new();
    for attempt in attempts {
        replies.push(within("an attempt", attempt).await.expect("no panic").expect("ordered"));
    }
    assert!(replies.iter().all(|reply| *reply == replies[0]), "{replies:?}");
    assert_eq!((shop.stock().await, shop.orders().await, shop.orders_in_store().await), (4, 1, 1));
    // The last piece may be gone by the time of a repetition: it is answered all the same.
    shop.platform.write(shop.seller, shop.product, stock(0)).await.expect("sold out");
    assert_eq!(shop.order_once("one").await.as_ref(), Ok(&replies[0]));
}

/// What is created has an id of its own at each attempt, so the attempts are with different owners.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sent_ten_times_at_once_creates_one_thing() {
    let platform = Platform::start().await;
    let seller = platform.person().await;
    let attempts: Vec<_> = (0..10)
        .map(|_| {
            let (client, call) = (platform.client.clone(), platform.call_once(seller, idempotency("product", "one", 1)));
            let create = Command::Product(product::Command::Create(new_product("lamp", 1)));
            tokio::spawn(async move { client.write(&call, Key::new(Kind::Product, ProductId::new()), create).await })
        })
        .collect();
    let mut made_ids = Vec::new();
    for attempt in attempts {
        made_ids.push(made(&within("an attempt", attempt).await.expect("no panic").expect("offered")));
    }
    let listed = platform.query(Key::new(Kind::SellerProducts, seller), Query::Posts(first(100))).await.expect("a page");
    let protocol::Fact::Ids { ids, .. } = &listed.view.fact else { panic!("ids were expected") };
    assert_eq!(ids.len(), 1);
    assert!(made_ids.iter().all(|id| *id == ids[0]), "{made_ids:?}");
    let call = platform.call_once(seller, idempotency("product", "one", 2));
    let create = Command::Product(product::Command::Create(new_product("torch", 1)));
    assert_eq!(
        refused(platform.client.write(&call, Key::new(Kind::Product, ProductId::new()), create).await),
        ErrorCode::IdempotencyMismatch
    );
    // The same key of somebody else, or on another route, is another request.
    let stranger = platform.person().await;
    for call in [platform.call_once(stranger, idempotency("product", "one", 2)), platform.call_once(seller, idempotency("offer", "one", 2))]
    {
        let create = Command::Product(product::Command::Create(new_product("torch", 1)));
        platform.client.write(&call, Key::new(Kind::Product, ProductId::new()), create).await.expect("offered");
    }
}

/// A repetition is acknowledged only when everybody heard of what the first request did.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeated_waits_for_what_the_first_one_owes() {
    let platform = Platform::start().await;
    let author = platform.person().await;
    let gate = Gate::new();
    platform.faults.always("followers", Act::HoldCall(gate.clone()));
    let attempt = || {
        let (client, call) = (platform.client.clone(), platform.call_once(author, idempotency("post", "one", 1)));
        let command = Command::Timeline(new_post("hello", protocol::post::Visibility::Public));
        tokio::spawn(async move { client.write(&call, Key::new(Kind::Timeline, author), command).await })
    };
    let one = attempt();
    gate.came(1).await;
    let two = attempt();
    gate.came(2).await;
    assert!(!one.is_finished() && !two.is_finished());
    gate.open();
    let (one, two) = (within("the first", one).await.expect("no panic"), within("the second", two).await.expect("no panic"));
    assert_eq!(one.expect("posted"), two.expect("posted"));
    assert_eq!(platform.truth.content.timeline(author, first(10)).await.expect("the store answers").ids.len(), 1);
}

/// A write that happened is never reported as one that did not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_effects_cannot_be_delivered_is_not_reported_as_undone() {
    let platform = Setup { sweeper: false, ..Setup::default() }.start().await;
    let author = platform.person().await;
    let timeline = Key::new(Kind::Timeline, author);
    let post = || Command::Timeline(new_post("hello", protocol::post::Visibility::Public));
    platform.faults.once("followers", Act::Fail);
    assert_eq!(refused(platform.write(author, timeline, post()).await), ErrorCode::OutcomeUnknown);
    assert_eq!(platform.truth.content.timeline(author, first(10)).await.expect("the store answers").ids.len(), 1);

    let once = platform.call_once(author, idempotency("post", "two", 1));
    for method in ["followers", "content.outbox", "followers"] {
        platform.faults.once(method, Act::Fail);
        assert_eq!(refused(platform.client.write(&once, timeline, post()).await), ErrorCode::OutcomeUnknown, "{method} fails");
    }
    let reply = platform.client.write(&once, timeline, post()).await.expect("the repetition completes it");
    assert_eq!(platform.truth.content.timeline(author, first(10)).await.expect("the store answers").ids[0], made(&reply));
}
