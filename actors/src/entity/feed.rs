//! Home feeds: ids only. What a reader sees is put together in [`crate::read`].

use super::{
    Absorbed, Asked, Decision, Entity, QueryError,
    timeline::{IDS_MAX, Newest},
};
use crate::node::Node;
use protocol::{Audience, Command, Fact, Key, Kind, Page, Query, Refusal, UserId, View, envelope::Change, follow::Relations};
use std::{convert::Infallible, sync::Arc};
use store::StoreError;
use uuid::Uuid;

/// The owner of feeds.
pub struct Feed;

impl Entity for Feed {
    const KIND: Kind = Kind::Feed;
    // A page is asked for once and scrolled past; and a page may hold what was posted after it was begun.
    const KEEPS_PARTS: bool = false;
    type State = Newest;
    type Command = Infallible;

    fn command(_: Command) -> Option<Infallible> {
        None
    }

    async fn load(node: &Arc<Node>, id: Uuid) -> Result<Option<Newest>, StoreError> {
        // The version before what it stands for: a follow that comes in between is heard of as a newer version, and the feed is loaded again.
        let version = node.stores.users.key_version(Key::new(Kind::Feed, id)).await?;
        let relations = node.stores.users.relations(UserId(id)).await?;
        // Also those whose posts are pulled: a reader's node may learn that an author is one of them later than this one does.
        let found = node.stores.content.posts_by(authors(UserId(id), &relations), Page::first(node.limits.inbox_ids_max)).await?;
        Ok(Some(Newest { more: found.next.is_some(), ids: found.ids, version }))
    }

    fn version(state: &Newest) -> u64 {
        state.version
    }

    fn bytes(state: &Newest) -> usize {
        state.bytes()
    }

    fn view(state: &Newest) -> View {
        View { version: state.version, audience: Audience::Platform, body: bytes::Bytes::new(), fact: state.fact() }
    }

    /// Older posts than memory holds, of everyone followed: also of those whose posts are pulled.
    async fn query(node: &Arc<Node>, id: Uuid, state: Arc<Newest>, query: Query) -> Result<View, QueryError> {
        let Query::Posts(page) = query else { return Err(QueryError::unknown()) };
        let relations = node.stores.users.relations(UserId(id)).await?;
        let found = node.stores.content.posts_by(authors(UserId(id), &relations), page).await?;
        let fact = Fact::Ids { ids: found.ids, next: found.next, total: None };
        Ok(View { version: state.version, audience: Audience::Platform, body: bytes::Bytes::new(), fact })
    }

    fn decide(_: Option<&Newest>, _: &Asked, command: Infallible) -> Result<Decision<Newest>, Refusal> {
        match command {}
    }

    fn absorb(state: &Newest, change: &Change) -> Absorbed<Newest> {
        match change {
            Change::Push { post } => Absorbed::Next(state.with(*post, IDS_MAX)),
            change => Absorbed::by_version(state.version, change),
        }
    }
}

/// The viewer, whose own posts are in their feed, and those whom they follow.
fn authors(viewer: UserId, relations: &Relations) -> Arc<[UserId]> {
    std::iter::once(viewer).chain(relations.following.iter().copied()).collect()
}
