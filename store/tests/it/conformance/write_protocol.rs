//! The one transaction of a write, and what every database has beside its rows.

use crate::make::*;
use protocol::{Epoch, Key, Kind, Outcome, Slot, UserId};
use std::sync::Arc;
use store::{CommitError, ContentWrite, Domain, Effect, Expect, Record, ShopWrite, StoreError, Stores, Touch, UsersWrite};
use tokio::task::JoinSet;
use uuid::Uuid;

pub async fn every_database_answers_under_its_name(stores: Stores) {
    for (domain, name) in stores.domains().iter().zip(["users", "content", "shop", "media"]) {
        assert_eq!(domain.database(), name);
        domain.ping().await.expect("it answers");
        assert_eq!(domain.epochs().await.expect("epochs"), []);
        assert_eq!(domain.outbox(None, 10).await.expect("an outbox"), []);
    }
}

async fn assert_untouched(domain: Arc<dyn Domain>, keys: &[Key], subject: UserId) {
    for key in keys {
        assert_eq!(domain.key_version(*key).await.expect("a version"), 0, "{key}");
    }
    assert_eq!(domain.record(subject, "create", "k").await.expect("a record"), None);
    assert_eq!(domain.outbox(None, 10).await.expect("an outbox"), []);
}

pub async fn a_fenced_commit_leaves_nothing_behind(stores: Stores) {
    let touched = Key::new(Kind::PostList, Uuid::now_v7());
    let (user, post, product) = (person(&name()), post(UserId::new()), product(UserId::new(), 100));

    let mut write = registering(&user);
    write.record = Some(record(user.id, "k"));
    write.touches = vec![Touch::Key(touched)];
    stores.users.fence(vec![(Slot::of(user.id.0), Epoch(3))]).await.expect("fenced");
    for epoch in [0, 2, 4] {
        write.guard.epoch = Epoch(epoch);
        assert!(matches!(stores.users.commit(write.clone()).await, Err(CommitError::Fenced(Epoch(3)))));
    }
    assert_untouched(stores.domain(Kind::User), &[touched, Key::new(Kind::Account, user.id)], user.id).await;
    assert_eq!(stores.users.user(user.id).await.expect("a read"), None);
    write.guard.epoch = Epoch(3);
    assert_eq!(stores.users.commit(write).await.expect("the owner's write").version, 1);

    let mut write = creating(&post);
    write.record = Some(record(post.user_id, "k"));
    write.touches = vec![Touch::Key(touched), Touch::FanOut { author: post.user_id, post: post.id.0 }];
    // The slot was never taken over: epoch 0 is the only one that may write.
    write.guard.epoch = Epoch(1);
    assert!(matches!(stores.content.commit(write.clone()).await, Err(CommitError::Fenced(Epoch(0)))));
    assert_untouched(stores.domain(Kind::Post), &[touched, write.key], post.user_id).await;
    assert_eq!(stores.content.post(post.id).await.expect("a read"), None);

    let mut write = selling(&product, ShopWrite::CreateProduct);
    write.touches = vec![Touch::Key(touched)];
    stores.shop.fence(vec![(write.guard.slot, Epoch(1))]).await.expect("fenced");
    assert!(matches!(stores.shop.commit(write.clone()).await, Err(CommitError::Fenced(Epoch(1)))));
    assert_untouched(stores.domain(Kind::Product), &[touched], product.seller_id).await;
    assert_eq!(stores.shop.product(product.id).await.expect("a read"), None);
}

pub async fn epochs_only_rise(stores: Stores) {
    let slot = |n| Slot::new(n).expect("a slot");
    for domain in stores.domains() {
        let fence = async |epochs: &[(u16, u64)]| {
            let epochs = epochs.iter().map(|(number, epoch)| (slot(*number), Epoch(*epoch))).collect();
            domain.fence(epochs).await.expect("fenced")
        };
        assert_eq!(fence(&[(1, 5), (2, 7), (3, 0)]).await, []);
        assert_eq!(fence(&[(1, 4), (2, 9), (4095, 1)]).await, [(slot(1), Epoch(5))], "it is higher already");
        assert_eq!(fence(&[(1, 4), (2, 9)]).await, [(slot(1), Epoch(5))], "and nothing is left to raise");
        assert_eq!(fence(&[]).await, []);
        let mut epochs = domain.epochs().await.expect("epochs");
        epochs.sort();
        assert_eq!(epochs, [(slot(1), Epoch(5)), (slot(2), Epoch(9)), (slot(4095), Epoch(1))]);
        domain.fence(Slot::all().map(|slot| (slot, Epoch(2))).collect()).await.expect("all slots at once");
        assert_eq!(domain.epochs().await.expect("epochs").len(), usize::from(protocol::SLOTS));
    }
}

/// Whatever is acknowledged under the old epoch is there when the fence returns, and nothing comes after it.
pub async fn a_fence_waits_for_commits_in_progress(stores: Stores) {
    let author = UserId::new();
    let key = Key::new(Kind::Timeline, author);
    let (began, mut begun) = tokio::sync::mpsc::channel(1);
    let mut writers = JoinSet::new();
    for _ in 0..8 {
        let (content, began) = (stores.content.clone(), began.clone());
        // Each writes until it is fenced off, and answers how often it was acknowledged.
        writers.spawn(async move {
            for acknowledged in 0..10_000 {
                match content.commit(creating(&post(author))).await {
                    Ok(_) => drop(began.try_send(())),
                    Err(CommitError::Fenced(Epoch(1))) => return acknowledged,
                    Err(other) => panic!("{other:?}"),
                }
            }
            panic!("it was never fenced off")
        });
    }
    begun.recv().await.expect("they are under way");
    stores.content.fence(vec![(key.slot(), Epoch(1))]).await.expect("fenced");
    let at_fence = stores.content.key_version(key).await.expect("a version");
    let acknowledged: u64 = writers.join_all().await.into_iter().sum();
    assert_eq!(stores.content.key_version(key).await.expect("a version"), at_fence);
    assert_eq!(acknowledged, at_fence);
}

pub async fn a_version_that_moved_is_a_conflict(stores: Stores) {
    let touched = Key::new(Kind::Follows, UserId::new());
    let mut user = somebody(&stores).await;
    for version in [1, 3, 9] {
        user.version = version;
        let mut write = saving(&user, UsersWrite::Save);
        write.touches = vec![Touch::Key(touched)];
        write.record = Some(record(user.id, "k"));
        assert!(matches!(stores.users.commit(write).await, Err(CommitError::Conflict)), "to version {version}");
    }
    assert_untouched(stores.domain(Kind::User), &[touched], user.id).await;
    assert_eq!(stores.users.user(user.id).await.expect("a read").expect("the person").version, 1);
    assert!(matches!(stores.users.commit(registering(&user)).await, Err(CommitError::Taken(_) | CommitError::Conflict)));

    let unknown = person(&name());
    assert!(matches!(stores.users.commit(saving(&unknown, UsersWrite::Save)).await, Err(CommitError::Conflict)));

    let post = post(user.id);
    let mut write = creating(&post);
    write.expect = Expect::Version(1);
    assert!(matches!(stores.content.commit(write).await, Err(CommitError::Conflict)));
    assert_eq!(stores.content.post(post.id).await.expect("a read"), None);
}

pub async fn keys_without_rows_have_versions(stores: Stores) {
    let author = UserId::new();
    let key = Key::new(Kind::Timeline, author);
    let write = |expect| {
        let mut commit = creating(&post(author));
        commit.expect = expect;
        stores.content.commit(commit)
    };
    assert_eq!(stores.content.key_version(key).await.expect("a version"), 0);
    assert_eq!(write(Expect::Version(0)).await.expect("committed").version, 1);
    assert!(matches!(write(Expect::Version(0)).await, Err(CommitError::Conflict)));
    assert_eq!(write(Expect::Any).await.expect("committed").version, 2);
    assert!(matches!(write(Expect::Version(1)).await, Err(CommitError::Conflict)));
    assert!(matches!(write(Expect::Version(3)).await, Err(CommitError::Conflict)));
    assert_eq!(write(Expect::Version(2)).await.expect("committed").version, 3);
    assert_eq!(stores.content.key_version(key).await.expect("a version"), 3);
    // Another kind of the same id is another key.
    assert_eq!(stores.content.key_version(Key::new(Kind::Feed, author)).await.expect("a version"), 0);
}

pub async fn a_used_idempotency_key_is_answered_by_its_record(stores: Stores) {
    let author = UserId::new();
    let write = |new: store::commit::NewRecord| {
        let mut commit = creating(&post(author));
        commit.touches = vec![Touch::Key(Key::new(Kind::PostList, Uuid::nil()))];
        commit.record = Some(new);
        stores.content.commit(commit)
    };
    let first = write(record(author, "a")).await.expect("committed");
    let made = stores.content.record(author, "create", "a").await.expect("a read").expect("a record");
    let Record { fingerprint, outcome, version, ref body, write: id } = made;
    assert_eq!((fingerprint, outcome, version, &body[..]), ([7; 32], Outcome::Created, 3, &b"{\"id\":1}"[..]));
    assert_eq!(stores.content.outbox(Some(id), 10).await.expect("effects"), first.effects);

    let mut other_body = record(author, "a");
    other_body.idempotency.fingerprint = [8; 32];
    for again in [record(author, "a"), other_body] {
        let Err(CommitError::Replay(found)) = write(again).await else { panic!("carried out twice") };
        assert_eq!(*found, made);
    }
    assert_eq!(stores.content.key_version(Key::new(Kind::Timeline, author)).await.expect("a version"), 1);
    assert_eq!(stores.content.outbox(None, 10).await.expect("effects"), first.effects);

    let mut done = record(author, "a");
    (done.idempotency.route, done.outcome) = ("other".to_owned(), Outcome::Done);
    write(done).await.expect("another route");
    assert_eq!(stores.content.record(author, "other", "a").await.expect("a read").expect("a record").outcome, Outcome::Done);
    write(record(UserId::new(), "a")).await.expect("another subject");
    write(record(author, "b")).await.expect("another key");
    assert_eq!(stores.content.record(author, "create", "c").await.expect("a read"), None);
}

pub async fn touches_raise_versions_and_leave_effects(stores: Stores) {
    let (author, list, feed) = (UserId::new(), Key::new(Kind::PostList, Uuid::now_v7()), Key::new(Kind::Feed, Uuid::now_v7()));
    let post = post(author);
    let mut write = creating(&post);
    write.touches = vec![Touch::Key(list), Touch::FanOut { author, post: post.id.0 }, Touch::Key(feed), Touch::Key(list)];
    write.record = Some(record(author, "k"));
    let guard = write.guard;
    let committed = stores.content.commit(write).await.expect("committed");
    let effects: Vec<_> = committed.effects.iter().map(|e| e.effect.clone()).collect();
    let changed = |key, version| Effect::Changed { key, version };
    assert_eq!(effects, [changed(list, 1), Effect::FanOut { author, post: post.id.0 }, changed(feed, 1), changed(list, 2)]);
    assert!(committed.effects.iter().all(|e| e.slot == guard.slot && e.at == NOW));
    assert_eq!(stores.content.key_version(list).await.expect("a version"), 2);
    assert_eq!(stores.content.key_version(feed).await.expect("a version"), 1);

    let other = stores.content.commit(creating(&self::post(author))).await.expect("committed");
    assert_eq!(other.effects, []);
    let mut third = creating(&self::post(author));
    third.touches = vec![Touch::Key(list)];
    let third = stores.content.commit(third).await.expect("committed");
    assert_eq!(third.effects[0].effect, changed(list, 3));

    let write = stores.content.record(author, "create", "k").await.expect("a read").expect("a record").write;
    assert_eq!(stores.content.outbox(Some(write), 10).await.expect("effects"), committed.effects);
    assert_eq!(stores.content.outbox(Some(write), 2).await.expect("effects"), committed.effects[..2]);
    assert_eq!(stores.content.outbox(Some(Uuid::now_v7()), 10).await.expect("effects"), []);
    let all = [committed.effects, third.effects].concat();
    assert_eq!(stores.content.outbox(None, 10).await.expect("effects"), all);
    assert_eq!(stores.content.outbox(None, 3).await.expect("effects"), all[..3]);
}

pub async fn confirmed_effects_are_gone_and_their_ids_are_not_used_again(stores: Stores) {
    let write = || {
        let (follower, followee) = (UserId::new(), UserId::new());
        let mut commit = creating(&post(follower));
        commit.touches = vec![Touch::Key(Key::new(Kind::Feed, followee)), Touch::Key(Key::new(Kind::Feed, follower))];
        stores.content.commit(commit)
    };
    let effects = write().await.expect("committed").effects;
    let ids: Vec<_> = effects.iter().map(|e| e.id).collect();
    stores.content.confirm(vec![ids[0]]).await.expect("confirmed");
    assert_eq!(stores.content.outbox(None, 10).await.expect("effects"), effects[1..]);
    stores.content.confirm(ids.clone()).await.expect("confirmed");
    assert_eq!(stores.content.outbox(None, 10).await.expect("effects"), []);

    let later = write().await.expect("committed").effects;
    stores.content.confirm(ids).await.expect("confirmed again");
    stores.content.confirm(Vec::new()).await.expect("nothing to confirm");
    assert_eq!(stores.content.outbox(None, 10).await.expect("effects"), later);
}

pub async fn old_records_are_forgotten(stores: Stores) {
    let author = UserId::new();
    for n in 0..5 {
        let mut commit = creating(&post(author));
        commit.record = Some(record(author, &n.to_string()));
        commit.now = NOW.plus_ms(n);
        stores.content.commit(commit).await.expect("committed");
    }
    assert_eq!(stores.content.forget_records(NOW).await.expect("forgotten"), 0);
    assert_eq!(stores.content.forget_records(NOW.plus_ms(3)).await.expect("forgotten"), 3);
    for n in 0..5 {
        let kept = stores.content.record(author, "create", &n.to_string()).await.expect("a read").is_some();
        assert_eq!(kept, n >= 3, "record {n}");
    }
}

pub async fn a_commit_whose_caller_went_away_is_carried_out(stores: Stores) {
    let post = post(UserId::new());
    tokio::select! {
        biased;
        _ = stores.content.commit(creating(&post)) => {}
        () = std::future::ready(()) => {}
    }
    eventually("it is carried out", async || stores.content.post(post.id).await.expect("a read").is_some()).await;
}

pub async fn an_incoherent_commit_is_refused(stores: Stores) {
    let user = somebody(&stores).await;
    let refused = |outcome| matches!(outcome, Err(CommitError::Unavailable(StoreError::Unavailable { .. })));
    // A follow has no row of its own, and a person's row is not another's.
    let key = Key::new(Kind::Follows, user.id);
    assert!(refused(stores.users.commit(commit(key, Expect::Row, UsersWrite::MarkPulled(user.id))).await));
    let other = Key::new(Kind::User, UserId::new());
    let next = protocol::user::User { version: 2, ..user.clone() };
    assert!(refused(stores.users.commit(commit(other, Expect::Row, UsersWrite::Save(Box::new(next)))).await));
    let post = post(user.id);
    let write = ContentWrite::CreatePost(Box::new(post.clone()));
    assert!(refused(stores.content.commit(commit(Key::new(Kind::Timeline, user.id), Expect::Row, write)).await));
    assert_eq!(stores.users.user(user.id).await.expect("a read").expect("the person").version, 1);
    assert_eq!(stores.content.post(post.id).await.expect("a read"), None);
}
