//! Lists of posts, and the posts that shares show.

use super::{Cold, DEEP_ROWS, EXAMINED_MAX, Gather, Rows, Sight, Viewer, beholder};
use crate::{entity::family, snapshot::Snapshot, visibility::Onlooker};
use protocol::{Fact, Key, Kind, Page, Position, Query, UserId, bookmark::Bookmark, post::Scope};
use std::{collections::HashMap, sync::Arc};
use uuid::Uuid;

/// The posts that rows share, by id, as far as the onlooker may see them.
pub type Shared = HashMap<Uuid, Arc<Snapshot>>;

/// A page of a list of posts that sorts by id alone, of which `query` asks the owner of `key` for a page of ids. It is full for as long as there
/// are posts that the viewer may see, and a cursor names one of these: it says nothing of the others.
pub fn posts(sight: &mut Sight<'_>, viewer: Viewer, key: Key, query: &dyn Fn(Page) -> Query, page: Page) -> Result<Rows, Cold> {
    let beholder = beholder(sight, viewer)?;
    let onlooker = beholder.onlooker();
    let limit = usize::from(page.limit);
    let mut rows = Gather::new(limit, sight.ahead(limit));
    let (mut asked, mut examined) = (page, 0);
    let next = 'pages: loop {
        let part = sight.part(key, query(asked))?;
        let Fact::Ids { ids, next, .. } = &part.view.fact else { return Ok(Rows::default()) };
        for (at, id) in ids.iter().enumerate() {
            let row = sight.entity(Key::new(Kind::Post, *id));
            rows.take(row, |row| onlooker.sees(&row.view));
            examined += 1;
            if rows.full() || examined >= EXAMINED_MAX {
                let more = at + 1 < ids.len() || next.is_some();
                break 'pages more.then_some(Position { sort: 0, id: *id });
            }
        }
        match next {
            // What follows a page that was not filled may be hidden in long runs.
            Some(_) => asked = Page { after: *next, limit: page.limit.max(DEEP_ROWS) },
            None => break None,
        }
    };
    let rows = rows.finish()?;
    let shared = shared(sight, &onlooker, rows.iter())?;
    Ok(Rows { rows, shared, next, total: None })
}

/// A page of an author's posts. Which of them there are depends on who looks; and what became of each since is judged again.
pub fn timeline(sight: &mut Sight<'_>, viewer: Viewer, author: UserId, page: Page) -> Result<Rows, Cold> {
    let scope = match viewer.user {
        Some(user) if user == author => Scope::Author,
        Some(_) if beholder(sight, viewer)?.onlooker().relations.is_some_and(|relations| relations.is_friend(author)) => Scope::Friends,
        _ => Scope::Everyone,
    };
    posts(sight, viewer, Key::new(Kind::Timeline, author), &|page| Query::PostsFor(scope, page), page)
}

/// A page of what search finds. What there is to find depends on whose friend the viewer is.
pub fn search(sight: &mut Sight<'_>, viewer: Viewer, words: &str, page: Page) -> Result<Rows, Cold> {
    let of = match viewer.user {
        Some(user) => Some((user, sight.relations(user)?.view.version)),
        None => None,
    };
    let query = |page| Query::PostSearch { words: words.to_owned(), of, page };
    posts(sight, viewer, Key::new(Kind::PostList, family::SEARCH), &query, page)
}

/// What a post shares, if it is a share of what the viewer may see.
pub fn shared_by(sight: &mut Sight<'_>, viewer: Viewer, post: &Arc<Snapshot>) -> Result<Shared, Cold> {
    let beholder = beholder(sight, viewer)?;
    shared(sight, &beholder.onlooker(), std::iter::once(post))
}

pub(super) fn shared<'s>(
    sight: &mut Sight<'_>,
    onlooker: &Onlooker<'_>,
    rows: impl Iterator<Item = &'s Arc<Snapshot>>,
) -> Result<Shared, Cold> {
    let (mut found, mut cold) = (Shared::new(), false);
    for row in rows {
        let Fact::Share { parent, .. } = row.view.fact else { continue };
        match sight.entity(Key::new(Kind::Post, parent)) {
            Ok(Some(post)) if onlooker.sees(&post.view) => drop(found.insert(parent.0, post)),
            Ok(_) => {}
            Err(Cold) => cold = true,
        }
    }
    if cold { Err(Cold) } else { Ok(found) }
}

/// A page of a person's bookmarks.
pub struct Bookmarks {
    /// Bookmarks whose posts the person may see, with these.
    pub rows: Vec<(Bookmark, Arc<Snapshot>)>,
    /// What the posts share.
    pub shared: Shared,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Position>,
}

/// A page of a person's bookmarks, without those whose posts the person may not see any more: such a page is shorter.
pub fn bookmarks(sight: &mut Sight<'_>, person: UserId, page: Page) -> Result<Bookmarks, Cold> {
    let (beholder, part) =
        (beholder(sight, Viewer { user: Some(person) }), sight.part(Key::new(Kind::Bookmarks, person), Query::Bookmarks(page)));
    let (beholder, part) = (beholder?, part?);
    let Fact::Bookmarks { rows: kept, next } = &part.view.fact else { return Err(Cold) };
    let onlooker = beholder.onlooker();
    let posts: Vec<_> = kept.iter().map(|kept| (*kept, sight.entity(Key::new(Kind::Post, kept.post_id)))).collect();
    let mut rows = Vec::with_capacity(posts.len());
    for (kept, post) in posts {
        if let Some(post) = post?.filter(|post| onlooker.sees(&post.view)) {
            rows.push((kept, post));
        }
    }
    let shared = shared(sight, &onlooker, rows.iter().map(|(_, post)| post))?;
    Ok(Bookmarks { rows, shared, next: *next })
}
