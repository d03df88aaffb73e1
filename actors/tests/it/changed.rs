//! What one owner's commit does to what another one caches.

use crate::harness::{Act, Gate, Platform, Setup, as_user, eventually, first, make::*, within};
use actors::{
    Client, Node,
    entity::{Absorbed, Asked, Decision, Entity, QueryError, feed::Feed, timeline::Newest},
    read, region,
    snapshot::shard_of,
};
use protocol::{
    Command, Fact, Key, Kind, Query, Refusal, Slot, UserId, View, envelope::Change, follow, follow::Relations, post::Visibility,
};
use std::{
    convert::Infallible,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};
use store::StoreError;
use uuid::Uuid;

fn relations_key(user: UserId) -> Key {
    Key::new(Kind::Follows, user)
}

fn follow_later(client: &Client, follower: UserId, followee: UserId) -> tokio::task::JoinHandle<Result<protocol::Reply, Refusal>> {
    let (client, call) = (client.clone(), client.call(as_user(follower)));
    tokio::spawn(async move { client.write(&call, relations_key(follower), Command::Follows(follow::Command::Follow(followee))).await })
}

async fn relations(platform: &Platform, user: UserId) -> Relations {
    let found = platform.view(relations_key(user)).await.expect("relations");
    match &found.view.fact {
        Fact::Follows(relations) => (**relations).clone(),
        _ => panic!("relations were expected"),
    }
}

/// The posts on the first page of somebody's feed.
async fn feed(platform: &Platform, viewer: UserId) -> Vec<Uuid> {
    let call = platform.call(viewer);
    let page = within("a feed", read::complete(&platform.client, &call, |sight| read::feed(sight, viewer, first(100)))).await;
    page.expect("a page").rows.iter().map(|row| row.key.id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_who_follow_each_other_at_once_do_not_wait_for_each_other() {
    let platform = Platform::start().await;
    let mut people = Vec::new();
    for _ in 0..20 {
        people.push(platform.person().await);
    }
    let follows: Vec<_> = people
        .iter()
        .flat_map(|a| people.iter().filter(move |b| a != *b).map(move |b| (*a, *b)))
        .map(|(a, b)| follow_later(&platform.client, a, b))
        .collect();
    for follow in follows {
        within("a follow", follow).await.expect("no panic").expect("followed");
    }
    for person in &people {
        assert_eq!(relations(&platform, *person).await.friends.len(), 19);
    }
}

/// Owners with as much in their care as they may have still hear of changes: or two of them would wait for each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_owner_hears_of_changes() {
    let mut setup = Setup::default();
    setup.limits.owner_inflight_max = 1;
    let platform = setup.start().await;
    let (ada, mut bob) = (platform.person().await, platform.person().await);
    // Two owners, not one.
    while shard_of(Slot::of(ada.0)) == shard_of(Slot::of(bob.0)) {
        bob = platform.person().await;
    }
    let gate = Gate::new();
    platform.faults.always("users.commit", Act::HoldAnswer(gate.clone()));
    let (one, two) = (follow_later(&platform.client, ada, bob), follow_later(&platform.client, bob, ada));
    gate.came(2).await;
    gate.open();
    within("the first follow", one).await.expect("no panic").expect("followed");
    within("the second follow", two).await.expect("no panic").expect("followed");
    assert!(relations(&platform, ada).await.is_friend(bob) && relations(&platform, bob).await.is_friend(ada));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_that_began_before_a_change_is_repeated() {
    let platform = Platform::start().await;
    let (ada, bob) = (platform.person().await, platform.person().await);
    let platform = platform.restarted().await;
    let gate = platform.faults.hold_answer("relations");
    let before = platform.faults.calls("relations");
    let (client, call) = (platform.client.clone(), platform.call(bob));
    let early = tokio::spawn(async move { client.view(&call, relations_key(bob)).await });
    gate.came(1).await;
    platform.follow(ada, bob).await.expect("confirmed while the load is under way");
    let (client, call) = (platform.client.clone(), platform.call(bob));
    let late = tokio::spawn(async move { client.view(&call, relations_key(bob)).await });
    platform.waiting(relations_key(bob), 2).await;
    gate.open();
    within("the early reader", early).await.expect("no panic").expect("relations, as they were or as they are");
    let found = within("the late reader", late).await.expect("no panic").expect("relations");
    assert!(matches!(&found.view.fact, Fact::Follows(relations) if relations.followers == 1));
    assert!(platform.faults.calls("relations") >= before + 2, "it was loaded again");
    assert_eq!(relations(&platform, bob).await.followers, 1, "what was overtaken is not kept");
}

/// Whoever is followed by a crowd can still read: each load is overtaken by a change, and serves those who waited for it from its beginning.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loads_that_are_overtaken_by_changes_again_and_again_are_answered() {
    const CROWD: usize = 8;
    let platform = Platform::start().await;
    let bob = platform.person().await;
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let one = platform.person().await;
        relations(&platform, one).await;
        crowd.push(one);
    }
    let gates: Vec<_> = (0..CROWD).map(|_| platform.faults.hold_answer("relations")).collect();
    let read = || {
        let (client, call) = (platform.client.clone(), platform.call(bob));
        tokio::spawn(async move { client.view(&call, relations_key(bob)).await })
    };
    let mut readers = vec![read()];
    for (number, (one, gate)) in crowd.iter().zip(&gates).enumerate() {
        gate.came(1).await;
        platform.follow(*one, bob).await.expect("followed");
        readers.push(read());
        platform.waiting(relations_key(bob), 2).await;
        gate.open();
        let found = within("whoever waited from the beginning", readers.remove(0)).await.expect("no panic").expect("relations");
        assert!(
            matches!(&found.view.fact, Fact::Follows(relations) if relations.followers >= number as u64),
            "a read that began after {number} follows"
        );
    }
    let found = within("the last reader", readers.remove(0)).await.expect("no panic").expect("relations");
    assert!(matches!(&found.view.fact, Fact::Follows(relations) if relations.followers == CROWD as u64));
    assert_eq!(relations(&platform, bob).await.followers, CROWD as u64);
}

/// The same as a storm: nobody is refused, and nobody sees less than what was acknowledged before they asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_of_followers_keeps_nobody_from_reading() {
    let platform = Platform::start().await;
    let celebrity = platform.person().await;
    let mut crowd = Vec::new();
    for _ in 0..300 {
        crowd.push(platform.person().await);
    }
    let acknowledged = Arc::new(AtomicU64::new(0));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (client, acknowledged) = (platform.client.clone(), acknowledged.clone());
            tokio::spawn(async move {
                loop {
                    let floor = acknowledged.load(Ordering::Acquire);
                    let found = client.view(&client.call(as_user(celebrity)), relations_key(celebrity)).await.expect("relations");
                    let Fact::Follows(relations) = &found.view.fact else { panic!("relations were expected") };
                    assert!(relations.followers >= floor, "{} followers after {floor} were acknowledged", relations.followers);
                    if floor == 300 {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let follows: Vec<_> = crowd
        .into_iter()
        .map(|one| {
            let (follow, acknowledged) = (follow_later(&platform.client, one, celebrity), acknowledged.clone());
            tokio::spawn(async move {
                follow.await.expect("no panic").expect("followed");
                acknowledged.fetch_add(1, Ordering::AcqRel);
            })
        })
        .collect();
    // Nor from writing.
    for _ in 0..10 {
        let one = platform.person().await;
        platform.follow(celebrity, one).await.expect("followed");
        platform.unfollow(celebrity, one).await.expect("unfollowed");
    }
    for task in follows.into_iter().chain(readers) {
        within("somebody", task).await.expect("nobody fails");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_made_while_a_feed_is_rebuilt_is_in_it() {
    let platform = Platform::start().await;
    let (author, reader) = (platform.person().await, platform.person().await);
    platform.follow(reader, author).await.expect("followed");
    let old = platform.post(author, new_post("old", Visibility::Public)).await;
    let platform = platform.restarted().await;
    // The rebuild's query has run, without the post that comes now, when the post is acknowledged.
    let gate = platform.faults.hold_answer("posts_by");
    let (client, call) = (platform.client.clone(), platform.call(reader));
    let loading = tokio::spawn(async move { client.view(&call, Key::new(Kind::Feed, reader)).await.map(drop) });
    gate.came(1).await;
    let new = platform.post(author, new_post("new", Visibility::Public)).await;
    gate.open();
    within("the rebuild", loading).await.expect("no panic").expect("a feed");
    assert_eq!(feed(&platform, reader).await, [new.0, old.0]);
    assert_eq!(platform.faults.calls("posts_by"), 1, "it was not rebuilt once more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follow_made_while_a_feed_is_rebuilt_counts() {
    let platform = Platform::start().await;
    let (author, reader) = (platform.person().await, platform.person().await);
    let post = platform.post(author, new_post("old", Visibility::Public)).await;
    let gate = platform.faults.hold_answer("posts_by");
    let (client, call) = (platform.client.clone(), platform.call(reader));
    let loading = tokio::spawn(async move { client.view(&call, Key::new(Kind::Feed, reader)).await.map(drop) });
    gate.came(1).await;
    platform.follow(reader, author).await.expect("followed");
    gate.open();
    within("the rebuild", loading).await.expect("no panic").expect("a feed");
    assert_eq!(feed(&platform, reader).await, [post.0]);
}

/// Memory that holds nothing at all: what an owner works on is only in its own hands, and is told of changes there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_reaches_what_is_not_in_memory_any_more() {
    let mut setup = Setup::default();
    setup.limits.cache_bytes_max = 1;
    let platform = setup.start().await;
    let (ada, bob) = (platform.person().await, platform.person().await);
    platform.follow(ada, bob).await.expect("followed");
    // Ada follows Bob once more: nothing changes, so her owner keeps to what it knew before.
    let gate = platform.faults.hold("users.commit");
    let again = follow_later(&platform.client, ada, bob);
    gate.came(1).await;
    platform.follow(bob, ada).await.expect("followed");
    let (client, call) = (platform.client.clone(), platform.call(ada));
    let reader = tokio::spawn(async move { client.view(&call, relations_key(ada)).await });
    platform.waiting(relations_key(ada), 2).await;
    gate.open();
    within("the follow", again).await.expect("no panic").expect("followed");
    let found = within("the reader", reader).await.expect("no panic").expect("relations");
    assert!(matches!(&found.view.fact, Fact::Follows(relations) if relations.is_friend(bob)), "acknowledged before the read began");
}

/// The owner of feeds, but it takes its time to hear of a change of version.
struct Slow;

static HEARING: (Mutex<bool>, Condvar) = (Mutex::new(true), Condvar::new());

/// While it lives, the slow owners hear nothing.
struct Deafness;

impl Deafness {
    fn begin() -> Self {
        *HEARING.0.lock().expect("no panic") = false;
        Self
    }
}

impl Drop for Deafness {
    fn drop(&mut self) {
        *HEARING.0.lock().expect("no panic") = true;
        HEARING.1.notify_all();
    }
}

impl Entity for Slow {
    const KIND: Kind = Kind::Feed;
    const KEEPS_PARTS: bool = Feed::KEEPS_PARTS;
    type State = Newest;
    type Command = Infallible;

    fn command(command: Command) -> Option<Infallible> {
        Feed::command(command)
    }

    async fn load(node: &Arc<Node>, id: Uuid) -> Result<Option<Newest>, StoreError> {
        Feed::load(node, id).await
    }

    fn version(state: &Newest) -> u64 {
        Feed::version(state)
    }

    fn bytes(state: &Newest) -> usize {
        Feed::bytes(state)
    }

    fn view(state: &Newest) -> View {
        Feed::view(state)
    }

    async fn query(node: &Arc<Node>, id: Uuid, state: Arc<Newest>, query: Query) -> Result<View, QueryError> {
        Feed::query(node, id, state, query).await
    }

    fn decide(state: Option<&Newest>, asked: &Asked, command: Infallible) -> Result<Decision<Newest>, Refusal> {
        Feed::decide(state, asked, command)
    }

    fn absorb(state: &Newest, change: &Change) -> Absorbed<Newest> {
        let hearing = HEARING.0.lock().expect("no panic");
        drop(HEARING.1.wait_while(hearing, |hearing| !*hearing).expect("no panic"));
        Feed::absorb(state, change)
    }
}

/// A follow that "is so already" is acknowledged when everybody heard of the one that made it so: whoever is told that they follow sees the posts.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_repeated_follow_waits_for_what_the_first_one_owes() {
    let platform = Setup { owners: vec![(Kind::Feed, region::owners::<Slow>)], ..Setup::default() }.start().await;
    let (author, reader) = (platform.person().await, platform.person().await);
    let post = platform.post(author, new_post("hello", Visibility::Public)).await;
    assert!(feed(&platform, reader).await.is_empty());
    let deafness = Deafness::begin();
    let one = follow_later(&platform.client, reader, author);
    eventually("the follow's commit", || async {
        let relations = platform.truth.users.relations(reader).await.expect("the store answers");
        relations.follows(author)
    })
    .await;
    let two = follow_later(&platform.client, reader, author);
    platform.waiting(relations_key(reader), 2).await;
    // Whoever comes behind the repetition shows that it was carried out: its answer waits for the feed's owner.
    let (client, call) = (platform.client.clone(), platform.call(reader));
    let behind =
        tokio::spawn(
            async move { client.write(&call, relations_key(reader), Command::Follows(follow::Command::Follow(UserId::new()))).await },
        );
    within("the write behind them", behind).await.expect("no panic").expect_err("nobody has that id");
    assert!(!one.is_finished() && !two.is_finished(), "acknowledged before the feed's owner heard of it");
    drop(deafness);
    for follow in [one, two] {
        within("a follow", follow).await.expect("no panic").expect("followed");
    }
    assert_eq!(feed(&platform, reader).await, [post.0]);
}
