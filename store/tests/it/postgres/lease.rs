//! One process at a time has the databases to itself.

use super::*;
use crate::make::*;
use std::time::Duration;
use store::postgres::{InstanceLease, LeaseError};
use testbed::postgres::Server;

/// Short enough for a test, long enough for a busy machine to renew in time three times over.
const LENGTH: Duration = Duration::from_millis(1500);

async fn take(databases: &Databases, description: &str) -> Result<InstanceLease, LeaseError> {
    InstanceLease::take(&urls(databases.url()), LENGTH, description).await
}

async fn release(lease: InstanceLease) {
    tokio::task::spawn_blocking(|| lease.release()).await.expect("no panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_is_refused_and_told_who_holds_it() {
    let databases = databases().await;
    let first = take(&databases, "the first").await.expect("taken");
    let lease = first.lease();
    assert!(lease.holds());
    let refused = take(&databases, "the second").await.map(drop).expect_err("refused");
    assert!(matches!(&refused, LeaseError::InUse { holder } if holder == "the first"), "{refused:?}");
    assert!(lease.holds(), "whoever is refused has changed nothing");
    release(first).await;
    assert!(!lease.holds());
    // What was given back is to be had at once.
    let began = std::time::Instant::now();
    release(take(&databases, "the second").await.expect("taken")).await;
    assert!(began.elapsed() < LENGTH, "{:?}", began.elapsed());
}

/// The first process on a server makes its databases before it takes the lease. How long that takes is the server's matter, not the lease's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_takes_long_to_make_is_made() {
    let server = Server::own();
    let mut busy = client(&format!("{}/postgres", server.url())).await;
    // Databases can be listed, but none can be made.
    let blocking = busy.transaction().await.expect("a transaction");
    blocking.batch_execute("LOCK TABLE pg_database IN SHARE MODE").await.expect("locked");
    let urls = urls(&format!("{}/app", server.url()));
    let taking = tokio::spawn(async move { InstanceLease::take(&urls, Duration::from_secs(1), "the first").await.map(drop) });
    let waits =
        "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%' AND state = 'active' AND now() - query_start > '1500 ms'";
    eventually("it is made for longer than the lease", async || {
        assert!(!taking.is_finished(), "it was given up");
        server.sql("postgres", &[waits]).trim() == "1"
    })
    .await;
    blocking.commit().await.expect("let go");
    let taken = taking.await.expect("no panic");
    assert!(matches!(taken, Err(LeaseError::NoSchema)), "it is there: {taken:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_start_at_once_one_is_refused() {
    let databases = databases().await;
    let (one, other) = tokio::join!(take(&databases, "one"), take(&databases, "other"));
    let held = [&one, &other].into_iter().filter(|taken| taken.is_ok()).count();
    assert_eq!(held, 1);
    for taken in [one, other].into_iter().flatten() {
        release(taken).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lease_of_a_holder_that_died_is_taken_once_it_has_ended_there() {
    let databases = databases().await;
    databases
        .sql("users", &["UPDATE instance_lease SET holder = gen_random_uuid(), description = 'the dead', length_ms = 600, counter = 7"]);
    let began = std::time::Instant::now();
    let lease = take(&databases, "the heir").await.expect("taken");
    assert!(began.elapsed() >= Duration::from_millis(800), "it may have lived until now: {:?}", began.elapsed());
    release(lease).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_lost_the_lease_knows_it_and_by_whom() {
    let databases = databases().await;
    let lease = take(&databases, "the first").await.expect("taken");
    databases.sql("users", &["UPDATE instance_lease SET holder = gen_random_uuid(), description = 'a thief', counter = counter + 1"]);
    let lost = tokio::time::timeout(PATIENCE, lease.lost()).await.expect("it is noticed");
    assert_eq!(lost.holder, "a thief");
    assert!(!lease.lease().holds());
    release(lease).await;
    let holder = databases.sql("users", &["SELECT description FROM instance_lease WHERE holder IS NOT NULL"]);
    assert_eq!(holder.trim(), "a thief", "nobody gives back what is another's");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_ends_while_the_database_is_away_and_holds_again_when_it_is_back() {
    let mut server = Server::own();
    let held = InstanceLease::take(&urls(&server.url()), LENGTH, "the only one").await;
    assert!(matches!(held, Err(LeaseError::NoSchema)), "there is no schema yet");
    store::postgres::migrate(&urls(&server.url()), PATIENCE, false).await.expect("migrated");
    let held = InstanceLease::take(&urls(&server.url()), LENGTH, "the only one").await.expect("taken");
    let lease = held.lease();
    server.stop();
    eventually("the lease ends by the holder's own clock", async || !lease.holds()).await;
    server.start();
    eventually("it is renewed", async || lease.holds()).await;
    release(held).await;
}
