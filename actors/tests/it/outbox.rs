//! What must follow a commit follows it, also over a crash.

use crate::harness::{Act, Platform, Setup, eventually, first, make::*, within};
use actors::{entity::family, read};
use protocol::{Command, Epoch, Fact, Key, Kind, Query, Timestamp, UserId, post::Visibility, product::Selection};
use store::{Commit, Effect, Expect, Guard, ShopWrite, Touch};
use uuid::Uuid;

async fn feed(platform: &Platform, viewer: UserId) -> Vec<Uuid> {
    let page =
        within("a feed", read::complete(&platform.client, &platform.call(viewer), |sight| read::feed(sight, viewer, first(100)))).await;
    page.expect("a page").rows.iter().map(|row| row.key.id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_leave_after_everybody_confirmed() {
    let platform = Platform::start().await;
    let (ada, bob) = (platform.person().await, platform.person().await);
    platform.follow(ada, bob).await.expect("followed");
    platform.post(bob, new_post("hello", Visibility::Public)).await;
    let product = platform.product(bob, new_product("lamp", 1)).await;
    platform.order(ada, product).await.expect("ordered");
    eventually("an empty outbox", || async { platform.outbox_rows().await == 0 }).await;
    // Only the first sweep looks at what is not overdue: it is over when a second one was at work.
    platform.unfollow(ada, bob).await.expect("unfollowed");
    eventually("an empty outbox", || async { platform.outbox_rows().await == 0 }).await;

    // Nobody confirmed: the row stays.
    let gate = platform.faults.hold("followers");
    let (client, call) = (platform.client.clone(), platform.call(bob));
    let command = Command::Timeline(new_post("slow", Visibility::Private));
    let posting = tokio::spawn(async move { client.write(&call, Key::new(Kind::Timeline, bob), command).await });
    gate.came(1).await;
    for sweep in ["the next sweep", "the one after it"] {
        platform.follow(bob, ada).await.expect("followed");
        platform.unfollow(bob, ada).await.expect("unfollowed");
        eventually(sweep, || async { platform.outbox_rows().await <= 1 }).await;
    }
    assert_eq!(platform.outbox_rows().await, 1);
    assert!(!posting.is_finished());
    gate.open();
    within("the post", posting).await.expect("no panic").expect("posted");
    eventually("an empty outbox", || async { platform.outbox_rows().await == 0 }).await;
}

/// The node dies between commit and delivery: the next one finds the rows and carries them out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_crash_left_is_delivered_by_the_next_node() {
    let platform = Setup { sweeper: false, ..Setup::default() }.start().await;
    let (reader, author) = (platform.person().await, platform.person().await);
    platform.follow(reader, author).await.expect("followed");
    let gate = platform.faults.hold("followers");
    let (client, call) = (platform.client.clone(), platform.call(author));
    let command = Command::Timeline(new_post("hello", Visibility::Public));
    let posting = tokio::spawn(async move { client.write(&call, Key::new(Kind::Timeline, author), command).await });
    gate.came(1).await;
    let disk = platform.crash();
    posting.abort();

    let platform = Setup { sweeper: false, ..Setup::default() }.start_on(disk).await;
    let rows = platform.truth.content.outbox(None, 10).await.expect("the store answers");
    assert!(rows.iter().any(|row| matches!(row.effect, Effect::FanOut { author: a, .. } if a == author)), "{rows:?}");
    platform.start_sweeper().await;
    eventually("an empty outbox", || async { platform.outbox_rows().await == 0 }).await;
    assert_eq!(feed(&platform, reader).await.len(), 1);
}

/// What the sweeper finds it carries out: owners forget what the commit changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_found_in_the_outbox_reaches_its_owner() {
    let platform = Setup { sweeper: false, ..Setup::default() }.start().await;
    let seller = platform.person().await;
    let id = platform.product(seller, new_product("lamp", 1)).await;
    let list = Key::new(Kind::ProductList, family::PRODUCTS);
    let listed = || async {
        let page = platform.query(list, Query::Products(Selection::default())).await.expect("a page");
        matches!(&page.view.fact, Fact::Ids { ids, .. } if ids.len() == 1)
    };
    assert!(listed().await);
    // A commit whose node died before it told anybody: the product is deleted.
    let key = Key::new(Kind::Product, id);
    let mut gone = platform.truth.shop.product(id).await.expect("the store answers").expect("the product");
    (gone.deleted, gone.version) = (true, 2);
    let epoch = Epoch(platform.epoch(&*platform.truth.shop, key).await);
    let commit = Commit {
        guard: Guard { slot: key.slot(), epoch },
        key,
        expect: Expect::Row,
        record: None,
        touches: vec![Touch::Key(list)],
        write: ShopWrite::SaveProduct(Box::new(gone)),
        now: Timestamp::now(),
    };
    platform.truth.shop.commit(commit).await.expect("written");
    assert!(listed().await, "nobody told its owner");
    // An effect that cannot be delivered does not hinder the others.
    platform.faults.always("followers", Act::Fail);
    let author = platform.person().await;
    let post = Command::Timeline(new_post("hello", Visibility::Public));
    platform.write(author, Key::new(Kind::Timeline, author), post).await.expect_err("it cannot be delivered");
    platform.start_sweeper().await;
    eventually("the change", || async { !listed().await }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_keeps_no_other_from_being_swept() {
    let platform = Setup { sweeper: false, ..Setup::default() }.start().await;
    let (author, friend) = (platform.person().await, platform.person().await);
    platform.follow(author, friend).await.expect("followed");
    platform.post(author, new_post("hello", Visibility::Public)).await;
    for method in ["users.confirm", "users.outbox"] {
        platform.faults.always(method, Act::Fail);
    }
    platform.start_sweeper().await;
    let rows = async |domain: &dyn store::Domain| domain.outbox(None, 10).await.expect("the store answers").len();
    eventually("the post's effects to leave", || async { rows(&*platform.truth.content).await == 0 }).await;
    assert_eq!(rows(&*platform.truth.users).await, 4, "the effects of registrations and the follow wait for their database");
}

/// One effect of many that cannot be delivered, and is tried first each time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_effect_that_fails_hinders_no_other() {
    let platform = Setup { sweeper: false, ..Setup::default() }.start().await;
    let (author, reader) = (platform.person().await, platform.person().await);
    platform.follow(reader, author).await.expect("followed");
    platform.faults.always("followers", Act::Fail);
    let timeline = Key::new(Kind::Timeline, author);
    for _ in 0..3 {
        platform
            .write(author, timeline, Command::Timeline(new_post("hello", Visibility::Public)))
            .await
            .expect_err("it cannot be delivered");
    }
    platform.faults.heal("followers");
    platform.faults.once("followers", Act::Fail);
    let before = platform.outbox_rows().await;
    platform.start_sweeper().await;
    // One of the three fan-outs fails; everything else leaves.
    eventually("the rest of the outbox", || async { platform.outbox_rows().await == 1 }).await;
    assert!(before >= 4, "{before}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_author_above_the_threshold_is_pulled_and_still_seen() {
    let setup = || {
        let mut setup = Setup::default();
        setup.limits.pull_followers_min = 3;
        setup
    };
    let platform = setup().start().await;
    let author = platform.person().await;
    let mut readers = Vec::new();
    for _ in 0..5 {
        let reader = platform.person().await;
        platform.follow(reader, author).await.expect("followed");
        assert!(feed(&platform, reader).await.is_empty(), "their feeds are warm");
        readers.push(reader);
    }
    let mut newest_first = Vec::new();
    for number in 0..3 {
        newest_first.insert(0, platform.post(author, new_post(&number.to_string(), Visibility::Public)).await.0);
        for reader in readers.iter().chain([&author]) {
            assert_eq!(feed(&platform, *reader).await, newest_first);
        }
    }
    assert_eq!(platform.truth.users.pulled().await.expect("the store answers"), [author]);
    assert_eq!(platform.faults.calls("followers"), 1, "later posts are not pushed");
    // It stays so with fewer followers, and over a restart.
    for reader in &readers[1..] {
        platform.unfollow(*reader, author).await.expect("unfollowed");
        assert!(feed(&platform, *reader).await.is_empty());
    }
    let platform = setup().start_on(platform.crash()).await;
    assert_eq!(feed(&platform, readers[0]).await, newest_first);
    newest_first.insert(0, platform.post(author, new_post("more", Visibility::Public)).await.0);
    assert_eq!(feed(&platform, readers[0]).await, newest_first);
}
