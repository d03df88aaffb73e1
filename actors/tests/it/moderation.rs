//! A decision reaches the thing that it is about before it is acknowledged, over a crash as well, and an older one never undoes a newer one.

use crate::harness::{Platform, Setup, eventually, make::*, refused};
use actors::read::{self, Viewer};
use protocol::{
    Command, ErrorCode, Key, Kind, PostId, Principal, Refusal, Reply, Role, UserId,
    moderation::{self, Action, NewDecision, Reason, Target, Verdict},
    post::{self, Visibility},
};
use store::Effect;

fn moderator() -> Principal {
    Principal::User { id: UserId::new(), role: Role::Moderator }
}

fn deciding(action: Action) -> Command {
    let decision = NewDecision { action, note: None };
    Command::Case(moderation::Command::Decide { decision, author_rank: Role::User, from: None })
}

impl Platform {
    async fn flag(&self, by: UserId, post: PostId, author: UserId) -> Result<Reply, Refusal> {
        let (target, reason) = (Target::Post(post), Reason::Spam);
        self.write(by, Key::new(Kind::Case, post), Command::Case(moderation::Command::Flag { target, author, reason, note: None })).await
    }

    async fn decide(&self, post: PostId, action: Action) -> Result<Reply, Refusal> {
        self.client.write(&self.client.call(moderator()), Key::new(Kind::Case, post), deciding(action)).await
    }

    async fn shows(&self, viewer: UserId, post: PostId) -> bool {
        let viewer = Viewer { user: Some(viewer) };
        let found = read::complete(&self.client, &self.anonymous(), |sight| read::one(sight, viewer, Key::new(Kind::Post, post))).await;
        found.expect("an answer").is_some()
    }

    async fn tell(&self, by: Principal, post: PostId, hidden: bool, case_version: u64) -> Result<Reply, Refusal> {
        let command = Command::Post(post::Command::Moderate(Verdict { hidden, case_version }));
        self.client.write(&self.client.call(by), Key::new(Kind::Post, post), command).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_is_acknowledged_once_everybody_sees_it() {
    let platform = Platform::start().await;
    let (ada, bob) = (platform.person().await, platform.person().await);
    let post = platform.post(ada, new_post("spam", Visibility::Public)).await;
    platform.flag(bob, post, ada).await.expect("flagged");
    assert!(platform.shows(bob, post).await);

    let gate = platform.faults.hold("content.commit");
    let (client, call) = (platform.client.clone(), platform.client.call(moderator()));
    let hiding = tokio::spawn(async move { client.write(&call, Key::new(Kind::Case, post), deciding(Action::Hide)).await });
    gate.came(1).await;
    assert!(!hiding.is_finished() && platform.shows(bob, post).await, "it is not hidden yet, and nobody was told that it is");
    gate.open();
    hiding.await.expect("no panic").expect("hidden");
    assert!(!platform.shows(bob, post).await && platform.shows(ada, post).await);
    platform.decide(post, Action::Restore).await.expect("restored");
    assert!(platform.shows(bob, post).await);
    eventually("an empty outbox", || async { platform.outbox_rows().await == 0 }).await;
}

/// The process dies between the case's commit and the post's: the next one completes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_crash_left_undecided_is_completed() {
    let platform = Setup { sweeper: false, ..Setup::default() }.start().await;
    let (ada, bob) = (platform.person().await, platform.person().await);
    let post = platform.post(ada, new_post("spam", Visibility::Public)).await;
    platform.flag(bob, post, ada).await.expect("flagged");
    let gate = platform.faults.hold("content.commit");
    let (client, call) = (platform.client.clone(), platform.client.call(moderator()));
    let hiding = tokio::spawn(async move { client.write(&call, Key::new(Kind::Case, post), deciding(Action::Hide)).await });
    gate.came(1).await;
    let disk = platform.crash();
    hiding.abort();

    let platform = Setup { sweeper: false, ..Setup::default() }.start_on(disk).await;
    let rows = platform.truth.users.outbox(None, 10).await.expect("the store answers");
    assert!(rows.iter().any(|row| row.effect == Effect::Verdict(post.0)), "{rows:?}");
    platform.start_sweeper().await;
    eventually("an empty outbox", || async { platform.outbox_rows().await == 0 }).await;
    assert!(!platform.shows(bob, post).await && platform.shows(ada, post).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verdicts_may_come_late_and_again() {
    let platform = Platform::start().await;
    let (ada, bob) = (platform.person().await, platform.person().await);
    let post = platform.post(ada, new_post("spam", Visibility::Public)).await;
    for (hidden, version, is_hidden) in
        [(true, 3, true), (false, 2, true), (true, 3, true), (false, 5, false), (true, 3, false), (false, 5, false), (true, 6, true)]
    {
        platform.tell(Principal::Platform, post, hidden, version).await.expect("heard or passed over");
        assert_eq!(!platform.shows(bob, post).await, is_hidden, "after {hidden} of {version}");
    }
    for by in [moderator(), Principal::User { id: ada, role: Role::Admin }, Principal::Anonymous] {
        assert_eq!(refused(platform.tell(by, post, false, 9).await), ErrorCode::Forbidden);
    }
    // What its author does meanwhile neither shows it nor is lost.
    let update = post::Update { content: Some("better".to_owned()), ..Default::default() };
    platform.edit_post(ada, post, update).await.expect("edited");
    assert!(!platform.shows(bob, post).await);
    let platform = platform.restarted().await;
    assert!(!platform.shows(bob, post).await);
    let found = platform.truth.content.post(post).await.expect("the store answers").expect("the post");
    assert!(found.hidden && found.content == "better");

    // A verdict on what was deleted has nobody to tell, and is done with.
    platform.flag(bob, post, ada).await.expect("flagged");
    platform.delete_post(ada, post).await.expect("deleted");
    platform.decide(post, Action::Hide).await.expect("decided");
    eventually("an empty outbox", || async { platform.outbox_rows().await == 0 }).await;
}
