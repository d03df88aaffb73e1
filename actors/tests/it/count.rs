//! What memory answers, and what it does not, is counted: what decides how large a cache must be.

use crate::harness::{Platform, make::*};
use actors::{
    entity::family,
    read::{self, Viewer},
};
use futures_util::FutureExt as _;
use protocol::{Key, Kind, Principal, Query, product::Selection};

/// Reads of lists of products and of products so far: from memory, and not.
fn counted(platform: &Platform) -> [(u64, u64); 2] {
    [Kind::ProductList, Kind::Product].map(|kind| {
        let reads = platform.client.node().metrics.reads().find(|reads| reads.kind == kind).expect("each kind has its counts");
        (reads.hits, reads.misses)
    })
}

#[tokio::test]
async fn each_thing_that_a_request_reads_is_counted_once_though_it_is_looked_for_in_rounds() {
    let platform = Platform::start().await;
    let seller = platform.person().await;
    let lamp = platform.product(seller, new_product("lamp", 3)).await;
    platform.product(seller, new_product("chair", 1)).await;
    let platform = platform.restarted().await;
    let (client, call) = (&platform.client, platform.client.call(Principal::Anonymous));
    let of = (Key::new(Kind::ProductList, family::PRODUCTS), Query::Products(Selection::default()));
    let page = |sight: &mut read::Sight<'_>| read::list(sight, Viewer { user: None }, of.clone(), Kind::Product);

    assert!(client.peek(&Key::new(Kind::Product, lamp)).is_none());
    client.view(&call, Key::new(Kind::Product, lamp)).await.expect("a lamp");
    assert_eq!(counted(&platform), [(0, 0), (0, 1)], "whoever peeks has not asked yet");

    assert!(read::now(client, page).is_none());
    assert_eq!(counted(&platform), [(0, 0), (0, 1)], "nor has whoever goes on to fetch");
    assert_eq!(read::complete(client, &call, page).await.expect("a page").rows.len(), 2);
    assert_eq!(counted(&platform), [(0, 1), (1, 2)], "the page and the chair came from the store, and the lamp was there");

    assert_eq!(read::now(client, page).expect("all is warm").rows.len(), 2);
    assert_eq!(counted(&platform), [(1, 1), (3, 2)]);
}

#[tokio::test]
async fn whoever_does_not_wait_for_what_is_fetched_has_read() {
    let platform = Platform::start().await;
    let (client, call) = (&platform.client, platform.client.call(Principal::Anonymous));
    let of = (Key::new(Kind::ProductList, family::PRODUCTS), Query::Products(Selection::default()));
    let page = |sight: &mut read::Sight<'_>| read::list(sight, Viewer { user: None }, of.clone(), Kind::Product);
    assert!(read::complete(client, &call, page).now_or_never().is_none(), "it is fetched");
    assert_eq!(counted(&platform), [(0, 1), (0, 0)]);
}
