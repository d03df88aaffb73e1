//! Shares are counted exactly once at what they share, whatever happens on the way.

use crate::harness::{Act, Platform, json, make::*, refused, within};
use protocol::{
    Command, ErrorCode, Key, Kind, PostId, Refusal, Reply, UserId,
    post::{self, NewPost, Visibility},
    reaction::ReactionType,
};
use std::sync::Arc;
use tokio::task::JoinSet;

/// A post that everyone may see, which has been looked at, and somebody who shares it.
struct Shared {
    platform: Arc<Platform>,
    post: Key,
    sharer: UserId,
}

impl Shared {
    async fn begin() -> Self {
        let platform = Arc::new(Platform::start().await);
        let (author, sharer) = (platform.person().await, platform.person().await);
        let post = Key::new(Kind::Post, platform.post(author, new_post("hello", Visibility::Public)).await);
        let shared = Self { platform, post, sharer };
        assert_eq!(shared.count().await, 0);
        shared
    }

    async fn count(&self) -> u64 {
        json(&self.platform.view(self.post).await.expect("the post"))["sharesCount"].as_u64().expect("a number")
    }

    /// How many shares there are.
    async fn in_store(&self) -> u64 {
        let content = &self.platform.truth.content;
        let timeline = content.timeline(self.sharer, crate::harness::first(100)).await.expect("the store answers");
        timeline.ids.len() as u64
    }

    fn command(&self) -> Command {
        let share = NewPost { parent_id: Some(PostId(self.post.id)), ..new_post("", Visibility::Public) };
        Command::Timeline(share)
    }

    async fn share_once(&self, key: &str) -> Result<Reply, Refusal> {
        let call = self.platform.call_once(self.sharer, idempotency("share", key, 1));
        within("a share", self.platform.client.write(&call, Key::new(Kind::Timeline, self.sharer), self.command())).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_repeated_after_a_doubt_is_counted_once() {
    for doubt in [Act::DoubtDone, Act::DoubtUndone, Act::Fail, Act::Conflict, Act::Panic] {
        let shared = Shared::begin().await;
        shared.platform.faults.once("content.commit", doubt);
        // Whatever it is told, the client sends the same request until it is answered.
        let mut tries = 0;
        let reply = loop {
            match shared.share_once("key").await {
                Ok(reply) => break reply,
                Err(_) if tries < 5 => tries += 1,
                Err(refusal) => panic!("{refusal}"),
            }
        };
        assert_eq!((shared.count().await, shared.in_store().await), (1, 1));
        assert_eq!(shared.share_once("key").await.expect("the same").body, reply.body);
        assert_eq!((shared.count().await, shared.in_store().await), (1, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_before_the_answer_leaves_the_count_right() {
    let Shared { platform, post, sharer } = Shared::begin().await;
    // It is committed, and nobody hears of it before everything ends.
    let gate = platform.faults.hold_answer("content.commit");
    let (client, call) = (platform.client.clone(), platform.call(sharer));
    let share = NewPost { parent_id: Some(PostId(post.id)), ..new_post("", Visibility::Public) };
    let key = Key::new(Kind::Timeline, sharer);
    let sharing = tokio::spawn(async move { client.write(&call, key, Command::Timeline(share)).await });
    gate.came(1).await;
    let Ok(platform) = Arc::try_unwrap(platform).map_err(drop) else { panic!("somebody else holds the platform") };
    let platform = Arc::new(platform.restarted().await);
    gate.open();
    assert!(sharing.await.expect("no panic").is_err(), "nobody was told that it happened");
    let shared = Shared { platform, post, sharer };
    assert_eq!((shared.count().await, shared.in_store().await), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shares_edits_and_reactions_at_the_same_time_lose_nothing() {
    let shared = Shared::begin().await;
    let (platform, post) = (shared.platform.clone(), shared.post);
    let author = {
        let body = json(&platform.view(post).await.expect("the post"));
        UserId(body["userId"].as_str().expect("an id").parse().expect("a UUID"))
    };
    let mut deeds = JoinSet::new();
    for n in 0..24 {
        let (platform, command) = (platform.clone(), shared.command());
        deeds.spawn(async move {
            let person = platform.person().await;
            let (key, command) = match n % 3 {
                0 => (Key::new(Kind::Timeline, person), command),
                1 => (post, Command::Post(post::Command::React(Some(ReactionType::Love)))),
                _ => {
                    let update = post::Update { content: Some(format!("edit {n}")), ..Default::default() };
                    return platform.edit_post(author, PostId(post.id), update).await;
                }
            };
            platform.write(person, key, command).await
        });
    }
    let mut done = [0_u64; 2];
    while let Some(outcome) = deeds.join_next().await {
        match outcome.expect("no panic") {
            Ok(_) => done[0] += 1,
            // One that was overtaken again and again is refused whole.
            Err(refusal) => {
                assert_eq!(refusal.code, ErrorCode::Conflict);
                done[1] += 1;
            }
        }
    }
    let found = json(&platform.view(post).await.expect("the post"));
    let stored = platform.truth.content.post(PostId(post.id)).await.expect("the store answers").expect("the post");
    assert_eq!(
        (&found["version"], &found["sharesCount"]),
        (&stored.version.into(), &stored.shares_count.into()),
        "what is warm is the newest"
    );
    assert_eq!(stored.version, 1 + done[0], "each deed that was answered is one version");
    assert_eq!(stored.shares_count, 8, "a share waits for nobody");
    assert_eq!(stored.reactions.total(), stored.likes_count);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_that_is_taken_back_is_not_counted_any_more() {
    let shared = Shared::begin().await;
    let share = PostId(made(&shared.share_once("key").await.expect("shared")));
    let platform = &shared.platform;
    for (visibility, count) in [(Visibility::Friends, 0), (Visibility::Public, 1), (Visibility::Private, 0), (Visibility::Public, 1)] {
        let update = post::Update { visibility: Some(visibility), ..Default::default() };
        platform.edit_post(shared.sharer, share, update).await.expect("edited");
        assert_eq!(shared.count().await, count);
    }
    platform.delete_post(shared.sharer, share).await.expect("deleted");
    assert_eq!(shared.count().await, 0);
    assert_eq!(refused(platform.delete_post(shared.sharer, share).await), ErrorCode::NotFound);
    assert_eq!(shared.count().await, 0);
}
