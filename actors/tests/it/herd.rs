//! However many ask for something cold at once, the store is asked once.

use crate::harness::{Act, Gate, Platform, first, make::*, within};
use actors::{
    entity::family,
    read::{self, Viewer},
};
use protocol::{Key, Kind, Query, post::Visibility, product::Selection};

/// Readers of one cold key.
const READERS: usize = 1000;

/// Has 1000 readers run `$read` while the store's `$held` is held, until all of them wait for the owner of `$key`; then lets go.
macro_rules! herd {
    ($platform:ident, $held:literal, $key:expr, $read:expr) => {{
        let gate = Gate::new();
        $platform.faults.always($held, Act::HoldCall(gate.clone()));
        let (key, client) = ($key, $platform.client.clone());
        let readers: Vec<_> = (0..READERS)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { $read(client, key).await })
            })
            .collect();
        $platform.waiting(key, READERS).await;
        gate.open();
        let mut answers = Vec::new();
        for reader in readers {
            answers.push(within("a reader", reader).await.expect("no panic"));
        }
        $platform.faults.heal($held);
        answers
    }};
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cold_profile_is_loaded_once() {
    let platform = Platform::start().await;
    let ada = platform.person().await;
    let platform = platform.restarted().await;
    let before = platform.faults.calls("user");
    let answers = herd!(platform, "user", Key::new(Kind::User, ada), |client: actors::Client, key| async move {
        client.view(&client.call(protocol::Principal::Anonymous), key).await.expect("a profile").view.version
    });
    assert!(answers.iter().all(|version| *version == 1));
    assert_eq!(platform.faults.calls("user") - before, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cold_product_is_loaded_once() {
    let platform = Platform::start().await;
    let product = platform.product(platform.person().await, new_product("lamp", 3)).await;
    let platform = platform.restarted().await;
    let before = platform.faults.calls("product");
    let answers = herd!(platform, "product", Key::new(Kind::Product, product), |client: actors::Client, key| async move {
        client.view(&client.call(protocol::Principal::Anonymous), key).await.expect("a product").view.version
    });
    assert!(answers.iter().all(|version| *version == 1));
    assert_eq!(platform.faults.calls("product") - before, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cold_list_of_products_is_queried_once() {
    let platform = Platform::start().await;
    let seller = platform.person().await;
    let product = platform.product(seller, new_product("lamp", 3)).await;
    let list = Key::new(Kind::ProductList, family::PRODUCTS);
    let answers = herd!(platform, "products", list, |client: actors::Client, key| async move {
        let (call, query) = (client.call(protocol::Principal::Anonymous), Query::Products(Selection::default()));
        let page = read::complete(&client, &call, |sight| read::list(sight, Viewer { user: None }, (key, query.clone()), Kind::Product));
        page.await.expect("a page").rows.iter().map(|row| row.key.id).collect::<Vec<_>>()
    });
    assert!(answers.iter().all(|ids| *ids == [product.0]));
    assert_eq!(platform.faults.sum(&["products", "key_version.product_list"]), 2, "the generation once, and the page once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cold_feed_page_is_loaded_once() {
    let platform = Platform::start().await;
    let (reader, author) = (platform.person().await, platform.person().await);
    platform.follow(reader, author).await.expect("followed");
    let post = platform.post(author, new_post("hello", Visibility::Public)).await;
    let platform = platform.restarted().await;
    let names = ["posts_by", "key_version.feed", "relations", "post"];
    let before = platform.faults.sum(&names);
    let answers = herd!(platform, "posts_by", Key::new(Kind::Feed, reader), |client: actors::Client, _| async move {
        let call = client.call(crate::harness::as_user(reader));
        let page = read::complete(&client, &call, |sight| read::feed(sight, reader, first(20)));
        page.await.expect("a page").rows.iter().map(|row| row.key.id).collect::<Vec<_>>()
    });
    assert!(answers.iter().all(|ids| *ids == [post.0]));
    assert_eq!(platform.faults.calls("posts_by"), 1, "the feed's ids");
    // The relations are an entity of their own, and the feed's load reads them, too.
    assert_eq!(platform.faults.sum(&names) - before, 5, "ids, the feed's version, relations twice, the post");
}
