//! Answers that are put together from several owners' snapshots: feeds, lists, hydrated pages.
//!
//! Each is one pure function over what is warm. When all of it is, the answer costs no mailbox and no wait ([`now`]); when something is cold, the
//! function names everything that it misses, the missing is asked for at once, and the function runs again ([`complete`]). What was found or fetched
//! is held for the rest of the request, so eviction in between cannot starve it.

pub mod case;

use crate::{
    client::{Call, Client},
    metrics::Tally,
    snapshot::Snapshot,
    visibility::Onlooker,
};
use futures_util::future::try_join_all;
use protocol::{ErrorCode, Fact, Key, Kind, Page, Position, Query, Refusal, UserId, follow::Relations};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use uuid::Uuid;

mod news;
mod post;
pub mod shop;

pub use news::{News, news, timelines};
pub use post::{Bookmarks, Shared, bookmarks, posts, search, shared_by, timeline};

/// Rows read from the store at a time behind what memory holds.
const DEEP_ROWS: u16 = 64;
/// Rows that one page may look at. A page that is still not full then ends early, with a cursor: someone whose posts the viewer may not see can make
/// a feed's pages short, but not fail.
const EXAMINED_MAX: usize = 512;
/// Cold rows that one round fetches, at most.
const AHEAD_MAX: usize = 128;
/// How often an answer is tried: each round fetches all that the one before it missed. A page of one row takes 10 rounds to look at
/// [`EXAMINED_MAX`] rows, since each round looks twice as far as the one before, one for each of 8 batches from the store, and 2 for what the feed
/// is put together from.
const ROUNDS_MAX: usize = 24;

/// A page of hydrated rows.
#[derive(Default)]
pub struct Rows {
    /// Snapshots whose bodies are the rows.
    pub rows: Vec<Arc<Snapshot>>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Position>,
    /// How many rows the whole list has, where that is known.
    pub total: Option<u64>,
    /// The posts that rows share, as far as the viewer may see them.
    pub shared: Shared,
}

/// Something that the answer needs is not in memory; the view knows what.
pub struct Cold;

/// What a request sees: warm snapshots, and those fetched for it.
pub struct Sight<'a> {
    client: &'a Client,
    /// Rounds of fetching before this one; `None` if nothing will be fetched.
    round: Option<u32>,
    held: HashMap<Key, Option<Arc<Snapshot>>>,
    parts: HashMap<(Key, Query), Arc<Snapshot>>,
    missing: Vec<Key>,
    missing_parts: Vec<(Key, Query)>,
    read: Tally,
}

impl<'a> Sight<'a> {
    fn new(client: &'a Client, round: Option<u32>) -> Self {
        Self {
            client,
            round,
            held: HashMap::new(),
            parts: HashMap::new(),
            missing: Vec::new(),
            missing_parts: Vec::new(),
            read: Tally::default(),
        }
    }

    /// Up to how many cold rows a page of `limit` rows is looked for in this round: for as many as it needs in the first one, and for twice as
    /// many in each one after that, since rows that the viewer may not see come in long runs.
    fn ahead(&self, limit: usize) -> usize {
        limit.saturating_mul(1 << self.round.unwrap_or(0).min(16)).min(AHEAD_MAX.max(limit))
    }

    /// An entity; `Ok(None)` if there is no such thing.
    fn entity(&mut self, key: Key) -> Result<Option<Arc<Snapshot>>, Cold> {
        if let Some(held) = self.held.get(&key) {
            return Ok(held.clone());
        }
        match self.client.find(&key) {
            Some(warm) => {
                self.read.hit(&warm);
                if self.round.is_some() {
                    self.held.insert(key, Some(warm.clone()));
                }
                Ok(Some(warm))
            }
            None => {
                self.read.miss(key.kind);
                self.missing.push(key);
                Err(Cold)
            }
        }
    }

    fn part(&mut self, key: Key, query: Query) -> Result<Arc<Snapshot>, Cold> {
        let part = (key, query);
        if let Some(held) = self.parts.get(&part) {
            return Ok(held.clone());
        }
        let Some(warm) = self.client.find_part(key, &part.1) else {
            self.read.miss(key.kind);
            self.missing_parts.push(part);
            return Err(Cold);
        };
        self.read.hit(&warm);
        if self.round.is_some() {
            self.parts.insert(part, warm.clone());
        }
        Ok(warm)
    }

    fn relations(&mut self, viewer: UserId) -> Result<Arc<Snapshot>, Cold> {
        // Everybody has relations, if only empty ones.
        self.entity(Key::new(Kind::Follows, viewer))?.ok_or(Cold)
    }

    /// Fetches all that was missed, at once.
    async fn fetch(&mut self, call: &Call) -> Result<(), Refusal> {
        let client = self.client;
        self.round = self.round.map(|round| round + 1);
        let missing = std::mem::take(&mut self.missing);
        let entities = async {
            let found = client.views(call, missing.clone()).await;
            let held = missing.into_iter().zip(found).map(|(key, found)| match found {
                Ok(found) => Ok((key, Some(found))),
                Err(refusal) if refusal.code == ErrorCode::NotFound => Ok((key, None)),
                Err(refusal) => Err(refusal),
            });
            held.collect::<Result<Vec<_>, Refusal>>()
        };
        let parts = std::mem::take(&mut self.missing_parts).into_iter().map(|(key, query)| async move {
            let found = client.fetch(call, key, Some(query.clone())).await?;
            Ok(((key, query), found))
        });
        let (entities, parts) = tokio::try_join!(entities, try_join_all(parts))?;
        self.held.extend(entities);
        self.parts.extend(parts);
        Ok(())
    }
}

impl Drop for Sight<'_> {
    /// Whoever fetches has read, also if their deadline or their client ends it.
    fn drop(&mut self) {
        if self.round.is_some() {
            self.client.node().metrics.count(&self.read);
        }
    }
}

/// The answer, if everything it needs is warm. If it is not, nothing was read yet: whoever goes on by [`complete`] looks for all of it again.
pub fn now<T>(client: &Client, mut answer: impl FnMut(&mut Sight<'_>) -> Result<T, Cold>) -> Option<T> {
    let mut sight = Sight::new(client, None);
    let answer = answer(&mut sight).ok()?;
    client.node().metrics.count(&sight.read);
    Some(answer)
}

/// The answer, fetching what is cold.
///
/// # Errors
/// What an owner refused; `unavailable` if something stays out of reach.
pub async fn complete<T>(client: &Client, call: &Call, mut answer: impl FnMut(&mut Sight<'_>) -> Result<T, Cold>) -> Result<T, Refusal> {
    let mut sight = Sight::new(client, Some(0));
    for _ in 0..ROUNDS_MAX {
        if let Ok(answer) = answer(&mut sight) {
            return Ok(answer);
        }
        sight.fetch(call).await?;
    }
    Err(ErrorCode::Unavailable.into())
}

/// Who looks at a page.
#[derive(Clone, Copy)]
pub struct Viewer {
    /// The person, if somebody is signed in.
    pub user: Option<UserId>,
}

/// A viewer with what decides what they see, held for the rest of a request.
pub struct Beholder {
    viewer: Option<UserId>,
    relations: Option<Arc<Snapshot>>,
    inactive: Arc<HashSet<UserId>>,
}

impl Beholder {
    /// What the rules are applied to: see [`Onlooker::sees`], and [`Onlooker::knows_of`] for rows that are only parts of a view.
    #[must_use]
    pub fn onlooker(&self) -> Onlooker<'_> {
        Onlooker { viewer: self.viewer, relations: self.relations.as_deref().and_then(known_relations), inactive: &self.inactive }
    }
}

/// Who looks, as the rules of visibility need to know them: with their relations, if somebody is signed in.
pub fn beholder(sight: &mut Sight<'_>, viewer: Viewer) -> Result<Beholder, Cold> {
    let relations = viewer.user.map(|user| sight.relations(user)).transpose()?;
    Ok(Beholder { viewer: viewer.user, relations, inactive: sight.client.node().inactive.load_full() })
}

/// An entity that everyone may see, if it is warm: for fast paths that know no viewer.
#[must_use]
pub fn open_now(client: &Client, key: &Key) -> Option<Arc<Snapshot>> {
    let inactive = client.node().inactive.load();
    client.peek(key).filter(|found| Onlooker { viewer: None, relations: None, inactive: &inactive }.sees(&found.view))
}

/// One thing that the viewer may see; `Ok(None)` if there is none or they may not know of it.
pub fn one(sight: &mut Sight<'_>, viewer: Viewer, key: Key) -> Result<Option<Arc<Snapshot>>, Cold> {
    // Both at once, where both are cold.
    let (beholder, found) = (beholder(sight, viewer), sight.entity(key));
    let (beholder, found) = (beholder?, found?);
    Ok(found.filter(|found| beholder.onlooker().sees(&found.view)))
}

/// A page of a list whose rows are things of `kind`, without those that the viewer may not see.
pub fn list(sight: &mut Sight<'_>, viewer: Viewer, (key, query): (Key, Query), kind: Kind) -> Result<Rows, Cold> {
    let part = sight.part(key, query)?;
    let Fact::Ids { ids, next, total } = &part.view.fact else { return Ok(Rows::default()) };
    let mut page = Gather::new(ids.len(), ids.len());
    let beholder = beholder(sight, viewer);
    for id in ids {
        let row = sight.entity(Key::new(kind, *id));
        page.take(row, |row| beholder.as_ref().is_ok_and(|beholder| beholder.onlooker().sees(&row.view)));
    }
    let (rows, _) = (page.finish()?, beholder?);
    Ok(Rows { rows, next: *next, total: *total, shared: Shared::new() })
}

/// A page of a home feed: posts of the viewer and of whom they follow, newest first. It merges the inbox with the timelines of authors whose posts
/// are pulled, and goes on in the store where memory ends; visibility, deletion and unfollowing are applied here, on the newest snapshots.
pub fn feed(sight: &mut Sight<'_>, viewer: UserId, page: Page) -> Result<Rows, Cold> {
    let own = Key::new(Kind::Feed, viewer);
    let (beholder, inbox) = (beholder(sight, Viewer { user: Some(viewer) }), sight.entity(own));
    let (beholder, inbox) = (beholder?, inbox?.ok_or(Cold)?);
    let onlooker = beholder.onlooker();
    let Some(related) = onlooker.relations else { return Err(Cold) };
    let timelines = pulled_timelines(sight, related)?;

    let mut merge = Merge::new(std::iter::once(&inbox).chain(&timelines), page.after.map(|p| p.id));
    let limit = usize::from(page.limit);
    let mut rows = Gather::new(limit, sight.ahead(limit));
    let mut examined = 0;
    while !rows.full() && examined < EXAMINED_MAX {
        let id = match merge.next() {
            Next::Id(id) => id,
            Next::End => return hydrated(sight, &onlooker, (rows, None)),
            Next::Deeper(after) => {
                // What is cold so far is fetched in the same round.
                let query = Query::Posts(Page { after: after.map(|id| Position { sort: 0, id }), limit: DEEP_ROWS });
                merge.deepen(&*sight.part(own, query)?);
                continue;
            }
        };
        examined += 1;
        let row = sight.entity(Key::new(Kind::Post, id));
        rows.take(row, |row| in_feed(row, &onlooker, viewer, related));
    }
    let next = merge.rest().map(|id| Position { sort: 0, id });
    hydrated(sight, &onlooker, (rows, next))
}

/// A feed's page with what its rows share.
fn hydrated(sight: &mut Sight<'_>, onlooker: &Onlooker<'_>, (rows, next): (Gather, Option<Position>)) -> Result<Rows, Cold> {
    let rows = rows.finish()?;
    let shared = post::shared(sight, onlooker, rows.iter())?;
    Ok(Rows { rows, shared, next, total: None })
}

/// Those of the followed whose posts are pulled, with their newest posts.
fn pulled_timelines(sight: &mut Sight<'_>, related: &Relations) -> Result<Vec<Arc<Snapshot>>, Cold> {
    let pulled = sight.client.node().pulled.load();
    let followed: Vec<UserId> = match pulled.len() < related.following.len() {
        true => pulled.iter().copied().filter(|author| related.follows(*author)).collect(),
        false => related.following.iter().copied().filter(|author| pulled.contains(author)).collect(),
    };
    let found: Vec<_> = followed.into_iter().map(|author| sight.entity(Key::new(Kind::Timeline, author))).collect();
    found.into_iter().map(|timeline| timeline?.ok_or(Cold)).collect()
}

fn in_feed(row: &Snapshot, onlooker: &Onlooker<'_>, viewer: UserId, related: &Relations) -> bool {
    let Some(author) = row.view.fact.by() else { return false };
    (author == viewer || related.follows(author)) && onlooker.sees(&row.view)
}

fn known_relations(snapshot: &Snapshot) -> Option<&Relations> {
    if let Fact::Follows(relations) = &snapshot.view.fact { Some(relations) } else { None }
}

/// Collects up to `limit` rows. While some are cold, it looks at up to `ahead`, so that a round fetches many at once.
struct Gather {
    rows: Vec<Arc<Snapshot>>,
    cold: usize,
    limit: usize,
    ahead: usize,
}

impl Gather {
    fn new(limit: usize, ahead: usize) -> Self {
        Self { rows: Vec::with_capacity(limit), cold: 0, limit, ahead }
    }

    fn full(&self) -> bool {
        self.rows.len() >= self.limit || self.rows.len() + self.cold >= self.ahead
    }

    fn take(&mut self, row: Result<Option<Arc<Snapshot>>, Cold>, wanted: impl FnOnce(&Snapshot) -> bool) {
        match row {
            Ok(Some(row)) if wanted(&row) => self.rows.push(row),
            Ok(_) => {}
            Err(Cold) => self.cold += 1,
        }
    }

    fn finish(self) -> Result<Vec<Arc<Snapshot>>, Cold> {
        if self.cold > 0 { Err(Cold) } else { Ok(self.rows) }
    }
}

/// Merges descending id lists, each of which may go on in the store below its last id. Above every such end the merge is complete; there it goes
/// on with rows from the store.
struct Merge<'a> {
    heads: Vec<&'a [Uuid]>,
    /// The highest end of a list that goes on: below it the lists in memory say nothing certain.
    horizon: Option<Uuid>,
    /// The last id that was given, or behind which the page begins.
    last: Option<Uuid>,
    /// Rows from the store, last one first.
    deep: Vec<Uuid>,
    /// Whether the store may have more behind `deep`; `None` while memory lasts.
    more: Option<bool>,
    /// Behind which id the store is asked next.
    from: Option<Uuid>,
}

enum Next {
    Id(Uuid),
    /// The store must be asked for what is behind this id.
    Deeper(Option<Uuid>),
    End,
}

impl<'a> Merge<'a> {
    fn new(sources: impl Iterator<Item = &'a Arc<Snapshot>>, after: Option<Uuid>) -> Self {
        let (mut heads, mut horizon) = (Vec::new(), None);
        for source in sources {
            let Fact::Ids { ids, next, .. } = &source.view.fact else { continue };
            let begin = after.map_or(0, |after| ids.partition_point(|id| *id >= after));
            heads.push(&ids[begin..]);
            horizon = horizon.max(next.map(|end| end.id));
        }
        Self { heads, horizon, last: after, deep: Vec::new(), more: None, from: None }
    }

    fn next(&mut self) -> Next {
        if self.more.is_none() {
            let highest = self.heads.iter().filter_map(|head| head.first().copied()).max();
            if let Some(id) = highest.filter(|id| self.horizon.is_none_or(|end| *id >= end)) {
                for head in &mut self.heads {
                    while head.first() == Some(&id) {
                        *head = &head[1..];
                    }
                }
                self.last = Some(id);
                return Next::Id(id);
            }
            let Some(end) = self.horizon else { return Next::End };
            self.from = Some(self.last.map_or(end, |last| last.min(end)));
            self.more = Some(true);
        }
        match (self.deep.pop(), self.more) {
            (Some(id), _) => {
                self.last = Some(id);
                Next::Id(id)
            }
            (None, Some(true)) => Next::Deeper(self.from),
            (None, _) => Next::End,
        }
    }

    fn deepen(&mut self, part: &Snapshot) {
        let Fact::Ids { ids, next, .. } = &part.view.fact else {
            self.more = Some(false);
            return;
        };
        self.deep = ids.iter().rev().copied().collect();
        self.from = next.map(|end| end.id);
        self.more = Some(next.is_some());
    }

    /// Behind which id the rest of the list is, if there may be any.
    fn rest(&self) -> Option<Uuid> {
        let in_memory = self.more.is_none() && (self.horizon.is_some() || self.heads.iter().any(|head| !head.is_empty()));
        let in_store = self.more == Some(true) || !self.deep.is_empty();
        if in_memory || in_store { self.last } else { None }
    }
}
