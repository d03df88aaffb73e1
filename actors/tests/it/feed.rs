//! Feeds while everything around them changes: no gap, no duplicate, nothing that the reader may not see.
//!
//! The promise: paging from the first page to the end, every post that was acknowledged before the first page was asked for, and that the reader might
//! see all the while, appears exactly once.

mod model;

use crate::harness::{Platform, Setup, as_user, make::*, within};
use actors::{Client, read};
use protocol::{Key, Kind, Page, Position, Timestamp, UserId, post::Visibility};
use std::{
    collections::{BTreeSet, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use store::{Commit, ContentWrite, Expect, Guard};
use uuid::Uuid;

/// One page of somebody's feed: its posts, and where the next one begins.
async fn page(client: &Client, viewer: UserId, page: Page) -> (Vec<Arc<actors::Snapshot>>, Option<Position>) {
    let call = client.call(as_user(viewer));
    let rows = within("a feed", read::complete(client, &call, |sight| read::feed(sight, viewer, page))).await.expect("a page");
    assert!(rows.rows.len() <= usize::from(page.limit), "a page is not longer than asked for");
    (rows.rows, rows.next)
}

/// All pages of somebody's feed.
async fn pages(client: &Client, viewer: UserId, limit: u16) -> Vec<Uuid> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let (rows, next) = page(client, viewer, Page { after, limit }).await;
        ids.extend(rows.iter().map(|row| row.key.id));
        if next.is_none() {
            return ids;
        }
        assert!(next < after || after.is_none(), "pages go on");
        after = next;
        // Warm pages never wait: let others in.
        tokio::task::yield_now().await;
    }
}

/// A post whose delivery was slow arrives when the feed has been rebuilt with newer ones, and does not fit into memory any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_that_comes_late_leaves_no_gap() {
    let mut setup = Setup::default();
    setup.limits.inbox_ids_max = 3;
    let platform = setup.start().await;
    let (slow, quick, reader) = (platform.person().await, platform.person().await, platform.person().await);
    platform.follow(reader, slow).await.expect("followed");
    let gate = platform.faults.hold("followers");
    let (client, call) = (platform.client.clone(), platform.call(slow));
    let posting = tokio::spawn(async move {
        let command = protocol::Command::Timeline(new_post("slow", Visibility::Public));
        client.write(&call, Key::new(Kind::Timeline, slow), command).await
    });
    gate.came(1).await;
    let mut newest_first: Vec<_> = Vec::new();
    for number in 0..8 {
        newest_first.insert(0, platform.post(quick, new_post(&number.to_string(), Visibility::Public)).await.0);
    }
    // The feed is built anew: memory holds the three newest, the store the rest.
    platform.follow(reader, quick).await.expect("followed");
    platform.view(Key::new(Kind::Feed, reader)).await.expect("a feed");
    gate.open();
    let slow_post = made(&within("the slow post", posting).await.expect("no panic").expect("posted"));
    newest_first.push(slow_post);
    assert_eq!(pages(&platform.client, reader, 100).await, newest_first);
    assert_eq!(pages(&platform.client, reader, 2).await, newest_first);
}

/// Posts put into the store as another program would, without telling anybody.
async fn bulk(platform: &Platform, author: UserId, count: usize, visibility: Visibility) {
    let template = platform.post(author, new_post("first", visibility)).await;
    let template = platform.truth.content.post(template).await.expect("the store answers").expect("the post");
    let key = Key::new(Kind::Timeline, author);
    let guard = Guard { slot: key.slot(), epoch: platform.node.ownership.epoch(key.slot()).expect("owned") };
    let commits = (0..count).map(|_| {
        let write = ContentWrite::CreatePost(Box::new(protocol::post::Post { id: protocol::PostId::new(), ..template.clone() }));
        let commit = Commit { guard, key, expect: Expect::Any, record: None, touches: Vec::new(), write, now: Timestamp::now() };
        platform.truth.content.commit(commit)
    });
    for committed in futures_util::future::join_all(commits).await {
        committed.expect("written");
    }
}

/// However much of what somebody posts is not for the reader, the reader's pages end, and hold what is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_desert_of_invisible_posts_is_crossed() {
    let platform = Platform::start().await;
    let (author, reader) = (platform.person().await, platform.person().await);
    platform.follow(reader, author).await.expect("followed");
    let before = platform.post(author, new_post("before", Visibility::Public)).await;
    bulk(&platform, author, 2000, Visibility::Private).await;
    let after = platform.post(author, new_post("after", Visibility::Public)).await;
    let platform = platform.restarted().await;
    // The smallest pages first, while nothing is warm.
    for limit in [1, 20, 100] {
        assert_eq!(pages(&platform.client, reader, limit).await, [after.0, before.0], "in pages of {limit}");
    }
}

/// Memory for hardly a page: what was fetched for a request stays in its hands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_does_not_fit_into_memory_is_answered() {
    let mut setup = Setup::default();
    setup.limits.cache_bytes_max = 4 << 10;
    let platform = setup.start().await;
    let (author, reader) = (platform.person().await, platform.person().await);
    platform.follow(reader, author).await.expect("followed");
    let mut newest_first = Vec::new();
    for number in 0..60 {
        newest_first.insert(0, platform.post(author, new_post(&number.to_string(), Visibility::Public)).await.0);
    }
    assert_eq!(pages(&platform.client, reader, 100).await, newest_first);
    assert_eq!(pages(&platform.client, reader, 7).await, newest_first);
}

/// Authors post, people follow and unfollow others, and memory is short, while readers page on and on.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_miss_nothing_while_everybody_writes() {
    for (cache_bytes_max, inbox_ids_max, pull_followers_min) in
        [(16 << 20, 256, 1000), (16 << 10, 3, 2), (6 << 10, 2, 1000), (16 << 20, 5, 1)]
    {
        let mut setup = Setup::default();
        (setup.limits.cache_bytes_max, setup.limits.inbox_ids_max) = (cache_bytes_max, inbox_ids_max);
        setup.limits.pull_followers_min = pull_followers_min;
        let platform = setup.start().await;
        let mut people = Vec::new();
        for _ in 0..6 {
            people.push(platform.person().await);
        }
        // The first two are followed by everybody all the time; the others come and go.
        let (steady, fickle) = people.split_at(2);
        for reader in &people {
            for author in steady.iter().filter(|author| *author != reader) {
                platform.follow(*reader, *author).await.expect("followed");
            }
        }
        let acknowledged: Arc<Mutex<BTreeSet<Uuid>>> = Arc::default();
        let done = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> =
            steady.iter().map(|author| tokio::spawn(author_posts(platform.client.clone(), *author, acknowledged.clone()))).collect();
        let unrest = tokio::spawn(follow_and_unfollow(platform.client.clone(), fickle.to_vec(), done.clone()));
        let readers: Vec<_> = people
            .iter()
            .map(|reader| tokio::spawn(read_on(platform.client.clone(), *reader, acknowledged.clone(), done.clone())))
            .collect();
        for writer in writers {
            within("an author", writer).await.expect("no author fails");
        }
        done.store(true, Ordering::Release);
        within("the unrest", unrest).await.expect("nobody fails");
        for reader in readers {
            within("a reader", reader).await.expect("no reader fails");
        }
    }
}

async fn author_posts(client: Client, author: UserId, acknowledged: Arc<Mutex<BTreeSet<Uuid>>>) {
    for number in 0..60 {
        let command = protocol::Command::Timeline(new_post(&number.to_string(), Visibility::Public));
        let reply = client.write(&client.call(as_user(author)), Key::new(Kind::Timeline, author), command).await.expect("posted");
        acknowledged.lock().expect("no panic").insert(made(&reply));
    }
}

async fn follow_and_unfollow(client: Client, people: Vec<UserId>, done: Arc<AtomicBool>) {
    for number in 0.. {
        if done.load(Ordering::Acquire) {
            return;
        }
        let (one, two) = (people[number % people.len()], people[(number + 1 + number / 4 % 3) % people.len()]);
        let command = if number % 3 == 0 { protocol::follow::Command::Unfollow(two) } else { protocol::follow::Command::Follow(two) };
        if one != two {
            let call = client.call(as_user(one));
            client.write(&call, Key::new(Kind::Follows, one), protocol::Command::Follows(command)).await.expect("followed or unfollowed");
        }
    }
}

async fn read_on(client: Client, reader: UserId, acknowledged: Arc<Mutex<BTreeSet<Uuid>>>, done: Arc<AtomicBool>) {
    for number in 1.. {
        let last = done.load(Ordering::Acquire);
        let due = acknowledged.lock().expect("no panic").clone();
        let shown = pages(&client, reader, [1, 3, 20][number % 3]).await;
        let unique: HashSet<_> = shown.iter().collect();
        assert_eq!(unique.len(), shown.len(), "a post appears twice");
        let missing: Vec<_> = due.iter().filter(|id| !unique.contains(id)).collect();
        assert!(missing.is_empty(), "{} of {} acknowledged posts are missing", missing.len(), due.len());
        if last {
            return;
        }
        tokio::task::yield_now().await;
    }
}
