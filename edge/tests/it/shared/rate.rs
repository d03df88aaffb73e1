//! Limits of requests: edges learn behind the requests what callers spend elsewhere.

use super::{RUBBISH, counts, names};
use crate::wire::in_time;
use edge::rate::{
    Caller, Class, Limiter, Limits, Pace,
    exchange::{EXCHANGE_EVERY, WAITING_MAX},
};
use protocol::UserId;
use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};
use testbed::redis::Server;
use uuid::Uuid;

const EVE: Caller = Caller::Person(UserId(Uuid::from_u128(1)));
const BURST: u32 = 300;
/// What one of two edges tells nobody of.
const SHARE: u32 = BURST / 8;

/// Nothing of it comes back while a test runs.
fn slow(burst: u32) -> Pace {
    Pace { every: Duration::from_secs(3600), burst: NonZeroU32::new(burst).expect("some") }
}

async fn edges(server: &Server, number: u32, pace: Pace) -> Vec<Limiter> {
    let mut edges = Vec::new();
    for _ in 0..number {
        let limits = Limits { read: Some(pace), tracked_max: 100_000, ..Limits::default() };
        edges.push(Limiter::new(&limits, Some(counts(server).await)));
        edges.iter().for_each(|edge| edge.set_edges(number as usize));
    }
    edges
}

async fn two(server: &Server) -> [Limiter; 2] {
    edges(server, 2, slow(BURST)).await.try_into().ok().expect("two")
}

/// How many of so many requests are let through.
fn let_through(edge: &Limiter, caller: Caller, requests: u32) -> u32 {
    (0..requests).filter(|_| edge.check(Instant::now(), Class::Read, caller).is_ok()).count() as u32
}

fn caller(number: u128) -> Caller {
    Caller::Person(UserId(Uuid::from_u128(number)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_spent_at_one_edge_is_known_at_the_other() {
    let server = Server::own();
    let [a, b] = two(&server).await;
    assert_eq!(let_through(&a, EVE, 1000), BURST);
    a.exchange().await;
    // Until it asks, the other one does not know.
    assert_eq!(let_through(&b, EVE, SHARE + 1), SHARE + 1);
    b.exchange().await;
    let known = BURST - SHARE + 1;
    assert_eq!(let_through(&b, EVE, 1000), BURST - known, "all but the share of the other one is known");
    assert_eq!(let_through(&b, caller(2), 1000), BURST, "others are others");
    let exceeded = b.check(Instant::now(), Class::Read, EVE).expect_err("over the limit");
    assert!((3590..=3600).contains(&exceeded.retry_after_s()), "{}", exceeded.retry_after_s());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_the_requests_go_the_limit_is_had_and_a_quarter_more_at_most() {
    let server = Server::own();
    for (number, weights) in [(2, [7, 7]), (3, [10, 1]), (4, [13, 0])] {
        let [a, b] = two(&server).await;
        let (mut through, mut asked) = (0, 0);
        while asked < 2 * BURST {
            let now = let_through(&a, caller(number), weights[0]) + let_through(&b, caller(number), weights[1]);
            asked += weights[0] + weights[1];
            through += now;
            assert!(asked > BURST || through == asked, "refused within the limit, after {asked}");
            a.exchange().await;
            b.exchange().await;
        }
        // What comes between two exchanges is beyond it, and owed.
        let most = BURST * 5 / 4 + weights[0] + weights[1];
        assert!((BURST..=most).contains(&through), "{through} at {weights:?}");
        assert!(weights[1] > 0 || through == BURST, "at one edge it is exact: {through}");
    }
}

/// Neither what an edge takes to tell, nor what Redis takes to answer, is held against anybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_as_long_as_is_told_is_let_through() {
    let server = Server::own();
    let edges = edges(&server, 2, slow(2)).await;
    for caller in (0..20).map(caller) {
        let (began, check) = (Instant::now(), |at| edges[0].check(at, Class::Read, caller));
        let next = began + Duration::from_secs(3600);
        assert_eq!((check(began), check(began)), (Ok(()), Ok(())));
        edges[0].exchange().await;
        assert!(check(next - Duration::from_millis(1)).is_err());
        assert_eq!(check(next), Ok(()));
    }
    assert_eq!(names(&server).len(), 20, "all were told of");
}

/// Somebody who asks everywhere as fast as edges answer, for a while: what is let through keeps to what is promised in `rate::exchange`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bound_that_is_promised_holds() {
    const EDGES: u32 = 3;
    let (rate, burst) = (500.0, 50);
    let server = Server::own();
    let edges = edges(&server, EDGES, Pace { every: Duration::from_millis(2), burst: NonZeroU32::new(burst).expect("some") }).await;
    let (began, mut through, mut asked, mut lag) = (Instant::now(), 0, Instant::now(), Duration::ZERO);
    while began.elapsed() < Duration::from_secs(1) {
        for edge in &edges {
            through += let_through(edge, EVE, 200);
            edge.exchange().await;
        }
        lag = lag.max(asked.elapsed());
        asked = Instant::now();
    }
    let (time, edges, burst) = (began.elapsed().as_secs_f64(), f64::from(EDGES), f64::from(burst));
    // A round is as long as the rounds' lag: an edge that is asked last in one and first in the next one waits for two.
    let bound = rate * time + edges * (burst + rate * 2.0 * lag.as_secs_f64()) + (rate * time + burst) / 4.0;
    assert!(f64::from(through) <= bound, "{through} in {time} s, where {bound} are promised, with a lag of {lag:?}");
    assert!(f64::from(through) >= rate * time, "{through} in {time} s are less than the rate");
    assert!(bound < edges * (rate * time + burst), "the machine is too slow for this to say anything: {lag:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_edge_and_callers_within_their_share_tell_nobody_anything() {
    let server = Server::own();
    let [a, b] = two(&server).await;
    b.set_edges(1);
    assert_eq!((let_through(&a, EVE, SHARE), let_through(&b, EVE, 1000)), (SHARE, BURST));
    a.exchange().await;
    b.exchange().await;
    assert_eq!(names(&server), [""; 0]);
    assert_eq!(let_through(&a, EVE, 1), 1);
    a.exchange().await;
    assert_eq!(names(&server).len(), 1, "and beyond it they do");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_each_edge_goes_by_its_own_and_with_it_together_again() {
    let mut server = Server::own();
    let [a, b] = two(&server).await;
    let both_know = async |number: u128| {
        let_through(&a, caller(number), BURST);
        a.exchange().await;
        let_through(&b, caller(number), SHARE + 1);
        b.exchange().await;
        let_through(&b, caller(number), BURST) < BURST - SHARE - 1
    };
    assert!(both_know(2).await);
    server.kill();
    for edge in [&a, &b] {
        assert_eq!(let_through(edge, EVE, 1000), BURST);
        edge.exchange().await;
        assert_eq!(let_through(edge, EVE, 1000), 0);
    }
    server.start();
    let mut number = 10;
    in_time(async {
        while !both_know(number).await {
            number += 1;
            tokio::task::yield_now().await;
        }
    })
    .await;
    server.hang();
    for edge in [&a, &b] {
        assert_eq!(let_through(edge, caller(3), BURST - 1), BURST - 1);
        edge.exchange().await;
        assert_eq!(let_through(edge, caller(3), 1000), 1);
    }
    server.go_on();
    in_time(async {
        while !both_know(number).await {
            number += 1;
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_known_outlives_what_redis_forgets() {
    let server = Server::own();
    let [a, b] = two(&server).await;
    let_through(&a, EVE, BURST);
    a.exchange().await;
    let_through(&b, EVE, SHARE + 1);
    b.exchange().await;
    let_through(&b, EVE, BURST);
    server.run(&["FLUSHALL"]);
    for edge in [&b, &a] {
        edge.exchange().await;
        assert_eq!(let_through(edge, EVE, 1000), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rubbish_is_no_count_and_is_replaced() {
    let server = Server::own();
    let [a, _] = two(&server).await;
    for (number, spoil) in (10..).zip(RUBBISH) {
        let_through(&a, caller(number), 100);
        a.exchange().await;
        let name = &names(&server)[0];
        server.script(&format!("redis.call('DEL', KEYS[1]) {spoil}"), name, &[]);
        assert_eq!(let_through(&a, caller(number), 100), 100);
        a.exchange().await;
        assert_eq!(let_through(&a, caller(number), 1000), BURST - 200, "after {spoil}");
        assert_eq!(names(&server).len(), 1, "after {spoil}");
        a.exchange().await;
        server.run(&["FLUSHALL"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_callers_than_can_wait_are_told_of_later() {
    let server = Server::own();
    let edges = edges(&server, 2, slow(4)).await;
    let all = WAITING_MAX as u128 + 1000;
    let ask = || (0..all).for_each(|number| assert_eq!(let_through(&edges[0], caller(number), 1), 1));
    ask();
    edges[0].exchange().await;
    assert_eq!(server.run(&["DBSIZE"]), WAITING_MAX.to_string());
    ask();
    let last = (WAITING_MAX as u128..all).map(caller);
    edges[0].exchange().await;
    last.for_each(|caller| assert_eq!(let_through(&edges[0], caller, 1), 1));
    edges[0].exchange().await;
    assert_eq!(server.run(&["DBSIZE"]), all.to_string());
    assert!(EXCHANGE_EVERY <= Duration::from_millis(250), "what docs/limits.md says");
}
