//! What is new in a home feed: for whoever is told of it instead of asking.

use super::{Cold, Sight, Viewer, beholder, in_feed, known_relations, pulled_timelines};
use crate::snapshot::Snapshot;
use protocol::{Fact, Key, Kind, UserId};
use std::{collections::HashSet, sync::Arc};
use uuid::Uuid;

/// Posts that came into a feed.
#[derive(Default)]
pub struct News {
    /// Those that the viewer may see, oldest first.
    pub posts: Vec<Arc<Snapshot>>,
    /// The ids of all that are new, whoever may see them; none, if memory does not go back far enough to know.
    pub ids: Vec<Uuid>,
    /// Whether `posts` are all: else there are more than were asked for, or than memory goes back to, and none is shown.
    pub is_whole: bool,
}

/// The posts of a viewer's feed with ids above `since` that are not `known`, if there are at most `count_max`. Ids begin with the time at which they were
/// made; a post may come into a feed after one that was made later.
pub fn news(sight: &mut Sight<'_>, viewer: UserId, (since, known): (Uuid, &HashSet<Uuid>), count_max: usize) -> Result<News, Cold> {
    let (beholder, inbox) = (beholder(sight, Viewer { user: Some(viewer) }), sight.entity(Key::new(Kind::Feed, viewer)));
    let (beholder, inbox) = (beholder?, inbox?.ok_or(Cold)?);
    let onlooker = beholder.onlooker();
    let Some(related) = onlooker.relations else { return Err(Cold) };
    let timelines = pulled_timelines(sight, related)?;
    let Some(ids) = newer(std::iter::once(&inbox).chain(&timelines), since, known) else { return Ok(News::default()) };
    if ids.len() > count_max {
        return Ok(News { ids, ..News::default() });
    }
    let rows: Vec<_> = ids.iter().map(|id| sight.entity(Key::new(Kind::Post, *id))).collect();
    let mut posts = Vec::with_capacity(rows.len());
    for row in rows {
        posts.extend(row?.filter(|row| in_feed(row, &onlooker, viewer, related)));
    }
    Ok(News { posts, ids, is_whole: true })
}

/// The ids above `since` that are not known, in ascending order; `None` if a list ends in memory before it is through with them.
fn newer<'s>(lists: impl Iterator<Item = &'s Arc<Snapshot>>, since: Uuid, known: &HashSet<Uuid>) -> Option<Vec<Uuid>> {
    let mut newer = Vec::new();
    for list in lists {
        let Fact::Ids { ids, next, .. } = &list.view.fact else { continue };
        let count = ids.partition_point(|id| *id > since);
        if count == ids.len() && next.is_some() {
            return None;
        }
        newer.extend(ids[..count].iter().copied().filter(|id| !known.contains(id)));
    }
    newer.sort_unstable();
    newer.dedup();
    Some(newer)
}

/// The timelines that a viewer's feed is merged with when it is read: nothing of these is pushed into it.
pub fn timelines(sight: &mut Sight<'_>, viewer: UserId) -> Result<Vec<Key>, Cold> {
    let relations = sight.relations(viewer)?;
    let Some(related) = known_relations(&relations) else { return Err(Cold) };
    let pulled = sight.client.node().pulled.load();
    let is_pulled = |author: &&UserId| pulled.contains(author);
    Ok(related.following.iter().filter(is_pulled).map(|author| Key::new(Kind::Timeline, *author)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Audience, Position, View};

    fn list(ids: &[u128], goes_on: bool) -> Arc<Snapshot> {
        let ids: Vec<Uuid> = ids.iter().copied().map(Uuid::from_u128).collect();
        let next = ids.last().filter(|_| goes_on).map(|id| Position { sort: 0, id: *id });
        let fact = Fact::Ids { ids, next, total: None };
        let view = View { version: 1, audience: Audience::Platform, body: bytes::Bytes::new(), fact };
        Snapshot::received(Key::new(Kind::Feed, Uuid::from_u128(1)), view)
    }

    #[test]
    fn what_is_newer_and_not_known_is_news_once_and_in_order() {
        let found = |lists: &[Arc<Snapshot>], since, known: &[u128]| {
            let known = known.iter().copied().map(Uuid::from_u128).collect();
            newer(lists.iter(), Uuid::from_u128(since), &known).map(|ids| ids.iter().map(Uuid::as_u128).collect::<Vec<_>>())
        };
        let (inbox, timeline) = (list(&[9, 7, 5, 3], true), list(&[8, 7], false));
        assert_eq!(found(&[inbox.clone(), timeline.clone()], 4, &[]), Some(vec![5, 7, 8, 9]));
        assert_eq!(found(&[inbox.clone(), timeline.clone()], 4, &[9, 5]), Some(vec![7, 8]));
        assert_eq!(found(&[inbox.clone(), timeline.clone()], 9, &[]), Some(vec![]));
        assert_eq!(found(&[inbox], 2, &[]), None, "there may be more in the store");
        assert_eq!(found(&[timeline], 2, &[]), Some(vec![7, 8]), "there is no more");
    }
}
