//! Tries to sign in: counted by all edges together while Redis answers.

use super::{RUBBISH, counts, names};
use crate::wire::in_time;
use edge::attempt::{Act, Attempt, AttemptLimits, Attempts, Wait};
use futures_util::future::join_all;
use std::{net::IpAddr, time::Duration};
use testbed::redis::Server;

const LIMITS: AttemptLimits = AttemptLimits { account_failures_max: 10, address_failures_max: 100, window: Duration::from_secs(900) };

async fn two(server: &Server) -> [Attempts; 2] {
    [Attempts::new(LIMITS, Some(counts(server).await)), Attempts::new(LIMITS, Some(counts(server).await))]
}

async fn login<'e>(edge: &'e Attempts, account: &str, from: u32) -> Result<Attempt<'e>, Wait> {
    edge.begin(Act::Login, account, (IpAddr::from((0xcb00_7100 + from).to_be_bytes()), false)).await
}

/// Tries that fail, until one has to wait: how many there were, and how long it is in seconds.
async fn fails(edge: &Attempts, account: &str, from: u32) -> (usize, u64) {
    for count in 0..1000 {
        if let Err(wait) = login(edge, account, from).await {
            return (count, wait.time.as_secs_f64().round() as u64);
        }
    }
    panic!("no bound");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_at_once_at_two_edges_are_ten() {
    let server = Server::own();
    let [a, b] = two(&server).await;
    let tries = join_all((0..1000).map(|n| login(if n % 2 == 0 { &a } else { &b }, "ada@example.org", 1))).await;
    assert_eq!(tries.iter().flatten().count(), 10);
    let waits: Vec<_> = tries.iter().filter_map(|tried| tried.as_ref().err()).collect();
    assert!(waits.iter().all(|wait| !wait.strangers_only && wait.time <= Duration::from_secs(30)), "{waits:?}");
    assert!(login(&a, "ada@example.org", 2).await.is_ok() && login(&b, "bob@example.org", 1).await.is_ok());
    assert_eq!(names(&server).len(), 7, "two accounts, two addresses, and three pairs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_at_one_edge_waits_at_the_other_and_that_is_no_further_failure() {
    let server = Server::own();
    let [a, b] = two(&server).await;
    assert_eq!(fails(&a, "ada", 1).await, (10, 30));
    for _ in 0..50 {
        assert_eq!(fails(&b, "ada", 1).await.0, 0);
    }
    server.run(&["FLUSHALL"]);
    assert_eq!(fails(&b, "ada", 1).await, (10, 30), "it held nothing against anybody on its own");
    assert_eq!(fails(&a, "ada", 1).await.0, 0, "what this edge counted it remembers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_success_at_one_edge_is_one_at_all_of_them() {
    let server = Server::own();
    let [a, b] = two(&server).await;
    for _ in 0..9 {
        drop(login(&a, "ada", 1).await.expect("one of nine"));
    }
    for _ in 0..300 {
        login(&b, "bob", 1).await.expect("nothing is counted").withdrawn().await;
        login(&b, "ada", 1).await.expect("the tenth").succeeded().await;
    }
    assert_eq!(fails(&b, "ada", 1).await, (10, 30));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_wait_at_all_edges_and_neighbours_at_none() {
    let server = Server::own();
    let [a, b] = two(&server).await;
    for n in 0..100 {
        drop(login(if n % 2 == 0 { &a } else { &b }, "ada", n).await.expect("each stranger's first"));
    }
    for edge in [&a, &b] {
        let wait = login(edge, "ada", 5000).await.err().expect("a stranger waits");
        assert!(wait.strangers_only, "{wait:?}");
        let home = edge.begin(Act::Login, "ada", (IpAddr::from([192, 0, 2, 1]), true)).await;
        assert!(home.is_ok() && login(edge, "bob", 5000).await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_each_edge_counts_for_itself_and_with_it_together_again() {
    let mut server = Server::own();
    let [a, b] = two(&server).await;
    server.kill();
    for edge in [&a, &b] {
        assert_eq!(fails(edge, "ada", 1).await, (10, 30));
    }
    server.start();
    let mut number = 0;
    in_time(async {
        // Somebody new each time, from somewhere else: what was counted while it was away is each edge's own.
        while fails(&a, &format!("person {number}"), 10 + number).await.0 + fails(&b, &format!("person {number}"), 10 + number).await.0 > 10
        {
            number += 1;
            // Or the deadline would never be looked at, where nothing is waited for.
            tokio::task::yield_now().await;
        }
    })
    .await;
    server.hang();
    for edge in [&a, &b] {
        assert_eq!(fails(edge, "bob", 2).await.0, 10);
    }
    server.go_on();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rubbish_is_no_count_and_is_replaced() {
    let server = Server::own();
    let [a, b] = two(&server).await;
    for (number, spoil) in (0..).zip(RUBBISH) {
        let account = format!("person {number}");
        drop(login(&a, &account, number).await.expect("the first"));
        for name in names(&server) {
            server.script(&format!("redis.call('DEL', KEYS[1]) {spoil}"), &name, &[]);
        }
        login(&b, &account, number).await.expect("nothing is held against anybody").withdrawn().await;
        assert_eq!(fails(&b, &account, number).await, (10, 30), "after {spoil}");
        assert_eq!(names(&server).len(), 3, "after {spoil}");
        server.run(&["FLUSHALL"]);
    }
}
