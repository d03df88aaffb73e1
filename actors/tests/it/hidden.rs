//! People who are hidden: by a block from each other, by a ban from everybody.

use crate::harness::{Platform, Setup, eventually, first, json, make::*, refused};
use actors::read::{self, Viewer};
use protocol::{
    Command, ErrorCode, Key, Kind, PostId, Principal, Query, Refusal, Reply, Role, Timestamp, UserId,
    audit::{Entry, Filter, action},
    follow,
    post::Visibility,
    user::{self, SetActive},
};
use store::{Commit, ContentWrite, Expect, Guard, Touch};
use uuid::Uuid;

impl Platform {
    pub async fn block(&self, blocker: UserId, other: UserId, add: bool) -> Result<Reply, Refusal> {
        let command = if add { follow::Command::Block(other) } else { follow::Command::Unblock(other) };
        self.write(blocker, Key::new(Kind::Follows, blocker), Command::Follows(command)).await
    }

    pub async fn set_active(&self, by: Principal, person: UserId, is_active: bool) -> Result<Reply, Refusal> {
        let change = SetActive { is_active, reason: Some("spam".to_owned()) };
        let command = Command::User(user::Command::SetActive { change, from: None });
        self.client.write(&self.client.call(by), Key::new(Kind::User, person), command).await
    }

    /// Whether `viewer` sees a post that everyone may see, wherever it could be shown.
    async fn sees_post(&self, viewer: Option<UserId>, post: PostId) -> bool {
        let (viewer, key) = (Viewer { user: viewer }, Key::new(Kind::Post, post));
        let call = self.anonymous();
        let one = read::complete(&self.client, &call, |sight| read::one(sight, viewer, key)).await.expect("an answer");
        let list = (Key::new(Kind::PostList, actors::entity::family::POSTS), Query::Posts(first(100)));
        let listed =
            read::complete(&self.client, &call, |sight| read::list(sight, viewer, list.clone(), Kind::Post)).await.expect("an answer");
        let listed = listed.rows.iter().any(|row| row.key == key);
        assert_eq!(one.is_some(), listed, "a list shows what the thing itself does");
        if viewer.user.is_none() {
            assert_eq!(read::open_now(&self.client, &key).is_some(), listed, "the fast path shows the same");
        }
        listed
    }

    async fn feed_of(&self, viewer: UserId) -> Vec<Uuid> {
        let rows = read::complete(&self.client, &self.call(viewer), |sight| read::feed(sight, viewer, first(100))).await.expect("a feed");
        rows.rows.iter().map(|row| row.key.id).collect()
    }

    async fn people_in(&self, viewer: Viewer, key: Key, query: Query) -> Vec<UserId> {
        let rows =
            read::complete(&self.client, &self.anonymous(), |sight| read::list(sight, viewer, (key, query.clone()), Kind::User)).await;
        rows.expect("an answer").rows.iter().map(|row| UserId(row.key.id)).collect()
    }
}

fn moderator() -> Principal {
    Principal::User { id: UserId::new(), role: Role::Moderator }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_hides_each_from_the_other_at_once_and_from_nobody_else() {
    let platform = Platform::start().await;
    let (ada, bob, eve) = (platform.person().await, platform.person().await, platform.person().await);
    for (from, to) in [(ada, bob), (bob, ada), (eve, ada), (eve, bob)] {
        platform.follow(from, to).await.expect("followed");
    }
    let (by_ada, by_bob) = (
        platform.post(ada, new_post("by ada", Visibility::Public)).await,
        platform.post(bob, new_post("by bob", Visibility::Public)).await,
    );
    assert_eq!(platform.feed_of(ada).await, [by_bob.0, by_ada.0]);

    for _ in 0..2 {
        let reply = platform.block(ada, bob, true).await.expect("blocked, also again");
        assert_eq!(json_of(&reply)["blocked"], true);
    }
    assert_eq!((platform.feed_of(ada).await, platform.feed_of(bob).await), (vec![by_ada.0], vec![by_bob.0]));
    assert!(!platform.sees_post(Some(ada), by_bob).await && !platform.sees_post(Some(bob), by_ada).await);
    assert!(platform.sees_post(Some(eve), by_bob).await && platform.sees_post(None, by_bob).await);
    assert_eq!(platform.feed_of(eve).await, [by_bob.0, by_ada.0]);
    // Both follow Eve, who sees both; of each other they see nothing there.
    for fan in [ada, bob] {
        platform.follow(fan, eve).await.expect("followed");
    }
    let followers = |viewer| platform.people_in(Viewer { user: Some(viewer) }, Key::new(Kind::Follows, eve), Query::Followers(first(10)));
    assert_eq!((followers(eve).await, followers(ada).await, followers(bob).await), (vec![bob, ada], vec![ada], vec![bob]));
    for (from, to) in [(ada, bob), (bob, ada)] {
        assert_eq!(refused(platform.follow(from, to).await), ErrorCode::NotFound);
    }
    // The list of those whom one blocks is the one place where they are shown.
    let own = Viewer { user: None };
    assert_eq!(platform.people_in(own, Key::new(Kind::Follows, ada), Query::Blocked(first(10))).await, [bob]);

    platform.block(ada, bob, false).await.expect("ended");
    assert!(platform.sees_post(Some(ada), by_bob).await && platform.sees_post(Some(bob), by_ada).await);
    assert_eq!(platform.feed_of(ada).await, [by_ada.0], "follows do not come back by themselves");
    platform.follow(ada, bob).await.expect("followed");
    assert_eq!(platform.feed_of(ada).await, [by_bob.0, by_ada.0]);
}

fn json_of(reply: &Reply) -> serde_json::Value {
    serde_json::from_slice(&reply.body).expect("replies are JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_are_ones_own() {
    let platform = Platform::start().await;
    let (ada, bob) = (platform.person().await, platform.person().await);
    assert_eq!(refused(platform.block(ada, ada, true).await), ErrorCode::Forbidden);
    assert_eq!(refused(platform.block(ada, UserId::new(), true).await), ErrorCode::NotFound);
    let of_ada = Key::new(Kind::Follows, ada);
    let by_bob = platform.write(bob, of_ada, Command::Follows(follow::Command::Block(bob))).await;
    assert_eq!(refused(by_bob), ErrorCode::Forbidden);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ban_hides_everything_from_everybody_and_its_end_restores_it() {
    let platform = Platform::start().await;
    let (ada, bob) = (platform.person().await, platform.person().await);
    platform.follow(bob, ada).await.expect("followed");
    let post = platform.post(ada, new_post("spam", Visibility::Public)).await;
    let own = platform.post(bob, new_post("own", Visibility::Public)).await;
    let lamp = platform.product(ada, new_product("lamp", 3)).await;
    let lamp = Key::new(Kind::Product, lamp);
    platform.view(lamp).await.expect("a product");
    assert!(platform.sees_post(Some(bob), post).await && read::open_now(&platform.client, &lamp).is_some());
    let account = Key::new(Kind::Account, ada);
    platform.view(account).await.expect("an account");

    platform.set_active(moderator(), ada, false).await.expect("banned");
    assert!(!platform.sees_post(Some(bob), post).await && !platform.sees_post(None, post).await);
    assert_eq!(platform.feed_of(bob).await, [own.0]);
    assert!(read::open_now(&platform.client, &lamp).is_none());
    let followed = platform.people_in(Viewer { user: Some(bob) }, Key::new(Kind::Follows, bob), Query::Following(first(10))).await;
    assert_eq!(followed, []);
    assert_eq!(refused(platform.view(account).await), ErrorCode::NotFound, "no session of theirs is one any more");
    assert_eq!(refused(platform.query(Key::new(Kind::User, ada), Query::Skills).await), ErrorCode::NotFound);
    // A node that starts knows it from the store.
    let platform = platform.restarted().await;
    assert!(!platform.sees_post(Some(bob), post).await);

    platform.set_active(moderator(), ada, true).await.expect("the ban ends");
    assert!(platform.sees_post(Some(bob), post).await && platform.sees_post(None, post).await);
    assert_eq!(platform.feed_of(bob).await, [own.0, post.0]);
    assert_eq!(json(&platform.view(Key::new(Kind::User, ada)).await.expect("a person"))["isActive"], true);

    let (entries, _) = platform.truth.users.audit(Filter { actor: None, target: Some(ada.0) }, first(10)).await.expect("the log");
    let deeds: Vec<_> = entries.iter().map(|entry| (entry.action.as_str(), entry.details["reason"].as_str())).collect();
    assert_eq!(deeds, [(action::UNBAN, "spam"), (action::BAN, "spam")]);
}

/// A ban that is delivered again after its end must not be believed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ban_that_comes_late_is_not_believed() {
    let platform = Platform::start().await;
    let (ada, bob) = (platform.person().await, platform.person().await);
    let post = platform.post(ada, new_post("post", Visibility::Public)).await;
    // The store's answer to the first look is held up, until the ban has ended.
    let gate = platform.faults.hold_answer("is_active");
    let (client, call) = (platform.client.clone(), platform.client.call(moderator()));
    let change = SetActive { is_active: false, reason: None };
    let command = Command::User(user::Command::SetActive { change, from: None });
    let banning = tokio::spawn(async move { client.write(&call, Key::new(Kind::User, ada), command).await });
    gate.came(1).await;
    let (client, call) = (platform.client.clone(), platform.client.call(moderator()));
    let change = SetActive { is_active: true, reason: None };
    let command = Command::User(user::Command::SetActive { change, from: None });
    let ending = tokio::spawn(async move { client.write(&call, Key::new(Kind::User, ada), command).await });
    eventually("the ban has ended in the store", || async {
        platform.truth.users.user(ada).await.expect("the store answers").is_some_and(|user| user.version == 3)
    })
    .await;
    gate.open();
    banning.await.expect("no panic").expect("banned");
    ending.await.expect("no panic").expect("the ban ends");
    assert!(platform.sees_post(Some(bob), post).await);
}

/// What a crash left undelivered is delivered by the next process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_entry_of_another_database_survives_a_crash() {
    let platform = Setup { sweeper: false, ..Setup::default() }.start().await;
    let ada = platform.person().await;
    let template = platform.post(ada, new_post("first", Visibility::Private)).await;
    let template = platform.truth.content.post(template).await.expect("the store answers").expect("a post");
    let entry = Entry::new(Some(ada), "post.note", ("post", template.id.0), Timestamp::now());
    // A commit whose process died before it delivered anything.
    let key = Key::new(Kind::Timeline, ada);
    let guard = Guard { slot: key.slot(), epoch: platform.node.ownership.epoch(key.slot()).expect("owned") };
    let write = ContentWrite::CreatePost(Box::new(protocol::post::Post { id: PostId::new(), ..template }));
    let touches = vec![Touch::Audit(Box::new(entry.clone()))];
    let commit = Commit { guard, key, expect: Expect::Any, record: None, touches, write, now: Timestamp::now() };
    platform.truth.content.commit(commit).await.expect("written");

    let platform = platform.restarted().await;
    eventually("an empty outbox", || async { platform.outbox_rows().await == 0 }).await;
    let (entries, _) = platform.truth.users.audit(Filter::default(), first(10)).await.expect("the log");
    assert_eq!(entries, [entry]);
}
