//! Moderation's cases with what they are about, as it is now.

use super::{Cold, Sight, Viewer, beholder, one};
use crate::snapshot::Snapshot;
use protocol::{Fact, Key, Kind, Position, PostId, Query, moderation::Target};
use std::sync::Arc;

/// A case, and what it is about; `None` if that was deleted.
pub type CaseRow = (Arc<Snapshot>, Option<Arc<Snapshot>>);

/// A page of cases.
#[derive(Default)]
pub struct Cases {
    /// The rows.
    pub rows: Vec<CaseRow>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Position>,
}

/// A case with what it is about, whoever may see that: for moderators, and for whom it is about. `Ok(None)` if there is no such case.
pub fn case(sight: &mut Sight<'_>, key: Key) -> Result<Option<CaseRow>, Cold> {
    let Some(case) = sight.entity(key)? else { return Ok(None) };
    let Fact::Case { target, .. } = case.view.fact else { return Ok(None) };
    let target = thing(sight, target)?.filter(|target| !target.view.body.is_empty());
    Ok(Some((case, target)))
}

fn thing(sight: &mut Sight<'_>, target: Target) -> Result<Option<Arc<Snapshot>>, Cold> {
    let whole = sight.entity(target.key())?;
    match (whole, target.part()) {
        (Some(_), Some(part)) => sight.part(target.key(), part).map(Some),
        (whole, _) => Ok(whole),
    }
}

/// A page of a list of cases.
pub fn cases(sight: &mut Sight<'_>, (key, query): (Key, Query)) -> Result<Cases, Cold> {
    let part = sight.part(key, query)?;
    let Fact::Ids { ids, next, .. } = &part.view.fact else { return Ok(Cases::default()) };
    // Everything that is cold is found before the first of it is waited for.
    let rows: Vec<_> = ids.iter().map(|id| case(sight, Key::new(Kind::Case, *id))).collect();
    let rows: Result<Vec<_>, Cold> = rows.into_iter().collect();
    Ok(Cases { rows: rows?.into_iter().flatten().collect(), next: *next })
}

/// A comment of a post, if the viewer may see both.
pub fn comment(sight: &mut Sight<'_>, viewer: Viewer, post: PostId, query: Query) -> Result<Option<Arc<Snapshot>>, Cold> {
    let Some(post) = one(sight, viewer, Key::new(Kind::Post, post))? else { return Ok(None) };
    let comment = sight.part(post.key, query)?;
    let beholder = beholder(sight, viewer)?;
    Ok(Some(comment).filter(|comment| beholder.onlooker().sees(&comment.view)))
}
