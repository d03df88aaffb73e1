//! Calls, probes and announcements between two nodes.

use crate::{
    node::PANIC,
    process::{Cluster, Options},
};
use protocol::envelope::WIRE_VERSION;
use std::time::{Duration, Instant};

/// A version that is not written yet.
const NEXT: u16 = WIRE_VERSION + 1;

#[test]
fn a_call_is_answered_whatever_its_size() {
    let [a, b] = Cluster::new().linked(["node-a", "node-b"]);
    for (caller, other) in [(&a, &b), (&b, &a)] {
        for (request, answer) in [(0, 0), (10, 100_000), (200_000, 10), (200_000, 200_000)] {
            let outcome = caller.call(other, [request, answer, 0, 20_000]);
            assert!(outcome.starts_with("ok ") && outcome.ends_with(&format!(" {answer}")), "{outcome}");
        }
    }
    assert_eq!(a.call(&b, [300_000, 0, 0, 20_000]).split('(').next(), Some("not-done Frame"), "larger than a frame");
    assert_eq!(a.call(&b, [0, 300_000, 0, 20_000]), "refused internal", "an answer that is larger than a frame");
    assert_eq!(a.call(&a, [0, 0, 0, 20_000]), "not-done NotLinked");
}

#[test]
fn every_call_ends_by_its_deadline_and_says_whether_it_may_have_been_done() {
    let [a, b] = Cluster::new().linked(["node-a", "node-b"]);
    let asked = Instant::now();
    // Both ends keep the deadline, and the other one may be heard first.
    let outcome = a.call(&b, [0, 0, 60_000, 300]);
    assert!(outcome == "unknown TimedOut" || outcome == "refused expired", "{outcome}");
    assert!(asked.elapsed() < Duration::from_secs(5));
    assert_eq!(a.call(&b, [0, 0, 0, 0]), "not-done Expired");
    let asked = Instant::now();
    assert_eq!(a.call(&b, [0, 0, PANIC, 20_000]), "refused unavailable", "a panic at the other end is told at once");
    assert!(asked.elapsed() < Duration::from_secs(5));
    let outcome = a.call(&b, [0, 0, 0, 20_000]);
    let left: u64 = outcome.split(' ').nth(1).expect("the time that was left").parse().expect("a number");
    assert!((15_000..=20_000).contains(&left), "the other end knows the deadline: {outcome}");
}

#[test]
fn beyond_its_share_a_peer_is_refused_at_once() {
    let [a, b] = Cluster::new().linked(["node-a", "node-b"]);
    let flood = |count, request, pause| a.ask(&format!("flood # {} {request} 0 {pause} 20000 {count}", b.boot));
    let outcomes = flood(1000, 0, 2000);
    let refused = outcomes.split(", ").find_map(|outcome| outcome.strip_suffix("×not-done Overloaded"));
    assert_eq!(refused, Some("488"), "{outcomes}");
    // 200 kB count seven times.
    let outcomes = flood(100, 200_000, 2000);
    let refused: usize =
        outcomes.split(", ").find_map(|outcome| outcome.strip_suffix("×not-done Overloaded")).expect(&outcomes).parse().expect("a number");
    assert!((100 - 512 / 7..100).contains(&refused), "{outcomes}");
    assert!(a.call(&b, [0, 0, 0, 20_000]).starts_with("ok "), "the places are free again");
}

#[test]
fn probes_are_answered_and_the_newest_view_is_heard() {
    let cluster = Cluster::new();
    let [a, b] = cluster.linked(["node-a", "node-b"]);
    a.tell(&format!("probe - {} 7", b.boot));
    a.wait_for(&format!("probed {} 7", b.boot));
    a.tell("announce - 12");
    b.wait_for("heard 12");
    // A node that is linked later is told, too.
    let c = cluster.node("node-c");
    for node in [&a, &b, &c] {
        node.members(&[a.member(), b.member(), c.member()]);
    }
    c.wait_for("heard 12");
}

#[test]
fn nodes_of_two_releases_speak_the_older_ones_version() {
    let cluster = Cluster::new();
    let a = cluster.node("node-a");
    let b = cluster.node_with("node-b", &Options { wires: WIRE_VERSION..=NEXT, ..Options::default() });
    for node in [&a, &b] {
        node.members(&[a.member(), b.member()]);
    }
    for (caller, other) in [(&a, &b), (&b, &a)] {
        caller.wait_for(&format!("linked {}", other.boot));
        let status = caller.ask("status #");
        assert!(status.contains(&format!("wire: {WIRE_VERSION},")), "{status}");
        assert!(caller.call(other, [10, 10, 0, 20_000]).starts_with("ok "));
    }
}

#[test]
fn a_frame_that_the_receiver_cannot_read_is_refused_and_says_so() {
    // Both say that they speak a version that is not written yet: so does a node whose release reads less than it promised.
    let cluster = Cluster::new();
    let [a, b] = ["node-a", "node-b"].map(|name| cluster.node_with(name, &Options { wires: NEXT..=NEXT, ..Options::default() }));
    for node in [&a, &b] {
        node.members(&[a.member(), b.member()]);
    }
    a.wait_for(&format!("linked {}", b.boot));
    b.wait_for(&format!("linked {}", a.boot));
    assert_eq!(a.call(&b, [10, 10, 0, 20_000]), "refused bad_frame");
}

#[test]
fn nodes_without_a_version_in_common_are_not_linked() {
    let cluster = Cluster::new();
    let (a, b, c) = (
        cluster.node("node-a"),
        cluster.node_with("node-b", &Options { wires: NEXT..=NEXT, ..Options::default() }),
        cluster.node("node-c"),
    );
    for node in [&a, &b, &c] {
        node.members(&[a.member(), b.member(), c.member()]);
    }
    a.wait_for(&format!("linked {}", c.boot));
    assert_eq!(a.wait(&format!("linked {}", b.boot), Duration::from_secs(2)), None);
    assert_eq!(a.call(&b, [0, 0, 0, 1000]), "not-done NotLinked");
}
