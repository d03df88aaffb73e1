//! A peer that hangs, and what it may cost.

use crate::process::{Cluster, Node};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// What the memory of a node may grow by for one peer that hangs.
const GROWTH_BYTES_MAX: u64 = 64 << 20;

fn grew(node: &Node, before: u64) -> u64 {
    node.memory_bytes().saturating_sub(before)
}

/// What `traffic` told: answered, failed, and the longest in ms.
fn told(traffic: &str) -> [u64; 3] {
    let numbers: Vec<_> = traffic.split(' ').map(|number| number.parse().expect("a number")).collect();
    numbers.try_into().expect("three numbers")
}

#[test]
fn a_peer_that_was_stopped_costs_little_and_nobody_else_feels_it() {
    let [a, b, c] = Cluster::new().linked(["node-a", "node-b", "node-c"]);
    assert!(a.call(&b, [200_000, 200_000, 0, 20_000]).starts_with("ok "));
    let before = a.memory_bytes();
    b.signal(Signal::STOP);
    let stopped = Instant::now();
    let others = a.begin(&format!("traffic # {} 4000", c.boot));
    // Far more than fits, in calls of which each waits for half a second.
    let mut most = 0;
    while stopped.elapsed() < Duration::from_secs(4) {
        let outcomes = a.ask(&format!("flood # {} 200000 0 0 500 200", b.boot));
        assert!(!outcomes.contains("×ok"), "{outcomes}");
        let outcomes = a.ask(&format!("flood # {} 10 0 0 50 2000", b.boot));
        assert!(!outcomes.contains("×ok"), "{outcomes}");
        most = most.max(grew(&a, before));
    }
    assert!(most < GROWTH_BYTES_MAX, "{most} bytes");
    let [answered, failed, longest_ms] = told(&a.wait_for(&others));
    assert!(answered > 100 && failed == 0 && longest_ms < 1500, "{answered} answered, {failed} failed, {longest_ms} ms");
    a.wait_for(&format!("unlinked {}", b.boot));
    assert!(stopped.elapsed() < Duration::from_secs(12), "{:?}", stopped.elapsed());

    a.forget();
    b.forget();
    b.signal(Signal::CONT);
    let woken = Instant::now();
    a.wait_for(&format!("linked {}", b.boot));
    b.wait_for(&format!("linked {}", a.boot));
    assert!(woken.elapsed() < Duration::from_secs(5), "{:?}", woken.elapsed());
    assert!(a.call(&b, [10, 10, 0, 20_000]).starts_with("ok ") && b.call(&a, [10, 10, 0, 20_000]).starts_with("ok "));
}

/// The other way: a peer asks for much, and takes nothing of it.
#[test]
fn answers_that_nobody_takes_are_bounded_too() {
    let [a, b] = Cluster::new().linked(["node-a", "node-b"]);
    assert!(b.call(&a, [10, 200_000, 0, 20_000]).starts_with("ok "));
    let before = a.memory_bytes();
    // 512 answers of 200 kB, which are 100 MB, all of them after a second: by then the peer takes nothing.
    b.begin(&format!("flood # {} 10 200000 1000 60000 512", a.boot));
    let begun = Instant::now();
    while !b.ask("status #").contains("calls: 512") {
        assert!(begun.elapsed() < Duration::from_secs(1), "the calls are under way before the first is answered");
    }
    b.signal(Signal::STOP);
    let mut most = 0;
    while begun.elapsed() < Duration::from_secs(4) {
        most = most.max(grew(&a, before));
        a.ask("status #");
    }
    assert!(most > 1 << 20 && most < GROWTH_BYTES_MAX, "{most} bytes");
    a.wait_for(&format!("unlinked {}", b.boot));
}
