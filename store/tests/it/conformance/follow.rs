//! Who follows whom.

use crate::make::*;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use protocol::follow::Relations;
use protocol::{Key, Kind, Page, Position, Timestamp, UserId};
use std::collections::{BTreeMap, BTreeSet};
use store::{CommitError, Effect, Expect, Stores, UsersWrite};
use uuid::Uuid;

async fn relations(stores: &Stores, id: UserId) -> Relations {
    stores.users.relations(id).await.expect("a read")
}

async fn follow(stores: &Stores, follower: UserId, followee: UserId) {
    stores.users.commit(following(follower, followee, true, NOW)).await.expect("followed");
}

async fn all_followers(stores: &Stores, id: UserId, limit: u16) -> Vec<Uuid> {
    let read = async |page| {
        let (ids, _) = stores.users.follow_page(id, true, page).await.expect("a page");
        (ids.ids, ids.next)
    };
    walk(limit, read).await
}

pub async fn a_follow_changes_both(stores: Stores) {
    let (a, b) = (somebody(&stores).await.id, somebody(&stores).await.id);
    assert_eq!(relations(&stores, a).await, Relations::default());
    let committed = stores.users.commit(following(a, b, true, NOW)).await.expect("followed");
    assert_eq!(committed.version, 1);
    assert_eq!(committed.effects[0].effect, Effect::Changed { key: Key::new(Kind::Follows, b), version: 1 });
    assert_eq!(relations(&stores, a).await, Relations { following: vec![b], version: 1, ..Relations::default() });
    assert_eq!(relations(&stores, b).await, Relations { followers: 1, version: 1, ..Relations::default() });
    for (id, followers, row) in [(a, false, b), (b, true, a)] {
        let (ids, total) = stores.users.follow_page(id, followers, Page::default()).await.expect("a page");
        assert_eq!((ids.ids, ids.next, total), (vec![row.0], None, 1));
        let (ids, total) = stores.users.follow_page(id, !followers, Page::default()).await.expect("a page");
        assert_eq!((ids, total), (store::Ids::default(), 0));
    }

    let mut stale = following(a, b, false, NOW);
    stale.expect = Expect::Version(0);
    assert!(matches!(stores.users.commit(stale).await, Err(CommitError::Conflict)));
    let mut end = following(a, b, false, NOW);
    end.expect = Expect::Version(1);
    assert_eq!(stores.users.commit(end).await.expect("ended").version, 2);
    assert_eq!(relations(&stores, a).await, Relations { version: 2, ..Relations::default() });
    assert_eq!(relations(&stores, b).await, Relations { version: 2, ..Relations::default() });
    assert_eq!(stores.users.follow_page(b, true, Page::default()).await.expect("a page"), (store::Ids::default(), 0));
}

pub async fn a_follow_that_is_so_already_changes_nothing(stores: Stores) {
    let (a, b) = (somebody(&stores).await.id, somebody(&stores).await.id);
    assert!(matches!(stores.users.commit(following(a, b, false, NOW)).await, Err(CommitError::Unchanged)));
    assert_eq!(relations(&stores, a).await, Relations::default());
    follow(&stores, a, b).await;
    let before = (relations(&stores, a).await, relations(&stores, b).await, stores.users.outbox(None, 10).await.expect("effects"));
    let mut again = following(a, b, true, NOW.plus_ms(5));
    again.record = Some(record(a, "k"));
    assert!(matches!(stores.users.commit(again).await, Err(CommitError::Unchanged)));
    let after = (relations(&stores, a).await, relations(&stores, b).await, stores.users.outbox(None, 10).await.expect("effects"));
    assert_eq!(before, after);
    assert_eq!(stores.users.record(a, "create", "k").await.expect("a read"), None);
}

pub async fn nobody_follows_who_is_not_there(stores: Stores) {
    let (a, nobody) = (somebody(&stores).await.id, UserId::new());
    assert!(matches!(stores.users.commit(following(a, nobody, true, NOW)).await, Err(CommitError::Missing(_))));
    assert!(matches!(stores.users.commit(following(nobody, a, true, NOW)).await, Err(CommitError::Missing(_))));
    for id in [a, nobody] {
        assert_eq!(relations(&stores, id).await, Relations::default());
        assert!(all_followers(&stores, id, 10).await.is_empty());
    }
    assert_eq!(stores.users.outbox(None, 10).await.expect("effects"), []);
}

pub async fn friends_follow_each_other(stores: Stores) {
    let mut people = Vec::new();
    for _ in 0..4 {
        people.push(somebody(&stores).await.id);
    }
    let [a, b, c, d] = people[..] else { unreachable!() };
    for (from, to) in [(a, b), (b, a), (a, c), (d, a), (c, d), (d, c)] {
        follow(&stores, from, to).await;
    }
    let read = relations(&stores, a).await;
    assert_eq!((read.following, read.friends, read.followers), (vec![b, c], vec![b], 2));
    let read = relations(&stores, d).await;
    assert_eq!((read.following, read.friends, read.followers), (vec![a, c], vec![c], 1));
    stores.users.commit(following(b, a, false, NOW)).await.expect("ended");
    assert_eq!(relations(&stores, a).await.friends, []);
}

pub async fn pages_of_equal_instants_have_no_gaps(stores: Stores) {
    let star = somebody(&stores).await.id;
    let mut expected = Vec::new();
    for n in 0..13 {
        let (fan, at) = (somebody(&stores).await.id, NOW.plus_ms(n / 5));
        stores.users.commit(following(fan, star, true, at)).await.expect("followed");
        stores.users.commit(following(star, fan, true, at)).await.expect("followed");
        expected.push((at, fan.0));
    }
    expected.sort_by(|a, b| b.cmp(a));
    let expected: Vec<_> = expected.into_iter().map(|(_, id)| id).collect();
    for limit in [1, 2, 5, 12, 13, 14] {
        assert_eq!(all_followers(&stores, star, limit).await, expected, "followers by pages of {limit}");
        let following = walk(limit, async |page| {
            let (ids, total) = stores.users.follow_page(star, false, page).await.expect("a page");
            assert_eq!(total, 13);
            (ids.ids, ids.next)
        });
        assert_eq!(following.await, expected, "following by pages of {limit}");
    }
    let past = Page { after: Some(Position { sort: NOW.0 - 1, id: Uuid::nil() }), limit: 5 };
    assert_eq!(stores.users.follow_page(star, true, past).await.expect("a page").0, store::Ids::default());
}

/// Rows that come and go while somebody reads neither hide nor repeat those that stay.
pub async fn a_page_while_others_follow_has_no_gaps(stores: Stores) {
    let star = somebody(&stores).await.id;
    let mut stay = Vec::new();
    let mut leave = Vec::new();
    for n in 0..12 {
        let fan = somebody(&stores).await.id;
        stores.users.commit(following(fan, star, true, NOW.plus_ms(n / 3))).await.expect("followed");
        if n % 4 == 0 { leave.push(fan) } else { stay.push(fan.0) }
    }
    let mut seen = Vec::new();
    let mut page = Page::first(3);
    loop {
        let (ids, _) = stores.users.follow_page(star, true, page).await.expect("a page");
        seen.extend(ids.ids);
        let Some(next) = ids.next else { break };
        page.after = Some(next);
        // One comes at the top, one at the instant of the page's end, and one leaves.
        for at in [NOW.plus_ms(100), Timestamp(next.sort)] {
            let fan = somebody(&stores).await.id;
            stores.users.commit(following(fan, star, true, at)).await.expect("followed");
        }
        if let Some(fan) = leave.pop() {
            stores.users.commit(following(fan, star, false, NOW)).await.expect("ended");
        }
    }
    let distinct: BTreeSet<_> = seen.iter().copied().collect();
    assert_eq!(distinct.len(), seen.len(), "somebody was shown twice");
    assert!(stay.iter().all(|id| distinct.contains(id)), "somebody was left out");
}

pub async fn fan_out_runs_through_all_followers(stores: Stores) {
    let star = somebody(&stores).await.id;
    let mut fans = Vec::new();
    for _ in 0..7 {
        let fan = somebody(&stores).await.id;
        follow(&stores, fan, star).await;
        fans.push(fan);
    }
    fans.sort();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let batch = stores.users.followers(star, after, 3).await.expect("followers");
        let Some(last) = batch.last() else { break };
        after = Some(*last);
        seen.extend(batch);
    }
    assert_eq!(seen, fans);
    assert_eq!(stores.users.followers(star, None, 100).await.expect("followers"), fans);
    assert_eq!(stores.users.followers(fans[0], None, 100).await.expect("followers"), []);
}

pub async fn pulled_people_stay_pulled(stores: Stores) {
    let (a, b, nobody) = (somebody(&stores).await.id, somebody(&stores).await.id, UserId::new());
    let mark = |id| stores.users.commit(commit(Key::new(Kind::Follows, id), Expect::Any, UsersWrite::MarkPulled(id)));
    assert_eq!(stores.users.pulled().await.expect("a read"), []);
    mark(a).await.expect("marked");
    mark(a).await.expect("marked again");
    assert!(matches!(mark(nobody).await, Err(CommitError::Missing(_))));
    follow(&stores, b, a).await;
    stores.users.commit(following(b, a, false, NOW)).await.expect("ended");
    assert_eq!(stores.users.pulled().await.expect("a read"), [a]);
    assert!(relations(&stores, a).await.pulled && !relations(&stores, b).await.pulled);
}

/// A random history of follows, unfollows and posts by four people. After it every counter, list, friendship and version is what the history says.
pub async fn counters_equal_rows(stores: Stores) {
    let step = prop_oneof![
        3 => (0..4usize, 0..4usize, any::<bool>()).prop_filter("oneself", |(a, b, _)| a != b).prop_map(|(a, b, add)| (a, Some(b), add)),
        1 => (0..4usize).prop_map(|a| (a, None, true)),
    ];
    let histories = proptest::collection::vec(step, 0..40);
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    tokio::task::block_in_place(|| {
        let runtime = tokio::runtime::Handle::current();
        runner.run(&histories, |history| {
            runtime.block_on(check_history(&stores, history));
            Ok(())
        })
    })
    .expect("counters equal rows");
}

async fn check_history(stores: &Stores, history: Vec<(usize, Option<usize>, bool)>) {
    let mut people = Vec::new();
    for _ in 0..4 {
        people.push(somebody(stores).await.id);
    }
    let mut follows = BTreeSet::new();
    let mut posts: BTreeMap<UserId, Vec<Uuid>> = BTreeMap::new();
    let mut versions: BTreeMap<UserId, u64> = BTreeMap::new();
    for (who, whom, add) in history {
        let who = people[who];
        let Some(whom) = whom.map(|n| people[n]) else {
            let posted = self::posts(stores, who, 1).await;
            posts.entry(who).or_default().insert(0, posted[0].0);
            continue;
        };
        let changes = if add { follows.insert((who, whom)) } else { follows.remove(&(who, whom)) };
        match stores.users.commit(following(who, whom, add, NOW)).await {
            Ok(_) => [who, whom].iter().for_each(|id| *versions.entry(*id).or_default() += 1),
            Err(CommitError::Unchanged) => assert!(!changes),
            Err(other) => panic!("{other:?}"),
        }
    }
    for id in people {
        let following: Vec<_> = follows.iter().filter(|(a, _)| *a == id).map(|(_, b)| *b).collect();
        let followers: BTreeSet<_> = follows.iter().filter(|(_, b)| *b == id).map(|(a, _)| a.0).collect();
        let friends = following.iter().filter(|b| followers.contains(&b.0)).copied().collect();
        let version = versions.get(&id).copied().unwrap_or(0);
        let total = followers.len() as u64;
        let expected =
            Relations { following: following.clone(), friends, followers: total, pulled: false, version, ..Relations::default() };
        assert_eq!(relations(stores, id).await, expected);
        assert_eq!(all_followers(stores, id, 2).await.into_iter().collect::<BTreeSet<_>>(), followers);
        let (_, counted) = stores.users.follow_page(id, false, Page::first(1)).await.expect("a page");
        assert_eq!(counted, following.len() as u64);

        let written = posts.remove(&id).unwrap_or_default();
        let timeline = walk(3, async |page| {
            let ids = stores.content.timeline(id, page).await.expect("a page");
            (ids.ids, ids.next)
        });
        assert_eq!(timeline.await, written);
        assert_eq!(stores.content.key_version(Key::new(Kind::Timeline, id)).await.expect("a version"), written.len() as u64);
    }
}
