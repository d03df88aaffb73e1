//! Posts, with their comments and reactions.

use super::{Asked, Decision, Entity, Plan, QueryError, family, heard, json, touch, touch_found};
use crate::{node::Node, visibility::moderates};
use protocol::{
    Audience, Command, CommentId, ErrorCode, Fact, Kind, Outcome, Page, PostId, Query, Refusal, Reply, UserId, View,
    comment::{Comment, NewComment},
    found::FoundBy,
    post,
    reaction::{ReactionType, Summary},
};
use std::sync::Arc;
use store::{ContentWrite, Expect, StoreError, Touch, Write, hashtag};
use uuid::Uuid;

/// The owner of posts.
pub struct Post;

impl Entity for Post {
    const KIND: Kind = Kind::Post;
    type State = post::Post;
    type Command = post::Command;

    fn command(command: Command) -> Option<post::Command> {
        if let Command::Post(command) = command { Some(command) } else { None }
    }

    async fn load(node: &Arc<Node>, id: Uuid) -> Result<Option<post::Post>, StoreError> {
        node.stores.content.post(PostId(id)).await
    }

    fn version(state: &post::Post) -> u64 {
        state.version
    }

    fn bytes(state: &post::Post) -> usize {
        size_of::<post::Post>() + state.content.len() + state.media_ids.len() * size_of::<Uuid>()
    }

    fn view(state: &post::Post) -> View {
        let body = if state.deleted { bytes::Bytes::new() } else { json(state) };
        View { version: state.version, audience: state.audience(), body, fact: fact(state) }
    }

    /// The view tells all of a post that was not deleted.
    fn freeze(state: &post::Post) -> Option<Box<[u8]>> {
        (!state.deleted).then(Box::default)
    }

    fn thaw(view: &View, _: &[u8]) -> Option<post::Post> {
        serde_json::from_slice(&view.body).ok()
    }

    async fn query(node: &Arc<Node>, id: Uuid, state: Arc<post::Post>, query: Query) -> Result<View, QueryError> {
        let (body, fact) = match query {
            Query::Comments(page) => comments(node, &state, None, page).await?,
            Query::Replies(parent, page) => comments(node, &state, Some(parent), page).await?,
            Query::Comment(id) => return one_comment(node, &state, id).await,
            Query::Reactions(of) => {
                let own = match of {
                    Some(user) => node.stores.content.reaction(PostId(id), user).await?,
                    None => None,
                };
                (json(&Summary { summary: state.reactions, total: state.likes_count, own }), Fact::None)
            }
            _ => return Err(QueryError::unknown()),
        };
        Ok(View { version: state.version, audience: state.audience(), body, fact })
    }

    fn decide(state: Option<&post::Post>, asked: &Asked, command: post::Command) -> Result<Decision<post::Post>, Refusal> {
        let state = state.filter(|s| !s.deleted).ok_or(ErrorCode::NotFound)?;
        match command {
            post::Command::Update(update) => {
                asked.only(state.user_id)?;
                update.validate()?;
                let mut next = edited(state, asked);
                update.apply(&mut next);
                let touches = list_touches(Some(state), &next);
                let reply = Reply { outcome: Outcome::Done, version: next.version, body: json(&next) };
                Ok(plan(ContentWrite::SavePost(Box::new(next.clone())), touches, next, reply))
            }
            post::Command::Delete => {
                if !moderates(&asked.principal) {
                    asked.only(state.user_id)?;
                }
                let next = post::Post { deleted: true, content: String::new(), media_ids: Vec::new(), ..edited(state, asked) };
                let touches = list_touches(Some(state), &next);
                let reply = Reply { outcome: Outcome::Done, version: next.version, body: bytes::Bytes::new() };
                Ok(plan(ContentWrite::SavePost(Box::new(next.clone())), touches, next, reply))
            }
            post::Command::Comment(new) => comment(state, asked, new),
            post::Command::DeleteComment { id, author } => {
                if !moderates(&asked.principal) && !asked.principal.is(author) {
                    asked.only(state.user_id)?;
                }
                let next = post::Post { comments_count: state.comments_count.saturating_sub(1), ..counted(state) };
                let reply = Reply { outcome: Outcome::Done, version: next.version, body: bytes::Bytes::new() };
                let unchanged = Some(reply.clone());
                let write = Write::Content(ContentWrite::RemoveComment(Box::new(next.clone()), id));
                Ok(Plan { write, expect: Expect::Row, touches: Vec::new(), next: Some(next), reply, unchanged }.into())
            }
            post::Command::React(reaction) => react(state, asked.user()?, reaction),
            post::Command::Moderate(verdict) => {
                asked.only_platform()?;
                let next = post::Post { hidden: verdict.hidden, ..counted(state) };
                let touches = list_touches(Some(state), &next);
                Ok(moderated(ContentWrite::Moderate(Box::new(next.clone()), verdict), touches, next))
            }
            post::Command::ModerateComment(comment, verdict) => {
                asked.only_platform()?;
                let next = counted(state);
                Ok(moderated(ContentWrite::ModerateComment(Box::new(next.clone()), comment, verdict), Vec::new(), next))
            }
        }
    }
}

/// The next row of a post whose author changes it.
fn edited(state: &post::Post, asked: &Asked) -> post::Post {
    post::Post { updated_at: asked.now, ..counted(state) }
}

/// The next row of a post of which only a counter moves: its text was not edited.
fn counted(state: &post::Post) -> post::Post {
    post::Post { version: state.version + 1, ..state.clone() }
}

fn plan(write: ContentWrite, touches: Vec<Touch>, next: post::Post, reply: Reply) -> Decision<post::Post> {
    Plan { write: Write::Content(write), expect: Expect::Row, touches, next: Some(next), reply, unchanged: None }.into()
}

/// What others need to know of a post: who wrote it and, of a share, what it shares.
fn fact(post: &post::Post) -> Fact {
    match post.parent_id {
        Some(parent) => Fact::Share { author: post.user_id, parent, bare: post.content.trim().is_empty() && post.media_ids.is_empty() },
        None => Fact::By(post.user_id),
    }
}

/// Whose keys a post's write touches: of the lists that it enters or leaves, or where it is found by other words, and of the post that counts it.
/// `before` is `None` for a new post, whose own key is its author's timeline.
pub(super) fn list_touches(before: Option<&post::Post>, after: &post::Post) -> Vec<Touch> {
    let audience_before = before.map(post::Post::audience);
    let moved = audience_before != Some(after.audience());
    let mut touches = Vec::new();
    if before.is_some() && moved {
        touches.push(touch(Kind::Timeline, after.user_id));
    }
    if (audience_before == Some(Audience::Everyone)) != (after.audience() == Audience::Everyone) {
        touches.push(touch(Kind::PostList, family::POSTS));
    }
    if moved || before.is_some_and(|before| before.content != after.content) {
        let found = FoundBy::of_texts(before.into_iter().chain([after]).map(|post| &*post.content));
        touches.push(touch_found(Kind::PostList, family::SEARCH, found));
    }
    let (tags, tags_before) = (after.found_by(), before.map(post::Post::found_by).unwrap_or_default());
    let changed: Vec<_> = tags.symmetric_difference(&tags_before).map(|tag| touch(Kind::Hashtag, hashtag::id(tag))).collect();
    if !changed.is_empty() {
        touches.push(touch(Kind::PostList, family::TRENDING));
        touches.extend(changed);
    }
    if let (Some(parent), None) | (None, Some(parent)) = (after.counted_by(), before.and_then(post::Post::counted_by)) {
        touches.push(touch(Kind::Post, parent));
    }
    touches
}

/// A verdict; only the store knows whether it was heard before.
fn moderated(write: ContentWrite, touches: Vec<Touch>, next: post::Post) -> Decision<post::Post> {
    let write = Write::Content(write);
    Plan { write, expect: Expect::Row, touches, next: Some(next), reply: heard(), unchanged: Some(heard()) }.into()
}

fn comment(state: &post::Post, asked: &Asked, new: NewComment) -> Result<Decision<post::Post>, Refusal> {
    let user_id = asked.user_named(new.user_id)?;
    new.validate()?;
    let comment = Comment {
        id: CommentId::new(),
        post_id: state.id,
        user_id,
        content: new.content,
        parent_id: new.parent_id,
        reply_count: 0,
        score: 0,
        created_at: asked.now,
        updated_at: asked.now,
        deleted: false,
        hidden: false,
    };
    let next = post::Post { comments_count: state.comments_count.saturating_add(1), ..counted(state) };
    let reply = Reply { outcome: Outcome::Created, version: next.version, body: json(&comment) };
    Ok(plan(ContentWrite::AddComment(Box::new(next.clone()), comment), Vec::new(), next, reply))
}

/// Sets or takes back a reaction. What the person had before only the store knows, and so does it how many have which now: the next state is
/// loaded. `Done` either way: a person has one reaction, however often it is set.
fn react(state: &post::Post, user: UserId, reaction: Option<ReactionType>) -> Result<Decision<post::Post>, Refusal> {
    let next = counted(state);
    let reply = |version| Reply { outcome: Outcome::Done, version, body: bytes::Bytes::new() };
    let (unchanged, reply) = (Some(reply(state.version)), reply(next.version));
    let write = Write::Content(ContentWrite::React { post: Box::new(next), user, reaction });
    Ok(Plan { write, expect: Expect::Row, touches: Vec::new(), next: None, reply, unchanged }.into())
}

/// A comment as it was written: hidden ones are for their authors, and for moderators, who look at the body whoever it is for.
async fn one_comment(node: &Arc<Node>, state: &post::Post, id: CommentId) -> Result<View, QueryError> {
    let found = node.stores.content.comment(id).await?;
    let found = found.filter(|comment| comment.post_id == state.id && !comment.deleted && !state.deleted);
    let Some(comment) = found else {
        return Ok(View { version: state.version, audience: Audience::Gone, body: bytes::Bytes::new(), fact: Fact::None });
    };
    let audience = if comment.hidden { Audience::Only(comment.user_id) } else { state.audience() };
    let fact = Fact::By(comment.user_id);
    Ok(View { version: state.version, audience, body: json(&Comment { hidden: false, ..comment }), fact })
}

/// A page of comments with who wrote which row: some viewers see fewer of them.
async fn comments(node: &Arc<Node>, state: &post::Post, parent: Option<CommentId>, page: Page) -> Result<(bytes::Bytes, Fact), QueryError> {
    let (comments, next) = node.stores.content.comments(state.id, parent, page).await?;
    let mut body = vec![b'['];
    let mut rows = Vec::with_capacity(comments.len());
    for comment in &comments {
        if body.len() > 1 {
            body.push(b',');
        }
        body.extend_from_slice(&json(comment));
        // A hundred comments of two thousand characters are far below 4 GiB.
        rows.push((comment.user_id, body.len() as u32));
    }
    body.push(b']');
    let total = parent.is_none().then_some(u64::from(state.comments_count));
    Ok((body.into(), Fact::Authored { rows, next, total }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Principal, Role, Timestamp, UserId, moderation::Verdict, post::Visibility};

    fn a_post(author: UserId, visibility: Visibility) -> post::Post {
        post::Post {
            id: PostId::new(),
            user_id: author,
            parent_id: None,
            content: "hello".into(),
            post_type: Default::default(),
            media_ids: Vec::new(),
            visibility,
            likes_count: 0,
            comments_count: 0,
            shares_count: 0,
            reactions: Default::default(),
            is_published: true,
            created_at: Timestamp(1),
            updated_at: Timestamp(1),
            version: 3,
            deleted: false,
            hidden: false,
        }
    }

    fn decide(state: &post::Post, principal: Principal, command: post::Command) -> Result<Plan<post::Post>, ErrorCode> {
        let asked = Asked { id: state.id.0, principal, now: Timestamp(9), quota: protocol::file::Quota::NONE };
        match Post::decide(Some(state), &asked, command) {
            Ok(Decision::Commit(plan)) => Ok(*plan),
            Ok(Decision::Answer(_)) => panic!("a write was expected"),
            Err(refusal) => Err(refusal.code),
        }
    }

    #[test]
    fn deleting_is_for_the_author_and_moderators_and_leaves_nothing_to_see() {
        let author = UserId::new();
        let post = a_post(author, Visibility::Public);
        let by = |id, role| decide(&post, Principal::User { id, role }, post::Command::Delete);
        assert_eq!(by(UserId::new(), Role::User).err(), Some(ErrorCode::Forbidden));
        assert!(by(UserId::new(), Role::Moderator).is_ok());
        let next = by(author, Role::User).expect("accepted").next.expect("a next state");
        let view = Post::view(&next);
        assert_eq!((view.audience, view.body.len(), view.version), (Audience::Gone, 0, 4));
        assert_eq!(decide(&next, Principal::User { id: author, role: Role::User }, post::Command::Delete).err(), Some(ErrorCode::NotFound));
    }

    #[test]
    fn only_what_the_author_changes_is_an_edit() {
        let author = UserId::new();
        let post = a_post(author, Visibility::Public);
        let by = |id, command| decide(&post, Principal::User { id, role: Role::User }, command).expect("accepted");
        let new = NewComment { user_id: None, content: "indeed".into(), parent_id: None };
        let commented = by(UserId::new(), post::Command::Comment(new)).next.expect("a next state");
        assert_eq!((commented.updated_at, commented.version, commented.comments_count), (post.updated_at, 4, 1));
        let edited = by(author, post::Command::Update(post::Update { content: Some("new".into()), ..Default::default() }));
        assert_eq!(edited.next.expect("a next state").updated_at, Timestamp(9));
        let reacting = by(UserId::new(), post::Command::React(Some(ReactionType::Like)));
        let Write::Content(ContentWrite::React { post: row, .. }) = reacting.write else { panic!("a reaction was expected") };
        assert_eq!((row.updated_at, row.version), (post.updated_at, 4));
        assert_eq!((reacting.reply.version, reacting.unchanged.expect("it may be so already").version), (4, 3));
    }

    #[test]
    fn a_hidden_post_is_its_authors_and_comes_back_as_it_was() {
        let author = UserId::new();
        let verdict = |hidden| post::Command::Moderate(Verdict { hidden, case_version: 2 });
        for visibility in [Visibility::Public, Visibility::Friends, Visibility::Private] {
            let shown = a_post(author, visibility);
            let hiding = decide(&shown, Principal::Platform, verdict(true)).expect("hidden");
            let hidden = hiding.next.expect("a next state");
            assert_eq!(hidden.audience(), Audience::Only(author));
            let lists = hiding.touches.iter().filter(|moved| **moved == touch(Kind::PostList, family::POSTS)).count();
            assert_eq!(lists == 1, visibility == Visibility::Public, "the list of public posts loses it");
            assert!(String::from_utf8_lossy(&Post::view(&hidden).body).contains("\"hidden\":true"));
            let again = decide(&hidden, Principal::Platform, verdict(false)).expect("restored").next.expect("a next state");
            assert_eq!(again, post::Post { version: shown.version + 2, ..shown });
        }
        let admin = Principal::User { id: UserId::new(), role: Role::Admin };
        assert_eq!(decide(&a_post(author, Visibility::Public), admin, verdict(true)).err(), Some(ErrorCode::Forbidden));
    }

    #[test]
    fn lists_move_only_when_a_post_enters_or_leaves_them() {
        let author = UserId::new();
        let me = Principal::User { id: author, role: Role::User };
        let tag = |word: &str| touch(Kind::Hashtag, hashtag::id(&protocol::hashtag::Hashtag::parse(word).expect("a hashtag")));
        let [posts, trending] = [family::POSTS, family::TRENDING].map(|family| touch(Kind::PostList, family));
        let search = |after: &str| touch_found(Kind::PostList, family::SEARCH, FoundBy::of_texts(["#rust", after]));
        let timeline = touch(Kind::Timeline, author);
        let touches = |from, command| {
            let post = post::Post { content: "#rust".into(), ..a_post(author, from) };
            decide(&post, me, command).expect("accepted").touches
        };
        let update = post::Command::Update;
        let to = |visibility| update(post::Update { visibility: Some(visibility), ..Default::default() });
        let say = |content: &str| update(post::Update { content: Some(content.into()), ..Default::default() });
        let all = |after| [timeline.clone(), posts.clone(), search(after), trending.clone(), tag("rust")];
        assert_eq!(touches(Visibility::Public, to(Visibility::Private)), all("#rust"));
        assert_eq!(touches(Visibility::Private, to(Visibility::Public)), all("#rust"));
        assert_eq!(touches(Visibility::Public, post::Command::Delete), all(""));
        assert_eq!(touches(Visibility::Friends, to(Visibility::Private)), [timeline.clone(), search("#rust")]);
        assert_eq!(touches(Visibility::Public, say("#rust still")), [search("#rust still")]);
        assert_eq!(touches(Visibility::Public, say("#go")), [search("#go"), trending.clone(), tag("go"), tag("rust")]);
        assert_eq!(touches(Visibility::Private, say("#go")), [search("#go")]);
        assert_eq!(touches(Visibility::Public, to(Visibility::Public)), []);
    }

    #[test]
    fn a_share_touches_what_it_shares_when_it_is_counted() {
        let (author, parent) = (UserId::new(), PostId::new());
        let share = |visibility| post::Post { parent_id: Some(parent), ..a_post(author, visibility) };
        let touched = |before: Option<Visibility>, after| {
            list_touches(before.map(share).as_ref(), &share(after)).contains(&touch(Kind::Post, parent))
        };
        assert!(touched(None, Visibility::Public) && !touched(None, Visibility::Friends));
        assert!(touched(Some(Visibility::Public), Visibility::Private) && touched(Some(Visibility::Private), Visibility::Public));
        assert!(!touched(Some(Visibility::Public), Visibility::Public) && !touched(Some(Visibility::Friends), Visibility::Private));
        let gone = post::Post { deleted: true, ..share(Visibility::Public) };
        assert!(list_touches(Some(&share(Visibility::Public)), &gone).contains(&touch(Kind::Post, parent)));
    }
}
