//! Every queue has an end, and whoever comes behind it learns of it at once.

use crate::harness::{Act, Gate, Setup, as_user, make::*, refused, within};
use actors::{Call, snapshot::shard_of};
use protocol::{ErrorCode, Key, Kind, Principal, ProductId};
use std::time::{Duration, Instant};

fn cold_key() -> Key {
    Key::new(Kind::Product, ProductId::new())
}

/// Another key of the same owner, or of another one.
fn cousin(of: Key, same_owner: bool) -> Key {
    let same = |key: &Key| shard_of(key.slot()) == shard_of(of.slot());
    std::iter::repeat_with(cold_key).find(|key| same(key) == same_owner).expect("there are enough ids")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_has_so_many_waiting_and_no_more() {
    let mut setup = Setup::default();
    setup.limits.key_waiting_max = 4;
    let platform = setup.start().await;
    let gate = Gate::new();
    platform.faults.always("product", Act::HoldCall(gate.clone()));
    let key = cold_key();
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let client = platform.client.clone();
            tokio::spawn(async move { client.view(&client.call(Principal::Anonymous), key).await })
        })
        .collect();
    platform.waiting(key, 4).await;
    assert_eq!(refused(platform.view(key).await), ErrorCode::Overloaded);
    assert_eq!(refused(platform.write(protocol::UserId::new(), key, rename("x")).await), ErrorCode::Overloaded);
    // Others of the same owner are not hindered.
    let other = cousin(key, true);
    let client = platform.client.clone();
    let beside = tokio::spawn(async move { client.view(&client.call(Principal::Anonymous), other).await });
    gate.came(2).await;
    gate.open();
    for reader in waiting.into_iter().chain([beside]) {
        assert_eq!(refused(within("a reader", reader).await.expect("no panic")), ErrorCode::NotFound);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_has_so_much_in_its_care_and_no_more() {
    let mut setup = Setup::default();
    setup.limits.owner_inflight_max = 8;
    let platform = setup.start().await;
    let gate = Gate::new();
    platform.faults.always("product", Act::HoldCall(gate.clone()));
    let first = cold_key();
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let (client, key) = (platform.client.clone(), cousin(first, true));
            tokio::spawn(async move { client.view(&client.call(Principal::Anonymous), key).await })
        })
        .collect();
    gate.came(8).await;
    assert_eq!(refused(platform.view(cousin(first, true)).await), ErrorCode::Overloaded);
    let other = cousin(first, false);
    let client = platform.client.clone();
    let beside = tokio::spawn(async move { client.view(&client.call(Principal::Anonymous), other).await });
    gate.came(9).await;
    gate.open();
    for reader in waiting.into_iter().chain([beside]) {
        assert_eq!(refused(within("a reader", reader).await.expect("no panic")), ErrorCode::NotFound);
    }
    assert_eq!(refused(platform.view(cousin(first, true)).await), ErrorCode::NotFound, "there is room again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_work_is_refused_and_not_done() {
    let platform = Setup::default().start().await;
    let seller = platform.person().await;
    let key = Key::new(Kind::Product, platform.product(seller, new_product("lamp", 1)).await);
    let commits = platform.faults.calls("shop.commit");
    let gate = platform.faults.hold("shop.commit");
    let (client, call) = (platform.client.clone(), platform.call(seller));
    let patient = tokio::spawn(async move { client.write(&call, key, rename("torch")).await });
    gate.came(1).await;
    // It waits behind the first one for longer than it is worth anything; then nobody knows, as far as the caller can tell.
    let hasty = Call { deadline: Instant::now() + Duration::from_millis(20), ..platform.call(seller) };
    assert_eq!(refused(platform.client.write(&hasty, key, rename("candle")).await), ErrorCode::OutcomeUnknown);
    gate.open();
    within("the first write", patient).await.expect("no panic").expect("renamed");
    platform.write(seller, key, rename("lantern")).await.expect("renamed");
    assert_eq!(platform.view(key).await.expect("the product").view.version, 3, "the expired write is none of the versions");
    assert_eq!(platform.faults.calls("shop.commit") - commits, 2);

    let gate = platform.faults.hold("product");
    let late = platform.client.call(as_user(seller));
    let late = Call { deadline: Instant::now() + Duration::from_millis(20), ..late };
    assert_eq!(refused(platform.client.view(&late, cold_key()).await), ErrorCode::Expired);
    gate.open();
}
