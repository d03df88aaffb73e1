//! What must follow a commit before its writer is answered: other owners forget what is older, followers' feeds get the post.
//!
//! Delivery is at least once and commutes: an effect says "key k reached version v" or "post p belongs into feeds". Rows leave the outbox only
//! after confirmation; what a crash left there is delivered by [`Sweeper`].

use crate::{
    client::{Call, Client},
    clock::by_the_clock,
    live,
    node::Node,
    owner::{Op, Waiter},
    ownership::Ownership,
    remote::{self, Place},
    snapshot::{SHARDS, shard_of},
    supervisor::Child,
};
use cluster::Boot;
use futures_util::future::{join, join_all};
use protocol::{
    Command, ErrorCode, Key, Kind, Refusal, Slot, Timestamp, UserId,
    audit::Entry,
    envelope::{CHANGED_MAX, Change, Notice},
    file, follow,
    found::FoundBy,
    moderation::Target,
    post, product, review, user,
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};
use store::{Effect, Outboxed, StoreError};
use uuid::Uuid;

/// Rows taken from an outbox at a time.
pub const BATCH_MAX: u32 = 1000;
/// Rows looked through for those of one slot. Confirmed ones leave within a fraction of a second, so more than this is a fault that lasts.
const OWED_MAX: u32 = 10_000;
/// Followers read at a time.
const FOLLOWERS_BATCH: u32 = 1000;
/// How often confirmed rows are removed, and how old a row must be for the sweeper to deliver it.
const SWEEP_EVERY: Duration = Duration::from_millis(200);
const OVERDUE_MS: i64 = 10_000;

/// Rows whose effects were carried out, to be removed in batches: removal is not urgent, since delivery may be repeated.
#[derive(Default)]
pub(crate) struct Confirmed {
    rows: parking_lot::Mutex<HashMap<&'static str, Vec<i64>>>,
}

/// A list, and by what the thing is found that a commit moved in it. Whoever committed knows it; the outbox does not keep it.
pub(crate) type Found = (Key, FoundBy);

/// Delivers effects, and has them removed from the outbox; one that cannot be delivered hinders no other. An effect names the database that it
/// came from by its kind.
///
/// # Errors
/// `outcome_unknown`, whatever the reason, when not everybody confirmed by `deadline`: the commit stands, and the sweeper goes on.
pub(crate) async fn deliver(node: &Arc<Node>, effects: Vec<Outboxed>, found: &[Found], deadline: Instant) -> Result<(), Refusal> {
    let one = |row: Outboxed| async move {
        let database = match &row.effect {
            // A feed is touched by follows, which are the users database's.
            Effect::Changed { key, .. } if key.kind == Kind::Feed => node.stores.users.clone() as Arc<dyn store::Domain>,
            Effect::Changed { key, .. } => node.stores.domain(key.kind),
            Effect::FanOut { .. } => node.stores.domain(Kind::Timeline),
            Effect::Standing(_) | Effect::Verdict(_) => node.stores.users.clone() as Arc<dyn store::Domain>,
            Effect::Audit { origin, .. } => node.stores.domain(*origin),
        };
        if let Err(refusal) = carry_out(node, &row.effect, found, deadline).await {
            tracing::warn!(%refusal, database = database.database(), row = row.id, "an effect was not delivered; the sweeper will try again");
            return false;
        }
        node.confirmed.rows.lock().entry(database.database()).or_default().push(row.id);
        true
    };
    let delivered = join_all(effects.into_iter().map(one)).await;
    if delivered.into_iter().all(|delivered| delivered) { Ok(()) } else { Err(ErrorCode::OutcomeUnknown.into()) }
}

/// Delivers what earlier commits of `kind` in these slots owe.
///
/// # Errors
/// `outcome_unknown` when that cannot be told, or not everybody confirmed by `deadline`.
pub(crate) async fn complete(node: &Arc<Node>, kind: Kind, slots: impl Fn(Slot) -> bool, deadline: Instant) -> Result<(), Refusal> {
    let rows = node.stores.domain(kind).outbox(None, OWED_MAX).await.map_err(|error| {
        tracing::warn!(%error, kind = kind.name(), "what earlier commits owe cannot be read");
        ErrorCode::OutcomeUnknown
    })?;
    let whole = rows.len() < OWED_MAX as usize;
    deliver(node, rows.into_iter().filter(|row| slots(row.slot)).collect(), &[], deadline).await?;
    if whole { Ok(()) } else { Err(ErrorCode::OutcomeUnknown.into()) }
}

/// Delivers what whoever had these slots before owes: what it committed without telling everybody.
///
/// # Errors
/// As [`complete`]; the sweeper goes on.
pub(crate) async fn take_over(node: &Arc<Node>, slots: &HashSet<Slot>, deadline: Instant) -> Result<(), Refusal> {
    // One kind of each database.
    let kinds = [Kind::User, Kind::Post, Kind::Product];
    join_all(kinds.map(|kind| complete(node, kind, |slot| slots.contains(&slot), deadline))).await.into_iter().collect()
}

async fn carry_out(node: &Arc<Node>, effect: &Effect, found: &[Found], deadline: Instant) -> Result<(), Refusal> {
    match effect {
        Effect::Changed { key, version } => {
            let found = found.iter().find(|(list, _)| list == key);
            let change = found.map_or(Change::Version(*version), |(_, found)| Change::Found(*version, found.clone()));
            changed(node, key.kind, vec![key.id], &change, deadline).await
        }
        Effect::FanOut { author, post } => fan_out(node, *author, *post, deadline).await,
        Effect::Standing(person) => {
            remote::tell_everybody(node, *person, Notice::Standing, deadline).await?;
            // Who is not active shows nothing any more, and no file's row says so.
            in_time(node.stores.media.purge_of(*person, Timestamp::now()), deadline).await
        }
        Effect::Audit { entry, .. } => in_time(node.stores.users.note(Entry::clone(entry)), deadline).await,
        Effect::Verdict(case) => tell_verdict(node, *case, deadline).await,
    }
}

/// Tells the owner of the thing that a case is about what the case says now. It ignores what it heard before, and what is older than that.
async fn tell_verdict(node: &Arc<Node>, case: Uuid, deadline: Instant) -> Result<(), Refusal> {
    let found = in_time(node.stores.users.case(case), deadline).await?;
    let Some(case) = found else { return Ok(()) };
    let verdict = case.verdict();
    let command = match case.target {
        Target::Post(_) => Command::Post(post::Command::Moderate(verdict)),
        Target::Comment(comment, _) => Command::Post(post::Command::ModerateComment(comment, verdict)),
        Target::Product(_) => Command::Product(product::Command::Moderate(verdict)),
        Target::User(_) => Command::User(user::Command::Moderate(verdict)),
        Target::Review(_) => Command::Review(review::Command::Moderate(verdict)),
        Target::File(_) => Command::File(file::Command::Moderate(verdict)),
    };
    let call = Call::of_the_platform(deadline);
    match Client::new(node.clone()).write(&call, case.target.key(), command).await {
        // It was deleted meanwhile: nobody sees it.
        Err(refusal) if refusal.code == ErrorCode::NotFound => Ok(()),
        told => told.map(drop),
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, StoreError>>, deadline: Instant) -> Result<T, Refusal> {
    let done = tokio::time::timeout_at(deadline.into(), work).await.map_err(|_| ErrorCode::OutcomeUnknown)?;
    done.map_err(|error| crate::owner::refusal_of(&error))
}

/// Puts a post into its author's feed and, below the follower threshold, into its followers' feeds. Followers are read after the commit: who
/// follows later rebuilds their feed from the store, and finds the post there.
pub(crate) async fn fan_out(node: &Arc<Node>, author: UserId, post: Uuid, deadline: Instant) -> Result<(), Refusal> {
    let push = Change::Push { post };
    changed(node, Kind::Feed, vec![author.0], &push, deadline).await?;
    if node.pulled.load().contains(&author) {
        return pulled_by_all(node, author, deadline).await;
    }
    let (mut after, mut seen) = (None, 0);
    loop {
        let batch = node.stores.users.followers(author, after, FOLLOWERS_BATCH).await.map_err(|e| crate::owner::refusal_of(&e))?;
        let (full, last) = (batch.len() == FOLLOWERS_BATCH as usize, batch.last().copied());
        seen += batch.len();
        changed(node, Kind::Feed, batch.into_iter().map(Uuid::from).collect(), &push, deadline).await?;
        if seen > node.limits.pull_followers_min {
            return pull(node, author, deadline).await;
        }
        if !full {
            return Ok(());
        }
        after = last;
    }
}

/// From now on readers pull this author's posts. It stays so: an author who hovers around the threshold does not flap. This post still went to
/// the followers read so far; the rest find it in the author's timeline, since every node knows before this one is acknowledged.
async fn pull(node: &Arc<Node>, author: UserId, deadline: Instant) -> Result<(), Refusal> {
    let client = Client::new(node.clone());
    let call = Call::of_the_platform(deadline);
    client.write(&call, Key::new(Kind::Follows, author), Command::Follows(follow::Command::MarkPulled)).await?;
    pulled_by_all(node, author, deadline).await
}

/// Nothing is pushed any more only when readers on every node pull.
async fn pulled_by_all(node: &Arc<Node>, author: UserId, deadline: Instant) -> Result<(), Refusal> {
    if !node.pulled_by_all.lock().contains(&author) {
        remote::tell_everybody(node, author, Notice::Pulled, deadline).await?;
        node.pulled_by_all.lock().insert(author);
    }
    Ok(())
}

/// Tells the owners of `ids` of a change, and waits until each confirmed. Where an owner died, that is when the next one does: it may have loaded
/// before the change.
pub(crate) async fn changed(node: &Arc<Node>, kind: Kind, ids: Vec<Uuid>, change: &Change, deadline: Instant) -> Result<(), Refusal> {
    let mut left = ids;
    loop {
        let mut moves = node.ownership.moves();
        left = tell(node, kind, left, change, deadline).await;
        if left.is_empty() {
            return Ok(());
        }
        if !Ownership::next_attempt(&mut moves, deadline).await {
            return Err(ErrorCode::OutcomeUnknown.into());
        }
    }
}

/// Tells the owners as they are known now; answers of whom nobody confirmed it.
async fn tell(node: &Arc<Node>, kind: Kind, ids: Vec<Uuid>, change: &Change, deadline: Instant) -> Vec<Uuid> {
    let Some(remote) = node.remote() else { return tell_here(node, kind, ids, change, deadline).await };
    let (mut here, mut there, mut left) = (Vec::new(), BTreeMap::<Boot, Vec<Uuid>>::new(), Vec::new());
    for id in ids {
        let slot = Slot::of(id);
        match if node.ownership.serves(slot) { Place::Here } else { remote.place(slot) } {
            Place::Here => here.push(id),
            Place::There(boot) => there.entry(boot).or_default().push(id),
            Place::Nowhere => left.push(id),
        }
    }
    let lots = there.iter().flat_map(|(boot, ids)| ids.chunks(CHANGED_MAX).map(|lot| (*boot, lot)));
    let others = join_all(lots.map(|(boot, lot)| remote.changed(boot, kind, lot, change, deadline)));
    let (unconfirmed, others) = join(tell_here(node, kind, here, change, deadline), others).await;
    left.extend(unconfirmed);
    left.extend(others.into_iter().flatten());
    left
}

/// Tells owners of this node, and waits until each confirmed; answers those that are not this node's. An owner that was never started holds nothing; one that
/// died took its snapshots with it, and its successor loads after this.
pub(crate) async fn tell_here(node: &Arc<Node>, kind: Kind, ids: Vec<Uuid>, change: &Change, deadline: Instant) -> Vec<Uuid> {
    let mut by_shard: Vec<Vec<Uuid>> = vec![Vec::new(); SHARDS];
    for id in &ids {
        by_shard[shard_of(Slot::of(*id))].push(*id);
    }
    let told = by_shard
        .into_iter()
        .enumerate()
        .filter(|(_, ids)| !ids.is_empty())
        .map(|(shard, ids)| tell_owner(node, kind, shard, ids, change, deadline));
    let unconfirmed: HashSet<Uuid> = join_all(told).await.into_iter().flatten().collect();
    // Behind the owners: whoever looks now finds what they made of it.
    live::moved(node, ids.iter().map(|id| Key::new(kind, *id)));
    // Looked at after they confirmed: whoever owns a slot then, or later, and is not this node, loads after this.
    ids.into_iter().filter(|id| unconfirmed.contains(id) || !node.ownership.serves(Slot::of(*id))).collect()
}

async fn tell_owner(node: &Arc<Node>, kind: Kind, shard: usize, ids: Vec<Uuid>, change: &Change, deadline: Instant) -> Vec<Uuid> {
    while let Some(owner) = node.region.living(kind, shard) {
        let (waiter, confirmed) = Waiter::of_the_platform(deadline);
        let op = Op::Changed { ids: ids.clone(), change: change.clone(), waiter };
        if owner.port.send_message(op).is_ok() && matches!(tokio::time::timeout_at(deadline.into(), confirmed).await, Ok(Ok(Ok(())))) {
            return Vec::new();
        }
        if Instant::now() >= deadline {
            return ids;
        }
        // It died, or is about to be replaced: whoever lives next is asked.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Vec::new()
}

/// Removes confirmed rows at each turn; looks for what is overdue, of this node's slots, each 50th (10 s), and for old records each 5000th (17 min). Rows that cannot be
/// removed now are found overdue, and confirmed again.
async fn sweep(node: &Arc<Node>, domain: &dyn store::Domain, confirmed: Vec<i64>, turn: u64) -> Result<(), StoreError> {
    if !confirmed.is_empty() {
        domain.confirm(confirmed).await?;
    }
    if turn.is_multiple_of(50) {
        let overdue = Timestamp::now().plus_ms(-OVERDUE_MS);
        let rows = domain.outbox(None, BATCH_MAX).await?;
        node.metrics.outbox(domain.database(), rows.len(), rows.first().map(|row| row.at));
        let due: Vec<_> = rows.into_iter().filter(|row| row.at < overdue && node.ownership.serves(row.slot)).collect();
        // What is not delivered was logged, and is tried again.
        let _ = deliver(node, due, &[], Instant::now() + node.limits.request_deadline).await;
    }
    if turn.is_multiple_of(5000) {
        domain.forget_records(Timestamp::now().plus_ms(-protocol::Idempotency::KEPT_MS)).await?;
    }
    Ok(())
}

/// The row of the supervision tree that delivers what a crash left in the outboxes, removes what was confirmed, and forgets old idempotency records.
#[must_use]
pub fn sweeper(node: &Arc<Node>) -> Child {
    let node = node.clone();
    by_the_clock("outbox", SWEEP_EVERY, move |turns| {
        let node = node.clone();
        async move {
            let mut confirmed = std::mem::take(&mut *node.confirmed.rows.lock());
            for domain in node.stores.domains() {
                let confirmed = confirmed.remove(domain.database()).unwrap_or_default();
                if let Err(error) = sweep(&node, &*domain, confirmed, turns).await {
                    tracing::warn!(%error, "an outbox was not swept; trying again");
                }
            }
            SWEEP_EVERY
        }
    })
}
