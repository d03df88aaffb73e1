//! What is kept in the second level, and taken from it: pages that cost the store a search, and what was warm when a node stopped.
//!
//! Owners alone decide what is true. A page from the second level is at the version that its owner holds, or it is not taken. An entity is at the
//! version that the store has, or it is not taken; and its owner asks for it as for any other load, so that whatever happens to the key meanwhile
//! is heeded.

use crate::{
    clock::by_the_clock,
    entity::{Entity, QueryError, freeze},
    node::Node,
    owner::{Op, Waiter, Warmth},
    sabotage::{self, Defect},
    snapshot::shard_of,
    supervisor::Child,
};
use futures_util::{StreamExt, stream};
use parking_lot::Mutex;
use protocol::{Key, Kind, Query, Slot, View};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    num::NonZeroU32,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};
use store::{
    Stores,
    redis::{FROZEN_MAX, Frozen, Redis, strategy},
};
use uuid::Uuid;

/// How often what became warm, or changed, is given to the second level.
const KEEP_EVERY: Duration = Duration::from_secs(15);
/// Owners that warm up at a time, of what is in Redis, and of what is at hand.
const WARMING_MAX: usize = 4;
pub(crate) const WARMING_AT_HAND_MAX: usize = 64;
/// How long a node that starts is at it, at most, and how long one that stops.
const WARM_UP_MAX: Duration = Duration::from_secs(30);
const LAST_KEEP_MAX: Duration = Duration::from_secs(2);
/// Entities looked at before others get their turn on the thread.
const LOOKED_AT_ONCE: usize = 512;

/// Answers a query from the second level, or from the store.
pub(crate) async fn query<E: Entity>(
    node: &Arc<Node>,
    id: Uuid,
    version: u64,
    state: Arc<E::State>,
    query: Query,
) -> Result<View, QueryError> {
    let key = Key::new(E::KIND, id);
    let (Some(redis), Some(strategy)) = (&node.stores.second_level, strategy::of_page(E::KIND, &query)) else {
        return E::query(node, id, state, query).await;
    };
    let wanted = |at| at == version || sabotage::active(Defect::SecondLevelBelieved);
    if let Some(view) = redis.page(strategy, key, &query, wanted).await {
        return Ok(view);
    }
    let view = E::query(node, id, state, query.clone()).await?;
    // A page of anything else than what was asked for is nobody's.
    if view.version == version {
        redis.keep_page(strategy, key, &query, &view);
    }
    Ok(view)
}

/// What the second level has of these entities.
pub(crate) async fn frozen(node: &Arc<Node>, kind: Kind, ids: Vec<Uuid>) -> Vec<(Uuid, Frozen)> {
    let Some(redis) = &node.stores.second_level else { return Vec::new() };
    let found = redis.frozen(kind, &ids).await;
    ids.into_iter().zip(found).filter_map(|(id, found)| Some((id, found?))).collect()
}

/// What these entities were when somebody kept them, of those that are still at the same version.
pub(crate) async fn thaw<E: Entity>(node: &Arc<Node>, frozen: Vec<(Uuid, Frozen)>) -> HashMap<Uuid, E::State> {
    if frozen.is_empty() {
        return HashMap::new();
    }
    // The versions after what they are compared with: what is the same now was no older when it was read.
    let versions = node.versions.of(&node.stores, E::KIND, frozen.iter().map(|(id, _)| *id)).await;
    let current = frozen
        .into_iter()
        .filter(|(id, frozen)| versions.get(id) == Some(&frozen.view.version) || sabotage::active(Defect::SecondLevelBelieved));
    current.filter_map(|(id, frozen)| Some((id, E::thaw(&frozen.view, &frozen.rest)?))).collect()
}

/// Has the owners of what was warm of these slots load it, most of it at the price of a version. Meanwhile the node serves: whoever asks waits
/// for no more than the lot that their key is in.
pub(crate) async fn warm(node: &Arc<Node>, slots: &HashSet<Slot>) {
    let Some(redis) = node.stores.second_level.as_ref().filter(|_| !slots.is_empty()) else { return };
    let deadline = Instant::now() + WARM_UP_MAX;
    if !redis.reached(deadline).await {
        return;
    }
    let slots: Vec<_> = slots.iter().copied().collect();
    let keys = redis.warm(&slots).await.into_iter().map(|key| (key, key.id));
    let warmed = warm_owners(node, keys, Warmth::SecondLevel, (WARMING_MAX, deadline)).await;
    node.metrics.warmed("second_level", warmed);
    tracing::info!(warmed, "warm again from the second level");
}

/// Has the owners of these keys load them, many at a time, from what is known of each; answers how many are warm by that.
pub(crate) async fn warm_owners<T>(
    node: &Arc<Node>,
    known: impl IntoIterator<Item = (Key, T)>,
    warmth: impl Fn(Vec<T>) -> Warmth,
    (at_once, deadline): (usize, Instant),
) -> usize {
    /// What goes to one owner at a time, and a key of it.
    struct Lot<T>(Key, Vec<T>);
    let mut owners: BTreeMap<(Kind, usize), Vec<Lot<T>>> = BTreeMap::new();
    for (key, what) in known {
        let lots = owners.entry((key.kind, shard_of(key.slot()))).or_default();
        match lots.last_mut() {
            Some(Lot(_, lot)) if lot.len() < FROZEN_MAX => lot.push(what),
            _ => lots.push(Lot(key, vec![what])),
        }
    }
    let lots: Vec<_> = owners.into_values().flatten().map(|Lot(key, lot)| (key, warmth(lot))).collect();
    stream::iter(lots)
        .map(|(key, warmth)| async move { warm_some(node, key, warmth, deadline).await.unwrap_or_default() })
        .buffer_unordered(at_once)
        .fold(0, |sum, warmed| async move { sum + warmed })
        .await
}

async fn warm_some(node: &Arc<Node>, key: Key, warmth: Warmth, deadline: Instant) -> Option<usize> {
    let (waiter, answer) = Waiter::of_the_platform(deadline);
    let owner = node.region.owner(&key).await.ok()?;
    owner.port.cast(Op::Warm { warmth, waiter }).ok()?;
    tokio::time::timeout_at(deadline.into(), answer).await.ok()?.ok()?.ok()
}

/// The store's versions of many keys, for many who ask at the same time: while one look is under way, whoever comes is part of the next one.
pub(crate) struct Versions([NextLook; Kind::TABLE]);

#[derive(Default)]
struct NextLook {
    joined: Mutex<Arc<Look>>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Look {
    ids: Mutex<Vec<Uuid>>,
    found: OnceLock<HashMap<Uuid, u64>>,
}

impl Default for Versions {
    fn default() -> Self {
        Self(std::array::from_fn(|_| NextLook::default()))
    }
}

impl Versions {
    /// The versions of these keys, read after this was called; none of those that the store does not tell.
    async fn of(&self, stores: &Stores, kind: Kind, ids: impl Iterator<Item = Uuid>) -> HashMap<Uuid, u64> {
        let next = &self.0[kind.index()];
        let ids: Vec<_> = ids.collect();
        let look = {
            let joined = next.joined.lock();
            joined.ids.lock().extend(&ids);
            joined.clone()
        };
        let _turn = next.turn.lock().await;
        if look.found.get().is_none() {
            // Nobody joins it any more.
            std::mem::take(&mut *next.joined.lock());
            let all = std::mem::take(&mut *look.ids.lock());
            let found = stores.domain(kind).versions(kind, all).await.unwrap_or_default();
            let _ = look.found.set(found.into_iter().collect());
        }
        let found = look.found.get();
        ids.into_iter().filter_map(|id| Some((id, *found?.get(&id)?))).collect()
    }
}

/// Gives what is warm to the second level, but for what it has and will have for a while. `false` if there was no room for all of it.
async fn keep(node: &Node, redis: &Redis) -> bool {
    let now = u32::try_from(node.started.elapsed().as_secs()).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
    for (looked_at, snapshot) in node.snapshots.warm().enumerate() {
        // What is there goes when its time is up: half of that is left.
        let half = strategy::of_entity(snapshot.key.kind).map(|strategy| strategy.seconds() / 2);
        let due = half.is_some_and(|half| snapshot.kept_at().is_none_or(|at| now.get().saturating_sub(at.get()) >= half));
        if due && let Some(rest) = freeze(&snapshot) {
            if !redis.keep(snapshot.key, &Frozen { view: snapshot.view.clone(), rest }) {
                return false;
            }
            snapshot.note_kept(now);
        }
        if looked_at % LOOKED_AT_ONCE == LOOKED_AT_ONCE - 1 {
            tokio::task::yield_now().await;
        }
    }
    true
}

/// The row of the supervision tree that keeps what is warm; `None` where there is no second level.
#[must_use]
pub fn keeper(node: &Arc<Node>) -> Option<Child> {
    let redis = node.stores.second_level.clone()?;
    let node = node.clone();
    Some(by_the_clock("second_level", KEEP_EVERY, move |_| {
        let (node, redis) = (node.clone(), redis.clone());
        async move {
            // What there is no room for is looked at the next time.
            if redis.condition().is_ok() {
                keep(&node, &redis).await;
            }
            KEEP_EVERY
        }
    }))
}

/// Gives what is warm to the second level once more, for the next process. For a node that stops.
pub async fn keep_last(node: &Node) {
    let Some(redis) = &node.stores.second_level else { return };
    let last = async {
        while redis.condition().is_ok() && !keep(node, redis).await {
            redis.flush().await;
        }
        redis.flush().await;
    };
    let _ = tokio::time::timeout(LAST_KEEP_MAX, last).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::{post::Post, product::Product, user::User};
    use protocol::{Audience, Fact};

    /// What this release keeps, and reads back. A change here is a change of what other releases wrote: raise `SCHEMA` in store/src/redis/value.rs with it.
    const USER: (&str, &[u8]) = (
        r#"{"id":"00000000-0000-0000-0000-000000000001","username":"ada","firstName":"Ada","lastName":null,"bio":null,"avatar":null,"role":"user","isActive":true,"profile":{"location":"London","website":null,"company":null,"jobTitle":null,"interests":["engines"],"socialLinks":{}},"skills":[{"id":"00000000-0000-0000-0000-000000000002","name":"algebra","level":"expert","endorsements":3,"createdAt":"2025-01-01T00:00:00.000Z"}],"createdAt":"2025-01-01T00:00:00.000Z","updatedAt":"2025-01-02T00:00:00.000Z","version":7}"#,
        b"\x05a@b.c\x00\x01\x0a1815-12-10",
    );
    const POST: (&str, &[u8]) = (
        r#"{"id":"00000000-0000-0000-0000-000000000001","userId":"00000000-0000-0000-0000-000000000002","parentId":null,"content":"hello","type":"text","mediaIds":["00000000-0000-0000-0000-000000000003"],"visibility":"public","likesCount":3,"commentsCount":2,"sharesCount":1,"reactions":{"like":2,"love":1},"isPublished":true,"createdAt":"2025-01-01T00:00:00.000Z","updatedAt":"2025-01-02T00:00:00.000Z","version":7,"hidden":true}"#,
        b"",
    );
    const PRODUCT: (&str, &[u8]) = (
        r#"{"id":"00000000-0000-0000-0000-000000000001","sellerId":"00000000-0000-0000-0000-000000000002","name":"a lamp","description":null,"price":"12.50","currency":"EUR","images":["https://example.org/a.png"],"category":"light","stock":9,"isPublic":true,"isActive":true,"ratingAverage":4.67,"ratingCount":3,"createdAt":"2025-01-01T00:00:00.000Z","updatedAt":"2025-01-02T00:00:00.000Z","version":7}"#,
        b"\x0e\x03",
    );

    fn shown(body: &str) -> View {
        View { version: 7, audience: Audience::Everyone, body: body.to_owned().into(), fact: Fact::None }
    }

    fn is_read_and_written_as<E: Entity>((body, rest): (&str, &[u8])) {
        let state = E::thaw(&shown(body), rest).unwrap_or_else(|| panic!("{} of before cannot be read", E::KIND.name()));
        assert_eq!(E::version(&state), 7);
        assert_eq!(std::str::from_utf8(&E::view(&state).body), Ok(body));
        assert_eq!(E::freeze(&state).as_deref(), Some(rest), "{}", E::KIND.name());
    }

    #[test]
    fn what_is_kept_has_the_form_that_it_had() {
        is_read_and_written_as::<User>(USER);
        is_read_and_written_as::<Post>(POST);
        is_read_and_written_as::<Product>(PRODUCT);
    }

    #[test]
    fn what_cannot_be_read_is_nothing() {
        for (body, rest) in [("", &b""[..]), ("{}", b"\x00\x00\x00"), (PRODUCT.0, b"\x0e"), (USER.0, b"\xff")] {
            assert!(User::thaw(&shown(body), rest).is_none());
            assert!(Post::thaw(&shown(body), rest).is_none() && Product::thaw(&shown(body), rest).is_none());
        }
    }
}
