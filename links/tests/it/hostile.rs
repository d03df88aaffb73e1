//! What comes to the cluster's port and is no node: it is refused, and nobody who is one feels it.

use crate::{
    authority::{Authority, Identity},
    process::{Cluster, Node},
    relay::Relay,
    stranger::{answer_to, block_on, connect, name_frame},
};
use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};
use uuid::Uuid;

/// What the node answers to somebody with this certificate who says that they are `name`.
fn answer(node: &Node, cluster: &Cluster, identity: Option<&Identity>, said: &[u8]) -> Vec<u8> {
    block_on(async {
        let stream = connect(node.listens, &cluster.authority.pem, "node-a", identity).await;
        answer_to(stream, said).await
    })
}

#[test]
fn only_members_with_their_own_certificate_are_heard() {
    let cluster = Cluster::new();
    let [a, b] = cluster.linked(["node-a", "node-b"]);
    // A member that is not there: whoever could pass for it would be answered at once, and only the cookie would be left.
    let (boot, authority) = (Uuid::now_v7(), &cluster.authority);
    a.members(&[a.member(), b.member(), format!("{boot}=node-c@127.0.0.1:1")]);
    let (as_c, own) = (name_frame("node-c", boot), || Some(authority.identity("node-c", 30)));
    let refused = [
        ("no certificate", None, &as_c),
        ("another authority's", Some(Authority::new().identity("node-c", 30)), &as_c),
        ("expired", Some(authority.identity("node-c", -1)), &as_c),
        ("another member's", Some(authority.identity("node-b", 30)), &as_c),
        ("its own, and the name of a member that is linked", own(), &name_frame("node-b", b.boot)),
        ("its own, of no member", Some(authority.identity("node-d", 30)), &name_frame("node-d", boot)),
        ("its own, of a former boot", own(), &name_frame("node-c", Uuid::now_v7())),
        ("a frame that is too long", own(), &[0, 0, 0, 0, 0, 0, 4, 1].to_vec()),
        ("a frame of 2^63 bytes", own(), &[0x7f; 64].to_vec()),
        ("garbage", own(), &b"\0\0\0\0\0\0\0\x04abcd".to_vec()),
        ("nothing", own(), &Vec::new()),
    ];
    for (what, identity, said) in refused {
        let heard = answer(&a, &cluster, identity.as_ref(), said);
        assert!(heard.is_empty(), "{what}: {heard:?}");
    }
    // None of this is why: the same words with the right certificate are heard, as far as the cookie.
    assert!(!answer(&a, &cluster, own().as_ref(), &as_c).is_empty());
    assert_eq!(a.wait("unlinked", Duration::ZERO), None, "the member that is there is undisturbed");
    assert!(a.call(&b, [10, 10, 0, 20_000]).starts_with("ok "));
}

#[test]
fn a_handshake_that_is_said_again_is_refused() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.node("node-a"), cluster.node("node-b"));
    let relay = Relay::to(a.listens);
    a.members(&[b.member_at(([127, 0, 0, 1], 1).into())]);
    b.members(&[a.member_at(relay.address)]);
    a.wait_for(&format!("linked {}", b.boot));
    let said = relay.said_by_diallers();
    assert!(said.len() > 1000, "a handshake and a greeting");
    let mut again = TcpStream::connect(a.listens).expect("a stream");
    again.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out");
    // It may be closed before all was said.
    let _ = again.write_all(&said);
    let mut answer = Vec::new();
    if let Err(error) = again.read_to_end(&mut answer) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "closed, not waited for");
    }
    assert_eq!(a.wait("unlinked", Duration::ZERO), None);
    assert!(a.call(&b, [10, 10, 0, 20_000]).starts_with("ok "));
}

/// More silent streams than handshakes are allowed, and somebody who goes on making noise: a node joins all the same, and theirs end.
#[test]
fn a_node_joins_through_a_crowd_of_strangers() {
    let cluster = Cluster::new();
    let [a, b] = cluster.linked(["node-a", "node-b"]);
    let silent: Vec<_> = (0..400).map(|_| TcpStream::connect(a.listens).expect("a stream")).collect();
    let (goes_on, listens) = (Arc::new(AtomicBool::new(true)), a.listens);
    let noisy = Arc::clone(&goes_on);
    let noise = thread::spawn(move || {
        while noisy.load(SeqCst) {
            for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 5000], &[0x16, 3, 1, 0xff, 0xff, 1]] {
                let Ok(mut stream) = TcpStream::connect(listens) else { continue };
                let _ = stream.write_all(garbage);
            }
            // paced: a few hundred a second, for as long as the node takes to join.
            thread::sleep(Duration::from_millis(10));
        }
    });
    let c = cluster.node("node-c");
    let told = Instant::now();
    let members = [a.member(), b.member(), c.member()];
    for node in [&c, &a, &b] {
        node.members(&members);
    }
    for other in [&a, &b] {
        c.wait_for(&format!("linked {}", other.boot));
        other.wait_for(&format!("linked {}", c.boot));
    }
    let took = told.elapsed();
    goes_on.store(false, SeqCst);
    noise.join().expect("the noise ends");
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(a.call(&b, [10, 10, 0, 20_000]).starts_with("ok ") && c.call(&a, [10, 10, 0, 20_000]).starts_with("ok "));
    assert_eq!(a.wait("unlinked", Duration::ZERO), None);
    for mut stream in silent {
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out");
        let end = stream.read(&mut [0; 16]);
        assert!(matches!(end, Ok(0)) || end.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset), "silence has an end");
    }
}
