//! An owner that panics: its callers learn of it at once, it is started again, nothing acknowledged is lost, nothing stale is served.

use crate::harness::{Act, Gate, Platform, Setup, eventually, json, make::*, refused, within};
use actors::{
    Node,
    entity::{Asked, Decision, Entity, QueryError, product::Product},
    region,
    snapshot::shard_of,
    supervisor::Intensity,
};
use protocol::{Command, ErrorCode, Key, Kind, ProductId, Query, Refusal, Slot, UserId, View, product};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use store::{CommitError, StoreError};
use uuid::Uuid;

/// The owner of products, but it panics when one is named "panic".
struct Fragile;

/// How often it did, by product.
static PANICS: Mutex<BTreeMap<Uuid, usize>> = Mutex::new(BTreeMap::new());

fn panics_of(key: Key) -> usize {
    PANICS.lock().expect("no panic").get(&key.id).copied().unwrap_or(0)
}

impl Entity for Fragile {
    const KIND: Kind = Kind::Product;
    type State = product::Product;
    type Command = product::Command;

    fn command(command: Command) -> Option<product::Command> {
        Product::command(command)
    }

    async fn load(node: &Arc<Node>, id: Uuid) -> Result<Option<product::Product>, StoreError> {
        Product::load(node, id).await
    }

    fn version(state: &product::Product) -> u64 {
        Product::version(state)
    }

    fn bytes(state: &product::Product) -> usize {
        Product::bytes(state)
    }

    fn view(state: &product::Product) -> View {
        Product::view(state)
    }

    async fn query(node: &Arc<Node>, id: Uuid, state: Arc<product::Product>, query: Query) -> Result<View, QueryError> {
        Product::query(node, id, state, query).await
    }

    fn decide(state: Option<&product::Product>, asked: &Asked, command: product::Command) -> Result<Decision<product::Product>, Refusal> {
        if matches!(&command, product::Command::Update(update) if update.name.as_deref() == Some("panic")) {
            *PANICS.lock().expect("no panic").entry(asked.id).or_default() += 1;
            panic!("asked to");
        }
        Product::decide(state, asked, command)
    }
}

fn fragile() -> Setup {
    Setup { owners: vec![(Kind::Product, region::owners::<Fragile>)], ..Setup::default() }
}

/// Products of one seller that have the same owner.
async fn neighbours<const N: usize>(platform: &Platform) -> (UserId, [Key; N]) {
    let seller = platform.person().await;
    let shard = shard_of(Slot::of(seller.0));
    let ids = std::iter::repeat_with(ProductId::new).filter(|id| shard_of(Slot::of(id.0)) == shard);
    let keys: Vec<_> = ids.take(N).map(|id| Key::new(Kind::Product, id)).collect();
    for key in &keys {
        let create = Command::Product(product::Command::Create(new_product("lamp", 5)));
        platform.write(seller, *key, create).await.expect("offered");
    }
    (seller, keys.try_into().expect("as many as asked for"))
}

/// Has the owner of `key` panic. Whoever comes between the panic before and the restart is refused, and comes again.
async fn panic_owner(platform: &Platform, seller: UserId, key: Key) {
    let before = panics_of(key);
    while panics_of(key) == before {
        let code = refused(platform.write(seller, key, rename("panic")).await);
        assert!(matches!(code, ErrorCode::OutcomeUnknown | ErrorCode::Unavailable), "{code:?}");
        tokio::task::yield_now().await;
    }
}

/// What a reader sees who comes back while the owner is refused as unavailable: between a death and its successor that is the answer.
async fn name_of(platform: &Platform, key: Key) -> (u64, String) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let found = loop {
        match platform.view(key).await {
            Ok(found) => break found,
            Err(refusal) => assert_eq!(refusal.code, ErrorCode::Unavailable),
        }
        assert!(std::time::Instant::now() < deadline, "no successor");
        tokio::task::yield_now().await;
    };
    (found.view.version, json(&found)["name"].as_str().expect("a name").to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_in_its_care_is_refused_at_once_and_it_serves_again() {
    let platform = fragile().start().await;
    let (seller, [cold, busy, other]) = neighbours(&platform).await;
    platform.write(seller, other, rename("torch")).await.expect("renamed");
    let platform = fragile().start_on(platform.crash()).await;
    name_of(&platform, busy).await;
    let epoch = platform.epoch(&*platform.truth.shop, cold).await;

    let (load, commit) = (platform.faults.hold("product"), platform.faults.hold("shop.commit"));
    let spawn = |key, command: Option<Command>| {
        let (client, call) = (platform.client.clone(), platform.call(seller));
        tokio::spawn(async move {
            match command {
                Some(command) => client.write(&call, key, command).await.map(drop),
                None => client.view(&call, key).await.map(drop),
            }
        })
    };
    let readers: Vec<_> = (0..10).map(|_| spawn(cold, None)).collect();
    load.came(1).await;
    let committing = spawn(busy, Some(rename("lantern")));
    commit.came(1).await;
    let queued = spawn(busy, Some(rename("candle")));
    platform.waiting(cold, 12).await;

    panic_owner(&platform, seller, other).await;
    for reader in readers {
        assert_eq!(refused(within("a reader", reader).await.expect("no panic")), ErrorCode::Unavailable);
    }
    for writer in [committing, queued] {
        assert_eq!(refused(within("a writer", writer).await.expect("no panic")), ErrorCode::OutcomeUnknown);
    }
    load.open();
    // What was acknowledged before is there; the write of unknown outcome did not get past the fence.
    assert_eq!(name_of(&platform, other).await, (2, "torch".to_owned()));
    assert_eq!(name_of(&platform, cold).await, (1, "lamp".to_owned()));
    assert!(platform.epoch(&*platform.truth.shop, cold).await > epoch, "the epoch is raised before anything is loaded again");
    commit.open();
    eventually("the late commit's outcome", || async { !platform.faults.outcomes().is_empty() }).await;
    assert!(matches!(platform.faults.outcomes()[..], [Err(CommitError::Fenced(_))]), "{:?}", platform.faults.outcomes());
    assert_eq!(name_of(&platform, busy).await, (1, "lamp".to_owned()));
    assert!(platform.healthy().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_became_durable_is_seen_by_the_next_incarnation() {
    let platform = fragile().start().await;
    let (seller, [busy, other]) = neighbours(&platform).await;
    let gate = platform.faults.hold_answer("shop.commit");
    let (client, call) = (platform.client.clone(), platform.call(seller));
    let writer = tokio::spawn(async move { client.write(&call, busy, rename("lantern")).await });
    gate.came(1).await;
    assert_eq!(name_of(&platform, busy).await, (1, "lamp".to_owned()), "what is not acknowledged need not be seen");
    let number = platform.client.peek(&busy).expect("warm");
    panic_owner(&platform, seller, other).await;
    assert_eq!(refused(within("the writer", writer).await.expect("no panic")), ErrorCode::OutcomeUnknown);
    eventually("the end of the dead owner's snapshots", || async {
        platform.client.peek(&busy).is_none_or(|now| !Arc::ptr_eq(&now, &number))
    })
    .await;
    // From here on the answer of the old commit may come at any time.
    gate.open();
    for _ in 0..100 {
        assert_eq!(name_of(&platform, busy).await, (2, "lantern".to_owned()));
        tokio::task::yield_now().await;
    }
    platform.write(seller, busy, rename("candle")).await.expect("renamed");
    assert_eq!(name_of(&platform, busy).await, (3, "candle".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn snapshots_of_a_dead_owner_are_not_served() {
    let platform = fragile().start().await;
    let (seller, [warm, other]) = neighbours(&platform).await;
    let dead = platform.view(warm).await.expect("the product");
    // The next owner cannot load before its fence is through.
    let gate = Gate::new();
    platform.faults.always("users.fence", Act::HoldCall(gate.clone()));
    panic_owner(&platform, seller, other).await;
    gate.came(1).await;
    assert!(platform.client.peek(&warm).is_none(), "a snapshot of the dead owner is served");
    let (client, call) = (platform.client.clone(), platform.call(seller));
    let reader = tokio::spawn(async move { client.view(&call, warm).await });
    platform.waiting(warm, 1).await;
    gate.open();
    let reborn = within("the reader", reader).await.expect("no panic").expect("the product");
    assert!(!Arc::ptr_eq(&dead, &reborn) && dead.view == reborn.view);
}

/// While an owner's slots are raised, database by database, owners of other kinds on the same slots write on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_neighbours_write_while_it_starts_again() {
    let platform = fragile().start().await;
    // The seller's own keys are on the shard, and people are in another database than products.
    let (seller, [product]) = neighbours(&platform).await;
    let (profile, relations) = (Key::new(Kind::User, seller), Key::new(Kind::Follows, seller));
    let friend = platform.person().await;
    let epoch = platform.epoch(&*platform.truth.users, profile).await;
    let gate = Gate::new();
    platform.faults.always("content.fence", Act::HoldCall(gate.clone()));
    panic_owner(&platform, seller, product).await;
    eventually("the raise in one database", || async { platform.epoch(&*platform.truth.users, profile).await > epoch }).await;

    platform.write(seller, profile, bio("still here")).await.expect("a write between two fences");
    platform.follow(seller, friend).await.expect("another one");
    assert_eq!(json(&platform.view(profile).await.expect("the profile"))["bio"], "still here");
    gate.open();
    platform.faults.heal("content.fence");
    assert_eq!(name_of(&platform, product).await, (1, "lamp".to_owned()));
    for key in [profile, relations, product] {
        platform.view(key).await.expect("served");
        assert!(platform.client.peek(&key).is_some(), "{key}: the slot is still this node's");
    }
}

/// A raise that got half-way is not repeated under its old number: somebody may have written under that one since, and be in doubt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_raise_that_failed_half_way_fences_what_came_after_it() {
    let platform = fragile().start().await;
    let (seller, [product]) = neighbours(&platform).await;
    let profile = Key::new(Kind::User, seller);
    platform.view(profile).await.expect("the profile");
    let epoch = platform.epoch(&*platform.truth.users, profile).await;
    platform.faults.always("content.fence", Act::Fail);
    panic_owner(&platform, seller, product).await;
    eventually("half a raise", || async { platform.epoch(&*platform.truth.users, profile).await > epoch }).await;

    // Refused under the old epoch, it is sent again under the new one, and then nobody knows. The raise is not tried again at once.
    let (through, late) = (Gate::new(), Gate::new());
    platform.faults.once("users.commit", Act::HoldCall(through.clone()));
    platform.faults.once("users.commit", Act::DoubtLate(late.clone()));
    let (client, call) = (platform.client.clone(), platform.call(seller));
    let writer = tokio::spawn(async move { client.write(&call, profile, bio("in doubt")).await });
    through.came(1).await;
    platform.faults.heal("content.fence");
    through.open();
    assert_eq!(refused(within("the writer", writer).await.expect("no panic")), ErrorCode::OutcomeUnknown);
    late.open();
    eventually("the late commit", || async { platform.faults.outcomes().len() == 2 }).await;
    assert!(
        platform.faults.outcomes().iter().all(|outcome| matches!(outcome, Err(CommitError::Fenced(_)))),
        "{:?}",
        platform.faults.outcomes()
    );
    assert_eq!(platform.view(profile).await.expect("the profile").view.version, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_beyond_the_intensity_end_the_tree() {
    let intensity = Intensity { restarts_max: 2, within: Duration::from_secs(60) };
    let platform = Setup { intensity, ..fragile() }.start().await;
    let (seller, [product]) = neighbours(&platform).await;
    let profile = Key::new(Kind::User, seller);
    platform.view(profile).await.expect("the profile");
    for _ in 0..2 {
        panic_owner(&platform, seller, product).await;
        assert_eq!(name_of(&platform, product).await, (1, "lamp".to_owned()));
        eventually("it is healthy again", || async { platform.healthy().await }).await;
    }
    panic_owner(&platform, seller, product).await;
    eventually("the end of the tree", || async { !platform.healthy().await }).await;
    // Nothing is served from memory without an owner, and nobody waits for one.
    eventually("the end of other owners", || async { platform.client.peek(&profile).is_none() }).await;
    for key in [product, profile] {
        assert_eq!(refused(platform.view(key).await), ErrorCode::Unavailable);
    }
    // All of it is in the store.
    let platform = platform.restarted().await;
    assert_eq!(name_of(&platform, product).await, (1, "lamp".to_owned()));
}

/// A task of an owner that panics is a failed load, query or commit: the owner lives on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_panics_fails_only_its_own_request() {
    let platform = fragile().start().await;
    let (seller, [product]) = neighbours(&platform).await;
    platform.faults.once("shop.commit", Act::Panic);
    assert_eq!(refused(platform.write(seller, product, rename("torch")).await), ErrorCode::OutcomeUnknown);
    assert_eq!(name_of(&platform, product).await, (2, "torch".to_owned()), "the commit was made before the panic");
    let platform = platform.restarted().await;
    platform.faults.once("product", Act::Panic);
    assert_eq!(refused(platform.view(product).await), ErrorCode::Unavailable);
    assert_eq!(name_of(&platform, product).await, (2, "torch".to_owned()));
}
