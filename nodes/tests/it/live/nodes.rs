//! Streams through nodes that do not own what they tell of.

use super::{Events, SOON, Socket, Stream, follow, publish};
use crate::{
    cluster::{Cluster, owns},
    http::{Person, post, text},
    server::eventually,
};
use rustix::process::Signal;
use serde_json::json;
use std::time::{Duration, Instant};

/// Posts through each node, and how soon each is told at every other one.
#[test]
fn a_post_at_one_node_is_told_at_another_one_at_once() {
    let cluster = Cluster::with(3, &[]);
    let mut edges = cluster.edges();
    let ada = edges[0].register("ada");
    let followers: Vec<Person> = (0..6).map(|number| edges[number % 3].register(&format!("follower{number}"))).collect();
    let mut streams: Vec<Box<dyn Stream>> = Vec::new();
    for (number, follower) in followers.iter().enumerate() {
        follow(&mut edges[0], follower, &ada);
        // Each at a node of its own, whoever owns its feed.
        let addr = cluster.nodes[number % 3].addr("gateway");
        streams.push(if number < 3 { Box::new(Socket::open(addr, follower)) } else { Box::new(Events::open(addr, follower, "")) });
    }
    let mut took: Vec<Duration> = Vec::new();
    for round in 0..9 {
        let id = publish(&mut edges[round % 3], &ada, "public");
        let acknowledged = Instant::now();
        for stream in &mut streams {
            stream.expect_post(&id);
            took.push(acknowledged.elapsed());
        }
    }
    took.sort_unstable();
    let (median, longest) = (took[took.len() / 2], took[took.len() - 1]);
    println!("told after {median:?} as a rule, {longest:?} at most");
    assert!(median <= Duration::from_secs(1), "{median:?}");

    // And what was asked for, of which no feed tells.
    let id = publish(&mut edges[0], &ada, "public");
    let mut watching: Vec<_> =
        cluster.nodes.iter().map(|node| Events::open(node.addr("gateway"), &followers[0], &format!("?post={id}"))).collect();
    watching.iter_mut().for_each(|stream| drop(stream.until("post.changed")));
    for edge in &mut edges {
        edge.call(&post(format!("/api/content/posts/{id}/comments"), json!({ "content": "indeed" })).by(&ada)).ok(201);
    }
    let last = edges[0].call(&crate::http::get(format!("/api/content/posts/{id}"))).ok(200)["version"].as_u64();
    for stream in &mut watching {
        while stream.until("post.changed")["version"].as_u64() < last {}
    }
    // Signed out at one node, ended at another.
    let mut ending = Socket::open(cluster.nodes[2].addr("gateway"), &followers[1]);
    edges[0].call(&post("/api/user/logout", json!({})).by(&followers[1]));
    assert_eq!(ending.closed().0, 4401);
}

#[test]
fn what_a_killed_node_would_have_told_its_successor_tells() {
    let mut cluster = Cluster::with(3, &[]);
    let mut edges = cluster.edges();
    let ada = edges[0].register("ada");
    // Followers whose feeds the last node owns, and others.
    let followers: Vec<Person> = (0..12).map(|number| edges[0].register(&format!("follower{number}"))).collect();
    followers.iter().for_each(|follower| follow(&mut edges[0], follower, &ada));
    let killed = cluster.nodes.pop().expect("three nodes");
    assert!(followers.iter().any(|follower| owns(&killed, "feed", &follower.id)), "of twelve feeds it owns some");
    let addr = |number: usize| cluster.nodes[number % 2].addr("gateway");
    let mut streams: Vec<_> = followers.iter().enumerate().map(|(number, follower)| Socket::open(addr(number), follower)).collect();
    let before = publish(&mut edges[0], &ada, "public");
    streams.iter_mut().for_each(|stream| drop(stream.expect_post(&before)));
    killed.process.signal(Signal::KILL);
    killed.process.ended();
    // Written as soon as anybody can write it.
    let mut written = None;
    eventually("somebody owns what the killed node did", || {
        let answer = edges[1].call(&post("/api/content/posts", json!({ "content": "hello", "visibility": "public" })).key("once").by(&ada));
        written = (answer.status == 201).then(|| text(&answer.json()["id"]));
        written.is_some()
    });
    let (written, acknowledged) = (written.expect("an id"), Instant::now());
    streams.iter_mut().for_each(|stream| drop(stream.expect_post(&written)));
    println!("told {:?} after it was acknowledged", acknowledged.elapsed());
    assert!(acknowledged.elapsed() < SOON);
    let next = publish(&mut edges[0], &ada, "public");
    streams.iter_mut().for_each(|stream| drop(stream.expect_post(&next)));
}

/// A slot that moves in good order takes those who watch it along.
#[test]
fn a_node_that_joins_or_leaves_loses_nobodys_word() {
    let mut cluster = Cluster::with(2, &[]);
    let mut edges = cluster.edges();
    let ada = edges[0].register("ada");
    let followers: Vec<Person> = (0..12).map(|number| edges[0].register(&format!("follower{number}"))).collect();
    followers.iter().for_each(|follower| follow(&mut edges[0], follower, &ada));
    let addr = cluster.nodes[0].addr("gateway");
    let mut streams: Vec<_> = followers.iter().map(|follower| Events::open(addr, follower, "")).collect();
    cluster.join(3);
    let mut told = |edge: &mut crate::http::Client| {
        let id = publish(edge, &ada, "public");
        streams.iter_mut().for_each(|stream| drop(stream.expect_post(&id)));
    };
    told(&mut edges[1]);
    let leaving = cluster.nodes.remove(1);
    leaving.process.signal(Signal::TERM);
    leaving.process.ended();
    told(&mut edges[0]);
}
