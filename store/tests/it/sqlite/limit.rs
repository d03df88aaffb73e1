//! Full queues, a database held by another program, batches, and what is counted.

use super::*;
use crate::make::*;
use protocol::{Key, Kind, UserId};
use rusqlite::Connection;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use store::{CommitError, Expect, StoreError};
use tokio::task::JoinSet;

/// Another program that holds a database's write lock, as a backup might.
fn hold(dir: &Path) -> Connection {
    let db = Connection::open(dir.join("content.db")).expect("a database");
    db.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    db
}

fn value(registry: &Registry, name: &str, labels: &[(&str, &str)]) -> f64 {
    let families = registry.gather();
    let family = families.iter().find(|f| f.name() == name);
    let metric = family
        .into_iter()
        .flat_map(|f| f.get_metric())
        .find(|m| labels.iter().all(|(name, value)| m.get_label().iter().any(|l| l.name() == *name && l.value() == *value)));
    // A metric is one of the three, and the others are 0.
    metric.map_or(0.0, |m| m.get_counter().get_value() + m.get_gauge().get_value() + m.get_histogram().get_sample_count() as f64)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_at_once_and_loses_nothing_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = SqliteOptions { write_queue_max: 2, write_batch_max: 1, busy_timeout_ms: 60_000, ..SqliteOptions::default() };
    let sqlite = try_open(dir.path(), &options).expect("opened");
    let content = sqlite.stores().content;
    let held = hold(dir.path());
    let author = UserId::new();
    let (mut commits, mut refused) = (JoinSet::new(), 0);
    // One is with the writer, two wait: of eight, five at least are refused, while the writer still stands.
    for _ in 0..8 {
        let (content, write) = (content.clone(), creating(&post(author)));
        commits.spawn(async move { content.commit(write).await });
    }
    while refused < 5 {
        match commits.join_next().await.expect("more").expect("no panic") {
            Err(CommitError::Unavailable(StoreError::Overloaded { database: "content" })) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    // Reads do not wait for the writer.
    assert_eq!(content.key_version(Key::new(Kind::Timeline, author)).await.expect("a read"), 0);
    drop(held);
    let mut committed = 0;
    while let Some(outcome) = commits.join_next().await {
        match outcome.expect("no panic") {
            Ok(_) => committed += 1,
            Err(CommitError::Unavailable(StoreError::Overloaded { .. })) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(committed >= 2, "{committed}");
    assert_eq!(content.key_version(Key::new(Kind::Timeline, author)).await.expect("a read"), committed);
}

#[tokio::test]
async fn a_database_that_is_held_too_long_is_unavailable_and_comes_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let sqlite = try_open(dir.path(), &SqliteOptions { busy_timeout_ms: 1, ..SqliteOptions::default() }).expect("opened");
    let content = sqlite.stores().content;
    let held = hold(dir.path());
    let post = post(UserId::new());
    let refused = content.commit(creating(&post)).await;
    assert!(matches!(refused, Err(CommitError::Unavailable(StoreError::Unavailable { .. }))), "{refused:?}");
    assert_eq!(content.post(post.id).await.expect("reads go on"), None);
    drop(held);
    content.commit(creating(&post)).await.expect("it is back");
}

#[tokio::test]
async fn one_bad_commit_among_many_good_ones() {
    let dir = tempfile::tempdir().expect("a directory");
    let registry = Registry::new();
    let options = SqliteOptions { busy_timeout_ms: 60_000, ..SqliteOptions::default() };
    let sqlite = Sqlite::open(dir.path(), &options, &registry).expect("opened");
    let content = sqlite.stores().content;
    let author = UserId::new();
    // While another program holds the lock, everything gathers: then it becomes at most two batches.
    let held = hold(dir.path());
    let mut commits = Vec::new();
    for n in 0..50 {
        let mut write = creating(&post(author));
        if n % 10 == 7 {
            write.expect = Expect::Version(1_000_000);
        }
        let mut commit = content.commit(write);
        // Its first step hands it over.
        assert!(poll_fn(|cx| Poll::Ready(commit.as_mut().poll(cx))).await.is_pending());
        commits.push(commit);
    }
    drop(held);
    let (mut good, mut bad) = (0, 0);
    for commit in commits {
        match commit.await {
            Ok(_) => good += 1,
            Err(CommitError::Conflict) => bad += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!((good, bad), (45, 5));
    assert_eq!(content.key_version(Key::new(Kind::Timeline, author)).await.expect("a version"), 45);
    let counted = |outcome| value(&registry, "store_commits_total", &[("database", "content"), ("outcome", outcome)]);
    assert_eq!((counted("committed"), counted("conflict"), counted("unknown")), (45.0, 5.0, 0.0));
    let batches = value(&registry, "store_commit_batch_size", &[("database", "content")]);
    assert!(batches <= 2.0, "{batches} transactions");
    assert_eq!(value(&registry, "store_queue_depth", &[("database", "content"), ("queue", "write")]), 0.0);
}

#[tokio::test]
async fn every_operation_is_counted_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let registry = Registry::new();
    let sqlite = Sqlite::open(dir.path(), &SqliteOptions::default(), &registry).expect("opened");
    let stores = sqlite.stores();
    let user = somebody(&stores).await;
    for _ in 0..3 {
        stores.users.user(user.id).await.expect("a read");
    }
    let authors: Arc<[UserId]> = (0..100).map(|_| UserId::new()).collect();
    stores.content.posts_by(authors, protocol::Page::default()).await.expect("a page");
    for (database, operation, times) in
        [("users", "commit", 1.0), ("users", "user", 3.0), ("content", "posts_by", 1.0), ("content", "post", 0.0)]
    {
        for name in ["store_queries_total", "store_query_duration_seconds"] {
            assert_eq!(value(&registry, name, &[("database", database), ("operation", operation)]), times, "{name} {operation}");
        }
    }
    let twice = Sqlite::open(&dir.path().join("other"), &SqliteOptions::default(), &registry).map(drop);
    assert!(matches!(twice, Err(OpenError::Metrics(_))), "one registry, one store");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_records_are_forgotten_many_at_a_time() {
    let opened = fresh().await;
    let content = opened.stores().content;
    let author = UserId::new();
    let mut commits = JoinSet::new();
    for n in 0..2500 {
        let mut write = creating(&post(author));
        write.record = Some(record(author, &n.to_string()));
        let content = content.clone();
        commits.spawn(async move { content.commit(write).await.map(drop) });
    }
    while let Some(outcome) = commits.join_next().await {
        outcome.expect("no panic").expect("committed");
    }
    assert_eq!(content.forget_records(NOW.plus_ms(1)).await.expect("forgotten"), 2500);
}
