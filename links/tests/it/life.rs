//! Nodes that come, die, come back, and cannot reach each other.

use crate::{
    process::{Cluster, Options},
    relay::Relay,
};
use rustix::process::Signal;
use std::time::{Duration, Instant};

#[test]
fn the_death_of_a_node_is_known_at_once_and_its_next_life_is_linked_to() {
    let cluster = Cluster::new();
    let [a, b] = cluster.linked(["node-a", "node-b"]);
    let waiting = a.begin(&format!("call # {} 0 0 60000 60000", b.boot));
    // The answer to the second question says that the first one has been sent.
    assert!(a.call(&b, [0, 0, 0, 20_000]).starts_with("ok "));
    let killed = Instant::now();
    b.signal(Signal::KILL);
    assert_eq!(a.wait_for(&waiting), "unknown Broken");
    a.wait_for(&format!("unlinked {}", b.boot));
    assert!(killed.elapsed() < Duration::from_secs(2), "{:?}", killed.elapsed());
    assert_eq!(a.call(&b, [0, 0, 0, 20_000]), "not-done NotLinked");

    let next = cluster.node("node-b");
    let members = [a.member(), next.member()];
    next.members(&members);
    a.members(&members);
    let told = Instant::now();
    a.wait_for(&format!("linked {}", next.boot));
    assert!(told.elapsed() < Duration::from_secs(2), "{:?}", told.elapsed());
    assert!(a.call(&next, [0, 0, 0, 20_000]).starts_with("ok "));
}

#[test]
fn who_is_no_member_any_more_is_not_linked_to() {
    let cluster = Cluster::new();
    let [a, b, c] = cluster.linked(["node-a", "node-b", "node-c"]);
    a.members(&[a.member(), c.member()]);
    a.wait_for(&format!("unlinked {}", b.boot));
    b.wait_for(&format!("unlinked {}", a.boot));
    assert_eq!(a.call(&b, [0, 0, 0, 20_000]), "not-done NotLinked");
    assert!(a.call(&c, [0, 0, 0, 20_000]).starts_with("ok ") && b.call(&c, [0, 0, 0, 20_000]).starts_with("ok "));
    // It goes on trying, and is refused, until it is a member again.
    b.forget();
    assert_eq!(b.wait(&format!("linked {}", a.boot), Duration::from_secs(2)), None);
    a.forget();
    a.members(&[a.member(), b.member(), c.member()]);
    a.wait_for(&format!("linked {}", b.boot));
    b.wait_for(&format!("linked {}", a.boot));
}

/// A node that left still says of what it is asked that nothing was done, and whoever hears that it left waits for that.
#[test]
fn who_leaves_answers_until_the_others_know() {
    let [a, b] = Cluster::new().linked(["node-a", "node-b"]);
    let parted = b.begin(&format!("part # {}", a.boot));
    let waiting = a.begin(&format!("call # {} 0 0 1000 60000", b.boot));
    assert!(a.call(&b, [0, 0, 0, 20_000]).starts_with("ok "), "it does not know yet, and is answered");
    a.members(&[a.member(), b.boot.to_string()]);
    a.wait_for(&format!("unlinked {}", b.boot));
    assert_eq!(a.call(&b, [0, 0, 0, 20_000]), "not-done NotLinked");
    assert_eq!(b.wait(&parted, Duration::ZERO), None, "somebody waits for its answer");
    assert!(a.wait_for(&waiting).starts_with("ok "));
    assert_eq!(b.wait_for(&parted), "done");
    b.forget();
    assert_eq!(b.wait(&format!("linked {}", a.boot), Duration::from_secs(1)), None, "it does not come back");
}

#[test]
fn another_cluster_of_the_same_authority_is_not_linked_to() {
    let cluster = Cluster::new();
    let [a, b] = cluster.linked(["node-a", "node-b"]);
    let other = cluster.node_with("node-c", &Options { cookie: "the cookie of another cluster, long too", ..Options::default() });
    let members = [a.member(), b.member(), other.member()];
    for node in [&a, &b, &other] {
        node.members(&members);
    }
    assert_eq!(a.wait(&format!("linked {}", other.boot), Duration::from_secs(2)), None);
    assert!(a.call(&b, [0, 0, 0, 20_000]).starts_with("ok "));
}

/// Nodes that lose each other's packets notice, and find each other when the network is whole again.
#[test]
fn a_network_that_loses_everything_is_noticed_and_its_healing_too() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node("node-a"), cluster.node("node-b"));
    let (to_a, to_b) = (Relay::to(a.listens), Relay::to(b.listens));
    a.members(&[b.member_at(to_b.address)]);
    b.members(&[a.member_at(to_a.address)]);
    a.wait_for(&format!("linked {}", b.boot));
    b.wait_for(&format!("linked {}", a.boot));
    assert!(a.call(&b, [0, 0, 0, 20_000]).starts_with("ok "));
    to_a.cut();
    to_b.cut();
    let cut = Instant::now();
    assert_eq!(a.call(&b, [0, 0, 0, 500]), "unknown TimedOut");
    for (node, other) in [(&a, &b), (&b, &a)] {
        node.wait_for(&format!("unlinked {}", other.boot));
    }
    assert!(cut.elapsed() < Duration::from_secs(12), "{:?}", cut.elapsed());
    a.forget();
    b.forget();
    to_a.heal();
    to_b.heal();
    let healed = Instant::now();
    for (node, other) in [(&a, &b), (&b, &a)] {
        node.wait_for(&format!("linked {}", other.boot));
    }
    assert!(healed.elapsed() < Duration::from_secs(5), "{:?}", healed.elapsed());
    assert!(b.call(&a, [0, 0, 0, 20_000]).starts_with("ok "));
}

/// What only one end takes for a link does not keep another one out. Without that, ractor_cluster would keep the one with the lower of two random numbers.
#[test]
fn who_lost_a_link_alone_gets_another_one_at_once() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node("node-a"), cluster.node("node-b"));
    let to_a = Relay::to(a.listens);
    b.members(&[a.member_at(to_a.address)]);
    // Only the other one can dial.
    a.members(&[b.member_at(([127, 0, 0, 1], 1).into())]);
    a.wait_for(&format!("linked {}", b.boot));
    b.wait_for(&format!("linked {}", a.boot));
    for _ in 0..5 {
        a.forget();
        b.forget();
        // As old as a link has to be to be believed to be dead.
        assert_eq!(b.wait("unlinked", Duration::from_millis(1200)), None);
        let lost = Instant::now();
        to_a.hang_up_on_diallers();
        b.wait_for(&format!("unlinked {}", a.boot));
        b.wait_for(&format!("linked {}", a.boot));
        assert!(lost.elapsed() < Duration::from_secs(2), "{:?}", lost.elapsed());
        // Whoever says first that there is a link is answered at once, though the other one may not know yet.
        assert!(b.call(&a, [10, 10, 0, 20_000]).starts_with("ok "));
        a.wait_for(&format!("linked {}", b.boot));
        assert!(a.call(&b, [10, 10, 0, 20_000]).starts_with("ok "));
    }
}

/// Many joins, each by both sides at about the same time: one link a pair, and it stays.
#[test]
fn who_dial_each_other_at_once_have_one_link_and_keep_it() {
    let cluster = Cluster::new();
    for _ in 0..5 {
        let nodes = cluster.linked(["node-a", "node-b", "node-c"]);
        for node in &nodes {
            node.forget();
        }
        for node in &nodes {
            for other in nodes.iter().filter(|other| other.boot != node.boot) {
                assert!(node.call(other, [0, 0, 0, 20_000]).starts_with("ok "));
            }
            assert_eq!(node.wait("unlinked", Duration::from_millis(200)), None);
        }
    }
}
