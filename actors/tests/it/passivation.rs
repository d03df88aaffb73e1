//! Memory is bounded: what is not used leaves it, and comes back as it was.

use crate::harness::{Platform, Setup, json, make::*, refused};
use protocol::{Audience, ErrorCode, Key, Kind, ProductId, post::Visibility};

const BUDGET_BYTES: u64 = 64 << 10;
const PRODUCTS: usize = 600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_budget_bounds_what_is_warm_and_loses_nothing() {
    let mut setup = Setup::default();
    setup.limits.cache_bytes_max = BUDGET_BYTES;
    let platform = setup.start().await;
    let seller = platform.person().await;
    let mut keys = Vec::new();
    for number in 0..PRODUCTS {
        let id = platform.product(seller, new_product(&format!("product {number}"), 1)).await;
        keys.push(Key::new(Kind::Product, id));
        let (_, bytes) = platform.node.snapshots.size();
        assert!(bytes <= BUDGET_BYTES, "{bytes} bytes are warm");
    }
    let (warm, _) = platform.node.snapshots.size();
    assert!((10..PRODUCTS / 2).contains(&warm), "{warm} of {PRODUCTS} are warm");
    // All of them were evicted at some time, and some were changed meanwhile.
    for (number, key) in keys.iter().enumerate().step_by(7) {
        platform.write(seller, *key, rename(&format!("renamed {number}"))).await.expect("renamed");
    }
    for (number, key) in keys.iter().enumerate() {
        let (version, name) = if number % 7 == 0 { (2, format!("renamed {number}")) } else { (1, format!("product {number}")) };
        let found = platform.view(*key).await.expect("the product");
        assert_eq!((found.view.version, json(&found)["name"].as_str()), (version, Some(name.as_str())));
    }
    assert!(platform.faults.calls("product") > PRODUCTS, "evicted ones were loaded again");
    assert!(platform.node.snapshots.size().1 <= BUDGET_BYTES);
}

/// What is too large for memory is served all the same, and is never served as it was before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_outgrows_memory_is_not_stale() {
    let mut setup = Setup::default();
    setup.limits.cache_bytes_max = 8 << 10;
    let platform = setup.start().await;
    let seller = platform.person().await;
    let key = Key::new(Kind::Product, platform.product(seller, new_product("lamp", 1)).await);
    platform.view(key).await.expect("the product");
    assert!(platform.client.peek(&key).is_some());
    let update = protocol::product::Update { description: protocol::Patch::Set("x".repeat(9000)), ..Default::default() };
    platform.write(seller, key, protocol::Command::Product(protocol::product::Command::Update(update))).await.expect("updated");
    for _ in 0..3 {
        let found = platform.view(key).await.expect("the product");
        assert_eq!((found.view.version, json(&found)["description"].as_str().map(str::len)), (2, Some(9000)));
        assert!(platform.client.peek(&key).is_none());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_stays_gone() {
    let platform = Platform::start().await;
    let author = platform.person().await;
    let id = platform.post(author, new_post("hello", Visibility::Public)).await;
    let key = Key::new(Kind::Post, id);
    platform.delete_post(author, id).await.expect("deleted");
    let loads = platform.faults.calls("post");
    for _ in 0..10 {
        let found = platform.view(key).await.expect("a tombstone");
        assert_eq!((found.view.audience, found.view.body.len()), (Audience::Gone, 0));
    }
    assert_eq!(platform.faults.calls("post"), loads, "the tombstone is cached");
    let revive = protocol::post::Update { content: Some("back".to_owned()), ..Default::default() };
    assert_eq!(refused(platform.edit_post(author, id, revive).await), ErrorCode::NotFound);
    assert_eq!(refused(platform.delete_post(author, id).await), ErrorCode::NotFound);
    let platform = platform.restarted().await;
    assert_eq!(platform.view(key).await.expect("a tombstone").view.audience, Audience::Gone, "also from the store");
    assert_eq!(refused(platform.view(Key::new(Kind::Product, ProductId::new())).await), ErrorCode::NotFound);
}
