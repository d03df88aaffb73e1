//! Connections that end before, at and after COMMIT, a server that restarts, pools that are full.

use super::*;
use crate::make::*;
use protocol::{Key, Kind, PostId, UserId};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use store::{CommitError, StoreError};
use testbed::postgres::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Ends every connection of the store that waits for a lock in the content database; gives how many there were.
const END_THE_WAITING: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                               WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = 'lets-connect'";

async fn count(client: &tokio_postgres::Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.expect("a count").get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_ends_before_commit_leaves_nothing_and_is_replaced() {
    let opened = fresh().await;
    let content = opened.stores().content;
    let author = UserId::new();
    let url = format!("{}_content", opened.databases.url());
    // Within a transaction, the server shows the same activity again and again.
    let (other, looking) = (client(&url).await, client(&url).await);
    let hold = async || other.batch_execute("BEGIN; SELECT 1 FROM slot_epoch FOR UPDATE").await.expect("held");
    let begin = || {
        let (content, write) = (content.clone(), creating(&post(author)));
        tokio::spawn(async move { content.commit(write).await })
    };
    // Once: it is carried out on another connection.
    hold().await;
    let commit = begin();
    eventually("it waits and is ended", async || count(&looking, END_THE_WAITING).await > 0).await;
    other.batch_execute("ROLLBACK").await.expect("let go");
    assert_eq!(commit.await.expect("no panic").expect("committed").version, 1);
    // Again and again: then it is given up.
    hold().await;
    let commit = begin();
    eventually("it is given up", async || {
        count(&looking, END_THE_WAITING).await;
        commit.is_finished()
    })
    .await;
    let outcome = commit.await.expect("no panic");
    assert!(matches!(outcome, Err(CommitError::Unavailable(_))), "{outcome:?}");
    other.batch_execute("ROLLBACK").await.expect("let go");
    assert_eq!(content.key_version(Key::new(Kind::Timeline, author)).await.expect("a version"), 1);
    assert_eq!(content.commit(creating(&post(author))).await.expect("committed").version, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_ends_at_commit_leaves_the_outcome_open() {
    let opened = fresh().await;
    let content = opened.stores().content;
    opened.databases.sql(
        "content",
        &[
            "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$",
            "CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON post DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold()",
        ],
    );
    let other = client(&format!("{}_content", opened.databases.url())).await;
    other.batch_execute("SELECT pg_advisory_lock(7)").await.expect("held");
    let post = post(UserId::new());
    let (writer, write) = (content.clone(), creating(&post));
    let commit = tokio::spawn(async move { writer.commit(write).await });
    eventually("it waits in COMMIT and is ended", async || count(&other, END_THE_WAITING).await > 0).await;
    let outcome = commit.await.expect("no panic");
    assert!(matches!(outcome, Err(CommitError::Unknown(_))), "{outcome:?}");
    other.batch_execute("SELECT pg_advisory_unlock(7)").await.expect("let go");
    assert_eq!(content.post(post.id).await.expect("a read"), None);
    content.commit(creating(&post)).await.expect("committed");
}

/// A way to the server on which its answers can be kept back.
struct Way {
    port: u16,
    keeps_back: Arc<AtomicBool>,
    cut: Arc<Notify>,
}

impl Way {
    async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (keeps_back, cut) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
        let way = Self { port, keeps_back: keeps_back.clone(), cut: cut.clone() };
        tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.expect("a connection");
                let far = TcpStream::connect(("127.0.0.1", server)).await.expect("a connection");
                tokio::spawn(Self::carry(near, far, keeps_back.clone(), cut.clone()));
            }
        });
        way
    }

    async fn carry(near: TcpStream, far: TcpStream, keeps_back: Arc<AtomicBool>, cut: Arc<Notify>) {
        let ((mut near_in, mut near_out), (mut far_in, mut far_out)) = (near.into_split(), far.into_split());
        let there = tokio::io::copy(&mut near_in, &mut far_out);
        let back = async {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = far_in.read(&mut bytes).await {
                if !keeps_back.load(Ordering::Acquire) && near_out.write_all(&bytes[..read]).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            _ = there => {}
            () = back => {}
            () = cut.notified() => {}
        }
    }
}

/// A store behind such a way, in which one post was written, so that everything is prepared.
async fn behind_a_way(databases: &Databases, statement_max: Duration) -> (Way, Stores, UserId) {
    let way = Way::to(Server::shared().port()).await;
    let own = Some(format!("postgres://postgres@127.0.0.1:{}/{}?sslmode=disable", way.port, databases.name("content")));
    let urls = Urls { content: own, ..urls(databases.url()) };
    let options = PostgresOptions { connections_max: 1, statement_max, ..options() };
    let stores = Postgres::open(&urls, &options, &Registry::new()).await.expect("opened").stores();
    let author = UserId::new();
    stores.content.commit(creating(&post(author))).await.expect("committed");
    (way, stores, author)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_after_commit_leaves_the_outcome_open() {
    let databases = databases().await;
    let (way, stores, author) = behind_a_way(&databases, PATIENCE).await;
    way.keeps_back.store(true, Ordering::Release);
    let (content, write) = (stores.content.clone(), creating(&post(author)));
    let commit = tokio::spawn(async move { content.commit(write).await });
    let other = client(&format!("{}_content", databases.url())).await;
    eventually("it is written", async || count(&other, "SELECT count(*) FROM post").await == 2).await;
    way.cut.notify_waiters();
    let outcome = commit.await.expect("no panic");
    assert!(matches!(outcome, Err(CommitError::Unknown(_))), "{outcome:?}");
    way.keeps_back.store(false, Ordering::Release);
    assert_eq!(stores.content.key_version(Key::new(Kind::Timeline, author)).await.expect("a new connection"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_falls_silent_is_given_up_and_its_connection_with_it() {
    let databases = databases().await;
    let (way, stores, author) = behind_a_way(&databases, Duration::from_millis(500)).await;
    way.keeps_back.store(true, Ordering::Release);
    let outcome = stores.content.commit(creating(&post(author))).await;
    assert!(matches!(outcome, Err(CommitError::Unknown(_))), "{outcome:?}");
    way.keeps_back.store(false, Ordering::Release);
    // The only connection of the pool was replaced.
    assert_eq!(stores.content.commit(creating(&post(author))).await.expect("committed").version, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_under_load_loses_nothing_that_was_acknowledged() {
    let mut server = Server::own();
    let options = PostgresOptions { checkout_max: Duration::from_secs(2), ..options() };
    let stores = open(&format!("{}/app", server.url()), &options).await;
    let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut writers = JoinSet::new();
    for _ in 0..4 {
        let (content, stop, all) = (stores.content.clone(), stop.clone(), acknowledged.clone());
        writers.spawn(async move {
            let author = UserId::new();
            let (mut known, mut open) = (0, 0);
            while !stop.load(Ordering::Acquire) {
                match content.commit(creating(&post(author))).await {
                    Ok(_) => known += 1,
                    Err(CommitError::Unknown(_)) => open += 1,
                    Err(CommitError::Unavailable(_)) => continue,
                    Err(other) => panic!("{other:?}"),
                }
                all.fetch_add(1, Ordering::AcqRel);
            }
            (author, known, open)
        });
    }
    for (round, end) in (1..).zip([Server::stop, Server::kill]) {
        let before = acknowledged.load(Ordering::Acquire);
        eventually("writes are acknowledged", async || acknowledged.load(Ordering::Acquire) > before + 50).await;
        server = tokio::task::spawn_blocking(move || {
            end(&mut server);
            server.start();
            server
        })
        .await
        .expect("no panic");
        let again = acknowledged.load(Ordering::Acquire);
        eventually("it goes on by itself", async || acknowledged.load(Ordering::Acquire) > again + 50).await;
        assert!(stores.users.ping().await.is_ok(), "round {round}: reads do, too");
    }
    stop.store(true, Ordering::Release);
    while let Some(writer) = writers.join_next().await {
        let (author, known, open) = writer.expect("no panic");
        let written = stores.content.key_version(Key::new(Kind::Timeline, author)).await.expect("a version");
        assert!((known..=known + open).contains(&written), "{known} acknowledged, {open} open, {written} written");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_pool_refuses_who_would_wait_too_long_and_who_are_too_many() {
    let databases = databases().await;
    let registry = Registry::new();
    let options = PostgresOptions { connections_max: 1, waiting_max: 2, checkout_max: Duration::from_millis(300), ..options() };
    let content = Postgres::open(&urls(databases.url()), &options, &registry).await.expect("opened").stores().content;
    let url = format!("{}_content", databases.url());
    let (other, looking) = (client(&url).await, client(&url).await);
    other.batch_execute("BEGIN; SELECT 1 FROM slot_epoch FOR UPDATE").await.expect("held");
    let (writer, write) = (content.clone(), creating(&post(UserId::new())));
    let commit = tokio::spawn(async move { writer.commit(write).await });
    eventually("it has the only connection", async || count(&looking, WAITING).await > 0).await;
    let mut reads = JoinSet::new();
    for _ in 0..5 {
        let content = content.clone();
        reads.spawn(async move { content.ping().await });
    }
    while let Some(read) = reads.join_next().await {
        assert!(matches!(read.expect("no panic"), Err(StoreError::Overloaded { database: "content" })));
    }
    let timeouts = registry.gather().into_iter().find(|family| family.name() == "store_pool_timeouts_total").expect("a family");
    assert_eq!(timeouts.get_metric().iter().map(|metric| metric.get_counter().get_value()).sum::<f64>(), 2.0, "three were not let in");
    other.batch_execute("ROLLBACK").await.expect("let go");
    commit.await.expect("no panic").expect("committed");
    content.ping().await.expect("it is free again");
}

const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = 'lets-connect'";

const CONNECTIONS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'lets-connect'";
const END_ALL: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                       WHERE datname = current_database() AND application_name = 'lets-connect'";

/// As many look-ups of a post at one time; each finds it.
async fn look_up(stores: &Stores, id: PostId, times: usize) {
    let mut reads = JoinSet::new();
    for _ in 0..times {
        let content = stores.content.clone();
        reads.spawn(async move { content.post(id).await });
    }
    while let Some(read) = reads.join_next().await {
        assert_eq!(read.expect("no panic").expect("a read").expect("the post").id, id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn look_ups_share_connections_and_outlive_their_end() {
    let databases = databases().await;
    let stores = open(databases.url(), &PostgresOptions { shared_connections: 2, ..options() }).await;
    let post = post(UserId::new());
    stores.content.commit(creating(&post)).await.expect("committed");
    let looking = client(&format!("{}_content", databases.url())).await;
    look_up(&stores, post.id, 500).await;
    assert_eq!(count(&looking, CONNECTIONS).await, 3, "the writer's, and two for everybody");
    assert_eq!(count(&looking, END_ALL).await, 3);
    look_up(&stores, post.id, 500).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn look_ups_that_are_too_many_are_refused_and_the_others_answered() {
    let databases = databases().await;
    let options = PostgresOptions { shared_connections: 1, waiting_max: 3, ..options() };
    let stores = open(databases.url(), &options).await;
    let post = post(UserId::new());
    stores.content.commit(creating(&post)).await.expect("committed");
    let url = format!("{}_content", databases.url());
    let (other, looking) = (client(&url).await, client(&url).await);
    other.batch_execute("BEGIN; LOCK TABLE post IN ACCESS EXCLUSIVE MODE").await.expect("held");
    let ask = || {
        let (content, id) = (stores.content.clone(), post.id);
        tokio::spawn(async move { content.post(id).await })
    };
    let first = ask();
    eventually("it waits for the table", async || count(&looking, WAITING).await > 0).await;
    let mut reads: Vec<_> = std::iter::repeat_with(ask).take(5).collect();
    eventually("three are refused", async || reads.iter().filter(|read| read.is_finished()).count() == 3).await;
    let (refused, waiting): (Vec<_>, Vec<_>) = reads.drain(..).partition(|read| read.is_finished());
    for read in refused {
        let outcome = read.await.expect("no panic");
        assert!(matches!(outcome, Err(StoreError::Overloaded { database: "content" })), "{outcome:?}");
    }
    other.batch_execute("ROLLBACK").await.expect("let go");
    for read in waiting.into_iter().chain([first]) {
        assert!(read.await.expect("no panic").expect("a read").is_some());
    }
}
