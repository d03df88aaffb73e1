//! Who follows whom, and who blocks whom.

use super::{Asked, Decision, Entity, Plan, QueryError, json, touch};
use crate::node::Node;
use protocol::{
    Audience, Command, ErrorCode, Fact, Kind, Outcome, Principal, Query, Refusal, Reply, UserId, View,
    follow::{self, BLOCKS_MAX, Block, FOLLOWING_MAX, Relations, Standing},
};
use std::sync::Arc;
use store::{Expect, StoreError, Touch, UsersWrite, Write};
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
        2 * (size_of::<Relations>() + (state.following.len() + state.friends.len() + state.hidden.len()) * size_of::<UserId>())
    }

    fn view(state: &Relations) -> View {
        View {
            version: state.version,
            audience: Audience::Platform,
            body: bytes::Bytes::new(),
            fact: Fact::Follows(Box::new(state.clone())),
        }
    }

    /// The view tells all of it.
    fn freeze(_: &Relations) -> Option<Box<[u8]>> {
        Some(Box::default())
    }

    fn thaw(view: &View, _: &[u8]) -> Option<Relations> {
        if let Fact::Follows(relations) = &view.fact { Some(Relations::clone(relations)) } else { None }
    }

    async fn query(node: &Arc<Node>, id: Uuid, state: Arc<Relations>, query: Query) -> Result<View, QueryError> {
        let users = &node.stores.users;
        let (audience, (found, total)) = match query {
            Query::Followers(page) => (Audience::Everyone, users.follow_page(UserId(id), true, page).await?),
            Query::Following(page) => (Audience::Everyone, users.follow_page(UserId(id), false, page).await?),
            Query::Blocked(page) => (Audience::Only(UserId(id)), users.blocked(UserId(id), page).await?),
            _ => return Err(QueryError::unknown()),
        };
        let fact = Fact::Ids { ids: found.ids, next: found.next, total: Some(total) };
        Ok(View { version: state.version, audience, body: bytes::Bytes::new(), fact })
    }

    fn decide(state: Option<&Relations>, asked: &Asked, command: follow::Command) -> Result<Decision<Relations>, Refusal> {
        let state = state.ok_or(ErrorCode::NotFound)?;
        match command {
            follow::Command::Follow(followee) => follow(state, asked, followee, true),
            follow::Command::Unfollow(followee) => follow(state, asked, followee, false),
            follow::Command::MarkPulled => mark_pulled(state, asked),
            follow::Command::Block(other) => block(state, asked, other, true),
            follow::Command::Unblock(other) => block(state, asked, other, false),
        }
    }
}

fn follow(state: &Relations, asked: &Asked, followee: UserId, add: bool) -> Result<Decision<Relations>, Refusal> {
    let me = asked.only(UserId(asked.id))?;
    if followee == me {
        return Err(Refusal::new(ErrorCode::Forbidden, "nobody follows themselves"));
    }
    if add && state.is_hidden(followee) {
        return Err(ErrorCode::NotFound.into());
    }
    if add && state.following.len() >= FOLLOWING_MAX && !state.follows(followee) {
        return Err(Refusal::new(ErrorCode::LimitReached, format!("a person follows at most {FOLLOWING_MAX} people")));
    }
    let reply = Reply { outcome: Outcome::Done, version: 0, body: json(&Standing { user_id: followee, following: add }) };
    let write = UsersWrite::Follow { follower: me, followee, add, at: asked.now };
    // Both people's relations change, and the follower's feed is another one.
    Ok(plan(write, vec![touch(Kind::Follows, followee), touch(Kind::Feed, me)], reply))
}

/// Somebody may block whoever blocks them: both directions are kept, so that ending one leaves the other.
fn block(state: &Relations, asked: &Asked, other: UserId, add: bool) -> Result<Decision<Relations>, Refusal> {
    let me = asked.only(UserId(asked.id))?;
    if other == me {
        return Err(Refusal::new(ErrorCode::Forbidden, "nobody blocks themselves"));
    }
    // Whether it is one of theirs already only the store knows: at the limit, one that is hidden may be blocked again.
    if add && state.blocks >= BLOCKS_MAX && !state.is_hidden(other) {
        return Err(Refusal::new(
            ErrorCode::LimitReached,
            format!("a person blocks at most {BLOCKS_MAX} people; end a block before the next one"),
        ));
    }
    let reply = Reply { outcome: Outcome::Done, version: 0, body: json(&Block { user_id: other, blocked: add }) };
    let write = UsersWrite::Block { blocker: me, blocked: other, add, at: asked.now };
    // Follows end in both directions, so both feeds are other ones.
    Ok(plan(write, vec![touch(Kind::Follows, other), touch(Kind::Feed, me), touch(Kind::Feed, other)], reply))
}

/// The next state is loaded: what it is depends on rows that this state does not tell.
fn plan(write: UsersWrite, touches: Vec<Touch>, reply: Reply) -> Decision<Relations> {
    Plan { write: Write::Users(write), expect: Expect::Any, touches, next: None, unchanged: Some(reply.clone()), reply }.into()
}

fn mark_pulled(state: &Relations, asked: &Asked) -> Result<Decision<Relations>, Refusal> {
    let reply = Reply { outcome: Outcome::Done, version: 0, body: bytes::Bytes::new() };
    if asked.principal != Principal::Platform {
        return Err(ErrorCode::Forbidden.into());
    }
    if state.pulled {
        return Ok(Decision::Answer(reply));
    }
    Ok(plan(UsersWrite::MarkPulled(UserId(asked.id)), Vec::new(), reply))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Role, Timestamp};

    fn decide(state: &Relations, me: UserId, command: follow::Command) -> Result<Decision<Relations>, ErrorCode> {
        let asked = Asked {
            id: me.0,
            principal: Principal::User { id: me, role: Role::User },
            now: Timestamp(1),
            quota: protocol::file::Quota::NONE,
        };
        Follows::decide(Some(state), &asked, command).map_err(|refusal| refusal.code)
    }

    #[test]
    fn blocks_are_limited_and_a_full_list_can_be_changed() {
        let (me, known, other) = (UserId::new(), UserId::new(), UserId::new());
        let full = Relations { hidden: vec![known], blocks: BLOCKS_MAX, ..Relations::default() };
        assert_eq!(decide(&full, me, follow::Command::Block(other)).err(), Some(ErrorCode::LimitReached));
        assert!(decide(&full, me, follow::Command::Block(known)).is_ok(), "again is no error");
        assert!(decide(&full, me, follow::Command::Unblock(known)).is_ok());
        let room = Relations { blocks: BLOCKS_MAX - 1, ..full };
        assert!(decide(&room, me, follow::Command::Block(other)).is_ok());
        assert_eq!(decide(&room, me, follow::Command::Block(me)).err(), Some(ErrorCode::Forbidden));
        assert_eq!(decide(&room, me, follow::Command::Follow(known)).err(), Some(ErrorCode::NotFound));
    }
}
