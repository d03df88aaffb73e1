//! Heeds what somebody other than the platform writes, by psql or a script: triggers note it (`foreign_write` in the migrations), and this looks for
//! notes.
//!
//! First the owners of rows forget what is older, and everybody hears whether people are active. Then one commit for each database does what an
//! owner's commit would have done beside its row: what things are found by follows them, and lists that they may have entered, left or moved in get
//! another generation. A note is removed after that, so what a crash interrupts is done again.

use crate::{clock::by_the_clock, entity::family, node::Node, outbox, owner::refusal_of, remote, supervisor::Child};
use futures_util::{TryStreamExt, future::try_join_all, stream};
use protocol::{
    Epoch, ErrorCode, Key, Kind, PostId, ProductId, Refusal, Timestamp, UserId,
    envelope::{Change, Notice},
    post::Post,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};
use store::{Commit, ContentWrite, Domain, Expect, ForeignWrite, Guard, MediaWrite, ShopWrite, Touch, UsersWrite};
use uuid::Uuid;

/// How often notes are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Notes of which owners hear at a look …
const HEARD_MAX: u32 = 20_000;
/// … and of these, the oldest, whose consequences are carried out then.
const CARRIED_OUT_MAX: usize = 400;

/// People of whom every node is told at the same time.
const PEOPLE_AT_ONCE_MAX: usize = 16;

/// The key under which consequences are committed. Nobody holds anything under it; the node that owns its slot is the one that looks for notes.
const HEEDER: Key = Key { kind: Kind::CaseList, id: family::FOREIGN };

/// Whether the key has a row with a version. The others are at a version in `key_version`, which only a commit of ours raises.
const fn has_row(kind: Kind) -> bool {
    matches!(kind, Kind::User | Kind::Post | Kind::Product | Kind::Order | Kind::Checkout | Kind::Review | Kind::Case | Kind::File)
}

/// The families of lists in which such a thing can be.
const fn families(kind: Kind) -> &'static [(Kind, Uuid)] {
    match kind {
        Kind::User => &[(Kind::PeopleList, family::PEOPLE)],
        Kind::Post => &[(Kind::PostList, family::POSTS), (Kind::PostList, family::SEARCH), (Kind::PostList, family::TRENDING)],
        Kind::Product => &[
            (Kind::ProductList, family::PRODUCTS),
            (Kind::ProductList, family::PRODUCTS_BY_PRICE),
            (Kind::ProductList, family::PRODUCTS_BY_RATING),
        ],
        Kind::Case => &[(Kind::CaseList, family::CASES)],
        Kind::File => &[(Kind::FileList, family::FILES)],
        _ => &[],
    }
}

/// Has the rows' owners forget what is older. Safe to repeat.
async fn tell(node: &Arc<Node>, notes: &[ForeignWrite], deadline: Instant) -> Result<(), Refusal> {
    // What was noted of one key several times is told once: the newest version; or that it was gone, also if it came back, at whatever version.
    let mut newest = BTreeMap::<Key, Option<u64>>::new();
    for note in notes.iter().filter(|note| has_row(note.key.kind)) {
        let known = newest.entry(note.key).or_insert(note.version);
        *known = known.and(note.version);
    }
    let mut told = BTreeMap::<(Kind, Option<u64>), Vec<Uuid>>::new();
    for (key, version) in newest {
        told.entry((key.kind, version)).or_default().push(key.id);
    }
    let tell = |((kind, version), ids): ((Kind, Option<u64>), Vec<Uuid>)| async move {
        let change = version.map_or(Change::Gone, Change::Version);
        outbox::changed(node, kind, ids, &change, deadline).await
    };
    try_join_all(told.into_iter().map(tell)).await?;
    Ok(())
}

/// Carries out what follows from foreign writes of one database.
async fn carry_out(node: &Arc<Node>, domain: &dyn Domain, notes: &[ForeignWrite], deadline: Instant) -> Result<(), Refusal> {
    let keys: BTreeSet<Key> = notes.iter().map(|note| note.key).collect();
    let ids = |kind| keys.iter().filter(move |key| key.kind == kind).map(|key| key.id);
    let people = stream::iter(ids(Kind::User).map(Ok));
    let tell = |person| remote::tell_everybody(node, UserId(person), Notice::Standing, deadline);
    people.try_for_each_concurrent(PEOPLE_AT_ONCE_MAX, tell).await?;
    let mut touched: BTreeSet<Key> = keys.iter().copied().filter(|key| !has_row(key.kind)).collect();
    touched.extend(keys.iter().flat_map(|key| families(key.kind)).map(|&(kind, id)| Key::new(kind, id)));
    if touched.is_empty() {
        return Ok(());
    }
    let Some(pass) = node.ownership.enter(HEEDER.slot()) else { return Err(ErrorCode::Unavailable.into()) };
    let frame = Frame { epoch: pass.epoch, touches: touched.into_iter().map(Touch::Key).collect() };
    let mut new_posts = Vec::new();
    let (stores, unreadable) = (&node.stores, |error| refusal_of(&error));
    let committed = if domain.database() == stores.users.database() {
        let people = try_join_all(ids(Kind::User).map(|id| stores.users.user(UserId(id)))).await.map_err(unreadable)?;
        stores.users.commit(frame.around(UsersWrite::Reindex(people.into_iter().flatten().collect()))).await
    } else if domain.database() == stores.content.database() {
        let posts = try_join_all(ids(Kind::Post).map(|id| stores.content.post(PostId(id)))).await.map_err(unreadable)?;
        let posts: Vec<_> = posts.into_iter().flatten().collect();
        let is_new = |post: &&Post| notes.iter().any(|note| note.key.id == post.id.0 && note.version == Some(1));
        new_posts = posts.iter().filter(is_new).map(|post| (post.user_id, post.id.0)).collect();
        stores.content.commit(frame.around(ContentWrite::Reindex(posts))).await
    } else if domain.database() == stores.media.database() {
        stores.media.commit(frame.around(MediaWrite::Follow)).await
    } else {
        let products = try_join_all(ids(Kind::Product).map(|id| stores.shop.product(ProductId(id)))).await.map_err(unreadable)?;
        let gone = ids(Kind::Product).zip(&products).filter(|(_, product)| product.is_none()).map(|(id, _)| ProductId(id)).collect();
        stores.shop.commit(frame.around(ShopWrite::Reindex(products.into_iter().flatten().collect(), gone))).await
    };
    let committed = committed.map_err(|error| Refusal::new(ErrorCode::Unavailable, error.to_string()))?;
    outbox::deliver(node, committed.effects, &[], deadline).await?;
    // A new post belongs into feeds. One that is in them already is not put in again.
    for (author, post) in new_posts {
        outbox::fan_out(node, author, post, deadline).await?;
    }
    Ok(())
}

/// A commit but for its write.
struct Frame {
    epoch: Epoch,
    touches: Vec<Touch>,
}

impl Frame {
    fn around<W>(self, write: W) -> Commit<W> {
        let Self { epoch, touches } = self;
        let guard = Guard { slot: HEEDER.slot(), epoch };
        Commit { guard, key: HEEDER, expect: Expect::Any, record: None, touches, write, now: Timestamp::now() }
    }
}

/// Heeds what one database has noted. Answers whether there is more.
async fn heed(node: &Arc<Node>, domain: &dyn Domain) -> Result<bool, Refusal> {
    let notes = domain.foreign_writes(HEARD_MAX).await.map_err(|error| refusal_of(&error))?;
    if notes.is_empty() {
        return Ok(false);
    }
    let deadline = Instant::now() + node.limits.request_deadline;
    tell(node, &notes, deadline).await?;
    let oldest = &notes[..notes.len().min(CARRIED_OUT_MAX)];
    carry_out(node, domain, oldest, deadline).await?;
    domain.heeded(oldest.iter().map(|note| note.id).collect()).await.map_err(|error| refusal_of(&error))?;
    node.metrics.foreign_writes(domain.database(), oldest.len());
    Ok(notes.len() > oldest.len())
}

/// The watch's row of the supervision tree.
#[must_use]
pub fn watch(node: &Arc<Node>) -> Child {
    let node = node.clone();
    by_the_clock("foreign_writes", LOOK_EVERY, move |_| {
        let node = node.clone();
        async move {
            let mut more = false;
            if !node.ownership.serves(HEEDER.slot()) {
                node.metrics.heeds_nothing();
                return LOOK_EVERY;
            }
            for domain in node.stores.domains() {
                node.metrics.heeds(domain.database());
                match heed(&node, &*domain).await {
                    Ok(true) => more = true,
                    Ok(false) => node.metrics.caught_up(domain.database()),
                    Err(refusal) => tracing::warn!(%refusal, database = domain.database(), "foreign writes were not heeded; trying again"),
                }
            }
            if more { Duration::ZERO } else { LOOK_EVERY }
        }
    })
}
