//! A person's bookmarks. The state is how many there are; pages of them are asked for, and so is the one of a post.

use super::{Asked, Decision, Entity, Plan, QueryError, json};
use crate::node::Node;
use protocol::{
    Audience, BookmarkId, Command, ErrorCode, Fact, Key, Kind, Outcome, Query, Refusal, Reply, UserId, View,
    bookmark::{self, BOOKMARKS_MAX, Bookmark},
};
use std::sync::Arc;
use store::{ContentWrite, Expect, StoreError, Write};
use uuid::Uuid;

/// The owner of bookmarks.
pub struct Bookmarks;

/// How many posts a person keeps.
pub struct Kept {
    count: u64,
    version: u64,
}

impl Entity for Bookmarks {
    const KIND: Kind = Kind::Bookmarks;
    type State = Kept;
    type Command = bookmark::Command;

    fn command(command: Command) -> Option<bookmark::Command> {
        if let Command::Bookmarks(command) = command { Some(command) } else { None }
    }

    async fn load(node: &Arc<Node>, id: Uuid) -> Result<Option<Kept>, StoreError> {
        // The version first: what comes in between is counted, and the version says at least as much.
        let version = node.stores.content.key_version(Key::new(Self::KIND, id)).await?;
        Ok(Some(Kept { count: node.stores.content.bookmark_count(UserId(id)).await?, version }))
    }

    fn version(state: &Kept) -> u64 {
        state.version
    }

    fn bytes(_: &Kept) -> usize {
        size_of::<Kept>()
    }

    fn view(state: &Kept) -> View {
        View { version: state.version, audience: Audience::Platform, body: bytes::Bytes::new(), fact: Fact::None }
    }

    async fn query(node: &Arc<Node>, id: Uuid, state: Arc<Kept>, query: Query) -> Result<View, QueryError> {
        let (body, fact) = match query {
            Query::Bookmarks(page) => {
                let (rows, next) = node.stores.content.bookmarks(UserId(id), page).await?;
                (bytes::Bytes::new(), Fact::Bookmarks { rows, next })
            }
            Query::Bookmark(post) => match node.stores.content.bookmark(UserId(id), post).await? {
                Some(bookmark) => (json(&bookmark), Fact::None),
                None => return Err(QueryError::Refused(ErrorCode::NotFound.into())),
            },
            _ => return Err(QueryError::unknown()),
        };
        Ok(View { version: state.version, audience: Audience::Only(UserId(id)), body, fact })
    }

    fn decide(state: Option<&Kept>, asked: &Asked, command: bookmark::Command) -> Result<Decision<Kept>, Refusal> {
        let state = state.ok_or(ErrorCode::NotFound)?;
        let user = asked.only(UserId(asked.id))?;
        match command {
            bookmark::Command::Add(new) => {
                asked.user_named(new.user_id)?;
                if state.count >= BOOKMARKS_MAX {
                    return Err(Refusal::new(ErrorCode::LimitReached, format!("a person keeps at most {BOOKMARKS_MAX} posts")));
                }
                let bookmark = Bookmark { id: BookmarkId::new(), post_id: new.post_id, created_at: asked.now };
                let reply = Reply { outcome: Outcome::Created, version: 0, body: json(&bookmark) };
                // Which one the person has already only the store knows; whoever asks reads it then.
                let unchanged = Some(Reply { outcome: Outcome::Done, version: 0, body: bytes::Bytes::new() });
                Ok(plan(state, state.count + 1, ContentWrite::AddBookmark(user, bookmark), reply, unchanged))
            }
            bookmark::Command::Remove(id) => {
                let reply = Reply { outcome: Outcome::Done, version: 0, body: bytes::Bytes::new() };
                Ok(plan(state, state.count.saturating_sub(1), ContentWrite::RemoveBookmark(user, id), reply, None))
            }
        }
    }
}

fn plan(state: &Kept, count: u64, write: ContentWrite, reply: Reply, unchanged: Option<Reply>) -> Decision<Kept> {
    let next = Some(Kept { count, version: state.version + 1 });
    let expect = Expect::Version(state.version);
    Plan { write: Write::Content(write), expect, touches: Vec::new(), next, reply, unchanged }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{PostId, Principal, Role, Timestamp, bookmark::NewBookmark};

    fn add(count: u64, by: Option<UserId>) -> Result<Decision<Kept>, Refusal> {
        let owner = UserId::new();
        let asked = Asked {
            id: owner.0,
            principal: Principal::User { id: by.unwrap_or(owner), role: Role::Admin },
            now: Timestamp(1),
            quota: protocol::file::Quota::NONE,
        };
        let new = NewBookmark { user_id: None, post_id: PostId::new() };
        Bookmarks::decide(Some(&Kept { count, version: 7 }), &asked, bookmark::Command::Add(new))
    }

    #[test]
    fn nobody_else_keeps_and_nobody_keeps_without_limit() {
        let Ok(Decision::Commit(plan)) = add(BOOKMARKS_MAX - 1, None) else { panic!("refused") };
        assert_eq!(plan.next.map(|next| (next.count, next.version)), Some((BOOKMARKS_MAX, 8)));
        assert_eq!(add(BOOKMARKS_MAX, None).err().map(|refusal| refusal.code), Some(ErrorCode::LimitReached));
        assert_eq!(add(0, Some(UserId::new())).err().map(|refusal| refusal.code), Some(ErrorCode::Forbidden));
    }
}
