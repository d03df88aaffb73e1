//! A person's own posts. The timeline creates posts: posts of one author are serial, and the author's own feed has each before it is acknowledged.

use super::{Asked, Decision, Entity, Plan, QueryError, json};
use crate::node::Node;
use protocol::{
    Audience, Command, ErrorCode, Fact, Key, Kind, Outcome, Page, Position, PostId, Query, Refusal, Reply, UserId, View,
    post::{NewPost, Post},
};
use std::sync::Arc;
use store::{ContentWrite, Expect, StoreError, Touch, Write};
use uuid::Uuid;

/// The owner of timelines.
pub struct Timeline;

/// The newest posts of an author.
pub struct Newest {
    /// Ids, newest first.
    pub ids: Vec<Uuid>,
    /// Whether there are older ones in the store.
    pub more: bool,
    /// The timeline's version.
    pub version: u64,
}

impl Newest {
    /// The fact that readers see: where `next` is set, older ids are in the store.
    pub(crate) fn fact(&self) -> Fact {
        let next = if self.more { self.ids.last().map(|id| Position { sort: 0, id: *id }) } else { None };
        Fact::Ids { ids: self.ids.clone(), next, total: None }
    }

    /// With one more post, holding at most `ids_max`. A post older than where memory ends is left to the store: there may be others between.
    pub(crate) fn with(&self, post: Uuid, ids_max: usize) -> Self {
        let mut ids = Vec::with_capacity(self.ids.len() + 1);
        ids.extend_from_slice(&self.ids);
        let at = ids.partition_point(|id| *id > post);
        let beyond = at == ids.len() && self.more;
        if !beyond && ids.get(at) != Some(&post) {
            ids.insert(at, post);
        }
        let more = self.more || ids.len() > ids_max;
        ids.truncate(ids_max);
        Self { ids, more, version: self.version }
    }

    /// Bytes of state and fact.
    pub(crate) fn bytes(&self) -> usize {
        2 * (size_of::<Self>() + self.ids.len() * size_of::<Uuid>())
    }
}

impl Entity for Timeline {
    const KIND: Kind = Kind::Timeline;
    type State = Newest;
    type Command = NewPost;

    fn command(command: Command) -> Option<NewPost> {
        if let Command::Timeline(new) = command { Some(new) } else { None }
    }

    async fn load(node: &Arc<Node>, id: Uuid) -> Result<Option<Newest>, StoreError> {
        // The version first: a post that comes in between is in the ids, and the version says at least as much.
        let version = node.stores.content.key_version(Key::new(Kind::Timeline, id)).await?;
        let found = node.stores.content.timeline(UserId(id), Page::first(node.limits.inbox_ids_max)).await?;
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

    /// The view tells all of it.
    fn freeze(_: &Newest) -> Option<Box<[u8]>> {
        Some(Box::default())
    }

    fn thaw(view: &View, _: &[u8]) -> Option<Newest> {
        let Fact::Ids { ids, next, .. } = &view.fact else { return None };
        Some(Newest { ids: ids.clone(), more: next.is_some(), version: view.version })
    }

    async fn query(node: &Arc<Node>, id: Uuid, state: Arc<Newest>, query: Query) -> Result<View, QueryError> {
        let found = match query {
            Query::Posts(page) => node.stores.content.timeline(UserId(id), page).await?,
            Query::PostsFor(scope, page) => node.stores.content.timeline_for(UserId(id), scope, page).await?,
            _ => return Err(QueryError::unknown()),
        };
        let fact = Fact::Ids { ids: found.ids, next: found.next, total: None };
        Ok(View { version: state.version, audience: Audience::Platform, body: bytes::Bytes::new(), fact })
    }

    fn decide(state: Option<&Newest>, asked: &Asked, new: NewPost) -> Result<Decision<Newest>, Refusal> {
        let state = state.ok_or(ErrorCode::NotFound)?;
        asked.only(UserId(asked.id))?;
        let author = asked.user_named(new.user_id)?;
        new.validate()?;
        let post = Post {
            id: PostId::new(),
            user_id: author,
            parent_id: new.parent_id,
            content: new.content,
            post_type: new.post_type,
            media_ids: new.media_ids,
            visibility: new.visibility,
            likes_count: 0,
            comments_count: 0,
            shares_count: 0,
            reactions: Default::default(),
            is_published: new.is_published,
            created_at: asked.now,
            updated_at: asked.now,
            version: 1,
            deleted: false,
            hidden: false,
        };
        let mut touches = vec![Touch::FanOut { author, post: post.id.0 }];
        touches.extend(super::post::list_touches(None, &post));
        let next = Newest { version: state.version + 1, ..state.with(post.id.0, IDS_MAX) };
        let reply = Reply { outcome: Outcome::Created, version: 1, body: json(&post) };
        let write = Write::Content(ContentWrite::CreatePost(Box::new(post)));
        Ok(Plan { write, expect: Expect::Any, touches, next: Some(next), reply, unchanged: None }.into())
    }
}

/// Ids that a timeline or an inbox grows to before it is cut. Loads are cut at the configured number, which is at most this.
pub const IDS_MAX: usize = 1024;
