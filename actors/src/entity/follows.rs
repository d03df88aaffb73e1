//! Who follows whom.

use super::{Asked, Decision, Entity, Plan, QueryError, json, touch};
use crate::node::Node;
use protocol::{
    Audience, Command, ErrorCode, Fact, Kind, Outcome, Principal, Query, Refusal, Reply, UserId, View,
    follow::{self, FOLLOWING_MAX, Relations},
};
use std::sync::Arc;
use store::{Expect, StoreError, UsersWrite, Write};
use uuid::Uuid;

/// The owner of people's relations.
pub struct Follows;

impl Entity for Follows {
    const KIND: Kind = Kind::Follows;
    type State = Relations;
    type Command = follow::Command;

    fn command(command: Command) -> Option<follow::Command> {
        if let Command::Follows(command) = command { Some(command) } else { None }
    }

    async fn load(node: &Arc<Node>, id: Uuid) -> Result<Option<Relations>, StoreError> {
        node.stores.users.relations(UserId(id)).await.map(Some)
    }

    fn version(state: &Relations) -> u64 {
        state.version
    }

    fn bytes(state: &Relations) -> usize {
        // Twice: the view's fact is a copy.
        2 * (size_of::<Relations>() + (state.following.len() + state.friends.len()) * size_of::<UserId>())
    }

    fn view(state: &Relations) -> View {
        View {
            version: state.version,
            audience: Audience::Platform,
            body: bytes::Bytes::new(),
            fact: Fact::Follows(Box::new(state.clone())),
        }
    }

    async fn query(node: &Arc<Node>, id: Uuid, state: Arc<Relations>, query: Query) -> Result<View, QueryError> {
        let (followers, page) = match query {
            Query::Followers(page) => (true, page),
            Query::Following(page) => (false, page),
            _ => return Err(QueryError::unknown()),
        };
        let (found, total) = node.stores.users.follow_page(UserId(id), followers, page).await?;
        let fact = Fact::Ids { ids: found.ids, next: found.next, total: Some(total) };
        Ok(View { version: state.version, audience: Audience::Everyone, body: bytes::Bytes::new(), fact })
    }

    fn decide(state: Option<&Relations>, asked: &Asked, command: follow::Command) -> Result<Decision<Relations>, Refusal> {
        let state = state.ok_or(ErrorCode::NotFound)?;
        let me = UserId(asked.id);
        let (followee, add) = match command {
            follow::Command::Follow(followee) => (followee, true),
            follow::Command::Unfollow(followee) => (followee, false),
            follow::Command::MarkPulled => return mark_pulled(state, asked),
        };
        asked.only(me)?;
        if followee == me {
            return Err(Refusal::new(ErrorCode::Forbidden, "nobody follows themselves"));
        }
        if add && state.following.len() >= FOLLOWING_MAX && !state.follows(followee) {
            return Err(Refusal::new(ErrorCode::LimitReached, format!("a person follows at most {FOLLOWING_MAX} people")));
        }
        let reply = Reply { outcome: Outcome::Done, version: 0, body: json(&serde_json::json!({ "userId": followee, "following": add })) };
        let write = UsersWrite::Follow { follower: me, followee, add, at: asked.now };
        // Both people's relations change, and the follower's feed is another one. The next state is loaded: whether they are friends now depends
        // on the other person's row.
        let touches = vec![touch(Kind::Follows, followee), touch(Kind::Feed, me)];
        Ok(Plan { write: Write::Users(write), expect: Expect::Any, touches, next: None, unchanged: Some(reply.clone()), reply }.into())
    }
}

fn mark_pulled(state: &Relations, asked: &Asked) -> Result<Decision<Relations>, Refusal> {
    let reply = Reply { outcome: Outcome::Done, version: 0, body: bytes::Bytes::new() };
    if asked.principal != Principal::Platform {
        return Err(ErrorCode::Forbidden.into());
    }
    if state.pulled {
        return Ok(Decision::Answer(reply));
    }
    let write = Write::Users(UsersWrite::MarkPulled(UserId(asked.id)));
    Ok(Plan { write, expect: Expect::Any, touches: Vec::new(), next: None, unchanged: Some(reply.clone()), reply }.into())
}
